"""The audit log: a Merkle tree over the ledger's log, sealed by signed heads.

Row n of the log is leaf n - 1. Sealing stores the hashes of complete subtrees of 256 leaves and of
everything above them, signs the root, and keeps the signed head in the database and outside of it.
`verify` and `prove` stand in modules of their own and are offered here too.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database, transaction
from tikiwallet.ledger import merkle
from tikiwallet.ledger.heads import (
    NO_HEAD,
    AuditMismatch,
    Discontinuity,
    Head,
    HeadFile,
    key_id,
    load_key,
    read_discontinuity,
    sign_discontinuity,
    sign_head,
    signature_fits,
)
from tikiwallet.ledger.leaves import READ_ROWS, READ_ROWS_BESIDE, read_log
from tikiwallet.ledger.proofs import (
    NotYetSealed,
    ProofError,
    check_consistency,
    check_proof,
    prove,
    prove_consistency,
)
from tikiwallet.ledger.transactions import Kind, LegType
from tikiwallet.ledger.tree import (
    CHUNK,
    CHUNK_LEVEL,
    HEAD_COLUMNS,
    Node,
    add_chunk,
    head_from,
    last_head,
    nodes_at,
)
from tikiwallet.ledger.verify import Report, verify

__all__ = [
    "AuditMismatch",
    "Head",
    "NotYetSealed",
    "ProofError",
    "Report",
    "Sealer",
    "adopt_lost_heads",
    "check_consistency",
    "check_log_against_head",
    "check_proof",
    "prove",
    "prove_consistency",
    "sign_discontinuity",
    "verify",
    "write_discontinuity",
]

SLICE: Final = 1 << 16  # rows per head when there is much to catch up
_CHUNKS = """
    SELECT coalesce(max(index) + 1, 0) FROM audit.node WHERE shard = $1 AND level = $2
"""
_NEWEST_ROW = """
    SELECT n FROM ledger.log WHERE shard = $1 AND n <= $2 ORDER BY n DESC LIMIT 1
