"""Counting requests by the minute, in memory or in a Redis that all API processes share.

A sliding window of two counters: what counts is this minute's requests and, of the last minute's,
the part that still lies within sixty seconds. Refused requests do not count, so that what is told
to be the wait is the wait. Costs are the same however many callers there are. (The library `limits`
was looked at: its memory walks over all keys at each request, 4 ms with 20,000 of them.)

While Redis is away each process counts by itself; that is logged once, and once when it is back.
"""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tikiwallet import logs

WINDOW: Final = 60
KEYS_MAX: Final = 100_000  # callers in memory a minute; with more, the minute ends early

_REDIS_SECONDS: Final = 0.2
_AGAIN_SECONDS: Final = 5.0
_CONNECTIONS: Final = 32
_PREFIX: Final = b"tikiwallet:rate:"
_log = logs.get(__name__)

# KEYS: this and the last minute's counter of each ask. ARGV: how much of the last minute counts,
# how long to keep a counter, and the most of each ask. Either all asks are counted or none.
_SCRIPT: Final = """
local counts = {}
local all = true
for i = 1, #KEYS, 2 do
    local now = tonumber(redis.call('GET', KEYS[i]) or '0')
    local last = tonumber(redis.call('GET', KEYS[i + 1]) or '0')
    counts[i] = now
    counts[i + 1] = last
    if now + last * tonumber(ARGV[1]) + 1 > tonumber(ARGV[2 + (i + 1) / 2]) then
        all = false
    end
end
if all then
    for i = 1, #KEYS, 2 do
        redis.call('INCR', KEYS[i])
        redis.call('EXPIRE', KEYS[i], ARGV[2])
    end
end
return counts
"""


class Ask(NamedTuple):
    """One request of `subject` (a person, an address) under the limit `name`: `most` a minute."""

    name: str
    subject: str
    most: int


class RateCounters:
    """Counts the asks of one process, and of all when there is a Redis."""

    def __init__(
        self,
        key: bytes,
        redis_url: str | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` hides people and addresses in Redis; it is the same in all processes."""
        self._key = key
        self._now = now
        self._monotonic = monotonic
        self._memory = _Memory()
        self._redis = None if redis_url is None else _Shared(redis_url)
        self._away_until = 0.0
        self._told_away = False

    async def hit(self, asks: Sequence[Ask]) -> int:
        """Count a request under each of `asks`: 0 when it may pass, else in how many whole seconds
        it may, and nothing was counted."""
        at = self._now()
        keys = [self._hidden(ask) for ask in asks]
        most = [ask.most for ask in asks]
        if self._redis is not None and self._monotonic() >= self._away_until:
            try:
                wait = await self._redis.hit(keys, most, at)
            except (RedisError, OSError) as error:
                self._away_until = self._monotonic() + _AGAIN_SECONDS
                if not self._told_away:
                    _log.warning(
                        "Redis is away; each process limits by itself", why=type(error).__name__
                    )
                self._told_away = True
            else:
                if self._told_away:
                    _log.warning("Redis is back; limits are shared again")
                self._told_away = False
                return wait
        return self._memory.hit(keys, most, at)

    async def close(self) -> None:
        """Let go of connections."""
        if self._redis is not None:
            await self._redis.close()

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
        wait = _longest_wait(seen, most, at)
        if not wait:
            for key in keys:
                counts[key] = counts.get(key, 0) + 1
        return wait


class _Shared:
    """The same in Redis, in one round trip."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_REDIS_SECONDS,
            socket_timeout=_REDIS_SECONDS,
            socket_connect_timeout=_REDIS_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._client = Redis(connection_pool=pool)
        self._script = self._client.register_script(_SCRIPT)

    async def hit(self, keys: Sequence[bytes], most: Sequence[int], at: float) -> int:
        window = int(at // WINDOW)
        named = [
            b"%b%b:%d" % (_PREFIX, key.hex().encode(), number)
            for key in keys
            for number in (window, window - 1)
        ]
        counts = await self._script(named, [_share_of_last(at), 2 * WINDOW, *most])
        seen = [(counts[i], counts[i + 1]) for i in range(0, len(counts), 2)]
        return _longest_wait(seen, most, at)

    async def close(self) -> None:
        await self._client.aclose()
        await self._client.connection_pool.aclose()


def _share_of_last(at: float) -> float:
    """How much of the last minute lies within sixty seconds of `at`."""
    return 1 - (at % WINDOW) / WINDOW


def _longest_wait(seen: Sequence[tuple[int, int]], most: Sequence[int], at: float) -> int:
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
