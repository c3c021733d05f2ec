"""The ledger as plain dictionaries: what every command ought to do, written without its rules.

Slow and simple on purpose: a command works on a copy of everything, which is kept when it went
well. Balances are kept as single numbers where the ledger keeps totals, so that a mistake in one is
not a mistake in the other.
"""

import copy
from dataclasses import dataclass, field

from tikiwallet.ledger.transactions import (
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
    Freeze,
    Hold,
    OpenAccount,
    Posting,
    Result,
    Reverse,
    SetLimits,
    State,
    Transaction,
    Void,
)

_BIGGEST_TOTAL = 2**62


class Refusal(Exception):
    """Why not."""

    def __init__(self, result: Result) -> None:
        self.result = result


@dataclass
class Account:
    """What somebody has; `spent` and `earned` only grow."""

    currency: int
    floor: int
    ceiling: int | None
    spent: int = 0
    earned: int = 0
    reserved: int = 0  # for others, by holds
    coming: int = 0  # from others' holds
    frozen: bool = False
    closed: bool = False
    changes: int = 1

    @property
    def balance(self) -> int:
        return self.earned - self.spent

    def agrees(self, state: State) -> bool:
        """Whether the ledger says the same."""
        return (
            (state.posted_debits, state.posted_credits) == (self.spent, self.earned)
            and (state.pending_debits, state.pending_credits) == (self.reserved, self.coming)
            and (state.floor, state.ceiling, state.currency)
            == (self.floor, self.ceiling, self.currency)
            and (bool(state.flags & 1), bool(state.flags & 2)) == (self.frozen, self.closed)
            and state.seq == self.changes
        )


@dataclass
class Part:
    """One leg of something that happened; `left`: not yet taken from it."""

    payer: int
    payee: int
    currency: int
    left: int


@dataclass
class Done:
    """Something that happened, which others may refer to."""

    what: str  # "hold", "moved" (captures too), "fixed": reversals and whatever moves no money
    parts: list[Part] = field(default_factory=list)
    until: int = 0


