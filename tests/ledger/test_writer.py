"""The writer: batches, refusals by the server, duplicates, overload, deadlines, its end."""

import asyncio
from pathlib import Path

import pytest
from tests.ledger.proxy import Moment, Proxy
from tests.ledger.writers import (
    BANK,
    SGD,
    Blockade,
    balances,
    counts,
    end_backends,
    furnish,
    in_the_past,
    leading,
    log_is_whole,
    new_id,
    open_account,
    options,
    pay,
    running,
    soon,
    states_in_log,
    until,
)
from tests.servers import DatabaseUrls

from tikiwallet.errors import Unavailable
from tikiwallet.ledger.intake import FutureSink
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    Abandon,
    AnyCommand,
    Capture,
    Hold,
    Outcome,
    Posting,
    Result,
    Reverse,
    Transaction,
    Void,
    digest_of,
)
from tikiwallet.ledger.writer import Writer

ALICE, BOB, CAROL = 11, 12, 13
FAR = 4_000_000_000_000_000  # microseconds since 1970: long after every test


def smuggle(writer: Writer, command: AnyCommand) -> asyncio.Future[Outcome]:
    """Past validation, straight into the queue."""
    sink = FutureSink()
    writer.intake.enter(command, digest_of(command), sink, 0, None)
    return sink.future


def reserve(debit: int, credit: int, amount: int, expires_at: int = FAR) -> Hold:
    return Hold(new_id(), postings=(Posting(debit, credit, amount, SGD),), expires_at=expires_at)


async def compare_with_fresh(writer: Writer, urls: DatabaseUrls) -> None:
    """Stop `writer` and see that its memory was what the log says."""
    known = {a: s for a, s in _memory(writer).items() if s is not None}
    await soon(writer.stop())
    in_log = await states_in_log(urls)
    assert known == {account: in_log[account] for account in known}
    await log_is_whole(urls)


def _memory(writer: Writer) -> dict[int, object]:
    assert writer.term is not None
    return dict(writer.term.memory.accounts)


# -- plain


