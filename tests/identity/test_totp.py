"""Codes of authenticator apps: RFC 6238, each step once, secrets sealed."""

import asyncio
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.identity.authenticator_app import AuthenticatorApp
from tests.identity.factors import STEP, seconds, switch_on
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import other_code, sign_up

from tikiwallet.database.pool import Database
from tikiwallet.identity.codes import CodeWrong
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.sealing import SealBroken
from tikiwallet.identity.totp import DRAFT_TRIES, TotpNotBegun
from tikiwallet.notify.inbox import SandboxInbox


async def use(identity: Identity, database: Database, person: int, code: str) -> bool:
    async with database.transaction() as connection:
        return await identity.totp.use(connection, person, code)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_app_of_these_tests_is_one(at: int, code: str) -> None:
    """The vectors of RFC 6238, appendix B."""
    assert AuthenticatorApp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").code(at, 8) == code


async def test_setting_up(identity: Identity, person: int, hand_clock: HandClock) -> None:
    draft = await identity.totp.begin(person, "ana")
    assert not await identity.totp.is_on(person)
    address = urlsplit(draft.uri)
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert unquote(address.path) == "/TikiWallet:ana"
    asked = parse_qs(address.query)
    assert (asked["secret"], asked["issuer"]) == ([draft.secret], ["TikiWallet"])
    app = AuthenticatorApp.scan(draft.uri)
    assert len(app.key) == 20
    codes = await identity.second_factors.confirm_totp(person, app.code(seconds(hand_clock)))
    assert len(set(codes)) == 10
    assert await identity.totp.is_on(person)
    with pytest.raises(TotpNotBegun):
        await identity.second_factors.confirm_totp(person, app.code(seconds(hand_clock)))


async def test_a_code_that_confirmed_does_not_sign_in(
    identity: Identity, person: int, hand_clock: HandClock, database: Database
) -> None:
    app = await switch_on(identity, person, hand_clock)
    assert not await use(identity, database, person, app.code(seconds(hand_clock)))
    hand_clock.advance(STEP)
    assert await use(identity, database, person, app.code(seconds(hand_clock)))


async def test_each_step_once_and_never_back(
    identity: Identity, person: int, hand_clock: HandClock, database: Database
) -> None:
    app = await switch_on(identity, person, hand_clock)
    hand_clock.advance(10 * STEP)
    now = seconds(hand_clock)
    before, this, after = (app.code(now + shift * STEP) for shift in (-1, 0, 1))
    assert await use(identity, database, person, before)
    assert not await use(identity, database, person, before)
    assert await use(identity, database, person, after)
    # The phone's clock was ahead; what it showed before is older than what was used.
    assert not await use(identity, database, person, this)
    assert not await use(identity, database, person, after)
    hand_clock.advance(STEP)
    assert not await use(identity, database, person, after)


@pytest.mark.parametrize("shift", [-3, -2, 2, 3])
async def test_codes_of_other_times(
    identity: Identity, person: int, hand_clock: HandClock, database: Database, shift: int
) -> None:
    app = await switch_on(identity, person, hand_clock)
    hand_clock.advance(10 * STEP)
    code = app.code(seconds(hand_clock) + shift * STEP)
    assert not await use(identity, database, person, code)


async def test_one_code_by_many_at_once(
    identity: Identity, person: int, hand_clock: HandClock, database: Database
) -> None:
    app = await switch_on(identity, person, hand_clock)
    hand_clock.advance(STEP)
    code = app.code(seconds(hand_clock))
    answers = await asyncio.gather(*(use(identity, database, person, code) for _ in range(6)))
    assert sorted(answers) == [False] * 5 + [True]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "123456\n", "12345a"])
async def test_what_is_no_code(
    identity: Identity, person: int, hand_clock: HandClock, database: Database, code: str
) -> None:
    await switch_on(identity, person, hand_clock)
    assert not await use(identity, database, person, code)


async def test_somebody_elses_code(
    identity: Identity,
    person: int,
    hand_clock: HandClock,
    database: Database,
    inbox: SandboxInbox,
) -> None:
    app = await switch_on(identity, person, hand_clock)
    hand_clock.advance(STEP)
    other = (await sign_up(identity, inbox, "+6598765432", "ben"))[0].id
    code = app.code(seconds(hand_clock))
    assert not await use(identity, database, other, code)
    await switch_on(identity, other, hand_clock)
    hand_clock.advance(STEP)
    assert not await use(identity, database, other, app.code(seconds(hand_clock)))


async def test_setting_up_has_a_time_and_tries(
    identity: Identity, person: int, hand_clock: HandClock
) -> None:
    confirm = identity.second_factors.confirm_totp
    with pytest.raises(TotpNotBegun):
        await confirm(person, "123456")
    app = AuthenticatorApp((await identity.totp.begin(person, "ana")).secret)
    hand_clock.advance(600)
    with pytest.raises(TotpNotBegun):
        await confirm(person, app.code(seconds(hand_clock)))
    app = AuthenticatorApp((await identity.totp.begin(person, "ana")).secret)
    code = app.code(seconds(hand_clock))
    for _ in range(DRAFT_TRIES):
        with pytest.raises(CodeWrong):
            await confirm(person, other_code(code))
    with pytest.raises(TotpNotBegun):
        await confirm(person, code)
    assert not await identity.totp.is_on(person)


async def test_another_app_takes_over_when_it_is_confirmed(
    identity: Identity, person: int, hand_clock: HandClock, database: Database
) -> None:
    first = await switch_on(identity, person, hand_clock)
    draft = await identity.totp.begin(person, "ana")
    hand_clock.advance(STEP)
    assert await use(identity, database, person, first.code(seconds(hand_clock)))
    second = AuthenticatorApp(draft.secret)
    await identity.second_factors.confirm_totp(person, second.code(seconds(hand_clock)))
    hand_clock.advance(STEP)
    assert not await use(identity, database, person, first.code(seconds(hand_clock)))
    assert await use(identity, database, person, second.code(seconds(hand_clock)))


async def test_switching_off(
    identity: Identity, person: int, hand_clock: HandClock, database: Database
) -> None:
    app = await switch_on(identity, person, hand_clock)
    await identity.totp.begin(person, "ana")
    hand_clock.advance(STEP)
    for _ in range(2):
        await identity.second_factors.remove_totp(person)
        assert not await use(identity, database, person, app.code(seconds(hand_clock)))
    left = await database.fetchval(
        """
        SELECT (SELECT count(*) FROM identity.totp) + (SELECT count(*) FROM identity.totp_draft)
            + (SELECT count(*) FROM identity.recovery_code)
        """
    )
    assert left == 0


async def test_secrets_are_sealed_for_their_person(
    identity: Identity,
    person: int,
    hand_clock: HandClock,
    database: Database,
    inbox: SandboxInbox,
) -> None:
    draft = await identity.totp.begin(person, "ana")
    app = AuthenticatorApp(draft.secret)
    kept = [await database.fetchval("SELECT secret FROM identity.totp_draft")]
    await identity.second_factors.confirm_totp(person, app.code(seconds(hand_clock)))
    kept.append(await database.fetchval("SELECT secret FROM identity.totp"))
    for sealed in kept:
        assert draft.secret.encode() not in sealed
        assert app.key not in sealed
    assert draft.secret not in repr(draft)
    other = (await sign_up(identity, inbox, "+6598765432", "ben"))[0].id
    await database.execute("UPDATE identity.totp SET person = $1", other)
    hand_clock.advance(STEP)
    with pytest.raises(SealBroken):
        await use(identity, database, other, app.code(seconds(hand_clock)))
