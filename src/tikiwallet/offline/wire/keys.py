"""Keys: ECDSA on P-256 with SHA-256 (ES256), since every phone's keystore and browser has it.

Public keys are compressed points of 33 bytes. Signatures are r and s, 32 bytes each, with s in the
lower half, so that nobody can turn one signature into another that also holds.
"""

from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tikiwallet.offline.wire.cbor import Malformed

PUBLIC_LENGTH: Final = 33
SIGNATURE_LENGTH: Final = 64
_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CHECKING: Final = ec.ECDSA(hashes.SHA256())
# RFC 6979: the same data gets the same signature, and no bad randomness gives the key away.
_SIGNING: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class Signer(Protocol):
    """Whatever holds a private key: a file, a keystore, a token."""

    @property
    def public(self) -> bytes:
        """The compressed public key, 33 bytes."""

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`: 64 bytes, s in the lower half."""


class PublicKey:
    """A point of the curve, from its 33 compressed bytes. Raises `Malformed` for others."""

    __slots__ = ("_key", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_LENGTH:
            raise Malformed(f"a public key has {PUBLIC_LENGTH} bytes")
        try:
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, raw)
        except ValueError:
            raise Malformed("a public key that is no point of P-256") from None
        self.raw = raw

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Is `signature` this key's over `data`?"""
        if len(signature) != SIGNATURE_LENGTH:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not 0 < r < _ORDER or not 0 < s <= _ORDER // 2:
            return False
        try:
            self._key.verify(utils.encode_dss_signature(r, s), data, _CHECKING)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"PublicKey({self.raw.hex()})"


class PrivateKey:
    """A `Signer` with the key in memory."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    @classmethod
    def generate(cls) -> "PrivateKey":
        """A fresh one."""
        return cls(ec.generate_private_key(_CURVE))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "PrivateKey":
        """The one whose number is `raw`, 32 bytes. Raises ValueError for others."""
        if len(raw) != 32:
            raise ValueError("a private key has 32 bytes")
        return cls(ec.derive_private_key(int.from_bytes(raw, "big"), _CURVE))

    def to_bytes(self) -> bytes:
        """Its number, 32 bytes: keep it secret."""
        return self._key.private_numbers().private_value.to_bytes(32, "big")

    def sign(self, data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(self._key.sign(data, _SIGNING))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")
