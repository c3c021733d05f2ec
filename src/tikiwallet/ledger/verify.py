"""One pass over the whole log that recomputes everything: states, tree, heads.

Log, entries and remainders are read as three streams in the order of n, from one snapshot, on
three connections. Tables that are only added to lie in that order on the disk, so nothing is
sorted; where rows turn up too late after all, the pass begins again and lets the server sort.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.ledger.heads import AuditMismatch, Discontinuity, Head, HeadFile, load_key
from tikiwallet.ledger.leaves import PG_EPOCH_US, READ_ROWS, Stretch, read_log, record_struct
from tikiwallet.ledger.replay import OriginalRow, Originals, Remainder, Replay
from tikiwallet.ledger.retrace import Complaint, HeadWalk, Retrace

Progress: TypeAlias = Callable[[int, int], None]

# No row sorts after this one.
_END = (2**63,)
_NUMBER = itemgetter(0)
_WAITING_MAX = 1_000_000
_LIMITS = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL work_mem = '128MB'",
    # Each row where it lies: from the first page on, by one process.
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL jit = off",
)
_NEWEST = "SELECT coalesce(max(n), 0) FROM ledger.log WHERE shard = $1"
_ENTRIES = """
    SELECT record_send(ROW(
        n, at, amount, type, account, seq, posted_debits, posted_credits, pending_debits,
        pending_credits, floor, coalesce(ceiling, -1), currency, flags, account_type
    )) FROM ledger.entry
"""
_ENTRY = record_struct(("q", "q", "q", "h", *("q" * 8), "h", "h", "h"))
_REMAINDERS = """
    SELECT record_send(ROW(n, transaction_id, leg, seq, amount)) FROM ledger.remainder
"""
_REMAINDER = record_struct(("q", "16s", "h", "q", "q"))
_ORIGINALS = """
    SELECT uuid_send(l.transaction_id), l.leg, l.n, l.type, l.debit, l.credit, l.amount, l.currency,
           (extract(epoch FROM first.expires_at) * 1000000)::bigint
    FROM unnest($1::text[]::uuid[], $2::smallint[]) AS wanted(transaction_id, leg)
    JOIN ledger.log AS l USING (transaction_id, leg)
    JOIN ledger.log AS first ON first.transaction_id = l.transaction_id AND first.leg = 0
    WHERE l.type <= 4
