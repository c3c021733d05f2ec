"""A primary and a named synchronous standby: whatever was acknowledged is on both machines.

The writer leads only while the standby streams; when one of the two dies nobody is told of a
payment that the other does not have.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.faults.book import Book
from tests.faults.crowd import Crowd, sign_up
from tests.faults.reckoning import check_all
from tests.faults.replicas import Pair, Town
from tests.faults.wire import Answer, Line, Lost
from tests.servers import debian_programs

from tikiwallet.database.cluster import APP, LEDGER
from tikiwallet.database.migrate import migrate
from tikiwallet.database.pool import COMMAND_SECONDS, Database
from tikiwallet.errors import Unavailable
from tikiwallet.ledger.audit import Sealer
from tikiwallet.ledger.heads import HeadFile
from tikiwallet.ledger.term import RefusedToLead, TermOptions, campaign

_PEOPLE = 12


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two servers; the standby is not named yet."""
    programs = debian_programs()
    if programs is None:
        pytest.skip("needs Debian's PostgreSQL")
    pair = Pair(programs)
    try:
        pair.start()
        yield pair
    finally:
        pair.remove()


@pytest.fixture
async def town(pair: Pair) -> AsyncIterator[Town]:
    """An installation on both, on which nothing runs."""
    town = Town(pair)
    try:
        yield town
    finally:
        print(town.tail())  # noqa: T201  shown when the test failed
        await town.close()


@pytest.fixture
async def busy_town(pair: Pair, town: Town) -> tuple[Town, Book]:
    """`serve` at work for some people, with the standby named."""
    await pair.one.name_standbys("two")
    await town.start("serve").ready(town.port)
    return town, Book(await sign_up(town.port, _PEOPLE))


async def readiness(town: Town) -> Answer:
    """What /readyz says."""
    line = Line(town.port)
    try:
        return await line.call("GET", "/readyz")
    except Lost:
        return Answer(0, {}, b"null")
    finally:
        await line.close()


async def not_ready_because(town: Town, words: str) -> None:
    """Wait until /readyz says no, with these words."""
    ends = time.monotonic() + 20
    while words not in (answer := await readiness(town)).raw.decode():
        assert time.monotonic() < ends, (words, answer)
        await asyncio.sleep(0.05)
    assert answer.status == 503


async def database_is_found(town: Town) -> None:
    """Wait until the pool, too, has left the old primary."""
    ends = time.monotonic() + 40
    while (answer := await readiness(town)).body["database"] != "ok":
        assert time.monotonic() < ends, answer


async def ready(town: Town) -> None:
    """Wait until /readyz says yes."""
    ends = time.monotonic() + 20
    while (answer := await readiness(town)).status != 200:
        assert time.monotonic() < ends, answer
        await asyncio.sleep(0.05)
    assert answer.body["durability"] == "synchronous standby"


async def test_it_leads_only_while_a_named_standby_streams(pair: Pair, town: Town) -> None:
    serving = town.start("serve")
    await town.says("the ledger does not start: synchronous_standby_names is empty")
    await pair.one.name_standbys("two")
    await serving.ready(town.port)
    await ready(town)

    await pair.one.name_standbys("")
    await not_ready_because(town, "synchronous_standby_names is empty")
    await pair.one.name_standbys("*")
    await not_ready_because(town, "any server that streams will do")
    await pair.one.name_standbys("ANY 1 (three, *)")
    await not_ready_because(town, "any server that streams will do")
    await pair.one.name_standbys("three")
    await not_ready_because(town, "(three) streams")
    await pair.one.execute(f"REVOKE pg_read_all_stats FROM {LEDGER}")
    await not_ready_because(town, f"GRANT pg_read_all_stats TO {LEDGER}")
    await pair.one.execute(f"GRANT pg_read_all_stats TO {LEDGER}")
    await pair.one.name_standbys("ANY 1 (two, three)")
    await ready(town)

    await pair.two.kill()
    await not_ready_because(town, "(ANY 1 (two, three)) streams")
    pair.two.run()
    await ready(town)
    await town.stop()


async def test_nothing_is_acknowledged_while_the_standby_is_away(
    pair: Pair, busy_town: tuple[Town, Book], seed: int
) -> None:
    """Longer than any statement may take: also what is cut short then is no success."""
    town, book = busy_town
    crowd = Crowd(book, [town.port], seed)
    async with crowd.busy():
        await crowd.paid(50)
        await pair.two.kill()
        await asyncio.sleep(1)  # what both had may still be on its way to whoever asked
        posted = sum(payment.posted for payment in book.payments)
        refused = book.counts.get(503, 0)
        await not_ready_because(town, "(two) streams")
        await asked_in_vain(town, book)
        assert book.counts.get(503, 0) > refused + _PEOPLE // 2, "nobody was answered"
        assert sum(payment.posted for payment in book.payments) == posted
        pair.two.run()
        await crowd.paid(50)
    await check_all(town, book, crowd)
    await town.stop()


async def asked_in_vain(town: Town, book: Book) -> None:
    """What needs no ledger to begin with, but a commit, is answered in time as well."""
    lines = [Line(town.port) for _ in book.people]
    try:
        answers = await asyncio.gather(
            *(
                line.call("POST", "/v1/wallets", {"currency": "USD"}, token=person.token)
                for line, person in zip(lines, book.people, strict=True)
            )
        )
        assert {answer.status for answer in answers} == {503}
    finally:
        for line in lines:
            await line.close()


