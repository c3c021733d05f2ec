"""Recomputes every account from the log, row by row, and compares. Pure: rows in, complaints out.

What the rules decided is derived here a second time, from the log row and the states before it; the
two share no code, so that a mistake in one shows in the other.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tikiwallet.ids import write_uuid
from tikiwallet.ledger.leaves import OPTIONAL, Row
from tikiwallet.ledger.transactions import TOTAL_MAX, Flag, Kind, LegType

# seq, posted debits and credits, pending debits and credits, floor, ceiling (-1: none), currency,
# flags, type
AccountState: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int]
# n, at, change of what is available, type of the log row, account, then its AccountState
Entry: TypeAlias = tuple[int, ...]

_ENTRY_NAMES = (
    "log number", "time", "change", "type", "account", "sequence number", "posted debits",
    "posted credits", "pending debits", "pending credits", "floor", "ceiling", "currency", "flags",
    "account type",
)  # fmt: skip
# By type of the row: what it adds to posted and to pending of both sides, and to what is available
# to the debited and to the credited side; each times the amount.
_EFFECTS = {
    LegType.POST: (1, 0, -1, 1),
    LegType.HOLD: (0, 1, -1, 0),
    LegType.CAPTURE: (1, -1, 0, 1),
    LegType.VOID: (0, -1, 1, 0),
}
_CAUSE = 1 << OPTIONAL.index("cause")
_BARRED = Flag.FROZEN | Flag.CLOSED


class Remainder(NamedTuple):
    """A remainder row: after log row `n`, `left` is left of leg `leg` of `original`."""

    n: int
    original: bytes
    leg: int
    seq: int
    left: int


class OriginalRow(NamedTuple):
    """The log row of the leg that a remainder row is about; `expires_at` is its hold's."""

    n: int
    type: int
    debit: int
    credit: int
    amount: int
    currency: int
    expires_at: int | None


Originals: TypeAlias = Mapping[tuple[bytes, int], OriginalRow]


class Replay:
    """All accounts as they were after the last row that was checked; about 400 bytes each."""

    def __init__(self) -> None:
        self._states: dict[int, AccountState] = {}
        self._left: dict[tuple[bytes, int], tuple[int, int]] = {}
        self._at = 0
        self._epoch = 0
        self._id = b""
        self._next_leg = 0
        self._legs = 0

    @property
    def accounts(self) -> int:
        """How many there are."""
        return len(self._states)

    def totals(self) -> dict[int, int]:
        """By currency: posted credits less posted debits over all accounts."""
        totals: dict[int, int] = {}
        for state in self._states.values():
            totals[state[7]] = totals.get(state[7], 0) + state[2] - state[1]
        return totals

    def check(
        self,
        row: Row,
        entries: Sequence[Entry],
        remainders: Sequence[Remainder],
        originals: Originals,
    ) -> str | None:
        """What is wrong with the next log row, its entries and its remainders; None: nothing.

        After the first complaint the states mean nothing any more.
        """
        type_ = row[7]
        return (
            self._check_order(row)
            or (
                self._check_move(row, entries)
                if type_ <= LegType.VOID
                else self._check_mark(row, entries)
            )
            or (
                self._check_remainder(row, remainders, originals)
                if remainders or row[0] & _CAUSE
                else None
            )
        )

    def complaint_at_end(self) -> str | None:
        """What is wrong with the log's end, once every row was checked."""
        if self._next_leg != self._legs:
            return f"transaction {write_uuid(self._id)} has {self._next_leg} of {self._legs} legs"
        return None

    def _check_order(self, row: Row) -> str | None:
        at, id, leg = row[3], row[4], row[5]
        if at < self._at:
            return "its time is before that of the row above"
        if leg == 0:
            if complaint := self.complaint_at_end():
                return f"{complaint}, and another begins"
            self._id = id
            self._legs = row[6]
            self._next_leg = 1
            if self._legs < 1:
                return "a transaction without legs"
        elif id != self._id or leg != self._next_leg or leg >= self._legs:
            return "it is not the next leg of the transaction above"
        elif at != self._at:
            return "the legs of one transaction have different times"
        else:
            self._next_leg += 1
        self._at = at
        return None

    def _check_move(self, row: Row, entries: Sequence[Entry]) -> str | None:
        n, at, type_, result, debit, credit, amount, currency = (
            row[2], row[3], row[7], row[9], row[11], row[12], row[13], row[14],
        )  # fmt: skip
        if result or amount <= 0 or debit == credit:
            return "no amount between two accounts"
        if len(entries) != 2:
            return f"it needs an entry on each side and has {len(entries)}"
        paying, paid = entries if entries[0][4] == debit else (entries[1], entries[0])
        payer, payee = self._states.get(debit), self._states.get(credit)
        if payer is None or payee is None:
            return f"account {debit if payer is None else credit} was not opened before"
        posted, pending, paying_change, paid_change = _EFFECTS[type_]
        seq, debits, credits, held, coming, floor, ceiling, own, flags, kind = payer
        payer_after = (
            seq + 1, debits + posted * amount, credits, held + pending * amount, coming, floor,
            ceiling, own, flags, kind,
        )  # fmt: skip
        if paying != (n, at, paying_change * amount, type_, debit, *payer_after):
            return _difference(paying, (n, at, paying_change * amount, type_, debit, *payer_after))
        seq, debits, credits, held, coming, floor, ceiling, other, other_flags, kind = payee
        payee_after = (
            seq + 1, debits, credits + posted * amount, held, coming + pending * amount, floor,
            ceiling, other, other_flags, kind,
        )  # fmt: skip
        if paid != (n, at, paid_change * amount, type_, credit, *payee_after):
            return _difference(paid, (n, at, paid_change * amount, type_, credit, *payee_after))
        if own != currency or other != currency:
            return "it moves another currency than its accounts hold"
        if (flags & _BARRED or other_flags & Flag.CLOSED) and type_ != LegType.VOID:
            return "an account is frozen or closed"
        if complaint := _out_of_bounds(type_, payer_after, payee_after):
            return complaint
        self._states[debit] = payer_after
        self._states[credit] = payee_after
        return None

    def _check_mark(self, row: Row, entries: Sequence[Entry]) -> str | None:
        type_, result, amount = row[7], row[9], row[13]
        if amount or (type_ == LegType.REFUSAL) != bool(result):
            return "a row that moves nothing has an amount, or its result belongs to another type"
        if type_ == LegType.ACCOUNT:
            return self._check_account(row, entries)
        if entries:
            return f"it moves nothing and yet has {len(entries)} entries"
        if type_ == LegType.EPOCH:
            if row[17] <= self._epoch:
                return f"epoch {row[17]} does not follow epoch {self._epoch}"
            self._epoch = row[17]
        elif type_ not in (LegType.REFUSAL, LegType.DISCONTINUITY):
            return f"type {type_} is unknown"
        return None

    def _check_account(self, row: Row, entries: Sequence[Entry]) -> str | None:
        n, at, account, currency = row[2], row[3], row[11], row[14]
        if len(entries) != 1:
            return f"it needs one entry and has {len(entries)}"
        entry = entries[0]
        before = self._states.get(account)
        floor, ceiling, _, flags, kind = entry[10:]
        totals: tuple[int, ...]
        if before is None:
            totals = (1, 0, 0, 0, 0)
            if flags:
                return "an account begins frozen or closed"
        else:
            totals = (before[0] + 1, *before[1:5])
            currency, kind = before[7], before[9]
            if before[8] & Flag.CLOSED:
                return f"account {account} was closed before"
            if flags & Flag.CLOSED and (before[1] != before[2] or before[3] or before[4]):
                return f"account {account} is closed while it is not empty"
        expected = (n, at, 0, LegType.ACCOUNT, account, *totals, floor, ceiling, currency, flags,
                    kind)  # fmt: skip
        if entry != expected or currency != row[14]:
            return _difference(entry, expected)
        self._states[account] = (
            totals[0], totals[1], totals[2], totals[3], totals[4], floor, ceiling, currency, flags,
            kind,
        )  # fmt: skip
        return None

    def _check_remainder(
        self, row: Row, remainders: Sequence[Remainder], originals: Originals
    ) -> str | None:
        type_ = row[7]
        expected = 1 if row[0] & _CAUSE and type_ <= LegType.VOID else 0
        if len(remainders) != expected:
            return f"it needs {expected} remainder rows and has {len(remainders)}"
        if not expected:
            return None
        remainder = remainders[0]
        original = originals.get((remainder.original, remainder.leg))
        if remainder.original != row[15] or original is None or original.n >= row[2]:
            return "its remainder row is about another transaction"
        if complaint := _unlike(row, original):
            return complaint
        place = (remainder.original, remainder.leg)
        seq, left = self._left.get(place, (0, original.amount))
        if remainder.seq != seq + 1 or remainder.left != left - row[13] or remainder.left < 0:
            return (
                f"of leg {remainder.leg} of {write_uuid(remainder.original)} {left - row[13]} "
                f"should be left, not {remainder.left}"
            )
        self._left[place] = (remainder.seq, remainder.left)
        return None


