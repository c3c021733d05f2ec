"""Log rows as leaves of the audit log: which facts, in which bytes, read in the log's order.

A leaf holds what a row says for ever, without its text (personal, and covered by the digest) and
without balances, so that a proof about one side shows nothing of the other's wallet.
"""

from collections.abc import AsyncGenerator, Iterable
from hashlib import sha256
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tikiwallet.database.pool import AnyConnection
from tikiwallet.ledger import merkle
from tikiwallet.ledger.heads import AuditMismatch, Discontinuity, read_discontinuity
from tikiwallet.ledger.transactions import LegType

DOMAIN = b"tikiwallet/log-row/1\n"
LOST_LEAF = merkle.leaf_hash(b"tikiwallet/log-row-lost/1\n")
PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01, from which PostgreSQL counts
READ_ROWS = 8_192
READ_ROWS_BESIDE = 512  # by whom shares a thread with payments, which wait for some milliseconds


class Facts(NamedTuple):
    """What a leaf says of its row. Absent values are zero and their bit in `present` is unset."""

    present: int
    shard: int
    n: int
    at: int
    transaction_id: bytes
    leg: int
    legs: int
    type: int
    kind: int
    result: int
    digest: bytes
    debit: int
    credit: int
    amount: int
    currency: int
    cause: bytes
    expires_at: int
    epoch: int


Row: TypeAlias = tuple[Any, ...]  # the values of Facts, where a named tuple would cost too much

# The bits of `present`, from the lowest.
OPTIONAL = ("digest", "debit", "credit", "currency", "cause", "expires_at", "epoch", "legs")
_EXPIRES = 1 << OPTIONAL.index("expires_at")
_FORMATS = ("h", "h", "q", "q", "16s", "h", "h", "h", "h", "h", "32s", "q", "q", "q", "h", "16s",
            "q", "q")  # fmt: skip
_LEAF = Struct(">" + "".join(_FORMATS))
LEAF_LENGTH = len(DOMAIN) + _LEAF.size


def record_struct(formats: Iterable[str]) -> Struct:
    """How to read what record_send gives for columns of these `struct` formats, none absent: a
    count, then for each value its type, its length and its bytes."""
    return Struct(">4x" + "".join(f"8x{format}" for format in formats))


_PRESENT = " + ".join(
    f"(CASE WHEN l.{name} IS NULL THEN 0 ELSE {1 << bit} END)" for bit, name in enumerate(OPTIONAL)
)
# One call makes a whole row, and, with nothing absent, always of the same length.
FACTS_COLUMN = f"""record_send(ROW(
    ({_PRESENT})::smallint, l.shard, l.n, l.at, l.transaction_id, l.leg,
    coalesce(l.legs, 0::smallint), l.type, l.kind, l.result,
    coalesce(l.digest, decode(repeat('00', 32), 'hex')), coalesce(l.debit, 0),
    coalesce(l.credit, 0), l.amount, coalesce(l.currency, 0::smallint),
    coalesce(l.cause, '00000000-0000-0000-0000-000000000000'),
    coalesce(l.expires_at, 'epoch'), coalesce(l.epoch, 0)
))"""
FACTS_BY_NUMBER = f"""
    SELECT {FACTS_COLUMN} FROM ledger.log AS l
    WHERE l.shard = $1 AND l.n BETWEEN $2 AND $3 ORDER BY l.n LIMIT $4
"""  # noqa: S608 - only constants
FACTS_BY_ID = f"""
    SELECT {FACTS_COLUMN} FROM ledger.log AS l
    WHERE l.transaction_id = $1::text::uuid AND l.leg = $2
"""  # noqa: S608 - only constants
_NEXT_ROW = f"""
    SELECT {FACTS_COLUMN} FROM ledger.log AS l
    WHERE l.shard = $1 AND l.n > $2 ORDER BY l.n LIMIT 1
"""  # noqa: S608 - only constants
_REFERENCE = "SELECT reference FROM ledger.log WHERE shard = $1 AND n = $2"

_read = record_struct(_FORMATS).unpack
_write = _LEAF.pack
_HASHED_DOMAIN = b"\x00" + DOMAIN


