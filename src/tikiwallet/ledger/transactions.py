"""The ledger's words: what callers ask for (commands) and what they are told (outcomes).

Amounts are integers in minor units, currencies their numbers (`money.Currency.number`), accounts
63-bit ids, transaction ids 16 bytes, times microseconds since 1970 in UTC.
"""

from enum import IntEnum
from hashlib import sha256
from typing import TypeAlias

import msgspec

AMOUNT_MAX = 2**53 - 1  # what JSON numbers carry exactly
TOTAL_MAX = 2**62  # bound of each running total of an account; SQL holds the same
LEGS_MAX = 1_000
REFERENCE_MAX = 512  # characters
SYSTEM = 0  # `person` of commands that nobody signed in has asked for; a class of its own in turns


class Kind(IntEnum):
    """What a transaction is to people; stored, so numbers are never reused."""

    PAYMENT = 1
    TOP_UP = 2
    FEE = 3
    REVERSAL = 4
    PAYOUT = 5
    CONVERSION = 6
    ESCROW = 7
    SETTLEMENT = 8
    ADJUSTMENT = 9
    ACCOUNT = 10
    HOLD = 11
    CAPTURE = 12
    VOID = 13
    EXPIRY = 14
    ABANDONED = 15
    EPOCH = 16
    DISCONTINUITY = 17


class LegType(IntEnum):
    """What one log row does; stored, so numbers are never reused."""

    POST = 1  # posted balances of both sides move
    HOLD = 2  # reserved: pending balances of both sides rise
    CAPTURE = 3  # pending falls, posted moves, by the same amount
    VOID = 4  # pending falls
    ACCOUNT = 5  # the account in `debit` opened or changed; amount 0
    REFUSAL = 6  # nothing moved; `result` says why
    EPOCH = 7  # a writer took over
    DISCONTINUITY = 8  # the log goes on above a gap, after a restore


class AccountType(IntEnum):
    """What an account is for; stored."""

    WALLET = 1
    ESCROW = 2
    FEE = 3
    CLEARING = 4
    HOUSE = 5


class Flag(IntEnum):
    """Bits of `State.flags`."""

    FROZEN = 1  # no debits; credits still arrive
    CLOSED = 2  # nothing at all


class Result(IntEnum):
    """How a command ended. Ordered by precedence: of several refusals that apply, the lowest.

    Whether an outcome was given before is `Outcome.replayed`, for refusals as for postings.
    """

    POSTED = 0
    OVERLOADED = 1  # retryable, never written down
    UNAVAILABLE = 2  # retryable, never written down: the outcome is not known here
    ID_REUSED = 3  # same id, other content; never written down
    ABANDONED = 4
    UNKNOWN_TRANSACTION = 5
    UNKNOWN_ACCOUNT = 6
    ACCOUNT_EXISTS = 7
    SAME_ACCOUNT = 8
    CURRENCY_MISMATCH = 9
    ACCOUNT_CLOSED = 10
    ACCOUNT_FROZEN = 11
    HOLD_EXPIRED = 12
    NOTHING_LEFT = 13  # the hold is used up or voided, the transaction reversed in whole
    EXCEEDS_REMAINDER = 14
    NOT_REVERSIBLE = 15
    INSUFFICIENT_FUNDS = 16
    LIMIT_EXCEEDED = 17
    BALANCE_NOT_ZERO = 18
    OVERFLOW = 19
    REJECTED = 20  # the database refused its content; a bug to be reported, money unmoved

    @property
    def retryable(self) -> bool:
        """True when the same command may be sent again and may then succeed."""
        return self in (Result.OVERLOADED, Result.UNAVAILABLE)


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`amount` minor units of `currency` leave `debit` and reach `credit`."""

    debit: int
    credit: int
    amount: int
    currency: int


class Command(
    msgspec.Struct, frozen=True, array_like=True, tag_field="command", tag=True, gc=False
):
    """What every command has. `digest` is SHA-256 of the request as received (content decides
    whether a repeated id is the same request); left empty, it is taken over the command itself.
    `person` only decides whose turn it is, never what happens.
    """

    id: bytes
    person: int = SYSTEM
    digest: bytes = b""


class Transaction(Command, frozen=True, array_like=True, tag="T"):
    """Move money now: all postings or none."""

    kind: int = Kind.PAYMENT
    postings: tuple[Posting, ...] = ()
    reference: str = ""


class Hold(Command, frozen=True, array_like=True, tag="H"):
    """Reserve money until `expires_at`; captured or voided by the hold's id."""

    kind: int = Kind.HOLD
    postings: tuple[Posting, ...] = ()
    expires_at: int = 0
    reference: str = ""


