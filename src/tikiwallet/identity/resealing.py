"""After a rotation: what the old keys sealed in rows that may change is sealed with the newest.

Rows of the append-only log stay as they are, which is why no key file is ever removed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from tikiwallet.database.pool import Database
from tikiwallet.identity.sealing import SealedColumn, Sealing

_ROWS: Final = 500  # per database transaction: some milliseconds of locks
Progress = Callable[[int, int], None]


async def reseal(
    database: Database,
    sealing: Sealing,
    columns: Sequence[SealedColumn],
    progress: Progress = lambda _done, _total: None,
) -> int:
    """Seal every value of `columns` that an older key sealed with the newest; how many there were.

    May run while the wallet works, be broken off and be repeated. `progress` is told values looked
    at and their number. Raises `SealBroken` at a value that does not open.
    """
    counts = [await database.fetchval(_count(column)) for column in columns]
    total, done, changed = sum(counts), 0, 0
    progress(0, total)
    for column in columns:
        after: list[Any] = []
        while rows := await database.fetch(_page(column, bool(after)), *after):
            changed += await _reseal_rows(database, sealing, column, rows)
            done += len(rows)
            progress(min(done, total), total)
            after = [rows[-1]["key"]]
    progress(total, total)
    return changed


async def _reseal_rows(
    database: Database, sealing: Sealing, column: SealedColumn, rows: Sequence[Any]
) -> int:
    anew = []
    for row in rows:
        if not sealing.is_current(row["value"]):
            context = column.context(row["key"])
            plain = sealing.open(row["value"], context)
            anew.append((row["key"], row["value"], sealing.seal(plain, context)))
    if anew:
        async with database.transaction() as connection:
            # What was written meanwhile was sealed with the newest key already, and stays.
            await connection.executemany(_update(column), anew)
    return len(anew)


def _count(column: SealedColumn) -> str:
    return f"SELECT count({column.column}) FROM {column.table}"  # noqa: S608 - names of ours


def _page(column: SealedColumn, further: bool) -> str:
    bound = f"AND {column.key} > $1" if further else ""
    return f"""
        SELECT {column.key} AS key, {column.column} AS value FROM {column.table}
        WHERE {column.column} IS NOT NULL {bound} ORDER BY {column.key} LIMIT {_ROWS}
    """  # noqa: S608 - names of ours


def _update(column: SealedColumn) -> str:
    return f"""
        UPDATE {column.table} SET {column.column} = $3
        WHERE {column.key} = $1 AND {column.column} = $2
    """  # noqa: S608 - names of ours
