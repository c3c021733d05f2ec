"""Recovery: a new password for somebody who forgot theirs, or whose phone or number is gone.

Asked for by phone, a code goes there; asked for by username, because the number is gone, a code of
the authenticator app, a recovery code or the password proves the person. After that comes a waiting
time, in which every signed-in device and the phone are told and may stop it; a second factor that
is shown in addition spares the wait, and where there is one but it is lost too the wait is longer.
Then all other sign-ins end and lower limits hold for a day.

Neither answer nor time tells whether a phone or name is known: every step does the same work and
sends a message for unknown phones as well. Attempts from addresses that the person has signed in
from are counted apart, so that nobody can use up the owner's by asking from elsewhere.
docs/decisions/0008 says why it is like this.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound, Problem
from tikiwallet.identity import (
    origin,
    passwords,
    payer_facts,
    phones,
    usernames,
)
from tikiwallet.identity.cancelling import CancelLink, hash_of
from tikiwallet.identity.codes import CodeExpired, Codes, CodeSender, CodeWrong, Delivery, Purpose
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.limits import Limit, Limits, address_subject
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.payer_facts import Payers
from tikiwallet.identity.people import People, Person
from tikiwallet.identity.personal import RECOVERY_ADDRESS, RECOVERY_DEVICE, Personal
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Sessions, Tokens

WAIT: Final = timedelta(hours=24)
LONGER: Final = 7  # times the wait, where a second factor is lost as well
TO_PROVE: Final = timedelta(minutes=10)
TO_COMPLETE: Final = timedelta(days=7)  # from when it is ready
TRIES: Final = 5

RECOVERIES_PER_ADDRESS: Final = Limit("recovery.address", 60, timedelta(hours=1))
# By phone and address, then by phone (or by phone and address again, where that is familiar).
RECOVERIES_FROM_ONE: Final = Limit(
    "recovery.one",
    5,
    timedelta(days=1),
    tuple(timedelta(seconds=seconds) for seconds in (0, 30, 60, 120, 300)),
)
RECOVERIES_PER_PERSON: Final = Limit("recovery.person", 10, timedelta(days=1))

_HASH_LENGTH: Final = 32
_BEGIN: Final = """
INSERT INTO identity.recovery (id, person, by_phone, created_at, expires_at, device_sealed,
    address_sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_ROW: Final = """
SELECT id, person, by_phone, tries, secret_hash, needs_factor, ready_at, ready_without_at
FROM identity.recovery WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
"""
_COUNT: Final = """
UPDATE identity.recovery SET tries = tries + 1
WHERE id = $1 AND tries < $2 AND ended_at IS NULL AND expires_at > $3
RETURNING tries
"""
_PROVE: Final = """
UPDATE identity.recovery SET secret_hash = $2, cancel_hash = $3, needs_factor = $4, ready_at = $5,
    ready_without_at = $6, expires_at = $7, tries = 0
WHERE id = $1 AND ready_at IS NULL AND ended_at IS NULL
RETURNING 1
"""
_END: Final = """
UPDATE identity.recovery SET ended_at = $2, ended_how = $3
WHERE id = $1 AND ended_at IS NULL
RETURNING person, ready_at IS NOT NULL AS proven
"""
_END_ALL: Final = """
UPDATE identity.recovery SET ended_at = $2, ended_how = $3
WHERE person = $1 AND ended_at IS NULL
"""
_PENDING: Final = """
SELECT id, created_at, coalesce(ready_without_at, ready_at) AS ready_at, device_sealed,
    address_sealed
FROM identity.recovery
WHERE person = $1 AND ready_at IS NOT NULL AND ended_at IS NULL AND expires_at > $2
ORDER BY created_at DESC LIMIT 100
"""


class RecoveryInvalid(Problem):
    code = "recovery_invalid"
    title = "This recovery was stopped, has run out or never was; begin a new one"


class RecoveryNotReady(Problem):
    """`ready_at` says when it will be."""

    code = "recovery_not_ready"
    title = "The waiting time of this recovery is not over yet"


class RecoveryFactorRequired(Problem):
    """`ready_without_at` says from when on it is not."""

    code = "recovery_factor_required"
    title = "A code of your authenticator app or a recovery code is needed as well"


@dataclass(frozen=True, slots=True)
class Proven:
    """A recovery whose asker has proven something. `secret` is theirs alone. It can be completed
    from `ready_at` on, or, without the second factor that it `needs_factor`, from
    `ready_without_at`."""

    secret: str = field(repr=False)
    ready_at: datetime
    needs_factor: bool
    ready_without_at: datetime | None


@dataclass(frozen=True, slots=True)
class PendingRecovery:
    """A recovery that may be stopped; where it was begun, and when it may happen."""

    id: str
    created_at: datetime
    ready_at: datetime
    device: str | None
    address: str | None


class Recovery:
    """Gets people back into their accounts."""

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
        familiar: FamiliarPlaces,
        factors: SecondFactors,
        passwords: Passwords,
        sessions: Sessions,
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
        self._familiar = familiar
        self._factors = factors
        self._passwords = passwords
        self._sessions = sessions
        self._payers = payers
        self._public_url = public_url
        self._wait = wait
        self._now = now

    # -- asking

    async def begin_by_phone(self, phone: str, address: str | None = None) -> tuple[str, Delivery]:
        """Begin, and send a code; the id, a UUID, and how far the code has come. Raises
        `PhoneInvalid`, `TooManyRequests`, `PhoneUnreachable`, `CodeNotSent`."""
        phone = phones.normalise(phone)
        await self._count(phone, address)
        person = await self._people.find_by_phone(phone)
        purpose = Purpose.RECOVER if person is not None else Purpose.RECOVER_UNKNOWN
        id = ids.write_uuid(ids.new_uuid7())
        async with self._database.transaction() as connection:
            await self._insert(connection, id, person, by_phone=True)
            code = await self._codes.issue(connection, id, purpose)
        told, language = None, origin.asked_language()
        if person is not None:
            told, language = code, person.message_language
        return id, await self._sender.send_code(phone, told, purpose, language=language)

    async def begin_by_username(self, username: str, address: str | None = None) -> str:
        """Begin without a message, for somebody whose number is gone; the id, a UUID. Raises
        `UsernameInvalid`, `TooManyRequests`."""
        name = usernames.normalise(username.removeprefix("@"))
        person = await self._people.find_by_username(name)
        await self._count(f"@{name}" if person is None else person.phone, address)
        id = ids.write_uuid(ids.new_uuid7())
        async with self._database.transaction() as connection:
            await self._insert(connection, id, person, by_phone=False)
        return id

    async def _count(self, whom: str, address: str | None) -> None:
        place = None if address is None else address_subject(address)
        if place is not None:
            await self._limits.take(RECOVERIES_PER_ADDRESS, place)
        await self._limits.take(RECOVERIES_FROM_ONE, f"{whom} {place}")
        subject = await self._familiar.subject(whom, address)
        await self._limits.take(RECOVERIES_PER_PERSON, subject)

    async def _insert(
        self, connection: AnyConnection, id: str, person: Person | None, *, by_phone: bool
    ) -> None:
        at = self._now()
        came_from = origin.current()
        await connection.execute(
            _BEGIN,
            id,
            None if person is None else person.id,
            by_phone,
            clock.from_us(at),
            clock.from_us(at) + TO_PROVE,
            self._personal.seal_any(RECOVERY_DEVICE, id, came_from.device),
            self._personal.seal_any(RECOVERY_ADDRESS, id, came_from.address),
        )
        await self._events.record(
            connection,
            None if person is None else person.id,
            EventKind.RECOVERY_ASKED,
            at_us=at,
            by="phone" if by_phone else "username",
        )

    # -- proving

    async def prove(
        self, recovery_id: str, *, code: str | None = None, password: str | None = None
    ) -> Proven:
        """Prove with the code that was sent, or, where the number is gone, with a typed second
        factor, or else with the password by those who have none. Raises `CodeWrong`, `CodeExpired`,
        `Overloaded`."""
        row = await self._row(recovery_id, CodeExpired)
        if row["ready_at"] is not None:
            raise CodeExpired
        try:
            if row["by_phone"]:
                await self._codes.check(str(row["id"]), code or "")
            else:
                await self._check_other(row, code, password)
        except CodeWrong:
            await self._events.record(
                self._database,
                row["person"],
                EventKind.RECOVERY_CODE_FAILED,
                at_us=self._now(),
            )
            raise
        person = await self._people.person(row["person"])
        if person is None:
            raise CodeExpired
        return await self._proven(row, person, code)

    async def _check_other(self, row: Any, code: str | None, password: str | None) -> None:
        """What proves a person whose number is gone; the same work for names that nobody has."""
        tries = await self._database.fetchval(_COUNT, row["id"], TRIES, clock.from_us(self._now()))
        if tries is None:
            raise CodeExpired
        person: int | None = row["person"]
        if password is not None:
            encoded: str | None = await self._database.fetchval(
                "SELECT password_hash FROM identity.person WHERE id = $1", person
            )
            typed = (await self._factors.factors(person or 0)).typed
            # Where a second factor can be typed, the password alone proves nothing.
            right = await self._passwords.matches(encoded, password) and not typed
        else:
            async with self._database.transaction() as connection:
                right = await self._factors.use_code(connection, person or 0, code or "")
        if not right or person is None:
            raise CodeWrong(tries_left=TRIES - int(tries))

    async def _proven(self, row: Any, person: Person, code: str | None) -> Proven:
        """Start the waiting time and tell everybody who can stop it."""
        at = clock.from_us(self._now())
        needs_factor = row["by_phone"] and (await self._factors.factors(person.id)).typed
        ready_at = at if needs_factor else at + self._wait
        ready_without_at = at + LONGER * self._wait if needs_factor else None
        secret = secrets.token_urlsafe(32)
        cancel = CancelLink.new(self._public_url)
        async with self._database.transaction() as connection:
            if row["by_phone"]:
                await self._codes.use(connection, str(row["id"]))
            done = await connection.fetchval(
                _PROVE,
                row["id"],
                hash_of(secret),
                cancel.hash,
                needs_factor,
                ready_at,
                ready_without_at,
                (ready_without_at or ready_at) + TO_COMPLETE,
            )
            if done is None:
                raise CodeExpired
            await self._events.record(
                connection,
                person.id,
                EventKind.RECOVERY_BEGUN,
                at_us=self._now(),
                needs_factor=needs_factor,
            )
            await self._sender.queue_notice(
                connection,
                person.phone,
                Purpose.RECOVERY_BEGUN,
                language=person.message_language,
                link=cancel.link,
            )
        return Proven(secret, ready_at, needs_factor, ready_without_at)

    # -- completing

    async def complete(
        self,
        recovery_id: str,
        secret: str,
        password: str,
        factor_code: str | None = None,
        *,
        address: str | None = None,
        device: str = "",
    ) -> Tokens:
        """Set `password`, end all sign-ins and sign in. Raises `RecoveryInvalid`,
        `RecoveryNotReady`, `RecoveryFactorRequired`, `CodeWrong`, `PasswordWeak`, `Overloaded`."""
        row = await self._row(recovery_id, RecoveryInvalid)
        kept = row["secret_hash"] or bytes(_HASH_LENGTH)
        right = hmac.compare_digest(bytes(kept), hash_of(secret))
        person = await self._people.person(row["person"] or 0)
        if not right or row["ready_at"] is None or person is None:
            raise RecoveryInvalid
        passwords.check_rules(password, person.phone, person.username)
        at = clock.from_us(self._now())
        with_factor = row["needs_factor"] and at < row["ready_without_at"]
        if at < row["ready_at"]:
            ready = clock.write(row["ready_at"])
            raise RecoveryNotReady(ready_at=ready)
        if with_factor and factor_code is None:
            until = clock.write(row["ready_without_at"])
            raise RecoveryFactorRequired(ready_without_at=until)
        encoded = await self._passwords.hash(password)
        if not with_factor:
            return await self._carry_out(row, person, encoded, None, address, device)
        tries = await self._database.fetchval(_COUNT, row["id"], TRIES, at)
        if tries is None:
            raise RecoveryInvalid
        try:
            return await self._carry_out(row, person, encoded, factor_code, address, device)
        except CodeWrong:
            await self._events.record(
                self._database, person.id, EventKind.RECOVERY_CODE_FAILED, at_us=self._now()
            )
            raise CodeWrong(tries_left=TRIES - int(tries)) from None

    async def _carry_out(
        self,
        row: Any,
        person: Person,
        encoded: str,
        factor_code: str | None,
        address: str | None,
        device: str,
    ) -> Tokens:
        """All of it or nothing; `factor_code` is checked if there is one. Raises `CodeWrong`."""
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            if await connection.fetchrow(_END, row["id"], at, "completed") is None:
                raise RecoveryInvalid
            if factor_code is not None and not await self._factors.use_code(
                connection, person.id, factor_code
            ):
                raise CodeWrong
            await connection.execute(
                "UPDATE identity.person SET password_hash = $2 WHERE id = $1", person.id, encoded
            )
            await connection.execute(_END_ALL, person.id, at, "superseded")
            if row["needs_factor"] and factor_code is None:
                await self._factors.forget_all(connection, person.id)
            if not row["by_phone"]:
                # Its codes would go to a number that is gone.
                await connection.execute(
                    "DELETE FROM identity.sms_factor WHERE person = $1", person.id
                )
            await self._factors.forget_challenges(connection, person.id)
            ended = await self._sessions.end_all_in(connection, person.id, "recovery")
            await payer_facts.restrict(connection, person.id, at)
            await self._events.record(
                connection,
                person.id,
                EventKind.RECOVERY_COMPLETED,
                at_us=self._now(),
                ended=len(ended),
            )
            await self._sender.queue_notice(
                connection, person.phone, Purpose.RECOVERED, language=person.message_language
            )
            tokens = await self._sessions.open(
                connection, person.id, method="recovery", address=address, device=device
            )
        self._sessions.know(ended)
        self._payers.forget(person.id)
        return tokens

    # -- stopping

    async def pending(self, person: int) -> list[PendingRecovery]:
        """Recoveries of `person` that were proven and may still be stopped, newest first."""
        rows = await self._database.fetch(_PENDING, person, clock.from_us(self._now()))
        return [
            PendingRecovery(
                str(row["id"]),
                row["created_at"],
                row["ready_at"],
                self._personal.open_any(RECOVERY_DEVICE, row["id"], row["device_sealed"]),
                self._personal.open_any(RECOVERY_ADDRESS, row["id"], row["address_sealed"]),
            )
            for row in rows
        ]

    async def cancel(self, person: int, recovery_id: str, session: bytes) -> None:
        """Stop a recovery of `person`. Raises `NotFound`."""
        raw = ids.read_uuid(recovery_id)
        mine = raw is not None and await self._database.fetchval(
            "SELECT 1 FROM identity.recovery WHERE id = $1 AND person = $2",
            ids.write_uuid(raw),
            person,
        )
        if raw is None or not mine or not await self._stop(ids.write_uuid(raw), session):
            raise NotFound("There is no such recovery, or it is over")

    async def cancel_by_link(self, secret: str) -> bool:
        """Stop the recovery that the text message with this secret was about; whether one was."""
        id = await self._database.fetchval(
            "SELECT id FROM identity.recovery WHERE cancel_hash = $1", hash_of(secret)
        )
        return id is not None and await self._stop(id, None)

    async def _stop(self, id: Any, session: bytes | None) -> bool:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_END, id, clock.from_us(self._now()), "cancelled")
            if row is None or row["person"] is None:
                return False
            await self._events.record(
                connection,
                row["person"],
                EventKind.RECOVERY_CANCELLED,
                session=session,
                at_us=self._now(),
                by="link" if session is None else "device",
            )
        return True

    async def _row(self, recovery_id: str, otherwise: type[Problem]) -> Any:
        raw = ids.read_uuid(recovery_id)
        at = clock.from_us(self._now())
        if raw is not None:
            row = await self._database.fetchrow(_ROW, ids.write_uuid(raw), at)
            if row is not None:
                return row
        raise otherwise


async def end_recoveries(connection: AnyConnection, person: int, at: datetime, how: str) -> None:
    """Whatever recoveries of `person` are under way end (`superseded`, `closed`), in the caller's
    database transaction."""
    await connection.execute(_END_ALL, person, at, how)
