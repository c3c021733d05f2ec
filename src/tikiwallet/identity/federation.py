"""Signing in through others: OpenID Connect's authorization code flow with PKCE, nonce and state.

A browser that is sent to a provider keeps a random cookie; `state` is a second secret, kept here
as a hash and good for one return. The nonce and PKCE's verifier follow from both by a keyed hash,
so that neither is kept anywhere, and a code that is brought back by another browser, or under
another state, fits nothing.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

import asyncpg

from tikiwallet import base64url, clock, ids, logs
from tikiwallet.database.pool import Database
from tikiwallet.errors import InvalidRequest, NotFound, Problem
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.limits import OIDC_PER_ADDRESS, Limits, address_subject
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Sessions, Tokens
from tikiwallet.identity.tickets import Tickets, digest, link

LIFETIME: Final = timedelta(minutes=10)
HOME: Final = "/"
_RETURN_MAX: Final = 500
_log = logs.get(__name__)


class ProviderUnavailable(Problem):
    code = "oidc_unavailable"
    title = "The other service cannot be reached right now; sign in another way, or try again"


class ProviderRefused(Problem):
    code = "oidc_refused"
    title = "The other service did not confirm who you are"


class SignInDenied(Problem):
    code = "oidc_denied"
    title = "The sign-in was cancelled at the other service"


class StateInvalid(Problem):
    code = "oidc_state_invalid"
    title = "This sign-in was begun elsewhere or too long ago; begin it again"


class IdentityLast(Problem):
    code = "identity_last"
    title = "Without this identity you could not sign in any more; set a password first"


class IdentityProvider(Protocol):
    """A provider as it is spoken to; see `providers.oidc`."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def issuer(self) -> str:
        """Its URL, which with a subject names an identity for ever."""
        ...

    async def location(self, state: str, nonce: str, challenge: str) -> str:
        """Where to send the browser; `challenge` is PKCE's, S256. Raises `ProviderUnavailable`."""
        ...

    async def identify(self, code: str, verifier: str, nonce: str) -> str:
        """The subject who signed in. Raises `ProviderUnavailable`, `ProviderRefused`."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """Where the browser goes, and what its cookie holds meanwhile."""

    location: str
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser brings back from a provider; parameters that were not there are None."""

    state: str | None = field(repr=False)
    code: str | None = field(repr=False)
    error: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody we know."""

    tokens: Tokens
    return_to: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody yet; `ticket` lets them register."""

    ticket: str = field(repr=False)
    return_to: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The identity now means the person who asked for it."""

    return_to: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing came of it. `linking`: somebody who is signed in wanted to link the identity."""

    problem: Problem
    return_to: str = HOME
    linking: bool = False


Outcome: TypeAlias = SignedIn | Unknown | Linked | Failed


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """One of a person's identities; `provider` is None once it is not configured any more."""

    provider: str | None
    name: str
    linked_at: datetime
    last_used_at: datetime | None


