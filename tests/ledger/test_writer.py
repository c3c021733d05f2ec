"""The writer: outcomes, duplicates, overload, deadlines, reads, and its end."""

import asyncio
from collections import Counter

import pytest
from tests.ledger.writers import (
    ALICE,
    BANK,
    BOB,
    CAROL,
    SGD,
    Blockade,
    balances,
    busy,
    compare_with_fresh,
    counts,
    furnish,
    in_the_past,
    log_is_whole,
    new_id,
    open_account,
    options,
    pay,
    reserve,
    running,
    smuggle,
    soon,
    states_in_log,
    until,
)
from tests.servers import DatabaseUrls

from tikiwallet.errors import Unavailable
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    Abandon,
    AnyCommand,
    Capture,
    Outcome,
    Posting,
    Result,
    Reverse,
    Transaction,
    Void,
    digest_of,
)
from tikiwallet.ledger.writer import Writer


@pytest.fixture
async def writer(writer: Writer) -> Writer:
    """A writer that leads, by which Alice has 100, and Bob nothing."""
    await furnish(writer, {ALICE: 100, BOB: 0})
    return writer


# -- plain


async def test_a_payment_is_posted_and_read_back_at_once(writer: Writer) -> None:
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
    command = pay(ALICE, BOB, 101)
    first = await soon(writer.post(command))
    await soon(writer.post(pay(BANK, ALICE, 100)))
    second = await soon(writer.post(command))
    assert (first.result, first.replayed) == (Result.INSUFFICIENT_FUNDS, False)
    assert second == Outcome(first.result, first.n, first.at, None, True)


async def test_the_same_again_is_replayed_and_other_content_is_not(writer: Writer) -> None:
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
    command = pay(ALICE, BOB, 30)
    assert await soon(writer.look_up(command.id, digest_of(command))) is None
    first = await soon(writer.post(command))
    found = await soon(writer.look_up(command.id, digest_of(command)))
    assert found == Outcome(first.result, first.n, first.at, first.payer, True)
    other = await soon(writer.look_up(command.id, b"x" * 32))
    assert other is not None
    assert other.result == Result.ID_REUSED


async def test_abandoned_before_after_and_in_place_of(writer: Writer) -> None:
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


# -- the same thing at the same time


