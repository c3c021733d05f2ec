"""One reign of a writer: election, epoch, lease, and the connections that die with it.

The advisory lock only elects. What fences a deposed writer is the log's own numbering: its next
row collides with its successor's. See docs/ledger.md for why each step stands where it does.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import asyncpg

from tikiwallet import clock, ids, logs
from tikiwallet.database.pool import connect
from tikiwallet.ledger import journal
from tikiwallet.ledger.memory import Memory
from tikiwallet.ledger.transactions import Kind, LegType

LOCK_CLASS = 0x71C1
LEDGER_ROLE = "tikiwallet_ledger"
_CLOCK_TOLERANCE_US = 60_000_000
_WRITE_BUFFER = 256 * 1024 * 1024
_TCP_LIMITS = {
    "TCP_USER_TIMEOUT": 3_000,  # milliseconds
    "TCP_KEEPIDLE": 1,
    "TCP_KEEPINTVL": 1,
    "TCP_KEEPCNT": 3,
}
_SIGN = """
    SELECT epoch, beat, (SELECT max(n) FROM ledger.log WHERE shard = $2),
           (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND classid = $1::int::oid AND objid = ($2::smallint)::int::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    FROM ledger.lease WHERE shard = $2
"""
_log = logs.get(__name__)


class SteppedDown(Exception):
    """This process is the writer no longer, or cannot know whether it is."""


class RefusedToLead(Exception):
    """Something is wrong that another try will not mend: the log, the clock, the cluster."""


@dataclass(frozen=True)
class TermOptions:
    """What an election needs. `check_log` raises RefusedToLead when the log contradicts the heads
    that were published; `cluster` demands a streaming synchronous standby."""

    dsn: str
    role: str = LEDGER_ROLE
    shard: int = 0
    lease_seconds: float = 0.5
    hot_accounts: int = 250_000
    cluster: bool = False
    check_log: Callable[[asyncpg.Connection], Awaitable[None]] | None = None


class Term:
    """A reign that was won. `lease_until` is on `clock.boot_seconds`."""

    def __init__(
        self, options: TermOptions, commit: asyncpg.Connection, look: asyncpg.Connection,
        load: asyncpg.Connection, epoch: int, n: int, at: int, warnings: list[str],
    ) -> None:  # fmt: skip
        self.options = options
        self.commit = commit
        self.look = look
        self.load = load
        self.epoch = epoch
        self.next_n = n + 1
        self.stable_n = n
        self.last_at = at
        self.lease_until = 0.0
        self.ended = False
        self.broken = asyncio.Event()  # a connection failed; the term must end
        self.memory = Memory(options.hot_accounts)
        self.commit_turn = asyncio.Lock()
        self._warnings = warnings
        self._durable_at = clock.boot_seconds()

    def leads(self) -> bool:
        """Whether the lease holds at this very moment, by a clock that counts every pause."""
        return clock.boot_seconds() < self.lease_until

    def committed(self, sent_at: float) -> None:
        """A commit sent at `sent_at` succeeded; raises SteppedDown when it did with a warning,
        which is how a cancelled wait for the standby looks."""
        if self._warnings:
            raise SteppedDown(f"a commit ended with a warning: {self._warnings[-1]}")
        self.lease_until = sent_at + self.options.lease_seconds

    async def renew(self) -> None:
        """Extend the lease by a commit of its own."""
        async with self.commit_turn:
            sent_at = clock.boot_seconds()
            status = await self.commit.execute(
                "UPDATE ledger.lease SET beat = beat + 1 WHERE shard = $1 AND epoch = $2",
                self.options.shard,
                self.epoch,
            )
            if status != "UPDATE 1":
                raise SteppedDown("another writer holds the lease")
            self.committed(sent_at)

    async def check_durability(self) -> None:
        """In a cluster, once per lease, whatever extends it: commits must still go to a second
        machine. Raises RefusedToLead when they do not."""
        now = clock.boot_seconds()
        if self.options.cluster and now - self._durable_at >= self.options.lease_seconds:
            async with self.commit_turn:
                await check_cluster(self.commit)
            self._durable_at = now

    async def release(self) -> None:
        """Give the reign up in order: the next writer need not wait for the lease to pass."""
        self.lease_until = 0.0
        async with self.commit_turn:
            await self.commit.execute(
                "UPDATE ledger.lease SET beat = beat + 1, holder = '', backend = 0"
                " WHERE shard = $1 AND epoch = $2",
                self.options.shard,
                self.epoch,
            )

    def end(self) -> None:
        """Answer nothing any more and drop the connections, whatever they are doing."""
        self.ended = True
        self.lease_until = 0.0
        for connection in (self.commit, self.look, self.load):
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
    look = load = None
    try:
        await _win(options, commit)
        if options.cluster:
            await check_cluster(commit)
        if options.check_log is not None:
            await options.check_log(commit)
        epoch, n, at, orderly = await _begin_epoch(options, commit)
        silent_until = clock.boot_seconds() + (0 if orderly else 1.1 * options.lease_seconds)
        look = await _connection(options, "tikiwallet writer look-ups")
        load = await _connection(options, "tikiwallet writer loads")
        term = Term(options, commit, look, load, epoch, n, at, warnings)
        await term.renew()
        # Nothing is answered until every lease that an earlier writer may hold has run out. To
        # other candidates this one must not look dead meanwhile: they would end it.
        while (left := silent_until - clock.boot_seconds()) > 0:
            await asyncio.sleep(min(left, options.lease_seconds / 4))
            await term.renew()
    except BaseException:
        for connection in (commit, look, load):
            if connection is not None:
                connection.terminate()
        raise
    _log.info("writer began its term", epoch=epoch, n=n, orderly=orderly)
    return term


async def _connection(
    options: TermOptions, name: str, settings: dict[str, str] | None = None
) -> asyncpg.Connection:
    connection = await connect(
        options.dsn,
        options.role,
        settings={"application_name": name, **(settings or {})},
    )
    _harden(connection)
    await journal.teach(connection)
    return connection


def _harden(connection: asyncpg.Connection) -> None:
    # asyncpg gives no public way to its transport. A COPY that is paused by a full buffer waits
    # for ever once the connection is lost, so the buffer takes a whole batch; and a server that
    # vanished without a word must be noticed by the kernel, as nothing else may end a commit.
    transport = connection._transport  # type: ignore[attr-defined]
    transport.set_write_buffer_limits(high=_WRITE_BUFFER)
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_LIMITS.items():
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


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
            if sign is not None and sign["pid"] is not None:
                await _end_silent_holder(options, sign["pid"])
            seen_at = now
        await asyncio.sleep(options.lease_seconds / 10)


async def _end_silent_holder(options: TermOptions, backend: int) -> None:
    """End the session of the holder that was watched, and of no other that may have come since."""
    # A connection that has not stepped down to the role: only the login may end its own sessions.
    connection = await connect(options.dsn, None)
    try:
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
    servers: int = await connection.fetchval("SELECT clock_timestamp()")
    now = clock.now_us()
    if abs(now - servers) > _CLOCK_TOLERANCE_US:
        raise RefusedToLead(
            f"this machine's clock says {clock.rfc3339(now)}, the database's"
            f" {clock.rfc3339(servers)}: set the clocks right"
        )
    if now < last_at - _CLOCK_TOLERANCE_US:
        raise RefusedToLead(
            f"this machine's clock says {clock.rfc3339(now)}, but the ledger's last row is from"
            f" {clock.rfc3339(last_at)}: set the clock right"
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


async def check_cluster(connection: asyncpg.Connection) -> str:
    """The durability that holds, in words; raises RefusedToLead when no named synchronous standby
    streams."""
    names = await connection.fetchval("SELECT current_setting('synchronous_standby_names')")
    streaming = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_replication"
        " WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')"
    )
    if not names or names.strip() == "*" or not streaming:
        raise RefusedToLead(
            "no named synchronous standby is streaming (synchronous_standby_names), or this role"
            " may not see it (GRANT pg_read_all_stats); a payment would live on one machine only"
        )
    return f"synchronous: {names}"