async def test_a_payment_is_posted_and_read_back_at_once(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    outcome = await soon(writer.post(pay(ALICE, BOB, 30)))
    assert outcome.result == Result.POSTED
    assert outcome.payer is not None
    assert outcome.payer.posted == 70
    assert not outcome.replayed
    states = writer.states_now([ALICE, BOB, 999])
    if states is None:
        states = await soon(writer.states([ALICE, BOB, 999]))
    assert [None if s is None else s.posted for s in states] == [70, 30, None]
    assert await soon(writer.stable_n()) == outcome.n


async def test_malformed_commands_raise_and_leave_nothing(writer: Writer) -> None:
    with pytest.raises(ValueError, match="amount"):
        await writer.post(pay(1, 2, 0))
    assert not writer.intake.under_way
    with pytest.raises(ValueError, match="amount"):
        await writer.post_many([pay(1, 2, AMOUNT_MAX + 1)])


async def test_refusals_are_remembered_like_payments(writer: Writer) -> None:
    await furnish(writer, {ALICE: 10, BOB: 0})
    command = pay(ALICE, BOB, 11)
    first = await soon(writer.post(command))
    await soon(writer.post(pay(BANK, ALICE, 100)))
    second = await soon(writer.post(command))
    assert (first.result, first.replayed) == (Result.INSUFFICIENT_FUNDS, False)
    assert second == Outcome(first.result, first.n, first.at, None, True)


async def test_the_same_again_is_replayed_and_other_content_is_not(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30, digest=b"d" * 32)
    first = await soon(writer.post(command))
    again = await soon(writer.post(command))
    assert again == Outcome(first.result, first.n, first.at, first.payer, True)
    # The digest decides, as fees or names may have been resolved otherwise since.
    resolved = pay(ALICE, BOB, 31, id=command.id, digest=b"d" * 32)
    assert (await soon(writer.post(resolved))) == again
    other = pay(ALICE, BOB, 30, id=command.id, digest=b"e" * 32)
    assert (await soon(writer.post(other))).result == Result.ID_REUSED
    assert await balances(writer, [ALICE, BOB]) == [70, 30]


async def test_look_up(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    assert await soon(writer.look_up(command.id, digest_of(command))) is None
    first = await soon(writer.post(command))
    found = await soon(writer.look_up(command.id, digest_of(command)))
    assert found == Outcome(first.result, first.n, first.at, first.payer, True)
    other = await soon(writer.look_up(command.id, b"x" * 32))
    assert other is not None
    assert other.result == Result.ID_REUSED


async def test_abandoned_before_after_and_in_place_of(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    assert (await soon(writer.post(Abandon(command.id)))).result == Result.ABANDONED
    late = await soon(writer.post(command))
    assert (late.result, late.replayed) == (Result.ABANDONED, True)
    paid = pay(ALICE, BOB, 5)
    await soon(writer.post(paid))
    kept = await soon(writer.post(Abandon(paid.id)))
    assert (kept.result, kept.replayed) == (Result.POSTED, True)
    assert await balances(writer, [ALICE, BOB]) == [95, 5]


async def test_outcomes_survive_a_new_writer(database_urls: DatabaseUrls) -> None:
    hold, command = reserve(ALICE, BOB, 40), pay(ALICE, BOB, 30)
    async with running(options(database_urls)) as first:
        await furnish(first, {ALICE: 100, BOB: 0})
        told = await soon(first.post(command))
        await soon(first.post(hold))
        await soon(first.post(Capture(new_id(), hold=hold.id, amounts=(15,))))
    async with running(options(database_urls)) as second:
        again = await soon(second.post(command))
        assert again == Outcome(told.result, told.n, told.at, told.payer, True)
        beyond = await soon(second.post(Capture(new_id(), hold=hold.id, amounts=(26,))))
        assert beyond.result == Result.EXCEEDS_REMAINDER
        rest = await soon(second.post(Capture(new_id(), hold=hold.id)))
        assert rest.result == Result.POSTED
        assert await balances(second, [ALICE, BOB]) == [30, 70]
    await log_is_whole(database_urls)


# -- what the server refuses


async def test_one_poisoned_command_in_a_batch_stands_alone(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 1_000, BOB: 0})
    async with Blockade(database_urls) as blockade:
        first = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
        await blockade.met()  # all that follows goes into one batch
        honest = [writer.post(pay(ALICE, BOB, 1)) for _ in range(50)]
        waiting = [asyncio.ensure_future(work) for work in honest]
        poisoned = smuggle(writer, pay(ALICE, BOB, 500, reference="a\0b"))
        waiting += [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 2))) for _ in range(50)]
    outcomes = await soon(asyncio.gather(first, *waiting))
    assert counts(outcomes) == {Result.POSTED: 101}
    assert (await soon(poisoned)).result == Result.REJECTED
    assert await balances(writer, [ALICE, BOB]) == [1_000 - 151, 151]
    await compare_with_fresh(writer, database_urls)


async def test_the_rejected_is_remembered(writer: Writer) -> None:
    await furnish(writer, {ALICE: 10, BOB: 0})
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
    await furnish(writer, {ALICE: 100, BOB: 0})
    good = [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 1))) for _ in range(5)]
    bad = smuggle(writer, poison)
    good += [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 1))) for _ in range(5)]
    assert counts(await soon(asyncio.gather(*good))) == {Result.POSTED: 10}
    assert (await soon(bad)).result == Result.REJECTED
    assert await balances(writer, [ALICE, BOB]) == [90, 10]
    await compare_with_fresh(writer, database_urls)


async def test_several_poisoned_commands(writer: Writer, database_urls: DatabaseUrls) -> None:
    await furnish(writer, {ALICE: 1_000, BOB: 0})
    bad = [smuggle(writer, pay(ALICE, BOB, 7, reference="\0")) for _ in range(5)]
    good = [asyncio.ensure_future(writer.post(pay(ALICE, BOB, 1))) for _ in range(20)]
    bad += [smuggle(writer, pay(ALICE, BOB, 7, reference="\0")) for _ in range(5)]
    assert counts(await soon(asyncio.gather(*good))) == {Result.POSTED: 20}
    assert counts(await soon(asyncio.gather(*bad))) == {Result.REJECTED: 10}
    await compare_with_fresh(writer, database_urls)


