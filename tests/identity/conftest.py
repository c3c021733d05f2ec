"""Identity's services over a fresh database, the sandbox's inbox and a clock moved by hand."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.identity.hand_clock import HandClock
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database, connect
from tikiwallet.identity.parts import Identity
from tikiwallet.notify.inbox import SandboxInbox

ISSUER = "http://localhost:8000"


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    opened = await Database.connect(database_urls.app, APP)
    yield opened
    await opened.close()


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def inbox(database: Database, hand_clock: HandClock) -> SandboxInbox:
    return SandboxInbox(database, hand_clock)


@pytest.fixture
async def identity(
    database: Database,
    database_urls: DatabaseUrls,
    inbox: SandboxInbox,
    hand_clock: HandClock,
    tmp_path: Path,
) -> AsyncIterator[Identity]:
    """All parts, with rate limits."""
    parts = Identity.build(
        database,
        connect=partial(connect, database_urls.app, APP),
        keys_dir=tmp_path / "keys",
        issuer=ISSUER,
        sender=inbox,
        now=hand_clock,
    )
    await parts.start()
    yield parts
    await parts.stop()
