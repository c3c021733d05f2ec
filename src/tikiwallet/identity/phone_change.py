"""Moving an account to another number.

A code to the new number proves that it is the person's. Then a waiting time runs in which the old
number and every signed-in device are told and may stop it; a code that went to the old number
spares the wait. The worker carries out what has become effective. Lower limits hold for a day then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity import payer_facts, phones
from tikiwallet.identity.cancelling import CancelLink, hash_of
from tikiwallet.identity.codes import CodeExpired, Codes, CodeSender, CodeWrong, Purpose
from tikiwallet.identity.limits import CODES_PER_PHONE, CODES_TO_PHONE, Limit, Limits
from tikiwallet.identity.payer_facts import Payers
from tikiwallet.identity.people import People, Person, message_language
from tikiwallet.identity.personal import PERSON_PHONE, PHONE_CHANGE, Personal
from tikiwallet.identity.recovery import WAIT
from tikiwallet.identity.security_events import EventKind, Executes, SecurityEvents
from tikiwallet.identity.step_up import StepUp

TO_PROVE: Final = timedelta(minutes=10)
PHONE_CHANGES_PER_PERSON: Final = Limit("phone-change.person", 5, timedelta(days=1))
_BATCH: Final = 100

_INSERT: Final = """
INSERT INTO identity.phone_change
    (id, person, phone_sealed, phone_index, ends, old_code, cancel_hash, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_COLUMNS: Final = (
    "id, person, phone_sealed, phone_index, ends, old_code, new_proven_at, effective_at"
)
_MINE: Final = f"""
SELECT {_COLUMNS} FROM identity.phone_change
WHERE person = $1 AND (expires_at > $2 OR new_proven_at IS NOT NULL)
"""  # noqa: S608 - only constants
_OF: Final = f"""
SELECT {_COLUMNS}, old_proven_at FROM identity.phone_change WHERE id = $1 FOR UPDATE
"""  # noqa: S608
_PROVEN: Final = """
UPDATE identity.phone_change SET new_proven_at = $2, effective_at = $3 WHERE id = $1
"""
_AGREED: Final = """
UPDATE identity.phone_change SET old_proven_at = $2,
    effective_at = CASE WHEN new_proven_at IS NOT NULL THEN $2::timestamptz END
WHERE id = $1
"""
_DUE: Final = """
SELECT id FROM identity.phone_change WHERE effective_at <= $1 ORDER BY effective_at LIMIT $2
"""
_TAKEN: Final = "SELECT language FROM identity.person WHERE phone_index = $1"


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change of number under way; `effective_at` once the new number was proven."""

    id: str
    phone: str
    effective_at: datetime | None


class PhoneChange:
    """Moves people to other numbers."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        people: People,
        personal: Personal,
        codes: Codes,
        sender: CodeSender,
        limits: Limits,
        step_up: StepUp,
        payers: Payers,
        public_url: str,
        wait: timedelta = WAIT,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._people = people
        self._personal = personal
        self._codes = codes
        self._sender = sender
        self._limits = limits
        self._step_up = step_up
        self._payers = payers
        self._public_url = public_url
        self._wait = wait
        self._now = now

    async def begin(self, person: int, session: bytes, phone: str) -> str:
        """Send a code to `phone`, and another to the old number; the change's id, a UUID. One that
        was under way is over. Whether the new number has a wallet is not told. Raises
        `PhoneInvalid`, `ReauthenticationRequired`, `TooManyRequests`, `CodeNotSent`."""
        await self._step_up.require(session)
        phone = phones.normalise(phone)
        owner = await self._owner(person)
        if phone == owner.phone:
            raise InvalidRequest("This is your number already")
        await self._limits.take(PHONE_CHANGES_PER_PERSON, str(person))
        # Counted apart from registrations, which need no wallet: they cannot keep people from
        # moving to a number of theirs.
        await self._limits.take(CODES_PER_PHONE, f"{phone} for {person}")
        await self._limits.take(CODES_TO_PHONE, f"{phone} for people")
        id, old_code = (ids.write_uuid(ids.new_uuid7()) for _ in range(2))
        index = self._personal.phone_index(phone)
        cancel = CancelLink.new(self._public_url)
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            other = await connection.fetchrow(_TAKEN, index)
            purpose = Purpose.CHANGE_PHONE if other is None else Purpose.CHANGE_PHONE_TAKEN
            await _forget(connection, person)
            await connection.execute(
                _INSERT,
                id,
                person,
                self._personal.seal(PHONE_CHANGE, id, phone),
                index,
                phone[-2:],
                old_code,
                cancel.hash,
                at,
                at + TO_PROVE,
            )
            to_new = await self._codes.issue(connection, id, purpose)
            to_old = await self._codes.issue(connection, old_code, Purpose.LEAVE_PHONE)
            await self._tell(
                connection, person, EventKind.PHONE_CHANGE_ASKED, session, ends=phone[-2:]
            )
        spoken = owner.message_language
        await self._sender.send_code(
            owner.phone, to_old, Purpose.LEAVE_PHONE, language=spoken, link=cancel.link
        )
        told: str | None = to_new
        if other is not None:
            told, spoken = None, message_language(other["language"])
        await self._sender.send_code(phone, told, purpose, language=spoken)
        return id

    async def prove(self, person: int, change_id: str, code: str, session: bytes) -> datetime:
        """The code that went to the new number; when the change takes effect. Raises `CodeWrong`,
        `CodeExpired`."""
        row = await self._mine(person, change_id)
        if row["new_proven_at"] is not None:
            raise CodeExpired
        await self._check(person, str(row["id"]), code, session)
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            await self._codes.use(connection, str(row["id"]))
            row = await connection.fetchrow(_OF, row["id"])
            if row is None:
                raise CodeExpired
            agreed = row["old_proven_at"] is not None
            effective_at = at if agreed else at + self._wait
            await connection.execute(_PROVEN, row["id"], at, effective_at)
            if not agreed:
                await self._tell(
                    connection,
                    person,
                    EventKind.PHONE_CHANGE_BEGUN,
                    session,
                    ends=row["ends"],
                    hours=round(self._wait.total_seconds() / 3600),
                )
        if effective_at <= at:
            await self._carry_out(row["id"])
        return effective_at

    async def agree(
        self, person: int, change_id: str, code: str, session: bytes
    ) -> datetime | None:
        """The code that went to the old number, before or after the other one; when the change
        takes effect, None while the new number is not proven. Raises `CodeWrong`, `CodeExpired`."""
        row = await self._mine(person, change_id)
        await self._check(person, str(row["old_code"]), code, session)
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            await self._codes.use(connection, str(row["old_code"]))
            row = await connection.fetchrow(_OF, row["id"])
            if row is None:
                raise CodeExpired
            await connection.execute(_AGREED, row["id"], at)
            await self._tell(connection, person, EventKind.PHONE_CHANGE_CONFIRMED, session)
        if row["new_proven_at"] is None:
            return None
        await self._carry_out(row["id"])
        return at

    async def pending(self, person: int) -> PendingChange | None:
        """The change of `person` that is under way."""
        row = await self._database.fetchrow(_MINE, person, clock.from_us(self._now()))
        if row is None:
            return None
        phone = self._personal.open(PHONE_CHANGE, row["id"], row["phone_sealed"])
        return PendingChange(str(row["id"]), phone, row["effective_at"])

    async def cancel(self, person: int, session: bytes) -> None:
        """Stop the change that is under way. Raises `NotFound`."""
        async with self._database.transaction() as connection:
            if not await _forget(connection, person):
                raise NotFound("No change of number is under way")
            await self._tell(
                connection, person, EventKind.PHONE_CHANGE_CANCELLED, session, by="device"
            )

    async def cancel_by_link(self, secret: str) -> bool:
        """Stop the change that the text message with this secret was about; whether one was."""
        async with self._database.transaction() as connection:
            person = await connection.fetchval(
                "DELETE FROM identity.phone_change WHERE cancel_hash = $1 RETURNING person",
                hash_of(secret),
            )
            if person is not None:
                await self._tell(
                    connection, person, EventKind.PHONE_CHANGE_CANCELLED, None, by="link"
                )
        return person is not None

    async def carry_out_due(self) -> bool:
        """Move everybody whose waiting time is over; whether there may be more at once. For the
        worker."""
        rows = await self._database.fetch(_DUE, clock.from_us(self._now()), _BATCH)
        for row in rows:
            await self._carry_out(row["id"])
        return len(rows) == _BATCH

    async def _carry_out(self, id: Any) -> None:
        try:
            person = await self._move(id)
        except asyncpg.UniqueViolationError:
            # Somebody registered with the number while the change waited.
            async with self._database.transaction() as connection:
                person = await connection.fetchval(
                    "DELETE FROM identity.phone_change WHERE id = $1 RETURNING person", id
                )
                if person is not None:
                    await self._tell(connection, person, EventKind.PHONE_CHANGE_FAILED, None)
        if person is not None:
            self._payers.forget(person)

    async def _move(self, id: Any) -> int | None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_OF, id)
            if row is None:  # stopped, or carried out by another process
                return None
            person: int = row["person"]
            new = self._personal.open(PHONE_CHANGE, id, row["phone_sealed"])
            before = await connection.fetchrow(
                "SELECT phone_sealed, language FROM identity.person WHERE id = $1 "
                "FOR NO KEY UPDATE",
                person,
            )
            assert before is not None
            await connection.execute(
                "UPDATE identity.person SET phone_sealed = $2, phone_index = $3 WHERE id = $1",
                person,
                self._personal.seal(PERSON_PHONE, person, new),
                row["phone_index"],
            )
            await connection.execute("DELETE FROM identity.phone_change WHERE id = $1", id)
            await payer_facts.restrict(connection, person, clock.from_us(self._now()))
            await self._tell(connection, person, EventKind.PHONE_CHANGED, None, ends=row["ends"])
            for phone in (self._personal.open(PERSON_PHONE, person, before["phone_sealed"]), new):
                await self._sender.queue_notice(
                    connection,
                    phone,
                    Purpose.PHONE_CHANGED,
                    language=message_language(before["language"]),
                )
        return person

    async def _check(self, person: int, code_id: str, code: str, session: bytes) -> None:
        try:
            await self._codes.check(code_id, code)
        except CodeWrong:
            await self._tell(self._database, person, EventKind.PHONE_CHANGE_CODE_FAILED, session)
            raise

    async def _mine(self, person: int, change_id: str) -> Any:
        raw = ids.read_uuid(change_id)
        row = await self._database.fetchrow(_MINE, person, clock.from_us(self._now()))
        if raw is None or row is None or row["id"].bytes != raw:
            raise CodeExpired
        return row

    async def _owner(self, person: int) -> Person:
        owner = await self._people.person(person)
        if owner is None:
            raise NotFound("this person is gone")
        return owner

    async def _tell(
        self,
        connection: Executes,
        person: int,
        kind: EventKind,
        session: bytes | None,
        **detail: object,
    ) -> None:
        await self._events.record(
            connection, person, kind, session=session, at_us=self._now(), **detail
        )


async def forget_change(connection: AnyConnection, person: int) -> None:
    """No change of number of `person` is under way any longer, in the caller's database
    transaction."""
    await _forget(connection, person)


async def _forget(connection: AnyConnection, person: int) -> bool:
    done = await connection.fetchval(
        "DELETE FROM identity.phone_change WHERE person = $1 RETURNING 1", person
    )
    return done is not None
