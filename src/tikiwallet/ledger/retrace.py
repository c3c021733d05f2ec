"""Builds the audit log's tree again, from leaf hashes, and compares it with what is stored and what
was signed: marks, nodes, heads in the database, heads outside of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tikiwallet.database.pool import AnyConnection
from tikiwallet.ledger import merkle
from tikiwallet.ledger.heads import NO_HEAD, Discontinuity, Head, HeadFile, signature_fits
from tikiwallet.ledger.leaves import Stretch
from tikiwallet.ledger.tree import (
    CHUNK,
    CHUNK_LEVEL,
    HEAD_COLUMNS,
    MARK,
    Node,
    add_chunk,
    head_from,
    nodes_at,
)

_PAGE = 1_000
_HEADS = f"""
    SELECT {HEAD_COLUMNS} FROM audit.head WHERE shard = $1 AND number > $2
    ORDER BY number LIMIT {_PAGE}
"""  # noqa: S608 - only constants
_STORED = "SELECT coalesce(max(index) + 1, 0) FROM audit.node WHERE shard = $1 AND level = $2"


class Complaint(NamedTuple):
    """Something wrong with a row between the log numbers `low` and `high`."""

    low: int
    high: int
    reason: str


class HeadWalk:
    """All heads in order, each compared with the one before it and with its twin outside."""

    def __init__(
        self,
        connection: AnyConnection,
        file: HeadFile,
        outside: Head | None,
        shard: int,
        key: Ed25519PublicKey,
    ) -> None:
        """`outside`: the newest head of `file` that counts; later ones are not looked at."""
        self._connection = connection
        self._file = iter(file)
        self._outside = outside
        self._shard = shard
        self._key = key
        self._waiting: list[Head] = []
        self._read = 0
        self._only_inside = 0
        self.newest: Head | None = None
        self.checked = 0

    async def up_to(self, n: int) -> list[Head]:
        """Take the heads of at most `n` rows that were not taken yet."""
        while not (self._waiting and self._waiting[-1].size > n):
            rows = await self._connection.fetch(_HEADS, self._shard, self._read)
            self._waiting += [head_from(row)[0] for row in rows]
            if rows:
                self._read = self._waiting[-1].number
            if len(rows) < _PAGE:
                break
        taken = [head for head in self._waiting if head.size <= n]
        self._waiting = self._waiting[len(taken) :]
        return taken

    def complaint(self, head: Head) -> str | None:
        """What is wrong with the next head itself, its root aside."""
        before, self.newest = self.newest, head
        self.checked += 1
        number, previous, size, at = (
            (0, NO_HEAD, 0, 0)
            if before is None
            else (before.number, before.hash(), before.size, before.at)
        )
        if head.number != number + 1:
            return f"head {number + 1} is missing"
        if not signature_fits(self._key, head):
            return f"the signature of head {head.number} does not fit"
        if head.previous != previous or head.size <= size or head.at < at:
            return f"head {head.number} does not follow head {number}"
        twin = self._next_outside()
        if twin is None:
            # A sealer stopped between its commit and the file leaves one head like this.
            self._only_inside += 1
            if self._only_inside > 1:
                return f"head {head.number - 1} is not kept outside the database"
        elif twin != head:
            return f"head {head.number} differs from the one kept outside the database"
        return None

    def _next_outside(self) -> Head | None:
        if self._outside is None:
            return None
        twin = next(self._file, None)
        return twin if twin is not None and twin.number <= self._outside.number else None

    async def complaints_at_end(self, end: int) -> list[Complaint]:
        """What is wrong with heads beyond the log's last row `end`, in the database and outside."""
        beyond = await self.up_to(2**62)
        known = beyond[-1] if beyond else self.newest
        missing = [head for head in (*beyond[-1:], self._outside) if head and head.size > end]
        if missing:
            return [
                Complaint(
                    end + 1,
                    end + 1,
                    f"the row is missing: head {missing[0].number} covers {missing[0].size} rows",
                )
            ]
        if self._outside is not None and (known is None or known.number < self._outside.number):
            first = next(self._file, self._outside)
            return [
                Complaint(
                    first.size,
                    first.size,
                    f"head {first.number} is kept outside the database but not in it: the "
                    "database's heads were rolled back",
                )
            ]
        return []