"""
_NEXT_ROW = "SELECT n FROM ledger.log WHERE shard = $1 AND n > $2 ORDER BY n LIMIT 1"
_HEAD_BY_NUMBER = f"SELECT {HEAD_COLUMNS} FROM audit.head WHERE shard = $1 AND number = $2"  # noqa: S608
_ADD_HEAD = f"""
    INSERT INTO audit.head ({HEAD_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""  # noqa: S608 - only constants
_ADD_DISCONTINUITY = """
    INSERT INTO ledger.journal (stream, n, at, amount, transaction_id, digest, reference, shard,
                                leg, legs, type, kind, result)
    VALUES (1, $1, to_timestamp($2::bigint / 1000000)
                   + $2::bigint % 1000000 * interval '1 microsecond',
            0, $3::text::uuid, $4, $5, $6, 0, 1, $7, $8, 0)
"""


class Sealer:
    """Brings the tree up to the log and signs heads. One is enough; a second does no harm."""

    def __init__(
        self, database: Database, keys_dir: Path, shard: int = 0, rest: float = 0.0
    ) -> None:
        """`keys_dir` holds the key, made at first use, and the heads kept outside the database.
        `rest`: how many times as long as it works it leaves the thread to others, for a process in
        which people pay."""
        self._database = database
        self._rest = rest
        self._shard = shard
        self._key = load_key(keys_dir)
        self._public = self._key.public_key()
        self._file = HeadFile(keys_dir, shard)

    async def seal(self, stable_n: int) -> Head | None:
        """Seal all rows up to `stable_n`; the newest head, or None when nothing is new.

        Raises AuditMismatch when what was sealed before is not what the log or the heads say now;
        nothing is signed then.
        """
        newest = None
        while head := await self._seal_slice(stable_n):
            newest = head
        return newest

    async def _seal_slice(self, stable_n: int) -> Head | None:
        await self._bring_file_up()
        try:
            async with self._database.transaction() as connection:
                found = await last_head(connection, self._shard)
                before = None if found is None else found[0]
                end = await self._end_of_slice(connection, before, stable_n)
                if end is None:
                    return None
                check = None if found is None or found[1] else before
                head = await self._extend(connection, before, check, end)
                await connection.execute(_ADD_HEAD, *_values(head), False)
        except asyncpg.UniqueViolationError:
            return None  # another sealer was faster; its head says the same
        self._file.append(head)
        return head

    async def _bring_file_up(self) -> None:
        """A sealer that was stopped after its commit leaves the file one head behind. In a cluster
        that commit may be on one machine only; one after it proves that it is on the standby."""
        async with self._database.transaction() as connection:
            found = await last_head(connection, self._shard)
            before = None if found is None else found[0]
            last = self._file.last()
            if last == before:
                return
            if before is None or (last is not None and last.number >= before.number):
                assert last is not None
                raise AuditMismatch(last.size, _ROLLED_BACK.format(last.number))
            if not signature_fits(self._public, before):
                raise AuditMismatch(before.size, f"head {before.number} has no valid signature")
            await connection.execute("SELECT pg_logical_emit_message(true, 'tikiwallet', 'proof')")
        self._file.append(before)

    async def _end_of_slice(
        self, connection: AnyConnection, before: Head | None, stable_n: int
    ) -> int | None:
        sealed = 0 if before is None else before.size
        if stable_n <= sealed:
            return None
        end: int | None = await connection.fetchval(
            _NEWEST_ROW, self._shard, min(stable_n, sealed + SLICE)
        )
        if end is None or end <= sealed:
            # The whole slice lies between the last row kept in a restore and the one after.
            end = await connection.fetchval(_NEXT_ROW, self._shard, sealed)
        return end if end is not None and sealed < end <= stable_n else None

    async def _extend(
        self, connection: AnyConnection, before: Head | None, check: Head | None, end: int
    ) -> Head:
        """Store the nodes up to row `end` and sign the root there; on the way there the root at the
        head `check` must come out again."""
        frontier = await _stored(connection, self._shard)
        epoch = 0 if before is None else before.epoch
        nodes: list[Node] = []
        pending: list[bytes] = []
        read_rows = READ_ROWS_BESIDE if self._rest else READ_ROWS
        began = time.monotonic()
        async for stretch in read_log(
            connection, self._shard, frontier.size + 1, end, self._public, read_rows
        ):
            epoch = max(epoch, max((row[17] for row in stretch.rows), default=0))
            pending += stretch.hashes
            if check is not None and frontier.size + len(pending) >= check.size:
                _check_root(frontier, pending, check)
                check = None
            whole = len(pending) - len(pending) % CHUNK
            for start in range(0, whole, CHUNK):
                nodes += add_chunk(frontier, pending[start : start + CHUNK])
            del pending[:whole]
            if self._rest:
                await asyncio.sleep((time.monotonic() - began) * self._rest)
                began = time.monotonic()
        await connection.copy_records_to_table(
            "node",
            schema_name="audit",
            columns=("shard", "level", "index", "hash", "marks"),
            records=[(self._shard, *node) for node in nodes],
        )
        for leaf in pending:
            frontier.append(leaf)
        return sign_head(
            self._key,
            Head(
                shard=self._shard,
                number=1 if before is None else before.number + 1,
                size=end,
                root=frontier.root(),
                at=max(clock.now_us(), 0 if before is None else before.at),
                epoch=epoch,
                previous=NO_HEAD if before is None else before.hash(),
                key_id=key_id(self._public),
            ),
        )


_ROLLED_BACK = "head {} is kept outside the database but not in it: the database was rolled back"


def _values(head: Head) -> tuple[int | bytes, ...]:
    return (
        head.shard, head.number, head.size, head.root, head.at, head.epoch, head.previous,
        head.key_id, head.signature,
    )  # fmt: skip


def _check_root(frontier: merkle.Frontier, leaves: list[bytes], head: Head) -> None:
    tree = frontier.copy()
    for leaf in leaves[: head.size - tree.size]:
        tree.append(leaf)
    if tree.size != head.size or tree.root() != head.root:
        first = min(frontier.size, head.size - 1) + 1
        raise AuditMismatch(
            first,
            f"rows {first} to {head.size} or nodes before them are not what head "
            f"{head.number} sealed",
        )


async def _stored(
    connection: AnyConnection, shard: int, chunks: int | None = None
) -> merkle.Frontier:
    """The tree as far as nodes are stored (or `chunks` of 256 leaves of it)."""
    if chunks is None:
        chunks = await connection.fetchval(_CHUNKS, shard, CHUNK_LEVEL)
        assert chunks is not None
    size = chunks << CHUNK_LEVEL
    places = merkle.subtrees(0, size)
    nodes = await nodes_at(connection, shard, places)
    for level, index in places:
        if (level, index) not in nodes:
            raise AuditMismatch(
                (index << level) + 1, f"the stored hash at level {level}, index {index} is missing"
            )
    return merkle.Frontier(size, [nodes[place].hash for place in places])


# -- what the writer asks at its start


async def check_log_against_head(connection: AnyConnection, keys_dir: Path, shard: int = 0) -> None:
    """Does the log still hold what the last head kept outside the database says? O(log n).

    Checks the head's signature, its twin in the database, and that the stored nodes with the last
    complete and incomplete 256 rows, read again, give its root. Raises AuditMismatch. After a
    restore, a signed discontinuity right above the last row that was kept settles it too.
    """
    public = load_key(keys_dir).public_key()
    last = HeadFile(keys_dir, shard).last()
    found = await last_head(connection, shard)
    if last is None:
        if found is not None and found[0].number > 1:
            raise AuditMismatch(1, "the heads kept outside the database are gone")
        return
    if not signature_fits(public, last):
        raise AuditMismatch(last.size, "the last head kept outside has no valid signature")
    newest = await connection.fetchval(_NEWEST_ROW, shard, 2**62)
    if newest is None or newest < last.size:
        raise AuditMismatch(
            (newest or 0) + 1,
            f"the log ends with row {newest or 0}, but head {last.number} covers {last.size} rows",
        )
    gap = await _gap_above(connection, shard, last, public)
    if gap is not None and gap.kept < last.size:
        return
    twin = await connection.fetchrow(_HEAD_BY_NUMBER, shard, last.number)
    if twin is None:
        raise AuditMismatch(last.size, _ROLLED_BACK.format(last.number))
    if head_from(twin)[0] != last:
        raise AuditMismatch(
            last.size, f"head {last.number} in the database differs from the one kept outside"
        )
    if found is not None and found[0].number > last.number + 1:
        raise AuditMismatch(
            last.size, f"the heads after {last.number} are not kept outside the database"
        )
    await _check_end_of_tree(connection, shard, last, public)


async def _gap_above(
    connection: AnyConnection, shard: int, head: Head, public: Ed25519PublicKey
) -> Discontinuity | None:
    """The signed discontinuity, next row after `head`, that says that rows of `head` were lost."""
    row = await connection.fetchrow(
        "SELECT n, type, reference FROM ledger.log WHERE shard = $1 AND n > $2 ORDER BY n LIMIT 1",
        shard,
        head.size,
    )
    if row is None or row[1] != LegType.DISCONTINUITY:
        return None
    gap = read_discontinuity(row[2], public)
    if gap is None or (gap.shard, gap.n, gap.head_hash) != (shard, row[0], head.hash()):
        return None
    below = await connection.fetchval(_NEWEST_ROW, shard, row[0] - 1)
    return gap if gap.kept == (below or 0) else None


async def _check_end_of_tree(
    connection: AnyConnection, shard: int, head: Head, public: Ed25519PublicKey
) -> None:
    chunks = head.size // CHUNK
    frontier = await _stored(connection, shard, chunks)
    first = max(chunks - 1, 0) * CHUNK + 1
    leaves: list[bytes] = []
    async with transaction(connection):
        async for stretch in read_log(connection, shard, first, head.size, public):
            leaves += stretch.hashes
    if chunks:
        place = (CHUNK_LEVEL, chunks - 1)
        stored = await nodes_at(connection, shard, [place])
        if merkle.root(leaves[:CHUNK]) != stored[place].hash:
            raise AuditMismatch(first, f"rows {first} to {first + CHUNK - 1} were changed")
        del leaves[:CHUNK]
    _check_root(frontier, leaves, head)


# -- after a restore


async def write_discontinuity(connection: AnyConnection, gap: Discontinuity) -> None:
    """Add the row that brings the statement `gap`, as the ledger's role, with no writer running."""
    await connection.execute(
        _ADD_DISCONTINUITY,
        gap.n,
        gap.at,
        gap.transaction_id.hex(),
        gap.digest,
        gap.reference,
        gap.shard,
        int(LegType.DISCONTINUITY),
        int(Kind.DISCONTINUITY),
    )


async def adopt_lost_heads(database: Database, keys_dir: Path, shard: int = 0) -> int:
    """Take heads that only the file outside still has back into the database, after the
    discontinuity was written; how many. Raises AuditMismatch when nothing signed explains them."""
    public = load_key(keys_dir).public_key()
    file = HeadFile(keys_dir, shard)
    last = file.last()
    if last is None:
        return 0
    async with database.transaction() as connection:
        found = await last_head(connection, shard)
        before = None if found is None else found[0]
        gap = await _gap_above(connection, shard, last, public)
        if gap is None:
            raise AuditMismatch(last.size, _ROLLED_BACK.format(last.number))
        adopted = 0
        for head in file:
            if before is not None and head.number <= before.number:
                continue
            follows = (1, NO_HEAD) if before is None else (before.number + 1, before.hash())
            if (head.number, head.previous) != follows or not signature_fits(public, head):
                raise AuditMismatch(
                    head.size, f"head {head.number} is not signed or does not follow"
                )
            await connection.execute(_ADD_HEAD, *_values(head), head.size > gap.kept)
            before = head
            adopted += 1
    return adopted
