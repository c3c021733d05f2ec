"""The queue before the writer: bounds, turns, twins, deadlines."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.writers import SGD, in_the_past, new_id, pay

from tikiwallet.ledger.intake import (
    ID_REUSED,
    OVERLOADED,
    UNAVAILABLE,
    Ask,
    FutureSink,
    Intake,
    ListSink,
)
from tikiwallet.ledger.transactions import (
    SYSTEM,
    Abandon,
    AnyCommand,
    Outcome,
    Posting,
    Result,
    Transaction,
    digest_of,
)

POSTED = Outcome(Result.POSTED, 5, 6)
AGAIN = Outcome(Result.POSTED, 5, 6, None, True)


class Told:
    """Remembers what was told, by slot."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Outcome] = {}

    def settle(self, slot: int, outcome: Outcome) -> None:
        assert slot not in self.outcomes, "told twice"
        self.outcomes[slot] = outcome


@pytest.fixture
def told() -> Told:
    return Told()


def enter(
    intake: Intake,
    told: Told,
    command: AnyCommand,
    slot: int = 0,
    deadline: float | None = None,
    digest: bytes = b"",
) -> None:
    intake.enter(command, digest or digest_of(command), told, slot, deadline)


def fill(intake: Intake, told: Told, person: int, count: int, slot: int = 0) -> None:
    for number in range(count):
        enter(intake, told, pay(1, 2, 1, person=person), slot + number)


def people(asks: Sequence[Ask]) -> list[int]:
    return [ask.command.person for ask in asks]


def wide(legs: int, person: int = 1) -> Transaction:
    postings = tuple(Posting(1, 2, 1, SGD) for _ in range(legs))
    return Transaction(new_id(), person, postings=postings)


async def test_turns_go_round_by_person(told: Told) -> None:
    """Each turn is worth as many rows, whether they are those of one command or of many."""
    intake = Intake()
    for slot in range(4):
        enter(intake, told, wide(1_000, person=1), slot)
    fill(intake, told, 2, 1_000, 100)
    fill(intake, told, 3, 3, 5_000)
    first = people(intake.take(300))
    assert first.count(2) > 200
    assert first.count(3) == 3
    assert first.count(1) <= 1
    rest = people(intake.take(10_000))
    assert (first + rest).count(1) == 4
    assert (first + rest).count(2) == 1_000
    assert rest.index(1) < rest.index(2) + 1_000
    assert intake.rows == 0
    assert intake.take(100) == []
    assert not intake.arrived.is_set()


async def test_the_system_has_longer_turns_but_does_not_shut_people_out(told: Told) -> None:
    intake = Intake()
    fill(intake, told, SYSTEM, 1_000)
    fill(intake, told, 1, 3, 2_000)
    taken = people(intake.take(200))
    assert taken.count(1) == 3
    assert taken.index(1) <= 64


async def test_the_order_of_one_person_is_kept(told: Told) -> None:
    intake = Intake()
    fill(intake, told, 1, 50)
    assert [ask.slot for ask in intake.take(30)] == list(range(30))
    assert [ask.slot for ask in intake.take(30)] == list(range(30, 50))


async def test_rows_are_what_is_counted(told: Told) -> None:
    intake = Intake()
    for slot in range(5):
        enter(intake, told, wide(10), slot)
    assert intake.rows == 50
    assert len(intake.take(15)) == 2
    assert intake.rows == 30


async def test_what_is_put_back_comes_first(told: Told) -> None:
    intake = Intake()
    fill(intake, told, 1, 4)
    taken = intake.take(2)
    intake.put_back(taken)
    assert intake.rows == 4
    assert [ask.slot for ask in intake.take(100)] == [0, 1, 2, 3]
    intake.put_back(taken)
    assert intake.arrived.is_set()
    assert [ask.slot for ask in intake.take(100)] == [0, 1]


async def test_a_loud_person_fills_a_share_and_a_quiet_one_gets_in(told: Told) -> None:
    intake = Intake(100)
    fill(intake, told, 1, 60)
    assert intake.rows == 25
    assert set(told.outcomes.values()) == {OVERLOADED}
    for person in (2, 3, 4):
        fill(intake, told, person, 60, 1_000 * person)
    assert intake.rows == 100
    fill(intake, told, 5, 1, 10_000)
    assert 10_000 not in told.outcomes
    assert intake.shed == len(told.outcomes)


