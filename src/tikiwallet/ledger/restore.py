"""After a backup was restored: let the log go on, and say so, signed, in the log itself.

A restored log ends below what its heads have published. The writer refuses to lead such a log. This
adds one row, above every number that anyone can have been told of, which states the gap. How far
that is, the writer had noted outside the database (`reserve`).
"""

from pathlib import Path

from tikiwallet import clock
from tikiwallet.database.cluster import LEDGER
from tikiwallet.database.pool import Database, connect
from tikiwallet.ledger.audit import adopt_lost_heads, write_discontinuity
from tikiwallet.ledger.heads import Discontinuity, HeadFile, sign_discontinuity
from tikiwallet.ledger.reserve import Reserve
from tikiwallet.ledger.term import LOCK_CLASS

_EPOCH_MARGIN = 1_000_000


class WriterRuns(Exception):
    """A writer leads this ledger; restoring is for a ledger that nobody writes."""


async def restore(
    dsn: str, database: Database, keys_dir: Path, *, above: int | None = None, shard: int = 0
) -> Discontinuity:
    """Write the signed discontinuity and take lost heads back. `dsn` is the ledger role's; `above`
    is a log number as high as any that was told, if none was noted or it is known to be higher.

    Raises WriterRuns, AuditMismatch when heads do not fit, and ValueError when nothing is missing
    as far as is known, or when it is not known how far the log went.
    """
    connection = await connect(dsn, LEDGER)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, shard):
            raise WriterRuns("a writer is running: stop it first")
        last = await connection.fetchrow(
            "SELECT n, at FROM ledger.log WHERE shard = $1 ORDER BY n DESC LIMIT 1", shard
        )
        kept, last_at = (0, 0) if last is None else (last["n"], clock.to_us(last["at"]))
        at = max(clock.now_us(), last_at)
        above = _reached(keys_dir, kept, above, shard)
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


def _reached(keys_dir: Path, kept: int, above: int | None, shard: int) -> int:
    """A number that no lost row lies above."""
    noted = Reserve(keys_dir, shard).read()
    if above is None:
        last = HeadFile(keys_dir, shard).last()
        if last is None or kept >= last.size:
            raise ValueError(
                "no row below the last head is missing. If rows after it were lost, say with"
                " --above how far the log had come; a number too high does no harm"
            )
        if noted is None:
            raise ValueError(
                f"{Reserve(keys_dir, shard).path} is missing, so nobody knows how far the log had"
                f" come beyond the last head, which covers {last.size} rows: say it with --above;"
                " a number too high does no harm, one too low gives numbers out again"
            )
    return max(above or 0, noted or 0)


def _epoch_of_last_head(keys_dir: Path, shard: int) -> int:
    last = HeadFile(keys_dir, shard).last()
    return 0 if last is None else last.epoch
