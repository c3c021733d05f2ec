"""What the outside knows: each payment that was asked for, and each balance that was shown.

Nothing here comes from the service's own tables. A payment is posted or refused once an answer
said so; a balance may never be older than one that somebody had received before it was asked for,
and one version of a wallet never shows two balances.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.wire import Answer

PAID, REFUSED = 201, 402


@dataclass(frozen=True)
class Person:
    """Somebody signed in, with one wallet in Singapore dollars."""

    index: int
    phone: str
    username: str
    token: str
    wallet: str
    topped_up: int


@dataclass
class Payment:
    """One payment as it was asked for, under one key for ever."""

    key: str
    payer: Person
    payees: list[tuple[Person, int]]
    body: dict[str, Any]
    first: Answer | None = None  # its final answer: posted, or refused by the ledger's rules
    told_new: bool = False  # whether an answer said that it was the first

    @property
    def posted(self) -> bool:
        """Whether it is known to have moved its money."""
        return self.first is not None and self.first.status == PAID

    @property
    def id(self) -> str:
        """The transaction's id, once it is known."""
        assert self.first is not None
        name = "id" if self.posted else "instance"
        return str(self.first.body[name])


@dataclass
class Book:
    """All that the crowd asked for and was told."""

    people: list[Person]
    payments: list[Payment] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    shown: dict[tuple[str, int], tuple[int, int, int]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)  # version by wallet
    counts: dict[int | str, int] = field(default_factory=dict)

    def wrong(self, what: str) -> None:
        """Note something that must never happen."""
        if len(self.wrongs) < 20:
            self.wrongs.append(what)

    def count(self, what: int | str) -> None:
        """Count one answer, by status, or a lost one."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def open_payments(self) -> Iterator[Payment]:
        """Those whose outcome nobody was told yet."""
        return (payment for payment in self.payments if payment.first is None)

    def saw(self, balance: dict[str, Any], at_least: int | None) -> None:
        """Somebody was shown `balance`. `at_least`: the version that was known when it was asked
        for; None for an old answer that is repeated."""
        wallet, version = balance["wallet_id"], balance["version"]
        facts = (balance["available"], balance["held"], balance["posted"])
        earlier = self.shown.setdefault((wallet, version), facts)
        if earlier != facts:
            self.wrong(f"version {version} of {wallet} was {earlier} and is {facts}")
        if at_least is None:
            return
        if version < at_least:
            self.wrong(f"{wallet} was shown at version {version} after {at_least} was known")
        self.newest[wallet] = max(version, self.newest.get(wallet, 0))

    def answered(self, payment: Payment, answer: Answer, at_least: int) -> None:
        """A payment was answered with something that decides it. Of two who ask at once either may
        hear first, but one alone that it is new."""
        twice_new = payment.told_new and not answer.replayed
        payment.told_new = payment.told_new or not answer.replayed
        if payment.first is not None:
            same = (answer.status, answer.raw) == (payment.first.status, payment.first.raw)
            if not same or twice_new:
                self.wrong(f"{payment.key} was {payment.first} and then {answer}")
            return
        payment.first = answer
        if payment.posted:
            self.saw(answer.body["balance"], None if answer.replayed else at_least)
            told = [posting["amount"]["amount"] for posting in answer.body["postings"]]
            if told != [amount for _, amount in payment.payees]:
                self.wrong(f"{payment.key} asked for {payment.payees} and was told {told}")

    def balances(self) -> dict[str, int]:
        """What each wallet holds, by what was answered alone."""
        holds = {person.wallet: person.topped_up for person in self.people}
        for payment in self.payments:
            if payment.posted:
                for payee, amount in payment.payees:
                    holds[payment.payer.wallet] -= amount
                    holds[payee.wallet] += amount
        return holds
