"""Tickets: an identity that means nobody here yet waits for its owner to register.

A ticket works only in the browser in which its identity signed in. Otherwise somebody could hand
their own ticket to another person, and later sign in as whom that one registered.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem

LIFETIME: Final = timedelta(minutes=15)


class TicketInvalid(Problem):
    code = "oidc_ticket_invalid"
    title = "This sign-in was begun elsewhere or too long ago; begin it again"


class IdentityTaken(Problem):
    code = "identity_taken"
    title = "This identity belongs to somebody else here, or you have linked another one"


class Tickets:
    """Issues tickets, lets a registration have one, and links its identity in the end."""

    def __init__(self, database: Database, now: Callable[[], int] = clock.now_us) -> None:
        self._database = database
        self._now = now

    async def issue(self, issuer: str, subject: str, browser: str) -> str:
        """A ticket for an issuer's subject who signed in in `browser` (its cookie's value)."""
        ticket = secrets.token_urlsafe(32)
        await self._database.execute(
            """
            INSERT INTO identity.oidc_ticket (hash, browser, issuer, subject, expires_at)
            VALUES ($1, $2, $3, $4, $5)
            """,
            digest(ticket),
            digest(browser),
            issuer,
            subject,
            clock.from_us(self._now()) + LIFETIME,
        )
        return ticket

    async def check(self, ticket: str, browser: str) -> None:
        """Raises `TicketInvalid` unless `ticket` works in `browser`."""
        found = await self._database.fetchval(
            """
            SELECT EXISTS (SELECT FROM identity.oidc_ticket
                WHERE hash = $1 AND browser = $2 AND expires_at > $3)
            """,
            digest(ticket),
            digest(browser),
            clock.from_us(self._now()),
        )
        if not found:
            raise TicketInvalid

    async def attach(
        self, connection: AnyConnection, ticket: str, browser: str, registration: str
    ) -> None:
        """Let `registration` have the ticket, in the caller's database transaction; of several
        registrations the last one has it. Raises `TicketInvalid`."""
        found = await connection.fetchval(
            """
            UPDATE identity.oidc_ticket SET registration = $3, expires_at = $4::timestamptz + $5
            WHERE hash = $1 AND browser = $2 AND expires_at > $4 RETURNING 1
            """,
            digest(ticket),
            digest(browser),
            registration,
            clock.from_us(self._now()),
            LIFETIME,
        )
        if found is None:
            raise TicketInvalid

    async def redeem(self, connection: AnyConnection, registration: str, person: int) -> None:
        """Link the identity that `registration` waits with to the new `person`, in the caller's
        database transaction. Raises `IdentityTaken`, and `TicketInvalid` when a later registration
        has the ticket."""
        row = await connection.fetchrow(
            "DELETE FROM identity.oidc_ticket WHERE registration = $1 RETURNING issuer, subject",
            registration,
        )
        if row is None:
            raise TicketInvalid
        await link(connection, row["issuer"], row["subject"], person, clock.from_us(self._now()))


async def link(
    connection: AnyConnection, issuer: str, subject: str, person: int, at: datetime
) -> None:
    """Make an issuer's subject mean `person`, in the caller's database transaction. Once more
    changes nothing. Raises `IdentityTaken`."""
    try:
        await connection.execute(
            """
            INSERT INTO identity.linked_identity (issuer, subject, person, linked_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (issuer, subject) DO NOTHING
            """,
            issuer,
            subject,
            person,
            at,
        )
    except asyncpg.UniqueViolationError:
        raise IdentityTaken from None
    owner = await connection.fetchval(
        "SELECT person FROM identity.linked_identity WHERE issuer = $1 AND subject = $2",
        issuer,
        subject,
    )
    if owner != person:
        raise IdentityTaken


def digest(secret: str) -> bytes:
    """What is kept of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
