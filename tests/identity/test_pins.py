"""Payment PINs: rules, tries, the lock, and many right ones at once."""

import asyncio

import pytest

from tikiwallet.database.pool import Database
from tikiwallet.errors import Overloaded
from tikiwallet.identity.hashing import Cost, Hashing
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.pins import (
    CurrentPinRequired,
    PinLocked,
    PinMalformed,
    PinNotSet,
    Pins,
    PinWeak,
    PinWrong,
    check_rules,
)

PIN, OTHER = "482916", "730518"


@pytest.mark.parametrize(
    "pin",
    [
        "000000",
        "111111",
        "123456",
        "654321",
        "012345",
        "567890",
        "098765",
        "121212",
        "112211",
        "123123",
        "907907",
        "112233",
    ],
)
def test_weak(pin: str) -> None:
    with pytest.raises(PinWeak):
        check_rules(pin)


@pytest.mark.parametrize("pin", ["", "48291", "4829161", "48291a", "４８２９１６", "482916\n"])
def test_malformed(pin: str) -> None:
    with pytest.raises(PinMalformed):
        check_rules(pin)


async def test_set_verify_change(identity: Identity, person: int) -> None:
    pins = identity.pins
    with pytest.raises(PinNotSet):
        await pins.verify_pin(person, PIN)
    assert not await pins.is_set(person)
    await pins.set_pin(person, PIN)
    assert await pins.is_set(person)
    await pins.verify_pin(person, PIN)
    with pytest.raises(CurrentPinRequired):
        await pins.set_pin(person, OTHER)
    with pytest.raises(PinWrong):
        await pins.set_pin(person, OTHER, "730519")
    await pins.set_pin(person, OTHER, PIN)
    await pins.verify_pin(person, OTHER)
    with pytest.raises(PinWrong):
        await pins.verify_pin(person, PIN)


async def test_five_wrong_tries_lock(identity: Identity, database: Database, person: int) -> None:
    pins = identity.pins
    await pins.set_pin(person, PIN)
    for left in (4, 3, 2, 1):
        with pytest.raises(PinWrong) as wrong:
            await pins.verify_pin(person, OTHER)
        assert wrong.value.extra == {"tries_left": left}
    with pytest.raises(PinLocked):
        await pins.verify_pin(person, OTHER)
    for attempt in (PIN, OTHER):
        with pytest.raises(PinLocked):
            await pins.verify_pin(person, attempt)
    with pytest.raises(PinLocked):
        await pins.set_pin(person, OTHER, PIN)
    async with database.transaction() as connection:
        assert await pins.remove(connection, person)
    await pins.set_pin(person, OTHER)
    await pins.verify_pin(person, OTHER)


async def test_a_right_pin_gives_the_tries_back(identity: Identity, person: int) -> None:
    await identity.pins.set_pin(person, PIN)
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(PinWrong):
                await identity.pins.verify_pin(person, OTHER)
        with pytest.raises(PinMalformed):
            await identity.pins.verify_pin(person, "12")
        await identity.pins.verify_pin(person, PIN)


async def test_many_right_pins_at_once_do_not_lock(identity: Identity, person: int) -> None:
    await identity.pins.set_pin(person, PIN)
    await asyncio.gather(*(identity.pins.verify_pin(person, PIN) for _ in range(12)))


async def test_many_wrong_pins_at_once_get_five_tries(identity: Identity, person: int) -> None:
    await identity.pins.set_pin(person, PIN)
    begun = identity.hashing.count
    answers = await asyncio.gather(
        *(identity.pins.verify_pin(person, f"73051{n}") for n in range(9)), return_exceptions=True
    )
    assert sum(isinstance(answer, PinWrong) for answer in answers) == 4
    assert sum(isinstance(answer, PinLocked) for answer in answers) == 5
    assert identity.hashing.count - begun == 5


async def test_two_first_pins_at_once(identity: Identity, person: int) -> None:
    answers = await asyncio.gather(
        identity.pins.set_pin(person, PIN),
        identity.pins.set_pin(person, OTHER),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["CurrentPinRequired", "NoneType"]
    await identity.pins.verify_pin(person, PIN if answers[0] is None else OTHER)


async def test_a_full_line_costs_no_try(
    identity: Identity, database: Database, person: int
) -> None:
    cheap = Cost(passes=1, memory_kib=64)
    hashing = Hashing(threads=1, waiting=0)
    pins = Pins(database, hashing, ServerSecret(b"s" * 32), identity.events, cheap)
    await pins.set_pin(person, PIN)
    # The one thread is kept busy, so that every check finds the line full.
    busy = asyncio.create_task(hashing.make(b"x", Cost(passes=40, memory_kib=65_536)))
    await asyncio.sleep(0)
    for _ in range(8):
        with pytest.raises(Overloaded):
            await pins.verify_pin(person, PIN)
    await busy
    while True:
        try:
            await pins.verify_pin(person, PIN)
            break
        except Overloaded:
            await asyncio.sleep(0.001)
    hashing.close()


async def test_a_stolen_row_is_of_no_use_without_the_key(
    identity: Identity, database: Database, person: int
) -> None:
    await identity.pins.set_pin(person, PIN)
    elsewhere = Pins(database, identity.hashing, ServerSecret(b"s" * 32), identity.events)
    with pytest.raises(PinWrong):
        await elsewhere.verify_pin(person, PIN)
