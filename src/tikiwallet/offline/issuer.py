"""Who signs passes, revocations and the list of keys: files in the keys directory, mode 0600.

`offline-root.key` is the private number of the root (32 bytes), which devices pin; it signs only
the list of issuer keys. `offline-issuer-N.key` is the second from which that key signs (8 bytes,
big-endian) and its private number (32 bytes). A key that is added is told to devices before it
signs, so that those who were last online before the change know it when they meet its passes. It
stays in the list until nothing that its predecessor's passes promise can be claimed any more.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from tikiwallet import clock
from tikiwallet.identity.keys import KeyFileError, load_or_create, read_private
from tikiwallet.offline.limits import CLAIM_HOURS, HOURS_MOST
from tikiwallet.offline.wire.cose import kid_of
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import KEYS_MOST, IssuerKey, IssuerKeys, Pass, Revocations

LOOK_SECONDS: Final = 5.0  # after so long every process knows a key that was added
TOLD_BEFORE: Final = 96 * 3_600  # seconds; who was online since then knows a key when it signs
AT_ONCE: Final = 30  # seconds: longer than LOOK_SECONDS, so that all processes change together
_CLAIMED: Final = (HOURS_MOST + CLAIM_HOURS) * 3_600  # how long a pass may matter
_NEWEST_LIVES: Final = 400 * 86_400  # from each list on, so it only ends when lists do
_LIST_SECONDS: Final = 60  # one list serves so long
_ROOT: Final = "offline-root.key"
_FILE: Final = re.compile(r"offline-issuer-([1-9][0-9]{0,4})\.key", re.ASCII)
_TIME_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class IssuerKeyFile:
    """An issuer key; it signs what is dated `not_before` (seconds since 1970) or later, until the
    next one does."""

    number: int
    not_before: int
    key: PrivateKey = field(repr=False)


class Issuer:
    """Signs with the keys of one directory, which are made at the first start. Raises
    `KeyFileError` for files that are damaged or open to others."""

    def __init__(
        self,
        keys_dir: Path,
        now: Callable[[], int] = clock.now_us,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys_dir = keys_dir
        self._now = now
        self._monotonic = monotonic
        self._root = _load_root(keys_dir)
        self._keys: list[IssuerKeyFile] = []
        self._next_look = 0.0
        self._list: tuple[int, bytes] | None = None
        if not _numbers(keys_dir):
            load_or_create(_path(keys_dir, 1), lambda: _new_key(self._seconds()))
        self._look()

    @property
    def root(self) -> bytes:
        """The root's public key, 33 bytes."""
        return self._root.public

    def sign(self, message: Pass | Revocations) -> bytes:
        """The bytes of `message`, signed with the key of its date."""
        dated = message.not_before if isinstance(message, Pass) else message.time
        return message.sealed_by(self._key_of(dated))

    def key_list(self) -> bytes:
        """All issuer keys that matter, signed by the root: a KEYS message."""
        now = self._seconds()
        keys = self._fresh()
        if self._list is None or not 0 <= now - self._list[0] < _LIST_SECONDS:
            entries = _entries(keys, now)
            self._list = now, IssuerKeys(serial=now, time=now, keys=entries).sealed_by(self._root)
        return self._list[1]

    def _key_of(self, dated: int) -> PrivateKey:
        keys = self._fresh()
        begun = [one.key for one in keys if one.not_before <= dated]
        return begun[-1] if begun else keys[0].key

    def _fresh(self) -> list[IssuerKeyFile]:
        if self._monotonic() >= self._next_look:
            self._look()
        return self._keys

    def _look(self) -> None:
        keys = issuer_keys(self._keys_dir)
        if [key.number for key in keys] != [key.number for key in self._keys]:
            self._keys, self._list = keys, None
        self._next_look = self._monotonic() + LOOK_SECONDS

    def _seconds(self) -> int:
        return self._now() // 1_000_000


def issuer_keys(keys_dir: Path) -> list[IssuerKeyFile]:
    """Those in `keys_dir`, in the order in which they sign. Raises `KeyFileError`."""
    found = [_load_issuer(keys_dir, number) for number in _numbers(keys_dir)]
    return sorted(found, key=lambda one: (one.not_before, one.number))


def add_issuer_key(
    keys_dir: Path, now: int, *, at_once: bool = False
) -> tuple[IssuerKeyFile, bool]:
    """Make the next issuer key, and whether it was made now: one that waits for its time already
    is the next one. It signs once devices had time to hear of it, or `at_once`: then payees who are
    offline do not know it. `now` in microseconds since 1970. Raises `KeyFileError`."""
    seconds = now // 1_000_000
    keys = issuer_keys(keys_dir)
    if keys and keys[-1].not_before > seconds and not at_once:
        return keys[-1], False
    number = max((one.number for one in keys), default=0) + 1
    begins = seconds + (AT_ONCE if at_once else TOLD_BEFORE) if keys else seconds
    load_or_create(_path(keys_dir, number), lambda: _new_key(begins))
    return _load_issuer(keys_dir, number), True


def _entries(keys: list[IssuerKeyFile], now: int) -> tuple[IssuerKey, ...]:
    ends = [after.not_before for _, after in pairwise(keys)] + [now + _NEWEST_LIVES]
    entries = [
        IssuerKey(kid_of(one.key.public), PublicKey(one.key.public), one.not_before, end)
        for one, end in zip(keys, ends, strict=True)
        if now < end + _CLAIMED
    ]
    return tuple(entries[-KEYS_MOST:])


def _load_root(keys_dir: Path) -> PrivateKey:
    path = keys_dir / _ROOT
    raw = load_or_create(path, lambda: PrivateKey.generate().to_bytes())
    return _private(path, raw)


def _load_issuer(keys_dir: Path, number: int) -> IssuerKeyFile:
    path = _path(keys_dir, number)
    raw = read_private(path)
    key = _private(path, raw[_TIME_BYTES:])
    return IssuerKeyFile(number, int.from_bytes(raw[:_TIME_BYTES], "big"), key)


def _private(path: Path, raw: bytes) -> PrivateKey:
    try:
        return PrivateKey.from_bytes(raw)
    except ValueError:
        raise KeyFileError(f"{path} is damaged: it holds no private key of P-256") from None


def _numbers(keys_dir: Path) -> list[int]:
    try:
        names = os.listdir(keys_dir)  # noqa: PTH208 - every few seconds, from the event loop
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for name in names if (match := _FILE.fullmatch(name)))


def _path(keys_dir: Path, number: int) -> Path:
    return keys_dir / f"offline-issuer-{number}.key"


def _new_key(not_before: int) -> bytes:
    return not_before.to_bytes(_TIME_BYTES, "big") + PrivateKey.generate().to_bytes()
