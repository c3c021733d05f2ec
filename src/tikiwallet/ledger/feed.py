"""The log in order, with a cursor per consumer: notices, webhooks and analytics follow it.

Delivery is at least once: a consumer records the effects of a batch and the cursor in one database
transaction, and does nothing outside before that has committed. The cursor holds the leaf hash of
the row it stands on, and every reading begins with that row: so a database that was restored, or
whose log is another one after a takeover, is noticed at the next reading.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Unavailable
from tikiwallet.ledger.leaves import FACTS_COLUMN, OPTIONAL, Row, leaf_hash, row_from
from tikiwallet.ledger.transactions import LegType

BATCH_ROWS = 1_000
FIRST_WAIT = 0.05  # seconds
LONGEST_WAIT = 1.0

StableN: TypeAlias = Callable[[], Awaitable[int]]

_OPEN = """
    INSERT INTO feed.cursor (name, shard, n, epoch, anchor) VALUES ($1, $2, $3, 0, '')
    ON CONFLICT DO NOTHING
"""
_LOAD = "SELECT n, epoch, anchor FROM feed.cursor WHERE name = $1 AND shard = $2"
_COMMIT = """
    UPDATE feed.cursor SET n = $4, epoch = $5, anchor = $6
    WHERE name = $1 AND shard = $2 AND n = $3
"""
_ROWS = f"""
    SELECT {FACTS_COLUMN}, l.reference FROM ledger.log AS l
    WHERE l.shard = $1 AND l.n >= $2 AND l.n <= $3 ORDER BY l.n LIMIT $4
"""  # noqa: S608 - only constants


class FeedMoved(Exception):
    """The cursor is not where this consumer left it: another consumer of that name runs, or the
    database was restored. Begin reading again."""


class FeedBroken(Exception):
    """The log does not go on where the cursor stands; `audit verify` says what happened."""


class LogRow(msgspec.Struct, frozen=True):
    """One log row. Times are microseconds since 1970; what a row does not have is None."""

    shard: int
    n: int
    at: int
    transaction_id: bytes
    leg: int
    legs: int | None
    type: int
    kind: int
    result: int
    digest: bytes | None
    debit: int | None
    credit: int | None
    amount: int
    currency: int | None
    cause: bytes | None
    expires_at: int | None
    epoch: int | None
    reference: str | None


class Batch(msgspec.Struct, frozen=True):
    """Rows in order of their log numbers, without gaps but those a discontinuity row explains.

    `fresh`: this is not the continuation of what the consumer saw last; it drops what it remembers
    outside the database. `before` is where the cursor stood, `n` and `epoch` where it will stand.
    """

    rows: tuple[LogRow, ...]
    before: int
    n: int
    epoch: int
    anchor: bytes
    fresh: bool


class _Place(NamedTuple):
    n: int
    epoch: int
    anchor: bytes


class Feed:
    """One consumer's view of the log."""

    def __init__(self, database: Database, name: str, shard: int = 0) -> None:
        """`name` is the consumer's, for ever: its cursor is kept under it."""
        self._database = database
        self._name = name
        self._shard = shard
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look for new rows at once, instead of when the present wait is over."""
        self._news.set()

    async def read(self, stable_n: StableN, start: int = 0) -> AsyncIterator[Batch]:
        """Batches, for ever, of rows up to what `stable_n` gives (see `Ledger.stable_n`).

        A consumer without a cursor begins after row `start`. Each batch must be committed before
        the next is asked for. Raises FeedBroken when the log does not hold the cursor's row.
        """
        await self._database.execute(_OPEN, self._name, self._shard, start)
        place = await self._load()
        fresh = True
        highest = 0
        wait = FIRST_WAIT
        while True:
            stable = await _ask(stable_n)
            if stable is not None and stable < highest:
                # Another writer answers, which knows less: what was read ahead may not be.
                place, fresh = await self._load(), True
            if stable is not None:
                highest = stable
            if stable is None or stable <= place.n:
                await self._pause(wait)
                wait = min(2 * wait, LONGEST_WAIT)
                continue
            batch = await self._next_batch(place, stable, fresh)
            if batch is None:
                place, fresh = await self._load_again(place), True
                continue
            wait = FIRST_WAIT
            yield batch
            place, fresh = _Place(batch.n, batch.epoch, batch.anchor), False

    async def commit(self, connection: AnyConnection, batch: Batch) -> None:
        """Record, in the caller's database transaction, that `batch` has been dealt with.

        Raises FeedMoved when the cursor does not stand before the batch.
        """
        tag = await connection.execute(
            _COMMIT, self._name, self._shard, batch.before, batch.n, batch.epoch, batch.anchor
        )
        if tag != "UPDATE 1":
            raise FeedMoved(f"the cursor of {self._name} does not stand at row {batch.before}")

    async def _load(self) -> _Place:
        row = await self._database.fetchrow(_LOAD, self._name, self._shard)
        if row is None:
            raise FeedMoved(f"the cursor of {self._name} is gone")
        return _Place(*row)

    async def _load_again(self, failed: _Place) -> _Place:
        """Where the cursor stands in the database, after the row at `failed` was not found."""
        place = await self._load()
        if place == failed:
            raise FeedBroken(
                f"{self._name} stands at row {failed.n}, which the log does not hold as it was"
            )
        return place

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _next_batch(self, place: _Place, stable: int, fresh: bool) -> Batch | None:
        """The rows after `place`; None when the log has another row there, or none."""
        first = place.n if place.anchor else place.n + 1
        records = await self._database.fetch(_ROWS, self._shard, first, stable, BATCH_ROWS + 1)
        rows = [(row_from(record[0]), record[1]) for record in records]
        if place.anchor:
            if not rows or leaf_hash(rows[0][0]) != place.anchor:
                return None
            del rows[0]
        if not rows:
            return None
        expected, epoch = place.n + 1, place.epoch
        for row, _ in rows:
            n, type_ = row[2], row[7]
            if n != expected and type_ != LegType.DISCONTINUITY:
                raise FeedBroken(f"log row {expected} is missing")
            if type_ == LegType.EPOCH:
                epoch = row[17]
            expected = n + 1
        last = rows[-1][0]
        return Batch(
            rows=tuple(_log_row(row, reference) for row, reference in rows),
            before=place.n,
            n=last[2],
            epoch=epoch,
            anchor=leaf_hash(last),
            fresh=fresh,
        )


async def _ask(stable_n: StableN) -> int | None:
    try:
        return await stable_n()
    except Unavailable:
        return None  # no writer answers just now


def _log_row(row: Row, reference: str | None) -> LogRow:
    present, *values = row
    fields: dict[str, Any] = dict(zip(LogRow.__struct_fields__, (*values, reference), strict=True))
    for bit, name in enumerate(OPTIONAL):
        if not present >> bit & 1:
            fields[name] = None
    return LogRow(**fields)
