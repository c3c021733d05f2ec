"""A passkey in place of the PIN: bound to content and person, once, two minutes."""

import asyncio

import pytest
from tests.identity.authenticator import Authenticator, Lie
from tests.identity.conftest import ISSUER
from tests.identity.factors import add
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import sign_up
from tests.identity.test_passkeys import WRONG

from tikiwallet.identity.ceremonies import CEREMONIES
from tikiwallet.identity.confirmations import ConfirmationInvalid
from tikiwallet.identity.limits import TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passkeys import NoPasskey
from tikiwallet.identity.people import Person
from tikiwallet.notify.inbox import SandboxInbox

LUNCH, DINNER = b"12.50 to @ben", b"125.00 to @ben"


async def test_a_passkey_confirms_once(
    identity: Identity, ana: Person, device: Authenticator
) -> None:
    id, options = await identity.confirmations.begin(ana.id, LUNCH)
    assert options["userVerification"] == "required"
    answer = device.get(options)
    answers = await asyncio.gather(
        *(identity.confirmations.check(ana.id, id, answer, LUNCH) for _ in range(4)),
        return_exceptions=True,
    )
    assert [answer for answer in answers if answer is None] == [None]
    assert sum(isinstance(answer, ConfirmationInvalid) for answer in answers) == 3


async def test_other_content(identity: Identity, ana: Person, device: Authenticator) -> None:
    for wanted, got in ((LUNCH, DINNER), (LUNCH, b""), (b"", LUNCH)):
        id, options = await identity.confirmations.begin(ana.id, wanted)
        answer = device.get(options)
        with pytest.raises(ConfirmationInvalid):
            await identity.confirmations.check(ana.id, id, answer, got)
        # It is of no use for what it was asked for either, once it was tried.
        with pytest.raises(ConfirmationInvalid):
            await identity.confirmations.check(ana.id, id, answer, wanted)


@pytest.mark.parametrize("name", sorted(WRONG.keys() - {"nobody named"}))
async def test_lies(identity: Identity, ana: Person, device: Authenticator, name: str) -> None:
    id, options = await identity.confirmations.begin(ana.id, LUNCH)
    with pytest.raises(ConfirmationInvalid):
        await identity.confirmations.check(ana.id, id, device.get(options, WRONG[name]), LUNCH)


async def test_it_runs_out_after_two_minutes(
    identity: Identity, ana: Person, device: Authenticator, hand_clock: HandClock
) -> None:
    id, options = await identity.confirmations.begin(ana.id, LUNCH)
    hand_clock.advance(119)
    await identity.confirmations.check(ana.id, id, device.get(options), LUNCH)
    id, options = await identity.confirmations.begin(ana.id, LUNCH)
    hand_clock.advance(120)
    with pytest.raises(ConfirmationInvalid):
        await identity.confirmations.check(ana.id, id, device.get(options), LUNCH)


async def test_another_confirmations_id(
    identity: Identity, ana: Person, device: Authenticator
) -> None:
    other, _ = await identity.confirmations.begin(ana.id, LUNCH)
    for id in (other, "", "x", other.upper()):
        _, options = await identity.confirmations.begin(ana.id, LUNCH)
        with pytest.raises(ConfirmationInvalid):
            await identity.confirmations.check(ana.id, id, device.get(options), LUNCH)


async def test_somebody_else(
    identity: Identity, ana: Person, device: Authenticator, inbox: SandboxInbox
) -> None:
    ben = (await sign_up(identity, inbox, "+6598765432", "ben"))[0]
    with pytest.raises(NoPasskey):
        await identity.confirmations.begin(ben.id, LUNCH)
    bens = Authenticator(ISSUER)
    await add(identity, ben, bens)
    # Ben with Ana's answer, Ben with his own to Ana's options, Ana with Ben's.
    for asked, answering, checked in ((ana, device, ben), (ana, bens, ben), (ana, bens, ana)):
        id, options = await identity.confirmations.begin(asked.id, LUNCH)
        answer = answering.get({**options, "allowCredentials": []})
        with pytest.raises(ConfirmationInvalid):
            await identity.confirmations.check(checked.id, id, answer, LUNCH)


async def test_an_answer_to_something_else(
    identity: Identity, ana: Person, device: Authenticator
) -> None:
    id, _ = await identity.confirmations.begin(ana.id, LUNCH)
    _, signing = await identity.passkey_sign_in.options()
    stepping = await identity.step_up.passkey_options(ana.id, b"s" * 16)
    for options in (signing, stepping):
        with pytest.raises(ConfirmationInvalid):
            await identity.confirmations.check(ana.id, id, device.get(options), LUNCH)


@pytest.mark.parametrize("junk", [{}, {"response": {}}, {"response": {"clientDataJSON": "x"}}])
async def test_junk(identity: Identity, ana: Person, device: object, junk: dict[str, str]) -> None:
    id, _ = await identity.confirmations.begin(ana.id, LUNCH)
    with pytest.raises(ConfirmationInvalid):
        await identity.confirmations.check(ana.id, id, junk, LUNCH)


async def test_a_removed_passkey(identity: Identity, ana: Person, device: Authenticator) -> None:
    await add(identity, ana, Authenticator(ISSUER))
    id, options = await identity.confirmations.begin(ana.id, LUNCH)
    (passkey, _) = await identity.passkeys.all(ana.id)
    await identity.second_factors.remove_passkey(ana.id, passkey.text_id)
    with pytest.raises(ConfirmationInvalid):
        await identity.confirmations.check(ana.id, id, device.get(options), LUNCH)


async def test_beginning_is_limited(
    identity: Identity, ana: Person, device: Authenticator, hand_clock: HandClock
) -> None:
    for _ in range(CEREMONIES.most):
        await identity.confirmations.begin(ana.id, LUNCH)
    with pytest.raises(TooManyRequests):
        await identity.confirmations.begin(ana.id, LUNCH)
    # Other ceremonies count for themselves.
    await identity.step_up.passkey_options(ana.id, b"s" * 16)
    hand_clock.advance(CEREMONIES.window.total_seconds())
    id, options = await identity.confirmations.begin(ana.id, LUNCH)
    await identity.confirmations.check(ana.id, id, device.get(options, Lie()), LUNCH)
