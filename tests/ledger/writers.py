"""Writers for tests: on a database of their own, started, crashed and replaced; and commands."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import connect
from tikiwallet.ledger.intake import FutureSink
from tikiwallet.ledger.term import TermOptions
from tikiwallet.ledger.transactions import (
    TOTAL_MAX,
    AnyCommand,
    Hold,
    OpenAccount,
    Outcome,
    Posting,
    Result,
    State,
    Transaction,
    digest_of,
)
from tikiwallet.ledger.writer import Writer

SGD = 702
BANK = 1  # may go below zero without end
ALICE, BOB, CAROL = 11, 12, 13
LEASE = 0.5
FAR = 4_000_000_000_000_000  # microseconds since 1970: long after every test
PATIENCE = 20.0  # seconds after which a state that is awaited will not come


def new_id() -> bytes:
    """A transaction id that nobody has used."""
    return os.urandom(16)


def options(urls: DatabaseUrls, *, dsn: str | None = None, **changes: Any) -> TermOptions:
    """For a writer on this database; with a short lease, so that takeovers do not take long."""
    return TermOptions(dsn or urls.ledger, **{"lease_seconds": LEASE, **changes})


def pay(debit: int, credit: int, amount: int, **fields: Any) -> Transaction:
    """A payment with one leg and a fresh id."""
    fields.setdefault("id", new_id())
    return Transaction(postings=(Posting(debit, credit, amount, SGD),), **fields)


def open_account(account: int, **fields: Any) -> OpenAccount:
    """With a fresh id."""
    return OpenAccount(new_id(), account=account, currency=SGD, **fields)


def reserve(debit: int, credit: int, amount: int, expires_at: int = FAR) -> Hold:
    """A hold with one leg and a fresh id."""
    return Hold(new_id(), postings=(Posting(debit, credit, amount, SGD),), expires_at=expires_at)


def smuggle(writer: Writer, command: AnyCommand) -> asyncio.Future[Outcome]:
    """Past validation, straight into the queue."""
    sink = FutureSink()
    writer.intake.enter(command, digest_of(command), sink, 0, None)
    return sink.future


async def leading(writer: Writer) -> Writer:
    """`writer`, once it leads."""
    async with asyncio.timeout(PATIENCE):
        await writer.leading.wait()
    return writer


@asynccontextmanager
async def running(
    chosen: TermOptions, *, patient: bool = True, make: Callable[..., Writer] = Writer
) -> AsyncIterator[Writer]:
    """A writer that leads, stopped in order at the end."""
    writer = make(chosen, patient=patient)
    await writer.start()
    try:
        yield await leading(writer)
    finally:
        async with asyncio.timeout(PATIENCE):
            await writer.stop()


async def until(condition: Callable[[], Any | Awaitable[Any]]) -> Any:
    """What `condition` gives, once that is true; asked again every few milliseconds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            value = condition()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.005)


async def soon(work: Awaitable[Any]) -> Any:
    """The result of `work`; fails when it hangs."""
    async with asyncio.timeout(PATIENCE):
        return await work


async def crash(writer: Writer) -> None:
    """Let a writer vanish as a dead process does: no farewell, its connections cut."""
    task = writer._task
    assert task is not None
    if writer.term is not None:
        writer.term.end()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await soon(task)


async def furnish(writer: Writer, balances: dict[int, int]) -> None:
    """Open the bank and these accounts, where they are not there, and pay in so much."""
    commands: list[AnyCommand] = [open_account(account) for account in balances]
    commands.append(open_account(BANK, floor=TOTAL_MAX))
    done = await soon(writer.post_many(commands))
    assert {outcome.result for outcome in done} <= {Result.POSTED, Result.ACCOUNT_EXISTS}
    paid = [pay(BANK, account, amount) for account, amount in balances.items() if amount]
    done = await soon(writer.post_many(paid))
    assert {outcome.result for outcome in done} <= {Result.POSTED}


async def balances(writer: Writer, accounts: Sequence[int]) -> list[int | None]:
    """What these accounts have, by the writer."""
    states = await soon(writer.states(accounts))
    return [None if state is None else state.posted for state in states]


