"""What the log says about an account or a transaction: entries, point in time, statements.

Every look-up is bounded by the writer's published number `stable_n` and costs a few index probes,
however long the history is. Times are microseconds since 1970, amounts minor units.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import Problem
from tikiwallet.ledger.transactions import LegType, State

PAGE_MAX: Final = 200
SCAN_MAX: Final = 1_000  # entries looked at for one page with a filter
_STATEMENT_PAGE = 1_000


ReadReference = Callable[[bytes, str], str | None]


def in_clear(_transaction_id: bytes, reference: str) -> str:
    """A `reference` as it stands in the log: how the ledger itself reads it."""
    return reference


class BadCursor(Problem):
    code = "bad_cursor"
    title = "The cursor was not given out for this list"


class Item(msgspec.Struct, frozen=True):
    """One entry of an account, with the leg it comes from and the account's state after it.

    `direction`: out on the side that pays, in on the side that is paid, none for a change of the
    account itself. `amount` is the leg's, `change` what it did to what is available.
    """

    seq: int
    n: int
    at: int
    transaction_id: bytes
    leg: int
    type: int
    kind: int
    direction: Literal["in", "out", "none"]
    counterparty: int | None
    amount: int
    change: int
    currency: int
    reference: str | None
    cause: bytes | None
    posted: int
    held: int
    available: int


class Page(NamedTuple):
    """Some items, newest first, and the cursor of the next page (None: that was all).

    With a filter a page may hold few or no items and still have a next one.
    """

    items: list[Item]
    next: str | None


class LegView(msgspec.Struct, frozen=True):
    """One leg of a transaction; `left`: not yet captured, voided or reversed."""

    leg: int
    n: int
    type: int
    debit: int | None
    credit: int | None
    amount: int
    currency: int | None
    left: int


class TransactionView(msgspec.Struct, frozen=True):
    """A transaction with all its legs; `result` is a `transactions.Result`, `n` that of leg 0."""

    id: bytes
    n: int
    at: int
    kind: int
    result: int
    digest: bytes
    reference: str | None
    cause: bytes | None
    expires_at: int | None
    legs: tuple[LegView, ...]


_STATE = (
    "seq, posted_debits, posted_credits, pending_debits, pending_credits, floor, ceiling, "
    "currency, flags, account_type"
)
# Both the time and the log number never fall along seq, and seq has no gaps: so halving finds the
# newest entry before $2 and up to log number $3 with one probe per step.
_SEQ_BEFORE = """
    WITH RECURSIVE step (low, high) AS (
        SELECT 0::bigint, coalesce(max(seq), 0) + 1 FROM ledger.entry WHERE account = $1
        UNION ALL
        SELECT CASE WHEN inside THEN middle.seq ELSE low END,
               CASE WHEN inside THEN high ELSE middle.seq END
        FROM step
        CROSS JOIN LATERAL (
            SELECT seq, n <= $3 AND ($2::timestamptz IS NULL OR at < $2) AS inside
            FROM ledger.entry WHERE account = $1 AND seq = (low + high) / 2
        ) AS middle
        WHERE high - low > 1
    )
    SELECT max(low) FROM step
"""
_STATE_OF_SEQ = f"SELECT {_STATE} FROM ledger.entry WHERE account = $1 AND seq = $2"  # noqa: S608
_ITEM = """
    e.seq, e.n, e.at, l.transaction_id, l.leg, e.type, l.kind, l.debit, l.credit, l.amount,
    e.amount AS change, e.currency, l.reference, l.cause, e.posted_credits - e.posted_debits,
    e.pending_debits
"""
_TRANSACTION_ID, _REFERENCE = 3, 12  # their places among these columns
_ENTRIES = """
    SELECT item.*
    FROM (
        SELECT seq FROM ledger.entry WHERE account = $1 AND seq BETWEEN $2 AND $3 AND n <= $4
        ORDER BY seq DESC LIMIT 1
    ) AS newest
    CROSS JOIN LATERAL ledger.items($1, greatest($2, newest.seq - $5 + 1), newest.seq) AS item
"""
_FILTERED = f"""
    WITH scanned AS MATERIALIZED (
        SELECT * FROM ledger.entry WHERE account = $1 AND seq BETWEEN $2 AND $3 AND n <= $4
        ORDER BY seq DESC LIMIT {SCAN_MAX}
    ), found AS (
        SELECT {_ITEM}
        FROM scanned AS e
        JOIN ledger.log AS l ON l.shard = 0 AND l.n = e.n
        WHERE ($6::smallint[] IS NULL OR l.kind = ANY($6))
          AND (l.reference IS NOT NULL OR NOT $7::boolean)
        ORDER BY e.seq DESC LIMIT $5
    )
    SELECT seen.lowest, seen.number, found.*
    FROM (SELECT min(seq) AS lowest, count(*) AS number FROM scanned) AS seen
    LEFT JOIN found ON true
    ORDER BY found.seq DESC