"""


class _TooLate(Exception):
    """A row lies behind others with much higher numbers."""


class Failure(NamedTuple):
    """The first log row (lowest number) that does not agree, and why."""

    n: int
    reason: str


class Report(msgspec.Struct):
    """What `verify` found. `totals`: posted credits less debits by currency; all zero."""

    rows: int = 0
    entries: int = 0
    accounts: int = 0
    heads: int = 0
    newest_head: Head | None = None
    gaps: list[Discontinuity] = []
    totals: dict[int, int] = {}
    seconds: float = 0.0
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """True when everything agreed."""
        return self.failure is None


async def verify(
    database: Database, keys_dir: Path, progress: Progress | None = None, shard: int = 0
) -> Report:
    """Recompute the whole log and compare it with what is stored and what was signed.

    Works as any role that may read; takes three connections of the pool, and memory for each
    account (about 400 bytes), not for each row. `progress(rows done, rows in all)` is called now
    and then. Never raises for what it finds: see `Report.failure`.
    """
    started = time.monotonic()
    file = HeadFile(keys_dir, shard)
    key = load_key(keys_dir).public_key()
    report = Report()
    try:
        # Read before the snapshot is taken: heads reach the database first, so the snapshot then
        # holds every head up to this one, whatever is sealed meanwhile.
        outside = file.last()
        async with _snapshot(database) as connections:
            try:
                heads = HeadWalk(connections[0], file, outside, shard, key)
                await _Pass(connections, heads, key, shard, report).run(progress, "")
            except _TooLate:
                report = Report()
                heads = HeadWalk(connections[0], file, outside, shard, key)
                await _Pass(connections, heads, key, shard, report).run(progress, " ORDER BY n")
    except AuditMismatch as mismatch:
        report.failure = Failure(mismatch.n, mismatch.reason)
    report.seconds = time.monotonic() - started
    return report


@asynccontextmanager
async def _snapshot(database: Database) -> AsyncIterator[list[AnyConnection]]:
    """Three connections that see the database as it is at one moment."""
    async with AsyncExitStack() as stack:
        connections: list[AnyConnection] = []
        snapshot = ""
        for _ in range(3):
            connection = await stack.enter_async_context(
                database.transaction(isolation="repeatable_read")
            )
            if snapshot:
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            else:
                snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            for limit in _LIMITS:
                await connection.execute(limit)
            connections.append(connection)
        yield connections


class _Stream:
    """Rows of one table in the order of their log numbers, read ahead in bulk.

    They may arrive somewhat out of order. A row far too early waits (one that took the place of a
    failed batch's); a row too late raises _TooLate.
    """

    def __init__(self, cursor: Any, parse: Callable[[bytes], tuple[Any, ...]]) -> None:
        self._cursor = cursor
        self._parse = parse
        self._rows: list[tuple[Any, ...]] = []
        self._next = 0
        self._newest_low = 0  # lowest number in what was read last
        self._asked = 0
        self.taken = 0

    async def read_ahead(self, n: int) -> None:
        """Have all rows up to log number `n` at hand."""
        while self._newest_low <= n:
            records = await self._cursor.fetch(2 * READ_ROWS)
            parse = self._parse
            fresh = [parse(record[0]) for record in records]
            self._newest_low = min((row[0] for row in fresh), default=_END[0])
            if self._newest_low <= self._asked or len(self._rows) > _WAITING_MAX:
                raise _TooLate
            if not fresh:
                fresh = [_END]
            self._rows = sorted(self._rows[self._next :] + fresh, key=_NUMBER)
            self._next = 0
        self._asked = n

    def take(self, n: int) -> list[tuple[Any, ...]]:
        """The rows of log number `n`."""
        rows, start = self._rows, self._next
        end = start
        while rows[end][0] == n:
            end += 1
        self._next = end
        self.taken += end - start
        return rows[start:end]

    def next_number(self) -> int:
        """The log number of the next row; huge at the end."""
        number: int = self._rows[self._next][0]
        return number

    def upcoming(self, n: int) -> list[tuple[Any, ...]]:
        """The rows up to log number `n`, without taking them."""
        end = self._next
        while self._rows[end][0] <= n:
            end += 1
        return self._rows[self._next : end]


def _entry(record: bytes) -> tuple[Any, ...]:
    n, at, *rest = _ENTRY.unpack(record)
    return (n, at + PG_EPOCH_US, *rest)


class _Pass:
    """One verification under way."""

    def __init__(
        self,
        connections: list[AnyConnection],
        heads: HeadWalk,
        key: Ed25519PublicKey,
        shard: int,
        report: Report,
    ) -> None:
        self._log, self._entry_source, self._remainder_source = connections
        self._shard = shard
        self._report = report
        self._key = key
        self._replay = Replay()
        self._heads = heads
        self._retrace = Retrace(self._log, heads, shard)
        self._complaints: list[Complaint] = []
        self._replay_stopped = False
        self._end = 0

    async def run(self, progress: Progress | None, order: str) -> None:
        """Fill the report; stops after the first complaint. `order`: ends the queries for entries
        and remainders."""
        self._end = await self._log.fetchval(_NEWEST, self._shard) or 0
        await self._retrace.prepare()
        self._entries = _Stream(await self._entry_source.cursor(_ENTRIES + order), _entry)
        self._remainders = _Stream(
            await self._remainder_source.cursor(_REMAINDERS + order), _REMAINDER.unpack
        )
        stretches = read_log(self._log, self._shard, 1, self._end, self._key)
        try:
            async with aclosing(stretches):
                async for stretch in stretches:
                    await self._check(stretch)
                    if progress is not None:
                        progress(self._retrace.size, self._end)
                    if self._complaints and self._retrace.settled:
                        break
        except AuditMismatch as mismatch:
            self._complain(mismatch.n, mismatch.reason)
        if not self._complaints:
            await self._check_end()
        self._fill_report()

    async def _check(self, stretch: Stretch) -> None:
        self._complaints += await self._retrace.add(stretch)
        if self._replay_stopped:
            return
        if stretch.gap is not None:
            self._report.gaps.append(stretch.gap)
        if stretch.rows:
            until = min((complaint.high for complaint in self._complaints), default=self._end)
            await self._check_rows(stretch, until)

    async def _check_rows(self, stretch: Stretch, until: int) -> None:
        last = stretch.rows[-1][2]
        await self._entries.read_ahead(last)
        await self._remainders.read_ahead(last)
        originals = await self._originals(last)
        check, take_entries = self._replay.check, self._entries.take
        take_remainders = self._remainders.take
        for row in stretch.rows:
            n = row[2]
            if n > until:
                return
            stray = min(self._entries.next_number(), self._remainders.next_number())
            if stray < n:
                self._complain(stray, "an entry or a remainder belongs to no log row")
                return
            remainders = take_remainders(n)
            complaint = check(
                row, take_entries(n), [Remainder(*values) for values in remainders], originals
            )
            if complaint is not None:
                self._complain(n, complaint)
                return
        self._report.rows += len(stretch.rows)

    def _complain(self, n: int, reason: str) -> None:
        self._replay_stopped = True
        # Before those of the tree, which only know that a row has changed.
        self._complaints.insert(0, Complaint(n, n, reason))

    async def _originals(self, last: int) -> Originals:
        wanted = {(row[1], row[2]) for row in self._remainders.upcoming(last)}
        if not wanted:
            return {}
        rows = await self._log.fetch(
            _ORIGINALS, [id.hex() for id, _ in wanted], [leg for _, leg in wanted]
        )
        return {(row[0], row[1]): OriginalRow(*row[2:]) for row in rows}

    async def _check_end(self) -> None:
        self._complaints += await self._heads.complaints_at_end(self._end)
        await self._entries.read_ahead(self._end)
        await self._remainders.read_ahead(self._end)
        stray = min(self._entries.next_number(), self._remainders.next_number())
        if stray != _END[0]:
            self._complain(stray, "an entry or a remainder belongs to no log row")
        if complaint := self._replay.complaint_at_end():
            self._complain(self._end, complaint)
        totals = self._replay.totals()
        if not self._complaints and any(totals.values()):
            self._complain(self._end, f"the accounts of a currency do not sum to zero: {totals}")

    def _fill_report(self) -> None:
        report = self._report
        report.entries = self._entries.taken
        report.accounts = self._replay.accounts
        report.heads = self._heads.checked
        report.newest_head = self._heads.newest
        report.totals = self._replay.totals()
        if self._complaints:
            first = min(self._complaints, key=lambda complaint: complaint.high)
            report.failure = Failure(first.low, first.reason)
