"""What decides about offline payments: pure, no I/O, no clock.

A pass's terms, what its key has signed before and a new payment go in; out comes whether the payee
kept the rules, whether two messages contradict each other, and who pays which share. Amounts are
minor units, times whole seconds since 1970.

Who bears a loss, in this order: the pass's escrow, the payer's wallet, the guarantee fund up to its
caps where a key signed twice, and what then is left is a debt of the payer. A payee who broke the
rules bears their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

CONTESTED_SECONDS: Final = 24 * 3_600  # before the guarantee fund pays for a contested payment
NEW_ACCOUNT_SECONDS: Final = 30 * 24 * 3_600  # younger payees get nothing from the fund


class State(StrEnum):
    """How far a claim is; the comment of migration 0035 says what each means."""

    RECORDED = "recorded"
    POSTING = "posting"
    OPEN = "open"
    CREDITED = "credited"
    PARTIAL = "partial"
    REJECTED = "rejected"
    VOIDED = "voided"
    LAPSED = "lapsed"


class Reason(StrEnum):
    """Why a payment is not credited: a rule that its payee could have kept, or no payee."""

    TOO_LATE = "claim_too_late"
    EXPIRED = "pass_expired"
    RECEIPT_LATE = "receipt_late"
    NOT_OF_PASS = "not_of_this_pass"  # noqa: S105
    OVER_PAYMENT = "over_payment_limit"
    OVER_COUNT = "over_payment_count"
    OVER_PASS = "over_pass"  # noqa: S105
    OTHER_REQUEST = "other_request"
    OTHER_CURRENCY = "other_currency"
    OTHER_PAYEE = "other_payee"
    SPENT_ON = "spent_on"
    REQUEST_USED = "request_used"
    REQUEST_VOIDED = "request_voided"
    PAYEE_CLOSED = "payee_closed"


class Contradiction(StrEnum):
    """How two messages show that a key signed twice what it signs once."""

    SEQUENCE = "sequence"  # two payments over one sequence number
    SUM = "sum"  # what was paid up to each does not fit into one chain
    CHAIN = "chain"  # the later one names another one before it
    CLOSE = "close"  # a payment, or another CLOSE, that a CLOSE denies
    VOID = "void"  # a payee called a request off, and took what was paid for it


class Terms(NamedTuple):
    """What a pass allows, as it was signed; `hash` is the PASS's."""

    id: bytes
    hash: bytes
    currency: int
    amount: int
    start: int
    most_per_payment: int
    payments: int
    hops: int
    payee_lock: bytes | None
    expires_at: int
    claim_until: int


class Signed(NamedTuple):
    """What a PAY says of its place in the chain; `previous` is the hash of the one before."""

    hash: bytes
    previous: bytes
    sequence: int
    amount: int
    cumulative: int


class Closing(NamedTuple):
    """What a CLOSE says: the next sequence number, and all that was paid before."""

    hash: bytes
    sequence: int
    cumulative: int


class Request(NamedTuple):
    """What the payee signed: the INVITE, and the RECEIPT's time if there is one."""

    payee_pass: bytes
    pseudonym: bytes
    amount: int
    currency: int
    made_at: int
    received_at: int | None


class Source(NamedTuple):
    """A received payment that a PAY names. `holds`: it was paid to the pass that names it, in that
    pass's currency, and breaks no rule that whoever is shown the chain can see."""

    amount: int
    hops: int
    holds: bool


class Payment(NamedTuple):
    """A PAY with the request that it answers, by hash, and with what it passes on."""

    signed: Signed
    payee_pass: bytes
    sources: tuple[Source, ...]
    request: Request

    @property
    def hops(self) -> int:
        """How often money in it was passed on, by the longest chain."""
        return 1 + max((source.hops for source in self.sources), default=-1)

    @property
    def covered(self) -> int:
        """What it may come to with all payments before it, beside the pass's own amount."""
        return sum(source.amount for source in self.sources)


