"""A new password ends every other sign-in; a removed PIN lowers the limits."""

import asyncio

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD

from tikiwallet.database.pool import Database
from tikiwallet.identity.limits import TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passwords import PasswordWeak, PasswordWrong
from tikiwallet.identity.pins import PinLocked, PinNotSet, PinWrong
from tikiwallet.identity.sessions import InvalidCredentials
from tikiwallet.identity.step_up import ReauthenticationRequired
from tikiwallet.identity.tokens import TokenRevoked
from tikiwallet.notify.inbox import SandboxInbox

NEW = "nine pears at noon"
PIN, OTHER = "482916", "730518"


async def newest_text(inbox: SandboxInbox) -> str:
    return (await inbox.messages(ANA))[0]["text"]


async def test_others_end_and_this_one_stays(
    identity: Identity, signed_up: tuple[int, bytes], inbox: SandboxInbox
) -> None:
    others = [await identity.sessions.login(ANA, PASSWORD) for _ in range(3)]
    await identity.account.password_change.change(*signed_up, PASSWORD, NEW)
    for other in others:
        with pytest.raises(TokenRevoked):
            identity.verifier.verify(f"Bearer {other.access_token}")
    assert [one.id for one in await identity.sessions.of(signed_up[0])] == [signed_up[1]]
    with pytest.raises(InvalidCredentials):
        await identity.sessions.login(ANA, PASSWORD)
    await identity.sessions.login(ANA, NEW)
    assert "password" in await newest_text(inbox)


async def test_the_current_one_is_needed(
    identity: Identity, signed_up: tuple[int, bytes], hand_clock: HandClock
) -> None:
    change = identity.account.password_change.change
    with pytest.raises(PasswordWrong):
        await change(*signed_up, "wrong password", NEW)
    with pytest.raises(PasswordWeak):
        await change(*signed_up, PASSWORD, "ana")
    with pytest.raises(PasswordWeak):
        await change(*signed_up, PASSWORD, "91234567")
    await identity.sessions.login(ANA, PASSWORD)


async def test_guessing_is_limited_by_session(
    identity: Identity, signed_up: tuple[int, bytes], hand_clock: HandClock
) -> None:
    person, thief = signed_up
    owner = identity.verifier.verify(
        f"Bearer {(await identity.sessions.login(ANA, PASSWORD)).access_token}"
    ).session
    change = identity.account.password_change.change
    for _ in range(10):
        with pytest.raises(PasswordWrong):
            await change(person, thief, "wrong password", NEW)
    with pytest.raises(TooManyRequests):
        await change(person, thief, PASSWORD, NEW)
    await change(person, owner, PASSWORD, NEW)


async def test_a_sign_in_that_began_with_the_old_password_does_not_survive(
    identity: Identity, signed_up: tuple[int, bytes]
) -> None:
    answers = await asyncio.gather(
        *(identity.sessions.login(ANA, PASSWORD) for _ in range(8)),
        identity.account.password_change.change(*signed_up, PASSWORD, NEW),
        return_exceptions=True,
    )
    assert answers[-1] is None
    assert [one.id for one in await identity.sessions.of(signed_up[0])] == [signed_up[1]]


class TestPinReset:
    async def test_a_locked_pin_goes_and_limits_are_lower(
        self,
        identity: Identity,
        signed_up: tuple[int, bytes],
        inbox: SandboxInbox,
        hand_clock: HandClock,
    ) -> None:
        person, session = signed_up
        await identity.pins.set_pin(person, PIN)
        for _ in range(4):
            with pytest.raises(PinWrong):
                await identity.pins.verify_pin(person, OTHER)
        with pytest.raises(PinLocked):
            await identity.pins.verify_pin(person, OTHER)
        await identity.account.pin_reset.reset(person, session)
        assert not await identity.pins.is_set(person)
        assert (await identity.payers.of(person)).restricted_until > hand_clock()
        assert "PIN" in await newest_text(inbox)
        await identity.pins.set_pin(person, OTHER)
        await identity.pins.verify_pin(person, OTHER)

    async def test_it_needs_a_strong_sign_in(
        self, identity: Identity, signed_up: tuple[int, bytes], hand_clock: HandClock
    ) -> None:
        person, session = signed_up
        await identity.pins.set_pin(person, PIN)
        hand_clock.advance(601)
        with pytest.raises(ReauthenticationRequired):
            await identity.account.pin_reset.reset(person, session)
        await identity.step_up.by_password(person, session, PASSWORD)
        await identity.account.pin_reset.reset(person, session)

    async def test_there_is_none(
        self, identity: Identity, signed_up: tuple[int, bytes], database: Database
    ) -> None:
        with pytest.raises(PinNotSet):
            await identity.account.pin_reset.reset(*signed_up)
        assert (await identity.payers.of(signed_up[0])).restricted_until == 0
