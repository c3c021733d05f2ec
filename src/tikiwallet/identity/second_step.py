"""The second step of a sign-in: answering the challenge that followed the password.

Every answer counts against its challenge, five in all. Codes that could be guessed over many
challenges count against the person as well, by `FamiliarPlaces`; recovery codes and passkeys cannot
be guessed and always remain a way in, whatever strangers do.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem
from tikiwallet.identity.ceremonies import Ceremonies, Ceremony
from tikiwallet.identity.codes import Codes, CodeSender, CodeWrong, Purpose
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.limits import Limit, Limits, TooManyRequests
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.people import People, Person
from tikiwallet.identity.relying_party import Json, PasskeyInvalid
from tikiwallet.identity.second_factors import SecondFactors, SecondFactorUnavailable
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Factor, Sessions, Tokens

TRIES: Final = 5
FACTOR_TRIES: Final = Limit("factor.code", 15, timedelta(minutes=15))
FACTOR_TRIES_DAY: Final = Limit("factor.code.day", 50, timedelta(days=1))
FACTOR_SMS_DAY: Final = Limit("factor.sms.day", 20, timedelta(days=1))
SMS_WAITS: Final = (30, 60, 120)  # seconds after the first, second, third message; no fifth
_SIX_DIGITS: Final = re.compile(r"[0-9]{6}", re.ASCII)


class SecondFactorUnknown(Problem):
    code = "second_factor_unknown"
    title = "There is no such challenge, or it has run out; sign in again"


@dataclass(frozen=True, slots=True)
class _Live:
    """A challenge that can still be answered, and whose it is."""

    raw_id: bytes
    person: Person
    sms_code: str | None
    subject: str  # by what its guesses are counted

    @property
    def id(self) -> str:
        """As the database has it."""
        return ids.write_uuid(self.raw_id)


class SecondStep:
    """Answers challenges."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        people: People,
        factors: SecondFactors,
        sessions: Sessions,
        passkeys: Passkeys,
        ceremonies: Ceremonies,
        codes: Codes,
        sender: CodeSender,
        limits: Limits,
        familiar: FamiliarPlaces,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._people = people
        self._factors = factors
        self._sessions = sessions
        self._passkeys = passkeys
        self._ceremonies = ceremonies
        self._codes = codes
        self._sender = sender
        self._limits = limits
        self._familiar = familiar
        self._now = now

    async def answer(
        self,
        challenge_id: str,
        code: str,
        method: Factor | None = None,
        address: str | None = None,
        *,
        device: str = "",
    ) -> Tokens:
        """Finish a sign-in with a code; without a `method`, with whichever it is one of. Raises
        `SecondFactorUnknown`, `SecondFactorUnavailable`, `CodeWrong`, `CodeExpired` (an SMS code
        that came too late), `TooManyRequests`."""
        live = await self._live(challenge_id, address)
        if method is not None:
            await self._require(live, method)
        guessable = _SIX_DIGITS.fullmatch(code) is not None
        if guessable:
            await self._limits.take(FACTOR_TRIES, live.subject)
            await self._limits.take(FACTOR_TRIES_DAY, live.subject)
        left = await self._count_try(live.id)
        by_sms = (
            guessable
            and method in (None, Factor.SMS)
            and await self._is_sms_code(live, code, strict=method is Factor.SMS)
        )
        tokens = None
        async with self._database.transaction() as connection:
            if by_sms and live.sms_code is not None:
                await self._codes.use(connection, live.sms_code)
                factor: Factor | None = Factor.SMS
            else:
                factor = await self._factors.redeem(connection, live.person.id, code, method)
            if factor is not None:
                tokens = await self._finish(connection, live, factor, address, device)
        if tokens is None:
            await self._tell_failed(live, "code")
            raise CodeWrong(tries_left=left)
        if guessable:
            await self._limits.forget(FACTOR_TRIES, live.subject)
            await self._limits.give_back(FACTOR_TRIES_DAY, live.subject)
        return tokens

    async def send_sms(self, challenge_id: str, address: str | None = None) -> int:
        """Send a code for a challenge; the seconds until another may be asked for. Raises
        `SecondFactorUnknown`, `SecondFactorUnavailable`, `TooManyRequests`, `CodeNotSent`,
        `PhoneUnreachable`."""
        live = await self._live(challenge_id, address)
        await self._require(live, Factor.SMS)
        await self._limits.take(FACTOR_SMS_DAY, live.subject)
        id = ids.write_uuid(ids.new_uuid7())
        try:
            async with self._database.transaction() as connection:
                wait = await self._count_sms(connection, live.id, id)
                code = await self._codes.issue(connection, id, Purpose.SECOND_FACTOR)
        except TooManyRequests:
            await self._limits.give_back(FACTOR_SMS_DAY, live.subject)
            raise
        await self._sender.send_code(
            live.person.phone, code, Purpose.SECOND_FACTOR, language=live.person.message_language
        )
        return wait

    async def passkey_options(self, challenge_id: str) -> Json:
        """Options for answering a challenge with a passkey. Raises `SecondFactorUnknown`,
        `SecondFactorUnavailable`, `TooManyRequests`."""
        live = await self._live(challenge_id, None)
        await self._require(live, Factor.PASSKEY)
        begun = await self._ceremonies.begin(
            Ceremony.SECOND_FACTOR, live.person.id, live.raw_id, limited_by=live.id
        )
        return await self._passkeys.begin_request(begun, live.person.id, user_verification=False)

    async def answer_passkey(
        self,
        challenge_id: str,
        credential: Json,
        address: str | None = None,
        *,
        device: str = "",
    ) -> Tokens:
        """Finish a sign-in with a passkey. Raises `SecondFactorUnknown`, `PasskeyInvalid`."""
        live = await self._live(challenge_id, address)
        await self._count_try(live.id)
        try:
            await self._passkeys.check(
                Ceremony.SECOND_FACTOR,
                credential,
                person=live.person.id,
                bound=live.raw_id,
                user_verification=False,  # the password was the other factor
            )
        except PasskeyInvalid:
            await self._tell_failed(live, Factor.PASSKEY)
            raise
        async with self._database.transaction() as connection:
            return await self._finish(connection, live, Factor.PASSKEY, address, device)

    async def _live(self, challenge_id: str, address: str | None) -> _Live:
        raw = ids.read_uuid(challenge_id)
        if raw is None:
            raise SecondFactorUnknown
        row = await self._database.fetchrow(
            """
            SELECT person, sms_code FROM identity.challenge
            WHERE id = $1 AND used_at IS NULL AND tries < $2 AND expires_at > $3
            """,
            ids.write_uuid(raw),
            TRIES,
            clock.from_us(self._now()),
        )
        person = None if row is None else await self._people.person(row["person"])
        if row is None or person is None:
            raise SecondFactorUnknown
        return _Live(
            raw,
            person,
            None if row["sms_code"] is None else ids.write_uuid(row["sms_code"].bytes),
            await self._familiar.subject(person.phone, address),
        )

    async def _require(self, live: _Live, method: Factor) -> None:
        if method not in (await self._factors.factors(live.person.id)).methods:
            raise SecondFactorUnavailable

    async def _count_try(self, id: str) -> int:
        """Count a try, before it is looked at; how many are left. Raises `SecondFactorUnknown`."""
        tries: int | None = await self._database.fetchval(
            """
            UPDATE identity.challenge SET tries = tries + 1
            WHERE id = $1 AND used_at IS NULL AND tries < $2 AND expires_at > $3 RETURNING tries
            """,
            id,
            TRIES,
            clock.from_us(self._now()),
        )
        if tries is None:
            raise SecondFactorUnknown
        return TRIES - tries

    async def _count_sms(self, connection: AnyConnection, id: str, code_id: str) -> int:
        at = clock.from_us(self._now())
        row = await connection.fetchrow(
            "SELECT sms_sent, sms_at, expires_at FROM identity.challenge WHERE id = $1 FOR UPDATE",
            id,
        )
        if row is None:
            raise SecondFactorUnknown
        sent: int = row["sms_sent"]
        left: int = max(1, round((row["expires_at"] - at).total_seconds()))
        if sent > len(SMS_WAITS):
            raise TooManyRequests(
                "No more messages for this sign-in; begin anew",
                retry_after=left,
            )
        if sent:
            due = row["sms_at"] + timedelta(seconds=SMS_WAITS[sent - 1])
            if due > at:
                seconds = -(-(due - at) // timedelta(seconds=1))
                raise TooManyRequests(retry_after=seconds)
        await connection.execute(
            """
            UPDATE identity.challenge SET sms_code = $2, sms_sent = sms_sent + 1, sms_at = $3
            WHERE id = $1
            """,
            id,
            code_id,
            at,
        )
        if sent < len(SMS_WAITS):
            return SMS_WAITS[sent]
        return left

    async def _tell_failed(self, live: _Live, method: str) -> None:
        await self._events.record(
            self._database,
            live.person.id,
            EventKind.SECOND_FACTOR_FAILED,
            at_us=self._now(),
            method=method,
        )

    async def _is_sms_code(self, live: _Live, code: str, *, strict: bool) -> bool:
        """Whether `code` is the one that was sent; `strict` tells when that one is too old."""
        if live.sms_code is None:
            return False
        return await self._codes.matches(live.sms_code, code, strict=strict)

    async def _finish(
        self,
        connection: AnyConnection,
        live: _Live,
        factor: Factor,
        address: str | None,
        device: str,
    ) -> Tokens:
        """End the challenge, once, and open the session. Raises `SecondFactorUnknown`."""
        used = await connection.fetchval(
            """
            UPDATE identity.challenge SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING 1
            """,
            live.id,
            clock.from_us(self._now()),
        )
        if used is None:
            raise SecondFactorUnknown
        await self._familiar.remember(connection, live.person.phone, address)
        return await self._sessions.open(
            connection, live.person.id, method=factor, address=address, device=device
        )
