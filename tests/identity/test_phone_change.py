"""Moving to another number: proven by a code, told to the old one, after a wait or at once."""

import re

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, code_for, other_code, sign_up
from tests.identity.trail import kinds

from tikiwallet.database.pool import Database
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity.codes import CodeExpired, CodeWrong
from tikiwallet.identity.limits import CODES_TO_PHONE, TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.phone_change import PhoneChange
from tikiwallet.identity.phones import PhoneInvalid
from tikiwallet.identity.sessions import InvalidCredentials
from tikiwallet.identity.step_up import ReauthenticationRequired
from tikiwallet.notify.inbox import SandboxInbox

BEN, NEW = "+6591234568", "+6598765432"
DAY = 86_400
SESSION = b"s" * 16


@pytest.fixture
def change(identity: Identity) -> PhoneChange:
    return identity.account.phone_change


async def phone_of(identity: Identity, person: int) -> str:
    found = await identity.people.person(person)
    assert found is not None
    return found.phone


async def steps(identity: Identity, database: Database, person: int) -> list[str]:
    """What the trail says of changes of number."""
    return [kind for kind in await kinds(identity, database, person) if kind.startswith("phone")]


async def test_after_a_wait(
    identity: Identity,
    change: PhoneChange,
    inbox: SandboxInbox,
    database: Database,
    signed_up: tuple[int, bytes],
    hand_clock: HandClock,
) -> None:
    person, session = signed_up
    id = await change.begin(person, session, "+65 9876 5432")
    assert "move to another number" in (await inbox.messages(ANA))[0]["text"]
    pending = await change.pending(person)
    assert pending is not None
    assert (pending.phone, pending.effective_at) == (NEW, None)
    at = await change.prove(person, id, await code_for(inbox, NEW), session)
    assert round(at.timestamp() - hand_clock() / 1e6) == DAY
    hand_clock.advance(DAY - 1)
    assert not await change.carry_out_due()
    assert await phone_of(identity, person) == ANA
    hand_clock.advance(1)
    await change.carry_out_due()
    assert await phone_of(identity, person) == NEW
    assert await change.pending(person) is None
    for phone in (ANA, NEW):
        assert "new number" in (await inbox.messages(phone))[0]["text"]
    with pytest.raises(InvalidCredentials):
        await identity.sessions.login(ANA, PASSWORD)
    await identity.sessions.login(NEW, PASSWORD)
    assert (await identity.payers.of(person)).restricted_until == hand_clock() + DAY * 1_000_000
    assert await steps(identity, database, person) == [
        "phone_change_asked", "phone_change_begun", "phone_changed"
    ]  # fmt: skip
    # The old number is free again, for whoever has it next.
    await sign_up(identity, inbox, ANA, "ann")


@pytest.mark.parametrize("old_first", [True, False])
async def test_the_old_number_spares_the_wait(
    identity: Identity,
    change: PhoneChange,
    inbox: SandboxInbox,
    signed_up: tuple[int, bytes],
    hand_clock: HandClock,
    old_first: bool,
) -> None:
    person, session = signed_up
    id = await change.begin(person, session, NEW)
    old, new = await code_for(inbox, ANA), await code_for(inbox, NEW)
    if old_first:
        assert await change.agree(person, id, old, session) is None
        at = await change.prove(person, id, new, session)
    else:
        await change.prove(person, id, new, session)
        hand_clock.advance(60)
        agreed = await change.agree(person, id, old, session)
        assert agreed is not None
        at = agreed
    assert at.timestamp() == pytest.approx(hand_clock() / 1e6)
    assert await phone_of(identity, person) == NEW


async def test_it_needs_a_fresh_sign_in(
    change: PhoneChange, signed_up: tuple[int, bytes], hand_clock: HandClock
) -> None:
    hand_clock.advance(601)
    with pytest.raises(ReauthenticationRequired):
        await change.begin(*signed_up, NEW)


async def test_codes_cannot_be_guessed(
    identity: Identity, change: PhoneChange, inbox: SandboxInbox, signed_up: tuple[int, bytes]
) -> None:
    person, session = signed_up
    id = await change.begin(person, session, NEW)
    codes = {"prove": await code_for(inbox, NEW), "agree": await code_for(inbox, ANA)}
    for name, code in codes.items():
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await getattr(change, name)(person, id, other_code(code), session)
        with pytest.raises(CodeExpired):
            await getattr(change, name)(person, id, code, session)
    assert await phone_of(identity, person) == ANA


async def test_each_code_is_for_its_own_number(
    change: PhoneChange, inbox: SandboxInbox, signed_up: tuple[int, bytes]
) -> None:
    person, session = signed_up
    id = await change.begin(person, session, NEW)
    old, new = await code_for(inbox, ANA), await code_for(inbox, NEW)
    if old != new:
        with pytest.raises(CodeWrong):
            await change.prove(person, id, old, session)
        with pytest.raises(CodeWrong):
            await change.agree(person, id, new, session)
    await change.prove(person, id, new, session)
    with pytest.raises(CodeExpired):
        await change.prove(person, id, new, session)


