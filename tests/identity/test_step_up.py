"""Stepping up: what confirms a session, for how long, and what does not."""

import pytest
from tests.identity.authenticator import Authenticator, Lie
from tests.identity.conftest import ISSUER
from tests.identity.factors import STEP, add, seconds, sign_in, switch_on
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, code_for, other_code, session_of
from tests.identity.test_passkeys import WRONG

from tikiwallet import ids
from tikiwallet.identity.codes import CodeExpired, CodeWrong
from tikiwallet.identity.limits import TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passkeys import NoPasskey
from tikiwallet.identity.passwords import PasswordWrong
from tikiwallet.identity.people import Person
from tikiwallet.identity.relying_party import PasskeyInvalid
from tikiwallet.identity.second_factors import SecondFactorUnavailable
from tikiwallet.identity.sessions import Tokens
from tikiwallet.identity.step_up import (
    STEP_UP_SMS,
    STEP_UPS,
    STEP_UPS_DAY,
    FactorCodeRequired,
    ReauthenticationRequired,
)
from tikiwallet.notify.inbox import SandboxInbox


@pytest.fixture
def stale(session: bytes, hand_clock: HandClock) -> bytes:
    """A session whose sign-in no longer counts."""
    hand_clock.advance(600)
    return session


async def is_confirmed(identity: Identity, session: bytes) -> bool:
    try:
        await identity.step_up.require(session)
    except ReauthenticationRequired:
        return False
    return True


async def test_a_sign_in_counts_for_ten_minutes(
    identity: Identity, session: bytes, hand_clock: HandClock
) -> None:
    assert await is_confirmed(identity, session)
    hand_clock.advance(599)
    assert await is_confirmed(identity, session)
    hand_clock.advance(1)
    assert not await is_confirmed(identity, session)


async def test_refreshing_is_not_signing_in(
    identity: Identity, tokens: Tokens, stale: bytes
) -> None:
    await identity.sessions.refresh(tokens.refresh_token)
    assert not await is_confirmed(identity, stale)


async def test_the_password_confirms_this_session(
    identity: Identity, ana: Person, session: bytes, hand_clock: HandClock
) -> None:
    other = session_of(identity, await identity.sessions.login(ANA, PASSWORD))
    hand_clock.advance(600)
    await identity.step_up.by_password(ana.id, session, PASSWORD)
    assert await is_confirmed(identity, session)
    assert not await is_confirmed(identity, other)
    hand_clock.advance(600)
    assert not await is_confirmed(identity, session)
    await identity.step_up.by_password(ana.id, session, PASSWORD)
    assert await is_confirmed(identity, session)


async def test_an_ended_session_is_not_confirmed(identity: Identity, session: bytes) -> None:
    await identity.sessions.logout(session)
    assert not await is_confirmed(identity, session)
    assert not await is_confirmed(identity, ids.new_uuid7())


