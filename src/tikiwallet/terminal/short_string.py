"""Six digits that two people compare, so that nobody sits between their devices: the arithmetic.

    the side that connected to the other:  commitment(sides, A)
    the other:                             B
    the first:                             A          (the other checks the commitment)
    both show                              digits(sides, A, B)

A and B are 32 random bytes. `sides` is what both know of who they are to each other: the SHA-256
of the connecting side's certificate and of the other's; a phone has none, so only the terminal's.
Along with A a phone says by what it comes back, after its digits were compared once.
Who sits in between has to choose his numbers before he learns those of the others: one chance in a
million, and a miss is seen. But the side that connects knows the digits before it reveals A. It
could break off unseen until they suit it; so the other counts (`Tries`).
"""

import hashlib
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NONCE_BYTES: Final = 32
TRIES_MOST: Final = 8
TRIES_SECONDS: Final = 600.0  # longer than two people wait for their digits
_DOMAIN: Final = b"tikiwallet/offline/1/"


def commitment(sides: bytes, nonce: bytes) -> bytes:
    """What the connecting side says before it reveals `nonce`."""
    return _hash(b"link-commit", sides, nonce)


def digits(sides: bytes, connecting: bytes, answering: bytes) -> str:
    """What both screens show, from both sides' nonces."""
    number = int.from_bytes(_hash(b"link-digits", sides, connecting, answering)[:8], "big")
    return f"{number % 1_000_000:06}"


def phone_peer(sides: bytes, secret: bytes) -> bytes:
    """Who a phone is to this terminal: it keeps `secret` for as long as it speaks with it. Never
    the fingerprint of a certificate, which everybody can learn."""
    return _hash(b"link-phone", sides, secret)


def _hash(name: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(_DOMAIN + name + b"\x00" + b"".join(parts)).digest()


class Tries:
    """Handshakes that were broken off after this side gave its number away. After `TRIES_MOST` it
    gives none to anybody, until the first is `TRIES_SECONDS` old; codes on screens go on."""

    def __init__(self) -> None:
        self._misses = deque[float](maxlen=TRIES_MOST)

    @property
    def are_up(self) -> bool:
        """Whether there were too many."""
        return (
            len(self._misses) == TRIES_MOST and time.monotonic() - self._misses[0] < TRIES_SECONDS
        )

    @contextmanager
    def one(self) -> Iterator[None]:
        """From giving the number away until the other side's was checked: counted if it fails."""
        try:
            yield
        except BaseException:
            self._misses.append(time.monotonic())
            raise