class Model:
    """All accounts and all that happened."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.done: dict[bytes, Done] = {}
        self.told: dict[bytes, tuple[AnyCommand, Result]] = {}

    def carry_out(self, command: AnyCommand, at: int) -> Result:
        """What a command never seen before must be answered at time `at`."""
        trial = copy.copy(self)
        trial.accounts = copy.deepcopy(self.accounts)
        trial.done = copy.deepcopy(self.done)
        try:
            trial._try(command, at)
            self.accounts, self.done = trial.accounts, trial.done
            result = Result.POSTED
        except Refusal as refusal:
            result = refusal.result
        if not result.retryable:
            self.told[command.id] = (command, result)
        return result

    def again(self, command: AnyCommand) -> Result | None:
        """What a command is told whose id was seen before; None: it was not."""
        if command.id not in self.told:
            return None
        first, result = self.told[command.id]
        same = first == command
        return (
            result
            if same or isinstance(command, Abandon) or result == Result.ABANDONED
            else Result.ID_REUSED
        )

    def _try(self, command: AnyCommand, at: int) -> None:
        match command:
            case Transaction():
                self._may_meet(command.postings)
                for posting in command.postings:
                    self._move(posting.debit, posting.credit, posting.amount)
                self._remember(command.id, "moved", command.postings)
            case Hold():
                self._may_meet(command.postings)
                if at >= command.expires_at:
                    raise Refusal(Result.HOLD_EXPIRED)
                for posting in command.postings:
                    self._reserve(posting)
                self._remember(command.id, "hold", command.postings)
                self.done[command.id].until = command.expires_at
            case Capture():
                self._capture(command, at)
            case Void():
                self._void(command, at)
            case Reverse():
                self._reverse(command)
            case Abandon():
                raise Refusal(Result.ABANDONED)
            case _:
                self._change(command)
                self.done[command.id] = Done("fixed")

    # -- money

    def _may_meet(self, postings: tuple[Posting, ...]) -> None:
        reasons = []
        for posting in postings:
            payer, payee = self.accounts.get(posting.debit), self.accounts.get(posting.credit)
            if payer is None or payee is None:
                reasons.append(Result.UNKNOWN_ACCOUNT)
                continue
            if posting.debit == posting.credit:
                reasons.append(Result.SAME_ACCOUNT)
            if {payer.currency, payee.currency} != {posting.currency}:
                reasons.append(Result.CURRENCY_MISMATCH)
            if payer.closed or payee.closed:
                reasons.append(Result.ACCOUNT_CLOSED)
            if payer.frozen:
                reasons.append(Result.ACCOUNT_FROZEN)
        if reasons:
            raise Refusal(min(reasons))

    def _move(self, payer_id: int, payee_id: int, amount: int) -> None:
        payer, payee = self.accounts[payer_id], self.accounts[payee_id]
        if payer.balance - payer.reserved - amount < -payer.floor:
            raise Refusal(Result.INSUFFICIENT_FUNDS)
        if payee.ceiling is not None and payee.balance + payee.coming + amount > payee.ceiling:
            raise Refusal(Result.LIMIT_EXCEEDED)
        self._book(payer, payee, amount)

    def _book(self, payer: Account, payee: Account, amount: int) -> None:
        payer.spent += amount
        payee.earned += amount
        if max(payer.spent, payee.earned) > _BIGGEST_TOTAL:
            raise Refusal(Result.OVERFLOW)
        payer.changes += 1
        payee.changes += 1

    def _reserve(self, posting: Posting) -> None:
        payer, payee = self.accounts[posting.debit], self.accounts[posting.credit]
        if payer.balance - payer.reserved - posting.amount < -payer.floor:
            raise Refusal(Result.INSUFFICIENT_FUNDS)
        room = None if payee.ceiling is None else payee.ceiling - payee.balance - payee.coming
        if room is not None and posting.amount > room:
            raise Refusal(Result.LIMIT_EXCEEDED)
        payer.reserved += posting.amount
        payee.coming += posting.amount
        if max(payer.spent + payer.reserved, payee.earned + payee.coming) > _BIGGEST_TOTAL:
            raise Refusal(Result.OVERFLOW)
        payer.changes += 1
        payee.changes += 1

    def _remember(self, id_: bytes, what: str, postings: tuple[Posting, ...]) -> None:
        self.done[id_] = Done(
            what, [Part(p.debit, p.credit, p.currency, p.amount) for p in postings]
        )

    # -- what refers to something that happened

    def _capture(self, command: Capture, at: int) -> None:
        hold = self._hold(command.hold)
        if at >= hold.until:
            raise Refusal(Result.HOLD_EXPIRED)
        taken = self._taken(hold, command.amounts)
        made: list[Part] = []
        for part, amount in zip(hold.parts, taken, strict=True):
            if amount:
                payer, payee = self.accounts[part.payer], self.accounts[part.payee]
                self._may_meet((Posting(part.payer, part.payee, amount, part.currency),))
                part.left -= amount
                payer.reserved -= amount
                payee.coming -= amount
                self._book(payer, payee, amount)
                made.append(Part(part.payer, part.payee, part.currency, amount))
        if command.final:
            for part in hold.parts:
                if part.left:
                    made.append(Part(part.payer, part.payee, part.currency, 0))
                    self._let_go(part)
        self.done[command.id] = Done("moved", made)

    def _void(self, command: Void, at: int) -> None:
        hold = self._hold(command.hold)
        if command.expiry and at < hold.until:
            raise Refusal(Result.OVERLOADED)
        self._taken(hold, None)
        for part in hold.parts:
            if part.left:
                self._let_go(part)
        self.done[command.id] = Done("fixed")

    def _let_go(self, part: Part) -> None:
        payer, payee = self.accounts[part.payer], self.accounts[part.payee]
        payer.reserved -= part.left
        payee.coming -= part.left
        part.left = 0
        payer.changes += 1
        payee.changes += 1

    def _reverse(self, command: Reverse) -> None:
        original = self.done.get(command.original)
        if original is None:
            raise Refusal(Result.UNKNOWN_TRANSACTION)
        if original.what != "moved":
            raise Refusal(Result.NOT_REVERSIBLE)
        for part, amount in zip(
            original.parts, self._taken(original, command.amounts), strict=True
        ):
            if amount:
                self._may_meet((Posting(part.payee, part.payer, amount, part.currency),))
                part.left -= amount
                self._move(part.payee, part.payer, amount)
        self.done[command.id] = Done("fixed")

    def _hold(self, id_: bytes) -> Done:
        hold = self.done.get(id_)
        if hold is None or hold.what != "hold":
            raise Refusal(Result.UNKNOWN_TRANSACTION)
        return hold

    def _taken(self, done: Done, amounts: tuple[int, ...] | None) -> list[int]:
        left = [part.left for part in done.parts]
        if sum(left) == 0:
            raise Refusal(Result.NOTHING_LEFT)
        if amounts is None:
            return left
        if len(amounts) != len(left):
            raise Refusal(Result.EXCEEDS_REMAINDER)
        for amount, rest in zip(amounts, left, strict=True):
            if amount > rest:
                raise Refusal(Result.EXCEEDS_REMAINDER)
        return list(amounts)

    # -- accounts

    def _change(self, command: OpenAccount | SetLimits | Freeze | CloseAccount) -> None:
        account = self.accounts.get(command.account)
        if isinstance(command, OpenAccount):
            if account is not None:
                raise Refusal(Result.ACCOUNT_EXISTS)
            self.accounts[command.account] = Account(
                command.currency, command.floor, command.ceiling
            )
            return
        if account is None:
            raise Refusal(Result.UNKNOWN_ACCOUNT)
        if account.closed:
            raise Refusal(Result.ACCOUNT_CLOSED)
        account.changes += 1
        if isinstance(command, SetLimits):
            account.floor, account.ceiling = command.floor, command.ceiling
        elif isinstance(command, Freeze):
            account.frozen = command.frozen
        elif account.balance or account.reserved or account.coming:
            raise Refusal(Result.BALANCE_NOT_ZERO)
        else:
            account.closed = True
