"""Writes logs by hand, row by row, without the writer: what readers of the log are tested against.

The model here is its own (a list of ten totals per account), so that a mistake in the ledger's
rules is not repeated by the tests of those who read what the rules wrote.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from tikiwallet.ledger.transactions import Kind, LegType

COLUMNS = (
    "stream",
    "n",
    "at",
    "amount",
    "transaction_id",
    "digest",
    "debit",
    "credit",
    "cause",
    "expires_at",
    "epoch",
    "reference",
    "shard",
    "leg",
    "legs",
    "type",
    "kind",
    "result",
    "currency",
    "flags",
    "account_type",
    "account",
    "seq",
    "posted_debits",
    "posted_credits",
    "pending_debits",
    "pending_credits",
    "floor",
    "ceiling",
)
_START = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_AT = 1_750_000_000_000_000

Leg = tuple[int, int, int]  # debit, credit, amount


def time_of(us: int) -> datetime:
    """The aware datetime of microseconds since 1970."""
    return _START + timedelta(microseconds=us)


def id_of(number: int) -> bytes:
    """A transaction id for tests: the same number gives the same id."""
    return hashlib.sha256(number.to_bytes(8, "big")).digest()[:16]


class LogBuilder:
    """A log in the making: each method adds the rows of one transaction and returns its id."""

    def __init__(self, n: int = 1, at: int = FIRST_AT, step: int = 1_000) -> None:
        self.n = n
        self.at = at
        self.step = step
        self.rows: list[dict[str, object]] = []
        self._states: dict[int, dict[str, int | None]] = {}
        self._originals: dict[tuple[bytes, int], tuple[Leg, int]] = {}
        self._left: dict[tuple[bytes, int], tuple[int, int]] = {}
        self._ids = 0
        self._legs: list[tuple[LegType, Leg, tuple[bytes, int] | None]] = []

    # -- transactions

    def epoch(self, epoch: int) -> bytes:
        """A writer took over."""
        return self._mark(LegType.EPOCH, Kind.EPOCH, epoch=epoch)

    def refuse(self, result: int) -> bytes:
        """A refusal: nothing moves."""
        return self._mark(LegType.REFUSAL, Kind.PAYMENT, result=result)

    def open(
        self, account: int, *, floor: int = 0, ceiling: int | None = None, currency: int = 702
    ) -> bytes:
        """Open an account."""
        self._states[account] = {
            "seq": 0,
            "posted_debits": 0,
            "posted_credits": 0,
            "pending_debits": 0,
            "pending_credits": 0,
            "floor": floor,
            "ceiling": ceiling,
            "currency": currency,
            "flags": 0,
            "account_type": 1,
        }
        return self.change(account)

    def change(self, account: int, **fields: int | None) -> bytes:
        """Change an account's floor, ceiling or flags."""
        self._states[account].update(fields)
        n, at = self.n, self.at
        id = self._mark(
            LegType.ACCOUNT,
            Kind.ACCOUNT,
            debit=account,
            currency=self._states[account]["currency"],
        )
        self._entry(account, 0, LegType.ACCOUNT, n, at)
        return id

    def post(self, *legs: Leg, kind: int = Kind.PAYMENT, reference: str | None = None) -> bytes:
        """Move money now."""
        self._legs = [(LegType.POST, leg, None) for leg in legs]
        return self._write(kind, reference=reference)

    def hold(self, *legs: Leg, seconds: int = 3_600) -> bytes:
        """Reserve money."""
        self._legs = [(LegType.HOLD, leg, None) for leg in legs]
        return self._write(Kind.HOLD, expires_at=self.at + seconds * 1_000_000)

    def capture(self, hold: bytes, *amounts: int, final: bool = False) -> bytes:
        """Post held money, by leg; `final` gives back what is left."""
        self._legs = [
            (LegType.CAPTURE, self._part(hold, leg, amount), (hold, leg))
            for leg, amount in enumerate(amounts)
            if amount
        ]
        if final:
            for leg, amount in enumerate(amounts):
                left = self._what_is_left(hold, leg) - amount
                if left:
                    self._legs.append((LegType.VOID, self._part(hold, leg, left), (hold, leg)))
        return self._write(Kind.HOLD, cause=hold)

    def void(self, hold: bytes, legs: int = 1) -> bytes:
        """Release what is left of a hold."""
        self._legs = [
            (LegType.VOID, self._part(hold, leg, self._what_is_left(hold, leg)), (hold, leg))
            for leg in range(legs)
            if self._what_is_left(hold, leg)
        ]
        return self._write(Kind.HOLD, cause=hold)

    def reverse(self, original: bytes, *amounts: int) -> bytes:
        """Move money of a posted transaction back, by leg."""
        self._legs = []
        for leg, amount in enumerate(amounts):
            if amount:
                debit, credit, _ = self._part(original, leg, amount)
                self._legs.append((LegType.POST, (credit, debit, amount), (original, leg)))
        return self._write(Kind.REVERSAL, cause=original)

    # -- rows

    def _part(self, original: bytes, leg: int, amount: int) -> Leg:
        (debit, credit, _), _ = self._originals[original, leg]
        return (debit, credit, amount)

    def _what_is_left(self, original: bytes, leg: int) -> int:
        whole = self._originals[original, leg][0][2]
        return self._left.get((original, leg), (0, whole))[1]

    def _next_id(self) -> bytes:
        self._ids += 1
        return id_of(self._ids * 1_000_000_007 + self.n)

    def _mark(self, type_: int, kind: int, **fields: object) -> bytes:
        id = self._next_id()
        row = {
            "stream": 1,
            "n": self.n,
            "at": time_of(self.at),
            "amount": 0,
            "transaction_id": id,
            "digest": hashlib.sha256(id).digest(),
            "shard": 0,
            "leg": 0,
            "legs": 1,
            "type": int(type_),
            "kind": int(kind),
            "result": 0,
        }
        self.rows.append(row | fields)
        self.n += 1
        self.at += self.step
        return id

    def _write(
        self,
        kind: int,
        *,
        reference: str | None = None,
        cause: bytes | None = None,
        expires_at: int | None = None,
    ) -> bytes:
        id = self._next_id()
        for number, (type_, (debit, credit, amount), original) in enumerate(self._legs):
            first = number == 0
            currency = self._states[debit]["currency"]
            self.rows.append(
                {
                    "stream": 1,
                    "n": self.n,
                    "at": time_of(self.at),
                    "amount": amount,
                    "transaction_id": id,
                    "digest": hashlib.sha256(id).digest() if first else None,
                    "debit": debit,
                    "credit": credit,
                    "cause": cause,
                    "expires_at": time_of(expires_at) if expires_at and first else None,
                    "reference": reference,
                    "shard": 0,
                    "leg": number,
                    "legs": len(self._legs) if first else None,
                    "type": int(type_),
                    "kind": int(kind),
                    "result": 0,
                    "currency": currency,
                }
            )
            self._originals[id, number] = ((debit, credit, amount), self.n)
            self._move(type_, debit, credit, amount)
            if original is not None:
                seq = self._left.get(original, (0, 0))[0] + 1
                left = self._what_is_left(*original) - amount
                self._left[original] = (seq, left)
                self.rows.append(
                    {
                        "stream": 3,
                        "n": self.n,
                        "at": time_of(self.at),
                        "amount": left,
                        "transaction_id": original[0],
                        "leg": original[1],
                        "seq": seq,
                    }
                )
            self.n += 1
        self.at += self.step
        return id

    def _move(self, type_: LegType, debit: int, credit: int, amount: int) -> None:
        moves: dict[LegType, tuple[int, int, int, int]] = {
            # held, posted, change of what is available to the payer, to the payee
            LegType.POST: (0, 1, -1, 1),
            LegType.HOLD: (1, 0, -1, 0),
            LegType.CAPTURE: (-1, 1, 0, 1),
            LegType.VOID: (-1, 0, 1, 0),
        }
        held, posted, payer, payee = moves[type_]
        for account, side, change in ((debit, "debits", payer), (credit, "credits", payee)):
            state = self._states[account]
            for name, sign in ((f"pending_{side}", held), (f"posted_{side}", posted)):
                before = state[name]
                assert before is not None
                state[name] = before + sign * amount
            self._entry(account, change * amount, type_, self.n, self.at)

    def _entry(self, account: int, change: int, type_: int, n: int, at: int) -> None:
        state = self._states[account]
        assert state["seq"] is not None
        state["seq"] += 1
        self.rows.append(
            {
                "stream": 2,
                "n": n,
                "at": time_of(at),
                "amount": change,
                "account": account,
                "type": int(type_),
            }
            | state
        )

    async def write(self, connection: asyncpg.Connection) -> int:
        """Send the rows made since the last call; the last log number."""
        records = [tuple(row.get(column) for column in COLUMNS) for row in self.rows]
        uuid_at = [COLUMNS.index("transaction_id"), COLUMNS.index("cause")]
        self.rows = []
        await connection.copy_records_to_table(
            "journal",
            schema_name="ledger",
            columns=COLUMNS,
            records=[_with_uuids(record, uuid_at) for record in records],
        )
        return self.n - 1


def _with_uuids(record: tuple[object, ...], places: Sequence[int]) -> tuple[object, ...]:
    changed = list(record)
    for place in places:
        value = changed[place]
        if isinstance(value, bytes):
            changed[place] = value.hex()
    return tuple(changed)