async def test_a_batch_that_fails_for_the_servers_own_reasons_is_not_known(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
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
    await furnish(writer, {ALICE: 100, BOB: 0})
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
    assert await balances(writer, [ALICE, BOB]) == [99, 1]
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
    from tikiwallet.database.pool import connect

    connection = await connect(urls.superuser, None)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


# -- the same thing at the same time


async def test_duplicates_wait_for_the_first_and_get_its_answer(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    other = pay(ALICE, BOB, 31, id=command.id)
    async with Blockade(database_urls) as blockade:
        tasks = [asyncio.create_task(writer.post(command)) for _ in range(5)]
        await blockade.met()
        tasks += [asyncio.create_task(writer.post(command)) for _ in range(5)]
        tasks.append(asyncio.create_task(writer.post(other)))
        tasks.append(asyncio.create_task(writer.post(Abandon(command.id))))
        looked_up = asyncio.create_task(writer.look_up(command.id, digest_of(command)))
        assert (await soon(tasks[10])).result == Result.ID_REUSED
        assert not any(task.done() for i, task in enumerate(tasks) if i != 10)
        assert not looked_up.done()
    first, *rest = await soon(asyncio.gather(*tasks))
    assert (first.result, first.replayed) == (Result.POSTED, False)
    del rest[9]
    assert all(o == Outcome(first.result, first.n, first.at, first.payer, True) for o in rest)
    assert (await soon(looked_up)) == rest[0]
    assert await balances(writer, [ALICE, BOB]) == [70, 30]


async def test_a_payment_that_meets_its_own_abandonment_is_abandoned(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    async with Blockade(database_urls) as blockade:
        abandoned = asyncio.create_task(writer.post(Abandon(command.id)))
        await blockade.met()
        paid = asyncio.create_task(writer.post(command))
        await asyncio.sleep(0)
    assert (await soon(abandoned)).result == Result.ABANDONED
    assert (await soon(paid)).result == Result.ABANDONED
    assert await balances(writer, [ALICE, BOB]) == [100, 0]


async def test_another_content_that_meets_an_abandonment_of_what_is_posted(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    await soon(writer.post(command))
    async with Blockade(database_urls) as blockade:
        busy = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
        await blockade.met()
        abandoned = asyncio.create_task(writer.post(Abandon(command.id)))
        same = asyncio.create_task(writer.post(command))
        other = asyncio.create_task(writer.post(pay(ALICE, BOB, 31, id=command.id)))
        await asyncio.sleep(0)
    await soon(busy)
    assert (await soon(abandoned)).result == Result.POSTED
    assert (await soon(same)).result == Result.POSTED
    assert (await soon(other)).result == Result.ID_REUSED


async def test_duplicates_within_one_call(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    outcomes = await soon(writer.post_many([command, command, pay(ALICE, BOB, 1), command]))
    assert counts(outcomes) == {Result.POSTED: 4}
    assert [outcome.replayed for outcome in outcomes] == [False, True, False, True]
    assert await balances(writer, [ALICE, BOB]) == [69, 31]


async def test_a_capture_of_a_hold_that_is_itself_under_way(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0, CAROL: 50})
    hold = reserve(ALICE, BOB, 60)
    refused = reserve(ALICE, BOB, 1_000)
    payment = pay(CAROL, BOB, 50)
    async with Blockade(database_urls) as blockade:
        busy = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
        await blockade.met()
        works: list[AnyCommand] = [
            Capture(new_id(), hold=hold.id, amounts=(20,)),
            hold,
            Capture(new_id(), hold=hold.id, amounts=(30,)),
            Void(new_id(), hold=refused.id),
            refused,
            payment,
            Reverse(new_id(), original=payment.id, amounts=(7,)),
        ]
        tasks = [asyncio.create_task(writer.post(command)) for command in works]
        await asyncio.sleep(0)
    await soon(busy)
    results = [Result(outcome.result).name for outcome in await soon(asyncio.gather(*tasks))]
    assert results == [
        "POSTED", "POSTED", "POSTED", "UNKNOWN_TRANSACTION", "INSUFFICIENT_FUNDS",
        "POSTED", "POSTED",
    ]  # fmt: skip
    assert await balances(writer, [ALICE, BOB, CAROL]) == [49, 94, 7]


async def test_capturing_what_is_no_hold_is_answered(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    payment = pay(ALICE, BOB, 30)
    opened = open_account(CAROL)
    await soon(writer.post_many([payment, opened]))
    for command in (
        Capture(new_id(), hold=payment.id),
        Void(new_id(), hold=payment.id),
        Void(new_id(), hold=opened.id),
    ):
        assert (await soon(writer.post(command))).result == Result.UNKNOWN_TRANSACTION
    outcome = await soon(writer.post(Reverse(new_id(), original=opened.id)))
    assert outcome.result == Result.NOT_REVERSIBLE


async def test_commands_that_refer_to_each_other_are_answered(writer: Writer) -> None:
    one, two, three = new_id(), new_id(), new_id()
    outcomes = await soon(
        asyncio.gather(
            writer.post(Reverse(one, original=two)),
            writer.post(Capture(two, hold=three)),
            writer.post(Void(three, hold=one)),
            writer.post(Reverse(alone := new_id(), original=alone)),
        )
    )
    told = {Result(outcome.result) for outcome in outcomes}
    assert told == {Result.UNKNOWN_TRANSACTION}


# -- deadlines, overload, fairness


async def test_past_its_deadline_it_is_never_carried_out(writer: Writer) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    command = pay(ALICE, BOB, 30)
    outcome = await soon(writer.post(command, deadline=in_the_past()))
    assert outcome == Outcome(Result.OVERLOADED)
    assert await balances(writer, [ALICE, BOB]) == [100, 0]
    assert await soon(writer.look_up(command.id, digest_of(command))) is None
    assert (await soon(writer.post(command))).result == Result.POSTED


async def test_a_deadline_that_passes_in_the_queue(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 10_000, BOB: 0})
    loop = asyncio.get_running_loop()
    async with Blockade(database_urls) as blockade:
        busy = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
        await blockade.met()
        # What is prepared waits for its batch; what is not stays in the queue.
        many = asyncio.create_task(
            writer.post_many([pay(ALICE, BOB, 1, person=0) for _ in range(4_000)])
        )
        deadline = loop.time() + 0.05
        late = [
            asyncio.create_task(writer.post(pay(ALICE, BOB, 1, person=7), deadline))
            for _ in range(10)
        ]
        await until(lambda: loop.time() > deadline)
    assert counts([await soon(busy), *await soon(many)]) == {Result.POSTED: 4_001}
    told = counts(await soon(asyncio.gather(*late)))
    assert set(told) <= {Result.OVERLOADED, Result.POSTED}
    assert await balances(writer, [BOB]) == [4_001 + told.get(Result.POSTED, 0)]


async def test_overload_is_told_at_once_and_a_quiet_person_gets_through(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 1_000_000, BOB: 0})
    async with Blockade(database_urls) as blockade:
        busy = asyncio.create_task(writer.post(pay(ALICE, BOB, 1)))
        await blockade.met()
        loud = [
            smuggle(writer, pay(ALICE, BOB, 1, person=1 + number % 5)) for number in range(40_000)
        ]
        await asyncio.sleep(0)
        refused = [future for future in loud if future.done()]
        assert {future.result().result for future in refused} == {Result.OVERLOADED}
        assert writer.intake.rows <= 25_000
        assert len(writer.intake.under_way) <= 30_000
        quiet = asyncio.create_task(writer.post(pay(ALICE, BOB, 1, person=99)))
        await asyncio.sleep(0)
        assert not quiet.done()
        ended: list[str] = []
        quiet.add_done_callback(lambda _: ended.append("quiet"))
        loud[-1 - next(i for i, f in enumerate(reversed(loud)) if not f.done())].add_done_callback(
            lambda _: ended.append("loud")
        )
    assert (await soon(busy)).result == Result.POSTED
    assert (await soon(quiet)).result == Result.POSTED
    told = counts(await soon(asyncio.gather(*loud)))
    assert ended[0] == "quiet"
    assert told[Result.OVERLOADED] == len(refused)
    assert await balances(writer, [BOB]) == [told[Result.POSTED] + 2]


# -- much at once


async def test_fifty_thousand_in_one_call(writer: Writer, database_urls: DatabaseUrls) -> None:
    people = range(100, 400)
    await furnish(writer, dict.fromkeys(people, 1_000_000))
    commands = [
        pay(100 + number % 300, 100 + (number * 7 + 1) % 300, 1) for number in range(50_000)
    ]
    own = [command for command in commands if command.postings[0].debit == command.postings[0].credit]
    outcomes = await asyncio.wait_for(writer.post_many(commands), 100)
    told = counts(outcomes)
    assert told.pop(Result.SAME_ACCOUNT, 0) == len(own)
    assert told == {Result.POSTED: 50_000 - len(own)}
    posted = [outcome.n for outcome in outcomes]
    assert len(set(posted)) == 50_000
    assert sum(b or 0 for b in await balances(writer, list(people))) == 300_000_000
    await compare_with_fresh(writer, database_urls)


async def test_more_accounts_than_the_memory_holds(database_urls: DatabaseUrls) -> None:
    async with running(options(database_urls, hot_accounts=10)) as writer:
        people = list(range(100, 1_100))
        await furnish(writer, {account: account for account in people})
        assert await balances(writer, people) == people
        legs = tuple(Posting(account, BANK, 1, SGD) for account in people)
        outcome = await soon(writer.post(Transaction(new_id(), postings=legs)))
        assert outcome.result == Result.POSTED
        assert await balances(writer, people) == [balance - 1 for balance in people]
        assert await balances(writer, [*people, 5]) == [*[b - 1 for b in people], None]
        await soon(writer.post(pay(BANK, 100, 1)))
        assert writer.term is not None
        assert len(writer.term.memory.accounts) <= 10


async def test_many_callers_over_a_tiny_memory(database_urls: DatabaseUrls) -> None:
    async with running(options(database_urls, hot_accounts=8)) as writer:
        people = list(range(100, 200))
        await furnish(writer, dict.fromkeys(people, 1_000))

        async def caller(number: int) -> list[Outcome]:
            return [
                await writer.post(
                    pay(100 + (number + i) % 100, 100 + (number + i + 37) % 100, 1, person=number)
                )
                for i in range(20)
            ]

        told = await soon(asyncio.gather(*(caller(number) for number in range(1, 41))))
        assert counts([outcome for outcomes in told for outcome in outcomes]) == {
            Result.POSTED: 800
        }
        assert sum(b or 0 for b in await balances(writer, people)) == 100_000
    await log_is_whole(database_urls)


# -- reading


async def test_a_read_during_a_long_commit_waits_and_is_never_stale(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    async with Blockade(database_urls) as blockade:
        paying = asyncio.create_task(writer.post(pay(ALICE, BOB, 30)))
        await blockade.met()
        term = writer.term
        assert term is not None
        await until(lambda: not term.leads())  # no renewal passes a commit under way
        assert writer.states_now([ALICE]) is None
        reading = asyncio.create_task(writer.states([ALICE, BOB]))
        await asyncio.sleep(0)
        assert not reading.done()
    assert (await soon(paying)).result == Result.POSTED
    states = await soon(reading)
    assert [state.posted for state in states] == [70, 30]


async def test_a_read_that_cannot_be_answered_says_so(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    async with Blockade(database_urls) as blockade:
        paying = asyncio.create_task(writer.post(pay(ALICE, BOB, 30)))
        await blockade.met()
        term = writer.term
        assert term is not None
        await until(lambda: not term.leads())
        with pytest.raises(Unavailable):
            await soon(writer.states([ALICE]))
        with pytest.raises(Unavailable):
            await soon(writer.stable_n())
    await soon(paying)


@pytest.mark.parametrize("account", [0, -1, 2**63, -(2**70)])
async def test_reading_what_cannot_be_an_account_harms_nobody(
    writer: Writer, account: int
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    assert writer.term is not None
    epoch = writer.term.epoch
    reading = asyncio.create_task(writer.states([account, ALICE]))
    cold = [asyncio.create_task(writer.post(open_account(500 + i))) for i in range(10)]
    assert counts(await soon(asyncio.gather(*cold))) == {Result.POSTED: 10}
    state, alice = await soon(reading)
    assert state is None
    assert alice.posted == 100
    assert writer.term is not None
    assert writer.term.epoch == epoch


async def test_nothing_uncommitted_is_ever_read(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 100, BOB: 0})
    async with Blockade(database_urls) as blockade:
        paying = asyncio.create_task(writer.post(pay(ALICE, BOB, 30)))
        await blockade.met()
        seen = writer.states_now([ALICE])
        assert seen is None or (seen[0] is not None and seen[0].posted == 100)
        stable = writer.term.stable_n if writer.term is not None else 0
    outcome = await soon(paying)
    assert outcome.n == stable + 1


# -- the end


async def test_a_stop_answers_everything_that_was_accepted(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 10_000, BOB: 0})
    tasks = [asyncio.create_task(writer.post(pay(ALICE, BOB, 1))) for _ in range(3_000)]
    await asyncio.sleep(0)
    await soon(writer.stop())
    assert counts(await soon(asyncio.gather(*tasks))) == {Result.POSTED: 3_000}
    assert (await soon(writer.post(pay(ALICE, BOB, 1)))).result == Result.UNAVAILABLE
    assert (await states_in_log(database_urls))[BOB].posted == 3_000


async def test_a_stop_with_nothing_but_overdue_work(writer: Writer) -> None:
    command = open_account(ALICE)
    await soon(writer.post(command))
    replay = asyncio.create_task(writer.post(command))
    while not writer._preparing:  # it is being looked up
        await asyncio.sleep(0)
    overdue = [asyncio.create_task(writer.post(pay(1, 2, 1), in_the_past())) for _ in range(3)]
    await asyncio.sleep(0)
    await soon(writer.stop())
    assert (await soon(replay)).replayed
    assert counts(await soon(asyncio.gather(*overdue))) == {Result.OVERLOADED: 3}


async def test_a_stop_with_nothing_but_replays(writer: Writer) -> None:
    command = open_account(ALICE)
    await soon(writer.post(command))
    task = asyncio.create_task(writer.post(command))
    await asyncio.sleep(0)
    await soon(writer.stop())
    assert (await soon(task)).replayed


async def test_a_writer_that_never_led_answers_at_its_end(database_urls: DatabaseUrls) -> None:
    async with running(options(database_urls)):
        second = Writer(options(database_urls), patient=True)
        await second.start()
        hold = reserve(ALICE, BOB, 1)
        works = [hold, Capture(new_id(), hold=hold.id), pay(ALICE, BOB, 1)]
        tasks = [asyncio.create_task(second.post(command)) for command in works]
        overdue = asyncio.create_task(second.post(pay(ALICE, BOB, 1), in_the_past()))
        assert (await soon(overdue)).result == Result.UNAVAILABLE
        await soon(second.stop())
        assert counts(await soon(asyncio.gather(*tasks))) == {Result.UNAVAILABLE: 3}


async def test_an_impatient_writer_that_does_not_lead_sends_callers_away(
    database_urls: DatabaseUrls,
) -> None:
    async with running(options(database_urls)):
        second = Writer(options(database_urls))
        await second.start()
        assert (await soon(second.post(pay(1, 2, 1)))).result == Result.UNAVAILABLE
        await soon(second.stop())


# -- commits whose outcome is not known


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_the_connection_is_cut(
    database_urls: DatabaseUrls, data_dir: Path, moment: Moment
) -> None:
    async with Proxy(database_urls.ledger, data_dir) as proxy:
        async with running(options(database_urls, dsn=proxy.dsn)) as writer:
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
    async with Proxy(database_urls.ledger, data_dir) as proxy:
        async with running(options(database_urls, dsn=proxy.dsn, lease_seconds=0.5)) as writer:
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


async def test_the_server_ends_every_session(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 1_000, BOB: 0})
    for application in ("tikiwallet writer", "tikiwallet writer look-ups", "tikiwallet writer loads"):
        async with Blockade(database_urls) as blockade:
            tasks = [asyncio.create_task(writer.post(pay(ALICE, BOB, 1))) for _ in range(10)]
            await blockade.met()
            assert await end_backends(database_urls, f"application_name = '{application}'") == 1
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
    await furnish(writer, {ALICE: 1_000, BOB: 0})
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
