"""What paying remembers of people: from memory, never stale for a second, and lower limits."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import sign_up
from tests.servers import DatabaseUrls

from tikiwallet import clock, ids
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.identity import payer_facts
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.payer_facts import (
    PIN_FREE_SGD,
    RESTRICTED_SGD,
    LowerLimit,
    PayerFacts,
    Payers,
)
from tikiwallet.notify.inbox import SandboxInbox

DEFAULT = PayerFacts(PIN_FREE_SGD, 0)
DAY = 86_400


@pytest.fixture
async def elsewhere(database_urls: DatabaseUrls) -> AsyncIterator[Payers]:
    """Another process's memory, with connections of its own."""
    database = await Database.connect(database_urls.app, APP)
    payers = Payers(database)
    await payers.start()
    yield payers
    await payers.stop()
    await database.close()


async def choose(identity: Identity, person: int, threshold: int | None) -> None:
    tokens = await identity.sessions.of(person)
    await identity.account.profile.change(person, tokens[0].id, {"pin_threshold": threshold})


async def test_the_first_time_from_the_database_then_from_memory(
    identity: Identity, person: int
) -> None:
    assert identity.payers.known(person) is None
    assert await identity.payers.load(person) == DEFAULT
    assert identity.payers.known(person) == DEFAULT
    assert await identity.payers.of(ids.new_id()) == DEFAULT


async def test_a_change_is_known_at_once_here_and_within_a_second_elsewhere(
    identity: Identity, person: int, elsewhere: Payers
) -> None:
    for payers in (identity.payers, elsewhere):
        await payers.load(person)
    await choose(identity, person, 20_00)
    assert (await identity.payers.of(person)).pin_free == 20_00
    async with asyncio.timeout(1):
        while elsewhere.known(person) is not None:  # noqa: ASYNC110 - it belongs to what is tested
            await asyncio.sleep(0.005)
    assert (await elsewhere.load(person)).pin_free == 20_00


async def test_a_load_that_was_overtaken_is_not_remembered(
    identity: Identity, database: Database, person: int
) -> None:
    payers = identity.payers
    loading = asyncio.create_task(payers.load(person))
    await asyncio.sleep(0)  # it has asked, and has no answer yet
    payers.forget(person)
    assert await loading == DEFAULT
    assert payers.known(person) is None


async def test_all_who_ask_at_once_share_one_answer(identity: Identity, person: int) -> None:
    """Else, under load, each new question would keep the answer to the last from being kept."""
    payers = identity.payers
    first = asyncio.create_task(payers.load(person))
    others = [asyncio.create_task(payers.load(person)) for _ in range(50)]
    await asyncio.sleep(0)
    assert len(payers._loading) == 1
    first.cancel()
    assert await asyncio.gather(*others) == [DEFAULT] * 50
    assert payers.known(person) == DEFAULT
    assert not payers._loading


async def test_without_news_memory_is_not_relied_on(
    identity: Identity, person: int, hand_clock: HandClock
) -> None:
    payers = identity.payers
    await payers.load(person)
    task = payers._task
    assert task is not None
    task.cancel()  # it hears nothing any more
    hand_clock.advance(4.9)
    assert payers.known(person) == DEFAULT
    hand_clock.advance(0.2)
    assert payers.known(person) is None
    assert await payers.load(person) == DEFAULT
    assert payers.known(person) is None


async def test_memory_is_bounded(identity: Identity, database: Database) -> None:
    payers = Payers(database, capacity=10)
    await payers.start()
    for person in range(1, 100):
        await payers.load(person)
    assert len(payers._recent) <= 10
    assert payers.known(99) == DEFAULT
    assert payers.known(1) is None
    await payers.stop()


class TestLowerLimits:
    @pytest.fixture(autouse=True)
    async def restricted(
        self, identity: Identity, database: Database, person: int, hand_clock: HandClock
    ) -> None:
        async with database.transaction() as connection:
            await payer_facts.restrict(connection, person, clock.from_us(hand_clock()))
        identity.payers.forget(person)

    async def test_they_last_a_day(
        self, identity: Identity, person: int, hand_clock: HandClock
    ) -> None:
        until = (await identity.payers.of(person)).restricted_until
        assert until == hand_clock() + DAY * 1_000_000
        with pytest.raises(LowerLimit):
            await identity.payers.take_restricted(person, ids.new_uuid7(), RESTRICTED_SGD + 1)
        hand_clock.advance(DAY)
        await identity.payers.take_restricted(person, ids.new_uuid7(), RESTRICTED_SGD + 1)

    async def test_the_sum_counts_and_each_payment_once(
        self, identity: Identity, person: int
    ) -> None:
        payers = identity.payers
        first = ids.new_uuid7()
        for _ in range(3):
            await payers.take_restricted(person, first, 60_00)
        with pytest.raises(LowerLimit) as problem:
            await payers.take_restricted(person, ids.new_uuid7(), 40_01)
        assert problem.value.extra["left"] == 40_00
        assert "S$40.00" in problem.value.detail
        await payers.take_restricted(person, ids.new_uuid7(), 40_00)
        with pytest.raises(LowerLimit):
            await payers.take_restricted(person, ids.new_uuid7(), 1)
        await payers.give_back(person, first)
        await payers.take_restricted(person, ids.new_uuid7(), 60_00)

    async def test_payments_at_once_cannot_pass_together(
        self, identity: Identity, person: int
    ) -> None:
        answers = await asyncio.gather(
            *(identity.payers.take_restricted(person, ids.new_uuid7(), 30_00) for _ in range(10)),
            return_exceptions=True,
        )
        assert sum(answer is None for answer in answers) == 3
        assert sum(isinstance(answer, LowerLimit) for answer in answers) == 7

    async def test_a_second_recovery_does_not_begin_the_sum_anew(
        self, identity: Identity, database: Database, person: int, hand_clock: HandClock
    ) -> None:
        await identity.payers.take_restricted(person, ids.new_uuid7(), 90_00)
        hand_clock.advance(DAY / 2)
        async with database.transaction() as connection:
            await payer_facts.restrict(connection, person, clock.from_us(hand_clock()))
        with pytest.raises(LowerLimit):
            await identity.payers.take_restricted(person, ids.new_uuid7(), 20_00)
        hand_clock.advance(DAY - 1)
        with pytest.raises(LowerLimit):
            await identity.payers.take_restricted(person, ids.new_uuid7(), 20_00)

    async def test_others_are_free(
        self, identity: Identity, inbox: SandboxInbox, person: int
    ) -> None:
        other = (await sign_up(identity, inbox, "+6591234568", "ben"))[0].id
        await identity.payers.take_restricted(other, ids.new_uuid7(), 10**9)