class Federation:
    """Sends people to providers and takes them back. `providers` by the id in addresses."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        providers: Mapping[str, IdentityProvider],
        sessions: Sessions,
        tickets: Tickets,
        limits: Limits,
        secret: ServerSecret,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._providers = providers
        self._sessions = sessions
        self._tickets = tickets
        self._limits = limits
        self._key = secret.subkey("oidc")
        self._now = now

    @property
    def names(self) -> dict[str, str]:
        """What people call each provider, by id."""
        return {id: provider.name for id, provider in self._providers.items()}

    async def start(
        self,
        provider: str,
        return_to: str,
        *,
        session: bytes | None = None,
        address: str | None = None,
    ) -> Start:
        """Send a browser to `provider`, to come back to the app's path `return_to`; whoever is
        signed in in `session` links. Raises `NotFound`, `InvalidRequest`, `ProviderUnavailable`,
        `TooManyRequests`."""
        known = self._provider(provider)
        check_path(return_to)
        if address is not None:
            await self._limits.take(OIDC_PER_ADDRESS, address_subject(address))
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        location = await known.location(
            state,
            self._derived("nonce", state, browser),
            _challenge(self._verifier(state, browser)),
        )
        await self._database.execute(
            """
            INSERT INTO identity.oidc_start
                (hash, browser, provider, return_to, session, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            digest(state),
            digest(browser),
            provider,
            return_to,
            None if session is None else ids.write_uuid(session),
            clock.from_us(self._now()) + LIFETIME,
        )
        return Start(location, browser)

    async def finish(
        self,
        provider: str,
        brought: Return,
        browser: str,
        *,
        address: str | None = None,
        device: str = "",
    ) -> Outcome:
        """What became of a sign-in that comes back from `provider` in `browser` (its cookie's
        value). Raises `NotFound` for a provider that there is not."""
        known = self._provider(provider)
        begun = await self._take(provider, brought.state, browser)
        if begun is None:
            return Failed(StateInvalid())
        return_to, session = begun["return_to"], begun["session"]
        try:
            subject = await self._identify(known, brought, browser)
            if session is not None:
                await self._link(session.bytes, known.issuer, subject)
                return Linked(return_to)
            person = await self._database.fetchval(
                """
                UPDATE identity.linked_identity SET last_used_at = $3
                WHERE issuer = $1 AND subject = $2 RETURNING person
                """,
                known.issuer,
                subject,
                clock.from_us(self._now()),
            )
            if person is None:
                return Unknown(await self._tickets.issue(known.issuer, subject, browser), return_to)
            tokens = await self._sessions.admit(
                person, method="oidc", address=address, device=device
            )
        except Problem as problem:
            _log.info("signing in through a provider failed", provider=provider, why=str(problem))
            return Failed(problem, return_to, session is not None)
        return SignedIn(tokens, return_to)

    async def of(self, person: int) -> list[LinkedIdentity]:
        """The identities that mean `person`, oldest first."""
        rows = await self._database.fetch(
            """
            SELECT issuer, linked_at, last_used_at FROM identity.linked_identity
            WHERE person = $1 ORDER BY linked_at, issuer
            """,
            person,
        )
        by_issuer = {provider.issuer: id for id, provider in self._providers.items()}
        return [
            LinkedIdentity(
                provider := by_issuer.get(row["issuer"]),
                row["issuer"] if provider is None else self._providers[provider].name,
                row["linked_at"],
                row["last_used_at"],
            )
            for row in rows
        ]

    async def unlink(self, person: int, provider: str) -> None:
        """Forget the identity that `person` has at `provider`. Raises `NotFound`, `IdentityLast`
        when there would be neither a password nor another identity to sign in with."""
        issuer = self._provider(provider).issuer
        async with self._database.transaction() as connection:
            # Whoever unlinks two at once waits here.
            row = await connection.fetchrow(
                "SELECT password_hash FROM identity.person WHERE id = $1 FOR UPDATE", person
            )
            gone = await connection.fetchval(
                """
                DELETE FROM identity.linked_identity WHERE person = $1 AND issuer = $2 RETURNING 1
                """,
                person,
                issuer,
            )
            if gone is None or row is None:
                raise NotFound("You have linked no identity there")
            others = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM identity.linked_identity WHERE person = $1)", person
            )
            if row["password_hash"] is None and not others:
                raise IdentityLast
            await self._events.record(
                connection, person, EventKind.IDENTITY_UNLINKED, at_us=self._now(), issuer=issuer
            )

    def _provider(self, id: str) -> IdentityProvider:
        provider = self._providers.get(id)
        if provider is None:
            raise NotFound("There is no such provider")
        return provider

    async def _take(self, provider: str, state: str | None, browser: str) -> asyncpg.Record | None:
        """What was begun with this state in this browser; it works once."""
        return await self._database.fetchrow(
            """
            DELETE FROM identity.oidc_start
            WHERE hash = $1 AND browser = $2 AND provider = $3 AND expires_at > $4
            RETURNING return_to, session
            """,
            digest(state or ""),
            digest(browser),
            provider,
            clock.from_us(self._now()),
        )

    async def _identify(self, known: IdentityProvider, brought: Return, browser: str) -> str:
        state = brought.state or ""
        # Who answers says so (RFC 9207); another's answer was mixed in.
        if brought.issuer is not None and brought.issuer != known.issuer:
            raise ProviderRefused("Another service answered")
        if brought.error == "access_denied":
            raise SignInDenied
        if brought.error is not None or not brought.code:
            raise ProviderRefused
        return await known.identify(
            brought.code,
            self._verifier(state, browser),
            self._derived("nonce", state, browser),
        )

    async def _link(self, session: bytes, issuer: str, subject: str) -> None:
        async with self._database.transaction() as connection:
            person = await connection.fetchval(
                """
                SELECT person FROM identity.session
                WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2
                """,
                ids.write_uuid(session),
                clock.from_us(self._now()),
            )
            if person is None:
                raise StateInvalid("You have signed out since; sign in and link again")
            await link(connection, issuer, subject, person, clock.from_us(self._now()))
            await self._events.record(
                connection,
                person,
                EventKind.IDENTITY_LINKED,
                session=session,
                at_us=self._now(),
                issuer=issuer,
            )

    def _verifier(self, state: str, browser: str) -> str:
        return self._derived("verifier", state, browser)

    def _derived(self, purpose: str, state: str, browser: str) -> str:
        message = f"{purpose} {state} {browser}".encode(errors="replace")
        return base64url.write(hmac.digest(self._key, message, "sha256"))


def check_path(path: str) -> None:
    """Raises `InvalidRequest` unless `path` is a path of this host and of the app, for everyone who
    reads it: browsers take a backslash for a slash and drop what is not printed."""
    good = (
        path.startswith("/")
        and not path.startswith("//")
        and "\\" not in path
        and "#" not in path
        and path.isascii()
        and path.isprintable()
        and len(path) <= _RETURN_MAX
        and not path.startswith("/v1/")
    )
    if not good:
        raise InvalidRequest("return_to must be a path of the app, like /security")


def _challenge(verifier: str) -> str:
    return base64url.write(hashlib.sha256(verifier.encode()).digest())