class Verdict(NamedTuple):
    """What becomes of a payment now: `escrow` is taken for it; `conflict` names the contradiction
    and the hash of what it contradicts."""

    state: State
    reason: Reason | None = None
    escrow: int = 0
    conflict: tuple[Contradiction, bytes] | None = None


def broken_rule(terms: Terms, payment: Payment, now: int) -> Reason | None:
    """The rule that the payee broke by accepting `payment`, or by claiming it only `now`; one that
    the chain shows before one that it does not."""
    if (shown := shown_rule(terms, payment)) is not None:
        return shown
    if now > terms.claim_until:
        return Reason.TOO_LATE
    # By the payee's own words: the payer's clock may be a year ahead.
    late = (payment.request.received_at or 0) > terms.expires_at
    return Reason.RECEIPT_LATE if late else None


def shown_rule(terms: Terms, payment: Payment) -> Reason | None:
    """The rule that `payment` breaks for whoever is shown the chain to see."""
    signed, request = payment.signed, payment.request
    place = signed.sequence - terms.start
    broken = (
        (request.made_at > terms.expires_at, Reason.EXPIRED),
        (place < 0 or (place == 0 and not _begins(terms, signed)), Reason.NOT_OF_PASS),
        (request.currency != terms.currency, Reason.OTHER_CURRENCY),
        (
            request.amount != signed.amount or request.payee_pass != payment.payee_pass,
            Reason.OTHER_REQUEST,
        ),
        (request.payee_pass == terms.id, Reason.OTHER_PAYEE),
        (terms.payee_lock not in (None, request.pseudonym), Reason.OTHER_PAYEE),
        (signed.amount > terms.most_per_payment, Reason.OVER_PAYMENT),
        (place >= terms.payments, Reason.OVER_COUNT),
        (signed.cumulative > terms.amount + payment.covered, Reason.OVER_PASS),
        (not _may_pass_on(terms, payment), Reason.SPENT_ON),
    )
    return next((reason for is_broken, reason in broken if is_broken), None)


def _may_pass_on(terms: Terms, payment: Payment) -> bool:
    # A pass without money has no escrow that could take in what it receives.
    allowed = payment.hops <= terms.hops and (terms.amount > 0 or not payment.sources)
    return allowed and all(source.holds for source in payment.sources)


# What a payee did or heard of only after it was accepted: nobody sees it in the chain.
_UNSEEN: Final = frozenset(
    {
        Reason.TOO_LATE,
        Reason.RECEIPT_LATE,
        Reason.REQUEST_USED,
        Reason.REQUEST_VOIDED,
        Reason.PAYEE_CLOSED,
    }
)


def is_seen(reason: Reason) -> bool:
    """Whether whoever is shown a chain sees that a payment in it was rejected for `reason`."""
    return reason not in _UNSEEN


def _begins(terms: Terms, signed: Signed) -> bool:
    """Whether a first payment continues from its pass, as its payee can see."""
    return signed.previous == terms.hash and signed.cumulative == signed.amount


def contradiction(one: Signed, other: Signed) -> Contradiction | None:
    """How two payments of one pass contradict each other; None for what an honest store signs."""
    if one.hash == other.hash:
        return None
    first, then = (one, other) if one.sequence <= other.sequence else (other, one)
    if first.sequence == then.sequence:
        return Contradiction.SEQUENCE
    between = then.cumulative - then.amount - first.cumulative
    adjacent = then.sequence == first.sequence + 1
    if between < 0 or (adjacent and between > 0):
        return Contradiction.SUM
    return Contradiction.CHAIN if adjacent and then.previous != first.hash else None


def denies(closing: Closing, signed: Signed) -> bool:
    """Whether a CLOSE and a payment of one pass cannot both have been signed in good order."""
    return signed.sequence >= closing.sequence or signed.cumulative > closing.cumulative


def denies_close(one: Closing, other: Closing) -> bool:
    """Whether two CLOSEs say different things; one signed again at another time does not."""
    return (one.sequence, one.cumulative) != (other.sequence, other.cumulative)


