"""The audit trail: written with what it reports, never changed, read newest first."""

from pathlib import Path

import asyncpg
import pytest
from tests.identity.authenticator_app import AuthenticatorApp
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, sign_up
from tests.identity.trail import kinds
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database, connect
from tikiwallet.identity import origin
from tikiwallet.identity.codes import CodeWrong
from tikiwallet.identity.origin import Origin
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passwords import PasswordWrong
from tikiwallet.identity.personal import SEALED, Personal
from tikiwallet.identity.pins import PinLocked, PinWrong
from tikiwallet.identity.resealing import reseal
from tikiwallet.identity.sealing import add_key
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import InvalidCredentials, RefreshReused, SecondFactorRequired
from tikiwallet.ledger.history import BadCursor
from tikiwallet.notify.inbox import SandboxInbox

NOBODY = "+6591234568"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE identity.security_event SET kind = 'signed_in'",
        "UPDATE identity.security_event SET device_sealed = NULL, address_sealed = NULL",
        "DELETE FROM identity.security_event",
        "TRUNCATE identity.security_event",
    ],
)
async def test_it_is_append_only(
    identity: Identity, person: int, database_urls: DatabaseUrls, change: str
) -> None:
    app = await connect(database_urls.app, APP)
    superuser = await connect(database_urls.superuser, None)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(change)
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await superuser.execute(change)
    finally:
        await app.close()
        await superuser.close()


async def test_an_event_and_what_it_reports_are_one(
    identity: Identity, database: Database, person: int
) -> None:
    before = await kinds(identity, database, person)

    async def broken_off() -> None:
        async with database.transaction() as connection:
            await identity.events.record(connection, person, EventKind.PIN_SET)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken_off()
    assert await kinds(identity, database, person) == before


async def test_where_it_came_from(identity: Identity, database: Database, person: int) -> None:
    origin.set_origin("Firefox · Linux\x00\u202e" + "x" * 500, "2001:db8::1")
    try:
        await identity.events.record(
            database, person, EventKind.NAME_CHANGED, session=b"s" * 16, count=3
        )
    finally:
        origin.set_origin(None, None)
    (event, *_), _ = await identity.events.page(database, person)
    assert event.device == "Firefox · Linux" + "x" * 105
    assert (event.address, event.detail, event.session) == (
        "2001:db8::1",
        {"count": 3},
        b"s" * 16,
    )


async def test_where_it_came_from_is_sealed(
    identity: Identity, database: Database, person: int, database_urls: DatabaseUrls
) -> None:
    origin.set_origin("Firefox · Linux", "192.0.2.77")
    try:
        first = await identity.events.record(database, person, EventKind.NAME_CHANGED)
        second = await identity.events.record(database, person, EventKind.NAME_CHANGED)
        with pytest.raises(InvalidCredentials):
            await identity.sessions.login(NOBODY, "wrong password")
    finally:
        origin.set_origin(None, None)
    rows = await database.fetch("SELECT e::text, e.* FROM identity.security_event e")
    for secret in ("192.0.2.7", "Firefox"):
        assert secret not in "".join(row["e"] for row in rows)
        assert secret.encode().hex() not in "".join(row["e"] for row in rows)
    kept = {row["id"]: (row["device_sealed"], row["address_sealed"]) for row in rows}
    assert kept[first] != kept[second]  # one cannot tell that both came from one place
    assert identity.events.origin_of(first, *kept[first]) == Origin("Firefox · Linux", "192.0.2.77")
    assert identity.events.origin_of(first, *kept[second]) is None


async def test_after_a_rotation_old_events_are_read_and_stay_as_they_are(
    identity: Identity, database: Database, person: int, tmp_path: Path
) -> None:
    origin.set_origin("Phone", "192.0.2.1")
    try:
        await identity.events.record(database, person, EventKind.PIN_SET)
        version = add_key(tmp_path / "keys")
        rotated = Personal.load(tmp_path / "keys")
        await reseal(database, rotated.sealing, SEALED)
        await SecurityEvents(rotated).record(database, person, EventKind.PIN_CHANGED)
    finally:
        origin.set_origin(None, None)
    sealed = await database.fetch(
        "SELECT device_sealed FROM identity.security_event"
        " WHERE device_sealed IS NOT NULL ORDER BY id"
    )
    assert [int.from_bytes(row[0][:2], "big") for row in sealed] == [1, version]
    # Who was running all the time reads both.
    found, _ = await identity.events.page(database, person, limit=2)
    assert [(event.device, event.address) for event in found] == [("Phone", "192.0.2.1")] * 2


