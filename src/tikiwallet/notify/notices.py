"""Notices: what the app tells a person about their account, newest first, with a read mark.

Those about security follow the audit trail the way other things follow the ledger's log: a worker
reads on from where it stopped, so that whoever records an event need not know who is told, and no
notice is lost or doubled. Their words are made when they are read, in the reader's language.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import InvalidRequest
from tikiwallet.identity.origin import Origin
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.ledger.history import BadCursor
from tikiwallet.notify.wording import words

PAGE: Final = 30
KEPT: Final = timedelta(days=365)
PREFIX: Final = "n"
_BATCH: Final = 200
_FAMILIAR: Final = timedelta(days=90)
_LOOKED_AT: Final = 500  # sign-ins before: opening them takes a millisecond


# What a person should hear of although they may have done it themselves.
OF_WEIGHT: Final = frozenset(
    {
        EventKind.SIGNED_IN,
        EventKind.REFRESH_REUSED,
        EventKind.PASSWORD_CHANGED,
        EventKind.PIN_SET,
        EventKind.PIN_CHANGED,
        EventKind.PIN_LOCKED,
        EventKind.PIN_RESET,
        EventKind.PIN_THRESHOLD_CHANGED,
        EventKind.TOTP_ON,
        EventKind.TOTP_OFF,
        EventKind.SMS_FACTOR_ON,
        EventKind.SMS_FACTOR_OFF,
        EventKind.PASSKEY_ADDED,
        EventKind.PASSKEY_REMOVED,
        EventKind.RECOVERY_CODES_MADE,
        EventKind.RECOVERY_CODE_USED,
        EventKind.IDENTITY_LINKED,
        EventKind.IDENTITY_UNLINKED,
        EventKind.RECOVERY_BEGUN,
        EventKind.RECOVERY_CANCELLED,
        EventKind.RECOVERY_COMPLETED,
        EventKind.PHONE_CHANGE_ASKED,
        EventKind.PHONE_CHANGE_BEGUN,
        EventKind.PHONE_CHANGE_CANCELLED,
        EventKind.PHONE_CHANGE_FAILED,
        EventKind.PHONE_CHANGED,
        EventKind.OFFLINE_DEVICE_ADDED,
        EventKind.OFFLINE_DEVICE_REVOKED,
        EventKind.OFFLINE_DEVICE_FROZEN,
        EventKind.OFFLINE_DEVICE_THAWED,
        EventKind.OFFLINE_DEBT_BEGUN,
        EventKind.OFFLINE_DEBT_PAID,
        EventKind.OFFLINE_DEBT_ENDED,
        EventKind.EXPORTED,
    }
)

# Of several workers one follows at a time. Below the oldest database transaction under way nothing
# is added any more, so that reading up to there skips nothing.
_CLAIM: Final = """
SELECT writer::text AS writer, id FROM notify.follower WHERE name = 'security events'
FOR UPDATE SKIP LOCKED
"""
_NEW: Final = """
SELECT id, person, kind, at, device_sealed, address_sealed, detail::text AS detail,
    writer::text AS written_by
FROM identity.security_event
WHERE (writer, id) > ($1::text::xid8, $2::bigint)
    AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY writer, id LIMIT $3
"""
_ADVANCE: Final = """
UPDATE notify.follower SET writer = $1::text::xid8, id = $2 WHERE name = 'security events'
"""
_SIGN_INS_BEFORE: Final = f"""
SELECT id, device_sealed, address_sealed FROM identity.security_event
WHERE person = $1 AND id < $2 AND at > $3 AND kind IN ('signed_in', 'registered')
ORDER BY id DESC LIMIT {_LOOKED_AT}
"""  # noqa: S608 - a number
_ADD: Final = """
INSERT INTO notify.notice (id, person, kind, facts, at, event)
VALUES ($1, $2, $3, $4::jsonb, $5, $6)
ON CONFLICT (event) DO NOTHING
"""
_PAGE: Final = """
SELECT n.id, n.kind, n.facts::text AS facts, n.at, n.event, e.device_sealed, e.address_sealed
FROM notify.notice n LEFT JOIN identity.security_event e ON e.id = n.event
WHERE n.person = $1 AND n.id < $2 ORDER BY n.id DESC LIMIT $3
"""
_READ_UP_TO: Final = """
SELECT coalesce((SELECT read_up_to FROM notify.notice_mark WHERE person = $1), 0)
"""
_UNREAD: Final = "SELECT count(*) FROM notify.notice WHERE person = $1 AND id > $2"
_MARK: Final = """
INSERT INTO notify.notice_mark AS mark (person, read_up_to) VALUES ($1, $2)
ON CONFLICT (person) DO UPDATE SET read_up_to = greatest(mark.read_up_to, $2)
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice in the words of its reader."""

    id: int
    kind: str
    title: str
    text: str
    at: datetime
    read: bool

    @property
    def text_id(self) -> str:
        """`n_...`"""
        return ids.write_id(PREFIX, self.id)


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Newest first; `unread` counts all of the person's, not only those of the page."""

    items: list[Notice]
    next_cursor: str | None
    unread: int


