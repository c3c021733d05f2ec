"""Personal data at rest: what the tables show, and the step that seals what stood in clear."""

from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from tests.identity.sign_up import ANA, PASSWORD, sign_up
from tests.servers import DatabaseUrls

from tikiwallet.database.migrate import MigrationError, migrate, read_migrations
from tikiwallet.database.pool import Database, connect
from tikiwallet.identity import origin
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.people import PublicName
from tikiwallet.identity.personal import (
    EVENT_ADDRESS,
    EVENT_DEVICE,
    RECOVERY_ADDRESS,
    RECOVERY_DEVICE,
    SEALED,
    SESSION_ADDRESS,
    SESSION_DEVICE,
    Personal,
    seal_people,
    seal_security_events,
    seal_sign_ins,
)
from tikiwallet.identity.sealing import SealBroken, Sealing
from tikiwallet.notify.inbox import SandboxInbox

BEN = "+6591234568"


async def dump(database: Database) -> str:
    rows = []
    for table in ("person", "registration", "reservation", "attempt", "code"):
        rows += await database.fetch(f"SELECT t::text FROM identity.{table} t")
    return "\n".join(row[0] for row in rows)


async def test_no_table_shows_phones_or_names(
    identity: Identity, inbox: SandboxInbox, database: Database
) -> None:
    person, _ = await sign_up(identity, inbox, ANA, "ana")
    await identity.registration.register(BEN, "ben", PASSWORD)
    shown = await dump(database)
    # Text in a bytea column shows as hex.
    for secret in (ANA[1:], BEN[1:], ANA[1:].encode().hex(), BEN[1:].encode().hex()):
        assert secret not in shown
    assert b"ana".hex() not in shown.replace(identity.personal.phone_index(ANA).hex(), "")
    assert await identity.people.find_by_phone(ANA) == person
    assert await identity.people.names([person.id, 7]) == {person.id: PublicName("ana", "ana")}
    assert (await identity.sessions.login(ANA, PASSWORD)).person_id == person.text_id


async def test_no_table_shows_where_somebody_signed_in(
    identity: Identity, inbox: SandboxInbox, database: Database
) -> None:
    person, _ = await sign_up(identity, inbox, ANA, "ana")
    tokens = await identity.sessions.login(ANA, PASSWORD, "192.0.2.77", device="Firefox · Mac")
    await identity.sessions.refresh(tokens.refresh_token, address="192.0.2.78")
    origin.set_origin("Chrome · Linux", "192.0.2.79")
    await identity.account.recovery.begin_by_phone(ANA, "192.0.2.79")
    origin.set_origin(None, None)
    rows = [
        row[0]
        for table in ("session", "recovery", "security_event")
        for row in await database.fetch(f"SELECT t::text FROM identity.{table} t")
    ]
    for secret in ("192.0.2.7", "Firefox", "Chrome"):
        assert secret not in "".join(rows)
        assert secret.encode().hex() not in "".join(rows)
    newest, _ = await identity.sessions.of(person.id)
    assert (newest.device, newest.address) == ("Firefox · Mac", "192.0.2.78")


async def test_values_do_not_open_in_another_row(
    identity: Identity, inbox: SandboxInbox, database: Database
) -> None:
    ana, _ = await sign_up(identity, inbox, ANA, "ana")
    ben, _ = await sign_up(identity, inbox, BEN, "ben")
    await database.execute(
        "UPDATE identity.person SET phone_sealed ="
        " (SELECT phone_sealed FROM identity.person WHERE id = $1) WHERE id = $2",
        ana.id,
        ben.id,
    )
    with pytest.raises(SealBroken):
        await identity.people.person(ben.id)


def test_the_index_needs_the_key(tmp_path: Path) -> None:
    sealing = Sealing(tmp_path)
    one, other = (Personal.of(sealing, ServerSecret(bytes([n]) * 32)) for n in (1, 2))
    assert one.phone_index(ANA) == one.phone_index(ANA) != one.phone_index(BEN)
    assert one.phone_index(ANA) != other.phone_index(ANA)
    assert len(one.phone_index(ANA)) == 32


class TestStep:
    """Migration 0019 over a database that has people."""

    @pytest.fixture
    async def old(self, empty_database_urls: DatabaseUrls, tmp_path: Path) -> DatabaseUrls:
        folder = tmp_path / "until 0018"
        folder.mkdir()
        for one in read_migrations():
            if one.number < 19:
                (folder / one.name).write_text(one.sql)
        await migrate(empty_database_urls.owner, folder)
        connection = await connect(empty_database_urls.owner, None)
        await connection.executemany(
            """
            INSERT INTO identity.person (id, phone, username, display_name, password_hash,
                created_at) VALUES ($1, $2, $3, $4, '$argon2id$x', now())
            """,
            [(n, f"+65{90_000_000 + n}", f"person{n}", f"Person {n} 李") for n in range(1, 2_503)],
        )
        await connection.execute(
            "INSERT INTO identity.pin (person, hash, changed_at) VALUES (7, '$argon2id$x', now())"
        )
        await connection.close()
        return empty_database_urls

    async def test_people_are_sealed(self, old: DatabaseUrls, tmp_path: Path) -> None:
        personal = Personal.load(tmp_path / "keys")

        async def step(connection: asyncpg.Connection) -> None:
            await seal_people(connection, personal)

        assert "0019_sealed.sql" in await migrate(old.owner, steps={"seal_people": step})
        connection = await connect(old.owner, None)
        rows = await connection.fetch("SELECT * FROM identity.person ORDER BY id")
        await connection.close()
        assert len(rows) == 2_502
        for row in rows:
            n = row["id"]
            phone, name = f"+65{90_000_000 + n}", f"Person {n} 李"
            assert personal.open(SEALED[0], n, row["phone_sealed"]) == phone
            assert personal.open(SEALED[1], n, row["display_name_sealed"]) == name
            assert row["phone_index"] == personal.phone_index(phone)
        assert not {"phone", "display_name"} & set(rows[0].keys())

    async def test_without_the_step_nothing_is_lost(self, old: DatabaseUrls) -> None:
        with pytest.raises(MigrationError, match=r"0019_sealed\.sql failed"):
            await migrate(old.owner)
        connection = await connect(old.owner, None)
        assert await connection.fetchval("SELECT count(phone) FROM identity.person") == 2_502
        await connection.close()


