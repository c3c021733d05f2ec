"""Who is paid what: by tables first, then against whatever Hypothesis makes clones do."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tikiwallet.offline.checks import contradict
from tikiwallet.offline.deciding import (
    CONTESTED_SECONDS,
    NEW_ACCOUNT_SECONDS,
    Closing,
    Contradiction,
    Means,
    Payment,
    Reason,
    Request,
    Scope,
    Signed,
    Source,
    Standing,
    State,
    Terms,
    Verdict,
    broken_rule,
    contradiction,
    denies,
    fund_room,
    is_seen,
    next_step,
)
from tikiwallet.offline.exchange.till import Taken

SGD, START = 702, 1
ISSUED = 1_800_000_000
TERMS = Terms(
    id=b"payer",
    hash=b"P" * 32,
    currency=SGD,
    amount=5_000,
    start=START,
    most_per_payment=1_000,
    payments=20,
    hops=0,
    payee_lock=None,
    expires_at=ISSUED + 345_600,
    claim_until=ISSUED + 345_600 + 604_800,
)
PASS_HASH = b"P" * 32


def payment(
    sequence: int = 1,
    amount: int = 100,
    cumulative: int | None = None,
    previous: bytes = PASS_HASH,
    name: bytes = b"a",
) -> Payment:
    total = amount if cumulative is None else cumulative
    digest = name + bytes([sequence]) + previous[:8] + total.to_bytes(8, "big")
    request = Request(b"payee", b"pseudo", amount, SGD, ISSUED + 60, None)
    return Payment(Signed(digest, previous, sequence, amount, total), b"payee", (), request)


def to_itself() -> Payment:
    return changed(payee_pass=TERMS.id)._replace(payee_pass=TERMS.id)


def changed(**request: object) -> Payment:
    made = payment()
    return made._replace(request=made.request._replace(**request))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (payment(), None),
        (payment(amount=1_000), None),
        (payment(amount=1_001), Reason.OVER_PAYMENT),
        (payment(1, 100, 101), Reason.NOT_OF_PASS),
        (payment(previous=b"x" * 32), Reason.NOT_OF_PASS),
        (payment(20, 100, 5_000), None),
        (payment(21, 100, 5_000), Reason.OVER_COUNT),
        (payment(2, 100, 5_001), Reason.OVER_PASS),
        (payment(0, 100, 100), Reason.NOT_OF_PASS),
        (changed(amount=99), Reason.OTHER_REQUEST),
        (changed(payee_pass=b"other"), Reason.OTHER_REQUEST),
        (to_itself(), Reason.OTHER_PAYEE),
        (changed(currency=840), Reason.OTHER_CURRENCY),
        (changed(made_at=TERMS.expires_at), None),
        (changed(made_at=TERMS.expires_at + 1), Reason.EXPIRED),
        (changed(received_at=TERMS.expires_at + 1), Reason.RECEIPT_LATE),
        (payment()._replace(sources=(Source(100, 0, True),)), Reason.SPENT_ON),
    ],
)
def test_a_payee_who_broke_a_rule_is_told_which(made: Payment, reason: Reason | None) -> None:
    assert broken_rule(TERMS, made, ISSUED + 120) is reason


@pytest.mark.parametrize(
    ("hops", "amount", "cumulative", "sources", "reason"),
    [
        (1, 5_000, 5_100, [Source(100, 0, True)], None),
        (1, 5_000, 5_101, [Source(100, 0, True)], Reason.OVER_PASS),
        (1, 5_000, 5_400, [Source(100, 0, True)] * 4, None),
        (1, 5_000, 5_100, [Source(100, 1, True)], Reason.SPENT_ON),
        (2, 5_000, 5_200, [Source(100, 0, True), Source(100, 1, True)], None),
        (3, 5_000, 5_100, [Source(100, 3, True)], Reason.SPENT_ON),
        (1, 5_000, 5_100, [Source(100, 0, False)], Reason.SPENT_ON),
        (1, 0, 100, [Source(100, 0, True)], Reason.SPENT_ON),
    ],
)
def test_what_may_be_passed_on(
    hops: int, amount: int, cumulative: int, sources: list[Source], reason: Reason | None
) -> None:
    made = payment(5, 100, cumulative)._replace(sources=tuple(sources))
    assert broken_rule(TERMS._replace(hops=hops, amount=amount), made, ISSUED) is reason


def test_who_is_shown_a_chain_sees_not_all() -> None:
    seen = {reason for reason in Reason if is_seen(reason)}
    assert seen == set(Reason) - {
        Reason.TOO_LATE,
        Reason.REQUEST_USED,
        Reason.REQUEST_VOIDED,
        Reason.PAYEE_CLOSED,
        Reason.RECEIPT_LATE,
    }


def test_what_the_chain_shows_is_told_before_what_it_does_not() -> None:
    late = changed(received_at=TERMS.expires_at + 1)
    for now in (ISSUED, TERMS.claim_until + 1):
        assert broken_rule(TERMS._replace(amount=0), late, now) is Reason.OVER_PASS
    assert broken_rule(TERMS, late, TERMS.claim_until + 1) is Reason.TOO_LATE


def test_a_pass_takes_in_what_it_may_still_spend() -> None:
    standing = Standing(TERMS._replace(hops=1), settled=100, received=300)
    assert standing.escrow == TERMS.amount + 200
    assert standing.takes_in(SGD, 0, TERMS.claim_until)
    assert not standing.takes_in(SGD, 0, TERMS.claim_until + 1)
    assert not standing.takes_in(840, 0, ISSUED)
    assert not standing.takes_in(SGD, 1, ISSUED)
    assert not Standing(TERMS).takes_in(SGD, 0, ISSUED)
    assert not Standing(TERMS._replace(hops=1, amount=0)).takes_in(SGD, 0, ISSUED)
    standing.closing = Closing(b"c", 3, TERMS.amount + 1)
    assert standing.takes_in(SGD, 0, ISSUED)
    standing.closing = Closing(b"c", 3, TERMS.amount)
    assert not standing.takes_in(SGD, 0, ISSUED)


def test_a_locked_pass_pays_its_payee_only() -> None:
    assert broken_rule(TERMS._replace(payee_lock=b"pseudo"), payment(), ISSUED) is None
    other = broken_rule(TERMS._replace(payee_lock=b"shop"), payment(), ISSUED)
    assert other is Reason.OTHER_PAYEE


def test_claims_are_taken_until_their_time_is_over() -> None:
    assert broken_rule(TERMS, payment(), TERMS.claim_until) is None
    assert broken_rule(TERMS, payment(), TERMS.claim_until + 1) is Reason.TOO_LATE


FIRST = payment(1, 100, 100).signed
NEXT = payment(2, 50, 150, FIRST.hash).signed


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (FIRST, FIRST, None),
        (FIRST, NEXT, None),
        (NEXT, FIRST, None),
        (FIRST, payment(1, 100, 100, name=b"b").signed, Contradiction.SEQUENCE),
        (FIRST, payment(3, 50, 150, b"x" * 32).signed, None),
        (FIRST, payment(3, 50, 149, b"x" * 32).signed, Contradiction.SUM),
        (FIRST, payment(2, 50, 150, b"x" * 32).signed, Contradiction.CHAIN),
        (FIRST, payment(2, 50, 151, FIRST.hash).signed, Contradiction.SUM),
    ],
)
def test_contradictions(one: Signed, other: Signed, kind: Contradiction | None) -> None:
    assert contradiction(one, other) is contradiction(other, one) is kind


_SIGNED = st.builds(
    Signed,
    hash=st.sampled_from((b"a", b"b", b"c")),
    previous=st.sampled_from((b"a", b"b", b"c")),
    sequence=st.integers(1, 4),
    amount=st.integers(1, 3),
    cumulative=st.integers(3, 8),
)


@given(_SIGNED, _SIGNED)
def test_devices_find_what_the_server_finds(one: Signed, other: Signed) -> None:
    assume(one.hash != other.hash or one == other)  # a hash is that of one message

    def taken(of: Signed) -> Taken:
        return Taken(b"", of.sequence, of.previous, of.hash, of.amount, of.cumulative, until=0)

    assert contradict(taken(one), taken(other)) is (contradiction(one, other) is not None)


@pytest.mark.parametrize(
    ("sequence", "cumulative", "denied"),
    [(3, 150, False), (3, 151, False), (2, 150, True), (1, 150, True), (3, 149, True)],
)
def test_what_a_close_denies(sequence: int, cumulative: int, denied: bool) -> None:
    assert denies(Closing(b"c", sequence, cumulative), NEXT) is denied


def test_used_and_voided_requests() -> None:
    standing = Standing(TERMS)
    assert standing.judge(payment(), ISSUED, claimed=False) == Verdict(State.RECORDED)
    assert standing.judge(payment(), ISSUED, claimed=False, used=True) == Verdict(State.RECORDED)
    used = standing.judge(payment(), ISSUED, claimed=True, used=True)
    assert used == Verdict(State.REJECTED, Reason.REQUEST_USED)
    voided = standing.judge(payment(), ISSUED, claimed=True, voided=True)
    assert voided == Verdict(State.VOIDED, Reason.REQUEST_VOIDED)
    assert standing.escrow == TERMS.amount


OLD = ISSUED - NEW_ACCOUNT_SECONDS
LATER = ISSUED + CONTESTED_SECONDS


@pytest.mark.parametrize(
    ("means", "now", "shares", "wait_until"),
    [
        (Means(900, 900, OLD), ISSUED, (900, 0), None),
        (Means(100, 900, OLD), ISSUED, (100, 0), LATER),
        (Means(-5, 900, OLD), ISSUED, (0, 0), LATER),
        (Means(100, 900, OLD), LATER, (100, 800), None),
        (Means(100, 300, OLD), LATER, (100, 300), None),
        (Means(100, 900, OLD + 1), LATER, (100, 0), None),
        (Means(100, None, OLD), ISSUED, (100, 0), None),
        (Means(100, None, OLD), LATER, (100, 0), None),
    ],
)
def test_the_order_of_loss(
    means: Means, now: int, shares: tuple[int, int], wait_until: int | None
) -> None:
    step = next_step(900, ISSUED, means, now)
    assert (step.wallet, step.fund) == shares
    assert step.wait_until == wait_until


def test_the_tightest_cap_holds() -> None:
    caps = dict.fromkeys(Scope, 100)
    for scope in Scope:
        used = {**dict.fromkeys(Scope, 0), scope: 70}
        assert fund_room(caps, used, 1_000) == 30
        assert fund_room(caps, {**used, scope: 120}, 1_000) == 0
    assert fund_room(caps, dict.fromkeys(Scope, 0), 12) == 12


# -- what Hypothesis does


@dataclass
class Device:
    """A payer's store. A clone is a copy, which goes on from where it was copied."""

    name: bytes
    sequence: int = START
    cumulative: int = 0
    previous: bytes = PASS_HASH
    signed: list[Payment] = field(default_factory=list)

    def pay(self, amount: int) -> Payment | None:
        """The next payment, unless an honest payee would refuse it."""
        total = self.cumulative + amount
        if total > TERMS.amount or self.sequence - START >= TERMS.payments:
            return None
        made = payment(self.sequence, amount, total, self.previous, self.name)
        self.sequence += 1
        self.cumulative = total
        self.previous = made.signed.hash
        self.signed.append(made)
        return made


