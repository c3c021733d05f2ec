"""`restore`: above every number that was given out, whether or not a head covers it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.ledger.writers import ALICE, BOB, furnish, leading, options, pay, running, soon
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import Database, connect
from tikiwallet.ledger.audit import Sealer, check_log_against_head, verify
from tikiwallet.ledger.reserve import AHEAD, Reserve
from tikiwallet.ledger.restore import WriterRuns, restore
from tikiwallet.ledger.term import TermOptions
from tikiwallet.ledger.transactions import Result


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(database_urls.app, "tikiwallet_app")
    yield database
    await database.close()


@pytest.fixture
def keys(data_dir: Path) -> Path:
    return data_dir / "keys"


def wired(urls: DatabaseUrls, keys: Path) -> TermOptions:
    """As `app` wires the writer."""
    return options(
        urls,
        check_log=lambda connection: check_log_against_head(connection, keys),
        reserve=Reserve(keys),
    )


async def lose_rows(urls: DatabaseUrls, keys: Path, database: Database) -> tuple[int, int]:
    """Work, seal, work on; then the database is as a backup from before gives it. (The last row
    that was kept, the last that anyone was told of.)"""
    async with running(wired(urls, keys)) as writer:
        await furnish(writer, {ALICE: 1_000, BOB: 0})
        kept = await writer.stable_n()
        await soon(writer.post(pay(ALICE, BOB, 1)))
        await Sealer(database, keys).seal(await writer.stable_n())
        for _ in range(30):  # that no head covers
            outcome = await soon(writer.post(pay(ALICE, BOB, 1)))
    connection = await connect(urls.superuser, None)
    try:
        await connection.execute(
            f"SET session_replication_role = replica; DELETE FROM ledger.log WHERE n > {kept};"
            f"DELETE FROM ledger.entry WHERE n > {kept}; DELETE FROM audit.head"
        )
    finally:
        await connection.close()
    return kept, outcome.n


async def test_the_writer_notes_how_far_numbers_go(database_urls: DatabaseUrls, keys: Path) -> None:
    async with running(wired(database_urls, keys)) as writer:
        assert writer.term is not None
        noted = Reserve(keys).read()
        assert noted == writer.term.next_n + AHEAD
        await furnish(writer, {ALICE: 1_000, BOB: 0})
        await writer.term.reserve()
        assert Reserve(keys).read() == noted, "not with every row"
        writer.term.next_n += AHEAD // 2 + 1
        await writer.term.reserve()
        assert Reserve(keys).read() == writer.term.next_n + AHEAD


async def test_no_commit_counts_beyond_what_was_noted(
    database_urls: DatabaseUrls, keys: Path
) -> None:
    """The row is there all the same, and is answered for once it is noted how far numbers go."""
    async with running(wired(database_urls, keys)) as writer:
        await furnish(writer, {ALICE: 1_000, BOB: 0})
        term = writer.term
        assert term is not None
        term._reserved = term.next_n + 10
        outcome = await soon(writer.post(pay(ALICE, BOB, 1)))
        assert outcome.result == Result.POSTED
        assert writer.term is not term
        assert (Reserve(keys).read() or 0) > outcome.n


async def test_a_restored_log_goes_on_above_all_that_was_told(
    database_urls: DatabaseUrls, keys: Path, database: Database
) -> None:
    kept, told = await lose_rows(database_urls, keys, database)
    gap = await restore(database_urls.ledger, database, keys)
    assert gap.kept == kept
    assert gap.n > told
    async with running(wired(database_urls, keys)) as writer:
        outcome = await soon(writer.post(pay(ALICE, BOB, 1)))
        assert outcome.n > gap.n
        await Sealer(database, keys).seal(await writer.stable_n())
        with pytest.raises(WriterRuns):
            await restore(database_urls.ledger, database, keys)
    assert (await verify(database, keys)).ok


async def test_without_a_note_somebody_must_say_how_far(
    database_urls: DatabaseUrls, keys: Path, database: Database
) -> None:
    """As with an installation from before there were notes, or keys from an old copy."""
    kept, told = await lose_rows(database_urls, keys, database)
    Reserve(keys).path.unlink()
    with pytest.raises(ValueError, match="--above"):
        await restore(database_urls.ledger, database, keys)
    gap = await restore(database_urls.ledger, database, keys, above=told)
    assert (gap.kept, gap.n) == (kept, told + 1)


async def test_who_says_too_little_is_not_believed(
    database_urls: DatabaseUrls, keys: Path, database: Database
) -> None:
    _, told = await lose_rows(database_urls, keys, database)
    gap = await restore(database_urls.ledger, database, keys, above=1)
    assert gap.n > told


async def test_nothing_lost_needs_no_statement(
    database_urls: DatabaseUrls, keys: Path, database: Database
) -> None:
    async with running(wired(database_urls, keys)) as writer:
        await furnish(writer, {ALICE: 1_000})
        await Sealer(database, keys).seal(await writer.stable_n())
    with pytest.raises(ValueError, match="no row"):
        await restore(database_urls.ledger, database, keys)
    async with running(wired(database_urls, keys)) as writer:
        await leading(writer)
