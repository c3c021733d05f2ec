"""Sessions: sign in, rotate refresh tokens, sign out.

A session is one sign-in and the family of refresh tokens that follow from it. Each works once;
one that comes back was copied, and ends the family. Only a device whose answer was lost may ask
again at once, and gets the same next token: each follows from the one before, by a keyed hash, so
that no token is ever kept.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeAlias
from uuid import UUID

from tikiwallet import base64url, clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound, Problem
from tikiwallet.identity import phones, revocations
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.limits import (
    LOGINS_PER_ADDRESS,
    LOGINS_PER_PHONE,
    LOGINS_PER_PHONE_DAY,
    Limits,
    address_subject,
)
from tikiwallet.identity.open_sessions import OpenSession, open_sessions
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.personal import SESSION_ADDRESS, SESSION_DEVICE, Personal
from tikiwallet.identity.revocations import Revocations
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.tokens import ACCESS_SECONDS, PERSON_SCOPE, TokenIssuer

# A phone that is not used for a month signs in anew; so does everyone twice a year.
REFRESH_LIFETIME: Final = timedelta(days=30)
SESSION_LIFETIME: Final = timedelta(days=180)
# How long after a refresh its answer may still be asked for again.
LOST_ANSWER: Final = timedelta(seconds=10)
_ACCESS_LIFETIME: Final = timedelta(seconds=ACCESS_SECONDS)
_REFRESH_LETTERS: Final = 43


class InvalidCredentials(Problem):
    code = "invalid_credentials"
    title = "The phone number or the password is wrong"


class SecondFactorRequired(Problem):
    """`challenge_id` names the challenge to answer, within `expires_in` seconds, with one of
    `methods`."""

    code = "second_factor_required"
    title = "A second factor is needed to sign in"


class RefreshInvalid(Problem):
    code = "refresh_invalid"
    title = "This refresh token does not work; sign in again"


class RefreshReused(Problem):
    code = "refresh_reused"
    title = "This refresh token was used before, so the sign-in was ended"


class Factor(StrEnum):
    """A way to finish a sign-in that the password began."""

    PASSKEY = "passkey"
    TOTP = "totp"
    SMS = "sms"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is asked for after the password: `id`, a UUID, to be answered within `expires_in`
    seconds by one of `methods`, strongest first."""

    id: str
    methods: tuple[Factor, ...]
    expires_in: int


