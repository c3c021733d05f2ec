"""Decisions as the rows that PostgreSQL's binary COPY takes, and rows back into what they were.

One stream per batch: log rows, entries and remainders in any mix; ledger.journal routes each to its
table. Packing whole rows with `struct` costs a third of encoding them value by value.
"""

from struct import Struct

import asyncpg

from tikiwallet.ledger.rules import Decision, Leg
from tikiwallet.ledger.transactions import LegType, Outcome, Result, State

_PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01, from which PostgreSQL counts

COLUMNS = (
    "stream", "n", "at", "amount", "currency", "type",
    "transaction_id", "leg", "seq",
    "debit", "credit", "kind", "result", "shard", "digest", "legs",
    "cause", "expires_at", "epoch", "reference",
    "account", "posted_debits", "posted_credits", "pending_debits", "pending_credits",
    "floor", "flags", "account_type", "ceiling",
)  # fmt: skip
COPY = f"COPY ledger.journal ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# Numbers, not members of an enumeration: every payment comes past here.
_POST, _HOLD, _CAPTURE = int(LegType.POST), int(LegType.HOLD), int(LegType.CAPTURE)
_VOID, _ACCOUNT = int(LegType.VOID), int(LegType.ACCOUNT)
_NULL = b"\xff\xff\xff\xff"
_COUNT = len(COLUMNS)
# A value is its length and its bytes: "ih" is a smallint after its length, and so on.
_COMMON = "h ih iq iq iq ih ih"
_LOG_LEG0 = Struct(">" + _COMMON + "i16s ih iq iq iq ih ih ih i32s ih")
_LOG_LEG = Struct(">" + _COMMON + "i16s ih 4s iq iq ih ih ih")
_ENTRY = Struct(">" + _COMMON + "8s iq 44s iq iq iq iq iq iq ih ih")
_ENTRY_CEILING = Struct(">" + _COMMON + "8s iq 44s iq iq iq iq iq iq ih ih iq")
_REMAINDER = Struct(">h ih iq iq iq 4s 4s i16s ih iq 80s")
_INT2 = Struct(">ih")
_INT8 = Struct(">iq")
_MARKER_START = Struct(">h ih iq iq iq")
_MARKER_ID = Struct(">ih i16s ih")
_MARKER_END = Struct(">ih ih ih i32s ih")
_ID = Struct(">i16s")
_TWO_NULLS = _NULL * 2
_LOG_TO_ENTRY = _NULL * 11  # columns from debit to reference, absent from entries
_AFTER_LOG = _NULL * 9  # entry columns, absent from log rows
_NO_REFERENCES = _NULL * 3  # cause, expires_at, epoch
_AFTER_REMAINDER = _NULL * 20


def write_decision(
    out: list[bytes],
    decision: Decision,
    n: int,
    at: int,
    transaction_id: bytes,
    digest: bytes,
    reference: str,
    shard: int,
) -> int:
    """Add the rows of a POSTED decision to `out`, numbered from `n`; the next free number."""
    t = at - _PG_EPOCH_US
    kind, legs = decision.kind, decision.legs
    first = legs[0]
    payer = decision.accounts[first.debit]
    if first.type == _ACCOUNT:
        out.append(_marker(n, at, first.type, transaction_id, kind, 0, shard, digest, first))
        _write_entries(out.append, first, n, t)
        return n + 1
    simple = decision.cause is None and decision.original is None
    tail = b"".join((_NO_REFERENCES, _text(reference), _AFTER_LOG)) if simple else b""
    add = out.append
    for leg_number, leg in enumerate(legs):
        if leg_number == 0:
            add(
                _LOG_LEG0.pack(
                    _COUNT, 2, 1, 8, n, 8, t, 8, leg.amount, 2, leg.currency, 2, leg.type,
                    16, transaction_id, 2, 0, 8, payer.seq, 8, leg.debit,
                    8, leg.credit, 2, kind, 2, 0, 2, shard, 32, digest, 2, len(legs),
                )
            )  # fmt: skip
        else:
            add(
                _LOG_LEG.pack(
                    _COUNT, 2, 1, 8, n, 8, t, 8, leg.amount, 2, leg.currency, 2, leg.type,
                    16, transaction_id, 2, leg_number, _NULL, 8, leg.debit,
                    8, leg.credit, 2, kind, 2, 0, 2, shard,
                )
            )  # fmt: skip
            add(_TWO_NULLS)
        add(tail if simple else _tail(decision, leg_number, reference))
        _write_entries(add, leg, n, t)
        if leg.remainder is not None:
            original, index, seq, left = leg.remainder
            add(
                _REMAINDER.pack(
                    _COUNT, 2, 3, 8, n, 8, t, 8, left, _NULL, _NULL,
                    16, original, 2, index, 8, seq, _AFTER_REMAINDER,
                )
            )  # fmt: skip
        n += 1
    return n


def _write_entries(add, leg: Leg, n: int, t: int) -> None:  # type: ignore[no-untyped-def]
    type_, amount = leg.type, leg.amount
    if type_ == _POST:
        debit_change, credit_change = -amount, amount
    elif type_ == _HOLD:
        debit_change, credit_change = -amount, 0
    elif type_ == _CAPTURE:
        debit_change, credit_change = 0, amount
    elif type_ == _VOID:
        debit_change, credit_change = amount, 0
    else:
        debit_change = credit_change = 0
    if (state := leg.debit_after) is not None:
        add(_entry(leg.debit, state, debit_change, type_, n, t))
    if (state := leg.credit_after) is not None:
        add(_entry(leg.credit, state, credit_change, type_, n, t))


