"""The end of an account: nobody signs in to it any more, and later its name and phone are free.

The row itself stays, and so does the ledger's history, which is other people's as well. What a
person could be known by is made unreadable thirty days later.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.identity.codes import CodeSender, Purpose
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.people import People
from tikiwallet.identity.personal import PERSON_NAME, PERSON_PHONE, Personal
from tikiwallet.identity.phone_change import forget_change
from tikiwallet.identity.pins import Pins
from tikiwallet.identity.recovery import end_recoveries
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Sessions

FREED_AFTER: Final = timedelta(days=30)
CLOSED_NAME: Final = "Closed wallet"

_CLOSE: Final = """
UPDATE identity.person SET closed_at = $2, password_hash = $3, pin_threshold = NULL
WHERE id = $1 AND closed_at IS NULL RETURNING 1
"""
_TO_FREE: Final = """
SELECT id FROM identity.person WHERE freed_at IS NULL AND closed_at <= $1 LIMIT 100
FOR NO KEY UPDATE SKIP LOCKED
"""
_FREE: Final = """
UPDATE identity.person SET freed_at = $2, username = NULL, phone_index = $3, phone_sealed = $4,
    display_name_sealed = $5
WHERE id = $1
"""


class Closure:
    """Ends accounts whose wallets are closed; `wallets.closing` says when."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        people: People,
        personal: Personal,
        passwords: Passwords,
        pins: Pins,
        factors: SecondFactors,
        sessions: Sessions,
        sender: CodeSender,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._people = people
        self._personal = personal
        self._passwords = passwords
        self._pins = pins
        self._factors = factors
        self._sessions = sessions
        self._sender = sender
        self._now = now

    async def close(self, person: int) -> None:
        """Nobody signs in as `person` any more. Closing again changes nothing."""
        owner = await self._people.person(person)
        if owner is None:
            return
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            # Sign-ins under way are waited for, and those that come wait and are refused.
            await connection.execute(
                "SELECT 1 FROM identity.person WHERE id = $1 FOR UPDATE", person
            )
            # A hash that nothing matches: signing in takes as long as for everybody else.
            done = await connection.fetchval(_CLOSE, person, at, self._passwords.unmatchable())
            if done is None:
                return
            await self._pins.remove(connection, person)
            await self._factors.forget_all(connection, person)
            await connection.execute(
                "DELETE FROM identity.linked_identity WHERE person = $1", person
            )
            await end_recoveries(connection, person, at, "closed")
            await forget_change(connection, person)
            ended = await self._sessions.end_all_in(connection, person, "closed")
            await self._events.record(connection, person, EventKind.CLOSED, at_us=self._now())
            await self._sender.queue_notice(
                connection, owner.phone, Purpose.CLOSED, language=owner.message_language
            )
        self._sessions.know(ended)

    async def free_due(self) -> bool:
        """Free names and phones of accounts closed long enough ago; whether there may be more. For
        the worker."""
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_TO_FREE, at - FREED_AFTER)
            for row in rows:
                await self._free(connection, row["id"], at)
        return bool(rows)

    async def _free(self, connection: AnyConnection, person: int, at: Any) -> None:
        await connection.execute(
            _FREE,
            person,
            at,
            os.urandom(32),
            self._personal.seal(PERSON_PHONE, person, ""),
            self._personal.seal(PERSON_NAME, person, CLOSED_NAME),
        )
        for table in ("note_key", "favourite"):
            await connection.execute(
                f"DELETE FROM identity.{table} WHERE person = $1",  # noqa: S608 - names of ours
                person,
            )
        await self._events.record(connection, person, EventKind.FREED, at_us=self._now())