def _unlike(row: Row, original: OriginalRow) -> str | None:
    """Why `row` cannot take from `original`."""
    type_, debit, credit, currency = row[7], row[11], row[12], row[14]
    types: tuple[LegType, ...]
    if type_ == LegType.POST:
        types = (LegType.POST, LegType.CAPTURE)
        sides = (original.credit, original.debit)
    else:
        types = (LegType.HOLD,)
        sides = (original.debit, original.credit)
    if original.type not in types or (debit, credit) != sides or currency != original.currency:
        return "it is not between the accounts of the transaction that it refers to"
    if original.expires_at is not None:
        if type_ == LegType.CAPTURE and row[3] >= original.expires_at:
            return "it captures a hold that had expired"
        if row[8] == Kind.EXPIRY and row[3] < original.expires_at:
            return "it expires a hold too early"
    return None


def _out_of_bounds(type_: int, payer: AccountState, payee: AccountState) -> str | None:
    _, debits, credits, held, _, floor, _, _, _, _ = payer
    if type_ <= LegType.HOLD and credits - debits - held < -floor:
        return "it leaves less than the floor allows"
    if held < 0 or debits > TOTAL_MAX or held > TOTAL_MAX:
        return "a total of the debited account is out of bounds"
    _, debits, credits, _, coming, _, ceiling, _, _, _ = payee
    if type_ <= LegType.HOLD and ceiling >= 0 and credits - debits + coming > ceiling:
        return "it leaves more than the ceiling allows"
    if coming < 0 or credits > TOTAL_MAX or coming > TOTAL_MAX:
        return "a total of the credited account is out of bounds"
    return None


def _difference(entry: Entry, expected: Entry) -> str:
    """The first field in which an entry is not what it must be."""
    for name, found, wanted in zip(_ENTRY_NAMES, entry, expected, strict=True):
        if found != wanted:
            return f"entry of account {entry[4]}: {name} is {found} and should be {wanted}"
    return f"entry of account {entry[4]}: another currency than its row"
