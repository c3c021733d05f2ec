"""Identifiers: 63-bit ids for people and wallets, 128-bit ids for transactions.

A 63-bit id is 41 bits of milliseconds since 2024 and 22 random bits: rows made together lie
together in an index, and nobody can count customers. Outside the code it is written as a prefix
and 13 letters of Crockford's base 32 (`w_01k3…`). Transaction ids are written as UUIDs.
"""

import hashlib
import os
import threading
import time
import uuid
from functools import lru_cache

_EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 13
_SIZES = tuple(size.to_bytes(4, "big") for size in range(256))
_TO_INT = str.maketrans(
    _ALPHABET + "ilouABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789abcdefghijklmnopqrstuv" + "!" * 30,
)


class NewIds:
    """Ids that rise: no two are the same, however many are asked for in a millisecond, and however
    the clock goes back. Those of one millisecond lie side by side from a random place on, so that
    two processes are least likely to meet: at a thousand each, once in 2,000 such milliseconds."""

    def __init__(self) -> None:
        self._last = 0
        self._turn = threading.Lock()

    def new(self) -> int:
        """One that nobody has."""
        ms = time.time_ns() // 1_000_000 - _EPOCH_MS
        fresh = (ms << 22 | int.from_bytes(os.urandom(3), "big") >> 2) & 0x7FFF_FFFF_FFFF_FFFF
        with self._turn:
            # Within the millisecond of the one before, the next one up.
            self._last = self._last + 1 if fresh >> 22 <= self._last >> 22 else fresh
            return self._last


_new_ids = NewIds()


def new_id() -> int:
    """A fresh 63-bit id, unlike any that this process has made; between processes the primary key
    it goes into decides."""
    return _new_ids.new()


def made_at(number: int) -> int:
    """When a 63-bit id was made, in microseconds since 1970; to the millisecond."""
    return ((number >> 22) + _EPOCH_MS) * 1_000


def write_id(prefix: str, number: int) -> str:
    """`w_01k3…`: what the outside sees of a 63-bit id."""
    letters = []
    for _ in range(_LENGTH):
        number, rest = divmod(number, 32)
        letters.append(_ALPHABET[rest])
    return f"{prefix}_{''.join(reversed(letters))}"


def read_id(prefix: str, text: str) -> int | None:
    """The number behind `w_01k3…`, or None when `text` was not written by `write_id`."""
    # What strangers send may be long, and is not to be remembered then.
    return _read_id(prefix, text) if len(text) == len(prefix) + 1 + _LENGTH else None


@lru_cache(maxsize=65_536)
def _read_id(prefix: str, text: str) -> int | None:
    letters = text[len(prefix) + 1 :]
    if not text.startswith(prefix) or text[len(prefix)] != "_":
        return None
    # `int` reads base 32 in C, in another alphabet, and forgives what must not be forgiven.
    digits = letters.translate(_TO_INT)
    if not digits.isascii() or not digits.isalnum():
        return None
    try:
        number = int(digits, 32)
    except ValueError:
        return None
    return number if number < 1 << 63 else None


def derived_id(*parts: str | int | bytes) -> bytes:
    """The 128-bit transaction id that always follows from the same parts (SHA-256, cut).

    Parts are length-prefixed, so that ("a", "bc") and ("ab", "c") differ.
    """
    whole = b""
    for part in parts:
        data = part if type(part) is bytes else str(part).encode()
        size = len(data)
        whole += _SIZES[size] if size < 256 else size.to_bytes(4, "big")
        whole += data
    return hashlib.sha256(whole).digest()[:16]


def new_uuid7() -> bytes:
    """A fresh UUIDv7 (RFC 9562) as 16 bytes; time comes first, so new rows lie together."""
    ms = time.time_ns() // 1_000_000
    rand = int.from_bytes(os.urandom(10), "big")
    value = ms << 80 | 0x7 << 76 | (rand >> 68 & 0xFFF) << 64 | 0x2 << 62 | rand & (1 << 62) - 1
    return value.to_bytes(16, "big")


def write_uuid(raw: bytes) -> str:
    """The 36-letter form of 16 bytes."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read_uuid(text: str) -> bytes | None:
    """The 16 bytes of a UUID in its 36-letter form, or None."""
    if len(text) != 36:
        return None
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        return None
