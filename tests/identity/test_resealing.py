"""A rotation: what an old key sealed is sealed anew, while the wallet works."""

import re
import shutil
from pathlib import Path

import asyncpg
from tests.identity.sign_up import ANA, PASSWORD, sign_up

from tikiwallet.database.pool import Database
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.personal import SEALED, Personal
from tikiwallet.identity.resealing import reseal
from tikiwallet.identity.sealing import Sealing, add_key
from tikiwallet.notify.inbox import SandboxInbox

BEN = "+6591234568"


async def test_a_rotation_seals_anew_and_can_be_repeated(
    identity: Identity, inbox: SandboxInbox, database: Database, tmp_path: Path
) -> None:
    keys_dir = tmp_path / "keys"
    people = [(await sign_up(identity, inbox, f"+6590000{n:03d}", f"ana{n}"))[0] for n in range(3)]
    await identity.registration.register(BEN, "ben", PASSWORD)
    await identity.sessions.login("+6590000000", PASSWORD, "192.0.2.7", device="Phone")
    add_key(keys_dir)
    told: list[tuple[int, int]] = []
    rotated = Sealing(keys_dir)
    count = await reseal(database, rotated, SEALED, lambda *step: told.append(step))
    assert count == 2 * 3 + 1 + 2
    assert told[0] == (0, 9)
    assert told[-1] == (9, 9)
    assert await reseal(database, rotated, SEALED) == 0
    values = [
        value
        for column in SEALED
        for (value,) in await database.fetch(f"SELECT {column.column} FROM {column.table}")
        if value is not None
    ]
    assert {value[:2] for value in values} == {b"\0\2"}
    # Who was running all the time reads it; without the old key, too.
    assert [await identity.people.person(person.id) for person in people] == people
    shutil.copytree(keys_dir, tmp_path / "copy")
    (tmp_path / "copy" / "data-1.key").unlink()
    personal = Personal.load(tmp_path / "copy")
    row = await database.fetchrow("SELECT id, phone_sealed FROM identity.person LIMIT 1")
    assert row is not None
    assert re.fullmatch(r"\+6590000\d{3}", personal.open(SEALED[0], row["id"], row["phone_sealed"]))


async def test_a_row_that_changes_meanwhile_keeps_its_change(
    identity: Identity, inbox: SandboxInbox, database: Database, tmp_path: Path
) -> None:
    """A page is read, then somebody changes the row, then the page is written."""
    person, _ = await sign_up(identity, inbox, ANA, "ana")
    add_key(tmp_path / "keys")
    rotated = Sealing(tmp_path / "keys")
    new = SEALED[1].seal(rotated, person.id, "Ana Maria")
    changed = False

    class Racing(Database):
        async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
            nonlocal changed
            rows = await database.fetch(sql, *args)
            if "display_name_sealed AS value" in sql and not changed:
                changed = True
                await database.execute("UPDATE identity.person SET display_name_sealed = $1", new)
            return rows

    await reseal(Racing(database._pool), rotated, SEALED)
    assert changed
    found = await identity.people.person(person.id)
    assert found is not None
    assert found.display_name == "Ana Maria"
