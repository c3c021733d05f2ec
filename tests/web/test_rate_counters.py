"""Counting by the minute: what fits, how long to wait, in memory, in a real Redis, and between."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.servers import remove_folder, short_folder
from tests.web.redis_server import Redis

from tikiwallet.web import rate_counters
from tikiwallet.web.rate_counters import Ask, RateCounters, wait
from tikiwallet.web.redis_counters import RedisCounters

KEY = b"k" * 32
ANA, BEN = Ask("read", "person 1", 5), Ask("read", "person 2", 5)


@pytest.fixture
def redis() -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("Debian's package redis-server is not installed")
    folder = short_folder()
    server = Redis(folder)
    yield server
    server.stop()
    remove_folder(folder)


@dataclass
class Clock:
    """Seconds since 1970, at the beginning of a minute, and the process's own."""

    at: float = 60_000_000.0
    own: float = 0.0

    def counters(self, url: str | None = None) -> RateCounters:
        return RateCounters(
            KEY, None if url is None else RedisCounters(url), lambda: self.at, lambda: self.own
        )


@given(
    now=st.integers(0, 1_000),
    last=st.integers(0, 1_000),
    most=st.integers(1, 1_000),
    second=st.floats(0, 59.999),
)
def test_the_wait_is_enough_and_not_for_ever(now: int, last: int, most: int, second: float) -> None:
    now, last = min(now, most), min(last, most)  # more is never counted
    at = 60_000_000.0 + second
    seconds = wait(now, last, most, at)
    assert 0 <= seconds <= 121
    if seconds:
        later = at + seconds
        minutes = int(later // 60) - int(at // 60)
        then = {0: (now, last), 1: (0, now)}.get(minutes, (0, 0))
        assert wait(*then, most, later) == 0


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[RateCounters]:
    url = None
    if request.param == "redis":
        server: Redis = request.getfixturevalue("redis")
        await server.start()
        url = server.url
    made = clock.counters(url)
    yield made
    await made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_so_many_a_minute(counters: RateCounters, clock: Clock) -> None:
    assert [await counters.hit([ANA]) for _ in range(5)] == [0] * 5
    refused = await counters.hit([ANA])
    assert refused == 72  # in the next minute, once a fifth of this one no longer counts
    assert await counters.hit([BEN]) == 0
    clock.at += refused - 1
    assert await counters.hit([ANA]) == 1
    clock.at += 1
    assert await counters.hit([ANA]) == 0
    assert await counters.hit([ANA]) > 0
    clock.at += 120
    assert [await counters.hit([ANA]) for _ in range(5)] == [0] * 5


async def test_all_asks_count_or_none(counters: RateCounters) -> None:
    narrow = Ask("read", "address 192.0.2.1", 2)
    assert [await counters.hit([ANA, narrow]) for _ in range(2)] == [0, 0]
    for _ in range(9):
        assert await counters.hit([ANA, narrow]) > 0
    assert [await counters.hit([ANA]) for _ in range(3)] == [0] * 3
    assert await counters.hit([ANA]) > 0
    assert await counters.hit([]) == 0


async def test_names_are_apart(counters: RateCounters) -> None:
    for name in ("read", "change"):
        asks = [Ask(name, "person 1", 1)]
        assert await counters.hit(asks) == 0
        assert await counters.hit(asks) > 0


async def test_asked_at_once(counters: RateCounters) -> None:
    answers = await asyncio.gather(*(counters.hit([ANA]) for _ in range(50)))
    assert answers.count(0) == 5


async def test_processes_share_a_redis_which_learns_nobodys_name(
    redis: Redis, clock: Clock
) -> None:
    await redis.start()
    one, other = clock.counters(redis.url), clock.counters(redis.url)
    address = Ask("read", "address 192.0.2.1", 5)
    assert [await each.hit([address]) for each in (one, other, one, other, one)] == [0] * 5
    assert await other.hit([address]) > 0
    keys = subprocess.run(
        redis.cli("keys", "*"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert keys.stdout.startswith("tikiwallet:rate:")
    assert "192.0.2.1" not in keys.stdout
    await one.close()
    await other.close()


async def test_without_redis_each_counts_by_itself_and_that_is_said_once(
    redis: Redis, clock: Clock
) -> None:
    counters = clock.counters(redis.url)
    with capture_logs() as lines:
        for _ in range(5):
            assert await counters.hit([ANA]) == 0
            clock.own += 6
        assert await counters.hit([ANA]) > 0
        [line] = lines
        assert line["event"] == "shared limits are away; each process limits by itself"
        await redis.start()
        clock.own += 6
        assert await counters.hit([ANA]) == 0  # Redis has counted none
        assert lines[-1]["event"] == "limits are shared again"
        redis.stop()
        await counters.hit([ANA])
        await counters.hit([ANA])
    assert len(lines) == 3
    await counters.close()


async def test_a_redis_that_hangs_costs_a_moment(redis: Redis, clock: Clock) -> None:
    await redis.start()
    counters = clock.counters(redis.url)
    assert await counters.hit([ANA]) == 0
    subprocess.run(
        redis.cli("client", "pause", "20000"),
        capture_output=True,
        check=True,
    )
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await counters.hit([ANA]) == 0
    assert loop.time() - begun < 4
    begun = loop.time()
    for _ in range(4):
        assert await counters.hit([BEN]) == 0
    assert loop.time() - begun < 0.1  # nobody asks it again for a while
    await counters.close()


async def test_memory_is_bounded_and_strangers_lock_nobody_out(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_counters, "KEYS_MAX", 10)
    counters = clock.counters()
    for _ in range(5):
        assert await counters.hit([ANA]) == 0
    for number in range(1_000):
        assert await counters.hit([Ask("read", f"stranger {number}", 5)]) == 0
    assert await counters.hit([BEN]) == 0
    assert len(counters._memory._counts) + len(counters._memory._last) <= 20
