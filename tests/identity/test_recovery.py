"""Recovery: by phone, by name, with and without a second factor, stopped, guessed at."""

import re

import pytest
from tests.identity.authenticator_app import AuthenticatorApp
from tests.identity.factors import switch_on
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, code_for, other_code, sign_up
from tests.identity.trail import kinds

from tikiwallet import ids
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity.codes import CodeExpired, CodeWrong
from tikiwallet.identity.housekeeping import prune
from tikiwallet.identity.limits import TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passwords import PasswordWeak
from tikiwallet.identity.phones import PhoneInvalid
from tikiwallet.identity.recovery import (
    Proven,
    Recovery,
    RecoveryFactorRequired,
    RecoveryInvalid,
    RecoveryNotReady,
)
from tikiwallet.identity.sessions import InvalidCredentials, SecondFactorRequired
from tikiwallet.identity.tokens import TokenRevoked
from tikiwallet.notify.inbox import SandboxInbox

NOBODY = "+6591234568"
NEW = "nine pears at noon"
HOUR, DAY = 3_600, 86_400
HOME, STRANGER = "192.0.2.1", "203.0.113.9"


@pytest.fixture
def recovery(identity: Identity) -> Recovery:
    return identity.account.recovery


async def proven(
    recovery: Recovery, inbox: SandboxInbox, address: str | None = None
) -> tuple[str, Proven]:
    """A recovery by phone, proven with the code that came."""
    id, _ = await recovery.begin_by_phone(ANA, address)
    return id, await recovery.prove(id, code=await code_for(inbox, ANA))


async def use_app(identity: Identity, person: int, hand_clock: HandClock) -> AuthenticatorApp:
    """An authenticator app whose next code still works."""
    app = await switch_on(identity, person, hand_clock)
    hand_clock.advance(60)
    return app


def link_in(text: str) -> str:
    """The secret in the link of a text message."""
    found = re.search(r"http://localhost:8000/recovery/cancel#(\S+)$", text)
    assert found is not None, text
    return found[1]


