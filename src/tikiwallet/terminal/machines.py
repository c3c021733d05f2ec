"""Runs the exchange machines of this terminal: one payer for each of its passes, one payee.

One event at a time. What a machine wants stored is in the journal before anything of it is shown or
sent; what it wants signed, the keys in the journal sign. Where the journal cannot be written the
terminal ends: what is in memory then is not to be believed.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar

from tikiwallet.offline.exchange import payee as payee_side
from tikiwallet.offline.exchange import payer as payer_side
from tikiwallet.offline.exchange.effects import (
    Asked,
    Cancelled,
    Closing,
    Confirmed,
    Declined,
    Effect,
    Event,
    Gained,
    Item,
    Outcome,
    Outcomes,
    Received,
    Renewed,
    Restarted,
    Seen,
    Send,
    SetAside,
    Show,
    Sign,
    Signed,
    Store,
    Stored,
    Synced,
    Typed,
    Upload,
)
from tikiwallet.offline.exchange.keeping import kept, written
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.purse import Doubt, Purse, Tip
from tikiwallet.offline.exchange.purse import Stage as PaymentStage
from tikiwallet.offline.exchange.till import Request, Taken, Till
from tikiwallet.offline.exchange.till import Stage as RequestStage
from tikiwallet.offline.known import Known
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import (
    AnyMessage,
    Invite,
    IssuerKeys,
    Pass,
    Pay,
    Receipt,
    Revocations,
    Void,
)
from tikiwallet.terminal import memory
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.receipt import Deal

_UNKNOWN: Final = Tip(0, b"", 0)  # nothing of a chain
_NOTHING: Final[Mapping[bytes, Tip]] = MappingProxyType({})
_STALE_NEWS_MOST: Final = 64  # that one line may bring
_WORTH_LESS: Final = frozenset({RequestStage.PARTIAL, RequestStage.REJECTED})

_State = TypeVar("_State", Payer, Payee)


# Is told what a machine wants shown, and about which payer's or payee's affair.
Shown: TypeAlias = Callable[[Show, Payer | Request | None], None]


@dataclass
class _Machine(Generic[_State]):
    """A machine, the state the journal has of it, and how both are worked."""

    state: _State
    step: Callable[[_State, Event], tuple[_State, tuple[Effect, ...]]]
    changes: Callable[[_State | None, _State], Iterator[Change]]
    kept: _State | None = None
    at_hand: bytes = b""  # payee: the request on the screen


def _payer(state: Payer, kept: Payer | None = None) -> _Machine[Payer]:
    return _Machine(state, payer_side.step, memory.changes_of_payer, kept)


def _payee(state: Payee, kept: Payee | None = None) -> _Machine[Payee]:
    return _Machine(state, payee_side.step, memory.changes_of_payee, kept)


@dataclass
class Outbox:
    """What the server has yet to hear of, once each."""

    items: dict[bytes, Item] = field(default_factory=dict)

    def put(self, items: tuple[Item, ...]) -> None:
        """Take in what a machine wants uploaded; what came with a receipt stays with it."""
        for item in items:
            place = item.pay or item.void or item.close
            if item.receipt or place not in self.items:
                self.items[place] = item


class Machines:
    """`send` hands a message to the other device, `shown` turns the screen, `took` hears of each
    PAY that this terminal has taken, and of those that it passes on, once they are on disk."""

    def __init__(
        self,
        journal: Journal,
        *,
        send: Callable[[bytes], Awaitable[None]],
        shown: Shown,
        took: Callable[[bytes], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._send = send
        self._shown = shown
        self._took = took
        self._clock = clock
        self._turn = asyncio.Lock()
        self._payers: dict[bytes, _Machine[Payer]] = {}
        self._till: _Machine[Payee] | None = None
        self._handed: frozenset[bytes] = frozenset()  # what both sides of the line know
        self._stale_news = 0
        self.outbox = Outbox()

    @property
    def now(self) -> int:
        """The clock, in seconds since 1970."""
        return int(self._clock())

    @property
    def own(self) -> Pass | None:
        """The pass that this terminal pays and asks with."""
        return self._till.state.till.holder if self._till else None

    @property
    def known(self) -> Known | None:
        """What the terminal knows of the issuer."""
        return self._till.state.known if self._till else memory.known(self._journal)

    @property
    def payer(self) -> Payer | None:
        """The machine of the pass that this terminal pays with."""
        found = self._current
        return found.state if found else None

    @property
    def has_lost(self) -> bool:
        """Whether nobody can tell what was paid with the pass; so, too, when there is none here."""
        return self.payer is None or self.payer.purse.doubt is Doubt.LOST

    @property
    def _current(self) -> _Machine[Payer] | None:
        return self._payers.get(self.own.id) if self.own else None

    async def start(self) -> str | None:
        """Go on from the journal. The answer says why the journal was in doubt: then no pass of
        before pays any more."""
        known = memory.known(self._journal)
        if known is None:
            return self._journal.doubtful
        for id, payer in memory.payers(self._journal, known).items():
            self._payers[id] = _payer(payer, payer)
        if (payee := memory.payee(self._journal, known)) is not None:
            self._till = _payee(payee, payee)
        doubtful = self._journal.doubtful
        seen = None if doubtful else 0
        for one in self._payers.values():
            await self._run(one, Restarted(self.now, seen))
        if self._till:
            await self._run(self._till, Restarted(self.now))
            await self._gain_all(self._till.state.till.requests)
        if doubtful:
            await self._keep(*self._payers.values(), trusted=True)
        return doubtful

    # What people do.

    async def ask(self, phone: str, amount: int, memo: str = "") -> None:
        """Ask the person with this number for so many minor units."""
        if self._till:
            self._till.at_hand = os.urandom(16)
            await self._run(self._till, Asked(self.now, self._till.at_hand, phone, amount, memo))

    async def cancel(self) -> None:
        """Call off the request on the screen."""
        if self._till:
            await self._run(self._till, Cancelled(self.now, self._till.at_hand))

    async def typed(self, phone: str) -> None:
        """The payee's number, as the payer types it."""
        await self._pay(Typed(self.now, phone))

    async def confirmed(self) -> None:
        """Pay what is shown."""
        await self._pay(Confirmed(self.now))

    async def set_aside(self) -> None:
        """Leave the payment on the screen."""
        await self._pay(SetAside(self.now))

    async def end_pass(self) -> None:
        """Spend no more from the pass."""
        await self._pay(Closing(self.now))

    async def _pay(self, event: Event) -> None:
        if (current := self._current) is not None:
            await self._run(current, event)

    # What other devices say.

    async def received(self, data: bytes) -> None:
        """A message, to the machine that it is for; unreadable ones to the payee's, for words."""
        message = _readable(data)
        if isinstance(message, IssuerKeys | Revocations):
            await self._heard(message)
            return
        for machine in self._meant(message):
            await self._run(machine, Received(self.now, data))

    async def _heard(self, news: IssuerKeys | Revocations) -> None:
        """Old news are as good as none, and of those a line may bring so many."""
        if self._stale_news >= _STALE_NEWS_MOST:
            return
        if await self._learn(news):
            self._handed |= {news.raw}
        else:
            self._stale_news += 1

    async def _learn(self, news: IssuerKeys | Revocations) -> bool:
        """Whether it was the issuer's, and new. Nothing is written where not."""
        known = self.known
        if known is None or (newer := known.learn(news)) is known:
            return False
        if self._till is None:
            await self.take_known(newer)
        for machine in self._all():
            await self._run(machine, Received(self.now, news.raw))
        return True

    def _all(self) -> list[_Machine[Any]]:
        return [*self._payers.values(), *([self._till] if self._till else [])]

    def _meant(self, message: AnyMessage | None) -> list[_Machine[Any]]:
        current, till = self._current, self._till
        everyone = [one for one in (current, till) if one is not None]
        match message:
            case Invite():
                return [current] if current else []
            case Receipt(pay_hash=hash):
                paid = (one for one in self._payers.values() if one.state.purse.payment(hash))
                return [one for one in (next(paid, current),) if one]
            case Void(request_id=id):
                paid = (one for one in self._payers.values() if one.state.purse.answer_to(id))
                return [one for one in (next(paid, current),) if one]
            case Pay(request_hash=hash):
                if till and (request := till.state.till.asked_with(hash)):
                    till.at_hand = request.id
                return [till] if till else []
            case _:
                return everyone[-1:]

    async def seen(self, taken: Iterable[Taken]) -> None:
        """What other tills of the shop took: one write for all, since nothing leaves in between."""
        if (till := self._till) is None:
            return
        async with self._turn:
            before = set(till.state.till.taken)  # all of it is told again at each start
            for one in taken:
                if one in before:
                    continue
                till.state, effects = till.step(till.state, Seen(self.now, one))
                if effects:
                    till.state, _ = till.step(till.state, Stored(self.now))
            if till.state != till.kept:
                await self._keep(till)

    async def greet(self) -> None:
        """The line is open: hand on what the issuer says, and send again what may have been lost.
        The bytes are those that were sent before."""
        self._handed, self._stale_news = frozenset(), 0
        await self.hand_on()
        if (request := self.asked) is not None and request.stage is RequestStage.INVITING:
            await self._send(request.invite)
        if (payer := self.payer) is not None:
            payment = payer.purse.payment(payer.at_hand)
            if payment and payment.stage is PaymentStage.SENT:
                await self._send(payer.purse.chain_of(payment).raw)

    async def hand_on(self) -> None:
        """Tell the other device what the issuer says, as far as it was not told on this line."""
        news = self.known.news if self.known else ()
        for message in news:
            if message not in self._handed:
                await self._send(message)
        self._handed = frozenset(news)

    # What the server says.

    async def take_known(self, known: Known) -> None:
        """From whom passes come, before there is one."""
        await self._write(Change(Shelf.FACT, memory.KNOWN, written(known)))

    async def take_pass(self, known: Known, message: bytes) -> None:
        """A new pass of this terminal's own, from now on the one that it pays and asks with."""
        own = Pass.parse(message)
        fresh = _payer(Payer(known, Purse.of(own)))
        async with self._turn:
            if own.id not in self._payers:
                await self._keep(fresh)
                self._payers[own.id] = fresh
        if self._till is not None:
            await self._run(self._till, Renewed(self.now, message))
            return
        till = _payee(Payee(known, Till(message)))
        await self._keep(till)
        self._till = till

    async def synced(
        self, now: int, tips: Mapping[bytes, Tip] = _NOTHING, ended: Container[bytes] = ()
    ) -> None:
        """The server answered, and its clock says `now`; it knows the chains of passes up to
        `tips`, and which have `ended`. Fills the outbox with all that it may not know."""
        for id, machine in self._payers.items():
            tip = tips.get(id, _UNKNOWN)
            event = Synced(now, tip.sequence, tip.hash, tip.cumulative, id in ended)
            await self._run(machine, event)
        if self._till:
            await self._run(self._till, Synced(now))

    async def learn(self, message: bytes) -> None:
        """Newer keys or a newer list from the server, also before there is a pass."""
        news = _readable(message)
        if isinstance(news, IssuerKeys | Revocations):
            await self._learn(news)

    async def outcome(self, hash: bytes, outcome: Outcomes) -> None:
        """The server's word on a payment."""
        for machine in self._all():
            await self._run(machine, Outcome(self.now, hash, outcome))

    # What there is to see.

    @property
    def asked(self) -> Request | None:
        """The request on the screen."""
        return self._till.state.till.request(self._till.at_hand) if self._till else None

    def deals(self) -> list[Deal]:
        """All payments that this terminal remembers, newest first."""
        made = [
            Deal.of_payment(one) for it in self._payers.values() for one in it.state.purse.payments
        ]
        over = (kept(Request, row) for _, row in self._journal.all(Shelf.RECEIPT))
        requests = [*over, *(self._till.state.till.requests if self._till else ())]
        taken = [deal for one in requests if (deal := Deal.of_request(one))]
        return sorted([*made, *taken], key=lambda deal: deal.time, reverse=True)

    # The work.

    async def _run(self, machine: _Machine[_State], event: Event) -> None:
        async with self._turn:
            await self._go(machine, event)

    async def _go(self, machine: _Machine[_State], event: Event) -> None:
        events = deque([event])
        while events:
            machine.state, effects = machine.step(machine.state, events.popleft())
            for effect in effects:
                if (answer := await self._carry_out(machine, effect)) is not None:
                    events.append(answer)

    async def _carry_out(self, machine: _Machine[_State], effect: Effect) -> Event | None:
        match effect:
            case Store():
                await self._keep(machine)
                await self._taken(machine.state)
                return Stored(self.now)
            case Sign():
                return self._signed(effect)
            case Send():
                await self._send(effect.data)
            case Upload():
                self.outbox.put(effect.items)
            case Show():
                self._show(effect, machine.state)
        return None

    def _show(self, show: Show, state: Payer | Payee) -> None:
        self._shown(show, state if isinstance(state, Payer) else self.asked)

    async def _taken(self, state: Payer | Payee) -> None:
        if isinstance(state, Payee) and state.storing:
            request = state.till.request(state.storing)
            if request and request.stage is RequestStage.VERIFIED:
                for pay in chain.read(request.pay).pays:
                    self._took(pay.raw)
                await self._gain(request)

    async def _gain_all(self, requests: Iterable[Request]) -> None:
        """After a start: each purse has heard of them, unless power was lost in between."""
        async with self._turn:
            for request in sorted(requests, key=lambda one: one.answered_at):
                if request.pay and request.stage not in _WORTH_LESS:
                    await self._gain(request)

    async def _gain(self, request: Request) -> None:
        """What was paid to a pass of this terminal's own, the pass may pass on."""
        link = chain.received(request.pay, request.invite)
        if (payer := self._payers.get(link.pay.payee_pass)) is not None:
            await self._go(payer, Gained(self.now, link.raw))

    def sign(self, to_sign: bytes) -> bytes | None:
        """The signature of the own pass's key; None where there is none."""
        return self._sign_with(self.own.key.raw, to_sign) if self.own else None

    def _sign_with(self, key: bytes, to_sign: bytes) -> bytes | None:
        secret = self._journal.read(Shelf.KEY, key)
        return PrivateKey.from_bytes(secret).sign(to_sign) if secret else None

    @property
    def till(self) -> Till | None:
        """What this terminal asked for, and what the shop has taken."""
        return self._till.state.till if self._till else None

    def _signed(self, effect: Sign) -> Event:
        signature = self._sign_with(effect.key, effect.to_sign)
        if signature is None:
            return Declined(self.now, effect.hash)
        return Signed(self.now, effect.hash, signature)

    async def _keep(self, *machines: _Machine[Any], trusted: bool = False) -> None:
        changes = [change for one in machines for change in one.changes(one.kept, one.state)]
        await self._write(*changes, trusted=trusted)
        for one in machines:
            one.kept = one.state

    async def _write(self, *changes: Change, trusted: bool = False) -> None:
        await asyncio.to_thread(self._journal.write, *changes, trusted=trusted)


def _readable(data: bytes) -> AnyMessage | None:
    try:
        return chain.message(data)
    except Malformed:
        return None
