"""Ended sessions, known to every process within a second.

Whoever ends a session adds a row and notifies in one database transaction. Every process listens
on a connection of its own and, whether notified or not, asks for new rows every half second. The
database's own transaction ids say what is new, so that nothing depends on anybody's clock. A
process that cannot ask for some seconds, on a clock that nobody sets, stops to vouch for sign-ins
(`fresh_until`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import asyncpg

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection

POLL_SECONDS = 0.5
# How long a process cut off from the database still accepts what it knew.
GRACE_SECONDS = 5.0

_CHANNEL = "identity_revocation"
_QUERY_SECONDS = 2.0
_PAUSE_SECONDS = 0.2
_DROP_US = 60_000_000

_START = """
SELECT r.session, r.until, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
FROM (SELECT) AS one LEFT JOIN identity.revocation r ON r.until > $1
"""
_NEW = """
SELECT r.session, r.until, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
FROM (SELECT) AS one LEFT JOIN identity.revocation r ON r.writer >= $1::text::xid8
"""

Connect = Callable[[], Awaitable[asyncpg.Connection]]

_log = logging.getLogger(__name__)


async def record(connection: AnyConnection, session: bytes, until: datetime) -> None:
    """Tell all processes that `session` has ended, when the caller's database transaction commits.
    `until` is when the last of its access tokens runs out."""
    await connection.execute(
        """
        INSERT INTO identity.revocation (session, until) VALUES ($1, $2)
        ON CONFLICT (session) DO NOTHING
        """,
        ids.write_uuid(session),
        until,
    )
    await connection.execute("SELECT pg_notify($1, '')", _CHANNEL)


class Revocations:
    """Follows ended sessions. `connect` opens an unpooled connection as the application; `boot` is
    the clock of `fresh_until`."""

    def __init__(
        self,
        connect: Connect,
        now: Callable[[], int] = clock.now_us,
        boot: Callable[[], float] = clock.boot_seconds,
    ) -> None:
        self._connect = connect
        self._now = now
        self._boot = boot
        self._revoked: dict[bytes, int] = {}
        self._horizon: str | None = None
        self._news = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._dropped_at = 0
        self.fresh_until = 0.0

    @property
    def revoked(self) -> Mapping[bytes, int]:
        """Ended sessions, until when their access tokens could run (microseconds since 1970)."""
        return self._revoked

    def add(self, session: bytes, until: datetime) -> None:
        """Know at once what this process has just committed itself."""
        self._revoked[session] = clock.to_us(until)

    async def start(self) -> None:
        """Load what is known and follow from there. Raises what connecting raises."""
        self._connection = await self._open()
        self._task = asyncio.create_task(self._follow(), name="revocations")

    async def stop(self) -> None:
        """Stop to follow and close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        connection, self._connection = self._connection, None
        if connection is not None:
            await _close(connection)
        self.fresh_until = 0.0

    async def _open(self) -> asyncpg.Connection:
        connection = await self._connect()
        # After a failover or a restore, transaction ids may begin again below what was seen.
        self._horizon = None
        try:
            await connection.add_listener(_CHANNEL, self._on_notice)
            await self._ask(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _on_notice(self, *_: object) -> None:
        self._news.set()

    async def _follow(self) -> None:
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._open()
                    _log.info("following ended sessions again")
                await self._wait()
                await self._ask(self._connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
                _log.warning("ended sessions cannot be followed: %s", type(e).__name__)
                await self._start_over()
            except Exception:  # were this to end, nobody would be signed in until a restart
                _log.exception("ended sessions cannot be followed")
                await self._start_over()

    async def _start_over(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        await asyncio.sleep(_PAUSE_SECONDS)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._news.wait()
        self._news.clear()

    async def _ask(self, connection: asyncpg.Connection) -> None:
        asked, asked_boot = self._now(), self._boot()
        if self._horizon is None:
            rows = await connection.fetch(_START, clock.from_us(asked), timeout=_QUERY_SECONDS)
        else:
            rows = await connection.fetch(_NEW, self._horizon, timeout=_QUERY_SECONDS)
        for row in rows:
            if row["session"] is not None:
                self._revoked[row["session"].bytes] = clock.to_us(row["until"])
        self._horizon = str(rows[0]["horizon"])
        self.fresh_until = asked_boot + GRACE_SECONDS
        if asked >= self._dropped_at + _DROP_US:
            self._drop_run_out(asked)

    def _drop_run_out(self, now: int) -> None:
        self._dropped_at = now
        run_out = [session for session, until in self._revoked.items() if until <= now]
        for session in run_out:
            del self._revoked[session]


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=_QUERY_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
