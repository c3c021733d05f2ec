"""The feed: order, bounds, cursors, and what happens when the log is suddenly another one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.ledger.log_builder import LogBuilder
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import Database, connect
from tikiwallet.errors import Unavailable
from tikiwallet.ledger.feed import Batch, Feed, FeedBroken, FeedMoved
from tikiwallet.ledger.transactions import LegType

BANK, ALICE = 1, 2


class Stable:
    """A published number that tests move; None: no writer answers."""

    def __init__(self, n: int | None) -> None:
        self.n = n
        self.asked = asyncio.Event()

    async def __call__(self) -> int:
        self.asked.set()
        if self.n is None:
            raise Unavailable
        return self.n


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(database_urls.app, "tikiwallet_app")
    yield database
    await database.close()


async def written(urls: DatabaseUrls, log: LogBuilder) -> int:
    connection = await connect(urls.ledger, "tikiwallet_ledger")
    try:
        return await log.write(connection)
    finally:
        await connection.close()


async def tampered(urls: DatabaseUrls, sql: str) -> None:
    connection = await connect(urls.superuser, None)
    await connection.execute(f"SET session_replication_role = replica; {sql}")
    await connection.close()


def new_log(payments: int = 0) -> LogBuilder:
    log = LogBuilder()
    log.epoch(1)
    log.open(BANK, floor=2**60)
    log.open(ALICE)
    for number in range(payments):
        log.post((BANK, ALICE, number + 1), reference=f"payment {number}")
    return log


async def commit(database: Database, feed: Feed, batch: Batch) -> None:
    async with database.transaction() as connection:
        await feed.commit(connection, batch)


async def test_all_rows_in_order_and_none_above_stable(
    database: Database, database_urls: DatabaseUrls
) -> None:
    n = await written(database_urls, new_log(2_500))
    feed = Feed(database, "notices")
    stable = Stable(n - 10)
    batches = feed.read(stable)
    seen: list[int] = []
    while not seen or seen[-1] < n - 10:
        batch = await anext(batches)
        assert batch.fresh == (not seen)
        seen += [row.n for row in batch.rows]
        await commit(database, feed, batch)
    assert seen == list(range(1, n - 9))
    assert batch.epoch == 1
    last = batch.rows[-1]
    assert (last.type, last.debit, last.credit) == (LegType.POST, BANK, ALICE)
    assert (last.reference, last.cause, last.legs) == (f"payment {2_500 - 11}", None, 1)

    waiting = asyncio.ensure_future(anext(batches))
    stable.asked.clear()
    await stable.asked.wait()
    assert not waiting.done()
    stable.n = n
    feed.wake()
    assert [row.n for row in (await waiting).rows] == list(range(n - 9, n + 1))


async def test_a_restart_goes_on_behind_the_committed_batch(
    database: Database, database_urls: DatabaseUrls
) -> None:
    n = await written(database_urls, new_log(1_500))
    feed = Feed(database, "webhooks")
    batches = feed.read(Stable(n))
    await commit(database, feed, await anext(batches))
    lost = await anext(batches)  # dealt with, but not committed

    again = Feed(database, "webhooks")
    batch = await anext(again.read(Stable(n)))
    assert batch.rows == lost.rows
    assert batch.fresh
    await commit(database, again, batch)
    with pytest.raises(FeedMoved):
        await commit(database, feed, lost)
    assert await database.fetchval("SELECT n FROM feed.cursor WHERE name = 'webhooks'") == n


async def test_a_consumer_may_begin_late(database: Database, database_urls: DatabaseUrls) -> None:
    n = await written(database_urls, new_log(10))
    batch = await anext(Feed(database, "late").read(Stable(n), start=n - 2))
    assert [row.n for row in batch.rows] == [n - 1, n]


async def test_no_writer_is_a_wait(database: Database, database_urls: DatabaseUrls) -> None:
    n = await written(database_urls, new_log(1))
    stable = Stable(None)
    feed = Feed(database, "patient")
    waiting = asyncio.ensure_future(anext(feed.read(stable)))
    await stable.asked.wait()
    stable.n = n
    feed.wake()
    assert (await waiting).n == n


async def test_a_lower_stable_number_drops_what_was_read(
    database: Database, database_urls: DatabaseUrls
) -> None:
    n = await written(database_urls, new_log(1_500))
    feed = Feed(database, "analytics")
    stable = Stable(n)
    batches = feed.read(stable)
    first = await anext(batches)
    await commit(database, feed, first)
    await anext(batches)  # read, and not committed
    stable.n = n - 5
    batch = await anext(batches)
    assert batch.fresh
    assert (batch.before, batch.n) == (first.n, n - 5)


async def test_a_restored_database_is_noticed(
    database: Database, database_urls: DatabaseUrls
) -> None:
    log = new_log(20)
    n = await written(database_urls, log)
    feed = Feed(database, "notices")
    batches = feed.read(Stable(n + 3))
    first = await anext(batches)
    await commit(database, feed, first)
    # A restore takes the cursor back together with the log.
    await tampered(
        database_urls,
        f"DELETE FROM ledger.log WHERE n > {n - 5}; DELETE FROM ledger.entry WHERE n > {n - 5};"
        "DELETE FROM feed.cursor",
    )
    await database.execute(
        "INSERT INTO feed.cursor VALUES ('notices', 0, $1, 1, '')", first.rows[-6].n
    )
    other = new_log(0)
    other.rows.clear()
    other.n = n - 4
    for _ in range(8):
        other.refuse(16)
    await written(database_urls, other)

    batch = await anext(batches)
    assert batch.fresh
    assert [row.n for row in batch.rows] == list(range(n - 4, n + 4))
    assert {row.type for row in batch.rows} == {LegType.REFUSAL}


async def test_a_changed_row_under_the_cursor_stops_the_feed(
    database: Database, database_urls: DatabaseUrls
) -> None:
    log = new_log(5)
    n = await written(database_urls, log)
    feed = Feed(database, "notices")
    batches = feed.read(Stable(n + 1))
    await commit(database, feed, await anext(batches))
    log.refuse(16)
    await written(database_urls, log)
    await tampered(database_urls, f"UPDATE ledger.log SET amount = 4711 WHERE n = {n}")
    with pytest.raises(FeedBroken, match=f"row {n}"):
        await anext(batches)


async def test_a_missing_row_stops_the_feed(
    database: Database, database_urls: DatabaseUrls
) -> None:
    n = await written(database_urls, new_log(5))
    await tampered(database_urls, f"DELETE FROM ledger.log WHERE n = {n - 2}")
    with pytest.raises(FeedBroken, match=f"row {n - 2} is missing"):
        await anext(Feed(database, "notices").read(Stable(n)))
