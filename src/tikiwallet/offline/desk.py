"""One upload on the table while its passes are locked: what is known goes in, each message is
judged in the order brought, and what changes comes out. No I/O.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from tikiwallet.clock import SECOND
from tikiwallet.offline.claims import CloseRead, KnownPass, PaymentRead, VoidRead
from tikiwallet.offline.deciding import (
    Closing,
    Contradiction,
    Payment,
    Reason,
    Signed,
    Standing,
    State,
    broken_rule,
    denies,
    denies_close,
)
from tikiwallet.offline.passing import BEYOND, Named
from tikiwallet.offline.wire.messages import Void

RequestKey: TypeAlias = tuple[bytes, bytes]  # the payee's pass and the request's id
# Known payments of a pass beyond those that it may make, so that a key that signs without end does
# not fill the table, nor slow others down. As many of what one payee claims within the rules are
# taken: an accomplice adds no more, and keeps no other payee out.
_SPARE: Final = 100
PAID: Final = frozenset({State.POSTING, State.OPEN, State.CREDITED, State.PARTIAL})


@dataclass(slots=True)
class Claim:
    """A claim as far as deciding needs it. `reading` is there for those brought just now, `stored`
    says that its row is; `owed` is what was paid or is being paid; `receipt` is there when the
    payee signed for it; `into_escrow` when its payee's pass takes it in; `hops` by its sources."""

    hash: bytes
    payer_pass: bytes
    request: RequestKey
    state: State
    reason: Reason | None = None
    amount: int = 0
    owed: int = 0
    receipt: bytes | None = None
    reading: PaymentRead | None = None
    stored: bool = False
    into_escrow: int | None = None
    hops: int = 0


