"""Identity's services over a fresh database, the sandbox's inbox and a clock moved by hand; and
Ana, who has just registered."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.identity.authenticator import Authenticator
from tests.identity.factors import add
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, session_of, sign_up
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database, connect
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.people import Person
from tikiwallet.identity.sessions import Tokens
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


@pytest.fixture
async def registered(identity: Identity, inbox: SandboxInbox) -> tuple[Person, Tokens]:
    """Ana, and what she was handed when she registered."""
    return await sign_up(identity, inbox, ANA, "ana")


@pytest.fixture
def ana(registered: tuple[Person, Tokens]) -> Person:
    return registered[0]


@pytest.fixture
def person(ana: Person) -> int:
    """Ana's id."""
    return ana.id


@pytest.fixture
def tokens(registered: tuple[Person, Tokens]) -> Tokens:
    return registered[1]


@pytest.fixture
def session(identity: Identity, tokens: Tokens) -> bytes:
    """The one that she registered in."""
    return session_of(identity, tokens)


@pytest.fixture
def signed_up(person: int, session: bytes) -> tuple[int, bytes]:
    """Ana's id and session."""
    return person, session


@pytest.fixture
async def device(identity: Identity, ana: Person) -> Authenticator:
    """Holds a passkey of hers."""
    device = Authenticator(ISSUER)
    await add(identity, ana, device)
    return device
