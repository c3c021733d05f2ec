"""Registration: ask with phone, username and password; verify with the code that was sent.

Neither the answer nor its time tells whether a phone is registered: both cases do the same work
and send a message, only its words differ, and the code kept for a known phone matches nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.identity import origin, passwords, phones, usernames
from tikiwallet.identity.codes import (
    LIFETIME,
    CodeExpired,
    Codes,
    CodeSender,
    Delivery,
    Purpose,
)
from tikiwallet.identity.familiar import Asker, FamiliarPlaces
from tikiwallet.identity.limits import (
    CODES_PER_PHONE,
    CODES_TO_PHONE,
    REGISTRATIONS_PER_ADDRESS,
    REGISTRATIONS_PER_ADDRESS_DAY,
    SENDS_PER_REGISTRATION,
    Limits,
    TooManyRequests,
    address_subject,
)
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.people import Person, add_person, message_language
from tikiwallet.identity.personal import REGISTRATION_PHONE, Personal
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Sessions, Tokens
from tikiwallet.identity.tickets import Tickets
from tikiwallet.identity.usernames import UsernameTaken


@dataclass(frozen=True, slots=True)
class TicketHeld:
    """In place of a password: a ticket, and the value of the cookie it was issued to."""

    ticket: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Message:
    """What the phone of a registration is sent."""

    purpose: Purpose
    code: str | None = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A registration under `id`, a UUID, and how far its message has come. `retry_after` seconds
    from now the message may be sent again."""

    id: str
    delivery: Delivery
    retry_after: int


