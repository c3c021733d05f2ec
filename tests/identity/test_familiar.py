"""Lockouts that cannot be used against the owner."""

from dataclasses import replace

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, code_for, sign_up

from tikiwallet.database.pool import Database
from tikiwallet.identity import sessions
from tikiwallet.identity.familiar import KEEP
from tikiwallet.identity.limits import (
    LOGINS_PER_ADDRESS,
    LOGINS_PER_PHONE,
    LOGINS_PER_PHONE_DAY,
    TooManyRequests,
)
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.sessions import InvalidCredentials
from tikiwallet.notify.inbox import SandboxInbox

NOBODY = "+6591234568"
HOME, AWAY, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.9"


@pytest.fixture
async def at_home(identity: Identity, inbox: SandboxInbox) -> None:
    await sign_up(identity, inbox, ANA, "ana")
    await identity.sessions.login(ANA, PASSWORD, HOME)


async def guess(identity: Identity, address: str, times: int, phone: str = ANA) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await identity.sessions.login(phone, "wrong password", address)


@pytest.mark.usefixtures("at_home")
async def test_strangers_do_not_lock_the_owner_out(
    identity: Identity, hand_clock: HandClock
) -> None:
    for _ in range(LOGINS_PER_PHONE_DAY.most // LOGINS_PER_PHONE.most):
        await guess(identity, STRANGER, LOGINS_PER_PHONE.most)
        with pytest.raises(TooManyRequests):
            await identity.sessions.login(ANA, PASSWORD, STRANGER)
        await identity.sessions.login(ANA, PASSWORD, HOME)
        hand_clock.advance(LOGINS_PER_PHONE.window.total_seconds())
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, AWAY)
    await identity.sessions.login(ANA, PASSWORD, HOME)


@pytest.mark.usefixtures("at_home")
async def test_guesses_from_home_are_limited_too(identity: Identity) -> None:
    await guess(identity, HOME, LOGINS_PER_PHONE.most)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, HOME)
    await identity.sessions.login(ANA, PASSWORD, AWAY)


@pytest.mark.usefixtures("at_home")
async def test_a_place_is_one_phones(identity: Identity) -> None:
    """Who shares an address with Ana gets no further with other phones."""
    await guess(identity, STRANGER, LOGINS_PER_PHONE.most, NOBODY)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(NOBODY, PASSWORD, HOME)


@pytest.mark.usefixtures("at_home")
async def test_a_place_is_forgotten(identity: Identity, hand_clock: HandClock) -> None:
    hand_clock.advance(KEEP.total_seconds())
    await guess(identity, STRANGER, LOGINS_PER_PHONE.most)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, HOME)


@pytest.mark.usefixtures("at_home")
async def test_nobody_reads_who_was_where(database: Database) -> None:
    (row,) = await database.fetch("SELECT * FROM identity.familiar_place")
    assert ANA not in repr(row)
    assert HOME not in repr(row)


async def test_where_somebody_registered_is_familiar(
    identity: Identity, inbox: SandboxInbox
) -> None:
    registration = (await identity.registration.register(ANA, "ana", PASSWORD, HOME)).id
    code = await code_for(inbox, ANA)
    await identity.registration.verify(registration, code, address=HOME)
    await guess(identity, STRANGER, LOGINS_PER_PHONE.most)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, AWAY)
    await identity.sessions.login(ANA, PASSWORD, HOME)


async def test_an_ipv6_network_is_one_place(identity: Identity, inbox: SandboxInbox) -> None:
    await sign_up(identity, inbox, ANA, "ana")
    await identity.sessions.login(ANA, PASSWORD, "2001:db8::1")
    await guess(identity, STRANGER, LOGINS_PER_PHONE.most)
    await identity.sessions.login(ANA, PASSWORD, "2001:db8::ffff:2")
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, "2001:db8:0:1::1")


async def test_right_sign_ins_do_not_count_against_an_address(
    at_home: None, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LOGINS_PER_ADDRESS", replace(LOGINS_PER_ADDRESS, most=2))
    for _ in range(3):  # people of one household
        await identity.sessions.login(ANA, PASSWORD, HOME)
    await guess(identity, HOME, 2)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, HOME)
