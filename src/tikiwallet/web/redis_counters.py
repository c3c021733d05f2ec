"""Counters of requests in Redis: one script, one round trip, no wait for one that is away."""

from collections.abc import Sequence
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tikiwallet.web.rate_counters import WINDOW, SharedAway, longest_wait, share_of_last

_SECONDS: Final = 1.0  # a busy process shall not take its own slowness for an absence
_CONNECTIONS: Final = 16
_PREFIX: Final = b"tikiwallet:rate:"

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


class RedisCounters:
    """Implements `SharedCounters`. A counter's name shows nobody whom it counts."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_SECONDS,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._client = Redis(connection_pool=pool)
        self._script = self._client.register_script(_SCRIPT)

    async def hit(self, keys: Sequence[bytes], most: Sequence[int], at: float) -> int:
        """As in `SharedCounters`."""
        window = int(at // WINDOW)
        named = [
            b"%b%b:%d" % (_PREFIX, key.hex().encode(), number)
            for key in keys
            for number in (window, window - 1)
        ]
        try:
            counts = await self._script(named, [share_of_last(at), 2 * WINDOW, *most])
        except (RedisError, OSError) as error:
            raise SharedAway(type(error).__name__) from error
        seen = [(counts[i], counts[i + 1]) for i in range(0, len(counts), 2)]
        return longest_wait(seen, most, at)

    async def close(self) -> None:
        """As in `SharedCounters`."""
        await self._client.aclose()
        await self._client.connection_pool.aclose()
