"""The writer when the database refuses, warns, hangs up or dies in the middle of a commit."""

import asyncio
from pathlib import Path

import pytest
from tests.ledger.proxy import Moment, Proxy
from tests.ledger.writers import (
    ALICE,
    BANK,
    BOB,
    CAROL,
    Blockade,
    balances,
    busy,
    compare_with_fresh,
    counts,
    end_backends,
    furnish,
    leading,
    new_id,
    open_account,
    options,
    pay,
    reserve,
    running,
    smuggle,
    soon,
    until,
)
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import connect
from tikiwallet.ledger.term import RefusedToLead
from tikiwallet.ledger.transactions import (
    Abandon,
    AnyCommand,
    Capture,
    Outcome,
    Result,
    Transaction,
    digest_of,
)
from tikiwallet.ledger.writer import Writer


@pytest.fixture
async def writer(writer: Writer) -> Writer:
    """A writer that leads, by which Alice has 1,000, and Bob nothing."""
    await furnish(writer, {ALICE: 1_000, BOB: 0})
    return writer


# -- what the server refuses


async def test_one_poisoned_command_in_a_batch_stands_alone(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    async with busy(writer, database_urls):  # all that follows goes into one batch
        honest = [writer.post(pay(ALICE, BOB, 1)) for _ in range(50)]
        waiting = [asyncio.ensure_future(work) for work in honest]
        poisoned = smuggle(writer, pay(ALICE, BOB, 500, reference="a\0b"))
        waiting += [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 2))) for _ in range(50)]
    outcomes = await soon(asyncio.gather(*waiting))
    assert counts(outcomes) == {Result.POSTED: 100}
    assert (await soon(poisoned)).result == Result.REJECTED
    assert await balances(writer, [ALICE, BOB]) == [1_000 - 151, 151]
    await compare_with_fresh(writer, database_urls)


async def test_the_rejected_is_remembered(writer: Writer) -> None:
    command = pay(ALICE, BOB, 1, reference="a\0b")
    assert (await soon(smuggle(writer, command))).result == Result.REJECTED
    again = await soon(smuggle(writer, command))
    assert (again.result, again.replayed) == (Result.REJECTED, True)


@pytest.mark.parametrize(
    "poison",
    [
        pay(ALICE, BOB, 1, reference="a\0b"),
        pay(ALICE, BOB, 1, reference="\ud800", digest=b"d" * 32),
        pay(ALICE, BOB, 1, reference="x" * 513),
        pay(ALICE, BOB, 1, kind=40_000),
        pay(ALICE, BOB, 1, kind=-1_000_000),
        pay(ALICE, BOB, 0),
        Transaction(new_id(), postings=()),
    ],
    ids=["nul", "surrogate", "long", "kind", "kind below", "zero", "no legs"],
)
async def test_whatever_is_wrong_with_it_nobody_hangs(
    writer: Writer, database_urls: DatabaseUrls, poison: Transaction
) -> None:
    good = [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 1))) for _ in range(5)]
    bad = smuggle(writer, poison)
    good += [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 1))) for _ in range(5)]
    assert counts(await soon(asyncio.gather(*good))) == {Result.POSTED: 10}
    assert (await soon(bad)).result == Result.REJECTED
    assert await balances(writer, [ALICE, BOB]) == [990, 10]
    await compare_with_fresh(writer, database_urls)


async def test_several_poisoned_commands(writer: Writer, database_urls: DatabaseUrls) -> None:
    bad = [smuggle(writer, pay(ALICE, BOB, 7, reference="\0")) for _ in range(5)]
    good = [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 1))) for _ in range(20)]
    bad += [smuggle(writer, pay(ALICE, BOB, 7, reference="\0")) for _ in range(5)]
    assert counts(await soon(asyncio.gather(*good))) == {Result.POSTED: 20}
    assert counts(await soon(asyncio.gather(*bad))) == {Result.REJECTED: 10}
    await compare_with_fresh(writer, database_urls)


