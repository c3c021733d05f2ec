"""Sealing: AES-256-GCM for what must not be readable on a stolen disk.

A sealed value is `version (2) | day (2) | nonce (12) | ciphertext | tag (16)`, numbers big-endian.
The version names a key in the keys directory (`data-1.key`, `data-2.key`, ...): 32 random bytes,
the newest of which seals while all of them open. Each day since 1970 has a key of its own, derived
from the version's: nonces are random, and that is safe for 2^32 values under one key, which is
49,000 a second for a whole day (NIST SP 800-38D, section 8.3).

`context` says what the value is and whose (`identity.person.phone 42`). It is authenticated and not
kept: a value that was moved to another row or column does not open there.
"""

import hmac
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tikiwallet import clock
from tikiwallet.identity.keys import KeyFileError, load_or_create, read_private

OVERHEAD: Final = 32  # bytes that a sealed value is longer than what it holds
LOOK_SECONDS: Final = 5.0  # after so long every process seals with a key that was added
VERSION_MAX: Final = 0xFFFF

_KEY_BYTES: Final = 32
_HEAD: Final = 4
_NONCE_END: Final = _HEAD + 12
_DAY_US: Final = 86_400_000_000
_FILE: Final = re.compile(r"data-([1-9][0-9]{0,4})\.key", re.ASCII)
_REMEMBERED: Final = 512  # keys of days; a page of history needs one per day it shows


class SealBroken(Exception):
    """A value that does not open: altered, moved, or sealed with a key that is not here. Somebody
    meddled or a key file is missing, so this is no `Problem` of the caller's."""


class Sealing:
    """Seals and opens, with the keys of one directory.

    Not for use from several threads at once. Raises `KeyFileError` when made from a directory whose
    key files are damaged or open to others.
    """

    def __init__(
        self,
        keys_dir: Path,
        now: Callable[[], int] = clock.now_us,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """The keys in `keys_dir`; the first is made if there is none."""
        self._keys_dir = keys_dir
        self._now = now
        self._monotonic = monotonic
        self._secrets: dict[int, bytes] = {}
        self._days: dict[bytes, AESGCM] = {}
        self._newest = 0
        self._next_look = 0.0
        self._begun: tuple[int, bytes, AESGCM] | None = None
        if not versions(keys_dir):
            load_or_create(_path(keys_dir, 1), _new_key)
        self._look()

    @property
    def version(self) -> int:
        """The key that seals, by its number."""
        return self._newest

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """`plain`, readable only with the keys, and only under the same `context`."""
        if self._monotonic() >= self._next_look:
            self._look()
        day = self._now() // _DAY_US
        if self._begun is None or self._begun[0] != day:
            self._begun = self._begin(day)
        _, head, key = self._begun
        nonce = os.urandom(12)
        return head + nonce + key.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed under `context`. Raises `SealBroken`."""
        head = sealed[:_HEAD]
        key = self._days.get(head) or self._key_of(head)
        try:
            return key.decrypt(sealed[_HEAD:_NONCE_END], sealed[_NONCE_END:], context)
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce or a tag
            raise SealBroken("a sealed value was altered or stands in the wrong place") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether `sealed` was sealed with the newest key."""
        return sealed[:2] == self._newest.to_bytes(2, "big")

    def _begin(self, day: int) -> tuple[int, bytes, AESGCM]:
        head = self._newest.to_bytes(2, "big") + day.to_bytes(2, "big")
        return day, head, self._days.get(head) or self._key_of(head)

    def _key_of(self, head: bytes) -> AESGCM:
        if len(head) < _HEAD:
            raise SealBroken("a sealed value is too short")
        version = int.from_bytes(head[:2], "big")
        if version not in self._secrets:
            self._look()  # another process may have added it
        secret = self._secrets.get(version)
        if secret is None:
            raise SealBroken(f"the key data-{version}.key is missing from {self._keys_dir}")
        key = AESGCM(hmac.digest(secret, b"tikiwallet data of day " + head[2:], "sha256"))
        if len(self._days) >= _REMEMBERED:
            self._days.clear()
        self._days[head] = key
        return key

    def _look(self) -> None:
        """Read keys that are new in the directory, and seal with the newest from now on."""
        for version in versions(self._keys_dir):
            if version not in self._secrets:
                self._secrets[version] = _read(self._keys_dir, version)
        self._newest = max(self._secrets)
        self._begun = None
        self._next_look = self._monotonic() + LOOK_SECONDS


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A `bytea` column of sealed values, which a rotation seals anew where rows may change: its
    table with the schema, its name, and the table's primary key, whose text (of bytes, the hex
    digits) is part of the context."""

    table: str
    column: str
    key: str = "id"

    def context(self, id: object) -> bytes:
        """The context of the value in the row `id` (a number, bytes, a UUID or its 36 letters)."""
        written = id.hex() if isinstance(id, bytes) else id
        return f"{self.table}.{self.column} {written}".encode()

    def seal(self, sealing: Sealing, id: object, text: str) -> bytes:
        """What to keep in the row `id`."""
        return self.seal_bytes(sealing, id, text.encode())

    def open(self, sealing: Sealing, id: object, sealed: bytes) -> str:
        """The text kept in the row `id`. Raises `SealBroken`."""
        return self.open_bytes(sealing, id, sealed).decode()

    def seal_bytes(self, sealing: Sealing, id: object, plain: bytes) -> bytes:
        """As `seal`, of bytes."""
        return sealing.seal(plain, self.context(id))

    def open_bytes(self, sealing: Sealing, id: object, sealed: bytes) -> bytes:
        """As `open`, of bytes."""
        return sealing.open(sealed, self.context(id))


def add_key(keys_dir: Path) -> int:
    """Make the next key and return its version. Every process that shares `keys_dir` seals with it
    within `LOOK_SECONDS`. Raises `KeyFileError` after the last version there can be."""
    version = max(versions(keys_dir), default=0) + 1
    if version > VERSION_MAX:
        raise KeyFileError("there are no more versions of data keys")
    load_or_create(_path(keys_dir, version), _new_key)
    return version


def versions(keys_dir: Path) -> list[int]:
    """The versions of data keys in `keys_dir`, oldest first."""
    try:
        names = os.listdir(keys_dir)  # noqa: PTH208 - every few seconds, from the event loop
    except FileNotFoundError:
        return []
    found = (_FILE.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match and int(match[1]) <= VERSION_MAX)


def _read(keys_dir: Path, version: int) -> bytes:
    path = _path(keys_dir, version)
    secret = read_private(path)
    if len(secret) != _KEY_BYTES:
        raise KeyFileError(f"{path} is damaged: it should hold {_KEY_BYTES} bytes")
    return secret


def _path(keys_dir: Path, version: int) -> Path:
    return keys_dir / f"data-{version}.key"


def _new_key() -> bytes:
    return secrets.token_bytes(_KEY_BYTES)