async def states_in_log(urls: DatabaseUrls) -> dict[int, State]:
    """The states of all accounts as a writer that begins now will know them."""
    async with running(options(urls)) as fresh:
        connection = await connect(urls.app, "tikiwallet_app")
        try:
            rows = await connection.fetch("SELECT DISTINCT account FROM ledger.entry")
        finally:
            await connection.close()
        accounts = [row[0] for row in rows]
        found = await soon(fresh.states(accounts))
    return {a: state for a, state in zip(accounts, found, strict=True) if state is not None}


async def log_is_whole(urls: DatabaseUrls) -> int:
    """Checks numbering, continuity and sums over the whole log; the number of its rows."""
    connection = await connect(urls.app, "tikiwallet_app")
    try:
        row = await connection.fetchrow("SELECT count(*), min(n), max(n) FROM ledger.log")
        assert row is not None
        count, first, last = row
        assert (first, last) == (1, count), "the numbering has gaps"
        assert not await connection.fetch(
            "SELECT currency FROM (SELECT DISTINCT ON (account) * FROM ledger.entry"
            " ORDER BY account, seq DESC) AS e GROUP BY currency"
            " HAVING sum(posted_debits) <> sum(posted_credits)"
            " OR sum(pending_debits) <> sum(pending_credits)"
        ), "money was made or lost"
        assert not await connection.fetch(
            "SELECT account FROM ledger.entry GROUP BY account HAVING count(*) <> max(seq)"
        ), "an account's numbering has gaps"
        assert not await connection.fetch(
            "SELECT a.n FROM ledger.log AS a JOIN ledger.log AS b ON b.n = a.n + 1"
            " WHERE b.at < a.at"
        ), "time fell"
        return int(count)
    finally:
        await connection.close()


async def compare_with_fresh(writer: Writer, urls: DatabaseUrls) -> None:
    """Stop `writer` and see that what it remembered is what the log says."""
    assert writer.term is not None
    known = {a: s for a, s in writer.term.memory.accounts.items() if s is not None}
    await soon(writer.stop())
    in_log = await states_in_log(urls)
    assert known == {account: in_log[account] for account in known}
    await log_is_whole(urls)


async def end_backends(urls: DatabaseUrls, where: str) -> int:
    """End the sessions of this database that match; how many there were."""
    connection = await connect(urls.superuser, None)
    try:
        rows = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND ({where})"
        )
        return len(rows)
    finally:
        await connection.close()


class Blockade:
    """While it stands, no row can be added to the log: commits wait inside the server."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self._urls = urls
        self._connection: asyncpg.Connection | None = None

    async def __aenter__(self) -> "Blockade":
        self._connection = await connect(self._urls.superuser, None)
        await self._connection.execute("BEGIN; LOCK TABLE ledger.log IN SHARE MODE")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.lift()

    async def met(self) -> None:
        """Returns once a writer's commit waits here: its rows are decided, sent, not committed."""
        connection = self._connection
        assert connection is not None
        await until(
            lambda: connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'tikiwallet writer' AND wait_event_type = 'Lock'"
            )
        )

    async def lift(self) -> None:
        """Let commits pass again."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


@asynccontextmanager
async def busy(writer: Writer, urls: DatabaseUrls) -> AsyncIterator[None]:
    """While the block runs, Alice's payment of 1 to Bob waits for its commit. All that is asked
    meanwhile waits behind it, and goes into one batch afterwards."""
    async with Blockade(urls) as blockade:
        first = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
        await blockade.met()
        yield
    assert (await soon(first)).result == Result.POSTED


def counts(outcomes: Sequence[Outcome]) -> dict[Result, int]:
    """How often each result was given."""
    told: dict[Result, int] = {}
    for outcome in outcomes:
        result = Result(outcome.result)
        told[result] = told.get(result, 0) + 1
    return told


def in_the_past() -> float:
    """A deadline that has passed."""
    return time.monotonic() - 1.0