async def test_a_batch_that_fails_for_the_servers_own_reasons_is_not_known(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await _trigger(database_urls, "RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'")
    command = pay(ALICE, BOB, 1)
    assert (await soon(writer.post(command))).result == Result.UNAVAILABLE
    await _drop_trigger(database_urls)
    outcome = await soon(writer.post(command))
    assert (outcome.result, outcome.replayed) == (Result.POSTED, False)
    await compare_with_fresh(writer, database_urls)


async def test_a_commit_with_a_warning_makes_it_step_down_and_nothing_is_done_twice(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    assert writer.term is not None
    epoch = writer.term.epoch
    await _trigger(
        database_urls,
        "IF NEW.reference = 'alarm' THEN RAISE WARNING 'the standby was not waited for'; END IF",
    )
    outcome = await soon(writer.post(pay(ALICE, BOB, 1, reference="alarm")))
    assert (outcome.result, outcome.replayed) == (Result.POSTED, False)
    assert writer.term is not None
    assert writer.term.epoch == epoch + 1
    assert await balances(writer, [ALICE, BOB]) == [999, 1]
    await compare_with_fresh(writer, database_urls)


async def _trigger(urls: DatabaseUrls, body: str) -> None:
    await _as_superuser(
        urls,
        "CREATE FUNCTION ledger.hinder() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {body}; RETURN NEW; END $$;"
        "CREATE TRIGGER hinder BEFORE INSERT ON ledger.log"
        " FOR EACH ROW EXECUTE FUNCTION ledger.hinder()",
    )


async def _drop_trigger(urls: DatabaseUrls) -> None:
    await _as_superuser(urls, "DROP TRIGGER hinder ON ledger.log")


async def _as_superuser(urls: DatabaseUrls, sql: str) -> None:
    connection = await connect(urls.superuser, None)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


# -- commits whose outcome is not known


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_the_connection_is_cut(
    database_urls: DatabaseUrls, data_dir: Path, moment: Moment
) -> None:
    async with (
        Proxy(database_urls.ledger, data_dir) as proxy,
        running(options(database_urls, dsn=proxy.dsn)) as writer,
    ):
        await furnish(writer, {ALICE: 1_000, BOB: 0})
        hold, copied = reserve(ALICE, BOB, 100), pay(ALICE, BOB, 7)
        await soon(writer.post(hold))
        proxy.arm(moment)
        works: list[AnyCommand] = [
            *(pay(ALICE, BOB, 1) for _ in range(20)),
            Capture(new_id(), hold=hold.id, amounts=(30,)),
            pay(ALICE, BOB, 100_000),
            copied,
            copied,
            Abandon(new_id()),
            open_account(CAROL),
        ]
        tasks = [asyncio.create_task(writer.post(command)) for command in works]
        await soon(proxy.cut.wait())
        joined = asyncio.create_task(writer.post(copied))
        other = asyncio.create_task(writer.post(pay(ALICE, BOB, 8, id=copied.id)))
        outcomes = await soon(asyncio.gather(*tasks))
        assert counts(outcomes) == {
            Result.POSTED: 24,
            Result.INSUFFICIENT_FUNDS: 1,
            Result.ABANDONED: 1,
        }
        assert [outcome.replayed for outcome in outcomes].count(True) == 1
        assert (await soon(joined)).replayed
        assert (await soon(other)).result == Result.ID_REUSED
        assert await balances(writer, [ALICE, BOB, CAROL]) == [943, 57, 0]
        again = await soon(asyncio.gather(*(writer.post(command) for command in works)))
        assert [(o.result, o.n, o.at, o.payer) for o in again] == [
            (o.result, o.n, o.at, o.payer) for o in outcomes
        ]
        assert all(outcome.replayed for outcome in again)
        assert writer.term is not None
        assert writer.term.epoch == 2
        await compare_with_fresh(writer, database_urls)


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_a_deadline_passes_while_the_outcome_is_not_known(
    database_urls: DatabaseUrls, data_dir: Path, moment: Moment
) -> None:
    async with (
        Proxy(database_urls.ledger, data_dir) as proxy,
        running(options(database_urls, dsn=proxy.dsn, lease_seconds=0.5)) as writer,
    ):
        await furnish(writer, {ALICE: 1_000, BOB: 0})
        proxy.arm(moment)
        command = pay(ALICE, BOB, 10)
        deadline = asyncio.get_running_loop().time() + 0.1
        told = await soon(writer.post(command, deadline))
        assert told == Outcome(Result.UNAVAILABLE)
        learnt = await soon(writer.post(command))
        assert learnt.result == Result.POSTED
        assert learnt.replayed == (moment == "after the commit")
        assert await balances(writer, [ALICE, BOB]) == [990, 10]


async def test_why_it_refuses_to_lead_is_known_also_when_a_renewal_hangs(
    writer: Writer, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = writer.term
    assert term is not None

    async def refuse() -> None:
        if term.commit_turn.locked():  # not before: a renewal is to be under way
            raise RefusedToLead("no standby streams")

    monkeypatch.setattr(term, "check_durability", refuse)
    blocking = await connect(database_urls.superuser, None)
    try:
        async with blocking.transaction():
            await blocking.execute("SELECT 1 FROM ledger.lease FOR UPDATE")
            await until(term.commit_turn.locked)
            paying = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
            await until(lambda: writer.failure is not None)
            assert str(writer.failure) == "no standby streams"
    finally:
        await blocking.close()
    assert (await soon(paying)).result == Result.POSTED
    assert await balances(writer, [ALICE, BOB]) == [999, 1]


async def test_the_server_ends_every_session(writer: Writer, database_urls: DatabaseUrls) -> None:
    for session in ("", " look-ups", " loads"):
        async with Blockade(database_urls) as blockade:
            tasks = [asyncio.create_task(writer.post(pay(ALICE, BOB, 1))) for _ in range(10)]
            await blockade.met()
            assert (
                await end_backends(
                    database_urls, f"application_name = 'tikiwallet writer{session}'"
                )
                == 1
            )
            tasks += [
                asyncio.create_task(writer.post(pay(BANK, 600 + number, 1))) for number in range(10)
            ]
        told = counts(await soon(asyncio.gather(*tasks)))
        assert told == {Result.POSTED: 10, Result.UNKNOWN_ACCOUNT: 10}
    assert await balances(writer, [ALICE, BOB]) == [970, 30]
    await compare_with_fresh(writer, database_urls)


async def test_rows_of_another_hand_make_it_drop_what_it_remembers(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    """Somebody wrote past the fence: the same account and number, but no log row."""
    assert writer.term is not None
    epoch = writer.term.epoch
    await _as_superuser(
        database_urls,
        "INSERT INTO ledger.entry (stream, n, at, amount, type, account, seq, posted_debits,"
        " posted_credits, pending_debits, pending_credits, floor, currency, flags, account_type)"
        f" SELECT stream, n, at, 0, 5, account, seq + 1, posted_debits, posted_credits,"
        f" pending_debits, pending_credits, floor, currency, flags, account_type"
        f" FROM ledger.entry WHERE account = {ALICE} ORDER BY seq DESC LIMIT 1",
    )
    assert (await soon(writer.post(pay(ALICE, BOB, 1)))).result == Result.POSTED
    assert writer.term is not None
    assert writer.term.epoch == epoch + 1
    assert await balances(writer, [ALICE, BOB]) == [999, 1]


async def test_a_crash_between_commit_and_answer(database_urls: DatabaseUrls) -> None:
    command = pay(ALICE, BOB, 10)
    first = Writer(options(database_urls), patient=True)
    await first.start()
    await leading(first)
    await furnish(first, {ALICE: 1_000, BOB: 0})
    async with Blockade(database_urls) as blockade:
        unanswered = asyncio.create_task(first.post(command))
        await blockade.met()
        task = first._task
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
    await soon(asyncio.gather(task, return_exceptions=True))
    assert (await soon(unanswered)).result == Result.UNAVAILABLE
    async with running(options(database_urls)) as second:
        found = await soon(second.look_up(command.id, digest_of(command)))
        told = await soon(second.post(command))
        assert told.result == Result.POSTED
        assert told.replayed == (found is not None)
        assert await balances(second, [ALICE, BOB]) == [990, 10]