async def test_the_system_may_fill_the_queue_but_not_the_last_quarter(told: Told) -> None:
    intake = Intake(100)
    fill(intake, told, SYSTEM, 200)
    assert intake.rows == 100
    for person in range(1, 50):
        fill(intake, told, person, 1, 1_000 * person)
    assert intake.rows == 125


async def test_one_large_command_of_a_quiet_person_gets_in(told: Told) -> None:
    intake = Intake(100)
    enter(intake, told, wide(80), 0)
    assert told.outcomes == {}
    enter(intake, told, wide(1), 1)
    assert told.outcomes == {1: OVERLOADED}


async def test_what_is_turned_away_may_come_again(told: Told) -> None:
    intake = Intake(4)
    fill(intake, told, 1, 1)
    command = pay(1, 2, 1, person=1)
    enter(intake, told, command, 7)
    assert told.outcomes == {7: OVERLOADED}
    assert command.id not in intake.under_way
    intake.take(100)
    enter(intake, told, command, 8)
    assert 8 not in told.outcomes


async def test_twins_wait_and_see_a_replay(told: Told) -> None:
    intake = Intake()
    command = pay(1, 2, 1)
    for slot in range(3):
        enter(intake, told, command, slot)
    enter(intake, told, Abandon(command.id), 3)
    enter(intake, told, command, 4, digest=b"?" * 32)
    assert told.outcomes == {}
    assert intake.rows == 1
    [ask] = intake.take(10)
    enter(intake, told, command, 5)
    intake.finish(ask, POSTED)
    assert told.outcomes == {0: POSTED, 1: AGAIN, 2: AGAIN, 3: AGAIN, 4: ID_REUSED, 5: AGAIN}
    assert not intake.under_way


async def test_twins_are_not_told_of_a_replay_when_nothing_was_decided(told: Told) -> None:
    intake = Intake()
    command = pay(1, 2, 1)
    enter(intake, told, command, 0)
    enter(intake, told, command, 1)
    [ask] = intake.take(10)
    intake.finish(ask, UNAVAILABLE)
    assert told.outcomes == {0: UNAVAILABLE, 1: UNAVAILABLE}


async def test_content_waits_behind_the_abandonment_of_its_id(told: Told) -> None:
    intake = Intake()
    command = pay(1, 2, 1)
    enter(intake, told, Abandon(command.id), 0)
    enter(intake, told, command, 1)
    enter(intake, told, Abandon(command.id), 2)
    [ask] = intake.take(10)
    abandoned = Outcome(Result.ABANDONED, 5, 6)
    intake.finish(ask, abandoned)
    again = Outcome(Result.ABANDONED, 5, 6, None, True)
    assert told.outcomes == {0: abandoned, 1: again, 2: again}


async def test_who_joins_is_judged_by_what_the_log_has_not_by_whom_they_joined(told: Told) -> None:
    intake = Intake()
    command = pay(1, 2, 1)
    enter(intake, told, pay(1, 2, 2, id=command.id), 0)
    enter(intake, told, command, 1)
    enter(intake, told, Abandon(command.id), 2)
    enter(intake, told, pay(1, 2, 3, id=command.id), 3)
    [ask] = intake.take(10)
    intake.finish(ask, ID_REUSED, (digest_of(command), AGAIN))
    assert told.outcomes == {0: ID_REUSED, 1: AGAIN, 2: AGAIN, 3: ID_REUSED}
    assert not intake.under_way


async def test_content_behind_an_abandonment_that_was_not_decided(told: Told) -> None:
    intake = Intake()
    command = pay(1, 2, 1)
    enter(intake, told, Abandon(command.id), 0)
    enter(intake, told, command, 1)
    intake.finish(intake.take(10)[0], UNAVAILABLE)
    assert told.outcomes == {0: UNAVAILABLE, 1: UNAVAILABLE}
    assert intake.drain() == []


