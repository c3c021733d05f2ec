"""Last uses are written down again and again, whatever a write ran into."""

import asyncio
from typing import Any

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, sign_up

from tikiwallet import ids
from tikiwallet.database.pool import Database
from tikiwallet.identity import sightings
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.sightings import Sightings
from tikiwallet.notify.inbox import SandboxInbox


async def test_a_write_that_breaks_oddly_is_made_again(
    identity: Identity,
    database: Database,
    inbox: SandboxInbox,
    hand_clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, tokens = await sign_up(identity, inbox, ANA, "ana")
    session = ids.read_uuid(tokens.session_id)
    assert session is not None
    hand_clock.advance(300)
    tried = asyncio.Event()
    execute = database.execute

    async def break_once(statement: str, *arguments: Any) -> str:
        if not tried.is_set():
            tried.set()
            raise KeyError("odd")
        return await execute(statement, *arguments)

    monkeypatch.setattr(database, "execute", break_once)
    monkeypatch.setattr(sightings, "SECONDS", 0.01)
    noting = Sightings(database, hand_clock)
    noting.note(session)
    noting.start()
    async with asyncio.timeout(5):
        await tried.wait()
        while await seen_at(database, session) < hand_clock():  # noqa: ASYNC110 - a row, no event
            await asyncio.sleep(0.01)
    await noting.stop()


async def seen_at(database: Database, session: bytes) -> int:
    seen: int = await database.fetchval(
        "SELECT (extract(epoch FROM last_seen_at) * 1000000)::bigint FROM identity.session"
        " WHERE id = $1",
        ids.write_uuid(session),
    )
    return seen