"""  # noqa: S608 - only constants
_ITEMS = "SELECT * FROM ledger.items($1, $2, $3)"
_LEGS = """
    SELECT l.transaction_id, l.leg, l.n, l.at, l.type, l.kind, l.result, l.digest, l.debit,
           l.credit, l.amount, l.currency, l.reference, l.cause, l.expires_at,
           coalesce(r.amount, l.amount) AS left
    FROM ledger.log AS l
    LEFT JOIN LATERAL (
        SELECT amount FROM ledger.remainder
        WHERE transaction_id = l.transaction_id AND leg = l.leg AND n <= $2
        ORDER BY seq DESC LIMIT 1
    ) AS r ON true
    WHERE l.transaction_id = ANY($1::uuid[]) AND l.n <= $2
    ORDER BY l.transaction_id, l.leg
"""


async def entries(
    database: Database,
    account: int,
    stable_n: int,
    limit: int,
    *,
    before_seq: int | None = None,
    from_us: int | None = None,
    to_us: int | None = None,
    kinds: Collection[int] | None = None,
    text: str | None = None,
    read: ReadReference = in_clear,
) -> Page:
    """At most `limit` entries of `account`, newest first, with from_us <= time < to_us.

    `before_seq` comes from `read_cursor`. `kinds` and `text` (in the reference, in any case) keep
    only what matches; a page looks at SCAN_MAX entries at most. `read` makes of a transaction's id
    and the reference in the log the text that is looked at and told.
    """
    limit = max(1, min(limit, PAGE_MAX))
    high = 2**62 if before_seq is None else before_seq - 1
    if to_us is not None:
        high = min(high, await _seq_before(database, account, to_us, stable_n))
    low = 1
    if from_us is not None:
        low = await _seq_before(database, account, from_us, stable_n) + 1
    if low > high:
        return Page([], None)
    if kinds is None and not text:
        rows = await database.fetch(_ENTRIES, account, low, high, stable_n, limit + 1)
        items = [_item(row, account, read) for row in rows[:limit]]
        return Page(items, write_cursor(account, items[-1].seq) if len(rows) > limit else None)
    rows = await database.fetch(
        _FILTERED,
        account,
        low,
        high,
        stable_n,
        SCAN_MAX if text else limit + 1,
        None if kinds is None else list(kinds),
        bool(text),
    )
    lowest, scanned = rows[0][0], rows[0][1]
    found = [row[2:] for row in rows if row[2] is not None]
    if text:
        # Here and not in SQL, where the server's locale would decide what a letter is.
        wanted = text.casefold()
        found = [row for row in found if wanted in _text(row, read).casefold()]
    items = [_item(row, account, read) for row in found[:limit]]
    if len(found) > limit:
        return Page(items, write_cursor(account, items[-1].seq))
    more = scanned == SCAN_MAX and lowest > low
    return Page(items, write_cursor(account, lowest) if more else None)


async def state_at(database: Database, account: int, at_us: int, stable_n: int) -> State | None:
    """The state of `account` at a moment (what happened at that very microsecond included); None
    when it was not open then."""
    return await _state(
        database, account, await _seq_before(database, account, at_us + 1, stable_n)
    )


class Statement:
    """An account between two moments: what it held before, what happened, what it held after."""

    def __init__(
        self,
        database: Database,
        account: int,
        seqs: tuple[int, int],
        opening: State | None,
        closing: State | None,
    ) -> None:
        """`seqs`: the last entry before the statement, and the last one in it."""
        self._database = database
        self._account = account
        self._seqs = seqs
        self.opening = opening
        self.closing = closing

    @property
    def count(self) -> int:
        """How many entries there are."""
        return self._seqs[1] - self._seqs[0]

    async def __aiter__(self) -> AsyncIterator[Item]:
        """The entries, oldest first, read a thousand at a time."""
        seq, last = self._seqs
        while seq < last:
            until = min(seq + _STATEMENT_PAGE, last)
            rows = await self._database.fetch(_ITEMS, self._account, seq + 1, until)
            for row in reversed(rows):
                yield _item(row, self._account)
            seq = until


async def statement(
    database: Database, account: int, from_us: int, to_us: int, stable_n: int
) -> Statement:
    """The statement of `account` for from_us <= time < to_us. Its states are None where the account
    was not open yet."""
    before = await _seq_before(database, account, from_us, stable_n)
    last = max(before, await _seq_before(database, account, to_us, stable_n))
    opening = await _state(database, account, before)
    closing = opening if last == before else await _state(database, account, last)
    return Statement(database, account, (before, last), opening, closing)


async def transaction(database: Database, id: bytes, stable_n: int) -> TransactionView | None:
    """The transaction `id` with all its legs, refusals included; None when the log has none."""
    return (await transactions(database, [id], stable_n)).get(id)


async def transactions(
    database: Database, ids: Sequence[bytes], stable_n: int
) -> dict[bytes, TransactionView]:
    """The transactions among `ids` that the log has, each with all its legs."""
    rows = await database.fetch(_LEGS, [UUID(bytes=id) for id in ids], stable_n)
    legs: dict[bytes, list[asyncpg.Record]] = {}
    for row in rows:
        legs.setdefault(row["transaction_id"].bytes, []).append(row)
    return {id: _transaction(id, parts) for id, parts in legs.items()}


# -- cursors

_CURSOR_VERSION = b"\x01"
_CHECK_LENGTH = 6


def write_cursor(account: int, seq: int) -> str:
    """An opaque text from which `read_cursor` gives `seq` back, for this account only."""
    body = _CURSOR_VERSION + seq.to_bytes(8, "big")
    return base64.urlsafe_b64encode(body + _check(account, body)).decode()


def read_cursor(account: int, cursor: str) -> int:
    """The `before_seq` in a cursor. Raises BadCursor unless it was given out for this account."""
    try:
        data = base64.urlsafe_b64decode(cursor.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadCursor from error
    body, check = data[:9], data[9:]
    if body[:1] != _CURSOR_VERSION or check != _check(account, body):
        raise BadCursor
    seq = int.from_bytes(body[1:], "big")
    if write_cursor(account, seq) != cursor:
        raise BadCursor
    return seq


def _check(account: int, body: bytes) -> bytes:
    # Against mistakes, not against attackers: a cursor opens nothing that its list does not show.
    text = b"tikiwallet/entries-cursor\n" + account.to_bytes(8, "big") + body
    return sha256(text).digest()[:_CHECK_LENGTH]


# -- rows


async def _seq_before(database: Database, account: int, at_us: int, stable_n: int) -> int:
    seq: int = await database.fetchval(_SEQ_BEFORE, account, clock.from_us(at_us), stable_n)
    return seq


async def _state(database: Database, account: int, seq: int) -> State | None:
    row = await database.fetchrow(_STATE_OF_SEQ, account, seq) if seq else None
    return None if row is None else State(*row)


def _text(row: tuple[Any, ...], read: ReadReference) -> str:
    return read(row[_TRANSACTION_ID].bytes, row[_REFERENCE]) or ""


def _item(
    row: asyncpg.Record | tuple[Any, ...], account: int, read: ReadReference = in_clear
) -> Item:
    (seq, n, at, id, leg, type_, kind, debit, credit, amount, change, currency, reference, cause,
     posted, held) = row  # fmt: skip
    direction: Literal["in", "out", "none"] = "in"
    if type_ == LegType.ACCOUNT:
        direction = "none"
    elif debit == account:
        direction = "out"
    return Item(
        seq=seq,
        n=n,
        at=clock.to_us(at),
        transaction_id=id.bytes,
        leg=leg,
        type=type_,
        kind=kind,
        direction=direction,
        counterparty=credit if direction == "out" else debit if direction == "in" else None,
        amount=amount,
        change=change,
        currency=currency,
        reference=None if reference is None else read(id.bytes, reference),
        cause=None if cause is None else cause.bytes,
        posted=posted,
        held=held,
        available=posted - held,
    )


def _transaction(id: bytes, rows: Sequence[asyncpg.Record]) -> TransactionView:
    first = rows[0]
    return TransactionView(
        id=id,
        n=first["n"],
        at=clock.to_us(first["at"]),
        kind=first["kind"],
        result=first["result"],
        digest=first["digest"],
        reference=first["reference"],
        cause=None if first["cause"] is None else first["cause"].bytes,
        expires_at=None if first["expires_at"] is None else clock.to_us(first["expires_at"]),
        legs=tuple(
            LegView(
                leg=row["leg"],
                n=row["n"],
                type=row["type"],
                debit=row["debit"],
                credit=row["credit"],
                amount=row["amount"],
                currency=row["currency"],
                left=row["left"],
            )
            for row in rows
        ),
    )