async def test_duplicates_wait_for_the_first_and_get_its_answer(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    command = pay(ALICE, BOB, 30)
    other = pay(ALICE, BOB, 31, id=command.id)
    async with Blockade(database_urls) as blockade:
        tasks = [asyncio.create_task(writer.post(command)) for _ in range(5)]
        await blockade.met()
        tasks += [asyncio.create_task(writer.post(command)) for _ in range(5)]
        tasks.append(asyncio.create_task(writer.post(other)))
        tasks.append(asyncio.create_task(writer.post(Abandon(command.id))))
        looked_up = asyncio.create_task(writer.look_up(command.id, digest_of(command)))
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        assert not looked_up.done()
    first, *rest = await soon(asyncio.gather(*tasks))
    assert (first.result, first.replayed) == (Result.POSTED, False)
    assert rest.pop(9).result == Result.ID_REUSED
    assert all(o == Outcome(first.result, first.n, first.at, first.payer, True) for o in rest)
    assert (await soon(looked_up)) == rest[0]
    assert await balances(writer, [ALICE, BOB]) == [70, 30]


async def test_a_payment_that_meets_its_own_abandonment_is_abandoned(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
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
    command = pay(ALICE, BOB, 30)
    await soon(writer.post(command))
    async with busy(writer, database_urls):
        abandoned = asyncio.create_task(writer.post(Abandon(command.id)))
        same = asyncio.create_task(writer.post(command))
        other = asyncio.create_task(writer.post(pay(ALICE, BOB, 31, id=command.id)))
        await asyncio.sleep(0)
    assert (await soon(abandoned)).result == Result.POSTED
    assert (await soon(same)).result == Result.POSTED
    assert (await soon(other)).result == Result.ID_REUSED


async def test_the_true_content_and_an_abandonment_behind_an_altered_one(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    """All three join; what they are told is what the log has, not what the first was told."""
    command = pay(ALICE, BOB, 30)
    await soon(writer.post(command))
    async with busy(writer, database_urls):
        altered = asyncio.create_task(writer.post(pay(ALICE, BOB, 31, id=command.id)))
        same = asyncio.create_task(writer.post(command))
        abandoned = asyncio.create_task(writer.post(Abandon(command.id)))
        await asyncio.sleep(0)
        looked_up = asyncio.create_task(writer.look_up(command.id, b"?" * 32))
        await asyncio.sleep(0)
    assert (await soon(altered)).result == Result.ID_REUSED
    assert (await soon(same)).result == Result.POSTED
    assert (await soon(abandoned)).result == Result.POSTED
    told = await soon(looked_up)
    assert told is not None
    assert told.result == Result.ID_REUSED


async def test_duplicates_within_one_call(writer: Writer) -> None:
    command = pay(ALICE, BOB, 30)
    outcomes = await soon(writer.post_many([command, command, pay(ALICE, BOB, 1), command]))
    assert counts(outcomes) == {Result.POSTED: 4}
    assert [outcome.replayed for outcome in outcomes] == [False, True, False, True]
    assert await balances(writer, [ALICE, BOB]) == [69, 31]


async def test_a_capture_of_a_hold_that_is_itself_under_way(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {CAROL: 50})
    hold = reserve(ALICE, BOB, 60)
    refused = reserve(ALICE, BOB, 1_000)
    payment = pay(CAROL, BOB, 50)
    async with busy(writer, database_urls):
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
    results = [Result(outcome.result).name for outcome in await soon(asyncio.gather(*tasks))]
    assert results == [
        "POSTED", "POSTED", "POSTED", "UNKNOWN_TRANSACTION", "INSUFFICIENT_FUNDS",
        "POSTED", "POSTED",
    ]  # fmt: skip
    assert await balances(writer, [ALICE, BOB, CAROL]) == [49, 94, 7]


async def test_capturing_what_is_no_hold_is_answered(writer: Writer) -> None:
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
    command = pay(ALICE, BOB, 30)
    outcome = await soon(writer.post(command, deadline=in_the_past()))
    assert outcome == Outcome(Result.OVERLOADED)
    assert await balances(writer, [ALICE, BOB]) == [100, 0]
    assert await soon(writer.look_up(command.id, digest_of(command))) is None
    assert (await soon(writer.post(command))).result == Result.POSTED


async def test_a_deadline_that_passes_in_the_queue(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 10_000})
    loop = asyncio.get_running_loop()
    async with busy(writer, database_urls):
        # What is prepared waits for its batch; what is not stays in the queue.
        crowd = [pay(ALICE, BOB, 1, person=0) for _ in range(4_000)]
        many = asyncio.create_task(writer.post_many(crowd))
        deadline = loop.time() + 0.05
        late = [
            asyncio.create_task(writer.post(pay(ALICE, BOB, 1, person=7), deadline))
            for _ in range(10)
        ]
        await until(lambda: loop.time() > deadline)
    assert counts(await soon(many)) == {Result.POSTED: 4_000}
    told = counts(await soon(asyncio.gather(*late)))
    assert set(told) <= {Result.OVERLOADED, Result.UNAVAILABLE, Result.POSTED}
    [posted] = await balances(writer, [BOB])
    assert posted is not None
    unknown = told.get(Result.UNAVAILABLE, 0)  # of those that had been prepared
    assert 0 <= posted - 4_001 - told.get(Result.POSTED, 0) <= unknown


async def test_overload_is_told_at_once_and_a_quiet_person_gets_through(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
    await furnish(writer, {ALICE: 1_000_000})
    async with busy(writer, database_urls):
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
    own = [c for c in commands if c.postings[0].debit == c.postings[0].credit]
    outcomes = await asyncio.wait_for(writer.post_many(commands), 100)
    told = counts(outcomes)
    assert told.pop(Result.SAME_ACCOUNT, 0) == len(own)
    assert told == {Result.POSTED: 50_000 - len(own)}
    posted = [outcome.n for outcome in outcomes]
    assert len(set(posted)) == 50_000
    assert sum(b or 0 for b in await balances(writer, list(people))) == 300_000_000
    await compare_with_fresh(writer, database_urls)


@pytest.mark.parametrize(("commands", "first"), [(10, 10), (200, 100), (600, 600)])
async def test_a_small_batch_leaves_half_of_what_waits(
    writer: Writer, database_urls: DatabaseUrls, commands: int, first: int
) -> None:
    async with Blockade(database_urls) as blockade:
        paying = asyncio.create_task(writer.post(pay(BANK, ALICE, 1)))
        await blockade.met()
        payments = [pay(BANK, BOB, 1) for _ in range(commands)]
        waiting = asyncio.create_task(writer.post_many(payments))
        await until(lambda: writer._ready_rows == commands)
    await soon(paying)
    outcomes = await soon(waiting)
    batches = Counter(outcome.at for outcome in outcomes)  # each batch has a time of its own
    assert batches[min(batches)] == first
    assert {outcome.result for outcome in outcomes} == {Result.POSTED}
    assert await balances(writer, [BOB]) == [commands]


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


async def test_commands_that_do_not_fit_into_the_memory_together(
    database_urls: DatabaseUrls,
) -> None:
    """Each needs more accounts than are kept; they must not push each other out for ever."""
    async with running(options(database_urls, hot_accounts=4)) as writer:
        people = list(range(100, 220))
        await furnish(writer, dict.fromkeys(people, 1_000))

        async def caller(number: int) -> list[Outcome]:
            own = people[number * 20 : number * 20 + 20]
            legs = tuple(Posting(account, BANK, 1, SGD) for account in own)
            return [
                await writer.post(Transaction(new_id(), number, postings=legs)) for _ in range(10)
            ]

        told = await soon(asyncio.gather(*(caller(number) for number in range(6))))
        assert counts([outcome for outcomes in told for outcome in outcomes]) == {Result.POSTED: 60}
        assert await balances(writer, people) == [990] * 120
        await soon(writer.post(pay(BANK, 100, 1)))
        assert writer.term is not None
        assert len(writer.term.memory.accounts) <= 4


# -- reading


async def test_a_read_during_a_long_commit_waits_and_is_never_stale(
    writer: Writer, database_urls: DatabaseUrls
) -> None:
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
async def test_reading_what_cannot_be_an_account_harms_nobody(writer: Writer, account: int) -> None:
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
    await furnish(writer, {ALICE: 10_000})
    tasks = [asyncio.create_task(writer.post(pay(ALICE, BOB, 1))) for _ in range(3_000)]
    await asyncio.sleep(0)
    await soon(writer.stop())
    assert counts(await soon(asyncio.gather(*tasks))) == {Result.POSTED: 3_000}
    assert (await soon(writer.post(pay(ALICE, BOB, 1)))).result == Result.UNAVAILABLE
    assert (await states_in_log(database_urls))[BOB].posted == 3_000


async def test_a_stop_with_nothing_but_overdue_work(writer: Writer) -> None:
    command = open_account(CAROL)
    await soon(writer.post(command))
    replay = asyncio.create_task(writer.post(command))
    while not writer._preparing:  # noqa: ASYNC110 - it is looked up now, and not for long
        await asyncio.sleep(0)
    overdue = [asyncio.create_task(writer.post(pay(1, 2, 1), in_the_past())) for _ in range(3)]
    await asyncio.sleep(0)
    await soon(writer.stop())
    assert (await soon(replay)).replayed
    assert counts(await soon(asyncio.gather(*overdue))) == {Result.OVERLOADED: 3}


async def test_a_repetition_among_new_ones_is_found_by_the_log(writer: Writer) -> None:
    """Payments are not looked for before they are written; the log refuses an id that it has."""
    first = pay(ALICE, BOB, 30)
    await soon(writer.post(first))
    for _ in range(2):  # the second time, ids are looked for
        new = [pay(ALICE, BOB, 1) for _ in range(5)]
        outcomes = await soon(writer.post_many([*new[:2], first, *new[2:]]))
        assert [outcome.result for outcome in outcomes] == [Result.POSTED] * 6
        assert [outcome.replayed for outcome in outcomes] == [False, False, True, *[False] * 3]
    assert await balances(writer, [ALICE, BOB]) == [60, 40]
    other = Transaction(id=first.id, postings=(Posting(ALICE, BOB, 31, SGD),))
    assert (await soon(writer.post(other))).result == Result.ID_REUSED


async def test_a_stop_with_nothing_but_replays(writer: Writer) -> None:
    command = open_account(CAROL)
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
        works: list[AnyCommand] = [hold, Capture(new_id(), hold=hold.id), pay(ALICE, BOB, 1)]
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
