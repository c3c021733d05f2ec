"""Two API processes with one Redis: what is asked of one counts at the other."""

import shutil
from collections.abc import Iterator

import pytest
from tests.faults.installation import Installation
from tests.faults.wire import Line
from tests.servers import free_port, remove_folder, run_apart, short_folder
from tests.web.redis_server import Redis

from tikiwallet.web.rates import SIGN_IN


@pytest.fixture
def redis() -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("Debian's package redis-server is not installed")
    folder = short_folder()
    server = Redis(folder)
    yield server
    server.stop()
    remove_folder(folder)


async def test_limits_are_shared(redis: Redis) -> None:
    await redis.start()
    installation = Installation.empty(TIKIWALLET_RATE_LIMITS="on", TIKIWALLET_REDIS_URL=redis.url)
    try:
        await installation.start("serve").ready(installation.port)
        other = free_port()
        await installation.start("serve", "--api-only", port=other).ready(other)
        lines = [Line(installation.port), Line(other)]
        told = []
        for number in range(SIGN_IN.by_address + 50):
            answer = await lines[number % 2].call("POST", "/v1/auth/refresh", {})
            told.append(answer.status)
        assert 429 not in told[: SIGN_IN.by_address]
        assert set(told[-2:]) == {429}
        for line in lines:
            await line.close()
        await installation.stop()
    finally:
        print(installation.tail())  # noqa: T201
        run_apart(installation.close())
