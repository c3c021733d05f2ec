"""A payer's pass with its chain of payments. It never goes backwards. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum, unique

from tikiwallet.offline.wire.chain import Chain, Link, fits, read_link
from tikiwallet.offline.wire.fields import UINT32_MAX
from tikiwallet.offline.wire.messages import SOURCES_MOST, Close, Invite, Pass, Pay


class WentBack(Exception):
    """A payment or CLOSE that does not follow the last one: a bug, and never to be sent."""


@unique
class Stage(StrEnum):
    """Where a payment is, for its payer; the first four and `CLOSING` come before it is signed."""

    IDLE = "idle"
    REVIEW = "review"
    CONFIRMED = "confirmed"
    CLOSING = "closing"
    SIGNED = "signed"
    SENT = "sent"
    RECEIPTED = "receipted"
    SETTLED = "settled"
    VOIDED = "voided"
    RETURNED = "returned"
    CONFLICT = "conflict"


@unique
class Doubt(StrEnum):
    """`BEHIND`: payments are missing here up to `Purse.seen`, which the server may know. `LOST`:
    nobody can tell how many, so nothing more can be signed without risking a second signature."""

    NONE = "none"
    BEHIND = "behind"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of the chain: before the first payment the start sequence less one, the pass's hash
    and nothing paid."""

    sequence: int
    hash: bytes
    cumulative: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A signed PAY, the INVITE it answers, and the payee's RECEIPT or VOID, empty until there is
    one. `void_known`: the server has the VOID."""

    hash: bytes
    request_id: bytes
    invite: bytes
    pay: bytes
    stage: Stage = Stage.SIGNED
    receipt: bytes = b""
    void: bytes = b""
    void_known: bool = False


@dataclass(frozen=True, slots=True)
class Purse:
    """`own`: the PASS. `close`: the signed CLOSE, if any; `close_known`: the server has it.
    `received`: the payments to this pass that it may pass on, in their order, as `Link.raw`."""

    own: bytes
    tip: Tip
    payments: tuple[Payment, ...] = ()
    close: bytes = b""
    doubt: Doubt = Doubt.NONE
    seen: int = 0
    close_known: bool = False
    received: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, own: Pass) -> "Purse":
        """A new pass's."""
        return cls(own.raw, Tip(own.start_sequence - 1, own.hash, 0))

    @property
    def holder(self) -> Pass:
        """The pass."""
        return Pass.parse(self.own)

    @property
    def left(self) -> int:
        """What may still be spent, in minor units."""
        most = self.holder.amount + sum(one.pay.amount for one in self.links)
        return max(0, min(most, UINT32_MAX) - self.tip.cumulative)

    @property
    def links(self) -> tuple[Link, ...]:
        """The payments that it received."""
        return tuple(map(read_link, self.received))

    @property
    def made(self) -> int:
        """How many payments its chain has."""
        return self.tip.sequence - self.holder.start_sequence + 1

    @property
    def mark(self) -> int | None:
        """The highest sequence used, to be kept apart from the store and told in `Restarted`. None
        when it is lost: then a later mark must not pretend to know it."""
        return None if self.doubt is Doubt.LOST else max(self._last_signed, self.seen)

    def payment(self, hash: bytes) -> Payment | None:
        """The one with this hash."""
        return next((one for one in self.payments if one.hash == hash), None)

    def answer_to(self, request_id: bytes) -> Payment | None:
        """The one that answered this request."""
        return next((one for one in self.payments if one.request_id == request_id), None)

    def sources_for(self, amount: int) -> tuple[Link, ...]:
        """What the next PAY passes on: the first of the received payments, as few as cover it."""
        needed = self.tip.cumulative + amount - self.holder.amount
        sources = []
        for link in self.links if needed > 0 else ():
            sources.append(link)
            needed -= link.pay.amount
            if needed <= 0:
                break
        return tuple(sources)

    def chain_of(self, payment: Payment) -> Chain:
        """The payment as it travels."""
        pay = Pay.parse(payment.pay)
        links = {one.pay.hash: one for one in self.links} if pay.sources else {}
        return Chain(pay, tuple(links[hash] for hash in pay.sources or ()))

    def gaining(self, link: Link) -> "Purse":
        """With one more payment that it may pass on; the same where that may not be."""
        own, links = self.holder, self.links
        is_to_this = link.pay.payee_pass == own.id and link.invite.payee.raw == self.own
        is_known = link.pay.hash in {one.pay.hash for one in links}
        may = own.amount > 0 and link.hops < own.limits.hops and len(links) < SOURCES_MOST
        if self.close or self.doubt is Doubt.LOST or is_known or not (is_to_this and may):
            return self
        return replace(self, received=(*self.received, link.raw)) if fits((*links, link)) else self

    def losing(self, hash: bytes) -> "Purse":
        """Without the received payment that has this hash; the same where its own payments name
        that, or, in doubt, may name it."""
        place = next((at for at, one in enumerate(self.links) if one.pay.hash == hash), -1)
        if place < len(self.sources_for(0)) or self.doubt is not Doubt.NONE:
            return self
        return replace(self, received=self.received[:place] + self.received[place + 1 :])

    def draft(self, invite: Invite, time: int) -> Pay:
        """The next PAY, unsigned."""
        return Pay(
            payer=self.holder,
            sequence=self.tip.sequence + 1,
            previous=self.tip.hash,
            amount=invite.amount,
            cumulative=self.tip.cumulative + invite.amount,
            payee_pass=invite.payee.id,
            request_hash=invite.hash,
            time=time,
            sources=_named(self.sources_for(invite.amount)),
        )

    def with_payment(self, pay: Pay, invite: Invite) -> "Purse":
        """With this signed PAY as its last. Raises `WentBack`."""
        follows = (
            pay.payer.raw == self.own
            and pay.sequence == self.tip.sequence + 1
            and pay.previous == self.tip.hash
            and pay.cumulative == self.tip.cumulative + pay.amount
            and pay.amount <= self.left
            and pay.sources == _named(self.sources_for(pay.amount))
        )
        if not follows or self.close or self.doubt is not Doubt.NONE:
            raise WentBack
        payment = Payment(pay.hash, invite.request_id, invite.raw, pay.raw)
        return replace(
            self,
            tip=Tip(pay.sequence, pay.hash, pay.cumulative),
            payments=(*self.payments, payment),
        )

    def draft_of_close(self, time: int) -> Close:
        """The CLOSE, unsigned. It takes the sequence number that the next PAY would have."""
        return Close(
            pass_id=self.holder.id,
            sequence=self.tip.sequence + 1,
            cumulative=self.tip.cumulative,
            time=time,
        )

    def closed(self, close: Close) -> "Purse":
        """With this signed CLOSE as its end. Raises `WentBack`."""
        follows = (close.pass_id, close.sequence, close.cumulative) == (
            self.holder.id,
            self.tip.sequence + 1,
            self.tip.cumulative,
        )
        if not follows or self.close or self.doubt is not Doubt.NONE:
            raise WentBack
        return replace(self, close=close.raw)

    def changed(self, payment: Payment) -> "Purse":
        """With `payment` in place of the one with its hash."""
        return replace(
            self,
            payments=tuple(payment if one.hash == payment.hash else one for one in self.payments),
        )

    def restarted(self, seen: int | None) -> "Purse":
        """After a start: in doubt when something else shows more than the chain, or is gone."""
        if seen is None:
            return self.lost()
        if seen <= self._last_signed or self.doubt is Doubt.LOST:
            return self
        return replace(self, doubt=Doubt.BEHIND, seen=max(seen, self.seen))

    def synced(self, tip: Tip, *, ended: bool = False) -> "Purse":
        """The server knows the chain up to `tip`. It fills in exactly what was missing, but for a
        pass that has `ended`: after a CLOSE nothing may be signed, so there the doubt stays. Where
        it knows more or other than should be, this store went back further than anybody can
        tell."""
        if self.doubt is Doubt.LOST:
            return self
        if self._contradicts(tip) or tip.sequence > (self.mark or 0):
            return self.lost()
        if self.doubt is Doubt.BEHIND and tip.sequence == self.seen and not ended:
            return replace(self, tip=tip, doubt=Doubt.NONE, seen=0)
        return self

    def lost(self) -> "Purse":
        """Never to sign again."""
        return replace(self, doubt=Doubt.LOST)

    @property
    def _last_signed(self) -> int:
        return self.tip.sequence + bool(self.close)

    def _contradicts(self, tip: Tip) -> bool:
        signed = {Pay.parse(one.pay).sequence: one.hash for one in self.payments}
        return signed.get(tip.sequence, tip.hash) != tip.hash


def _named(sources: tuple[Link, ...]) -> tuple[bytes, ...] | None:
    return tuple(one.pay.hash for one in sources) or None