@dataclass
class Book:
    """Settles as the server does, with the ledger's part counted in a dictionary."""

    wallet: int
    fund: int
    standing: Standing = field(default_factory=lambda: Standing(TERMS))
    paid: Counter[bytes] = field(default_factory=Counter)
    open: dict[bytes, int] = field(default_factory=dict)
    forked: bool = False

    def arrive(self, made: Payment) -> None:
        """One claim by its payee, as often as it comes."""
        key = made.signed.hash
        if key in self.paid or key in self.open:
            return
        verdict = self.standing.judge(made, ISSUED + 500, claimed=True)
        assert verdict.reason is None
        self.forked |= verdict.conflict is not None
        self.paid[key] += verdict.escrow
        if made.signed.amount > verdict.escrow:
            self.open[key] = made.signed.amount - verdict.escrow

    def look_again(self, now: int) -> None:
        """What the worker does for what is open."""
        for key, rest in list(self.open.items()):
            step = next_step(rest, ISSUED, Means(self.wallet, self.fund, OLD), now)
            self.wallet -= step.wallet
            self.fund -= step.fund
            self.paid[key] += step.wallet + step.fund
            self.open[key] = rest - step.wallet - step.fund


amounts = st.lists(st.integers(1, TERMS.most_per_payment), max_size=8)