async def test_the_standby_has_all_that_was_acknowledged(
    pair: Pair, busy_town: tuple[Town, Book], seed: int
) -> None:
    """The primary dies under load. The standby takes its place, and the dead one becomes its
    standby; `serve` finds its way by itself."""
    town, book = busy_town
    crowd = Crowd(book, [town.port], seed)
    async with crowd.busy():
        await crowd.paid(100)
        await pair.one.kill()
        await asyncio.sleep(0.5)
        pair.two.promote()
        pair.primary = pair.two
        await not_ready_because(town, "synchronous_standby_names is empty")
        status, text = await town.command("audit", "verify")
        assert status == 0, text
        await all_acknowledged_is_there(town, book)
        pair.one.clone(pair.two)
        await pair.two.name_standbys("one")
        await ready(town)
        await crowd.paid(50)
    await check_all(town, book, crowd)
    await town.stop()


async def test_both_die_one_after_the_other(
    pair: Pair, busy_town: tuple[Town, Book], seed: int
) -> None:
    """What the primary did alone is lost with it, and nobody had been told of it: no person, no
    signed head."""
    town, book = busy_town
    crowd = Crowd(book, [town.port], seed)
    async with crowd.busy():
        await crowd.paid(100)
        await pair.two.kill()
        await asyncio.sleep(COMMAND_SECONDS + 2)
        await pair.one.kill()
    pair.two.run()
    pair.two.promote()
    pair.primary = pair.two
    await all_acknowledged_is_there(town, book)
    pair.one.clone(pair.two)
    await pair.two.name_standbys("one")
    await ready(town)
    await check_all(town, book, crowd)
    await town.stop()


async def test_a_primary_that_stands_still_is_left_for_the_new_one(
    pair: Pair, busy_town: tuple[Town, Book], seed: int
) -> None:
    """When it goes on, it can commit nothing any more. Whoever asks meanwhile may have to wait for
    several questions to the old one, one after the other."""
    town, book = busy_town
    crowd = Crowd(book, [town.port], seed, patience=40)
    async with crowd.busy():
        await crowd.paid(50)
        pair.one.freeze()
        try:
            pair.two.promote()
            pair.primary = pair.two
            await not_ready_because(town, "synchronous_standby_names is empty")
            await database_is_found(town)
        finally:
            pair.one.thaw()
        await asyncio.sleep(1)
        await pair.one.kill()
        pair.one.clone(pair.two)
        await pair.two.name_standbys("one")
        await ready(town)
        await crowd.paid(50)
    await check_all(town, book, crowd)
    await town.stop()


async def all_acknowledged_is_there(town: Town, book: Book) -> None:
    """Every payment that anybody was told of is in the primary's log."""
    connection = await town.connect()
    try:
        rows = await connection.fetch("SELECT DISTINCT transaction_id FROM ledger.log")
    finally:
        await connection.close()
    there = {str(row["transaction_id"]) for row in rows}
    told = {payment.id for payment in book.payments if payment.posted}
    assert told <= there, f"{len(told - there)} of {len(told)} are lost"


async def test_a_wait_that_was_cut_short_is_no_success(pair: Pair, tmp_path: Path) -> None:
    """PostgreSQL calls it one, with a warning, when somebody else cuts it short."""
    await migrate(pair.url("tikiwallet_owner"))
    await pair.one.execute(f"CREATE TABLE note (line text); GRANT ALL ON note TO {APP}")
    term = await campaign(options := TermOptions(pair.url(LEDGER), cluster=False))
    term.end()
    database = await Database.connect(pair.url(APP), APP, seconds=0.5)
    limitless = await Database.connect(pair.url(APP), APP, seconds=None)
    try:
        sealer = Sealer(database, tmp_path)
        await pair.one.name_standbys("two")
        assert await database.execute("INSERT INTO note VALUES ('both')") == "INSERT 0 1"
        await pair.two.kill()
        with pytest.raises(Unavailable):
            await database.execute("INSERT INTO note VALUES ('alone')")
        with pytest.raises(Unavailable):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO note VALUES ('alone')")
        cancelling = asyncio.create_task(cancel_commit(pair))
        with pytest.raises(Unavailable, match="standby"):
            await limitless.execute("INSERT INTO note VALUES ('alone')")
        await cancelling
        assert await database.fetchval("SELECT count(*) FROM note") == 4, "reading needs no standby"
        for _ in range(2):  # the second finds a head in the database, and nothing that proves it
            with pytest.raises(Unavailable):
                await sealer.seal(1)
            assert HeadFile(tmp_path).last() is None
        with pytest.raises(RefusedToLead, match="streams"):
            await campaign(TermOptions(options.dsn, cluster=True))
        pair.two.run()
        await Sealer(limitless, tmp_path).seal(1)
        head = HeadFile(tmp_path).last()
        assert head is not None
        assert head.number == 1
    finally:
        await database.close()
        await limitless.close()


async def cancel_commit(pair: Pair) -> None:
    """As an administrator who has had enough of waiting."""
    connection = await pair.one.session()
    try:
        ends = time.monotonic() + 20
        cancelled = 0
        while not cancelled:
            assert time.monotonic() < ends
            await asyncio.sleep(0.05)
            cancelled = await connection.fetchval(
                "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
                " WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT INTO note%'"
            )
    finally:
        await connection.close()
