"""After a backup was restored: let the log go on, and say so, signed, in the log itself.

A restored log ends below what its heads have published. The writer refuses to lead such a log. This
adds one row, above every number that anyone can have been told of, which states the gap.
"""

from pathlib import Path

from tikiwallet import clock
from tikiwallet.database.pool import Database, connect
from tikiwallet.ledger.audit import adopt_lost_heads, write_discontinuity
from tikiwallet.ledger.heads import Discontinuity, HeadFile, sign_discontinuity
from tikiwallet.ledger.term import LEDGER_ROLE, LOCK_CLASS

_EPOCH_MARGIN = 1_000_000


class WriterRuns(Exception):
    """A writer leads this ledger; restoring is for a ledger that nobody writes."""


async def restore(
    dsn: str, database: Database, keys_dir: Path, *, above: int | None = None, shard: int = 0
) -> Discontinuity:
    """Write the signed discontinuity and take lost heads back. `dsn` is the ledger role's; `above`
    is the highest log number that anyone was told of, if that is known to lie above the last head.

    Raises WriterRuns, ValueError when nothing is missing, AuditMismatch when heads do not fit.
    """
    connection = await connect(dsn, LEDGER_ROLE)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, shard):
            raise WriterRuns("a writer is running: stop it first")
        last = await connection.fetchrow(
            "SELECT n, at FROM ledger.log WHERE shard = $1 ORDER BY n DESC LIMIT 1", shard
        )
        kept, last_at = (0, 0) if last is None else (last["n"], clock.to_us(last["at"]))
        at = max(clock.now_us(), last_at)
        gap = sign_discontinuity(keys_dir, kept, at, above=above, shard=shard)
        await write_discontinuity(connection, gap)
        # The backup's lease would give epochs out again that the lost part has used.
        await connection.execute(
            "UPDATE ledger.lease SET epoch = greatest(epoch, $2) + $3, holder = '', backend = 0"
            " WHERE shard = $1",
            shard,
            _epoch_of_last_head(keys_dir, shard),
            _EPOCH_MARGIN,
        )
        await adopt_lost_heads(database, keys_dir, shard)
        return gap
    finally:
        await connection.close()


def _epoch_of_last_head(keys_dir: Path, shard: int) -> int:
    last = HeadFile(keys_dir, shard).last()
    return 0 if last is None else last.epoch