@st.composite
def histories(draw: st.DrawFn, clones: int) -> list[Payment]:
    """All that devices of one pass signed: the first one, and copies made of it on the way."""
    first = Device(b"a")
    for amount in draw(amounts):
        first.pay(amount)
    signed = list(first.signed)
    for number in range(clones):
        rolled_back = Device(b"a")
        for before in first.signed[: draw(st.integers(0, len(first.signed)))]:
            rolled_back.pay(before.signed.amount)
        clone = replace(rolled_back, name=b"b%d" % number, signed=[])
        for amount in draw(amounts):
            clone.pay(amount)
        signed += clone.signed
    return signed


def settle(order: list[Payment], wallet: int, fund: int) -> Book:
    book = Book(wallet, fund)
    for made in order:
        book.arrive(made)
    before = book.wallet + book.fund
    owed = sum(book.open.values())
    book.look_again(ISSUED + 500)
    book.look_again(LATER)
    # Conserved to the unit: what came out of wallet and fund went into what was open.
    assert before - book.wallet - book.fund == owed - sum(book.open.values())
    return book


@given(histories(clones=0), st.data())
def test_an_honest_payer_is_never_accused_and_everybody_paid(
    signed: list[Payment], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(signed + signed))
    book = settle(order, wallet=0, fund=0)
    assert not book.forked
    assert book.paid == Counter({made.signed.hash: made.signed.amount for made in signed})
    assert book.standing.settled == sum(made.signed.amount for made in signed)
    assert not book.open


@given(histories(clones=2), st.integers(0, 20_000), st.integers(0, 20_000), st.data())
def test_clones(signed: list[Payment], wallet: int, fund: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(signed))
    book = settle(order + order, wallet, fund)
    total = sum(made.signed.amount for made in signed)
    # Nobody is credited twice, and in all no more is left open than escrow, wallet and fund lack.
    for made in signed:
        rest = book.open.get(made.signed.hash, 0)
        assert book.paid[made.signed.hash] + rest == made.signed.amount
    assert sum(book.open.values()) == max(0, total - TERMS.amount - wallet - fund)
    # Whatever the order: enough means in all, and each honest payee has the whole sum.
    again = settle(data.draw(st.permutations(signed)), wallet, fund)
    assert sum(again.paid.values()) == sum(book.paid.values())
    if total <= TERMS.amount + wallet + fund:
        assert again.paid == book.paid


@given(histories(clones=1), st.data())
def test_every_fork_is_proven_whatever_comes_first(
    signed: list[Payment], data: st.DataObject
) -> None:
    sequences = Counter(made.signed.sequence for made in signed)
    book = settle(data.draw(st.permutations(signed)), 10**6, 0)
    assert book.forked == (max(sequences.values(), default=1) > 1)
