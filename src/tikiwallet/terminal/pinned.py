"""A certificate that a phone trusts because its hash stood in a QR code, and that code's text.

Browsers accept such a certificate (`serverCertificateHashes`) when its key is ECDSA P-256 and it
lives for at most 14 days. No authority signs it; the hash alone says whose it is.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tikiwallet import base64url

# Twelve days in all: a phone whose clock is a day and a half behind still takes it.
_BACKDATED: Final = timedelta(days=2)
_LIFE: Final = timedelta(days=10)
_RENEWED_BEFORE: Final = timedelta(days=3)
_NAME: Final = "TikiWallet terminal"


@dataclass(frozen=True, slots=True)
class PinnedCertificate:
    """Key and certificate, in memory only: each start has another."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, host: str, now: datetime) -> Self:
        """One for the IP address `host`, good from two days before `now` to ten days after."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
        address = x509.IPAddress(ipaddress.ip_address(host))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _LIFE)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the certificate, 32 bytes: what the phone is told."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).digest()

    def is_due(self, now: datetime) -> bool:
        """Whether another should take its place, also after a clock that jumped back."""
        begun = self.certificate.not_valid_before_utc
        return not begun <= now < self.certificate.not_valid_after_utc - _RENEWED_BEFORE


def nearby_text(public_url: str, host: str, port: int, hash_: bytes) -> str:
    """The text of the QR code. A phone's camera opens the app with it, without a network; what
    stands behind # is never sent to anybody."""
    place = f"[{host}]" if ":" in host else host
    digest = base64url.write(hash_)
    return f"{public_url.rstrip('/')}/nearby#{place}:{port}/{digest}"