class Notices:
    """Makes and shows notices."""

    def __init__(
        self, database: Database, events: SecurityEvents, now: Callable[[], int] = clock.now_us
    ) -> None:
        self._database = database
        self._events = events
        self._now = now

    async def follow(self) -> bool:
        """Make notices of the next security events; whether there may be more at once."""
        async with self._database.transaction() as connection:
            stand = await connection.fetchrow(_CLAIM)
            if stand is None:
                return False
            events = await connection.fetch(_NEW, stand["writer"], stand["id"], _BATCH)
            # Numbered as they appear: none comes to stand below a mark that was set before it.
            numbers = sorted(ids.new_id() for _ in events)
            for number, event in zip(numbers, events, strict=True):
                if await self._is_news(connection, event):
                    await self._add(connection, number, event)
            if events:
                await connection.execute(_ADVANCE, events[-1]["written_by"], events[-1]["id"])
        return len(events) == _BATCH

    async def page(
        self, person: int, language: str, cursor: str | None = None, limit: int = PAGE
    ) -> NoticePage:
        """The notices of `person`. Raises BadCursor."""
        below = (1 << 63) - 1
        if cursor is not None:
            read = ids.read_id(PREFIX, cursor)
            if read is None:
                raise BadCursor
            below = read
        rows = await self._database.fetch(_PAGE, person, below, limit + 1)
        mark: int = await self._database.fetchval(_READ_UP_TO, person)
        unread: int = await self._database.fetchval(_UNREAD, person, mark)
        items = [self._notice(row, mark, language) for row in rows[:limit]]
        return NoticePage(items, items[-1].text_id if len(rows) > limit else None, unread)

    async def mark_read(self, person: int, up_to: str) -> None:
        """This notice and all before it are read. Raises InvalidRequest for no notice's id."""
        id = ids.read_id(PREFIX, up_to)
        if id is None:
            raise InvalidRequest("up_to is the id of a notice")
        # One from the future would make all that come appear read.
        newest = await self._database.fetchval(
            "SELECT coalesce(max(id), 0) FROM notify.notice WHERE person = $1", person
        )
        await self._database.execute(_MARK, person, min(id, newest))

    async def prune(self) -> None:
        """Delete notices that nobody scrolls back to; the events they tell of stay."""
        old = clock.from_us(self._now()) - KEPT
        await self._database.execute("DELETE FROM notify.notice WHERE at < $1", old)

    async def _is_news(self, connection: AnyConnection, event: Any) -> bool:
        if event["person"] is None or event["kind"] not in OF_WEIGHT:
            return False
        if event["kind"] != EventKind.SIGNED_IN:
            return True
        before = await connection.fetch(
            _SIGN_INS_BEFORE, event["person"], event["id"], event["at"] - _FAMILIAR
        )
        here = self._origin(event["id"], event)
        # Where it is not known, rather told too much.
        return here is None or all(self._origin(row["id"], row) != here for row in before)

    async def _add(self, connection: AnyConnection, number: int, event: Any) -> None:
        await connection.execute(
            _ADD,
            number,
            event["person"],
            event["kind"],
            event["detail"],
            event["at"],
            event["id"],
        )

    def _notice(self, row: Any, mark: int, language: str) -> Notice:
        came_from = self._origin(row["event"], row) or Origin()
        facts = json.loads(row["facts"])
        facts |= {"device": came_from.device, "address": came_from.address}
        title, text = words(row["kind"], facts, language)
        return Notice(row["id"], row["kind"], title, text, row["at"], row["id"] <= mark)

    def _origin(self, event: int, row: Any) -> Origin | None:
        """Where an event came from, which is kept with the event alone; None: nobody knows."""
        return self._events.origin_of(event, row["device_sealed"], row["address_sealed"])
