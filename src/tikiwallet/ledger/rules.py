"""What decides about money: (account states, command, time) -> decision. Pure: no I/O, no clock.

A decision either moves everything the command asks for or nothing. It brings the rows to write and
the states after them; the caller lays these over the states it had and asks for the next command.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, assert_never

import msgspec

from tikiwallet.ledger.transactions import (
    TOTAL_MAX,
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
    Flag,
    Freeze,
    Hold,
    Kind,
    LegType,
    OpenAccount,
    Posting,
    Result,
    Reverse,
    SetLimits,
    State,
    Transaction,
    Void,
)

Accounts: TypeAlias = Mapping[int, State | None]


class OriginalLeg(msgspec.Struct, frozen=True, gc=False):
    """One leg of a hold or posted transaction and what is left of it after remainder row `seq`."""

    debit: int
    credit: int
    amount: int
    currency: int
    left: int
    seq: int = 0


class Original(msgspec.Struct, frozen=True):
    """A transaction that later ones refer to. `held`: captures and voids take from what is left;
    otherwise reversals do, if it is `reversible`."""

    id: bytes
    kind: int
    held: bool
    reversible: bool
    expires_at: int
    legs: tuple[OriginalLeg, ...]


Originals: TypeAlias = Mapping[bytes, Original | None]


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One log row to be, with the states of its accounts after it."""

    type: int
    debit: int
    credit: int
    amount: int
    currency: int
    debit_after: State | None
    credit_after: State | None
    remainder: tuple[bytes, int, int, int] | None = None  # original, leg, seq, left


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The result, and, where it is POSTED, the rows and what they change."""

    result: int
    kind: int
    legs: tuple[Leg, ...] = ()
    accounts: Mapping[int, State] = {}
    original: Original | None = None  # the hold made, or what is left of the one referred to
    cause: bytes | None = None


class _Refused(Exception):
    """Leaves a decision half-way; never leaves this module."""

    def __init__(self, result: Result) -> None:
        self.result = result


def decide(command: AnyCommand, accounts: Accounts, originals: Originals, at: int) -> Decision:
    """The decision on one command against the states of all accounts it names (None: does not
    exist) and the originals it refers to, at time `at`."""
    try:
        match command:
            case Transaction():
                return _post(command, accounts)
            case Hold():
                return _hold(command, accounts, at)
            case Capture():
                return _capture(command, accounts, originals, at)
            case Void():
                return _void(command, accounts, originals, at)
            case Reverse():
                return _reverse(command, accounts, originals)
            case OpenAccount() | SetLimits() | Freeze() | CloseAccount():
                return _change(command, accounts)
            case Abandon():
                return Decision(Result.ABANDONED, Kind.ABANDONED)
            case _:
                assert_never(command)
    except _Refused as refused:
        return Decision(refused.result, _kind(command))


def accounts_of(command: AnyCommand) -> tuple[int, ...]:
    """The accounts that a command names itself; captures, voids and reversals name an original."""
    match command:
        case Transaction() | Hold():
            if len(command.postings) == 1:
                posting = command.postings[0]
                return (posting.debit, posting.credit)
            return tuple(
                {side for posting in command.postings for side in (posting.debit, posting.credit)}
            )
        case OpenAccount() | SetLimits() | Freeze() | CloseAccount():
            return (command.account,)
        case _:
            return ()


def original_of(command: AnyCommand) -> bytes | None:
    """The id of the hold or transaction that a command refers to."""
    match command:
        case Capture() | Void():
            return command.hold
        case Reverse():
            return command.original
        case _:
            return None


def _kind(command: AnyCommand) -> int:
    match command:
        case Transaction() | Hold():
            return command.kind
        case Capture():
            return Kind.CAPTURE
        case Void():
            return Kind.EXPIRY if command.expiry else Kind.VOID
        case Reverse():
            return Kind.REVERSAL
        case Abandon():
            return Kind.ABANDONED
        case _:
            return Kind.ACCOUNT


# -- moving money


def _post(command: Transaction, accounts: Accounts) -> Decision:
    postings = command.postings
    if len(postings) == 1:
        posting = postings[0]
        debit, credit = accounts[posting.debit], accounts[posting.credit]
        if debit is None or credit is None:
            return Decision(Result.UNKNOWN_ACCOUNT, command.kind)
        if refusal := _barred(posting, debit, credit):
            return Decision(refusal, command.kind)
        debit_after, credit_after = _posted(debit, credit, posting.amount)
        leg = Leg(
            LegType.POST,
            posting.debit,
            posting.credit,
            posting.amount,
            posting.currency,
            debit_after,
            credit_after,
        )
        changed = {posting.debit: debit_after, posting.credit: credit_after}
        return Decision(Result.POSTED, command.kind, (leg,), changed)
    _bar(postings, accounts)
    legs, changed = _legs(LegType.POST, postings, accounts, _posted)
    return Decision(Result.POSTED, command.kind, legs, changed)


def _hold(command: Hold, accounts: Accounts, at: int) -> Decision:
    _bar(command.postings, accounts)
    if command.expires_at <= at:
        raise _Refused(Result.HOLD_EXPIRED)
    legs, changed = _legs(LegType.HOLD, command.postings, accounts, _held)
    original = Original(
        command.id,
        command.kind,
        held=True,
        reversible=False,
        expires_at=command.expires_at,
        legs=tuple(
            OriginalLeg(leg.debit, leg.credit, leg.amount, leg.currency, leg.amount) for leg in legs
        ),
    )
    return Decision(Result.POSTED, command.kind, legs, changed, original)


def _bar(postings: tuple[Posting, ...], accounts: Accounts) -> None:
    """Refuse what no amount and no time could mend, by the highest precedence of all legs."""
    refusal = min((_barred_by_id(posting, accounts) for posting in postings), key=_precedence)
    if refusal:
        raise _Refused(Result(refusal))


_Move: TypeAlias = Callable[[State, State, int], tuple[State, State]]


def _legs(
    type_: LegType, postings: tuple[Posting, ...], accounts: Accounts, move: _Move
) -> tuple[tuple[Leg, ...], dict[int, State]]:
    """All postings one after the other, each seeing what the ones before it did."""
    changed: dict[int, State] = {}
    legs = []
    for posting in postings:
        debit = changed.get(posting.debit) or _known(accounts, posting.debit)
        credit = changed.get(posting.credit) or _known(accounts, posting.credit)
        debit_after, credit_after = move(debit, credit, posting.amount)
        changed[posting.debit] = debit_after
        changed[posting.credit] = credit_after
        legs.append(
            Leg(
                type_,
                posting.debit,
                posting.credit,
                posting.amount,
                posting.currency,
                debit_after,
                credit_after,
            )
        )
    return tuple(legs), changed


def _precedence(result: int) -> int:
    return result or 1_000


def _known(accounts: Accounts, account: int) -> State:
    state = accounts[account]
    if state is None:
        raise _Refused(Result.UNKNOWN_ACCOUNT)
    return state


def _barred_by_id(posting: Posting, accounts: Accounts) -> int:
    debit, credit = accounts[posting.debit], accounts[posting.credit]
    if debit is None or credit is None:
        return Result.UNKNOWN_ACCOUNT
    return _barred(posting, debit, credit)


def _barred(posting: Posting, debit: State, credit: State) -> int:
    """Why nothing may pass between these two accounts whatever the amount; 0 when it may."""
    if posting.debit == posting.credit:
        return Result.SAME_ACCOUNT
    if debit.currency != posting.currency or credit.currency != posting.currency:
        return Result.CURRENCY_MISMATCH
    if debit.flags or credit.flags:
        if (debit.flags | credit.flags) & Flag.CLOSED:
            return Result.ACCOUNT_CLOSED
        if debit.flags & Flag.FROZEN:
            return Result.ACCOUNT_FROZEN
    return 0


def _posted(debit: State, credit: State, amount: int) -> tuple[State, State]:
    """Both states after `amount` was posted from `debit` to `credit`."""
    (d_seq, d_debits, d_credits, d_pending, d_pending_credits, floor, d_ceiling, currency, d_flags,
     d_type) = (
        debit.seq, debit.posted_debits, debit.posted_credits, debit.pending_debits,
        debit.pending_credits, debit.floor, debit.ceiling, debit.currency, debit.flags, debit.type,
    )  # fmt: skip
    if d_credits - d_debits - d_pending - amount < -floor:
        raise _Refused(Result.INSUFFICIENT_FUNDS)
    ceiling = credit.ceiling
    credits_after = credit.posted_credits + amount
    if (
        ceiling is not None
        and credits_after - credit.posted_debits + credit.pending_credits > ceiling
    ):
        raise _Refused(Result.LIMIT_EXCEEDED)
    if d_debits + amount > TOTAL_MAX or credits_after > TOTAL_MAX:
        raise _Refused(Result.OVERFLOW)
    return (
        State(
            d_seq + 1, d_debits + amount, d_credits, d_pending, d_pending_credits, floor, d_ceiling,
            currency, d_flags, d_type,
        ),
        State(
            credit.seq + 1, credit.posted_debits, credits_after, credit.pending_debits,
            credit.pending_credits, credit.floor, ceiling, currency, credit.flags, credit.type,
        ),
    )  # fmt: skip


def _held(debit: State, credit: State, amount: int) -> tuple[State, State]:
    """Both states after `amount` was reserved on `debit` for `credit`."""
    if debit.available - amount < -debit.floor:
        raise _Refused(Result.INSUFFICIENT_FUNDS)
    if (
        credit.ceiling is not None
        and credit.posted + credit.pending_credits + amount > credit.ceiling
    ):
        raise _Refused(Result.LIMIT_EXCEEDED)
    if (
        debit.pending_debits + amount > TOTAL_MAX
        or credit.pending_credits + amount > TOTAL_MAX
        or debit.posted_debits + debit.pending_debits + amount > TOTAL_MAX
        or credit.posted_credits + credit.pending_credits + amount > TOTAL_MAX
    ):
        raise _Refused(Result.OVERFLOW)
    return (
        _changed(debit, pending_debits=debit.pending_debits + amount),
        _changed(credit, pending_credits=credit.pending_credits + amount),
    )


def _captured(debit: State, credit: State, amount: int) -> tuple[State, State]:
    """Both states after `amount` of what was reserved was posted."""
    if debit.posted_debits + amount > TOTAL_MAX or credit.posted_credits + amount > TOTAL_MAX:
        raise _Refused(Result.OVERFLOW)
    return (
        _changed(
            debit,
            pending_debits=debit.pending_debits - amount,
            posted_debits=debit.posted_debits + amount,
        ),
        _changed(
            credit,
            pending_credits=credit.pending_credits - amount,
            posted_credits=credit.posted_credits + amount,
        ),
    )


def _released(debit: State, credit: State, amount: int) -> tuple[State, State]:
    """Both states after `amount` of what was reserved was given back."""
    return (
        _changed(debit, pending_debits=debit.pending_debits - amount),
        _changed(credit, pending_credits=credit.pending_credits - amount),
    )


def _changed(
    state: State,
    *,
    posted_debits: int | None = None,
    posted_credits: int | None = None,
    pending_debits: int | None = None,
    pending_credits: int | None = None,
) -> State:
    return State(
        state.seq + 1,
        state.posted_debits if posted_debits is None else posted_debits,
        state.posted_credits if posted_credits is None else posted_credits,
        state.pending_debits if pending_debits is None else pending_debits,
        state.pending_credits if pending_credits is None else pending_credits,
        state.floor,
        state.ceiling,
        state.currency,
        state.flags,
        state.type,
    )


# -- what refers to an earlier transaction


def _capture(command: Capture, accounts: Accounts, originals: Originals, at: int) -> Decision:
    hold = originals[command.hold]
    if hold is None or not hold.held:
        raise _Refused(Result.UNKNOWN_TRANSACTION)
    if at >= hold.expires_at:
        raise _Refused(Result.HOLD_EXPIRED)
    amounts = _taken(hold, command.amounts)
    taking = _Taking(hold, accounts)
    for index, amount in enumerate(amounts):
        if amount:
            taking.take(LegType.CAPTURE, index, amount, _captured)
    if command.final:
        for index, leg in enumerate(hold.legs):
            if leg.left > amounts[index]:
                taking.take(LegType.VOID, index, leg.left - amounts[index], _released)
    return taking.decision(hold.kind)


def _void(command: Void, accounts: Accounts, originals: Originals, at: int) -> Decision:
    hold = originals[command.hold]
    if hold is None or not hold.held:
        raise _Refused(Result.UNKNOWN_TRANSACTION)
    if command.expiry and at < hold.expires_at:
        raise _Refused(Result.OVERLOADED)  # not due by this clock: come back, nothing is recorded
    amounts = _taken(hold, None)
    taking = _Taking(hold, accounts)
    for index, amount in enumerate(amounts):
        if amount:
            taking.take(LegType.VOID, index, amount, _released)
    return taking.decision(Kind.EXPIRY if command.expiry else hold.kind)


def _reverse(command: Reverse, accounts: Accounts, originals: Originals) -> Decision:
    original = originals[command.original]
    if original is None:
        raise _Refused(Result.UNKNOWN_TRANSACTION)
    if original.held or not original.reversible:
        raise _Refused(Result.NOT_REVERSIBLE)
    taking = _Taking(original, accounts)
    for index, amount in enumerate(_taken(original, command.amounts)):
        if amount:
            taking.take(LegType.POST, index, amount, _posted, back=True)
    return taking.decision(Kind.REVERSAL)


def _taken(original: Original, amounts: tuple[int, ...] | None) -> tuple[int, ...]:
    """How much of each leg is asked for; refused when it is more than is left of that leg."""
    left = tuple(leg.left for leg in original.legs)
    if not any(left):
        raise _Refused(Result.NOTHING_LEFT)
    if amounts is None:
        return left
    if len(amounts) != len(left) or any(a > b for a, b in zip(amounts, left, strict=True)):
        raise _Refused(Result.EXCEEDS_REMAINDER)
    return amounts


class _Taking:
    """Legs that take from what is left of an original, one after the other."""

    def __init__(self, original: Original, accounts: Accounts) -> None:
        self._original = original
        self._accounts = accounts
        self._left = list(original.legs)
        self._changed: dict[int, State] = {}
        self._legs: list[Leg] = []

    def take(
        self, type_: LegType, index: int, amount: int, move: _Move, *, back: bool = False
    ) -> None:
        """`amount` of leg `index`; `back` swaps the sides."""
        leg = self._left[index]
        debit_id, credit_id = (leg.credit, leg.debit) if back else (leg.debit, leg.credit)
        debit = self._changed.get(debit_id) or _known(self._accounts, debit_id)
        credit = self._changed.get(credit_id) or _known(self._accounts, credit_id)
        if type_ is not LegType.VOID:
            refusal = _barred(Posting(debit_id, credit_id, amount, leg.currency), debit, credit)
            if refusal:
                raise _Refused(Result(refusal))
        debit_after, credit_after = move(debit, credit, amount)
        self._changed[debit_id], self._changed[credit_id] = debit_after, credit_after
        left = OriginalLeg(
            leg.debit, leg.credit, leg.amount, leg.currency, leg.left - amount, leg.seq + 1
        )
        self._left[index] = left
        remainder = (self._original.id, index, left.seq, left.left)
        self._legs.append(
            Leg(
                type_,
                debit_id,
                credit_id,
                amount,
                leg.currency,
                debit_after,
                credit_after,
                remainder,
            )
        )

    def decision(self, kind: int) -> Decision:
        """What has been taken, as a whole."""
        original = msgspec.structs.replace(self._original, legs=tuple(self._left))
        return Decision(
            Result.POSTED,
            kind,
            tuple(self._legs),
            self._changed,
            original,
            cause=self._original.id,
        )


# -- accounts themselves


def _change(
    command: OpenAccount | SetLimits | Freeze | CloseAccount, accounts: Accounts
) -> Decision:
    before = accounts[command.account]
    if isinstance(command, OpenAccount):
        if before is not None:
            raise _Refused(Result.ACCOUNT_EXISTS)
        after = State(
            1, 0, 0, 0, 0, command.floor, command.ceiling, command.currency, 0, command.type
        )
    else:
        if before is None:
            raise _Refused(Result.UNKNOWN_ACCOUNT)
        if before.flags & Flag.CLOSED:
            raise _Refused(Result.ACCOUNT_CLOSED)
        floor, ceiling, flags = before.floor, before.ceiling, before.flags
        match command:
            case SetLimits():
                floor, ceiling = command.floor, command.ceiling
            case Freeze():
                flags = flags | Flag.FROZEN if command.frozen else flags & ~Flag.FROZEN
            case CloseAccount():
                if before.posted or before.pending_debits or before.pending_credits:
                    raise _Refused(Result.BALANCE_NOT_ZERO)
                flags |= Flag.CLOSED
            case _:
                assert_never(command)
        after = State(
            before.seq + 1,
            before.posted_debits,
            before.posted_credits,
            before.pending_debits,
            before.pending_credits,
            floor,
            ceiling,
            before.currency,
            int(flags),
            before.type,
        )
    leg = Leg(LegType.ACCOUNT, command.account, 0, 0, after.currency, after, None)
    return Decision(Result.POSTED, Kind.ACCOUNT, (leg,), {command.account: after})