class Capture(Command, frozen=True, array_like=True, tag="C"):
    """Post held money: `amounts` per leg of the hold (None: all that is left). `final` releases the
    rest at once."""

    hold: bytes = b""
    amounts: tuple[int, ...] | None = None
    final: bool = False
    reference: str = ""


class Void(Command, frozen=True, array_like=True, tag="V"):
    """Release all that is left of a hold. `expiry` marks the ledger's own, once it is due."""

    hold: bytes = b""
    expiry: bool = False


class Reverse(Command, frozen=True, array_like=True, tag="R"):
    """Move money of a posted transaction back: `amounts` per leg (None: all that is left)."""

    original: bytes = b""
    amounts: tuple[int, ...] | None = None
    reference: str = ""


class OpenAccount(Command, frozen=True, array_like=True, tag="O"):
    """Open `account`. `floor`: how far below zero it may go; `ceiling`: the most it may hold."""

    account: int = 0
    type: int = AccountType.WALLET
    currency: int = 0
    floor: int = 0
    ceiling: int | None = None


class SetLimits(Command, frozen=True, array_like=True, tag="L"):
    """Give `account` another floor and ceiling. A balance already outside may only move inwards."""

    account: int = 0
    floor: int = 0
    ceiling: int | None = None


class Freeze(Command, frozen=True, array_like=True, tag="F"):
    """Freeze `account` (no debits), or thaw it."""

    account: int = 0
    frozen: bool = True


class CloseAccount(Command, frozen=True, array_like=True, tag="X"):
    """Close `account` for good; it must be empty, with nothing pending."""

    account: int = 0


class Abandon(Command, frozen=True, array_like=True, tag="A"):
    """Make sure that `id` never posts: a final refusal under that id, unless it has an outcome. The
    outcome it has is answered whatever its digest is."""


AnyCommand: TypeAlias = (
    Transaction
    | Hold
    | Capture
    | Void
    | Reverse
    | OpenAccount
    | SetLimits
    | Freeze
    | CloseAccount
    | Abandon
)


class State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An account after its entry `seq`: all totals since it was opened, in minor units."""

    seq: int
    posted_debits: int
    posted_credits: int
    pending_debits: int
    pending_credits: int
    floor: int
    ceiling: int | None
    currency: int
    flags: int
    type: int

    @property
    def posted(self) -> int:
        """Credits less debits: what a wallet holds, pending aside."""
        return self.posted_credits - self.posted_debits

    @property
    def held(self) -> int:
        """Reserved by holds on the paying side."""
        return self.pending_debits

    @property
    def available(self) -> int:
        """Posted less held; the floor may let more be spent."""
        return self.posted_credits - self.posted_debits - self.pending_debits

    @property
    def is_closed(self) -> bool:
        """Whether nothing goes in or out any more, for good."""
        return bool(self.flags & Flag.CLOSED)

    @property
    def takeable(self) -> int:
        """What may be taken out without going below zero: nothing while frozen or closed."""
        return 0 if self.flags else max(0, self.available)

    @property
    def room(self) -> int:
        """What may be put in below the ceiling: nothing once closed."""
        if self.is_closed:
            return 0
        most = TOTAL_MAX if self.ceiling is None else self.ceiling
        return max(0, most - self.posted - self.pending_credits)


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of a command.

    `n` is the log number of its first row (0: nothing was written) and `at` its time. `payer` is
    the state, after the whole command, of the account debited by its first leg (for account
    commands: the account); None where nothing moved.
    """

    result: int
    n: int = 0
    at: int = 0
    payer: State | None = None
    replayed: bool = False


def content_digest(command: Command) -> bytes:
    """SHA-256 over the command's content; the digest of commands that bring none."""
    return sha256(_ENCODER.encode(command)).digest()


def digest_of(command: Command) -> bytes:
    """The digest that decides whether a repeated id is the same request."""
    return command.digest or content_digest(command)


_ENCODER = msgspec.msgpack.Encoder()
