"""Clients: programs of partners, which get short-lived access tokens for themselves with a secret
of theirs (OAuth 2, RFC 6749, section 4.4)."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from tikiwallet import clock, ids
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound, Problem
from tikiwallet.identity import revocations
from tikiwallet.identity.limits import CLIENTS_PER_ADDRESS, Limits, address_subject
from tikiwallet.identity.revocations import Revocations
from tikiwallet.identity.tokens import SERVICE_SCOPES, TokenIssuer

LIFETIME: Final = timedelta(hours=1)
# A token that is being made while its client is ended may be this much younger.
_LATE: Final = timedelta(minutes=1)

GrantError = Literal["invalid_client", "invalid_scope"]


class ClientRefused(Problem):
    code = "client_refused"
    title = "No client can be made this way"


class GrantRefused(Exception):
    """No token: `error` is the word of RFC 6749, section 5.2."""

    def __init__(self, error: GrantError, description: str) -> None:
        super().__init__(description)
        self.error: GrantError = error
        self.description = description


@dataclass(frozen=True, slots=True)
class NewClient:
    """What the partner is given, once; the secret is not on record."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Client:
    """What is on record of a client; `id` is a UUID as it is written."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token for a client; `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    scopes: frozenset[str]
    expires_in: int


class Clients:
    """Makes, lists and ends clients, and gives them tokens."""

    def __init__(
        self,
        database: Database,
        *,
        issuer: TokenIssuer,
        revoked: Revocations,
        limits: Limits,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._issuer = issuer
        self._revoked = revoked
        self._limits = limits
        self._now = now

    async def add(self, name: str, scopes: Iterable[str]) -> NewClient:
        """A new client of the partner `name` (1 to 100 letters), which may ask for `scopes`. Raises
        `ClientRefused`."""
        wanted = set(scopes)
        unknown = sorted(wanted - SERVICE_SCOPES)
        if unknown:
            raise ClientRefused(f"There is no scope {', '.join(unknown)}")
        if not wanted:
            raise ClientRefused("A client needs at least one scope")
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise ClientRefused("The name of a client has 1 to 100 letters")
        client = NewClient(ids.write_uuid(ids.new_uuid7()), secrets.token_urlsafe(32))
        await self._database.execute(
            """
            INSERT INTO identity.client (id, name, secret_hash, scopes, created_at)
            VALUES ($1, $2, $3, $4, $5)
            """,
            client.id,
            name,
            _hash(client.secret),
            sorted(wanted),
            clock.from_us(self._now()),
        )
        return client

    async def all(self) -> list[Client]:
        """Those on record, newest first."""
        rows = await self._database.fetch(
            """
            SELECT id, name, scopes, created_at, revoked_at
            FROM identity.client ORDER BY created_at DESC, id DESC
            """
        )
        return [
            Client(
                str(row["id"]),
                row["name"],
                frozenset(row["scopes"]),
                row["created_at"],
                row["revoked_at"],
            )
            for row in rows
        ]

    async def revoke(self, id: str) -> None:
        """End a client: it gets no more tokens, and those it has stop to work within a second.
        Raises `NotFound` when there is no such client that still works."""
        client = ids.read_uuid(id)
        at = clock.from_us(self._now())
        until = at + LIFETIME + _LATE
        if client is None:
            raise NotFound("There is no such client")
        async with self._database.transaction() as connection:
            found = await connection.fetchval(
                """
                UPDATE identity.client SET revoked_at = $2
                WHERE id = $1 AND revoked_at IS NULL RETURNING 1
                """,
                ids.write_uuid(client),
                at,
            )
            if found is None:
                raise NotFound("There is no such client, or it was ended before")
            await revocations.record(connection, client, until)
        self._revoked.add(client, until)

    async def grant(
        self, id: str, secret: str, scopes: Iterable[str] | None, address: str | None = None
    ) -> Grant:
        """A token of an hour for what the client asks, or for all that it may. Raises
        `GrantRefused`, `TooManyRequests`."""
        if address is not None:
            await self._limits.take(CLIENTS_PER_ADDRESS, address_subject(address))
        client = ids.read_uuid(id)
        row = None
        if client is not None:
            row = await self._database.fetchrow(
                """
                SELECT secret_hash, scopes FROM identity.client
                WHERE id = $1 AND revoked_at IS NULL
                """,
                ids.write_uuid(client),
            )
        expected: bytes = bytes(32) if row is None else row["secret_hash"]
        known = hmac.compare_digest(expected, _hash(secret))
        if client is None or row is None or not known:
            raise GrantRefused("invalid_client", "This client is unknown, or its secret is wrong")
        allowed = frozenset(row["scopes"])
        wanted = allowed if scopes is None else frozenset(scopes)
        if not wanted or wanted - allowed:
            raise GrantRefused("invalid_scope", "This client may not ask for that scope")
        token = self._issuer.for_service(
            client, set(wanted), self._now() + round(LIFETIME.total_seconds()) * 1_000_000
        )
        return Grant(token, wanted, round(LIFETIME.total_seconds()))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()
