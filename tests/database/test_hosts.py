"""One URL, several hosts: the primary is found wherever it is, and nobody who is gone is waited
for."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from tests.servers import DatabaseUrls, free_port

from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database, connect
from tikiwallet.errors import Unavailable


@pytest.fixture
def silent() -> Iterator[str]:
    """A host that takes connections and says nothing, as one does that vanished."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def with_hosts(url: str, *hosts: str) -> str:
    """`url` with these hosts in the place of its own; an empty one stands for that."""
    parts = urlsplit(url)
    [own] = parse_qs(parts.query)["host"]
    return parts._replace(query="host=" + ",".join(host or own for host in hosts)).geturl()


async def test_a_host_that_vanished_costs_a_moment(
    database_urls: DatabaseUrls, silent: str
) -> None:
    began = time.monotonic()
    connection = await connect(with_hosts(database_urls.app, silent, ""), APP)
    try:
        assert await connection.fetchval("SELECT current_user") == APP
        assert time.monotonic() - began < 3
    finally:
        await connection.close()


async def test_a_host_that_is_down_costs_nothing(database_urls: DatabaseUrls) -> None:
    down = f"127.0.0.1:{free_port()}"
    database = await Database.connect(with_hosts(database_urls.app, down, "", down), APP)
    try:
        assert await database.fetchval("SELECT 1") == 1
    finally:
        await database.close()


async def test_the_first_that_will_do_is_taken_and_the_others_are_left(
    database_urls: DatabaseUrls,
) -> None:
    connection = await connect(with_hosts(database_urls.app, "", ""), APP)
    try:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert await connection.fetchval(count) == 1
    finally:
        await connection.close()


async def test_when_none_will_do_it_is_said_why(database_urls: DatabaseUrls, silent: str) -> None:
    down = f"127.0.0.1:{free_port()}"
    with pytest.raises(OSError, match=r"refused|failed"):
        await connect(with_hosts(database_urls.app, down, down), APP)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(with_hosts(database_urls.app, "", ""), APP, password="guess")
    with pytest.raises(TimeoutError):
        await connect(with_hosts(database_urls.app, silent, down), APP, timeout=0.5)


async def test_who_gives_up_leaves_no_connection(database_urls: DatabaseUrls, silent: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connect(with_hosts(database_urls.app, silent, silent), APP)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_waits_for_a_lock_too_long_is_told_to_come_again(
    database_urls: DatabaseUrls,
) -> None:
    """Whoever holds it may be waiting for the standby."""
    owner = await connect(database_urls.owner, None)
    await owner.execute(f"CREATE TABLE note (line text); GRANT ALL ON note TO {APP}")
    database = await Database.connect(database_urls.app, APP, settings={"lock_timeout": "50ms"})
    try:
        await owner.execute("BEGIN; LOCK TABLE note")
        with pytest.raises(Unavailable):
            await database.execute("DELETE FROM note")
    finally:
        await owner.close()
        await database.close()
