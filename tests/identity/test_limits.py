"""Rate limits: windows, waits, what is given back, and who counts as one address."""

import asyncio
from datetime import timedelta

import pytest
from tests.identity.hand_clock import HandClock

from tikiwallet.database.pool import Database
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.limits import Limit, Limits, TooManyRequests, address_subject

THREE = Limit("test.three", 3, timedelta(seconds=60))


@pytest.fixture
def limits(database: Database, hand_clock: HandClock) -> Limits:
    return Limits(database, ServerSecret(b"s" * 32), True, hand_clock)


async def test_a_window(limits: Limits, hand_clock: HandClock) -> None:
    for _ in range(3):
        await limits.take(THREE, "a")
        hand_clock.advance(10)
    with pytest.raises(TooManyRequests) as problem:
        await limits.take(THREE, "a")
    assert problem.value.extra == {"retry_after": 30}
    await limits.take(THREE, "b")
    hand_clock.advance(30)
    for _ in range(3):
        await limits.take(THREE, "a")


async def test_what_is_given_back(limits: Limits) -> None:
    for _ in range(10):
        await limits.take(THREE, "a")
        await limits.give_back(THREE, "a")
    for _ in range(3):
        await limits.take(THREE, "a")
    await limits.forget(THREE, "a")
    for _ in range(3):
        await limits.take(THREE, "a")


async def test_taken_at_once(limits: Limits) -> None:
    answers = await asyncio.gather(
        *(limits.take(THREE, "a") for _ in range(20)), return_exceptions=True
    )
    assert sum(answer is None for answer in answers) == 3


async def test_lifted(database: Database, hand_clock: HandClock) -> None:
    limits = Limits(database, ServerSecret(b"s" * 32), False, hand_clock)
    for _ in range(10):
        await limits.take(THREE, "a")
    assert await database.fetchval("SELECT count(*) FROM identity.attempt") == 0


async def test_subjects_are_not_kept_in_clear(limits: Limits, database: Database) -> None:
    await limits.take(THREE, "+6591234567")
    assert "6591234567" not in str(await database.fetch("SELECT a::text FROM identity.attempt a"))


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_addresses(address: str, subject: str) -> None:
    assert address_subject(address) == subject