class SecondFactors(Protocol):
    """Knows who signs in with a second factor."""

    async def challenge(self, person: int) -> Challenge | None:
        """A new challenge for `person`, or None when the password suffices."""
        ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in yields; `expires_in` is the access token's, in seconds. `session_id` is a
    UUID as it is written."""

    person_id: str
    session_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int = ACCESS_SECONDS


# A session that was ended, and until when its access tokens could still run.
Ended: TypeAlias = tuple[bytes, datetime]


class Sessions:
    """Opens, lists, continues and ends sessions."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        issuer: TokenIssuer,
        secret: ServerSecret,
        revoked: Revocations,
        passwords: Passwords,
        personal: Personal,
        limits: Limits,
        familiar: FamiliarPlaces,
        second_factors: SecondFactors | None = None,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._issuer = issuer
        self._refresh_key = secret.subkey("refresh")
        self._revoked = revoked
        self._passwords = passwords
        self._personal = personal
        self._limits = limits
        self._familiar = familiar
        self._second_factors = second_factors
        self._now = now

    async def login(
        self, phone: str, password: str, address: str | None = None, *, device: str = ""
    ) -> Tokens:
        """Sign in. Unknown phones and wrong passwords get one answer after the same work; wrong
        passwords from elsewhere do not keep the owner out (see `FamiliarPlaces`). Raises
        `InvalidCredentials`, `SecondFactorRequired`, `TooManyRequests`, `PhoneInvalid`,
        `Overloaded`."""
        phone = phones.normalise(phone)
        if address is not None:
            await self._limits.take(LOGINS_PER_ADDRESS, address_subject(address))
        subject = await self._familiar.subject(phone, address)
        await self._limits.take(LOGINS_PER_PHONE, subject)
        await self._limits.take(LOGINS_PER_PHONE_DAY, subject)
        row = await self._database.fetchrow(
            "SELECT id, password_hash FROM identity.person WHERE phone_index = $1",
            self._personal.phone_index(phone),
        )
        encoded: str | None = None if row is None else row["password_hash"]
        if not await self._passwords.matches(encoded, password) or row is None:
            # Written down for unknown phones as well: their answer takes as long.
            await self._events.record(
                self._database,
                None if row is None else row["id"],
                EventKind.SIGN_IN_FAILED,
                at_us=self._now(),
            )
            raise InvalidCredentials
        person: int = row["id"]
        await self._limits.forget(LOGINS_PER_PHONE, subject)
        await self._limits.give_back(LOGINS_PER_PHONE_DAY, subject)
        if address is not None:  # many honest people share one
            await self._limits.give_back(LOGINS_PER_ADDRESS, address_subject(address))
        if encoded is not None and self._passwords.is_outdated(encoded):
            encoded = await self._renew_hash(person, encoded, password)
        tokens = await self.admit(person, address=address, device=device, password_hash=encoded)
        await self._familiar.remember(self._database, phone, address)
        return tokens

    async def admit(
        self,
        person: int,
        *,
        method: str = "password",
        address: str | None = None,
        device: str = "",
        password_hash: str | None = None,
    ) -> Tokens:
        """A new session for someone who showed who they are by one factor; by the password whose
        hash was `password_hash`, if that. Raises `SecondFactorRequired` when they want to be asked
        for another, `InvalidCredentials` when the password has changed since."""
        if self._second_factors is not None:
            challenge = await self._second_factors.challenge(person)
            if challenge is not None:
                raise SecondFactorRequired(
                    challenge_id=challenge.id,
                    methods=list(challenge.methods),
                    expires_in=challenge.expires_in,
                )
        async with self._database.transaction() as connection:
            if password_hash is not None:
                # A new password waits for this, or is seen here: none of the old one's sign-ins
                # survives it.
                holds = await connection.fetchval(
                    "SELECT password_hash FROM identity.person WHERE id = $1 FOR SHARE", person
                )
                if holds != password_hash:
                    raise InvalidCredentials
            return await self.open(
                connection, person, method=method, address=address, device=device
            )

    async def open(
        self,
        connection: AnyConnection,
        person: int,
        *,
        method: str = "password",
        address: str | None = None,
        device: str = "",
    ) -> Tokens:
        """A new session of `person`, in the caller's database transaction. `method` says how the
        person showed who they are; `device` is what they would call theirs."""
        session = ids.new_uuid7()
        at = clock.from_us(self._now())
        await connection.execute(
            """
            INSERT INTO identity.session
                (id, person, scopes, created_at, expires_at, last_seen_at, method, address_sealed,
                device_sealed)
            VALUES ($1, $2, $3, $4, $5, $4, $6, $7, $8)
            """,
            ids.write_uuid(session),
            person,
            [PERSON_SCOPE],
            at,
            at + SESSION_LIFETIME,
            method,
            self._personal.seal_any(SESSION_ADDRESS, ids.write_uuid(session), address),
            self._personal.seal_any(SESSION_DEVICE, ids.write_uuid(session), device),
        )
        await self._events.record(
            connection,
            person,
            EventKind.SIGNED_IN,
            session=session,
            at_us=clock.to_us(at),
            method=method,
        )
        token = secrets.token_urlsafe(32)
        await _keep(connection, session, token, min(REFRESH_LIFETIME, SESSION_LIFETIME) + at)
        return self._tokens(person, session, token)

    async def refresh(
        self,
        refresh_token: str,
        allow: Callable[[str], None] | None = None,
        *,
        address: str | None = None,
        device: str = "",
    ) -> Tokens:
        """New tokens for the ones before. `allow` is told the session's id before anything changes,
        and may raise. The same `device` may ask again within `LOST_ANSWER`, as long as the next
        token was not used: it gets that one. Raises `RefreshInvalid` (unknown, too old, ended) and
        `RefreshReused`, after which the whole session has ended."""
        if len(refresh_token) != _REFRESH_LETTERS:
            raise RefreshInvalid
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            # Whoever comes second waits here for the first, and then sees a used token.
            row = await connection.fetchrow(
                """
                SELECT r.session, r.used_at, r.expires_at, s.person, s.revoked_at, s.device_sealed,
                    s.expires_at AS session_expires_at
                FROM identity.refresh r JOIN identity.session s ON s.id = r.session
                WHERE r.hash = $1
                FOR UPDATE
                """,
                _hash(refresh_token),
            )
            if row is None or row["revoked_at"] is not None:
                raise RefreshInvalid
            session: bytes = row["session"].bytes
            if allow is not None:
                allow(ids.write_uuid(session))
            ends: datetime = row["session_expires_at"]
            following = self._following(refresh_token)
            if row["used_at"] is None:
                if min(row["expires_at"], ends) <= at:
                    raise RefreshInvalid
                await connection.execute(
                    "UPDATE identity.refresh SET used_at = $2 WHERE hash = $1",
                    _hash(refresh_token),
                    at,
                )
                await _keep(connection, session, following, min(at + REFRESH_LIFETIME, ends))
                await self._see(connection, session, at, address)
                return self._tokens(row["person"], session, following)
            if (
                row["used_at"] + LOST_ANSWER > at
                and at < ends
                and self._device_of(row["session"], row["device_sealed"]) == device
                and await _is_unused(connection, following)
            ):
                return self._tokens(row["person"], session, following)
            until = await self._end(connection, session, "refresh_reused", at)
            await self._events.record(
                connection,
                row["person"],
                EventKind.REFRESH_REUSED,
                session=session,
                at_us=clock.to_us(at),
            )
        self._know(session, until)
        raise RefreshReused

    async def logout(self, session: bytes) -> None:
        """End a session; its tokens stop to work everywhere within a second. Ending it again, or
        one that does not exist, changes nothing."""
        await self.end(session, "logout")

    async def of(self, person: int) -> list[OpenSession]:
        """The sign-ins of `person` that still hold, those in use first; not all of very many."""
        at = clock.from_us(self._now())
        return await open_sessions(self._database, self._personal, person, at)

    async def end_own(self, person: int, session: bytes, why: str) -> None:
        """End one of `person`'s sessions. Raises `NotFound` when they have no such open one."""
        if not await self.end(session, why, person):
            raise NotFound("You have no such sign-in, or it was ended already")

    async def end(self, session: bytes, why: str, person: int | None = None) -> bool:
        """End a session (of `person`, if given) for a reason (`logout`, `admin`, ...); False when
        it was not open."""
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            until = await self._end(connection, session, why, at, person)
            if until is not None:
                await self._tell_ended(connection, session, why)
        self._know(session, until)
        return until is not None

    async def end_all(self, person: int, why: str, keep: bytes | None = None) -> int:
        """End all sessions of `person` but `keep`; how many they were."""
        async with self._database.transaction() as connection:
            ended = await self.end_all_in(connection, person, why, keep)
            if ended:
                await self._events.record(
                    connection,
                    person,
                    EventKind.SESSIONS_ENDED,
                    session=keep,
                    at_us=self._now(),
                    ended=len(ended),
                )
        self.know(ended)
        return len(ended)

    async def end_all_in(
        self, connection: AnyConnection, person: int, why: str, keep: bytes | None = None
    ) -> list[Ended]:
        """`end_all` in the caller's database transaction, which says why in the audit trail. Give
        what this returns to `know` after the commit."""
        at = clock.from_us(self._now())
        ended: list[Ended] = []
        rows = await connection.fetch(
            """
            SELECT id FROM identity.session WHERE person = $1 AND revoked_at IS NULL
            ORDER BY id FOR UPDATE
            """,
            person,
        )
        for row in rows:
            session: bytes = row["id"].bytes
            if session != keep:
                until = await self._end(connection, session, why, at)
                if until is not None:
                    ended.append((session, until))
        return ended

    def know(self, ended: Iterable[Ended]) -> None:
        """This process refuses these sessions at once; the others hear of it by themselves."""
        for session, until in ended:
            self._know(session, until)

    async def _tell_ended(self, connection: AnyConnection, session: bytes, why: str) -> None:
        owner: int | None = await connection.fetchval(
            "SELECT person FROM identity.session WHERE id = $1", ids.write_uuid(session)
        )
        kind = EventKind.SIGNED_OUT if why == "logout" else EventKind.SESSION_ENDED
        await self._events.record(
            connection, owner, kind, session=session, at_us=self._now(), why=why
        )

    def _know(self, session: bytes, until: datetime | None) -> None:
        if until is not None:
            self._revoked.add(session, until)

    async def _end(
        self,
        connection: AnyConnection,
        session: bytes,
        why: str,
        at: datetime,
        person: int | None = None,
    ) -> datetime | None:
        row = await connection.fetchrow(
            """
            UPDATE identity.session SET revoked_at = $2, revoked_why = $3
            WHERE id = $1 AND revoked_at IS NULL AND ($4::bigint IS NULL OR person = $4)
            RETURNING service, expires_at
            """,
            ids.write_uuid(session),
            at,
            why,
            person,
        )
        if row is None:
            return None
        # A second more than the token lives, for times that were cut to whole seconds.
        until: datetime = at + _ACCESS_LIFETIME + timedelta(seconds=1)
        if row["service"] is not None:
            until = row["expires_at"]
        await revocations.record(connection, session, until)
        return until

    def _tokens(self, person: int, session: bytes, refresh_token: str) -> Tokens:
        return Tokens(
            ids.write_id("p", person),
            ids.write_uuid(session),
            self._issuer.for_person(person, session),
            refresh_token,
        )

    def _device_of(self, session: UUID, sealed: bytes | None) -> str:
        return self._personal.open_any(SESSION_DEVICE, session, sealed) or ""

    async def _see(
        self, connection: AnyConnection, session: bytes, at: datetime, address: str | None
    ) -> None:
        id = ids.write_uuid(session)
        await connection.execute(
            """
            UPDATE identity.session
            SET last_seen_at = $2, address_sealed = coalesce($3, address_sealed) WHERE id = $1
            """,
            id,
            at,
            self._personal.seal_any(SESSION_ADDRESS, id, address),
        )

    def _following(self, refresh_token: str) -> str:
        digest = hmac.digest(self._refresh_key, refresh_token.encode(errors="replace"), "sha256")
        return base64url.write(digest)

    async def _renew_hash(self, person: int, encoded: str, password: str) -> str:
        """The hash that is kept now."""
        renewed = await self._passwords.hash(password)
        done = await self._database.fetchval(
            """
            UPDATE identity.person SET password_hash = $3 WHERE id = $1 AND password_hash = $2
            RETURNING password_hash
            """,
            person,
            encoded,
            renewed,
        )
        return encoded if done is None else renewed


async def _keep(connection: AnyConnection, session: bytes, token: str, until: datetime) -> None:
    await connection.execute(
        "INSERT INTO identity.refresh (hash, session, expires_at) VALUES ($1, $2, $3)",
        _hash(token),
        ids.write_uuid(session),
        until,
    )


async def _is_unused(connection: AnyConnection, token: str) -> bool:
    unused: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM identity.refresh WHERE hash = $1 AND used_at IS NULL)",
        _hash(token),
    )
    return unused


def _hash(refresh_token: str) -> bytes:
    # 256 random bits need no slow hash.
    return hashlib.sha256(refresh_token.encode(errors="replace")).digest()
