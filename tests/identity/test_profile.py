"""What people may choose for themselves, and what needs more than a sign-in."""

import pytest
from tests.identity.hand_clock import HandClock

from tikiwallet.database.pool import Database
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity.names import NameInvalid
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.people import Person
from tikiwallet.identity.pins import PinNotSet, PinWrong
from tikiwallet.identity.profile import ProfileChanges
from tikiwallet.identity.step_up import ReauthenticationRequired
from tikiwallet.money import CURRENCIES

PIN = "482916"


async def person_now(identity: Identity, id: int) -> Person:
    found = await identity.people.person(id)
    assert found is not None
    return found


async def test_what_a_new_person_has(identity: Identity, signed_up: tuple[int, bytes]) -> None:
    person = await person_now(identity, signed_up[0])
    assert (person.display_name, person.language) == ("ana", None)
    assert person.home_currency == CURRENCIES["SGD"].number
    assert (person.pin_threshold, person.restricted_until) == (None, None)
    assert (person.notice_payments, person.notice_news) == (True, False)


async def test_each_member_alone(identity: Identity, signed_up: tuple[int, bytes]) -> None:
    person, session = signed_up
    change = identity.account.profile.change
    await change(person, session, {"display_name": " Ana\u00a0Nu\u0301n\u0303ez "})
    await change(person, session, {"language": "ar"})
    await change(person, session, {"home_currency": CURRENCIES["EUR"].number})
    await change(person, session, {"notice_news": True})
    await change(person, session, {"notice_payments": False})
    await change(person, session, {})
    now = await person_now(identity, person)
    assert (now.display_name, now.language, now.home_currency, now.pin_threshold) == (
        "Ana Núñez",
        "ar",
        CURRENCIES["EUR"].number,
        None,
    )
    assert (now.notice_news, now.notice_payments) == (True, False)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"display_name": "Меi"}, NameInvalid),
        ({"language": "tlh"}, InvalidRequest),
        ({"pin_threshold": -1}, InvalidRequest),
        ({"pin_threshold": 1_000_01}, InvalidRequest),
        ({"display_name": "Good Name", "language": "xx"}, InvalidRequest),
    ],
)
async def test_all_or_nothing(
    identity: Identity,
    signed_up: tuple[int, bytes],
    changes: ProfileChanges,
    problem: type[Exception],
) -> None:
    before = await person_now(identity, signed_up[0])
    with pytest.raises(problem):
        await identity.account.profile.change(*signed_up, {"notice_news": True, **changes})
    assert await person_now(identity, signed_up[0]) == before


async def test_nobody(identity: Identity, signed_up: tuple[int, bytes]) -> None:
    with pytest.raises(NotFound):
        await identity.account.profile.change(5, signed_up[1], {"language": "ar"})


class TestThreshold:
    async def test_lower_is_free_and_higher_is_not(
        self, identity: Identity, signed_up: tuple[int, bytes], hand_clock: HandClock
    ) -> None:
        person, session = signed_up
        change = identity.account.profile.change
        hand_clock.advance(601)  # the sign-in is no fresh one any more
        await change(person, session, {"pin_threshold": 0})
        await change(person, session, {"pin_threshold": 0})
        for higher in (1, 50_00, None):
            with pytest.raises(ReauthenticationRequired):
                await change(person, session, {"pin_threshold": higher})
        with pytest.raises(PinNotSet):
            await change(person, session, {"pin_threshold": 50_00}, pin=PIN)
        await identity.pins.set_pin(person, PIN)
        with pytest.raises(PinWrong):
            await change(person, session, {"pin_threshold": 50_00}, pin="730518")
        await change(person, session, {"pin_threshold": 1_000_00}, pin=PIN)
        await change(person, session, {"pin_threshold": None})
        assert (await identity.payers.of(person)).pin_free == 100_00

    async def test_a_fresh_sign_in_may_raise_it(
        self, identity: Identity, signed_up: tuple[int, bytes], database: Database
    ) -> None:
        person, session = signed_up
        await identity.account.profile.change(person, session, {"pin_threshold": 300_00})
        assert (await identity.payers.of(person)).pin_free == 300_00
        (event, *_), _ = await identity.events.page(database, person)
        assert (event.kind, event.detail) == (
            "pin_threshold_changed",
            {"before": 100_00, "after": 300_00},
        )

    async def test_a_name_in_the_trail_is_only_that_it_changed(
        self, identity: Identity, signed_up: tuple[int, bytes], database: Database
    ) -> None:
        await identity.account.profile.change(*signed_up, {"display_name": "Ana Secret"})
        (event, *_), _ = await identity.events.page(database, signed_up[0])
        assert (event.kind, event.detail) == ("name_changed", {})
