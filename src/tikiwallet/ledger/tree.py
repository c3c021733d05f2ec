"""The stored part of the audit log's tree: hashes of complete subtrees, and heads, in the database.

Below subtrees of 256 leaves nothing is stored; their hashes follow from the log itself. Per leaf,
four bytes of its hash are kept as a mark, so that a changed row can be named, not only noticed.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import asyncpg

from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.ledger import merkle
from tikiwallet.ledger.heads import Head

CHUNK_LEVEL = 8
CHUNK = 1 << CHUNK_LEVEL
MARK = 4  # bytes of each leaf hash that are kept

HEAD_COLUMNS = "shard, number, size, root, at, epoch, previous, key_id, signature, lost"
_LAST_HEAD = f"""
    SELECT {HEAD_COLUMNS} FROM audit.head WHERE shard = $1 ORDER BY number DESC LIMIT 1
"""  # noqa: S608 - only constants
_NODES = """
    SELECT node.level, node.index, node.hash, node.marks
    FROM unnest($2::smallint[], $3::bigint[]) AS wanted(level, index)
    JOIN audit.node AS node
      ON node.shard = $1 AND node.level = wanted.level AND node.index = wanted.index
"""


class Node(NamedTuple):
    """The hash of a complete subtree; `marks` where it has 256 leaves."""

    level: int
    place: int  # from the left, from 0
    hash: bytes
    marks: bytes | None


def marks_of(leaves: Iterable[bytes]) -> bytes:
    """The first bytes of each leaf hash, side by side."""
    return b"".join([leaf[:MARK] for leaf in leaves])


def add_chunk(frontier: merkle.Frontier, leaves: Sequence[bytes]) -> list[Node]:
    """Add 256 leaf hashes; the nodes to store that became complete."""
    hashes = leaves
    for _ in range(CHUNK_LEVEL):
        hashes = merkle.parents(hashes)
    done = frontier.append(hashes[0], CHUNK_LEVEL)
    return [
        Node(level, index, hash, marks_of(leaves) if level == CHUNK_LEVEL else None)
        for level, index, hash in done
    ]


def head_from(row: asyncpg.Record) -> tuple[Head, bool]:
    """The head in a row of HEAD_COLUMNS, and whether the rows it covered were lost."""
    *values, lost = row
    return Head(*values), lost


async def last_head(connection: AnyConnection | Database, shard: int) -> tuple[Head, bool] | None:
    """The newest head in the database, and whether its rows were lost."""
    row = await connection.fetchrow(_LAST_HEAD, shard)
    return None if row is None else head_from(row)


async def nodes_at(
    connection: AnyConnection | Database, shard: int, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Node]:
    """The stored nodes at these places (level, index); those that are not there are left out."""
    if not places:
        return {}
    levels = [level for level, _ in places]
    indexes = [index for _, index in places]
    rows = await connection.fetch(_NODES, shard, levels, indexes)
    return {(row[0], row[1]): Node(*row) for row in rows}