async def test_past_its_deadline_it_is_dropped_when_its_turn_comes(told: Told) -> None:
    intake = Intake()
    enter(intake, told, pay(1, 2, 1), 0, in_the_past())
    enter(intake, told, pay(1, 2, 1), 1, time.monotonic() + 100)
    enter(intake, told, pay(1, 2, 1), 2)
    assert [ask.slot for ask in intake.take(100)] == [1, 2]
    assert told.outcomes == {0: OVERLOADED}
    assert intake.rows == 0


async def test_the_overdue_can_be_taken_out(told: Told) -> None:
    intake = Intake()
    for slot in range(6):
        deadline = in_the_past() if slot % 2 else None
        enter(intake, told, pay(1, 2, 1, person=slot // 3), slot, deadline)
    enter(intake, told, pay(1, 2, 1, person=9), 6, in_the_past())
    overdue = intake.drop_overdue(time.monotonic())
    assert sorted(ask.slot for ask in overdue) == [1, 3, 5, 6]
    assert intake.rows == 3
    assert sorted(ask.slot for ask in intake.take(100)) == [0, 2, 4]
    enter(intake, told, pay(1, 2, 1, person=9), 7)
    assert [ask.slot for ask in intake.take(100)] == [7]


async def test_followers_come_back_when_the_one_they_wait_for_is_done(told: Told) -> None:
    intake = Intake()
    fill(intake, told, 1, 3)
    first, second, third = intake.take(100)
    first.follow(second)
    second.follow(third)
    assert first.is_followed_by(third)
    assert not third.is_followed_by(first)
    intake.finish(first, POSTED)
    assert intake.take(100) == [second]
    intake.finish(second, POSTED)
    assert intake.take(100) == [third]


async def test_draining_takes_everything(told: Told) -> None:
    intake = Intake()
    for person in (1, 2, 3):
        fill(intake, told, person, 3, person * 10)
    assert len(intake.drain()) == 9
    assert intake.rows == 0
    assert intake.take(100) == []


async def test_a_caller_that_went_away_harms_nobody() -> None:
    intake = Intake()
    gone, waiting = FutureSink(), FutureSink()
    command = pay(1, 2, 1)
    intake.enter(command, digest_of(command), gone, 0, None)
    intake.enter(command, digest_of(command), waiting, 0, None)
    gone.future.cancel()
    await asyncio.sleep(0)
    intake.finish(intake.take(1)[0], POSTED)
    assert await waiting.future == AGAIN


async def test_a_list_of_outcomes_is_done_with_its_last() -> None:
    sink = ListSink(3)
    sink.settle(2, OVERLOADED)
    sink.settle(0, POSTED)
    assert not sink.future.done()
    sink.settle(1, AGAIN)
    await sink.future
    assert sink.outcomes == [POSTED, AGAIN, OVERLOADED]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, 6), st.integers(1, 6), st.booleans()),
        st.tuples(st.just("take"), st.integers(1, 20), st.just(0), st.booleans()),
        st.tuples(st.just("overdue"), st.just(0), st.just(0), st.booleans()),
    ),
    max_size=150,
)


@given(STEPS)
def test_it_counts_right_whatever_happens(steps: list[tuple[str, int, int, bool]]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, int, int, bool]]) -> None:
    intake, told = Intake(24), Told()
    entered = 0
    waiting: dict[bytes, int] = {}
    for what, number, legs, flag in steps:
        if what == "enter":
            command = wide(legs, person=number)
            enter(intake, told, command, entered, in_the_past() if flag else None)
            if entered not in told.outcomes:
                waiting[command.id] = legs
            entered += 1
        else:
            if what == "take":
                asks = intake.take(number)
            else:
                asks = intake.drop_overdue(time.monotonic())
            waiting = {id_: rows for id_, rows in waiting.items() if id_ in intake.under_way}
            if flag and what == "take":
                intake.put_back(asks)
            else:
                for ask in asks:
                    intake.finish(ask, POSTED)
                    del waiting[ask.command.id]
        assert intake.rows == sum(waiting.values()) <= 30
    for ask in intake.take(10_000):
        intake.finish(ask, POSTED)
    assert intake.rows == 0
    assert not intake.under_way
    assert sorted(told.outcomes) == list(range(entered))
