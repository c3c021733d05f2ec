"""Stepping up: sensitive changes need that this session was confirmed within ten minutes.

Signing in confirms, and so does a passkey, or the password: with a code as well wherever signing in
asks for a second factor. That is any of those that sign in: of the authenticator app, by SMS, or a
recovery code. Tries and messages are counted by session: who holds one cannot shut the owner's
others out.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound, Problem
from tikiwallet.identity.ceremonies import Ceremonies, Ceremony
from tikiwallet.identity.codes import Codes, CodeSender, CodeWrong, Purpose
from tikiwallet.identity.limits import Limit, Limits
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.passwords import Passwords, PasswordWrong
from tikiwallet.identity.people import People
from tikiwallet.identity.relying_party import Json, PasskeyInvalid
from tikiwallet.identity.second_factors import SecondFactors, SecondFactorUnavailable
from tikiwallet.identity.security_events import EventKind, Executes, SecurityEvents
from tikiwallet.identity.sessions import Factor

LASTS: Final = timedelta(minutes=10)
STEP_UPS: Final = Limit("step-up.session", 10, timedelta(minutes=15))
STEP_UPS_DAY: Final = Limit("step-up.session.day", 30, timedelta(days=1))
STEP_UP_SMS: Final = Limit(
    "step-up.sms",
    10,
    timedelta(days=1),
    tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300)),
)


class ReauthenticationRequired(Problem):
    code = "reauthentication_required"
    title = "Confirm that it is you, and try again"


class FactorCodeRequired(Problem):
    """`methods` are what signs in beside the password, strongest first; a passkey among them
    confirms without the password."""

    code = "factor_code_required"
    title = "A code of your second factor is needed as well"


class StepUp:
    """Confirms sessions, and asks whether one was confirmed."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        passwords: Passwords,
        factors: SecondFactors,
        people: People,
        codes: Codes,
        sender: CodeSender,
        passkeys: Passkeys,
        ceremonies: Ceremonies,
        limits: Limits,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._passwords = passwords
        self._factors = factors
        self._people = people
        self._codes = codes
        self._sender = sender
        self._passkeys = passkeys
        self._ceremonies = ceremonies
        self._limits = limits
        self._now = now

    async def require(self, session: bytes) -> None:
        """Returns when `session` (16 bytes) was confirmed lately. Raises
        `ReauthenticationRequired`."""
        lately = await self._database.fetchval(
            """
            SELECT 1 FROM identity.session s LEFT JOIN identity.confirmation c ON c.session = s.id
            WHERE s.id = $1 AND s.revoked_at IS NULL AND greatest(s.created_at, c.at) > $2
            """,
            ids.write_uuid(session),
            clock.from_us(self._now()) - LASTS,
        )
        if lately is None:
            raise ReauthenticationRequired

    async def by_password(
        self, person: int, session: bytes, password: str, code: str | None = None
    ) -> None:
        """Confirm `session` of `person` with the password, and with a code (of the authenticator
        app, by SMS, or a recovery code) of whoever has a second factor. Raises `PasswordWrong`,
        `FactorCodeRequired`, `CodeWrong`, `CodeExpired` (an SMS code that came too late),
        `TooManyRequests`, `Overloaded`."""
        subject = session.hex()
        await self._limits.take(STEP_UPS, subject)
        await self._limits.take(STEP_UPS_DAY, subject)
        encoded: str | None = await self._database.fetchval(
            "SELECT password_hash FROM identity.person WHERE id = $1", person
        )
        if not await self._passwords.matches(encoded, password):
            await self._tell(self._database, person, session, "password", failed=True)
            raise PasswordWrong
        factors = await self._factors.factors(person)
        if factors.on and code is None:
            await self._limits.give_back(STEP_UPS, subject)
            await self._limits.give_back(STEP_UPS_DAY, subject)
            raise FactorCodeRequired(methods=list(factors.methods))
        by_sms = Factor.SMS in factors.methods and await self._codes.matches(
            ids.write_uuid(session), code or "", strict=not factors.totp
        )
        async with self._database.transaction() as connection:
            if by_sms:
                await self._codes.use_up(connection, ids.write_uuid(session))
            right = (
                by_sms
                or not factors.on
                or await self._factors.use_code(connection, person, code or "")
            )
            if right:
                await self._confirm(connection, session)
                await self._tell(connection, person, session, "password")
        if not right:
            await self._tell(self._database, person, session, "code", failed=True)
            raise CodeWrong
        await self._limits.forget(STEP_UPS, subject)
        await self._limits.give_back(STEP_UPS_DAY, subject)

    async def send_sms(self, person: int, session: bytes) -> int:
        """Send `person` a code for confirming `session`; the seconds until another may be asked
        for. Raises `SecondFactorUnavailable`, `TooManyRequests`, `CodeNotSent`,
        `PhoneUnreachable`."""
        owner = await self._people.person(person)
        if owner is None:
            raise NotFound("this person is gone")
        if Factor.SMS not in (await self._factors.factors(person)).methods:
            raise SecondFactorUnavailable
        await self._limits.take(STEP_UP_SMS, session.hex())
        async with self._database.transaction() as connection:
            code = await self._codes.issue(connection, ids.write_uuid(session), Purpose.STEP_UP)
        await self._sender.send_code(
            owner.phone, code, Purpose.STEP_UP, language=owner.message_language
        )
        return await self._limits.wait(STEP_UP_SMS, session.hex())

    async def passkey_options(self, person: int, session: bytes) -> Json:
        """Options for confirming `session` with a passkey. Raises `NoPasskey`,
        `TooManyRequests`."""
        begun = await self._ceremonies.begin(
            Ceremony.STEP_UP, person, session, limited_by=session.hex()
        )
        return await self._passkeys.begin_request(begun, person)

    async def by_passkey(self, person: int, session: bytes, credential: Json) -> None:
        """Confirm `session` of `person` with a passkey. Raises `PasskeyInvalid`."""
        try:
            await self._passkeys.check(Ceremony.STEP_UP, credential, person=person, bound=session)
        except PasskeyInvalid:
            await self._tell(self._database, person, session, "passkey", failed=True)
            raise
        async with self._database.transaction() as connection:
            await self._confirm(connection, session)
            await self._tell(connection, person, session, "passkey")

    async def _tell(
        self,
        connection: Executes,
        person: int,
        session: bytes,
        method: str,
        *,
        failed: bool = False,
    ) -> None:
        await self._events.record(
            connection,
            person,
            EventKind.REAUTHENTICATION_FAILED if failed else EventKind.REAUTHENTICATED,
            session=session,
            at_us=self._now(),
            method=method,
        )

    async def _confirm(self, connection: AnyConnection, session: bytes) -> None:
        await connection.execute(
            """
            INSERT INTO identity.confirmation (session, at) VALUES ($1, $2)
            ON CONFLICT (session) DO UPDATE SET at = $2
            """,
            ids.write_uuid(session),
            clock.from_us(self._now()),
        )