def row_from(record: bytes) -> Row:
    """The facts in one value of FACTS_COLUMN."""
    (present, shard, n, at, id, leg, legs, type_, kind, result, digest, debit, credit, amount,
     currency, cause, expires_at, epoch) = _read(record)  # fmt: skip
    return (
        present, shard, n, at + PG_EPOCH_US, id, leg, legs, type_, kind, result, digest, debit,
        credit, amount, currency, cause, expires_at + PG_EPOCH_US if present & _EXPIRES else 0,
        epoch,
    )  # fmt: skip


def leaf_bytes(row: Row) -> bytes:
    """The leaf's data; its hash stands in the tree at index n - 1."""
    return DOMAIN + _write(*row)


def leaf_hash(row: Row) -> bytes:
    """`merkle.leaf_hash` of the leaf's data."""
    return sha256(_HASHED_DOMAIN + _write(*row)).digest()


def facts_of_leaf(data: bytes) -> Facts:
    """The facts in a leaf's data. Raises ValueError for anything else."""
    if len(data) != LEAF_LENGTH or not data.startswith(DOMAIN):
        raise ValueError("not a leaf of this log")
    return Facts(*_LEAF.unpack(data[len(DOMAIN) :]))


class Stretch(NamedTuple):
    """Leaves side by side from log number `first` on: of `rows`, or of numbers lost before the row
    that brings the statement `gap`."""

    first: int
    hashes: list[bytes]
    rows: list[Row]
    gap: Discontinuity | None = None


async def read_log(
    connection: AnyConnection,
    shard: int,
    first: int,
    last: int,
    key: Ed25519PublicKey,
    read_rows: int = READ_ROWS,
) -> AsyncGenerator[Stretch, None]:
    """The log from number `first` to `last` (a database transaction must be open), without gaps but
    those that a statement signed with `key` explains. Raises AuditMismatch at the first missing
    number, after everything before it. `first` and `last` may lie inside a gap."""
    # Page by page, not by a cursor: whatever the server thinks of a million rows, it finds a few by
    # the index at once.
    expected = first
    while records := await connection.fetch(FACTS_BY_NUMBER, shard, expected, last, read_rows):
        rows = [row_from(record[0]) for record in records]
        for part in _without_gaps(rows, expected):
            n = part[0][2]
            if part[0][7] == LegType.DISCONTINUITY or n != expected:
                gap = await _explained(connection, part[0], expected, expected == first, key)
                if n > expected:
                    yield Stretch(expected, [LOST_LEAF] * (n - expected), [], gap)
            yield Stretch(n, [leaf_hash(row) for row in part], part)
            expected = part[-1][2] + 1
    if expected <= last:
        record = await connection.fetchval(_NEXT_ROW, shard, last)
        if record is None:
            raise AuditMismatch(expected, "the row is missing")
        gap = await _explained(connection, row_from(record), expected, expected == first, key)
        yield Stretch(expected, [LOST_LEAF] * (last + 1 - expected), [], gap)


def _without_gaps(rows: list[Row], expected: int) -> list[list[Row]]:
    """`rows` cut before each discontinuity and wherever a number is missing."""
    whole = rows[0][2] == expected and rows[-1][2] - rows[0][2] == len(rows) - 1
    if whole and all(row[7] != LegType.DISCONTINUITY for row in rows):
        return [rows]
    parts: list[list[Row]] = []
    for row in rows:
        if not parts or row[2] != parts[-1][-1][2] + 1 or row[7] == LegType.DISCONTINUITY:
            parts.append([])
        parts[-1].append(row)
    return parts


async def _explained(
    connection: AnyConnection, row: Row, expected: int, inside: bool, key: Ed25519PublicKey
) -> Discontinuity:
    """The statement with which `row` explains that it follows number `expected` - 1; `inside`: or
    that this number too was lost."""
    facts = Facts(*row)
    if facts.type != LegType.DISCONTINUITY:
        raise AuditMismatch(expected, "the row is missing")
    reference = await connection.fetchval(_REFERENCE, facts.shard, facts.n)
    gap = read_discontinuity(reference, key)
    if gap is None or gap.digest != facts.digest:
        raise AuditMismatch(min(expected, facts.n), "a discontinuity without a valid signature")
    kept = min(gap.kept, expected - 1) if inside else expected - 1
    if (gap.shard, gap.kept, gap.n) != (facts.shard, kept, facts.n):
        raise AuditMismatch(
            min(expected, facts.n),
            f"the signed discontinuity goes from {gap.kept} to {gap.n}, the log from "
            f"{expected - 1} to {facts.n}",
        )
    return gap