async def test_wrong_passwords_are_limited_by_session(
    identity: Identity, ana: Person, session: bytes, hand_clock: HandClock
) -> None:
    other = session_of(identity, await identity.sessions.login(ANA, PASSWORD))
    hand_clock.advance(600)
    for _ in range(STEP_UPS.most):
        with pytest.raises(PasswordWrong):
            await identity.step_up.by_password(ana.id, session, "wrong password")
    with pytest.raises(TooManyRequests):
        await identity.step_up.by_password(ana.id, session, PASSWORD)
    assert not await is_confirmed(identity, session)
    # Whoever stole one session does not shut the owner's other one.
    await identity.step_up.by_password(ana.id, other, PASSWORD)
    for _ in range(STEP_UPS_DAY.most // STEP_UPS.most - 1):
        hand_clock.advance(STEP_UPS.window.total_seconds())
        for _ in range(STEP_UPS.most):
            with pytest.raises(PasswordWrong):
                await identity.step_up.by_password(ana.id, session, "wrong password")
    hand_clock.advance(STEP_UPS.window.total_seconds())
    with pytest.raises(TooManyRequests):
        await identity.step_up.by_password(ana.id, session, PASSWORD)


async def test_right_passwords_do_not_count(
    identity: Identity, ana: Person, session: bytes
) -> None:
    for _ in range(STEP_UPS_DAY.most + 1):
        await identity.step_up.by_password(ana.id, session, PASSWORD)


class TestWithAnApp:
    async def test_a_code_is_needed(
        self, identity: Identity, ana: Person, stale: bytes, hand_clock: HandClock
    ) -> None:
        app = await switch_on(identity, ana.id, hand_clock)
        hand_clock.advance(STEP)
        code = app.code(seconds(hand_clock))
        by_password = identity.step_up.by_password
        for _ in range(STEP_UPS.most + 1):
            with pytest.raises(FactorCodeRequired):
                await by_password(ana.id, stale, PASSWORD)
        # A wrong password is told first, so that a code is not used up for it.
        with pytest.raises(PasswordWrong):
            await by_password(ana.id, stale, "wrong password", code)
        with pytest.raises(PasswordWrong):
            await by_password(ana.id, stale, "wrong password")
        with pytest.raises(CodeWrong):
            await by_password(ana.id, stale, PASSWORD, other_code(code))
        assert not await is_confirmed(identity, stale)
        await by_password(ana.id, stale, PASSWORD, code)
        assert await is_confirmed(identity, stale)
        with pytest.raises(CodeWrong):
            await by_password(ana.id, stale, PASSWORD, code)

    async def test_a_recovery_code_will_do(
        self, identity: Identity, ana: Person, stale: bytes, hand_clock: HandClock
    ) -> None:
        await switch_on(identity, ana.id, hand_clock)
        (code, *_) = await identity.second_factors.new_recovery_codes(ana.id)
        await identity.step_up.by_password(ana.id, stale, PASSWORD, code)
        assert await is_confirmed(identity, stale)
        with pytest.raises(CodeWrong):
            await identity.step_up.by_password(ana.id, stale, PASSWORD, code)

    async def test_wrong_codes_are_limited(
        self, identity: Identity, ana: Person, stale: bytes, hand_clock: HandClock
    ) -> None:
        app = await switch_on(identity, ana.id, hand_clock)
        hand_clock.advance(STEP)
        code = app.code(seconds(hand_clock))
        for _ in range(STEP_UPS.most):
            with pytest.raises(CodeWrong):
                await identity.step_up.by_password(ana.id, stale, PASSWORD, other_code(code))
        with pytest.raises(TooManyRequests):
            await identity.step_up.by_password(ana.id, stale, PASSWORD, code)


class TestBySms:
    @pytest.fixture(autouse=True)
    async def on(self, identity: Identity, ana: Person) -> None:
        await identity.second_factors.set_sms(ana.id, True)

    async def test_the_password_alone_no_longer_does(
        self, identity: Identity, ana: Person, stale: bytes
    ) -> None:
        with pytest.raises(FactorCodeRequired) as needed:
            await identity.step_up.by_password(ana.id, stale, PASSWORD)
        assert needed.value.extra == {"methods": ["sms"]}
        assert not await is_confirmed(identity, stale)

    async def test_a_code_confirms_and_works_once(
        self,
        identity: Identity,
        ana: Person,
        stale: bytes,
        inbox: SandboxInbox,
        hand_clock: HandClock,
    ) -> None:
        for wait in (30, 60):  # a session may be confirmed again
            assert await identity.step_up.send_sms(ana.id, stale) == wait
            (message, *_) = await inbox.messages(ANA)
            assert "confirms a change" in message["text"]
            code = await code_for(inbox, ANA)
            await identity.step_up.by_password(ana.id, stale, PASSWORD, code)
            assert await is_confirmed(identity, stale)
            with pytest.raises(CodeExpired):
                await identity.step_up.by_password(ana.id, stale, PASSWORD, code)
            hand_clock.advance(600)

    async def test_five_tries_for_one_code(
        self, identity: Identity, ana: Person, stale: bytes, inbox: SandboxInbox
    ) -> None:
        await identity.step_up.send_sms(ana.id, stale)
        code = await code_for(inbox, ANA)
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await identity.step_up.by_password(ana.id, stale, PASSWORD, other_code(code))
        with pytest.raises(CodeExpired):
            await identity.step_up.by_password(ana.id, stale, PASSWORD, code)
        assert not await is_confirmed(identity, stale)

    async def test_a_code_is_for_one_session_and_five_minutes(
        self,
        identity: Identity,
        ana: Person,
        session: bytes,
        inbox: SandboxInbox,
        hand_clock: HandClock,
    ) -> None:
        await identity.second_factors.set_sms(ana.id, False)
        other = session_of(identity, await identity.sessions.login(ANA, PASSWORD))
        await identity.second_factors.set_sms(ana.id, True)
        hand_clock.advance(600)
        await identity.step_up.send_sms(ana.id, session)
        code = await code_for(inbox, ANA)
        with pytest.raises(CodeExpired):
            await identity.step_up.by_password(ana.id, other, PASSWORD, code)
        hand_clock.advance(300)
        with pytest.raises(CodeExpired):
            await identity.step_up.by_password(ana.id, session, PASSWORD, code)

    async def test_messages_are_limited_by_session(
        self, identity: Identity, ana: Person, stale: bytes, inbox: SandboxInbox
    ) -> None:
        before = len(await inbox.messages(ANA))
        await identity.step_up.send_sms(ana.id, stale)
        with pytest.raises(TooManyRequests) as early:
            await identity.step_up.send_sms(ana.id, stale)
        assert early.value.extra == {"retry_after": STEP_UP_SMS.waits[0].seconds}
        assert len(await inbox.messages(ANA)) == before + 1

    async def test_with_an_app_beside_it_either_does(
        self,
        identity: Identity,
        ana: Person,
        stale: bytes,
        inbox: SandboxInbox,
        hand_clock: HandClock,
    ) -> None:
        app = await switch_on(identity, ana.id, hand_clock)
        hand_clock.advance(STEP)
        await identity.step_up.send_sms(ana.id, stale)
        code = app.code(seconds(hand_clock))
        await identity.step_up.by_password(ana.id, stale, PASSWORD, code)
        await identity.step_up.by_password(ana.id, stale, PASSWORD, await code_for(inbox, ANA))
        with pytest.raises(CodeWrong):
            await identity.step_up.by_password(ana.id, stale, PASSWORD, code)

    async def test_only_where_it_signs_in(
        self, identity: Identity, ana: Person, stale: bytes, hand_clock: HandClock
    ) -> None:
        await identity.second_factors.set_sms(ana.id, False)
        with pytest.raises(SecondFactorUnavailable):
            await identity.step_up.send_sms(ana.id, stale)
        await add(identity, ana, Authenticator(ISSUER))  # its loss must not lock out
        await identity.step_up.send_sms(ana.id, stale)
        await switch_on(identity, ana.id, hand_clock)
        with pytest.raises(SecondFactorUnavailable):
            await identity.step_up.send_sms(ana.id, stale)


class TestWithAPasskey:
    async def confirm(
        self, identity: Identity, ana: Person, session: bytes, device: Authenticator, lie: Lie
    ) -> None:
        options = await identity.step_up.passkey_options(ana.id, session)
        await identity.step_up.by_passkey(ana.id, session, device.get(options, lie))

    async def test_a_passkey_confirms(
        self, identity: Identity, ana: Person, device: Authenticator, stale: bytes
    ) -> None:
        await self.confirm(identity, ana, stale, device, Lie())
        assert await is_confirmed(identity, stale)

    @pytest.mark.parametrize("name", sorted(WRONG.keys() - {"nobody named"}))
    async def test_lies(
        self, identity: Identity, ana: Person, device: Authenticator, stale: bytes, name: str
    ) -> None:
        with pytest.raises(PasskeyInvalid):
            await self.confirm(identity, ana, stale, device, WRONG[name])
        assert not await is_confirmed(identity, stale)

    async def test_an_answer_is_for_one_session_and_once(
        self, identity: Identity, ana: Person, device: Authenticator, hand_clock: HandClock
    ) -> None:
        mine = session_of(identity, await sign_in(identity, device))
        other = session_of(identity, await sign_in(identity, device))
        hand_clock.advance(600)
        options = await identity.step_up.passkey_options(ana.id, mine)
        with pytest.raises(PasskeyInvalid):
            await identity.step_up.by_passkey(ana.id, other, device.get(options))
        options = await identity.step_up.passkey_options(ana.id, mine)
        answer = device.get(options)
        await identity.step_up.by_passkey(ana.id, mine, answer)
        hand_clock.advance(600)
        with pytest.raises(PasskeyInvalid):
            await identity.step_up.by_passkey(ana.id, mine, answer)
        assert not await is_confirmed(identity, mine)
        assert not await is_confirmed(identity, other)

    async def test_the_password_alone_does_not(
        self, identity: Identity, ana: Person, device: Authenticator, stale: bytes
    ) -> None:
        with pytest.raises(FactorCodeRequired) as needed:
            await identity.step_up.by_password(ana.id, stale, PASSWORD)
        assert needed.value.extra == {"methods": ["passkey", "sms"]}

    async def test_without_one(self, identity: Identity, ana: Person, session: bytes) -> None:
        with pytest.raises(NoPasskey):
            await identity.step_up.passkey_options(ana.id, session)