class Registration:
    """Registers people."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        codes: Codes,
        passwords: Passwords,
        personal: Personal,
        sessions: Sessions,
        tickets: Tickets,
        limits: Limits,
        familiar: FamiliarPlaces,
        sender: CodeSender,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._codes = codes
        self._passwords = passwords
        self._personal = personal
        self._sessions = sessions
        self._tickets = tickets
        self._limits = limits
        self._familiar = familiar
        self._sender = sender
        self._now = now

    async def register(
        self,
        phone: str,
        username: str,
        password: str | TicketHeld,
        address: str | None = None,
    ) -> Begun:
        """Begin to register and send a message to `phone`. The username is reserved for this phone
        as long as the code lives; `address` is the caller's IP address. Who signed in at a provider
        holds a ticket and chooses no password. Raises `TicketInvalid`, `PhoneInvalid`,
        `UsernameInvalid`, `UsernameReserved`, `UsernameTaken`, `PasswordWeak`, `TooManyRequests`,
        `PhoneUnreachable`, `CodeNotSent`, `Overloaded`."""
        phone = phones.normalise(phone)
        username = usernames.normalise(username)
        usernames.check_free_to_choose(username)
        if isinstance(password, str):
            passwords.check_rules(password, phone, username)
        else:
            await self._tickets.check(password.ticket, password.browser)
        await self._take_address(address)
        await self._check_free(username, self._personal.phone_index(phone))
        asker = await self._familiar.asker(phone, address)
        await self._take_phone(asker)
        password_hash: str | None = None
        if isinstance(password, str):
            password_hash = await self._passwords.hash(password)
        id = ids.write_uuid(ids.new_uuid7())
        await self._limits.take(SENDS_PER_REGISTRATION, id)
        async with self._database.transaction() as connection:
            await connection.execute(
                """
                INSERT INTO identity.registration (id, phone_sealed, username, password_hash,
                    expires_at)
                VALUES ($1, $2, $3, $4, $5)
                """,
                id,
                self._personal.seal(REGISTRATION_PHONE, id, phone),
                username,
                password_hash,
                clock.from_us(self._now()) + LIFETIME,
            )
            if isinstance(password, TicketHeld):
                await self._tickets.attach(connection, password.ticket, password.browser, id)
            message = await self._issue(connection, id, phone, username)
        return await self._send(id, phone, asker, message)

    async def resend(self, registration_id: str, address: str | None = None) -> Begun:
        """Send a new code, which replaces the one before and lives as long; also when that ran out
        up to an hour ago. Raises `CodeExpired` for a registration that is over or was never begun,
        `TooManyRequests`, `UsernameTaken`, `PhoneUnreachable`, `CodeNotSent`."""
        id = _written(registration_id)
        await self._take_address(address)
        row = await self._database.fetchrow(
            "SELECT phone_sealed, username FROM identity.registration WHERE id = $1", id
        )
        if row is None:
            raise CodeExpired
        phone = self._personal.open(REGISTRATION_PHONE, id, row["phone_sealed"])
        asker = await self._familiar.asker(phone, address)
        # All or none: the time that is told shall be the time after which it works.
        if wait := await self._wait(id, asker):
            raise TooManyRequests(retry_after=wait)
        await self._limits.take(SENDS_PER_REGISTRATION, id)
        await self._take_phone(asker)
        async with self._database.transaction() as connection:
            still_there = await connection.fetchval(
                "UPDATE identity.registration SET expires_at = $2 WHERE id = $1 RETURNING true",
                id,
                clock.from_us(self._now()) + LIFETIME,
            )
            if not still_there:
                raise CodeExpired
            message = await self._issue(connection, id, phone, row["username"])
        return await self._send(id, phone, asker, message)

    async def verify(
        self, registration_id: str, code: str, *, address: str | None = None, device: str = ""
    ) -> tuple[Person, Tokens]:
        """Finish with the code that was sent: the new person, signed in. Raises `CodeWrong`,
        `CodeExpired`, `TicketInvalid`, `IdentityTaken`, and `UsernameTaken` when a late code
        lost its reservation."""
        id = _written(registration_id)
        await self._codes.check(id, code)
        try:
            async with self._database.transaction() as connection:
                await self._codes.use(connection, id)
                row = await connection.fetchrow(
                    """
                    DELETE FROM identity.registration WHERE id = $1
                    RETURNING phone_sealed, username, password_hash
                    """,
                    id,
                )
                if row is None:
                    raise CodeExpired
                person = await add_person(
                    connection,
                    self._personal,
                    self._personal.open(REGISTRATION_PHONE, id, row["phone_sealed"]),
                    row["username"],
                    row["password_hash"],
                    self._now,
                    origin.current().language,
                )
                await connection.execute(
                    "DELETE FROM identity.reservation WHERE username = $1", person.username
                )
                method = "sms"
                if row["password_hash"] is None:
                    await self._tickets.redeem(connection, id, person.id)
                    method = "oidc"
                asker = await self._familiar.asker(person.phone, address)
                await self._familiar.remember(connection, person.phone, address)
                await self._events.record(
                    connection, person.id, EventKind.REGISTERED, at_us=self._now()
                )
                tokens = await self._sessions.open(
                    connection, person.id, method=method, address=address, device=device
                )
        except asyncpg.UniqueViolationError as violation:
            if violation.constraint_name == "person_username":
                raise UsernameTaken from None
            if violation.constraint_name == "person_phone":
                # The same phone finished another registration first.
                raise CodeExpired from None
            raise
        await self._limits.forget(CODES_PER_PHONE, asker.place)
        return person, tokens

    async def _take_address(self, address: str | None) -> None:
        if address is not None:
            subject = address_subject(address)
            await self._limits.take(REGISTRATIONS_PER_ADDRESS, subject)
            await self._limits.take(REGISTRATIONS_PER_ADDRESS_DAY, subject)

    async def _take_phone(self, asker: Asker) -> None:
        """Count a message to a phone: by who asks, then among all who do."""
        await self._limits.take(CODES_PER_PHONE, asker.place)
        await self._limits.take(CODES_TO_PHONE, asker.subject)

    async def _issue(
        self, connection: AnyConnection, id: str, phone: str, username: str
    ) -> _Message:
        """Reserve the name and keep a code; what to send. Somebody known is sent no code."""
        index = self._personal.phone_index(phone)
        known = await connection.fetchrow(
            "SELECT language FROM identity.person WHERE phone_index = $1", index
        )
        purpose = Purpose.REGISTER if known is None else Purpose.ALREADY_REGISTERED
        await self._reserve(connection, username, index)
        code = await self._codes.issue(connection, id, purpose)
        if known is None:
            return _Message(purpose, code, origin.asked_language())
        return _Message(purpose, None, message_language(known["language"]))

    async def _send(self, id: str, phone: str, asker: Asker, message: _Message) -> Begun:
        delivery = await self._sender.send_code(
            phone, message.code, message.purpose, language=message.language
        )
        return Begun(id, delivery, await self._wait(id, asker))

    async def _wait(self, id: str, asker: Asker) -> int:
        """In how many seconds a message may go out again for this registration."""
        return max(
            await self._limits.wait(SENDS_PER_REGISTRATION, id),
            await self._limits.wait(CODES_PER_PHONE, asker.place),
            await self._limits.wait(CODES_TO_PHONE, asker.subject),
        )

    async def _check_free(self, username: str, phone_index: bytes) -> None:
        taken = await self._database.fetchval(
            """
            SELECT EXISTS (SELECT FROM identity.person WHERE username = $1)
                OR EXISTS (SELECT FROM identity.reservation
                           WHERE username = $1 AND phone_index <> $2 AND expires_at > $3)
            """,
            username,
            phone_index,
            clock.from_us(self._now()),
        )
        if taken:
            raise UsernameTaken

    async def _reserve(self, connection: AnyConnection, username: str, phone_index: bytes) -> None:
        at = clock.from_us(self._now())
        mine = await connection.fetchval(
            """
            INSERT INTO identity.reservation AS r (username, phone_index, expires_at)
            VALUES ($1, $2, $3)
            ON CONFLICT (username) DO UPDATE SET phone_index = $2, expires_at = $3
            WHERE r.phone_index = $2 OR r.expires_at <= $4
            RETURNING 1
            """,
            username,
            phone_index,
            at + LIFETIME,
            at,
        )
        # Its former holder may have become a person since the first look.
        taken = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM identity.person WHERE username = $1)", username
        )
        if mine is None or taken:
            raise UsernameTaken


def _written(registration_id: str) -> str:
    """The id as it is written in the tables. Raises `CodeExpired` for what is no id."""
    raw = ids.read_uuid(registration_id)
    if raw is None:
        raise CodeExpired
    return ids.write_uuid(raw)
