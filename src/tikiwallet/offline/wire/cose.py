"""Signed messages: COSE_Sign1 (RFC 9052) with ES256, a payload of our CBOR, and nothing optional.

A message's kind stands in its payload, and as its domain in what is signed, so that a signature
over one kind never holds for another. A message's hash is SHA-256 of what is signed (the
Sig_structure): it names content and header, whatever the signature's own randomness was.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tikiwallet.offline.wire import cbor
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import SIGNATURE_LENGTH, PublicKey, Signer

KID_LENGTH: Final = 4
TAG: Final = b"\xd2"  # 18, COSE_Sign1
_PROTECTED: Final = bytes.fromhex("a10126")  # {1: -7}: alg is ES256
_PROTECTED_KID: Final = bytes.fromhex("a201260444")  # {1: -7, 4: ...}: and the key's id


class Kind(IntEnum):
    """What a message is: its number in the payload; its name is its domain."""

    PASS = 1
    INVITE = 2
    PAY = 3
    RECEIPT = 4
    VOID = 5
    CLOSE = 6
    KEYS = 7
    REVOCATIONS = 8

    @property
    def domain(self) -> bytes:
        """COSE's external_aad."""
        return b"tikiwallet/offline/1/" + self.name.lower().encode()

    @property
    def has_kid(self) -> bool:
        """Is its signer named in its header? Elsewhere a pass in the payload names the signer."""
        return self in _BY_ISSUER


_BY_ISSUER: Final = frozenset({Kind.PASS, Kind.KEYS, Kind.REVOCATIONS})


def kid_of(public: bytes) -> bytes:
    """The short name of a key: which to try, not a proof of anything."""
    return hashlib.sha256(public).digest()[:KID_LENGTH]


@dataclass(frozen=True, slots=True)
class Unsealed:
    """All of a message but its signature, for signers that answer later."""

    protected: bytes
    payload: bytes
    to_sign: bytes

    @property
    def hash(self) -> bytes:
        """The message's hash, known before it is signed."""
        return hashlib.sha256(self.to_sign).digest()

    def with_signature(self, signature: bytes) -> bytes:
        """The message. The signature is taken as it is."""
        if len(signature) != SIGNATURE_LENGTH:
            raise Malformed(f"a signature has {SIGNATURE_LENGTH} bytes")
        return TAG + cbor.encode([self.protected, {}, self.payload, signature])


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message taken apart. Nothing is verified yet."""

    kind: Kind
    payload: Mapping[int, cbor.Value]
    protected: bytes
    kid: bytes  # empty where a pass names the signer
    signature: bytes
    signed: bytes
    hash: bytes
    raw: bytes

    def is_signed_by(self, key: PublicKey) -> bool:
        """Does its signature hold under `key`?"""
        return key.verify(self.signature, self.signed)


def prepare(kind: Kind, payload: Mapping[int, cbor.Value], public: bytes) -> Unsealed:
    """`payload` (without its key 0) as a message of `kind` that the key `public` is to sign."""
    protected = _PROTECTED_KID + kid_of(public) if kind.has_kid else _PROTECTED
    encoded = cbor.encode({0: int(kind), **payload})
    return Unsealed(protected, encoded, _sig_structure(kind, protected, encoded))


def seal(kind: Kind, payload: Mapping[int, cbor.Value], signer: Signer) -> bytes:
    """The message of `kind` with `payload` (without its key 0), signed."""
    unsealed = prepare(kind, payload, signer.public)
    return unsealed.with_signature(signer.sign(unsealed.to_sign))


def open_(data: bytes) -> Sealed:
    """Take a message apart; its signature is not looked at. Raises `Malformed`."""
    if data[:1] != TAG:
        raise Malformed("not a COSE_Sign1 message")
    match cbor.decode(data[1:]):
        case [bytes(protected), dict(unprotected), bytes(encoded), bytes(signature)]:
            pass
        case _:
            raise Malformed("not the four parts of a COSE_Sign1 message")
    if unprotected:
        raise Malformed("an unprotected header")
    if len(signature) != SIGNATURE_LENGTH:
        raise Malformed(f"a signature has {SIGNATURE_LENGTH} bytes")
    payload = cbor.decode(encoded)
    if not isinstance(payload, dict):
        raise Malformed("the payload is no map")
    kind = _kind_of(payload)
    signed = _sig_structure(kind, protected, encoded)
    return Sealed(
        kind=kind,
        payload=payload,
        protected=protected,
        kid=_kid_in(protected, kind),
        signature=signature,
        signed=signed,
        hash=hashlib.sha256(signed).digest(),
        raw=data,
    )


def _kind_of(payload: Mapping[int, cbor.Value]) -> Kind:
    number = payload.get(0)
    try:
        return Kind(number)  # type: ignore[arg-type]  # whatever it is, only 1 to 8 pass
    except ValueError:
        raise Malformed("no kind of message that is known here") from None


def _kid_in(protected: bytes, kind: Kind) -> bytes:
    """Both headers there are have one encoding each, so they are compared, not decoded."""
    if not kind.has_kid:
        if protected != _PROTECTED:
            raise Malformed("a header that is not exactly ES256")
        return b""
    kid = protected[len(_PROTECTED_KID) :]
    if protected[: len(_PROTECTED_KID)] != _PROTECTED_KID or len(kid) != KID_LENGTH:
        raise Malformed("a header that is not exactly ES256 and a key's id")
    return kid


def _sig_structure(kind: Kind, protected: bytes, payload: bytes) -> bytes:
    return cbor.encode(["Signature1", protected, kind.domain, payload])