class TestStepOfSignIns:
    """Migration 0031 over a database in which people are signed in."""

    async def test_sign_ins_are_sealed(
        self, empty_database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        folder = tmp_path / "until 0030"
        folder.mkdir()
        for one in read_migrations():
            if one.number < 31:
                (folder / one.name).write_text(one.sql)
        await migrate(empty_database_urls.owner, folder)
        connection = await connect(empty_database_urls.owner, None)
        await connection.executemany(
            """
            INSERT INTO identity.session (id, service, scopes, created_at, expires_at, last_seen_at,
                method, device, address)
            VALUES ($1, 's', '{s}', now(), now() + interval '1 day', now(), 'service', $2, $3)
            """,
            [(UUID(int=n), *((f"Device {n}", f"192.0.2.{n % 256}") if n % 2 else ("", None)))
             for n in range(1, 1_503)],
        )  # fmt: skip
        await connection.execute(
            """
            INSERT INTO identity.recovery (id, by_phone, created_at, expires_at, device, address)
            VALUES ($1, true, now(), now() + interval '1 day', 'Device', '2001:db8::1')
            """,
            UUID(int=1),
        )
        await connection.close()
        personal = Personal.load(tmp_path / "keys")

        async def step(connection: asyncpg.Connection) -> None:
            await seal_sign_ins(connection, personal)

        await migrate(empty_database_urls.owner, steps={"seal_sign_ins": step})
        connection = await connect(empty_database_urls.owner, None)
        rows = await connection.fetch("SELECT * FROM identity.session ORDER BY id")
        recovery = await connection.fetchrow("SELECT * FROM identity.recovery")
        await connection.close()
        assert recovery is not None
        assert not {"device", "address"} & {*rows[0].keys(), *recovery.keys()}
        assert len(rows) == 1_502
        for row in rows:
            n = row["id"].int
            told = (
                personal.open_any(SESSION_DEVICE, row["id"], row["device_sealed"]),
                personal.open_any(SESSION_ADDRESS, row["id"], row["address_sealed"]),
            )
            assert told == ((f"Device {n}", f"192.0.2.{n % 256}") if n % 2 else (None, None))
        told = (
            personal.open_any(RECOVERY_DEVICE, UUID(int=1), recovery["device_sealed"]),
            personal.open_any(RECOVERY_ADDRESS, UUID(int=1), recovery["address_sealed"]),
        )
        assert told == ("Device", "2001:db8::1")


class TestStepOfSecurityEvents:
    """Migration 0033 over an audit trail with notices made from it."""

    async def test_the_trail_is_sealed_and_append_only_again(
        self, empty_database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        folder = tmp_path / "until 0032"
        folder.mkdir()
        for one in read_migrations():
            if one.number < 33:
                (folder / one.name).write_text(one.sql)
        await migrate(empty_database_urls.owner, folder)
        connection = await connect(empty_database_urls.owner, None)
        await connection.executemany(
            """
            INSERT INTO identity.security_event (id, at, kind, device, address)
            VALUES ($1, now(), 'signed_in', $2, $3)
            """,
            [
                (n, *((f"Device {n}", f"192.0.2.{n % 256}") if n % 2 else (None, None)))
                for n in range(1, 1_503)
            ],
        )
        await connection.execute(
            """
            INSERT INTO notify.notice (id, person, kind, facts, at, event) VALUES (1, 1, 'exported',
                '{"device": "Device 1", "address": "192.0.2.1", "ends": "67"}', now(), 1)
            """
        )
        before = await connection.fetch(
            "SELECT id, writer FROM identity.security_event ORDER BY id"
        )
        await connection.close()
        personal = Personal.load(tmp_path / "keys")

        async def step(connection: asyncpg.Connection) -> None:
            await seal_security_events(connection, personal)

        await migrate(empty_database_urls.owner, steps={"seal_security_events": step})
        connection = await connect(empty_database_urls.owner, None)
        rows = await connection.fetch("SELECT * FROM identity.security_event ORDER BY id")
        facts = await connection.fetchval("SELECT facts::text FROM notify.notice")
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await connection.execute("UPDATE identity.security_event SET device_sealed = NULL")
        await connection.close()
        assert facts == '{"ends": "67"}'
        assert not {"device", "address"} & {*rows[0].keys()}
        assert [(row["id"], row["writer"]) for row in rows] == [tuple(row) for row in before]
        for row in rows:
            n = row["id"]
            told = (
                personal.open_any(EVENT_DEVICE, n, row["device_sealed"]),
                personal.open_any(EVENT_ADDRESS, n, row["address_sealed"]),
            )
            assert told == ((f"Device {n}", f"192.0.2.{n % 256}") if n % 2 else (None, None))
