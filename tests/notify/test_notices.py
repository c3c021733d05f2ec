"""Notices follow the audit trail: each once, none missed, and marked as read up to a point."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.servers import DatabaseUrls

from tikiwallet import clock, ids
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database, connect
from tikiwallet.errors import InvalidRequest
from tikiwallet.identity import origin
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.ledger.history import BadCursor
from tikiwallet.notify.notices import Notices

LANGUAGE = "en"


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    opened = await Database.connect(database_urls.app, APP)
    yield opened
    await opened.close()


@pytest.fixture
def security_events(tmp_path: Path) -> SecurityEvents:
    return SecurityEvents(Personal.load(tmp_path / "keys"))


@pytest.fixture
def notices(database: Database, security_events: SecurityEvents) -> Notices:
    return Notices(database, security_events)


@pytest.fixture
async def person(database_urls: DatabaseUrls) -> int:
    return await add_person(database_urls, "ana")


async def add_person(urls: DatabaseUrls, username: str) -> int:
    """A row for events to lead to; what is sealed in it is never opened here."""
    id = ids.new_id()
    owner = await connect(urls.superuser, None)
    try:
        await owner.execute(
            """
            INSERT INTO identity.person (id, phone_sealed, phone_index, username,
                display_name_sealed, password_hash, created_at)
            VALUES ($1, '', sha256($2::text::bytea), $2, '', '$argon2id$none', now())
            """,
            id,
            username,
        )
    finally:
        await owner.close()
    return id


_BEHIND = """
SELECT EXISTS (
    SELECT FROM identity.security_event e, notify.follower f
    WHERE (e.writer, e.id) > (f.writer, f.id)
)
"""


async def kinds(notices: Notices, person: int) -> list[str]:
    """The kinds of the notices of `person`, once all events so far are followed: the server's own
    housekeeping may hold that up for a moment."""
    async with asyncio.timeout(10):
        while True:
            await notices.follow()
            if not await notices._database.fetchval(_BEHIND):
                break
    return [item.kind for item in (await notices.page(person, LANGUAGE)).items]


async def test_only_what_has_weight_is_told(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    for kind in (
        EventKind.PIN_WRONG,
        EventKind.PIN_CHANGED,
        EventKind.SIGN_IN_FAILED,
        EventKind.RECOVERY_BEGUN,
    ):
        await security_events.record(database, person, kind)
    await security_events.record(database, None, EventKind.SIGN_IN_FAILED)
    assert await kinds(notices, person) == ["recovery_begun", "pin_changed"]
    assert await kinds(notices, person) == ["recovery_begun", "pin_changed"]


async def test_a_sign_in_is_news_where_it_is_new(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    async def sign_in(device: str, address: str, days_ago: int = 0) -> None:
        origin.set_origin(device, address)
        at = clock.now_us() - days_ago * 86_400_000_000
        await security_events.record(database, person, EventKind.SIGNED_IN, at_us=at)
        origin.set_origin(None, None)

    await sign_in("Phone", "192.0.2.1", 150)
    await sign_in("Phone", "192.0.2.1", 50)  # the one before is too long ago
    await sign_in("Phone", "192.0.2.1", 3)
    await sign_in("Laptop", "192.0.2.1", 2)
    await sign_in("Phone", "192.0.2.9", 1)
    await sign_in("Laptop", "192.0.2.1")
    await kinds(notices, person)
    page = await notices.page(person, LANGUAGE)
    assert [(item.title, "192.0.2.9" in item.text) for item in page.items] == [
        ("New sign-in on Phone", True),
        ("New sign-in on Laptop", False),
        ("New sign-in on Phone", False),
        ("New sign-in on Phone", False),
    ]


async def test_notices_keep_no_place(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    origin.set_origin("Firefox · Android", "192.0.2.1")
    await security_events.record(database, person, EventKind.EXPORTED)
    origin.set_origin(None, None)
    await kinds(notices, person)
    kept = await database.fetchval("SELECT n::text FROM notify.notice n")
    assert "192.0.2.1" not in kept
    assert "Firefox" not in kept
    (item,) = (await notices.page(person, LANGUAGE)).items
    assert item.text == "A copy of all your data was made on Firefox · Android, from 192.0.2.1."


async def test_a_place_that_does_not_open_holds_nobody_up(
    database: Database, notices: Notices, person: int, tmp_path: Path
) -> None:
    """The key that sealed it is lost: the sign-in is told, and so is what comes after it."""
    origin.set_origin("Phone", "192.0.2.1")
    lost = SecurityEvents(Personal.load(tmp_path / "lost"))
    await lost.record(database, person, EventKind.SIGNED_IN)
    origin.set_origin(None, None)
    await lost.record(database, person, EventKind.PIN_CHANGED)
    while await database.fetchval(_BEHIND):
        await notices.follow()
    told = await database.fetch("SELECT kind FROM notify.notice ORDER BY id")
    assert [row["kind"] for row in told] == ["signed_in", "pin_changed"]
    assert len((await notices.page(person, LANGUAGE)).items) == 2


async def test_a_first_pin_is_told(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    origin.set_origin("Firefox · Android", "192.0.2.1")
    await security_events.record(database, person, EventKind.PIN_SET)
    origin.set_origin(None, None)
    assert await kinds(notices, person) == ["pin_set"]
    (item,) = (await notices.page(person, LANGUAGE)).items
    assert item.text.startswith("A payment PIN was set on Firefox · Android.")


async def test_marks(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    for _ in range(3):
        await security_events.record(database, person, EventKind.PIN_CHANGED)
    await kinds(notices, person)
    page = await notices.page(person, LANGUAGE)
    assert (page.unread, [item.read for item in page.items]) == (3, [False] * 3)
    await notices.mark_read(person, page.items[1].text_id)
    page = await notices.page(person, LANGUAGE)
    assert (page.unread, [item.read for item in page.items]) == (1, [False, True, True])
    # A mark never goes back, and one from the future covers nothing that is still to come.
    await notices.mark_read(person, page.items[2].text_id)
    assert (await notices.page(person, LANGUAGE)).unread == 1
    await notices.mark_read(person, ids.write_id("n", (1 << 63) - 1))
    await security_events.record(database, person, EventKind.PIN_RESET)
    assert (await kinds(notices, person))[0] == "pin_reset"
    assert (await notices.page(person, LANGUAGE)).unread == 1


@pytest.mark.parametrize("id", ["", "n_", "e_0000000000001", "1"])
async def test_ids_that_are_none(notices: Notices, person: int, id: str) -> None:
    with pytest.raises(InvalidRequest):
        await notices.mark_read(person, id)
    with pytest.raises(BadCursor):
        await notices.page(person, LANGUAGE, id)


async def test_pages(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    for _ in range(5):
        await security_events.record(database, person, EventKind.PIN_CHANGED)
    await kinds(notices, person)
    first = await notices.page(person, LANGUAGE, limit=3)
    second = await notices.page(person, LANGUAGE, first.next_cursor, limit=3)
    assert (len(first.items), len(second.items), second.next_cursor) == (3, 2, None)
    seen = [item.id for item in (*first.items, *second.items)]
    assert seen == sorted(set(seen), reverse=True)


async def test_what_commits_late_is_not_missed(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as connection:
            await security_events.record(connection, person, EventKind.PIN_RESET)
            begun.set()
            await go_on.wait()

    task = asyncio.create_task(slow())
    await begun.wait()
    await security_events.record(database, person, EventKind.PIN_CHANGED)
    # Reading stops below the one that is under way, and takes both later.
    await notices.follow()
    assert (await notices.page(person, LANGUAGE)).items == []
    go_on.set()
    await task
    assert sorted(await kinds(notices, person)) == ["pin_changed", "pin_reset"]


async def test_many_followers_tell_each_once(
    security_events: SecurityEvents,
    database: Database,
    database_urls: DatabaseUrls,
    notices: Notices,
    person: int,
) -> None:
    for _ in range(450):
        await security_events.record(database, person, EventKind.PIN_CHANGED)
    others = [Notices(database, security_events) for _ in range(4)]

    async def go_on(other: Notices) -> None:
        for _ in range(6):
            await other.follow()

    await asyncio.gather(*(go_on(other) for other in others))
    await kinds(notices, person)
    assert (await notices.page(person, LANGUAGE)).unread == 450


async def test_transaction_ids_are_numbers(
    database: Database, notices: Notices, person: int
) -> None:
    """From 9 to 10, from 99 to 100 and so on, as a young server counts, none is passed over."""
    now: int = int(await database.fetchval("SELECT pg_current_xact_id()::text"))
    above = 10 ** len(str(now))
    for writer in (above, above - 1, 9, 10):
        await database.execute(
            """
            INSERT INTO identity.security_event (id, person, at, kind, writer)
            VALUES ($1, $2, now(), 'pin_changed', $3::text::xid8)
            """,
            ids.new_id(),
            person,
            str(writer),
        )
    # Two are from transactions to come, and wait.
    await notices.follow()
    stand = await database.fetchval("SELECT writer::text FROM notify.follower")
    assert (stand, (await notices.page(person, LANGUAGE)).unread) == ("10", 2)


async def test_each_has_their_own(
    security_events: SecurityEvents,
    database: Database,
    database_urls: DatabaseUrls,
    notices: Notices,
    person: int,
) -> None:
    other = await add_person(database_urls, "ben")
    await security_events.record(database, person, EventKind.PIN_CHANGED)
    assert await kinds(notices, other) == []
    assert await kinds(notices, person) == ["pin_changed"]


async def test_old_ones_go_and_the_trail_stays(
    security_events: SecurityEvents, database: Database, notices: Notices, person: int
) -> None:
    long_ago = clock.now_us() - 400 * 86_400_000_000
    await security_events.record(database, person, EventKind.PIN_CHANGED, at_us=long_ago)
    await security_events.record(database, person, EventKind.PIN_RESET)
    await kinds(notices, person)
    await notices.prune()
    assert await kinds(notices, person) == ["pin_reset"]
    events, _ = await security_events.page(database, person)
    assert len(events) == 2