class Retrace:
    """The tree, growing with the stretches of the log that are added."""

    def __init__(self, connection: AnyConnection, heads: HeadWalk, shard: int) -> None:
        self._connection = connection
        self._heads = heads
        self._shard = shard
        self._frontier = merkle.Frontier()
        self._pending: list[bytes] = []
        self._sound = 0  # rows that a node or a head has vouched for
        self._stored = 0  # leaves that stored nodes must cover

    async def prepare(self) -> None:
        """Ask how far the tree is stored; to be called once, before `add`."""
        chunks = await self._connection.fetchval(_STORED, self._shard, CHUNK_LEVEL)
        self._stored = (chunks or 0) << CHUNK_LEVEL

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._frontier.size + len(self._pending)

    @property
    def settled(self) -> bool:
        """True when marks, where there are any, have been compared for every leaf so far."""
        return not self._pending or self.size > self._stored

    async def add(self, stretch: Stretch) -> list[Complaint]:
        """Grow by a stretch of the log; what is wrong in it, in no order."""
        last = self.size + len(stretch.hashes)
        heads = await self._heads.up_to(last)
        complaints: list[Complaint] = []
        nodes: list[Node] = []
        position = 0
        for size in (*(head.size for head in heads), last):
            end = position + max(size - self.size, 0)
            nodes += self._grow(stretch.hashes[position:end])
            position = end
            if heads and heads[0].size <= size:
                complaints += self._check_head(heads.pop(0), stretch.gap)
        complaints += await self._compare(nodes)
        if stretch.gap is not None and not stretch.rows:
            complaints += self._check_gap(stretch.gap)
        return complaints

    def _grow(self, leaves: list[bytes]) -> list[Node]:
        self._pending += leaves
        nodes = []
        whole = len(self._pending) - len(self._pending) % CHUNK
        for start in range(0, whole, CHUNK):
            nodes += add_chunk(self._frontier, self._pending[start : start + CHUNK])
        del self._pending[:whole]
        return nodes

    def _check_head(self, head: Head, gap: Discontinuity | None) -> list[Complaint]:
        complaint = self._heads.complaint(head)
        if complaint is not None:
            return [Complaint(head.size, head.size, complaint)]
        if gap is not None and gap.kept < head.size <= gap.head_size:
            return []  # its rows were lost, as a signed statement says
        tree = self._frontier.copy()
        for leaf in self._pending:
            tree.append(leaf)
        if tree.root() == head.root:
            self._sound = head.size
            return []
        low = min(self._sound + 1, head.size)
        return [
            Complaint(
                low,
                head.size,
                f"rows {low} to {head.size} do not give the root that head {head.number} signed",
            )
        ]

    def _check_gap(self, gap: Discontinuity) -> list[Complaint]:
        newest = self._heads.newest
        known = (0, NO_HEAD) if newest is None else (newest.number, newest.hash())
        if known == (gap.head_number, gap.head_hash):
            return []
        return [
            Complaint(
                gap.kept + 1,
                gap.kept + 1,
                f"the rows from here to {gap.n - 1} were lost, but head {gap.head_number}, the "
                "last before, is not in the database",
            )
        ]

    async def _compare(self, nodes: Sequence[Node]) -> list[Complaint]:
        """Compare nodes that became complete with those stored."""
        expected = [node for node in nodes if (node.place + 1) << node.level <= self._stored]
        stored = await nodes_at(
            self._connection, self._shard, [(node.level, node.place) for node in expected]
        )
        complaints = []
        for node in expected:
            first, last = (node.place << node.level) + 1, (node.place + 1) << node.level
            found = stored.get((node.level, node.place))
            if found == node:
                if node.level == CHUNK_LEVEL:
                    self._sound = max(self._sound, last)
            elif found is None:
                reason = f"the stored hash of rows {first} to {last} is missing"
                complaints.append(Complaint(first, last, reason))
            else:
                complaints.append(_name_row(node, found, first, last))
        return complaints


def _name_row(node: Node, found: Node, first: int, last: int) -> Complaint:
    if node.marks is not None and found.marks is not None:
        for offset in range(0, len(node.marks), MARK):
            if node.marks[offset : offset + MARK] != found.marks[offset : offset + MARK]:
                n = first + offset // MARK
                return Complaint(n, n, "the row is not the one that was sealed")
    return Complaint(first, last, f"rows {first} to {last} do not give the hash that is stored")
