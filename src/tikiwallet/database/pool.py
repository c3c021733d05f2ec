"""Connections to PostgreSQL, and the one place that commits.

Every connection steps down to a role when it starts (`SET ROLE`), finds the primary among several
hosts, and carries time limits. Statements outside of `transaction` commit by themselves.

In a cluster a commit waits for the standby, however long, as no time limit of PostgreSQL's counts
then; and when somebody cancels it, PostgreSQL reports success with a warning. `Database` has a
limit of its own, and takes both for what they are, an outcome that is not known: `Unavailable`.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, Literal, cast

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from tikiwallet import logs
from tikiwallet.config import database_hosts
from tikiwallet.errors import Unavailable

AnyConnection = asyncpg.Connection | PoolConnectionProxy
Isolation = Literal["read_committed", "repeatable_read", "serializable"]

APP_LIMITS: Final[Mapping[str, str]] = {
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "30s",
}
"""Time limits of a pool's sessions; a request has been given up long before."""
UNHURRIED: Final[Mapping[str, str]] = {"statement_timeout": "0"}
"""For a pool that goes through all there is."""
COMMAND_SECONDS: Final = 6.0
"""After which a command is given up from here: longer than the server's own limit, for what that
does not cover, a commit that waits for the standby, or a server that vanished."""
_TURN_SECONDS: Final = 3.0  # to wait for a connection of the pool
_RELEASE_SECONDS: Final = 1.0  # to tidy it up afterwards; it is dropped when that takes longer

_AWAY: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last words came while the connection was idle
    asyncpg.LockNotAvailableError,  # whoever holds the lock waits, perhaps for the standby
)
_HEAD_START_SECONDS: Final = 0.3  # that a host has before the next one is asked as well
_SEVERAL_HOSTS_SECONDS: Final = 5.0  # then all of them are asked anew: one may be primary by now
_TCP_LIMITS: Final = {
    "TCP_USER_TIMEOUT": 3_000,  # milliseconds
    "TCP_KEEPIDLE": 1,
    "TCP_KEEPINTVL": 1,
    "TCP_KEEPCNT": 3,
}
_log = logs.get(__name__)


async def connect(
    dsn: str, role: str | None, *, settings: Mapping[str, str] | None = None, **options: Any
) -> asyncpg.Connection:
    """One connection of one's own, outside of any pool, working as `role` (None: as who logs in).

    `settings` are PostgreSQL's, for this session; `options` go to `asyncpg.connect`. There are no
    time limits unless `settings` brings some. Raises what asyncpg raises, and ConnectionError when
    no host is the primary.
    """
    options |= {
        "server_settings": _session(role, settings or {}),
        "target_session_attrs": SessionAttribute.read_write,
    }
    return await _open(dsn, **options)


async def _open(dsn: str, **options: Any) -> asyncpg.Connection:
    hosts = database_hosts(dsn)
    try:
        if len(hosts) > 1:
            connection = await _first_to_answer(dsn, hosts, options)
        else:
            connection = await asyncpg.connect(dsn, **options)
    except asyncpg.TargetServerAttributeNotMatched as error:
        # Until a standby is promoted there is no primary: to callers the same as a server that is
        # down, and not the mistake in the program that asyncpg's class for it speaks of.
        raise ConnectionError("none of the database's hosts is the primary") from error
    _notice_silence(connection)
    return connection


async def _first_to_answer(
    dsn: str, hosts: list[tuple[str, int | None]], options: dict[str, Any]
) -> asyncpg.Connection:
    """A connection to the first of `hosts` that is what is wanted. Each is asked a little after
    the one before it: a machine that has vanished answers nothing, and is not to be waited for."""
    options.setdefault("timeout", _SEVERAL_HOSTS_SECONDS)
    left = iter(hosts)
    pending: set[asyncio.Task[asyncpg.Connection]] = set()
    error: BaseException | None = None
    try:
        while True:
            if (place := next(left, None)) is not None:
                host, port = place
                pending.add(
                    asyncio.create_task(asyncpg.connect(dsn, host=host, port=port, **options))
                )
            if not pending:
                assert error is not None
                raise error
            done, _ = await asyncio.wait(
                pending,
                timeout=None if place is None else _HEAD_START_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                pending.discard(attempt)
                if (error := attempt.exception()) is None:
                    return attempt.result()
    finally:
        for attempt in pending:
            attempt.cancel()
            attempt.add_done_callback(_hang_up)


def _hang_up(attempt: asyncio.Task[asyncpg.Connection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().terminate()


def _notice_silence(connection: asyncpg.Connection) -> None:
    """Let the kernel end the connection to a server that vanished without a word."""
    # asyncpg gives no public way to its transport.
    sock = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_LIMITS.items():
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


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

    Everything here raises `Unavailable` while the server, or in a cluster its standby, cannot be
    reached; of what would have changed something it is then not known whether it did.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def opened(cls, dsn: str, role: str, **options: Any) -> AsyncIterator["Database"]:
        """`connect`, for as long as the block runs."""
        database = await cls.connect(dsn, role, **options)
        try:
            yield database
        finally:
            await database.close()

    @classmethod
    async def connect(
        cls,
        dsn: str,
        role: str,
        *,
        min_size: int = 1,
        max_size: int = 8,
        settings: Mapping[str, str] | None = None,
        seconds: float | None = COMMAND_SECONDS,
    ) -> "Database":
        """Open a pool; `settings` change the time limits or add to PostgreSQL's for its sessions,
        `seconds` is how long any command may take (None: as long as it will).

        Raises what asyncpg raises when the server cannot be reached or the role not be taken.
        """
        pool = await asyncpg.create_pool(
            dsn,
            connect=cast(Any, _open),  # its stubs want every option by name
            min_size=min_size,
            max_size=max_size,
            command_timeout=seconds,
            server_settings=_session(
                role, {**APP_LIMITS, "synchronous_commit": "on", **(settings or {})}
            ),
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
        async with (
            self._borrowed() as connection,
            transaction(connection, isolation=isolation, readonly=readonly),
        ):
            yield connection

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """All rows of one statement, which commits by itself."""
        async with self._borrowed() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """The first row of one statement, which commits by itself; None when there is none."""
        async with self._borrowed() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first value of the first row; None when there is no row."""
        async with self._borrowed() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Carry out one statement, which commits by itself; PostgreSQL's tag (`UPDATE 3`)."""
        async with self._borrowed() as connection:
            return await connection.execute(sql, *args)

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[PoolConnectionProxy]:
        """A connection of the pool. Raises Unavailable when a commit on it did not wait for the
        standby to the end."""
        cut_short: list[str] = []

        def note(_: object, message: Any) -> None:
            # By the place in PostgreSQL that says so: its words depend on its language.
            if message.server_source_function == "SyncRepWaitForLSN":
                cut_short.append(str(message.message))

        with _told_when_away():
            try:
                connection = await self._pool.acquire(timeout=_TURN_SECONDS)
            except TimeoutError as error:
                _log.warning("no connection to the database was free in time")
                raise Unavailable("The database is too busy right now") from error
            connection.add_log_listener(note)
            try:
                yield connection
            finally:
                connection.remove_log_listener(note)
                # What was given up is cancelled on the server, which a server that stands still
                # does not hear; nor does it matter to what was done before.
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await self._pool.release(connection, timeout=_RELEASE_SECONDS)
        if cut_short:
            _log.warning("a commit is not known to be on the standby", why=cut_short[0])
            raise Unavailable("The database's standby does not answer right now")

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
