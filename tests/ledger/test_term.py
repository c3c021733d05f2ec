"""Who leads: elections, epochs, leases, and writers that died, hung or came back."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.ledger.writers import (
    ALICE,
    BANK,
    BOB,
    LEASE,
    Blockade,
    balances,
    crash,
    end_backends,
    furnish,
    leading,
    log_is_whole,
    options,
    pay,
    running,
    soon,
    until,
)
from tests.servers import DatabaseUrls

from tikiwallet import clock
from tikiwallet.database.pool import connect
from tikiwallet.errors import Unavailable
from tikiwallet.ledger.link import LedgerLink
from tikiwallet.ledger.term import RefusedToLead, SteppedDown, campaign
from tikiwallet.ledger.transactions import Kind, LegType, Result
from tikiwallet.ledger.writer import Writer

HOLDER = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"


@asynccontextmanager
async def waiting(urls: DatabaseUrls, count: int, **changes: Any) -> AsyncIterator[list[Writer]]:
    """Writers that want to lead."""
    writers = [Writer(options(urls, **changes)) for _ in range(count)]
    try:
        for writer in writers:
            await writer.start()
        yield writers
    finally:
        for writer in writers:
            await soon(writer.stop())


async def the_one_that_leads(writers: list[Writer]) -> Writer:
    def find() -> list[Writer]:
        return [writer for writer in writers if writer.term is not None and writer.term.leads()]

    found: list[Writer] = await until(find)
    assert len(found) == 1
    return found[0]


async def some_rows(writer: Writer, count: int) -> None:
    """Returns when `writer` has written so many more, or leads no longer."""
    term = writer.term
    goal = 0 if term is None else term.next_n + count
    await until(lambda: writer.term is None or writer.term.next_n >= goal)


async def epochs(urls: DatabaseUrls) -> list[int]:
    """Those that began, in the order of the log."""
    connection = await connect(urls.app, "tikiwallet_app")
    try:
        rows = await connection.fetch(
            "SELECT epoch FROM ledger.log WHERE type = $1 AND kind = $2 ORDER BY n",
            int(LegType.EPOCH),
            int(Kind.EPOCH),
        )
        return [row["epoch"] for row in rows]
    finally:
        await connection.close()


# -- elections


async def test_of_writers_that_begin_together_one_leads(database_urls: DatabaseUrls) -> None:
    async with waiting(database_urls, 4) as writers:
        leader = await the_one_that_leads(writers)
        await furnish(leader, {ALICE: 100, BOB: 0})
        for _ in range(5):
            assert (await soon(leader.post(pay(ALICE, BOB, 1)))).result == Result.POSTED
        assert [writer for writer in writers if writer.term is not None] == [leader]
        assert await epochs(database_urls) == [1]


async def test_the_next_leads_when_one_stops_in_order_without_waiting(
    database_urls: DatabaseUrls,
) -> None:
    lease = 1.0
    async with waiting(database_urls, 2, lease_seconds=lease) as writers:
        leader = await the_one_that_leads(writers)
        await furnish(leader, {ALICE: 100, BOB: 0})
        other = next(writer for writer in writers if writer is not leader)
        await soon(leader.stop())
        stopped = clock.boot_seconds()
        await leading(other)
        assert clock.boot_seconds() - stopped < lease
        assert await balances(other, [ALICE, BOB]) == [100, 0]
        assert await epochs(database_urls) == [1, 2]


async def test_after_a_death_nothing_is_told_before_the_old_lease_has_passed(
    database_urls: DatabaseUrls,
) -> None:
    lease = 0.5
    async with running(options(database_urls, lease_seconds=lease)) as first:
        await furnish(first, {ALICE: 100, BOB: 0})
        assert first.term is not None
        await soon(first.term.renew())
        lease_until = first.term.lease_until
        await crash(first)
        told_at: list[float] = []
        second = Writer(options(database_urls, lease_seconds=lease), patient=True)
        await second.start()
        reading = asyncio.create_task(second.states([ALICE]))
        reading.add_done_callback(lambda _: told_at.append(clock.boot_seconds()))
        paying = asyncio.create_task(second.post(pay(ALICE, BOB, 1)))
        await leading(second)
        [state] = await soon(reading)
        assert state.posted == 100
        assert told_at[0] > lease_until
        assert second.term is not None
        assert (await soon(paying)).result == Result.POSTED
        assert await balances(second, [ALICE, BOB]) == [99, 1]
        await soon(second.stop())


async def test_several_candidates_do_not_keep_each_other_from_leading(
    database_urls: DatabaseUrls,
) -> None:
    """A new writer keeps silent for more than a lease; others must not take that for its death."""
    async with waiting(database_urls, 4) as writers:
        leader = await the_one_that_leads(writers)
        await furnish(leader, {ALICE: 1_000, BOB: 0})
        for expected in (2, 3, 4):
            leader = await the_one_that_leads(writers)
            await end_backends(database_urls, HOLDER)
            await until(lambda: leader.term is None)  # noqa: B023 - awaited right here
            leader = await the_one_that_leads(writers)
            assert (await soon(leader.post(pay(ALICE, BOB, 1)))).result == Result.POSTED
            assert await epochs(database_urls) == list(range(1, expected + 1))


async def test_a_hung_commit_is_ended_by_the_standby_and_done_once(
    database_urls: DatabaseUrls,
) -> None:
    async with waiting(database_urls, 2) as writers:
        leader = await the_one_that_leads(writers)
        await furnish(leader, {ALICE: 100, BOB: 0})
        command = pay(ALICE, BOB, 10)
        async with Blockade(database_urls) as blockade:
            paying = asyncio.create_task(leader.post(command, time.monotonic() + 1))
            await blockade.met()
            await until(lambda: leader.term is None)
        told = await soon(paying)
        new = await the_one_that_leads(writers)
        again = await soon(new.post(command))
        assert again.result == Result.POSTED
        # Not known, or found not to be there when its time was up, or carried out after all.
        assert told.result in (Result.UNAVAILABLE, Result.OVERLOADED, Result.POSTED)
        assert again.replayed or told.result != Result.POSTED
        assert await balances(new, [ALICE, BOB]) == [90, 10]


# -- a process of its own, stopped and continued


@asynccontextmanager
async def process(
    urls: DatabaseUrls, socket: Path, lease: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A lonely writer that leads."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ledger.lonely_writer", urls.ledger, str(socket), str(lease),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        while await soon(child.stdout.readline()) != b"leading\n":
            assert child.returncode is None
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_a_stopped_leader_is_replaced_and_harmless_when_it_continues(
    database_urls: DatabaseUrls, data_dir: Path
) -> None:
    lease = 0.3
    async with process(database_urls, data_dir / "old.sock", lease) as child:
        link = LedgerLink(data_dir / "old.sock", lease_seconds=60)  # does not mind silence
        await link.start()
        await soon(link.connected.wait())
        async with waiting(database_urls, 1, lease_seconds=lease) as [standby]:
            await furnish_over(link)
            child.send_signal(signal.SIGSTOP)
            stopped = clock.boot_seconds()
            reading = asyncio.create_task(link.states([ALICE]))
            paid_before = pay(ALICE, BOB, 5)
            paying = asyncio.create_task(link.post(paid_before, time.monotonic() + 3))
            await leading(standby)
            assert clock.boot_seconds() - stopped < 6 * lease
            assert (await soon(standby.post(pay(ALICE, BOB, 40)))).result == Result.POSTED
            child.send_signal(signal.SIGCONT)
            # It finds what was sent while it slept; it may refuse, or not answer, but never tell
            # what is no longer so, nor carry out what the new leader does not know of.
            try:
                states = await soon(reading)
            except Unavailable:
                pass
            else:
                raise AssertionError(f"a deposed writer told {states}")
            told = await soon(paying)
            assert told.result == Result.UNAVAILABLE
            assert await soon(standby.look_up(paid_before.id, b"?" * 32)) is None
            assert await balances(standby, [ALICE, BOB]) == [60, 40]
            assert (await soon(standby.post(paid_before))).result == Result.POSTED
        await link.stop()
    await log_is_whole(database_urls)


async def test_a_killed_leader_is_replaced(database_urls: DatabaseUrls, data_dir: Path) -> None:
    lease = 0.3
    async with process(database_urls, data_dir / "old.sock", lease) as child:
        link = LedgerLink(data_dir / "old.sock")
        await link.start()
        await soon(link.connected.wait())
        async with waiting(database_urls, 1, lease_seconds=lease) as [standby]:
            await furnish_over(link)
            child.kill()
            await leading(standby)
            assert await balances(standby, [ALICE, BOB]) == [100, 0]
        await link.stop()


async def furnish_over(link: LedgerLink) -> None:
    """The same as `furnish`, for whoever is at the other end."""
    await furnish(link, {ALICE: 100, BOB: 0})  # type: ignore[arg-type]


# -- the fence


async def test_rows_of_another_writer_end_a_term(database_urls: DatabaseUrls) -> None:
    """Without the lock: as if the lock had been lost with the server that held it."""
    async with running(options(database_urls)) as old:
        await furnish(old, {ALICE: 100, BOB: 0})
        connection = await connect(database_urls.ledger, "tikiwallet_ledger")
        await connection.execute(
            "INSERT INTO ledger.journal (stream, n, at, amount, type, transaction_id, leg, legs,"
            " kind, result, shard, digest, epoch) SELECT 1, max(n) + 1, max(at), 0, 7,"
            " gen_random_uuid(), 0, 1, 16, 0, 0, sha256('x'), 77 FROM ledger.log"
        )
        await connection.execute("UPDATE ledger.lease SET epoch = 77")
        await connection.close()
        outcome = await soon(old.post(pay(ALICE, BOB, 1)))
        assert outcome.result == Result.POSTED
        assert old.term is not None
        assert old.term.epoch == 78
        assert await balances(old, [ALICE, BOB]) == [99, 1]
    await log_is_whole(database_urls)


async def test_a_lease_taken_by_another_is_not_renewed(database_urls: DatabaseUrls) -> None:
    term = await soon(campaign(options(database_urls)))
    try:
        connection = await connect(database_urls.ledger, "tikiwallet_ledger")
        await connection.execute("UPDATE ledger.lease SET epoch = epoch + 1")
        await connection.close()
        with pytest.raises(SteppedDown):
            await soon(term.renew())
    finally:
        term.end()
    assert not term.leads()


async def test_a_lease_ends_by_the_clock_alone(database_urls: DatabaseUrls) -> None:
    term = await soon(campaign(options(database_urls)))
    try:
        assert term.leads()
        assert term.lease_until <= clock.boot_seconds() + LEASE
        await until(lambda: not term.leads())
        await soon(term.renew())
        assert term.leads()
    finally:
        term.end()
    assert not term.leads()


# -- clocks and checks


async def test_a_clock_far_behind_the_log_refuses_to_lead(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_us, behind = clock.now_us, 0
    monkeypatch.setattr(clock, "now_us", lambda: now_us() - behind)
    async with running(options(database_urls)) as writer:
        await furnish(writer, {ALICE: 100, BOB: 0})
        last_at = (await soon(writer.post(pay(ALICE, BOB, 1)))).at
    behind = 59_000_000
    async with running(options(database_urls)) as writer:
        outcome = await soon(writer.post(pay(ALICE, BOB, 1)))
        assert outcome.at >= last_at, "time fell"
    behind = 3_600_000_000
    with pytest.raises(RefusedToLead, match="clock"):
        await soon(campaign(options(database_urls)))
    async with waiting(database_urls, 1) as [stubborn]:
        await until(lambda: stubborn.failure)
        assert stubborn.term is None
    await log_is_whole(database_urls)


async def test_what_the_log_check_says_decides(database_urls: DatabaseUrls) -> None:
    async def refuse(_: object) -> None:
        raise RefusedToLead("the log is shorter than its head")

    with pytest.raises(RefusedToLead, match="shorter"):
        await soon(campaign(options(database_urls, check_log=refuse)))
    assert await epochs(database_urls) == []


async def test_a_candidate_that_checks_for_long_is_not_taken_for_dead(
    database_urls: DatabaseUrls,
) -> None:
    checks = 0

    async def check(connection: asyncpg.Connection) -> None:
        nonlocal checks
        checks += 1
        await connection.execute("SELECT pg_sleep($1)", 5 * LEASE)

    async with waiting(database_urls, 3, check_log=check) as writers:
        leader = await the_one_that_leads(writers)
        assert checks == 1
        assert [writer for writer in writers if writer.term is not None] == [leader]
    assert await epochs(database_urls) == [1]


async def test_a_candidate_that_is_stopped_while_it_checks_is_ended(
    database_urls: DatabaseUrls,
) -> None:
    """No beats come from a stopped process; here from a connection that is gone."""
    checking = asyncio.Event()

    async def check(_: object) -> None:
        if not checking.is_set():
            checking.set()
            await end_backends(database_urls, "application_name = 'tikiwallet writer watch'")
            await asyncio.Event().wait()

    async with waiting(database_urls, 2, check_log=check) as writers:
        await the_one_that_leads(writers)
        assert checking.is_set()


async def test_a_leap_of_the_clock_stays_out_of_the_log(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_us, ahead = clock.now_us, 0
    monkeypatch.setattr(clock, "now_us", lambda: now_us() + ahead)
    chosen = options(database_urls)
    term = await soon(campaign(chosen))
    try:
        ahead = 365 * 86_400 * 1_000_000
        assert abs(term.now_us() - now_us()) < 5_000_000
        await until(lambda: clock.boot_seconds() > term.lease_until)
        with pytest.raises(RefusedToLead, match="clock"):
            await soon(term.check_durability())
    finally:
        term.end()
    with pytest.raises(RefusedToLead, match="clock"):
        await soon(campaign(chosen))
    ahead = 0
    term = await soon(campaign(chosen))
    assert abs(term.now_us() - now_us()) < 5_000_000
    term.end()


async def test_a_leap_that_the_database_shares_is_believed_within_days(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept, or a virtual machine that was paused."""
    now_us = clock.now_us
    chosen = options(database_urls)
    keeper = chosen.timekeeper
    monkeypatch.setattr(clock, "now_us", lambda: now_us() - 8 * 3_600_000_000)
    keeper.believe()
    monkeypatch.setattr(clock, "now_us", now_us)
    term = await soon(campaign(chosen))
    assert abs(term.now_us() - now_us()) < 5_000_000
    term.end()
    monkeypatch.setattr(clock, "now_us", lambda: now_us() - 100 * 86_400_000_000)
    keeper.believe()
    monkeypatch.setattr(clock, "now_us", now_us)
    with pytest.raises(RefusedToLead, match="leapt"):
        await soon(campaign(chosen))