async def test_a_number_that_has_a_wallet_is_told_alike(
    identity: Identity, change: PhoneChange, inbox: SandboxInbox, signed_up: tuple[int, bytes]
) -> None:
    await sign_up(identity, inbox, BEN, "ben")
    person, session = signed_up
    id = await change.begin(person, session, BEN)
    assert "wallet of its own" in (await inbox.messages(BEN))[0]["text"]
    with pytest.raises(CodeWrong) as problem:
        await change.prove(person, id, "123456", session)
    assert problem.value.extra == {"tries_left": 4}


async def test_a_number_that_somebody_took_meanwhile(
    identity: Identity,
    change: PhoneChange,
    inbox: SandboxInbox,
    database: Database,
    signed_up: tuple[int, bytes],
    hand_clock: HandClock,
) -> None:
    person, session = signed_up
    id = await change.begin(person, session, NEW)
    await change.prove(person, id, await code_for(inbox, NEW), session)
    hand_clock.advance(3_600)
    await sign_up(identity, inbox, NEW, "ben")
    hand_clock.advance(DAY)
    await change.carry_out_due()
    assert await phone_of(identity, person) == ANA
    assert await change.pending(person) is None
    assert (await steps(identity, database, person))[-1] == "phone_change_failed"


async def test_stopping(
    identity: Identity,
    change: PhoneChange,
    inbox: SandboxInbox,
    signed_up: tuple[int, bytes],
    hand_clock: HandClock,
) -> None:
    person, session = signed_up
    id = await change.begin(person, session, NEW)
    await change.prove(person, id, await code_for(inbox, NEW), session)
    await change.cancel(person, session)
    with pytest.raises(NotFound):
        await change.cancel(person, session)
    hand_clock.advance(60)
    id = await change.begin(person, session, NEW)
    await change.prove(person, id, await code_for(inbox, NEW), session)
    link = re.search(r"cancel#(\S+)$", (await inbox.messages(ANA))[0]["text"])
    assert link is not None
    assert not await change.cancel_by_link(link[1][:-1])
    assert await change.cancel_by_link(link[1])
    assert not await change.cancel_by_link(link[1])
    hand_clock.advance(DAY)
    await change.carry_out_due()
    assert await phone_of(identity, person) == ANA


async def test_a_second_change_ends_the_first(
    identity: Identity,
    change: PhoneChange,
    inbox: SandboxInbox,
    signed_up: tuple[int, bytes],
    hand_clock: HandClock,
) -> None:
    person, session = signed_up
    first = await change.begin(person, session, BEN)
    await change.begin(person, session, NEW)
    with pytest.raises(CodeExpired):
        await change.prove(person, first, await code_for(inbox, BEN), session)


async def test_one_that_is_not_proven_runs_out(
    change: PhoneChange, signed_up: tuple[int, bytes], hand_clock: HandClock
) -> None:
    id = await change.begin(*signed_up, NEW)
    hand_clock.advance(601)
    assert await change.pending(signed_up[0]) is None
    with pytest.raises(CodeExpired):
        await change.prove(signed_up[0], id, "123456", signed_up[1])


@pytest.mark.parametrize("id", ["", "no id", "00000000-0000-7000-8000-000000000000"])
async def test_ids_that_are_none(
    change: PhoneChange, signed_up: tuple[int, bytes], id: str
) -> None:
    await change.begin(*signed_up, NEW)
    for verify in (change.prove, change.agree):
        with pytest.raises(CodeExpired):
            await verify(signed_up[0], id, "123456", signed_up[1])


async def test_another_person_cannot_touch_it(
    identity: Identity, change: PhoneChange, inbox: SandboxInbox, signed_up: tuple[int, bytes]
) -> None:
    other = (await sign_up(identity, inbox, BEN, "ben"))[0].id
    id = await change.begin(*signed_up, NEW)
    with pytest.raises(CodeExpired):
        await change.prove(other, id, await code_for(inbox, NEW), SESSION)
    with pytest.raises(NotFound):
        await change.cancel(other, SESSION)


@pytest.mark.parametrize("phone", ["", "98765432", "+65 123", "+1 900 555 0100"])
async def test_what_is_no_phone(
    change: PhoneChange, signed_up: tuple[int, bytes], phone: str
) -> None:
    with pytest.raises(PhoneInvalid):
        await change.begin(*signed_up, phone)


async def test_ones_own_number(change: PhoneChange, signed_up: tuple[int, bytes]) -> None:
    with pytest.raises(InvalidRequest):
        await change.begin(*signed_up, ANA)


async def test_strangers_codes_do_not_count(
    identity: Identity,
    change: PhoneChange,
    signed_up: tuple[int, bytes],
    hand_clock: HandClock,
) -> None:
    for number in range(CODES_TO_PHONE.most):
        address = f"203.0.113.{number}"
        await identity.registration.register("+6598765439", "mine", PASSWORD, address)
    await change.begin(*signed_up, "+6598765439")


async def test_messages_are_limited(change: PhoneChange, signed_up: tuple[int, bytes]) -> None:
    for number in range(5):
        await change.begin(*signed_up, f"+659876543{number}")
    with pytest.raises(TooManyRequests):
        await change.begin(*signed_up, "+6598765439")