async def test_one_whose_place_does_not_open_hides_no_other(
    identity: Identity, database: Database, person: int, tmp_path: Path
) -> None:
    origin.set_origin("Phone", "192.0.2.1")
    try:
        await identity.events.record(database, person, EventKind.PIN_SET)
        lost = SecurityEvents(Personal.load(tmp_path / "lost"))
        await lost.record(database, person, EventKind.PIN_CHANGED)
    finally:
        origin.set_origin(None, None)
    (newer, older), _ = await identity.events.page(database, person, limit=2)
    assert (newer.kind, newer.device, newer.address) == ("pin_changed", None, None)
    assert (older.kind, older.device, older.address) == ("pin_set", "Phone", "192.0.2.1")


async def test_pages_go_back_to_the_first(
    identity: Identity, database: Database, person: int
) -> None:
    for number in range(7):
        await identity.events.record(database, person, EventKind.PIN_WRONG, number=number)
    seen: list[int] = []
    cursor = None
    while True:
        page, cursor = await identity.events.page(database, person, cursor, limit=3)
        seen += [event.id for event in page]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(await kinds(identity, database, person)) == 9


@pytest.mark.parametrize("cursor", ["", "x", "e_", "n_0000000000000", "e_" + "z" * 13])
async def test_other_peoples_cursors_are_refused(
    identity: Identity, database: Database, person: int, cursor: str
) -> None:
    with pytest.raises(BadCursor):
        await identity.events.page(database, person, cursor)


async def test_nobody_sees_what_is_anothers(
    identity: Identity, inbox: SandboxInbox, database: Database, person: int
) -> None:
    other = (await sign_up(identity, inbox, NOBODY, "ben"))[0].id
    await identity.events.record(database, person, EventKind.PIN_RESET)
    assert "pin_reset" not in await kinds(identity, database, other)


async def test_sign_ins_and_what_fails(identity: Identity, database: Database, person: int) -> None:
    tokens = await identity.sessions.login(ANA, PASSWORD)
    with pytest.raises(InvalidCredentials):
        await identity.sessions.login(ANA, "wrong password")
    with pytest.raises(InvalidCredentials):
        await identity.sessions.login(NOBODY, "wrong password")
    later = await identity.sessions.refresh(tokens.refresh_token, device="a")
    await identity.sessions.refresh(later.refresh_token)
    with pytest.raises(RefreshReused):
        await identity.sessions.refresh(tokens.refresh_token, device="b")
    last = await identity.sessions.login(ANA, PASSWORD)
    await identity.sessions.logout(identity.verifier.verify(f"Bearer {last.access_token}").session)
    assert await kinds(identity, database, person) == [
        "registered", "signed_in", "signed_in", "sign_in_failed", "refresh_reused", "signed_in",
        "signed_out",
    ]  # fmt: skip
    unknown = await database.fetchval(
        "SELECT count(*) FROM identity.security_event WHERE person IS NULL"
    )
    assert unknown == 1


async def test_pins(identity: Identity, database: Database, person: int) -> None:
    await identity.pins.set_pin(person, "482916")
    await identity.pins.set_pin(person, "730518", "482916")
    for _ in range(4):
        with pytest.raises(PinWrong):
            await identity.pins.verify_pin(person, "482916")
    with pytest.raises(PinLocked):
        await identity.pins.verify_pin(person, "482916")
    assert (await kinds(identity, database, person))[2:] == [
        "pin_set", "pin_changed", "pin_wrong", "pin_wrong", "pin_wrong", "pin_wrong", "pin_locked",
    ]  # fmt: skip


async def test_factors(
    identity: Identity, database: Database, person: int, hand_clock: HandClock
) -> None:
    app = AuthenticatorApp((await identity.totp.begin(person, "ana")).secret)
    await identity.second_factors.confirm_totp(person, app.code(hand_clock() // 1_000_000))
    code, *_ = await identity.second_factors.new_recovery_codes(person)
    for enabled in (True, True, False):
        await identity.second_factors.set_sms(person, enabled)
    with pytest.raises(SecondFactorRequired) as asked:
        await identity.sessions.login(ANA, PASSWORD)
    challenge = str(asked.value.extra["challenge_id"])
    with pytest.raises(CodeWrong):
        await identity.second_step.answer(challenge, "aaaa-aaaa-aaaa")
    tokens = await identity.second_step.answer(challenge, code)
    session = identity.verifier.verify(f"Bearer {tokens.access_token}").session
    with pytest.raises(PasswordWrong):
        await identity.step_up.by_password(person, session, "wrong password")
    hand_clock.advance(60)
    shown = app.code(hand_clock() // 1_000_000)
    await identity.step_up.by_password(person, session, PASSWORD, shown)
    await identity.second_factors.remove_totp(person)
    await identity.second_factors.remove_totp(person)
    assert (await kinds(identity, database, person))[2:] == [
        "totp_on", "recovery_codes_made", "sms_factor_on", "sms_factor_off", "second_factor_failed",
        "recovery_code_used", "signed_in", "reauthentication_failed", "reauthenticated", "totp_off",
    ]  # fmt: skip
