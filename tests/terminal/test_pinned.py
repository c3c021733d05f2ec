import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tikiwallet.terminal.pinned import PinnedCertificate, nearby_text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_it_is_what_browsers_accept() -> None:
    made = PinnedCertificate.make("192.168.4.1", NOW)
    certificate = made.certificate
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life < timedelta(days=14)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert made.hash == hashlib.sha256(der).digest()
    assert made.hash != PinnedCertificate.make("192.168.4.1", NOW).hash


@pytest.mark.parametrize(
    ("later", "due"),
    [(0, False), (-1, False), (6.9, False), (7, True), (400, True), (-3, True)],
)
def test_it_is_renewed_days_before_it_ends(later: float, due: bool) -> None:
    made = PinnedCertificate.make("::1", NOW)
    assert made.is_due(NOW + timedelta(days=later)) is due


@pytest.mark.parametrize(
    ("host", "place"), [("192.168.4.1", "192.168.4.1:443"), ("fe80::1", "[fe80::1]:443")]
)
def test_the_text_opens_the_app(host: str, place: str) -> None:
    text = nearby_text("https://wallet.example/", host, 443, b"\xff" * 32)
    page, _, told = text.partition("#")
    assert page == "https://wallet.example/nearby"
    assert told.rpartition("/")[0] == place
    assert base64.urlsafe_b64decode(told.rpartition("/")[2] + "=") == b"\xff" * 32