async def test_a_connection_to_another_server_is_not_taken(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a primary is replaced, one URL leads to two servers; the other has not the lock."""
    real = asyncpg.Connection.get_server_pid
    monkeypatch.setattr(asyncpg.Connection, "get_server_pid", lambda self: real(self) + 1)
    with pytest.raises(SteppedDown, match="replaced"):
        await soon(campaign(options(database_urls)))


async def test_a_cluster_without_a_standby_refuses_to_lead(database_urls: DatabaseUrls) -> None:
    with pytest.raises(RefusedToLead, match="standby"):
        await soon(campaign(options(database_urls, cluster=True)))


async def test_epoch_rows_say_who_and_when(database_urls: DatabaseUrls) -> None:
    for expected in (1, 2, 3):
        async with running(options(database_urls)) as writer:
            assert writer.term is not None
            assert writer.term.epoch == expected
            assert writer.term.stable_n == writer.term.next_n - 1
            await soon(writer.stable_n())
    assert await epochs(database_urls) == [1, 2, 3]
    connection = await connect(database_urls.app, "tikiwallet_app")
    row = await connection.fetchrow("SELECT * FROM ledger.log ORDER BY n DESC LIMIT 1")
    await connection.close()
    assert row is not None
    assert row["reference"].endswith(f":{os.getpid()}")
    assert (row["amount"], row["debit"], row["result"]) == (0, None, 0)


async def test_a_new_writer_leads_while_payments_keep_coming(database_urls: DatabaseUrls) -> None:
    """Whoever pays sees at most a delay, and nothing is done twice."""
    async with waiting(database_urls, 3) as writers:
        leader = await the_one_that_leads(writers)
        await furnish(leader, {ALICE: 0, BOB: 0})
        done = 0

        async def payer() -> int:
            posted = 0
            while not done:
                command = pay(BANK, ALICE, 1)
                result = Result.UNAVAILABLE
                while result.retryable:
                    for writer in writers:
                        if writer.term is not None:
                            told = await writer.post(command, time.monotonic() + 0.3)
                            result = Result(told.result)
                    await asyncio.sleep(0)
                posted += result == Result.POSTED
            return posted

        payers = [asyncio.create_task(payer()) for _ in range(10)]
        for _ in range(3):
            leader = await the_one_that_leads(writers)
            await some_rows(leader, 50)
            await end_backends(database_urls, HOLDER)
            await until(lambda: leader.term is None)  # noqa: B023 - awaited right here
        await the_one_that_leads(writers)
        done = 1
        posted = sum(await soon(asyncio.gather(*payers)))
        leader = await the_one_that_leads(writers)
        assert await balances(leader, [ALICE]) == [posted]
    await log_is_whole(database_urls)