@dataclass(frozen=True, slots=True)
class PayOf:
    """Stands for the bytes of a PAY that is known by its hash."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class InviteOf:
    """Stands for the bytes of the INVITE of a PAY that is known by its hash."""

    hash: bytes


Part: TypeAlias = bytes | PayOf | InviteOf


class Found(NamedTuple):
    """A contradiction: the pass whose key signed both, and the two hashes. `messages` are the
    proof, in the order of `evidence.py`."""

    kind: Contradiction
    owner: KnownPass
    first: bytes
    second: bytes
    messages: tuple[Part, ...]


class Owed(NamedTuple):
    """A payee called off what they were paid for: `amount` goes back to the payer."""

    claim: bytes
    payer_pass: bytes
    payee_pass: bytes
    amount: int


@dataclass(slots=True)
class Book:
    """What is known of one locked pass, with its CLOSE if there is one; `claimed` counts what each
    person has claimed of it."""

    known: KnownPass
    standing: Standing
    close: bytes | None
    claimed: Counter[int] = field(default_factory=Counter)
    settled_before: int = 0
    closed_now: CloseRead | None = None


@dataclass
class Desk:
    """`person` brings all of it, at `now` (microseconds). `books` hold the locked passes, `claims`
    by hash what was known of them and of the requests in question, `voids` what was called off,
    with the VOID; `used` which requests have been paid. `claimed` are payments that their payee's
    pass names as a source, `named` all that are named by those brought; `naming` tells the known
    payments that name one. `receipts` come to be known of claims that are stored."""

    person: int
    now: int
    books: Mapping[bytes, Book]
    claims: dict[bytes, Claim]
    voids: dict[RequestKey, bytes]
    used: set[RequestKey]
    claimed: Collection[tuple[bytes, bytes]] = ()
    named: Mapping[bytes, Named] = field(default_factory=dict)
    naming: Mapping[tuple[bytes, bytes], Sequence[bytes]] = field(default_factory=dict)
    changed: dict[bytes, Claim] = field(default_factory=dict)
    receipts: dict[bytes, bytes] = field(default_factory=dict)
    called_off: list[VoidRead] = field(default_factory=list)
    conflicts: list[Found] = field(default_factory=list)
    crowded: set[bytes] = field(default_factory=set)
    owed: list[Owed] = field(default_factory=list)

    def payment(self, reading: PaymentRead) -> None:
        """Judge a PAY, unless what is known of it decides already."""
        payer, payee = (self.books[id] for id in reading.passes)
        request = (payee.known.id, reading.invite.request_id)
        claimed = self._is_claimed(payee.known, reading)
        before = self.claims.get(reading.hash)
        if before is not None and (before.state is not State.RECORDED or not claimed):
            self._receipt(before, reading)
            return
        named = [self.named[hash] for hash in reading.sources]
        payment = reading.payment(tuple(one.source_of(payer.known.terms) for one in named))
        seconds = self.now // SECOND
        if before is None and self._is_crowded(payer, payee, payment, claimed=claimed):
            self.crowded.add(reading.hash)
            return
        self.crowded.discard(reading.hash)  # brought anew in one upload, now with its RECEIPT
        if claimed:
            payer.claimed[payee.known.person] += 1
        verdict = payer.standing.judge(
            payment,
            seconds,
            claimed=claimed,
            used=request in self.used,
            voided=request in self.voids,
        )
        claim = Claim(
            reading.hash,
            payer.known.id,
            request,
            verdict.state,
            verdict.reason,
            payment.signed.amount,
            verdict.escrow,
            reading=reading,
            stored=before is not None and before.stored,
            into_escrow=_into_escrow(payer.known.terms.currency, payee, payment.hops, seconds)
            if verdict.state in PAID
            else None,
            hops=min(payment.hops, BEYOND),
        )
        self.claims[claim.hash] = self.changed[claim.hash] = claim
        if verdict.state in PAID:
            self.used.add(request)
        if verdict.conflict is not None:
            kind, other = verdict.conflict
            first = payer.close if kind is Contradiction.CLOSE else None
            self._found(kind, payer, other, reading.hash, (first or PayOf(other), reading.pay.raw))
        self._receipt(claim, reading)
        self._passed_on(payer, named, reading)

    def _is_claimed(self, payee: KnownPass, reading: PaymentRead) -> bool:
        """Whether its payee asks for the money: by RECEIPT, by passing it on, or in person."""
        by_name = (payee.id, reading.hash) in self.claimed
        return by_name or reading.receipt is not None or payee.person == self.person

    def _passed_on(self, payer: Book, named: Sequence[Named], reading: PaymentRead) -> None:
        """Who called a request off and passes on what was paid for it contradicts themselves."""
        for one in named:
            if one.void is not None and one.payee_pass == payer.known.id:
                proof = (one.void, InviteOf(one.hash), PayOf(one.hash), reading.pay.raw)
                void = Void.parse(one.void)
                self._found(Contradiction.VOID, payer, void.hash, reading.hash, proof)

    def _is_crowded(self, payer: Book, payee: Book, payment: Payment, *, claimed: bool) -> bool:
        """Whether this would be one too many of its pass."""
        terms = payer.known.terms
        most = terms.payments + _SPARE
        if len(payer.standing.known) < most:
            return False
        wanted = claimed and broken_rule(terms, payment, self.now // SECOND) is None
        return not wanted or payer.claimed[payee.known.person] >= most

    def _receipt(self, claim: Claim, reading: PaymentRead) -> None:
        """Keep the RECEIPT of a claim, the first time that there is one; after a VOID of its
        request it is a contradiction."""
        if reading.receipt is None or claim.receipt is not None:
            return
        claim.receipt = reading.receipt.raw
        if claim.stored:
            self.receipts[claim.hash] = claim.receipt
        if claim.request in self.voids:
            void, payee = Void.parse(self.voids[claim.request]), self.books[claim.request[0]]
            proof = (void.raw, reading.invite.raw, reading.pay.raw, claim.receipt)
            self._found(Contradiction.VOID, payee, void.hash, claim.hash, proof)

    def void(self, reading: VoidRead) -> None:
        """Call a request off; what was paid for it is owed back."""
        payee = self.books[reading.void.payee_pass]
        request = (payee.known.id, reading.void.request_id)
        if request in self.voids:
            return
        self.voids[request] = reading.void.raw
        self.called_off.append(reading)
        for claim in [claim for claim in self.claims.values() if claim.request == request]:
            if claim.state is State.RECORDED:
                claim.state, claim.reason = State.VOIDED, Reason.REQUEST_VOIDED
                self.changed[claim.hash] = claim
            elif claim.state in PAID:
                self.owed.append(Owed(claim.hash, claim.payer_pass, payee.known.id, claim.owed))
                self._taken(payee, reading, claim)

    def _taken(self, payee: Book, reading: VoidRead, claim: Claim) -> None:
        """Whose request was called off although they gave a receipt, or passed the money on."""
        taken: list[tuple[bytes, Part]] = [
            (hash, PayOf(hash)) for hash in self.naming.get((payee.known.id, claim.hash), ())
        ]
        if claim.receipt is not None:
            taken.append((claim.hash, claim.receipt))
        for hash, part in taken:
            proof = (reading.void.raw, InviteOf(claim.hash), PayOf(claim.hash), part)
            self._found(Contradiction.VOID, payee, reading.hash, hash, proof)

    def close(self, reading: CloseRead) -> None:
        """End a pass; a payment that it denies is a contradiction."""
        book = self.books[reading.close.pass_id]
        closing = Closing(reading.hash, reading.close.sequence, reading.close.cumulative)
        raw = reading.close.raw
        if (earlier := book.standing.closing) is not None:
            if denies_close(earlier, closing):
                proof: tuple[Part, ...] = (book.close or b"", raw)
                self._found(Contradiction.CLOSE, book, earlier.hash, closing.hash, proof)
            return
        for signed in book.standing.known.values():
            if denies(closing, signed):
                self._found(
                    Contradiction.CLOSE, book, signed.hash, closing.hash, (PayOf(signed.hash), raw)
                )
                break
        book.standing.closing, book.close, book.closed_now = closing, raw, reading

    def _found(
        self,
        kind: Contradiction,
        owner: Book,
        first: bytes,
        second: bytes,
        messages: tuple[Part, ...],
    ) -> None:
        self.conflicts.append(Found(kind, owner.known, first, second, messages))


def _into_escrow(currency: int, payee: Book, hops: int, now: int) -> int | None:
    """The escrow that takes the money in; None: the payee's wallet does."""
    return payee.known.escrow if payee.standing.takes_in(currency, hops, now) else None


def signed_of(row: Any) -> Signed:
    """What a claim's row says of its place in the chain."""
    return Signed(
        row["pay_hash"], row["previous"], row["sequence"], row["amount"], row["cumulative"]
    )
