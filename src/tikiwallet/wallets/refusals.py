"""What the ledger refuses, as problems that callers can be told; one class per result."""

from typing import Final

from tikiwallet.errors import Overloaded, Problem, Unavailable
from tikiwallet.ledger.transactions import Result


class IdempotencyKeyReused(Problem):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for a different request"


class Abandoned(Problem):
    code = "abandoned"
    title = "This was given up before it happened; use a new Idempotency-Key"


class UnknownTransaction(Problem):
    code = "unknown_transaction"
    title = "There is no such transaction"


class UnknownAccount(Problem):
    code = "unknown_account"
    title = "One of the wallets is not there"


class AccountExists(Problem):
    code = "account_exists"
    title = "This account is open already"


class SameAccount(Problem):
    code = "same_account"
    title = "Money cannot move from a wallet to itself"


class CurrencyMismatch(Problem):
    code = "currency_mismatch"
    title = "The amount is not in the currency of the wallet"


class AccountClosed(Problem):
    code = "account_closed"
    title = "One of the wallets is closed"


class AccountFrozen(Problem):
    code = "account_frozen"
    title = "The wallet is frozen; nothing can be paid from it"


class HoldExpired(Problem):
    code = "hold_expired"
    title = "The reservation has run out"


class NothingLeft(Problem):
    code = "nothing_left"
    title = "Nothing is left of it to use or give back"


class ExceedsRemainder(Problem):
    code = "exceeds_remainder"
    title = "This is more than what is left of it"


class NotReversible(Problem):
    code = "not_reversible"
    title = "This cannot be given back"


class InsufficientFunds(Problem):
    code = "insufficient_funds"
    title = "There is not enough money in the wallet"


class LimitExceeded(Problem):
    code = "limit_exceeded"
    title = "The receiving wallet would hold more than it may"


class BalanceNotZero(Problem):
    code = "balance_not_zero"
    title = "The wallet is not empty"


class BalanceOverflow(Problem):
    code = "overflow"
    title = "The wallet cannot count that far"


class Rejected(Problem):
    code = "rejected"
    title = "This could not be written down; no money has moved"


_PROBLEMS: Final[dict[Result, type[Problem]]] = {
    Result.OVERLOADED: Overloaded,
    Result.UNAVAILABLE: Unavailable,
    Result.ID_REUSED: IdempotencyKeyReused,
    Result.ABANDONED: Abandoned,
    Result.UNKNOWN_TRANSACTION: UnknownTransaction,
    Result.UNKNOWN_ACCOUNT: UnknownAccount,
    Result.ACCOUNT_EXISTS: AccountExists,
    Result.SAME_ACCOUNT: SameAccount,
    Result.CURRENCY_MISMATCH: CurrencyMismatch,
    Result.ACCOUNT_CLOSED: AccountClosed,
    Result.ACCOUNT_FROZEN: AccountFrozen,
    Result.HOLD_EXPIRED: HoldExpired,
    Result.NOTHING_LEFT: NothingLeft,
    Result.EXCEEDS_REMAINDER: ExceedsRemainder,
    Result.NOT_REVERSIBLE: NotReversible,
    Result.INSUFFICIENT_FUNDS: InsufficientFunds,
    Result.LIMIT_EXCEEDED: LimitExceeded,
    Result.BALANCE_NOT_ZERO: BalanceNotZero,
    Result.OVERFLOW: BalanceOverflow,
    Result.REJECTED: Rejected,
}


def refusal(result: int) -> Problem:
    """The problem that tells a caller about a result other than POSTED (ValueError for that)."""
    if result == Result.POSTED:
        raise ValueError("posted is not a refusal")
    return _PROBLEMS[Result(result)]()
