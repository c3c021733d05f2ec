"""The server as dictionaries: what the written rules of settlement come to, in one currency."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tests.offline import samples
from tests.offline.samples import DAY, ISSUER, NOW, octets

from tikiwallet.offline.exchange.effects import Item, Outcomes
from tikiwallet.offline.exchange.purse import Tip
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import Close, Invite, Pass, Pay, Receipt, Revocations, Void
from tikiwallet.offline.wire.phones import commitment
from tikiwallet.offline.wire.trust import Trust

CURRENCY: Final = 356
CLAIM: Final = 7 * DAY  # after a pass's expiry
CAP_OF_A_PASS: Final = 1_000  # what the fund gives for one pass
FUND: Final = 1_500


@dataclass
class Claim:
    """A PAY that arrived; `credited` and `open` add up to its amount once it was decided."""

    pay: Pay
    invite: Invite
    outcome: Outcomes = Outcomes.RECORDED
    credited: int = 0
    open: int = 0
    sources: tuple["Claim", ...] = ()

    @property
    def hops(self) -> int:
        """By the longest way."""
        return 1 + max(one.hops for one in self.sources) if self.sources else 0

    @property
    def keeps_the_rules(self) -> bool:
        """Those that whoever sees the chain can check."""
        pay, held = self.pay, self.pay.payer
        return (
            pay.amount == self.invite.amount <= held.limits.most_per_payment
            and pay.sequence - held.start_sequence < held.limits.payments
            and pay.cumulative <= held.amount + sum(one.pay.amount for one in self.sources)
            and self.hops <= (held.limits.hops if held.amount else 0)
            and all(one.invite.payee.raw == held.raw for one in self.sources)
            and all(one.keeps_the_rules for one in self.sources)
        )


@dataclass
class Server:
    """Wallets and escrows by name, passes by id, claims by the PAY's hash."""

    now: int = NOW
    wallets: Counter[str] = field(default_factory=Counter)
    escrow: Counter[bytes] = field(default_factory=Counter)
    fund: int = FUND
    fund_used: Counter[bytes] = field(default_factory=Counter)
    debts: Counter[str] = field(default_factory=Counter)
    owners: dict[bytes, str] = field(default_factory=dict)
    passes: dict[bytes, Pass] = field(default_factory=dict)
    claims: dict[bytes, Claim] = field(default_factory=dict)
    voids: set[bytes] = field(default_factory=set)
    closes: dict[bytes, Close] = field(default_factory=dict)
    frozen: list[bytes] = field(default_factory=list)
    trust: Trust = field(default_factory=lambda: Trust(samples.ROOT.public, samples.issuer_keys()))

    @property
    def total(self) -> int:
        """All the money there is."""
        return sum(self.wallets.values()) + sum(self.escrow.values()) + self.fund

    def issue(self, owner: str, phone: str, key: PrivateKey, amount: int, hops: int = 0) -> Pass:
        """A pass over escrow; of less when the wallet holds less."""
        amount = min(amount, self.wallets[owner])
        number = len(self.passes)
        salt = octets(f"salt {number}", 8)
        made = Pass(
            id=octets(f"pass {number}"),
            key=PublicKey(key.public),
            pseudonym=octets(f"pseudonym {number}", 8),
            phone=commitment(salt, phone),
            salt=salt,
            name=owner,
            tier=1,
            currency=CURRENCY,
            amount=amount,
            start_sequence=1,
            not_before=self.now,
            expiry=self.now + 4 * DAY,
            limits=samples.LIMITS._replace(hops=hops),
            epoch=len(self.frozen),
        )
        issued = Pass.parse(made.sealed_by(ISSUER))
        self.wallets[owner] -= amount
        self.escrow[issued.id] += amount
        self.owners[issued.id] = owner
        self.passes[issued.id] = issued
        return issued

    def revocations(self) -> bytes:
        """The whole list."""
        made = Revocations(
            epoch=len(self.frozen), since=0, time=self.now, passes=tuple(sorted(self.frozen))
        )
        return made.sealed_by(ISSUER)

    def tip(self, pass_id: bytes) -> Tip | None:
        """How far a pass's chain is known: its highest PAY, or its CLOSE."""
        close = self.closes.get(pass_id)
        known = [one.pay for one in self.claims.values() if one.pay.payer.id == pass_id]
        last = max(known, key=lambda pay: pay.sequence, default=None)
        if close and (last is None or last.sequence < close.sequence):
            return Tip(close.sequence, close.hash, close.cumulative)
        return Tip(last.sequence, last.hash, last.cumulative) if last else None

    def take(self, by: str, item: Item) -> tuple[bytes, Outcomes]:
        """Take in what `by` uploads: what it is about, and what came of it."""
        if item.close:
            close = Close.parse(item.close)
            assert close.is_signed_by(self.passes[close.pass_id].key)
            self.closes[close.pass_id] = close
            self._find_fork(close.pass_id)
            return close.hash, Outcomes.CLOSED
        invite = Invite.parse(item.invite)
        assert self.trust.holds(invite)
        if item.void:
            void = Void.parse(item.void)
            assert void.is_signed_by(invite.payee.key)
            assert (void.request_id, void.payee_pass) == (invite.request_id, invite.payee.id)
            self.voids.add(invite.hash)
            return void.hash, Outcomes.VOIDED
        return self._claim(by, invite, item)

    def _claim(self, by: str, invite: Invite, item: Item) -> tuple[bytes, Outcomes]:
        pay = Pay.parse(item.pay)
        assert self.trust.holds(pay)
        assert (pay.request_hash, pay.payee_pass) == (invite.hash, invite.payee.id)
        sources = tuple(self.claims[hash] for hash in pay.sources or ())  # brought before it
        claim = self.claims.setdefault(pay.hash, Claim(pay, invite, sources=sources))
        self._find_fork(pay.payer.id)
        for one in sources:
            self._is_named(one, pay.payer)
        receipted = False
        if item.receipt:
            receipt = Receipt.parse(item.receipt)
            assert receipt.pay_hash == pay.hash
            assert receipt.is_signed_by(invite.payee.key)
            receipted = True
        if receipted or by == self.owners[invite.payee.id] or invite.hash in self.voids:
            self._settle(claim)
        return pay.hash, claim.outcome

    def _is_named(self, source: Claim, by: Pass) -> None:
        """Its payee's pass passes it on: that claims it, and denies a VOID of it."""
        if source.invite.payee.id == by.id:
            self._settle(source)
            if source.invite.hash in self.voids and by.id not in self.frozen:
                self.frozen.append(by.id)

    def _settle(self, claim: Claim) -> None:
        if claim.outcome is not Outcomes.RECORDED:
            return
        pay = claim.pay
        held = pay.payer
        if claim.invite.hash in self.voids:
            claim.outcome = Outcomes.VOIDED
            return
        if self.now > held.expiry + CLAIM or not claim.keeps_the_rules:
            claim.outcome = Outcomes.REJECTED
            return
        payer = self.owners[held.id]
        rest = pay.amount
        part = min(rest, self.escrow[held.id])
        self.escrow[held.id] -= part
        rest -= part
        assert not rest or self.is_forked(held.id), "one chain never takes more than its escrow"
        part = min(rest, self.wallets[payer])
        self.wallets[payer] -= part
        rest -= part
        part = min(rest, self.fund, CAP_OF_A_PASS - self.fund_used[held.id])
        self.fund -= part
        self.fund_used[held.id] += part
        self.debts[payer] += part
        rest -= part
        claim.open = rest
        claim.credited = pay.amount - rest
        self._credit(claim.invite.payee, claim.hops, claim.credited)
        claim.outcome = Outcomes.PARTIAL if rest else Outcomes.CREDITED

    def _credit(self, payee: Pass, hops: int, amount: int) -> None:
        """Into the pass that may spend it on, or the wallet."""
        close = self.closes.get(payee.id)
        ended = close is not None and close.cumulative <= payee.amount
        if payee.amount and hops < payee.limits.hops and not ended:
            self.escrow[payee.id] += amount
        else:
            self.wallets[self.owners[payee.id]] += amount

    def is_forked(self, pass_id: bytes) -> bool:
        """Whether the key of this pass has signed twice, or that of one from which its money came
        on whatever way."""
        found = [pass_id]
        for one in found:
            paid = (it.pay.payer.id for it in self.claims.values() if it.pay.payee_pass == one)
            found += [payer for payer in dict.fromkeys(paid) if payer not in found]
        return any(one in self.frozen for one in found)

    def _find_fork(self, pass_id: bytes) -> None:
        """Do any two of a pass's signed messages contradict each other?"""
        chain = [one.pay for one in self.claims.values() if one.pay.payer.id == pass_id]
        chain.sort(key=lambda pay: pay.sequence)
        close = self.closes.get(pass_id)
        ends = {(chain[-1].sequence, chain[-1].cumulative)} if chain else set()
        contradicts = any(
            later.sequence == earlier.sequence
            or later.cumulative - later.amount < earlier.cumulative
            or (later.sequence == earlier.sequence + 1 and later.previous != earlier.hash)
            for earlier, later in pairwise(chain)
        ) or any(
            close is not None and (sequence >= close.sequence or cumulative > close.cumulative)
            for sequence, cumulative in ends
        )
        if contradicts and pass_id not in self.frozen:
            self.frozen.append(pass_id)

    def expire(self) -> None:
        """All passes have ended, and the time for claims: what is left goes back."""
        for pass_id, amount in self.escrow.items():
            self.wallets[self.owners[pass_id]] += amount
        self.escrow.clear()