class TestByPhone:
    async def test_the_whole_way(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        database: Database,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        id, told = await proven(recovery, inbox)
        assert (told.needs_factor, told.ready_without_at) == (False, None)
        hand_clock.advance(DAY - 1)
        with pytest.raises(RecoveryNotReady):
            await recovery.complete(id, told.secret, NEW)
        others = [await identity.sessions.login(ANA, PASSWORD) for _ in range(2)]
        hand_clock.advance(1)
        tokens = await recovery.complete(id, told.secret, NEW, address=HOME, device="Phone")
        for other in others:
            with pytest.raises(TokenRevoked):
                identity.verifier.verify(f"Bearer {other.access_token}")
        (session,) = await identity.sessions.of(person)
        assert (session.method, session.device) == ("recovery", "Phone")
        assert tokens.person_id == ids.write_id("p", person)
        with pytest.raises(InvalidCredentials):
            await identity.sessions.login(ANA, PASSWORD)
        await identity.sessions.login(ANA, NEW)
        facts = await identity.payers.of(person)
        assert facts.restricted_until == hand_clock() + DAY * 1_000_000
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(id, told.secret, PASSWORD)
        texts = [message["text"] for message in await inbox.messages(ANA)]
        assert "was recovered" in texts[0]
        assert link_in(texts[1])
        assert "recovery_completed" in await kinds(identity, database, person)

    async def test_with_an_authenticator_app_it_is_at_once(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        app = await use_app(identity, person, hand_clock)
        id, told = await proven(recovery, inbox)
        assert told.needs_factor
        code = app.code(hand_clock() // 1_000_000)
        with pytest.raises(RecoveryFactorRequired):
            await recovery.complete(id, told.secret, NEW)
        with pytest.raises(CodeWrong) as problem:
            await recovery.complete(id, told.secret, NEW, other_code(code))
        assert problem.value.extra == {"tries_left": 4}
        await recovery.complete(id, told.secret, NEW, code)
        with pytest.raises(SecondFactorRequired):  # the app stays
            await identity.sessions.login(ANA, NEW)

    async def test_with_a_recovery_code(
        self, identity: Identity, recovery: Recovery, inbox: SandboxInbox, person: int,
        hand_clock: HandClock,
    ) -> None:  # fmt: skip
        await use_app(identity, person, hand_clock)
        code, *_ = await identity.second_factors.new_recovery_codes(person)
        id, told = await proven(recovery, inbox)
        await recovery.complete(id, told.secret, NEW, f" {code.upper()} ")

    async def test_who_lost_the_factor_too_waits_longer_and_loses_it(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        await use_app(identity, person, hand_clock)
        id, told = await proven(recovery, inbox)
        hand_clock.advance(7 * DAY - 1)
        with pytest.raises(RecoveryFactorRequired):
            await recovery.complete(id, told.secret, NEW)
        hand_clock.advance(1)
        await recovery.complete(id, told.secret, NEW)
        assert not await identity.second_factors.is_on(person)

    async def test_factor_codes_cannot_be_guessed(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        app = await use_app(identity, person, hand_clock)
        id, told = await proven(recovery, inbox)
        code = app.code(hand_clock() // 1_000_000)
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await recovery.complete(id, told.secret, NEW, other_code(code))
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(id, told.secret, NEW, code)

    async def test_only_who_proved_it_completes_it(
        self, recovery: Recovery, inbox: SandboxInbox, person: int, hand_clock: HandClock
    ) -> None:
        id, told = await proven(recovery, inbox)
        begun, _ = await recovery.begin_by_phone(ANA, HOME)
        hand_clock.advance(DAY)
        for named, secret in (
            (id, ""),
            (id, told.secret + "x"),
            (id, "\ud800"),
            (begun, told.secret),
            (begun, ""),
            (ids.write_uuid(ids.new_uuid7()), told.secret),
            ("no id", told.secret),
        ):
            with pytest.raises(RecoveryInvalid):
                await recovery.complete(named, secret, NEW)
        with pytest.raises(PasswordWeak):
            await recovery.complete(id, told.secret, "ana")
        await recovery.complete(id, told.secret, NEW)

    async def test_codes_cannot_be_guessed(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        database: Database,
        person: int,
    ) -> None:
        id, _ = await recovery.begin_by_phone(ANA)
        code = await code_for(inbox, ANA)
        for left in (4, 3, 2, 1, 0):
            with pytest.raises(CodeWrong) as problem:
                await recovery.prove(id, code=other_code(code))
            assert problem.value.extra == {"tries_left": left}
        with pytest.raises(CodeExpired):
            await recovery.prove(id, code=code)
        assert (await kinds(identity, database, person)).count("recovery_code_failed") == 5

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "abcdef", "\ud800"])
    async def test_what_is_no_code(
        self, recovery: Recovery, inbox: SandboxInbox, person: int, code: str
    ) -> None:
        id, _ = await recovery.begin_by_phone(ANA)
        with pytest.raises(CodeWrong):
            await recovery.prove(id, code=code)

    async def test_a_password_proves_nothing_here(
        self, recovery: Recovery, inbox: SandboxInbox, person: int
    ) -> None:
        id, _ = await recovery.begin_by_phone(ANA)
        with pytest.raises(CodeWrong):
            await recovery.prove(id, password=PASSWORD)

    async def test_codes_and_recoveries_run_out(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        database: Database,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        id, _ = await recovery.begin_by_phone(ANA)
        code = await code_for(inbox, ANA)
        hand_clock.advance(301)
        with pytest.raises(CodeExpired):
            await recovery.prove(id, code=code)
        id, told = await proven(recovery, inbox, HOME)
        hand_clock.advance(8 * DAY)
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(id, told.secret, NEW)
        assert await recovery.pending(person) == []
        hand_clock.advance(31 * DAY)
        await prune(database, hand_clock)
        assert await database.fetchval("SELECT count(*) FROM identity.recovery") == 0

    async def test_a_code_works_once(
        self, recovery: Recovery, inbox: SandboxInbox, person: int
    ) -> None:
        id, _ = await recovery.begin_by_phone(ANA)
        code = await code_for(inbox, ANA)
        await recovery.prove(id, code=code)
        with pytest.raises(CodeExpired):
            await recovery.prove(id, code=code)

    async def test_one_that_was_completed_ends_the_others(
        self, recovery: Recovery, inbox: SandboxInbox, person: int, hand_clock: HandClock
    ) -> None:
        first_id, first = await proven(recovery, inbox, HOME)
        hand_clock.advance(HOUR)
        second_id, second = await proven(recovery, inbox, STRANGER)
        hand_clock.advance(DAY)
        await recovery.complete(first_id, first.secret, NEW)
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(second_id, second.secret, PASSWORD)

    async def test_who_knows_the_password_ends_it(
        self, identity: Identity, recovery: Recovery, inbox: SandboxInbox, person: int,
        hand_clock: HandClock,
    ) -> None:  # fmt: skip
        id, told = await proven(recovery, inbox)
        (session,) = await identity.sessions.of(person)
        await identity.account.password_change.change(person, session.id, PASSWORD, NEW)
        hand_clock.advance(DAY)
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(id, told.secret, PASSWORD)


class TestStopping:
    async def test_any_device_sees_and_stops_it(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        database: Database,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        await recovery.begin_by_phone(ANA, HOME)
        id, told = await proven(recovery, inbox, STRANGER)
        (pending,) = await recovery.pending(person)  # the one that nobody proved is no danger
        assert (pending.id, pending.ready_at) == (id, told.ready_at)
        (session,) = await identity.sessions.of(person)
        await recovery.cancel(person, id, session.id)
        hand_clock.advance(DAY)
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(id, told.secret, NEW)
        assert await recovery.pending(person) == []
        with pytest.raises(NotFound):
            await recovery.cancel(person, id, session.id)
        assert (await kinds(identity, database, person))[-1] == "recovery_cancelled"

    async def test_the_link_stops_it(
        self, recovery: Recovery, inbox: SandboxInbox, person: int, hand_clock: HandClock
    ) -> None:
        id, told = await proven(recovery, inbox)
        secret = link_in((await inbox.messages(ANA))[0]["text"])
        for wrong in ("", secret[:-1], "\ud800", told.secret):
            assert not await recovery.cancel_by_link(wrong)
        assert await recovery.cancel_by_link(secret)
        assert not await recovery.cancel_by_link(secret)
        hand_clock.advance(DAY)
        with pytest.raises(RecoveryInvalid):
            await recovery.complete(id, told.secret, NEW)

    @pytest.mark.parametrize("id", ["no id", "00000000-0000-7000-8000-000000000000"])
    async def test_nobody_stops_what_is_not_theirs(
        self, identity: Identity, recovery: Recovery, inbox: SandboxInbox, person: int, id: str
    ) -> None:
        real, _ = await proven(recovery, inbox)
        other = (await sign_up(identity, inbox, NOBODY, "ben"))[0].id
        for named in (real, id):
            with pytest.raises(NotFound):
                await recovery.cancel(other, named, b"s" * 16)
        assert len(await recovery.pending(person)) == 1
        assert await recovery.pending(other) == []


class TestNumberGone:
    async def test_by_recovery_code_after_a_wait(
        self,
        identity: Identity,
        recovery: Recovery,
        inbox: SandboxInbox,
        person: int,
        hand_clock: HandClock,
    ) -> None:
        await use_app(identity, person, hand_clock)
        await identity.second_factors.set_sms(person, True)
        code, *_ = await identity.second_factors.new_recovery_codes(person)
        before = len(await inbox.messages(ANA))
        id = await recovery.begin_by_username("@Ana")
        assert len(await inbox.messages(ANA)) == before  # no code: nobody could read it
        with pytest.raises(CodeWrong):
            await recovery.prove(id, code="aaaa-aaaa-aaaa")
        told = await recovery.prove(id, code=code)
        assert not told.needs_factor
        assert link_in((await inbox.messages(ANA))[0]["text"])
        with pytest.raises(RecoveryNotReady):
            await recovery.complete(id, told.secret, NEW)
        hand_clock.advance(DAY)
        await recovery.complete(id, told.secret, NEW)
        factors = await identity.second_factors.factors(person)
        assert (factors.totp, factors.sms) == (True, False)

    async def test_by_password_where_sms_was_the_factor(
        self, identity: Identity, recovery: Recovery, person: int, hand_clock: HandClock
    ) -> None:
        await identity.second_factors.set_sms(person, True)
        id = await recovery.begin_by_username("ana")
        with pytest.raises(CodeWrong):
            await recovery.prove(id, password="wrong password")
        told = await recovery.prove(id, password=PASSWORD)
        hand_clock.advance(DAY)
        await recovery.complete(id, told.secret, PASSWORD)
        await identity.sessions.login(ANA, PASSWORD)

    async def test_the_password_does_not_pass_an_authenticator_app(
        self, identity: Identity, recovery: Recovery, person: int, hand_clock: HandClock
    ) -> None:
        await use_app(identity, person, hand_clock)
        id = await recovery.begin_by_username("ana")
        with pytest.raises(CodeWrong):
            await recovery.prove(id, password=PASSWORD)

    async def test_guessing_is_counted(
        self, identity: Identity, recovery: Recovery, person: int, hand_clock: HandClock
    ) -> None:
        app = await use_app(identity, person, hand_clock)
        id = await recovery.begin_by_username("ana")
        code = app.code(hand_clock() // 1_000_000)
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await recovery.prove(id, code=other_code(code))
        with pytest.raises(CodeExpired):
            await recovery.prove(id, code=code)


class TestWhoIsThere:
    """Known and unknown phones and names are alike."""

    async def test_phones(
        self, identity: Identity, recovery: Recovery, inbox: SandboxInbox, database: Database,
        person: int,
    ) -> None:  # fmt: skip
        told = []
        for phone in (ANA, NOBODY):
            hashes = identity.hashing.count
            id, delivery = await recovery.begin_by_phone(phone, STRANGER)
            code = (await inbox.messages(phone))[0]["code"]
            wrong = "000000" if code is None else other_code(code)
            answers: list[object] = [delivery, len(await inbox.messages(phone))]
            for _ in range(6):
                with pytest.raises((CodeWrong, CodeExpired)) as problem:
                    await recovery.prove(id, code=wrong)
                answers.append((str(problem.value), problem.value.extra))
            answers.append(identity.hashing.count - hashes)
            told.append(answers)
        # Ana had one message when she signed up.
        told[0][1] = int(str(told[0][1])) - 1
        assert told[0] == told[1]
        assert "there is none" in (await inbox.messages(NOBODY))[0]["text"]
        rows = await database.fetchval("SELECT count(*) FROM identity.recovery")
        assert rows == 2

    async def test_names(self, identity: Identity, recovery: Recovery, person: int) -> None:
        told = []
        for name in ("ana", "nobody.here"):
            for proof in ({"password": "wrong password"}, {"code": "123456"}):
                hashes = identity.hashing.count
                id = await recovery.begin_by_username(name)
                with pytest.raises(CodeWrong) as problem:
                    await recovery.prove(id, **proof)
                told.append(
                    (str(problem.value), problem.value.extra, identity.hashing.count - hashes)
                )
        assert told[:2] == told[2:]

    async def test_the_same_statements_reach_the_database(
        self, recovery: Recovery, inbox: SandboxInbox, database: Database, person: int
    ) -> None:
        """What takes time is the database's work: it is the same for both."""
        counts = []
        for phone, address in ((ANA, HOME), (NOBODY, STRANGER)):
            before = await _written(database)
            await recovery.begin_by_phone(phone, address)
            after = await _written(database)
            counts.append({table: after[table] - before[table] for table in after})
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("phone", ["", "91234567", "+65", "+65 9123 4567 x1", "\ud800"])
    async def test_what_is_no_phone(self, recovery: Recovery, phone: str) -> None:
        with pytest.raises(PhoneInvalid):
            await recovery.begin_by_phone(phone)


class TestLimits:
    async def test_one_caller_waits_longer_and_longer(
        self, recovery: Recovery, person: int, hand_clock: HandClock
    ) -> None:
        for phone in (ANA, NOBODY):
            await recovery.begin_by_phone(phone, STRANGER)
            await recovery.begin_by_phone(phone, STRANGER)
            for wait in (30, 60, 120):
                with pytest.raises(TooManyRequests) as problem:
                    await recovery.begin_by_phone(phone, STRANGER)
                assert problem.value.extra == {"retry_after": wait}
                hand_clock.advance(wait)
                await recovery.begin_by_phone(phone, STRANGER)
            hand_clock.advance(600)
            with pytest.raises(TooManyRequests):
                await recovery.begin_by_phone(phone, STRANGER)

    async def test_strangers_cannot_use_up_the_owners(
        self, identity: Identity, recovery: Recovery, inbox: SandboxInbox, person: int,
        hand_clock: HandClock,
    ) -> None:  # fmt: skip
        await identity.sessions.login(ANA, PASSWORD, HOME)
        for number in range(10):
            await recovery.begin_by_phone(ANA, f"203.0.113.{number}")
        with pytest.raises(TooManyRequests):
            await recovery.begin_by_phone(ANA, "203.0.113.99")
        id, told = await proven(recovery, inbox, HOME)
        hand_clock.advance(DAY)
        await recovery.complete(id, told.secret, NEW)

    async def test_one_address_cannot_ask_for_everybody(self, recovery: Recovery) -> None:
        for number in range(60):
            await recovery.begin_by_phone(f"+6591{number:06d}", STRANGER)
        with pytest.raises(TooManyRequests):
            await recovery.begin_by_phone("+6592000000", STRANGER)
        await recovery.begin_by_phone("+6592000000", HOME)


async def _written(database: Database) -> dict[str, int]:
    """Rows in every table that asking touches."""
    tables = ("identity.recovery", "identity.code", "identity.security_event", "notify.message")
    return {
        table: await database.fetchval(f"SELECT count(*) FROM {table}")
        for table in (*tables, "identity.attempt")
    }
