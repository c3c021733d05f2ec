"""Six digits that two people compare, so that nobody sits between their devices: the arithmetic.

    the side that connected to the other:  commitment(sides, A)
    the other:                             B
    the first:                             A          (the other checks the commitment)
    both show                              digits(sides, A, B)

A and B are 32 random bytes. `sides` is what both know of who they are to each other: the SHA-256
of the connecting side's certificate and of the other's; a phone has none, so only the terminal's.
Who sits in between has to choose his numbers before he learns those of the others: one chance in a
million, and a miss is seen.
"""

import hashlib
from typing import Final

NONCE_BYTES: Final = 32
_DOMAIN: Final = b"tikiwallet/offline/1/"


def commitment(sides: bytes, nonce: bytes) -> bytes:
    """What the connecting side says before it reveals `nonce`."""
    return _hash(b"link-commit", sides, nonce)


def digits(sides: bytes, connecting: bytes, answering: bytes) -> str:
    """What both screens show, from both sides' nonces."""
    number = int.from_bytes(_hash(b"link-digits", sides, connecting, answering)[:8], "big")
    return f"{number % 1_000_000:06}"


def _hash(name: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(_DOMAIN + name + b"\x00" + b"".join(parts)).digest()
