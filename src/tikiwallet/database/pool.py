"""Connections to PostgreSQL, and the one place that commits.

Every connection steps down to a role when it starts (`SET ROLE`), finds the primary among several
hosts, and carries time limits. Statements outside of `transaction` commit by themselves.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Literal

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from tikiwallet import logs
from tikiwallet.errors import Unavailable

AnyConnection = asyncpg.Connection | PoolConnectionProxy
Isolation = Literal["read_committed", "repeatable_read", "serializable"]

APP_LIMITS: Final[Mapping[str, str]] = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}
"""Time limits of a pool's sessions; a request has been given up long before."""

_AWAY: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.TargetServerAttributeNotMatched,
)
_log = logs.get(__name__)


async def connect(
    dsn: str, role: str | None, *, settings: Mapping[str, str] | None = None, **options: Any
) -> asyncpg.Connection:
    """One connection of one's own, outside of any pool, working as `role` (None: as who logs in).

    `settings` are PostgreSQL's, for this session; `options` go to `asyncpg.connect`. There are no
    time limits unless `settings` brings some.
    """
    options |= {
        "server_settings": _session(role, settings or {}),
        "target_session_attrs": SessionAttribute.read_write,
    }
    connection: asyncpg.Connection = await asyncpg.connect(dsn, **options)
    return connection


@asynccontextmanager
async def transaction(
    connection: AnyConnection, *, isolation: Isolation | None = None, readonly: bool = False
) -> AsyncIterator[None]:
    """A database transaction on `connection`: committed at the end, rolled back by an exception."""
    async with connection.transaction(isolation=isolation, readonly=readonly):
        yield


@contextmanager
def _told_when_away() -> Iterator[None]:
    """A server that is gone, starting or recovering is nobody's mistake: it becomes Unavailable."""
    try:
        yield
    except _AWAY as error:
        if isinstance(error, asyncpg.DataError):  # an argument of the wrong type: a bug of ours
            raise
        _log.warning("the database is away", error=type(error).__name__)
        raise Unavailable("The database cannot answer right now") from error


class Database:
    """A pool of connections that all work as one role.

    Everything here raises `Unavailable` while the server cannot be reached.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def connect(
        cls,
        dsn: str,
        role: str,
        *,
        min_size: int = 1,
        max_size: int = 8,
        settings: Mapping[str, str] | None = None,
    ) -> "Database":
        """Open a pool; `settings` change the time limits or add to PostgreSQL's for its sessions.

        Raises what asyncpg raises when the server cannot be reached or the role not be taken.
        """
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            server_settings=_session(role, {**APP_LIMITS, **(settings or {})}),
            target_session_attrs=SessionAttribute.read_write,
        )
        return cls(pool)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, readonly: bool = False
    ) -> AsyncIterator[PoolConnectionProxy]:
        """A connection inside a database transaction, committed when the block ends well.

        Call no provider and await nothing slow inside: the connection and its locks are held.
        """
        with _told_when_away():
            async with (
                self._pool.acquire() as connection,
                transaction(connection, isolation=isolation, readonly=readonly),
            ):
                yield connection

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """All rows of one statement, which commits by itself."""
        with _told_when_away():
            return await self._pool.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """The first row of one statement, which commits by itself; None when there is none."""
        with _told_when_away():
            return await self._pool.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first value of the first row; None when there is no row."""
        with _told_when_away():
            return await self._pool.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Carry out one statement, which commits by itself; PostgreSQL's tag (`UPDATE 3`)."""
        with _told_when_away():
            return await self._pool.execute(sql, *args)

    async def close(self, seconds: float = 10.0) -> None:
        """Wait for work under way, at most so many seconds, then close every connection."""
        try:
            async with asyncio.timeout(seconds):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


def _session(role: str | None, settings: Mapping[str, str]) -> dict[str, str]:
    named = {} if role is None else {"role": role}
    return {**named, "application_name": role or "tikiwallet", "timezone": "UTC", **settings}
