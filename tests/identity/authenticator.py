"""A browser with an authenticator, written from Web Authentication level 3 and CTAP 2.

It does what real ones do, for navigator.credentials.create and get in their JSON forms; `Lie` makes
it do what they must not.
"""

import base64
import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

Json = dict[str, Any]


class Algorithm(Enum):
    """COSE's numbers."""

    ES256 = -7
    EDDSA = -8
    RS256 = -257


@dataclass(frozen=True, kw_only=True)
class Lie:
    """What is not as it should be; the default is the truth."""

    origin: str | None = None
    rp_id: str | None = None
    challenge: bytes | None = None
    type: str | None = None
    user_present: bool = True
    user_verified: bool = True
    cross_origin: bool = False
    backup_eligible: bool | None = None
    count: int | None = None
    handle: bytes | None = b"the truth"
    credential_id: bytes | None = None
    signature: bytes | None = None
    fmt: str = "none"


TRUTH = Lie()


@dataclass
class Kept:
    """A passkey inside the authenticator."""

    id: bytes
    rp_id: str
    handle: bytes
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    count: int = 0


class NoSuchPasskey(Exception):
    """What a browser tells as NotAllowedError."""


class AlreadyThere(Exception):
    """What a browser tells as InvalidStateError."""


@dataclass
class Authenticator:
    """A device whose browser shows a page of `origin`. One that syncs counts no signatures."""

    origin: str
    algorithm: Algorithm = Algorithm.ES256
    synced: bool = False
    kept: list[Kept] = field(default_factory=list)

    def create(self, options: Json, lie: Lie = TRUTH) -> Json:
        """A RegistrationResponseJSON for PublicKeyCredentialCreationOptionsJSON."""
        excluded = {one["id"] for one in options["excludeCredentials"]}
        if any(b64(one.id) in excluded for one in self.kept):
            raise AlreadyThere
        assert {"type": "public-key", "alg": self.algorithm.value} in options["pubKeyCredParams"]
        assert options["rp"]["id"] == options["rp"]["id"].lower()
        passkey = Kept(
            lie.credential_id or os.urandom(16),
            options["rp"]["id"],
            unb64(options["user"]["id"]),
            self._new_key(),
        )
        self.kept.append(passkey)
        attested = (
            bytes(16)  # the AAGUID of whom nobody asks
            + struct.pack(">H", len(passkey.id))
            + passkey.id
            + cbor(self._public(passkey))
        )
        data = self._authenticator_data(passkey, lie, 0x40) + attested
        attestation = {"fmt": lie.fmt, "attStmt": {}, "authData": data}
        client = self._client_data("webauthn.create", options["challenge"], lie)
        return {
            "id": b64(passkey.id),
            "rawId": b64(passkey.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": b64(client),
                "attestationObject": b64(cbor(attestation)),
                "authenticatorData": b64(data),
                "publicKeyAlgorithm": self.algorithm.value,
                "transports": ["internal", "hybrid"],
            },
        }

    def get(self, options: Json, lie: Lie = TRUTH) -> Json:
        """An AuthenticationResponseJSON for PublicKeyCredentialRequestOptionsJSON."""
        allowed = {one["id"] for one in options["allowCredentials"]}
        fitting = [
            one
            for one in self.kept
            if one.rp_id == options["rpId"] and (not allowed or b64(one.id) in allowed)
        ]
        if not fitting:
            raise NoSuchPasskey
        passkey = fitting[-1]
        if not self.synced:
            passkey.count += 1
        data = self._authenticator_data(passkey, lie, 0)
        client = self._client_data("webauthn.get", options["challenge"], lie)
        signed = data + hashlib.sha256(client).digest()
        signature = _sign(passkey, signed) if lie.signature is None else lie.signature
        handle = passkey.handle if lie.handle == b"the truth" else lie.handle
        return {
            "id": b64(lie.credential_id or passkey.id),
            "rawId": b64(lie.credential_id or passkey.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(signature),
                **({} if handle is None else {"userHandle": b64(handle)}),
            },
        }

    def _authenticator_data(self, passkey: Kept, lie: Lie, flags: int) -> bytes:
        eligible = self.synced if lie.backup_eligible is None else lie.backup_eligible
        flags |= 0x01 * lie.user_present | 0x04 * lie.user_verified
        flags |= 0x08 * eligible | 0x10 * (eligible and self.synced)
        rp = hashlib.sha256((lie.rp_id or passkey.rp_id).encode()).digest()
        count = passkey.count if lie.count is None else lie.count
        return rp + struct.pack(">BI", flags, count)

    def _client_data(self, type: str, challenge: str, lie: Lie) -> bytes:
        return json.dumps(
            {
                "type": lie.type or type,
                "challenge": challenge if lie.challenge is None else b64(lie.challenge),
                "origin": lie.origin or self.origin,
                "crossOrigin": lie.cross_origin,
            }
        ).encode()

    def _new_key(
        self,
    ) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
        match self.algorithm:
            case Algorithm.ES256:
                return ec.generate_private_key(ec.SECP256R1())
            case Algorithm.EDDSA:
                return ed25519.Ed25519PrivateKey.generate()
            case Algorithm.RS256:
                return rsa.generate_private_key(65537, 2048)

    def _public(self, passkey: Kept) -> dict[int, Any]:
        """The public key as COSE has it (RFC 9053)."""
        match passkey.key.public_key():
            case ec.EllipticCurvePublicKey() as point:
                numbers = point.public_numbers()
                x, y = (value.to_bytes(32, "big") for value in (numbers.x, numbers.y))
                return {1: 2, 3: -7, -1: 1, -2: x, -3: y}
            case ed25519.Ed25519PublicKey() as edwards:
                return {1: 1, 3: -8, -1: 6, -2: edwards.public_bytes_raw()}
            case rsa.RSAPublicKey() as modular:
                n = modular.public_numbers().n.to_bytes(256, "big")
                return {1: 3, 3: -257, -1: n, -2: b"\x01\x00\x01"}


def _sign(passkey: Kept, data: bytes) -> bytes:
    match passkey.key:
        case ec.EllipticCurvePrivateKey() as point:
            return point.sign(data, ec.ECDSA(hashes.SHA256()))
        case ed25519.Ed25519PrivateKey() as edwards:
            return edwards.sign(data)
        case rsa.RSAPrivateKey() as modular:
            return modular.sign(data, padding.PKCS1v15(), hashes.SHA256())


def cbor(value: Any) -> bytes:
    """RFC 8949, as much of it as is needed here."""
    match value:
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case dict():
            members = b"".join(cbor(key) + cbor(member) for key, member in value.items())
            return _head(5, len(value)) + members
        case _:
            raise TypeError(type(value))


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for more, form in ((24, ">BB"), (25, ">BH"), (26, ">BI")):
        if number < 1 << 8 * (struct.calcsize(form) - 1):
            return struct.pack(form, major << 5 | more, number)
    raise ValueError(number)


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes behind base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