@dataclass
class Standing:
    """One pass while claims of it are decided: its escrow has taken in `received`, and `settled` is
    taken already; `known` is all that its key is known to have signed."""

    terms: Terms
    settled: int = 0
    received: int = 0
    closing: Closing | None = None
    known: dict[bytes, Signed] = field(default_factory=dict)

    @property
    def escrow(self) -> int:
        """What is left of the escrow."""
        return self.terms.amount + self.received - self.settled

    def takes_in(self, currency: int, hops: int, now: int) -> bool:
        """Whether a payment of so many hops to this pass may still be spent from it: then that is
        where the money goes, and not the wallet."""
        terms, closing = self.terms, self.closing
        ended = closing is not None and closing.cumulative <= terms.amount
        may = terms.amount > 0 and hops < terms.hops and terms.currency == currency
        return may and not ended and now <= terms.claim_until

    def conflict_of(self, signed: Signed) -> tuple[Contradiction, bytes] | None:
        """How a payment contradicts what is known, and the hash of the first that it does."""
        if self.closing is not None and denies(self.closing, signed):
            return Contradiction.CLOSE, self.closing.hash
        for other in self.known.values():
            if (kind := contradiction(other, signed)) is not None:
                return kind, other.hash
        return None

    def judge(
        self, payment: Payment, now: int, *, claimed: bool, used: bool = False, voided: bool = False
    ) -> Verdict:
        """Decide a payment, and remember it. `claimed`: its payee asks for the money, by RECEIPT or
        in person; `used`: the request was paid by another one; `voided`: it was called off."""
        signed = payment.signed
        conflict = None if signed.hash in self.known else self.conflict_of(signed)
        self.known[signed.hash] = signed
        reason = broken_rule(self.terms, payment, now)
        if reason is None and used and claimed:
            reason = Reason.REQUEST_USED
        if reason is not None:
            return Verdict(State.REJECTED, reason, conflict=conflict)
        if voided:
            return Verdict(State.VOIDED, Reason.REQUEST_VOIDED, conflict=conflict)
        if not claimed:
            return Verdict(State.RECORDED, conflict=conflict)
        escrow = min(signed.amount, self.escrow)
        self.settled += escrow
        return Verdict(State.POSTING if escrow else State.OPEN, None, escrow, conflict)


class Scope(StrEnum):
    """What a cap of the guarantee fund counts: one payer, one payee, one pass, one day, all."""

    PAYER = "payer"
    PAYEE = "payee"
    PASS = "pass"  # noqa: S105
    DAY = "day"
    FUND = "fund"


def fund_room(caps: Mapping[Scope, int], used: Mapping[Scope, int], balance: int) -> int:
    """What the guarantee fund may still pay, when it holds `balance`."""
    return max(0, min(balance, *(caps[scope] - used[scope] for scope in Scope)))


class Means(NamedTuple):
    """Where money for a contested payment may come from now, its escrow being used up; `fund` None:
    nothing will, since no key signed twice; `payee_since`: when the payee's account was made."""

    wallet: int
    fund: int | None
    payee_since: int


class Step(NamedTuple):
    """The next shares of a contested payment, and when to look again; `wait_until` None: what these
    leave open stays a debt."""

    wallet: int
    fund: int
    wait_until: int | None


def next_step(rest: int, contested_at: int, means: Means, now: int) -> Step:
    """Who pays which part of `rest`, the open part of a payment contested since then."""
    wallet = min(rest, max(0, means.wallet))
    left = rest - wallet
    if means.fund is None:
        return Step(wallet, 0, None)
    decided_at = contested_at + CONTESTED_SECONDS
    if now < decided_at:
        return Step(wallet, 0, decided_at if left else None)
    insured = contested_at - means.payee_since >= NEW_ACCOUNT_SECONDS
    return Step(wallet, min(left, means.fund) if insured else 0, None)
