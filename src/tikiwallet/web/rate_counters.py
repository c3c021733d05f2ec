"""Counting requests by the minute, in memory or where all API processes share the counters.

A sliding window of two counters: what counts is this minute's requests and, of the last minute's,
the part that still lies within sixty seconds. Refused requests do not count, so that what is told
to be the wait is the wait. Costs are the same however many callers there are. (The library `limits`
was looked at: its memory walks over all keys at each request, 4 ms with 20,000 of them.)

While the shared counters are away each process counts by itself; that is logged once, and once
when they are back.
"""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from tikiwallet import logs

WINDOW: Final = 60
KEYS_MAX: Final = 100_000  # callers in memory a minute; with more, the minute ends early

_AGAIN_SECONDS: Final = 5.0
_log = logs.get(__name__)


class Ask(NamedTuple):
    """One request of `subject` (a person, an address) under the limit `name`: `most` a minute."""

    name: str
    subject: str
    most: int


class SharedAway(Exception):
    """The shared counters cannot be reached."""


class SharedCounters(Protocol):
    """Counters that all processes share."""

    async def hit(self, keys: Sequence[bytes], most: Sequence[int], at: float) -> int:
        """As `RateCounters.hit`, within a moment. Raises `SharedAway`."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class RateCounters:
    """Counts the asks of one process, and of all when there are shared counters."""

    def __init__(
        self,
        key: bytes,
        shared: SharedCounters | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` hides people and addresses in what is shared; it is the same in all processes."""
        self._key = key
        self._now = now
        self._monotonic = monotonic
        self._memory = _Memory()
        self._shared = shared
        self._away_until = 0.0
        self._told_away = False

    async def hit(self, asks: Sequence[Ask]) -> int:
        """Count a request under each of `asks`: 0 when it may pass, else in how many whole seconds
        it may, and nothing was counted."""
        at = self._now()
        keys = [self._hidden(ask) for ask in asks]
        most = [ask.most for ask in asks]
        if self._shared is not None and self._monotonic() >= self._away_until:
            try:
                wait = await self._shared.hit(keys, most, at)
            except SharedAway as away:
                self._away_until = self._monotonic() + _AGAIN_SECONDS
                if not self._told_away:
                    _log.warning(
                        "shared limits are away; each process limits by itself", why=str(away)
                    )
                self._told_away = True
            else:
                if self._told_away:
                    _log.warning("limits are shared again")
                self._told_away = False
                return wait
        return self._memory.hit(keys, most, at)

    async def close(self) -> None:
        """Let go of connections."""
        if self._shared is not None:
            await self._shared.close()

    def _hidden(self, ask: Ask) -> bytes:
        message = f"{ask.name} {ask.subject}".encode()
        return hashlib.blake2b(message, key=self._key, digest_size=16).digest()


class _Memory:
    """Counters of this minute and the last."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: dict[bytes, int] = {}
        self._last: dict[bytes, int] = {}

    def hit(self, keys: Sequence[bytes], most: Sequence[int], at: float) -> int:
        window = int(at // WINDOW)
        if window != self._window:
            self._last = self._counts if window == self._window + 1 else {}
            self._counts = {}
            self._window = window
        elif len(self._counts) >= KEYS_MAX:
            # Rather some requests too many than a crowd of strangers who lock somebody out.
            self._last, self._counts = self._counts, {}
        counts = self._counts
        seen = [(counts.get(key, 0), self._last.get(key, 0)) for key in keys]
        wait = longest_wait(seen, most, at)
        if not wait:
            for key in keys:
                counts[key] = counts.get(key, 0) + 1
        return wait


def share_of_last(at: float) -> float:
    """How much of the last minute lies within sixty seconds of `at`."""
    return 1 - (at % WINDOW) / WINDOW


def longest_wait(seen: Sequence[tuple[int, int]], most: Sequence[int], at: float) -> int:
    """In how many whole seconds one request more fits under every limit; 0 when it fits now."""
    waits = [wait(now, last, limit, at) for (now, last), limit in zip(seen, most, strict=True)]
    return max(waits, default=0)


def wait(now: int, last: int, most: int, at: float) -> int:
    """In how many whole seconds from `at` one more fits under `most` a minute, when `now` were
    counted in this minute and `last` in the one before; 0 when it fits at once."""
    gone = (at % WINDOW) / WINDOW
    if now + last * (1 - gone) + 1 <= most:
        return 0
    if now + 1 <= most:
        # It fits in this minute, once little enough of the last one counts.
        fits_at = 1 - (most - 1 - now) / last
        return max(1, math.ceil((fits_at - gone) * WINDOW))
    # It fits in the next minute, once little enough of this one counts.
    fits_at = 1 - (most - 1) / now
    return max(1, math.ceil((1 - gone + fits_at) * WINDOW))
