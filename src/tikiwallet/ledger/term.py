"""One reign of a writer: election, epoch, lease, and the connections that die with it.

The advisory lock only elects. What fences a deposed writer is the log's own numbering: its next
row collides with its successor's. See docs/ledger.md for why each step stands where it does.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar

import asyncpg

from tikiwallet import clock, ids, logs
from tikiwallet.database.cluster import LEDGER
from tikiwallet.database.pool import connect
from tikiwallet.ledger import journal
from tikiwallet.ledger.channel import Channel
from tikiwallet.ledger.memory import Memory
from tikiwallet.ledger.reserve import AHEAD, Reserve
from tikiwallet.ledger.timekeeper import LEAP_MAX_US, TOLERANCE_US, Timekeeper
from tikiwallet.ledger.transactions import Kind, LegType

LOCK_CLASS = 0x71C1
_CHECK_SECONDS = 60.0  # for the log's check; then another candidate has its turn
_SIGN = """
    SELECT epoch, beat, (SELECT max(n) FROM ledger.log WHERE shard = $2),
           (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND classid = $1::int::oid AND objid = ($2::smallint)::int::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    FROM ledger.lease WHERE shard = $2
"""
# The connections beside the one that commits: name, settings, seconds that an answer may take. On
# `watch` it shows when a primary stands still, so that it is left for another; its beats need not
# outlive the server, nor wait for the standby.
_Beside = tuple[str, dict[str, str], float | None]
_BESIDE: tuple[_Beside, ...] = (
    ("watch", {"synchronous_commit": "off"}, 3.0),
    ("look-ups", {}, None),
    ("loads", {}, None),
)
_RENEW = "UPDATE ledger.lease SET beat = beat + 1 WHERE shard = {shard:d} AND epoch = {epoch:d}"
_RELEASE = (
    "UPDATE ledger.lease SET beat = beat + 1, holder = '', backend = 0"
    " WHERE shard = {shard:d} AND epoch = {epoch:d}"
)
_BEAT = "UPDATE ledger.lease SET beat = beat + 1 WHERE shard = $1"
_LOCK_OF = """
    SELECT true FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $3
    AND classid = $1::int::oid AND objid = ($2::smallint)::int::oid
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_STANDBYS = """
    SELECT current_setting('synchronous_standby_names') AS names,
           pg_has_role('pg_read_all_stats', 'USAGE') AS may_see,
           (SELECT count(*) FROM pg_stat_replication
            WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) AS streaming
"""
_Result = TypeVar("_Result")
_log = logs.get(__name__)


class SteppedDown(Exception):
    """This process is the writer no longer, or cannot know whether it is."""


class RefusedToLead(Exception):
    """Something is wrong that another try will not mend: the log, the clock, the cluster."""


@dataclass(frozen=True)
class TermOptions:
    """What an election needs. `check_log` raises RefusedToLead when the log contradicts the heads
    that were published; `cluster` demands a streaming synchronous standby; `reserve` notes outside
    the database how far numbers go."""

    dsn: str
    role: str = LEDGER
    shard: int = 0
    lease_seconds: float = 0.5
    hot_accounts: int = 250_000
    cluster: bool = False
    check_log: Callable[[asyncpg.Connection], Awaitable[None]] | None = None
    reserve: Reserve | None = None
    timekeeper: Timekeeper = field(default_factory=Timekeeper)


class Term:
    """A reign that was won. `lease_until` is on `clock.boot_seconds`."""

    def __init__(
        self, options: TermOptions, commit: Channel, look: asyncpg.Connection,
        load: asyncpg.Connection, watch: asyncpg.Connection, epoch: int, n: int, at: int,
    ) -> None:  # fmt: skip
        self.options = options
        self.commit = commit
        self.look = look
        self.load = load
        self.watch = watch
        self.epoch = epoch
        self.next_n = n + 1
        self.stable_n = n
        self.last_at = at
        self.lease_until = 0.0
        self.ended = False
        self.broken = asyncio.Event()  # a connection failed; the term must end
        self.memory = Memory(options.hot_accounts)
        self.commit_turn = asyncio.Lock()
        self._checked_at = clock.boot_seconds()
        self._reserved = 0

    def now_us(self) -> int:
        """The time that a batch made now bears, in microseconds since 1970: never before the rows
        that are there, and not wherever the clock may have leapt."""
        return max(self.last_at, self.options.timekeeper.now_us())

    def leads(self) -> bool:
        """Whether the lease holds at this very moment, by a clock that counts every pause."""
        return clock.boot_seconds() < self.lease_until

    def committed(self, sent_at: float) -> None:
        """A commit sent at `sent_at` succeeded; raises SteppedDown when it is not to be trusted."""
        if warnings := self.commit.warnings:  # how a cancelled wait for the standby looks
            raise SteppedDown(f"a commit ended with a warning: {warnings[-1]}")
        lease = self.options.lease_seconds
        if self.options.cluster and clock.boot_seconds() - sent_at > lease:
            # Perhaps it did not end because the standby came back, but because somebody, or what
            # manages the cluster, took the standby's name away. The next term looks first.
            raise SteppedDown("a commit took longer than a lease: for want of a standby?")
        if self._reserved and self.next_n + AHEAD // 100 > self._reserved:
            raise SteppedDown("the log grows faster than its numbers can be reserved")
        self.lease_until = sent_at + lease

    async def renew(self) -> None:
        """Extend the lease by a commit of its own."""
        async with self.commit_turn:
            sent_at = clock.boot_seconds()
            try:
                status = await _while_watched(
                    self.commit.execute(_RENEW.format(shard=self.options.shard, epoch=self.epoch)),
                    self.options.lease_seconds,
                    self.check_durability,
                )
            except BaseException:
                self.ended = True  # it may still be under way: nothing can be sent after it
                raise
            if status != "UPDATE 1":
                raise SteppedDown("another writer holds the lease")
            self.committed(sent_at)

    async def check_durability(self) -> None:
        """Once per lease, whatever extends it and whatever a commit waits for: commits still go to
        a second machine, the clock did not leap, numbers are reserved. Raises RefusedToLead."""
        now = clock.boot_seconds()
        if now - self._checked_at < self.options.lease_seconds:
            return
        await _durable(self.options, self.watch)
        self.options.timekeeper.now_us()
        if self.options.timekeeper.leap_us > TOLERANCE_US:
            await check_clock(self.watch, self.options.timekeeper)
        await self.reserve()
        self._checked_at = now

    async def reserve(self) -> None:
        """Note outside the database how far this term's numbers may go, well before they do."""
        note = self.options.reserve
        if note is not None and self._reserved - self.next_n < AHEAD // 2:
            up_to = self.next_n + AHEAD
            await asyncio.to_thread(note.raise_to, up_to)
            self._reserved = up_to

    async def release(self) -> None:
        """Give the reign up in order: the next writer need not wait for the lease to pass."""
        self.lease_until = 0.0
        async with self.commit_turn:
            await self.commit.execute(_RELEASE.format(shard=self.options.shard, epoch=self.epoch))

    def end(self) -> None:
        """Answer nothing any more and drop the connections, whatever they are doing."""
        self.ended = True
        self.lease_until = 0.0
        for connection in (self.commit, self.look, self.load, self.watch):
            connection.terminate()


async def campaign(options: TermOptions) -> Term:
    """Wait until this process is the writer of its shard, and begin its term.

    Raises RefusedToLead for what needs a person, OSError and asyncpg errors for what may pass.
    """
    lease_ms = int(options.lease_seconds * 1000)
    commit = await _connection(options, "tikiwallet writer", {
        "synchronous_commit": "on",
        "idle_session_timeout": str(lease_ms * 6),
        "idle_in_transaction_session_timeout": str(lease_ms * 2),
        "tcp_keepalives_idle": "1",
        "tcp_keepalives_interval": "1",
        "tcp_keepalives_count": "3",
    })  # fmt: skip
    warnings: list[str] = []

    def note(_: object, message: Any) -> None:
        if message.severity_en == "WARNING":
            warnings.append(str(message.message))

    commit.add_log_listener(note)
    connections = [commit]
    try:
        await _win_with_standby(options, commit)
        watch = await _connect_beside(options, connections, _BESIDE[0])
        async with _beating(options, watch):  # whatever follows may take longer than a lease
            look, load = [
                await _connect_beside(options, connections, beside) for beside in _BESIDE[1:]
            ]
            if options.check_log is not None:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await options.check_log(commit)
        epoch, n, at, orderly = await _while_watched(
            _begin_epoch(options, commit), options.lease_seconds, lambda: _durable(options, watch)
        )
        silent_until = clock.boot_seconds() + (0 if orderly else 1.1 * options.lease_seconds)
        term = Term(options, Channel(commit, warnings), look, load, watch, epoch, n, at)
        await term.reserve()
        await term.renew()
        # Nothing is answered until every lease that an earlier writer may hold has run out. To
        # other candidates this one must not look dead meanwhile: they would end it.
        while (left := silent_until - clock.boot_seconds()) > 0:
            await asyncio.sleep(min(left, options.lease_seconds / 4))
            await term.renew()
    except BaseException:
        for connection in connections:
            connection.terminate()
        raise
    _log.info("writer began its term", epoch=epoch, n=n, orderly=orderly)
    return term


async def _win_with_standby(options: TermOptions, commit: asyncpg.Connection) -> None:
    await _durable(options, commit)
    await _win(options, commit)
    await _durable(options, commit)  # again: whoever had the lock may have kept it for hours


async def _durable(options: TermOptions, connection: asyncpg.Connection) -> None:
    if options.cluster:
        await check_cluster(connection)


async def _while_watched(
    commit: Coroutine[Any, Any, _Result], seconds: float, check: Callable[[], Awaitable[None]]
) -> _Result:
    """The result of `commit`, which nothing may cancel. While it takes its time, `check` is called
    every so many `seconds`; what that raises leaves the commit to itself, and to the connection's
    end."""
    committing = asyncio.create_task(commit)
    try:
        while not (await asyncio.wait({committing}, timeout=seconds))[0]:
            await check()
    except BaseException:
        committing.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise
    return committing.result()


async def _connection(
    options: TermOptions,
    name: str,
    settings: dict[str, str] | None = None,
    seconds: float | None = None,
) -> asyncpg.Connection:
    connection = await connect(
        options.dsn,
        options.role,
        settings={"application_name": name, **(settings or {})},
        command_timeout=seconds,
    )
    await journal.teach(connection)
    return connection


async def _connect_beside(
    options: TermOptions, connections: list[asyncpg.Connection], beside: _Beside
) -> asyncpg.Connection:
    """One of `_BESIDE`, added to `connections`, of which the first is the one that commits."""
    name, settings, seconds = beside
    connection = await _connection(options, f"tikiwallet writer {name}", settings, seconds)
    connections.append(connection)
    await _insist_on_same_server(options, connections[0], connection)
    return connection


async def _insist_on_same_server(
    options: TermOptions, commit: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """`other` must be a session of the server that holds `commit`: while a primary is replaced, two
    connections made by one URL may lead to two servers."""
    if not await other.fetchval(_LOCK_OF, LOCK_CLASS, options.shard, commit.get_server_pid()):
        raise SteppedDown("the lock is not seen by another connection: the primary was replaced")


@asynccontextmanager
async def _beating(options: TermOptions, connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Show signs of life while the block runs, for as long as this process lives: other candidates
    end whoever holds the lock in silence. Whatever the beats meet is met again by the next step."""

    done = asyncio.Event()

    async def beat() -> None:
        while not done.is_set():
            await connection.execute(_BEAT, options.shard)
            with suppress(TimeoutError):
                async with asyncio.timeout(options.lease_seconds / 4):
                    await done.wait()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        done.set()
        await asyncio.gather(beating, return_exceptions=True)


async def _win(options: TermOptions, connection: asyncpg.Connection) -> None:
    """Get the advisory lock. A holder that has shown no sign of life for a lease is ended."""
    seen: asyncpg.Record | None = None
    seen_at = 0.0
    while not await connection.fetchval(
        "SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, options.shard
    ):
        sign = await connection.fetchrow(_SIGN, LOCK_CLASS, options.shard)
        now = clock.boot_seconds()
        if sign != seen:
            seen, seen_at = sign, now
        elif now - seen_at >= options.lease_seconds:
            # A holder that waits for the standby, as anybody would, is left alone.
            await _durable(options, connection)
            if sign is not None and sign["pid"] is not None:
                await _end_silent_holder(options, sign["pid"])
            seen_at = now
        await asyncio.sleep(options.lease_seconds / 10)


async def _end_silent_holder(options: TermOptions, backend: int) -> None:
    """End the session of the holder that was watched, and of no other that may have come since."""
    # A connection that has not stepped down to the role: only the login may end its own sessions.
    connection = await connect(options.dsn, None)
    try:
        if await connection.fetchval(_LOCK_OF, LOCK_CLASS, options.shard, backend):
            await connection.execute("SELECT pg_terminate_backend($1)", backend)
            _log.warning("ended a writer that was silent", backend=backend)
    finally:
        await connection.close()


async def _begin_epoch(
    options: TermOptions, connection: asyncpg.Connection
) -> tuple[int, int, int, bool]:
    """Commit the epoch row and read the log only then: (epoch, n, at, whether the old term ended
    in order)."""
    last = await connection.fetchrow(
        "SELECT n, at FROM ledger.log WHERE shard = $1 ORDER BY n DESC LIMIT 1", options.shard
    )
    n, last_at = (0, 0) if last is None else (last["n"], last["at"])
    now = await check_clock(connection, options.timekeeper)
    if now < last_at - TOLERANCE_US:
        raise RefusedToLead(
            f"this machine's clock says {clock.rfc3339(now)}, but the ledger's last row is from"
            f" {clock.rfc3339(last_at)}: set the clock right; if it is right now and was ahead"
            " then, the ledger goes on when that time has come"
        )
    at = max(now, last_at)
    lease = await connection.fetchrow(
        "SELECT epoch, backend FROM ledger.lease WHERE shard = $1", options.shard
    )
    if lease is None:
        raise RefusedToLead(f"there is no shard {options.shard} in this database")
    epoch = lease["epoch"] + 1
    holder = f"{socket.gethostname()}:{os.getpid()}"
    id_ = ids.derived_id("epoch", options.shard, epoch)
    status = await connection.execute(
        """
        WITH mine AS (
            UPDATE ledger.lease
            SET epoch = $1, beat = beat + 1, holder = $2, backend = pg_backend_pid()
            WHERE shard = $3 AND epoch = $1 - 1 RETURNING 1
        )
        INSERT INTO ledger.journal (stream, n, at, amount, type, transaction_id, leg, legs, kind,
                                    result, shard, digest, epoch, reference)
        SELECT 1, $4, $5, 0, $6, $7, 0, 1, $8, 0, $3, $9, $1, $2 FROM mine
        """,
        epoch, holder, options.shard, n + 1, at, int(LegType.EPOCH), id_, int(Kind.EPOCH),
        sha256(id_).digest(),
    )  # fmt: skip
    if status != "INSERT 0 1":
        raise SteppedDown("another writer began an epoch at the same time")
    newest = await connection.fetchval(
        "SELECT max(n) FROM ledger.log WHERE shard = $1", options.shard
    )
    if newest != n + 1:
        raise SteppedDown("the log grew while this epoch began")
    return epoch, n + 1, at, lease["backend"] == 0


async def check_clock(connection: asyncpg.Connection, timekeeper: Timekeeper) -> int:
    """The time in microseconds since 1970. A clock that leapt is believed when the database's says
    the same, which is little proof on the same machine: so a leap of days is not. Raises
    RefusedToLead."""
    now = timekeeper.now_us()
    leap = timekeeper.leap_us
    servers: int = await connection.fetchval("SELECT clock_timestamp()")
    wall = clock.now_us()
    if abs(wall - servers) > TOLERANCE_US:
        raise RefusedToLead(
            f"this machine's clock says {clock.rfc3339(wall)}, the database's"
            f" {clock.rfc3339(servers)}: set the clocks right"
        )
    if leap <= TOLERANCE_US:
        return now
    if leap > LEAP_MAX_US:
        raise RefusedToLead(
            f"this machine's clock leapt by {leap // 1_000_000} seconds to {clock.rfc3339(wall)}:"
            " set it right, or, if that is the time, start this process again"
        )
    _log.warning("the clock leapt, and so did the database's", seconds=leap // 1_000_000)
    timekeeper.believe()
    return timekeeper.now_us()


async def check_cluster(connection: asyncpg.Connection) -> str:
    """The durability that holds, in words; raises RefusedToLead when no named synchronous standby
    streams."""
    row = await connection.fetchrow(_STANDBYS)
    assert row is not None
    names = row["names"].strip()
    if not names:
        why = "synchronous_standby_names is empty: name the standby there"
    elif "*" in names:
        why = (
            f"synchronous_standby_names is {names}, by which any server that streams will do:"
            " name the standby there"
        )
    elif row["streaming"]:
        return f"synchronous: {names}"
    elif not row["may_see"]:
        why = (
            f"this role may not see whether a standby streams: GRANT pg_read_all_stats TO {LEDGER}"
        )
    else:
        why = f"none of the standbys in synchronous_standby_names ({names}) streams"
    raise RefusedToLead(f"{why}. Until then a payment would live on one machine only")
