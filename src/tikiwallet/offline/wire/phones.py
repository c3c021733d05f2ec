"""Who a pass belongs to: a commitment to a phone number, which whoever knows the number can check.

It keeps a number off the screen, not out of reach: numbers are few enough to be tried.
"""

import hashlib
import re
from typing import Final

COMMITMENT_LENGTH: Final = 16
SALT_LENGTH: Final = 8
_DOMAIN: Final = b"tikiwallet/offline/1/phone\x00"
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)


def commitment(salt: bytes, phone: str) -> bytes:
    """16 bytes for `phone`, as E.164 writes it (`+919876543210`), with a pass's salt.
    Raises ValueError for other forms, which would never match."""
    if not _E164.fullmatch(phone):
        raise ValueError("a phone number is written as in E.164: +, then up to 15 digits")
    if len(salt) != SALT_LENGTH:
        raise ValueError(f"a salt has {SALT_LENGTH} bytes")
    return hashlib.sha256(_DOMAIN + salt + phone.encode()).digest()[:COMMITMENT_LENGTH]