def _entry(account: int, state: State, change: int, type_: int, n: int, t: int) -> bytes:
    if state.ceiling is None:
        return (
            _ENTRY.pack(
                _COUNT, 2, 2, 8, n, 8, t, 8, change, 2, state.currency, 2, type_,
                _TWO_NULLS, 8, state.seq, _LOG_TO_ENTRY, 8, account,
                8, state.posted_debits, 8, state.posted_credits,
                8, state.pending_debits, 8, state.pending_credits,
                8, state.floor, 2, state.flags, 2, state.type,
            )
            + _NULL
        )  # fmt: skip
    return _ENTRY_CEILING.pack(
        _COUNT, 2, 2, 8, n, 8, t, 8, change, 2, state.currency, 2, type_,
        _TWO_NULLS, 8, state.seq, _LOG_TO_ENTRY, 8, account,
        8, state.posted_debits, 8, state.posted_credits,
        8, state.pending_debits, 8, state.pending_credits,
        8, state.floor, 2, state.flags, 2, state.type, 8, state.ceiling,
    )  # fmt: skip


def _text(text: str) -> bytes:
    if not text:
        return _NULL
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


def _tail(decision: Decision, leg_number: int, reference: str) -> bytes:
    """cause, expires_at, epoch, reference and the absent entry columns of one log row."""
    cause = _NULL if decision.cause is None else _ID.pack(16, decision.cause)
    hold = decision.original
    expires = _NULL
    if leg_number == 0 and decision.cause is None and hold is not None and hold.held:
        expires = _INT8.pack(8, hold.expires_at - _PG_EPOCH_US)
    return b"".join((cause, expires, _NULL, _text(reference), _AFTER_LOG))


def write_refusal(
    out: list[bytes],
    result: int,
    kind: int,
    n: int,
    at: int,
    transaction_id: bytes,
    digest: bytes,
    shard: int,
) -> int:
    """Add the one row that remembers a refusal to `out`; the next free number."""
    out.append(_marker(n, at, LegType.REFUSAL, transaction_id, kind, result, shard, digest))
    return n + 1


def _marker(
    n: int, at: int, type_: int, transaction_id: bytes, kind: int, result: int, shard: int,
    digest: bytes, change: Leg | None = None,
) -> bytes:  # fmt: skip
    """A log row that moves nothing; `change` is what happened to an account."""
    currency = seq = account = _NULL
    if change is not None and change.debit_after is not None:
        currency = _INT2.pack(2, change.currency)
        seq = _INT8.pack(8, change.debit_after.seq)
        account = _INT8.pack(8, change.debit)
    return b"".join(
        (
            _MARKER_START.pack(_COUNT, 2, 1, 8, n, 8, at - _PG_EPOCH_US, 8, 0),
            currency,
            _MARKER_ID.pack(2, type_, 16, transaction_id, 2, 0),
            seq,
            account,
            _NULL,
            _MARKER_END.pack(2, kind, 2, result, 2, shard, 32, digest, 2, 1),
            _NULL * 4,
            _AFTER_LOG,
        )
    )


# -- back from rows


async def teach(connection: asyncpg.Connection) -> None:
    """Let a connection of the ledger give times as microseconds since 1970 and uuids as 16 bytes,
    and take them so."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda us: (us - _PG_EPOCH_US,),
        decoder=lambda parts: parts[0] + _PG_EPOCH_US,
    )
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", format="binary", encoder=bytes, decoder=bytes
    )


STATE_SQL = """
    SELECT e.account, e.seq, e.posted_debits, e.posted_credits, e.pending_debits,
           e.pending_credits, e.floor, e.ceiling, e.currency, e.flags, e.account_type
    FROM unnest($1::bigint[]) AS wanted(account)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger.entry WHERE account = wanted.account ORDER BY seq DESC LIMIT 1
    ) AS e
"""
OUTCOME_SQL = """
    SELECT l.transaction_id, l.digest, l.result, l.n, l.at, e.seq, e.posted_debits,
           e.posted_credits, e.pending_debits, e.pending_credits, e.floor, e.ceiling,
           e.currency, e.flags, e.account_type
    FROM ledger.log AS l
    LEFT JOIN ledger.entry AS e ON e.account = l.debit AND e.seq = l.seq
    WHERE l.transaction_id = ANY($1::uuid[]) AND l.leg = 0
"""
ORIGINAL_SQL = """
    SELECT l.transaction_id, l.leg, l.type, l.kind, l.result, l.debit, l.credit, l.amount,
           l.currency, l.expires_at, r.amount AS remaining, r.seq AS remainder_seq
    FROM ledger.log AS l
    LEFT JOIN LATERAL (
        SELECT amount, seq FROM ledger.remainder
        WHERE transaction_id = l.transaction_id AND leg = l.leg ORDER BY seq DESC LIMIT 1
    ) AS r ON true
    WHERE l.transaction_id = ANY($1::uuid[])
    ORDER BY l.transaction_id, l.leg
"""


def state_from(row: asyncpg.Record, first: int) -> State:
    """The State whose ten columns begin at position `first` of `row`."""
    return State(*row[first : first + 10])


def outcome_from(row: asyncpg.Record) -> Outcome:
    """The outcome a row of OUTCOME_SQL remembers, marked replayed."""
    payer = None if row[5] is None or row[2] != Result.POSTED else state_from(row, 5)
    return Outcome(row[2], row[3], row[4], payer, True)
