"""Service tokens: access tokens for other programs, on record so that they can be ended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tikiwallet import clock, ids
from tikiwallet.database.pool import Database
from tikiwallet.errors import Problem
from tikiwallet.identity.tokens import SERVICE_SCOPES, TokenIssuer

LONGEST = timedelta(days=366)


class ServiceTokenRefused(Problem):
    code = "service_token_refused"
    title = "No service token can be made this way"


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """What is on record of a service token; the token itself is not."""

    session: bytes
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class ServiceTokens:
    """Issues and lists service tokens. `Sessions.end(session, why)` ends one."""

    def __init__(
        self,
        database: Database,
        issuer: TokenIssuer,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._issuer = issuer
        self._now = now

    async def issue_service_token(
        self, name: str, scopes: Iterable[str], lifetime: timedelta
    ) -> str:
        """A new token for the program `name` (1 to 100 letters), allowed `scopes` for `lifetime`
        (up to 366 days). Raises `ServiceTokenRefused`."""
        wanted = set(scopes)
        unknown = sorted(wanted - SERVICE_SCOPES)
        if unknown:
            raise ServiceTokenRefused(f"There is no scope {', '.join(unknown)}")
        if not wanted:
            raise ServiceTokenRefused("A service token needs at least one scope")
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise ServiceTokenRefused("The name of a service has 1 to 100 letters")
        if not timedelta(seconds=1) <= lifetime <= LONGEST:
            raise ServiceTokenRefused(f"A service token lives up to {LONGEST.days} days")
        session = ids.new_uuid7()
        created_at = clock.from_us(self._now())
        await self._database.execute(
            """
            INSERT INTO identity.session
                (id, service, scopes, created_at, expires_at, last_seen_at, method)
            VALUES ($1, $2, $3, $4, $5, $4, 'service')
            """,
            ids.write_uuid(session),
            name,
            sorted(wanted),
            created_at,
            created_at + lifetime,
        )
        return self._issuer.for_service(session, wanted, clock.to_us(created_at + lifetime))

    async def all(self) -> list[ServiceToken]:
        """Those on record, newest first."""
        rows = await self._database.fetch(
            """
            SELECT id, service, scopes, created_at, expires_at, revoked_at
            FROM identity.session WHERE service IS NOT NULL ORDER BY id DESC
            """
        )
        return [
            ServiceToken(
                row["id"].bytes,
                row["service"],
                frozenset(row["scopes"]),
                row["created_at"],
                row["expires_at"],
                row["revoked_at"],
            )
            for row in rows
        ]
