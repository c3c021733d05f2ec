"""The connection that commits: what goes out together, and each way in which an answer may come."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.writers import end_backends, soon
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import connect
from tikiwallet.ledger.channel import Channel

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
COPY = "COPY place FROM STDIN (FORMAT binary)"
NAME = "a channel under test"


def row(number: int) -> bytes:
    return b"\0\1\0\0\0\4" + number.to_bytes(4, "big")


@asynccontextmanager
async def opened(urls: DatabaseUrls) -> AsyncIterator[tuple[Channel, asyncpg.Connection]]:
    """A channel with a table that only its session sees, and another session beside it."""
    beside = await asyncpg.connect(urls.owner)
    connection = await connect(urls.owner, None, settings={"application_name": NAME})
    channel = Channel(connection, [])
    try:
        await channel.execute("CREATE TEMP TABLE place (number int PRIMARY KEY)")
        yield channel, beside
    finally:
        channel.terminate()
        await beside.close()


async def test_a_statement_tells_what_it_did(database_urls: DatabaseUrls) -> None:
    async with opened(database_urls) as (channel, _):
        await channel.copy(COPY, [HEADER + row(1), row(2), row(3) + TRAILER])
        assert await channel.execute("UPDATE place SET number = number + 10") == "UPDATE 3"
        assert await channel.execute("UPDATE place SET number = 1 WHERE number = 99") == "UPDATE 0"


async def test_a_refused_copy_leaves_nothing_and_the_next_one_goes(
    database_urls: DatabaseUrls,
) -> None:
    async with opened(database_urls) as (channel, _):
        await channel.copy(COPY, [HEADER, row(1), TRAILER])
        with pytest.raises(asyncpg.UniqueViolationError) as refused:
            await channel.copy(COPY, [HEADER, row(2), row(1), TRAILER])
        assert refused.value.constraint_name == "place_pkey"
        assert refused.value.sqlstate == "23505"
        await channel.copy(COPY, [HEADER, row(3), TRAILER])
        assert await channel.execute("DELETE FROM place") == "DELETE 2"


async def test_rows_behind_a_statement_that_fails_at_once_are_passed_over(
    database_urls: DatabaseUrls,
) -> None:
    async with opened(database_urls) as (channel, _):
        with pytest.raises(asyncpg.UndefinedTableError):
            await channel.copy("COPY nowhere FROM STDIN (FORMAT binary)", [HEADER, row(1), TRAILER])
        await channel.copy(COPY, [HEADER, row(1), TRAILER])
        assert not channel.is_closed()


async def test_more_than_the_socket_takes_at_once_arrives_whole(
    database_urls: DatabaseUrls,
) -> None:
    async with opened(database_urls) as (channel, _):
        count = 2_000_000

        def chunks() -> Iterator[bytes]:
            yield HEADER
            for first in range(0, count, 1_000):
                yield b"".join(row(number) for number in range(first, first + 1_000))
            yield TRAILER

        await channel.copy(COPY, chunks())
        assert await channel.execute("DELETE FROM place") == f"DELETE {count}"


async def test_warnings_are_kept_and_notices_are_not(database_urls: DatabaseUrls) -> None:
    async with opened(database_urls) as (channel, _):
        await channel.execute("DO $$ BEGIN RAISE NOTICE 'told'; RAISE WARNING 'beware'; END $$")
        assert channel.warnings == ["beware"]


async def test_a_session_that_is_ended_says_why_and_stays_closed(
    database_urls: DatabaseUrls,
) -> None:
    async with opened(database_urls) as (channel, _):
        waiting = asyncio.create_task(channel.execute("DO $$ BEGIN PERFORM pg_sleep(60); END $$"))
        await asyncio.sleep(0)  # it has been sent
        await end_backends(database_urls, f"application_name = '{NAME}'")
        with pytest.raises(asyncpg.AdminShutdownError):
            await soon(waiting)
        with pytest.raises(ConnectionError):
            await channel.copy(COPY, [HEADER, TRAILER])
        assert channel.is_closed()
        channel.terminate()


async def test_a_connection_that_is_dropped_answers_who_waits(database_urls: DatabaseUrls) -> None:
    async with opened(database_urls) as (channel, _):
        waiting = asyncio.create_task(channel.execute("DO $$ BEGIN PERFORM pg_sleep(60); END $$"))
        await asyncio.sleep(0)
        channel.terminate()
        channel.terminate()  # once more: whoever clears up need not know
        with pytest.raises(ConnectionError):
            await soon(waiting)


async def test_rows_that_cannot_be_drawn_are_not_committed(database_urls: DatabaseUrls) -> None:
    async with opened(database_urls) as (channel, beside):
        await beside.execute("CREATE TABLE public.kept (number int)")

        def chunks() -> Iterator[bytes]:
            yield HEADER + row(1)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await channel.copy("COPY public.kept FROM STDIN (FORMAT binary)", chunks())
        assert channel.is_closed()
        # The session is gone once its lock is: then whatever it had sent has had its effect.
        async with beside.transaction():
            await beside.execute("LOCK TABLE public.kept IN ACCESS EXCLUSIVE MODE")
            assert await beside.fetchval("SELECT count(*) FROM public.kept") == 0


async def test_one_thing_at_a_time(database_urls: DatabaseUrls) -> None:
    async with opened(database_urls) as (channel, _):
        first = asyncio.create_task(channel.execute("DO $$ BEGIN PERFORM pg_sleep(0.1); END $$"))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await channel.execute("SET work_mem = '8MB'")
        assert await soon(first) == "DO"


class _Wire:
    """A transport that was never connected: what it is told to write is kept."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.Protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True


class _Wired:
    """What a channel needs of an asyncpg connection."""

    def __init__(self) -> None:
        self._transport = _Wire()

    def terminate(self) -> None:
        self._transport.abort()


def message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


ANSWER = (
    message(b"S", b"TimeZone\0UTC\0")
    + message(b"N", b"SWARNUNG\0VWARNING\0C01000\0Mbeware\0\0")
    + message(b"G", b"\1\0\1\0\1")
    + message(b"C", b"COPY 3\0")
    + message(b"Z", b"I")
)


@given(cuts=st.lists(st.integers(0, len(ANSWER)), max_size=len(ANSWER)))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    async def run() -> None:
        channel = Channel(_Wired(), [])  # type: ignore[arg-type]
        waiting = asyncio.ensure_future(channel.execute("anything"))
        await asyncio.sleep(0)
        places = [0, *sorted(cuts), len(ANSWER)]
        for start, end in itertools.pairwise(places):
            channel.data_received(ANSWER[start:end])
        assert await waiting == "COPY 3"
        assert channel.warnings == ["beware"]

    asyncio.run(run())


@given(data=st.binary(max_size=200))
def test_what_is_no_answer_ends_the_connection_or_waits_for_more(data: bytes) -> None:
    async def run() -> None:
        wired = _Wired()
        channel = Channel(wired, [])  # type: ignore[arg-type]
        waiting = asyncio.ensure_future(channel.execute("anything"))
        await asyncio.sleep(0)
        channel.data_received(data)
        channel.connection_lost(None)
        with suppress(ConnectionError, asyncpg.PostgresError):
            await waiting
        assert channel.is_closed()

    asyncio.run(run())
