"""Registration: codes, their tries and time, usernames, and what known phones do not show."""

import asyncio

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, code_for, other_code, sign_up

from tikiwallet import ids
from tikiwallet.database.pool import Database
from tikiwallet.identity import housekeeping
from tikiwallet.identity.codes import CodeExpired, CodeWrong, Delivery
from tikiwallet.identity.limits import CODES_PER_PHONE, CODES_TO_PHONE, TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passwords import PasswordWeak
from tikiwallet.identity.phones import PhoneInvalid
from tikiwallet.identity.registration import Begun
from tikiwallet.identity.usernames import UsernameReserved, UsernameTaken
from tikiwallet.notify.inbox import SandboxInbox

BEN, EVE = "+6591234568", "+14155550132"


async def test_register_and_verify(identity: Identity, inbox: SandboxInbox) -> None:
    registration = (await identity.registration.register("+65 9123 4567", "Ana", PASSWORD)).id
    assert ids.read_uuid(registration) is not None
    assert registration[14] == "7"
    (message,) = await inbox.messages(ANA)
    assert message["code"] is not None
    assert message["code"] in message["text"]
    person, tokens = await identity.registration.verify(registration, message["code"])
    assert (person.phone, person.username, person.display_name) == (ANA, "ana", "ana")
    assert tokens.person_id == person.text_id
    assert tokens.expires_in == 21_600
    principal = identity.verifier.verify(f"Bearer {tokens.access_token}")
    assert principal.person == person.id
    assert await identity.people.person(person.id) == person
    assert await identity.people.find_by_phone("+65-9123-4567") == person
    assert await identity.people.find_by_username("ANA") == person
    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token not in repr(tokens)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (("91234567", "ana", PASSWORD), PhoneInvalid),
        ((ANA, "admin", PASSWORD), UsernameReserved),
        ((ANA, "ana", "password1"), PasswordWeak),
        ((ANA, "ana_maria", "ana_maria7"), PasswordWeak),
    ],
)
async def test_refused_before_anything_is_sent(
    identity: Identity, inbox: SandboxInbox, asked: tuple[str, str, str], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await identity.registration.register(*asked)
    assert await inbox.messages(ANA) == []


async def test_a_code_takes_five_tries(identity: Identity, inbox: SandboxInbox) -> None:
    registration = (await identity.registration.register(ANA, "ana", PASSWORD)).id
    code = await code_for(inbox, ANA)
    with pytest.raises(CodeWrong):
        await identity.registration.verify(registration, "12345")
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(CodeWrong) as wrong:
            await identity.registration.verify(registration, other_code(code))
        assert wrong.value.extra == {"tries_left": left}
    with pytest.raises(CodeExpired):
        await identity.registration.verify(registration, code)


async def test_guesses_made_at_once_share_the_tries(
    identity: Identity, inbox: SandboxInbox
) -> None:
    registration = (await identity.registration.register(ANA, "ana", PASSWORD)).id
    wrong = other_code(await code_for(inbox, ANA))
    answers = await asyncio.gather(
        *(identity.registration.verify(registration, wrong) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, CodeWrong) for answer in answers) == 5
    assert sum(isinstance(answer, CodeExpired) for answer in answers) == 15


@pytest.mark.parametrize(("seconds", "works"), [(299, True), (300, False), (86_400, False)])
async def test_a_code_lives_five_minutes(
    identity: Identity, inbox: SandboxInbox, hand_clock: HandClock, seconds: float, works: bool
) -> None:
    registration = (await identity.registration.register(ANA, "ana", PASSWORD)).id
    code = await code_for(inbox, ANA)
    hand_clock.advance(seconds)
    if works:
        await identity.registration.verify(registration, code)
    else:
        with pytest.raises(CodeExpired):
            await identity.registration.verify(registration, code)


async def test_a_code_works_once(identity: Identity, inbox: SandboxInbox) -> None:
    registration = (await identity.registration.register(ANA, "ana", PASSWORD)).id
    code = await code_for(inbox, ANA)
    answers = await asyncio.gather(
        *(identity.registration.verify(registration, code) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert sum(isinstance(answer, CodeExpired) for answer in answers) == 3


@pytest.mark.parametrize(
    "registration", ["", "x", "0" * 36, "01890000-0000-7000-8000-000000000000"]
)
async def test_unknown_registrations(identity: Identity, registration: str) -> None:
    with pytest.raises(CodeExpired):
        await identity.registration.verify(registration, "123456")


async def test_a_code_of_another_registration(identity: Identity, inbox: SandboxInbox) -> None:
    registration = (await identity.registration.register(ANA, "ana", PASSWORD)).id
    await identity.registration.register(EVE, "eve", PASSWORD)
    if (code := await code_for(inbox, EVE)) != await code_for(inbox, ANA):
        with pytest.raises(CodeWrong):
            await identity.registration.verify(registration, code)


async def test_nothing_secret_is_kept_in_clear(
    identity: Identity, inbox: SandboxInbox, database: Database
) -> None:
    await identity.registration.register(ANA, "ana", PASSWORD)
    code = await code_for(inbox, ANA)
    for table in ("registration", "code", "attempt", "reservation"):
        text = str(await database.fetch(f"SELECT t::text FROM identity.{table} t"))
        assert PASSWORD not in text
        assert f",{code}," not in text


async def test_a_known_phone_shows_nothing(
    identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
) -> None:
    person, _ = await sign_up(identity, inbox, ANA, "ana")
    hashes = {}
    answers = {}
    for phone, username in ((ANA, "ana2"), (BEN, "ben")):
        before = identity.hashing.count
        begun = await identity.registration.register(phone, username, PASSWORD)
        answers[phone] = begun.id
        hashes[phone] = identity.hashing.count - before
    assert hashes == {ANA: 1, BEN: 1}
    assert all(ids.read_uuid(answer) for answer in answers.values())
    told, _ = await inbox.messages(ANA)
    assert told["code"] is None
    assert "Someone tried to register with your number" in told["text"]
    # Wrong codes get the same answers, and no code is right.
    wrong = other_code(await code_for(inbox, BEN))
    for left in (4, 3, 2, 1, 0):
        for registration in answers.values():
            with pytest.raises(CodeWrong) as problem:
                await identity.registration.verify(registration, wrong)
            assert problem.value.extra == {"tries_left": left}
    for registration in answers.values():
        with pytest.raises(CodeExpired):
            await identity.registration.verify(registration, wrong)
    # The username that was asked for is kept from others in both cases.
    for username in ("ana2", "ben"):
        with pytest.raises(UsernameTaken):
            await identity.registration.register(EVE, username, PASSWORD)
    # Waits are the same as well.
    for phone, username in ((ANA, "ana2"), (BEN, "ben")):
        await identity.registration.register(phone, username, PASSWORD)
        with pytest.raises(TooManyRequests):
            await identity.registration.register(phone, username, PASSWORD)
    assert await identity.people.find_by_phone(ANA) == person


async def test_a_taken_username_is_told(identity: Identity, inbox: SandboxInbox) -> None:
    await sign_up(identity, inbox, ANA, "ana")
    with pytest.raises(UsernameTaken):
        await identity.registration.register(BEN, "ANA", PASSWORD)
    assert await inbox.messages(BEN) == []


async def test_one_username_asked_for_by_many_at_once(
    identity: Identity, inbox: SandboxInbox
) -> None:
    phones = [f"+659123000{n}" for n in range(8)]
    answers = await asyncio.gather(
        *(identity.registration.register(phone, "ana", PASSWORD) for phone in phones),
        return_exceptions=True,
    )
    won = [index for index, answer in enumerate(answers) if isinstance(answer, Begun)]
    assert len(won) == 1
    assert sum(isinstance(answer, UsernameTaken) for answer in answers) == 7
    begun = answers[won[0]]
    assert isinstance(begun, Begun)
    code = await code_for(inbox, phones[won[0]])
    person, _ = await identity.registration.verify(begun.id, code)
    assert person.username == "ana"


async def test_a_reservation_ends_with_its_code(
    identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
) -> None:
    await identity.registration.register(ANA, "ana", PASSWORD)
    hand_clock.advance(300)
    await sign_up(identity, inbox, BEN, "ana")


async def test_one_phone_registers_once_however_often_it_asks(
    identity: Identity, inbox: SandboxInbox
) -> None:
    first = (await identity.registration.register(ANA, "ana", PASSWORD)).id
    first_code = await code_for(inbox, ANA)
    second = (await identity.registration.register(ANA, "anna", PASSWORD)).id
    second_code = await code_for(inbox, ANA)
    answers = await asyncio.gather(
        identity.registration.verify(first, first_code),
        identity.registration.verify(second, second_code),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert sum(isinstance(answer, CodeExpired) for answer in answers) == 1


async def test_waits_between_codes_grow_and_the_day_is_limited(
    identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
) -> None:
    for wait in (0, 0, 30, 60, 120, 300, 600, 600, 600, 600):
        if wait:
            with pytest.raises(TooManyRequests) as problem:
                await identity.registration.register(ANA, "ana", PASSWORD)
            assert problem.value.extra == {"retry_after": wait}
            hand_clock.advance(wait)
        await identity.registration.register(ANA, "ana", PASSWORD)
    hand_clock.advance(600)
    with pytest.raises(TooManyRequests) as problem:
        await identity.registration.register(ANA, "ana", PASSWORD)
    spent = 30 + 60 + 120 + 300 + 4 * 600 + 600
    assert problem.value.extra == {"retry_after": 86_400 - spent}
    hand_clock.advance(86_400 - spent)
    await identity.registration.register(ANA, "ana", PASSWORD)


class TestStrangers:
    """Who asks for codes to somebody else's phone."""

    async def use_up(self, identity: Identity, hand_clock: HandClock, address: str) -> None:
        for number in range(CODES_PER_PHONE.most):
            if number > 1:
                hand_clock.advance(600)
            await identity.registration.register(ANA, "mine", PASSWORD, address)

    async def test_one_is_stopped_and_the_owner_is_not(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        await self.use_up(identity, hand_clock, "203.0.113.9")
        with pytest.raises(TooManyRequests):
            await identity.registration.register(ANA, "mine", PASSWORD, "203.0.113.9")
        # Neither the count nor the waits reach somebody elsewhere, who finishes with a code of
        # five tries that the stranger's tries do not touch.
        begun = await identity.registration.register(ANA, "ana", PASSWORD, "192.0.2.1")
        assert begun.retry_after == 30
        person, _ = await identity.registration.verify(
            begun.id, await code_for(inbox, ANA), address="192.0.2.1"
        )
        assert person.username == "ana"

    async def test_many_are_stopped_together(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        await sign_up(identity, inbox, BEN, "ben")
        await identity.sessions.login(BEN, PASSWORD, "192.0.2.1")
        for number in range(CODES_TO_PHONE.most - 1):  # and Ben's own
            await identity.registration.register(BEN, "mine", PASSWORD, f"203.0.113.{number}")
        with pytest.raises(TooManyRequests):
            await identity.registration.register(BEN, "mine", PASSWORD, "203.0.113.200")
        await identity.registration.register(BEN, "mine", PASSWORD, "192.0.2.1")


async def test_asked_at_once_only_the_free_codes_go_out(
    identity: Identity, inbox: SandboxInbox
) -> None:
    await asyncio.gather(
        *(identity.registration.register(ANA, "ana", PASSWORD) for _ in range(8)),
        return_exceptions=True,
    )
    assert len(await inbox.messages(ANA)) == 2


async def test_without_rate_limits_codes_still_take_five_tries(
    identity: Identity, inbox: SandboxInbox
) -> None:
    identity.limits._enabled = False
    for _ in range(CODES_PER_PHONE.most + 2):
        registration = (await identity.registration.register(ANA, "ana", PASSWORD, "192.0.2.7")).id
    wrong = other_code(await code_for(inbox, ANA))
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await identity.registration.verify(registration, wrong)
    with pytest.raises(CodeExpired):
        await identity.registration.verify(registration, wrong)


async def test_pruning_removes_what_has_run_out(
    identity: Identity, inbox: SandboxInbox, database: Database, hand_clock: HandClock
) -> None:
    await sign_up(identity, inbox, ANA, "ana")
    await identity.registration.register(BEN, "ben", PASSWORD)
    await housekeeping.prune(database, hand_clock)
    assert await database.fetchval("SELECT count(*) FROM identity.registration") == 1
    hand_clock.advance(3 * 86_400)
    await housekeeping.prune(database, hand_clock)
    for table in ("registration", "reservation", "code", "attempt"):
        assert await database.fetchval(f"SELECT count(*) FROM identity.{table}") == 0
    assert await database.fetchval("SELECT count(*) FROM identity.session") == 1
    hand_clock.advance(300 * 86_400)
    await housekeeping.prune(database, hand_clock)
    for table in ("session", "refresh"):
        assert await database.fetchval(f"SELECT count(*) FROM identity.{table}") == 0


class TestResend:
    async def test_a_new_code_replaces_the_one_before(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        begun = await identity.registration.register(ANA, "ana", PASSWORD)
        assert (begun.delivery, begun.retry_after) == (Delivery.SENT, 30)
        first = await code_for(inbox, ANA)
        hand_clock.advance(30)
        again = await identity.registration.resend(begun.id)
        assert (again.id, again.delivery, again.retry_after) == (begun.id, Delivery.SENT, 60)
        second = await code_for(inbox, ANA)
        if first != second:
            with pytest.raises(CodeWrong):
                await identity.registration.verify(begun.id, first)
        person, _ = await identity.registration.verify(begun.id, second)
        assert person.username == "ana"

    async def test_waits_grow_and_end(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        begun = await identity.registration.register(ANA, "ana", PASSWORD)
        for wait in (30, 60, 120, 300, 600):
            hand_clock.advance(wait - 1)
            with pytest.raises(TooManyRequests) as problem:
                await identity.registration.resend(begun.id)
            assert problem.value.extra == {"retry_after": 1}
            hand_clock.advance(1)
            await identity.registration.resend(begun.id)
        assert len(await inbox.messages(ANA)) == 6
        hand_clock.advance(3_000)
        with pytest.raises(TooManyRequests) as problem:
            await identity.registration.resend(begun.id)
        assert problem.value.extra == {"retry_after": 86_400 - 30 - 60 - 120 - 300 - 600 - 3_000}

    async def test_the_time_that_is_told_is_the_time_after_which_it_works(
        self, identity: Identity, hand_clock: HandClock
    ) -> None:
        """Though the phone was asked for before, under other registrations."""
        for _ in range(2):
            begun = await identity.registration.register(ANA, "ana", PASSWORD)
        hand_clock.advance(30)
        begun = await identity.registration.register(ANA, "ana", PASSWORD)
        assert begun.retry_after == 60
        for _ in range(3):
            with pytest.raises(TooManyRequests) as problem:
                await identity.registration.resend(begun.id)
            hand_clock.advance(int(str(problem.value.extra["retry_after"])))
            await identity.registration.resend(begun.id)

    async def test_at_once_only_one_goes_out(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        begun = await identity.registration.register(ANA, "ana", PASSWORD)
        hand_clock.advance(30)
        answers = await asyncio.gather(
            *(identity.registration.resend(begun.id) for _ in range(6)), return_exceptions=True
        )
        assert sum(isinstance(answer, Begun) for answer in answers) == 1
        assert sum(isinstance(answer, TooManyRequests) for answer in answers) == 5
        assert len(await inbox.messages(ANA)) == 2

    async def test_a_late_one_keeps_the_name_if_nobody_took_it(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        begun = await identity.registration.register(ANA, "ana", PASSWORD)
        hand_clock.advance(600)
        await identity.registration.resend(begun.id)
        with pytest.raises(UsernameTaken):
            await identity.registration.register(BEN, "ana", PASSWORD)
        await identity.registration.verify(begun.id, await code_for(inbox, ANA))
        late = await identity.registration.register(BEN, "ben", PASSWORD)
        hand_clock.advance(600)
        await sign_up(identity, inbox, EVE, "ben")
        with pytest.raises(UsernameTaken):
            await identity.registration.resend(late.id)

    async def test_wrong_tries_start_anew_and_a_used_code_stays_used(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        begun = await identity.registration.register(ANA, "ana", PASSWORD)
        wrong = other_code(await code_for(inbox, ANA))
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await identity.registration.verify(begun.id, wrong)
        hand_clock.advance(30)
        await identity.registration.resend(begun.id)
        await identity.registration.verify(begun.id, await code_for(inbox, ANA))
        hand_clock.advance(60)
        with pytest.raises(CodeExpired):
            await identity.registration.resend(begun.id)

    async def test_a_known_phone_shows_nothing(
        self, identity: Identity, inbox: SandboxInbox, hand_clock: HandClock
    ) -> None:
        await sign_up(identity, inbox, ANA, "ana")
        told = {}
        for phone, username in ((ANA, "ana2"), (BEN, "ben")):
            begun = await identity.registration.register(phone, username, PASSWORD)
            hand_clock.advance(30)
            again = await identity.registration.resend(begun.id)
            told[phone] = (begun.delivery, begun.retry_after, again.delivery, again.retry_after)
        assert told[ANA] == told[BEN]
        assert [message["code"] for message in await inbox.messages(ANA)][:2] == [None, None]

    @pytest.mark.parametrize("registration", ["", "x", "01890000-0000-7000-8000-000000000000"])
    async def test_unknown_registrations(self, identity: Identity, registration: str) -> None:
        with pytest.raises(CodeExpired):
            await identity.registration.resend(registration, "192.0.2.1")
