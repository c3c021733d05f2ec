"""The second step of a sign-in, with each factor and every wrong answer."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import pytest
from tests.identity.authenticator import Authenticator, Lie
from tests.identity.authenticator_app import AuthenticatorApp
from tests.identity.conftest import ISSUER
from tests.identity.factors import STEP, add, seconds, sign_in, switch_on
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, code_for, other_code, sign_up
from tests.identity.test_passkeys import WRONG

from tikiwallet.database.pool import Database
from tikiwallet.identity import housekeeping
from tikiwallet.identity.codes import CodeExpired, CodeWrong
from tikiwallet.identity.familiar import KEEP, FamiliarPlaces
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.limits import TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.people import Person
from tikiwallet.identity.relying_party import PasskeyInvalid
from tikiwallet.identity.second_factors import SecondFactorUnavailable
from tikiwallet.identity.second_step import (
    FACTOR_SMS_DAY,
    FACTOR_TRIES,
    FACTOR_TRIES_DAY,
    SMS_WAITS,
    TRIES,
    SecondFactorUnknown,
)
from tikiwallet.identity.sessions import Factor, SecondFactorRequired, Tokens
from tikiwallet.notify.inbox import SandboxInbox

BEN = "+6598765432"
HOME, STRANGER = "192.0.2.1", "203.0.113.9"
NO_CHALLENGE = "018c0000-0000-7000-8000-000000000000"


@pytest.fixture
async def app(identity: Identity, ana: Person, hand_clock: HandClock) -> AuthenticatorApp:
    app = await switch_on(identity, ana.id, hand_clock)
    hand_clock.advance(STEP)
    return app


async def asked(
    identity: Identity, phone: str = ANA, address: str | None = None
) -> SecondFactorRequired:
    """What the password gets."""
    with pytest.raises(SecondFactorRequired) as problem:
        await identity.sessions.login(phone, PASSWORD, address)
    return problem.value


async def challenge(identity: Identity, phone: str = ANA, address: str | None = None) -> str:
    return str((await asked(identity, phone, address)).extra["challenge_id"])


async def methods(identity: Identity) -> object:
    return (await asked(identity)).extra["methods"]


def right_ones(answers: list[object]) -> int:
    return sum(isinstance(answer, Tokens) for answer in answers)


class TestWhatIsAsked:
    async def test_the_person_chooses(
        self, identity: Identity, ana: Person, hand_clock: HandClock
    ) -> None:
        factors = identity.second_factors
        assert not await factors.is_on(ana.id)
        assert (await identity.sessions.login(ANA, PASSWORD)).person_id == ana.text_id
        await factors.set_sms(ana.id, True)
        assert await methods(identity) == ["sms"]
        await factors.new_recovery_codes(ana.id)
        assert await methods(identity) == ["sms", "recovery_code"]
        await switch_on(identity, ana.id, hand_clock)
        assert await methods(identity) == ["totp", "sms", "recovery_code"]
        passkey = await add(identity, ana, Authenticator(ISSUER))
        assert await methods(identity) == ["passkey", "totp", "sms", "recovery_code"]
        await factors.set_sms(ana.id, False)
        assert await methods(identity) == ["passkey", "totp", "recovery_code"]
        await factors.remove_totp(ana.id)
        # A lost phone takes its passkey along; the number stays.
        assert await methods(identity) == ["passkey", "sms", "recovery_code"]
        await factors.remove_passkey(ana.id, passkey.text_id)
        assert (await identity.sessions.login(ANA, PASSWORD)).person_id == ana.text_id

    async def test_everything_can_be_forgotten(
        self, identity: Identity, ana: Person, hand_clock: HandClock, database: Database
    ) -> None:
        device = Authenticator(ISSUER)
        await switch_on(identity, ana.id, hand_clock)
        await add(identity, ana, device)
        await identity.second_factors.set_sms(ana.id, True)
        pending = await challenge(identity)
        async with database.transaction() as connection:
            await identity.second_factors.forget_all(connection, ana.id)
        factors = await identity.second_factors.factors(ana.id)
        assert (factors.on, factors.recovery_codes) == (False, 0)
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.answer(pending, "123456")
        with pytest.raises(PasskeyInvalid):
            await sign_in(identity, device)
        await identity.sessions.login(ANA, PASSWORD)

    async def test_what_can_be_typed(
        self, identity: Identity, ana: Person, hand_clock: HandClock
    ) -> None:
        factors = identity.second_factors
        await add(identity, ana, Authenticator(ISSUER))
        found = await factors.factors(ana.id)
        assert (found.on, found.typed) == (True, False)
        await factors.new_recovery_codes(ana.id)
        assert (await factors.factors(ana.id)).typed
        await switch_on(identity, ana.id, hand_clock)
        assert (await factors.factors(ana.id)).typed

    async def test_sign_ins_under_way_can_be_ended(
        self, identity: Identity, app: AuthenticatorApp, ana: Person, database: Database
    ) -> None:
        pending = await challenge(identity)
        async with database.transaction() as connection:
            await identity.second_factors.end_challenges(connection, ana.id)
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.answer(pending, "123456")
        await challenge(identity)

    async def test_a_challenge_says_how_long(self, identity: Identity, app: object) -> None:
        assert (await asked(identity)).extra["expires_in"] == 300


class TestTotp:
    async def test_a_code_signs_in(
        self, identity: Identity, ana: Person, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        for method in (None, Factor.TOTP):
            hand_clock.advance(STEP)
            code = app.code(seconds(hand_clock))
            tokens = await identity.second_step.answer(await challenge(identity), code, method)
            assert tokens.person_id == ana.text_id

    async def test_five_tries(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        pending = await challenge(identity)
        code = app.code(seconds(hand_clock))
        for left in range(TRIES - 1, -1, -1):
            with pytest.raises(CodeWrong) as wrong:
                await identity.second_step.answer(pending, other_code(code))
            assert wrong.value.extra == {"tries_left": left}
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.answer(pending, code)
        await identity.second_step.answer(await challenge(identity), code)

    async def test_five_tries_at_once(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        pending = await challenge(identity)
        code = app.code(seconds(hand_clock))
        answers = await asyncio.gather(
            *(identity.second_step.answer(pending, other_code(code)) for _ in range(9)),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, CodeWrong) for answer in answers) == TRIES
        assert sum(isinstance(answer, SecondFactorUnknown) for answer in answers) == 9 - TRIES

    async def test_a_replayed_code(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        code = app.code(seconds(hand_clock))
        await identity.second_step.answer(await challenge(identity), code)
        with pytest.raises(CodeWrong):
            await identity.second_step.answer(await challenge(identity), code)

    async def test_an_answered_challenge(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        pending = await challenge(identity)
        await identity.second_step.answer(pending, app.code(seconds(hand_clock)))
        hand_clock.advance(STEP)
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.answer(pending, app.code(seconds(hand_clock)))

    async def test_a_challenge_runs_out(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        pending = await challenge(identity)
        hand_clock.advance(300)
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.answer(pending, app.code(seconds(hand_clock)))

    @pytest.mark.parametrize("id", ["", "x", NO_CHALLENGE, "\0", "é" * 36])
    async def test_unknown_challenges(self, identity: Identity, id: str) -> None:
        step = identity.second_step
        calls: list[Awaitable[object]] = [
            step.answer(id, "123456"),
            step.send_sms(id),
            step.passkey_options(id),
            step.answer_passkey(id, {}),
        ]
        for call in calls:
            with pytest.raises(SecondFactorUnknown):
                await call

    async def test_somebody_elses_challenge(
        self,
        identity: Identity,
        app: AuthenticatorApp,
        hand_clock: HandClock,
        inbox: SandboxInbox,
    ) -> None:
        ben = (await sign_up(identity, inbox, BEN, "ben"))[0]
        await switch_on(identity, ben.id, hand_clock)
        with pytest.raises(CodeWrong):
            await identity.second_step.answer(
                await challenge(identity, BEN), app.code(seconds(hand_clock))
            )

    async def test_a_method_that_is_not_set_up(self, identity: Identity, ana: Person) -> None:
        await identity.second_factors.set_sms(ana.id, True)
        pending = await challenge(identity)
        for method in (Factor.TOTP, Factor.RECOVERY_CODE, Factor.PASSKEY):
            for _ in range(TRIES):
                with pytest.raises(SecondFactorUnavailable):
                    await identity.second_step.answer(pending, "123456", method)
        with pytest.raises(SecondFactorUnavailable):
            await identity.second_step.passkey_options(pending)
        await identity.second_step.send_sms(pending)


class TestGuessing:
    """Over many challenges, by somebody who has the password."""

    async def guess(self, identity: Identity, code: str, times: int, address: str) -> None:
        for _ in range(times // TRIES):
            pending = await challenge(identity, ANA, address)
            for _ in range(TRIES):
                with pytest.raises(CodeWrong):
                    await identity.second_step.answer(pending, code, None, address)

    async def test_a_stranger_is_stopped_and_the_owner_is_not(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock, ana: Person
    ) -> None:
        recovery_codes = await identity.second_factors.new_recovery_codes(ana.id)
        code = app.code(seconds(hand_clock))
        await identity.second_step.answer(await challenge(identity, ANA, HOME), code, None, HOME)
        wrong = other_code(app.code(seconds(hand_clock) + STEP))
        await self.guess(identity, wrong, FACTOR_TRIES.most, STRANGER)
        pending = await challenge(identity, ANA, STRANGER)
        hand_clock.advance(STEP)
        code = app.code(seconds(hand_clock))
        with pytest.raises(TooManyRequests):
            await identity.second_step.answer(pending, code, None, STRANGER)
        # What cannot be guessed is never stopped, and neither is the owner's place.
        await identity.second_step.answer(pending, recovery_codes[0], None, STRANGER)
        await identity.second_step.answer(await challenge(identity, ANA, HOME), code, None, HOME)

    async def test_in_a_day(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        for _ in range(FACTOR_TRIES_DAY.most // 10):
            wrong = other_code(app.code(seconds(hand_clock)))
            await self.guess(identity, wrong, 10, STRANGER)
            hand_clock.advance(FACTOR_TRIES.window.total_seconds())
        pending = await challenge(identity, ANA, STRANGER)
        with pytest.raises(TooManyRequests):
            await identity.second_step.answer(
                pending, app.code(seconds(hand_clock)), None, STRANGER
            )

    async def test_right_codes_do_not_count(
        self, identity: Identity, app: AuthenticatorApp, hand_clock: HandClock
    ) -> None:
        for _ in range(FACTOR_TRIES_DAY.most + 5):
            hand_clock.advance(STEP)
            code = app.code(seconds(hand_clock))
            await identity.second_step.answer(await challenge(identity), code)


class TestSms:
    @pytest.fixture(autouse=True)
    async def on(self, identity: Identity, ana: Person) -> None:
        await identity.second_factors.set_sms(ana.id, True)

    async def test_a_code_is_sent_and_signs_in(
        self, identity: Identity, ana: Person, inbox: SandboxInbox
    ) -> None:
        for method in (None, Factor.SMS):
            pending = await challenge(identity)
            assert await identity.second_step.send_sms(pending) == SMS_WAITS[0]
            (message, *_) = await inbox.messages(ANA)
            assert "sign in" in message["text"]
            code = await code_for(inbox, ANA)
            tokens = await identity.second_step.answer(pending, code, method)
            assert tokens.person_id == ana.text_id

    async def test_nothing_was_sent(self, identity: Identity, inbox: SandboxInbox) -> None:
        before = await inbox.messages(ANA)
        pending = await challenge(identity)
        with pytest.raises(CodeWrong):
            await identity.second_step.answer(pending, "123456", Factor.SMS)
        assert await inbox.messages(ANA) == before

    async def test_a_code_is_for_one_challenge(
        self, identity: Identity, inbox: SandboxInbox
    ) -> None:
        first, second = await challenge(identity), await challenge(identity)
        await identity.second_step.send_sms(first)
        code = await code_for(inbox, ANA)
        await identity.second_step.send_sms(second)
        if code != await code_for(inbox, ANA):
            with pytest.raises(CodeWrong):
                await identity.second_step.answer(second, code)
        await identity.second_step.answer(first, code)

    async def test_waits_grow_and_only_the_newest_works(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        pending = await challenge(identity)
        former = ""
        for wait in SMS_WAITS:
            assert await identity.second_step.send_sms(pending) == wait
            with pytest.raises(TooManyRequests) as early:
                await identity.second_step.send_sms(pending)
            assert early.value.extra == {"retry_after": wait}
            hand_clock.advance(wait - 1)
            with pytest.raises(TooManyRequests) as early:
                await identity.second_step.send_sms(pending)
            assert early.value.extra == {"retry_after": 1}
            former = await code_for(inbox, ANA)
            hand_clock.advance(1)
        assert await identity.second_step.send_sms(pending) == 300 - sum(SMS_WAITS)
        with pytest.raises(TooManyRequests):
            await identity.second_step.send_sms(pending)
        newest = await code_for(inbox, ANA)
        if newest != former:
            with pytest.raises(CodeWrong):
                await identity.second_step.answer(pending, former)
        await identity.second_step.answer(pending, newest)

    async def test_an_old_code(
        self, identity: Identity, inbox: SandboxInbox, database: Database, hand_clock: HandClock
    ) -> None:
        pending = await challenge(identity)
        await identity.second_step.send_sms(pending)
        hand_clock.advance(200)
        await database.execute(
            "UPDATE identity.challenge SET expires_at = expires_at + $1", timedelta(minutes=5)
        )
        hand_clock.advance(100)
        code = await code_for(inbox, ANA)
        with pytest.raises(CodeExpired):
            await identity.second_step.answer(pending, code, Factor.SMS)
        with pytest.raises(CodeWrong):
            await identity.second_step.answer(pending, code)

    async def test_a_registrations_code_is_none(
        self, identity: Identity, inbox: SandboxInbox
    ) -> None:
        registration = (await identity.registration.register(BEN, "ben", PASSWORD, HOME)).id
        code = await code_for(inbox, BEN)
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.answer(registration, code)

    async def test_messages_of_a_day(
        self, identity: Identity, hand_clock: HandClock, inbox: SandboxInbox
    ) -> None:
        for _ in range(FACTOR_SMS_DAY.most):
            await identity.second_step.send_sms(await challenge(identity))
        with pytest.raises(TooManyRequests):
            await identity.second_step.send_sms(await challenge(identity))
        hand_clock.advance(86_400)
        await identity.second_step.send_sms(await challenge(identity))

    async def test_who_uses_no_sms_gets_none(
        self, identity: Identity, ana: Person, app: AuthenticatorApp, inbox: SandboxInbox
    ) -> None:
        await identity.second_factors.set_sms(ana.id, False)
        pending = await challenge(identity)
        before = await inbox.messages(ANA)
        with pytest.raises(SecondFactorUnavailable):
            await identity.second_step.send_sms(pending)
        assert await inbox.messages(ANA) == before


class TestRecoveryCodes:
    async def test_a_code_signs_in_once(
        self, identity: Identity, ana: Person, app: AuthenticatorApp
    ) -> None:
        codes = await identity.second_factors.new_recovery_codes(ana.id)
        step = identity.second_step
        await step.answer(await challenge(identity), codes[0])
        await step.answer(await challenge(identity), codes[1].upper(), Factor.RECOVERY_CODE)
        for code in codes[:2]:
            with pytest.raises(CodeWrong):
                await step.answer(await challenge(identity), code)
        with pytest.raises(CodeWrong):
            await step.answer(await challenge(identity), codes[2], Factor.TOTP)

    async def test_one_challenge_uses_up_one_code(
        self, identity: Identity, ana: Person, app: AuthenticatorApp
    ) -> None:
        codes = await identity.second_factors.new_recovery_codes(ana.id)
        pending = await challenge(identity)
        answers = await asyncio.gather(
            *(identity.second_step.answer(pending, code) for code in codes[:4]),
            return_exceptions=True,
        )
        assert right_ones(list(answers)) == 1
        assert (await identity.second_factors.factors(ana.id)).recovery_codes == 9


class TestPasskeys:
    async def answer(
        self, identity: Identity, pending: str, device: Authenticator, lie: Lie
    ) -> Tokens:
        options = await identity.second_step.passkey_options(pending)
        return await identity.second_step.answer_passkey(pending, device.get(options, lie))

    async def test_a_passkey_signs_in(
        self, identity: Identity, ana: Person, device: Authenticator
    ) -> None:
        # The password was one factor already: who is there need not be asked again.
        for lie in (Lie(), Lie(user_verified=False), Lie(handle=None)):
            tokens = await self.answer(identity, await challenge(identity), device, lie)
            assert tokens.person_id == ana.text_id

    @pytest.mark.parametrize("name", sorted(WRONG.keys() - {"nobody verified", "nobody named"}))
    async def test_lies(self, identity: Identity, device: Authenticator, name: str) -> None:
        with pytest.raises(PasskeyInvalid):
            await self.answer(identity, await challenge(identity), device, WRONG[name])

    async def test_five_tries(self, identity: Identity, device: Authenticator) -> None:
        pending = await challenge(identity)
        lie = Lie(signature=b"x" * 70)
        for _ in range(TRIES):
            with pytest.raises(PasskeyInvalid):
                await self.answer(identity, pending, device, lie)
        with pytest.raises(SecondFactorUnknown):
            await identity.second_step.passkey_options(pending)

    async def test_an_answer_is_for_one_challenge(
        self, identity: Identity, device: Authenticator
    ) -> None:
        first, second = await challenge(identity), await challenge(identity)
        options = await identity.second_step.passkey_options(first)
        with pytest.raises(PasskeyInvalid):
            await identity.second_step.answer_passkey(second, device.get(options))

    async def test_an_answer_to_something_else(
        self, identity: Identity, device: Authenticator
    ) -> None:
        pending = await challenge(identity)
        _, options = await identity.passkey_sign_in.options()
        with pytest.raises(PasskeyInvalid):
            await identity.second_step.answer_passkey(pending, device.get(options))
        options = await identity.second_step.passkey_options(pending)
        id, _ = await identity.passkey_sign_in.options()
        with pytest.raises(PasskeyInvalid):
            await identity.passkey_sign_in.sign_in(id, device.get(options))

    async def test_somebody_elses_passkey(
        self, identity: Identity, device: Authenticator, inbox: SandboxInbox
    ) -> None:
        ben = (await sign_up(identity, inbox, BEN, "ben"))[0]
        bens = Authenticator(ISSUER)
        await add(identity, ben, bens)
        pending = await challenge(identity)
        options = await identity.second_step.passkey_options(pending)
        assert len(options["allowCredentials"]) == 1
        answer = bens.get({**options, "allowCredentials": []})
        with pytest.raises(PasskeyInvalid):
            await identity.second_step.answer_passkey(pending, answer)

    async def test_one_challenge_opens_one_session(self, identity: Identity, ana: Person) -> None:
        device = Authenticator(ISSUER, synced=True)  # whose answers all count
        await add(identity, ana, device)
        pending = await challenge(identity)
        answers = [
            device.get(await identity.second_step.passkey_options(pending)) for _ in range(4)
        ]
        results = await asyncio.gather(
            *(identity.second_step.answer_passkey(pending, answer) for answer in answers),
            return_exceptions=True,
        )
        assert right_ones(list(results)) == 1
        assert sum(isinstance(result, SecondFactorUnknown) for result in results) == 3


async def test_what_has_run_out_is_removed(
    identity: Identity, app: object, ana: Person, database: Database, hand_clock: HandClock
) -> None:
    await challenge(identity, ANA, STRANGER)
    await identity.passkey_sign_in.options()
    await identity.totp.begin(ana.id, "ana")

    async def left() -> list[int]:
        tables = ("challenge", "ceremony", "totp_draft", "familiar_place")
        counts = [await database.fetchval(f"SELECT count(*) FROM identity.{t}") for t in tables]
        return [int(count) for count in counts]

    async with database.transaction() as connection:
        places = FamiliarPlaces(
            database,
            ServerSecret(b"s" * 32),
            identity.personal,
            identity.known_browsers,
            hand_clock,
        )
        await places.remember(connection, ANA, HOME)
    await housekeeping.prune(database, hand_clock)
    assert await left() == [1, 1, 1, 1]
    hand_clock.advance(3_600 + 301)
    await housekeeping.prune(database, hand_clock)
    assert await left() == [0, 0, 0, 1]
    hand_clock.advance(KEEP.total_seconds())
    await housekeeping.prune(database, hand_clock)
    assert await left() == [0, 0, 0, 0]
    assert await identity.totp.is_on(ana.id)
