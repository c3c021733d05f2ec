"""Devices, the air between them and a server, with everything that can go wrong.

A device is one of the two machines with a disk: what it does is done effect by effect, so that it
can crash between any two, and what it finds then is what it stored last.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, Final, Generic, TypeVar

from tests.offline import samples
from tests.offline.samples import NOW, octets
from tests.offline.scripts import machine_of
from tests.offline.settlement_model import Server

from tikiwallet.offline.exchange.effects import (
    Asked,
    Cancelled,
    Confirmed,
    Effect,
    Event,
    Gained,
    Item,
    Outcome,
    Outcomes,
    Received,
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
from tikiwallet.offline.exchange.purse import Purse, Stage
from tikiwallet.offline.exchange.till import Stage as RequestStage
from tikiwallet.offline.exchange.till import Taken, Till
from tikiwallet.offline.known import Known
from tikiwallet.offline.wire.chain import received
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import HOPS_MOST, Invite, Revocations

S = TypeVar("S", Payer, Payee)
Occurs = Callable[[int], Event]
PASS: Final = 2_000
WALLET: Final = 2_500
TRADERS: Final = 100  # little of their own, so that they soon pass on what they received
_LONGEST: Final = 40  # steps of one meeting
_WORTH_LESS: Final = (RequestStage.PARTIAL, RequestStage.REJECTED)


@dataclass
class Saved:
    """What survives a crash: the state, and apart from it the purse's mark."""

    state: bytes
    mark: int | None


class Mark(Enum):
    """What a restored store finds beside it: the mark as it should be, none, or an old one too."""

    RIGHT = "right"
    GONE = "gone"
    OLD = "old"


@dataclass(eq=False)
class Device(Generic[S]):
    """One device. `skew`: how far its clock is off. `rolled_back`: an older store was put in place
    of its own, and nothing told. `purse`: the other machine of a payee's device, which may pass on
    what this one is paid with."""

    owner: str
    phone: str
    state: S
    key: PrivateKey
    world: "World"
    purse: "Device[Payer] | None" = None
    skew: int = 0
    rolled_back: bool = False
    todo: deque[Effect | Occurs] = field(default_factory=deque)
    uploads: list[Item] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._save()

    def happens(self, occurs: Occurs) -> None:
        """An event. While a write is under way it is lost on the device, unless it is its end."""
        event = occurs(max(0, self.world.now + self.skew))
        if self.state.storing is not None and not isinstance(event, Stored | Restarted):
            return
        self.state, effects = machine_of(self.state)(self.state, event)
        writes = [one for one in effects if isinstance(one, Store)]
        self.todo.extendleft(writes)
        self.todo.extend(one for one in effects if not isinstance(one, Store))

    def works(self) -> bool:
        """Carry out one effect, or give one answer; False when there is nothing to do."""
        if not self.todo:
            return False
        match self.todo.popleft():
            case Store():
                self._save()
                self.todo.appendleft(Stored)
                self._gains()
            case Sign(hash=hash, to_sign=to_sign, key=key):
                assert key == self.key.public
                self.todo.appendleft(partial(_signed, hash, self.key.sign(to_sign)))
            case Send(data=data):
                self.world.air.append((self, data))
            case Upload(items=items):
                self.uploads += items
            case Show():
                pass
            case occurs:
                self.happens(occurs)
        return True

    def finishes(self) -> None:
        """Carry out everything."""
        while self.works():
            pass

    def crashes(self) -> None:
        """Lose all but what was stored."""
        self._starts(self.saved[-1].mark)

    def is_restored(self, back: int, mark: Mark) -> None:
        """Start with the store as it was `back` writes ago."""
        index = max(0, len(self.saved) - 1 - back)
        before = self.saved[-1].mark
        self.saved = [replace(one) for one in self.saved[: index + 1]]
        found = self.saved[-1]
        if self.purse is not None:  # it may deny what the other machine has passed on
            self.rolled_back |= back > 0
        if mark is Mark.RIGHT:
            found.mark = before
        elif mark is Mark.GONE:
            found.mark = None
        elif isinstance(self.state, Payee):
            self.rolled_back |= back > 0
        else:
            self.rolled_back |= found.mark != before
        self._starts(found.mark)

    def connects(self, *, answered: bool = True) -> None:
        """Be online: bring what waits, get the newest list, hear what came of it all."""
        server = self.world.server
        server.now = self.world.now
        outcomes = [server.take(self.owner, item) for item in self.uploads]
        self.finishes()
        if not answered:
            return
        self.uploads.clear()
        self.happens(partial(_received, server.revocations()))
        self.finishes()
        self._syncs()
        for hash, outcome in outcomes:
            for one in (self.purse, self):
                if one is not None:
                    one.happens(partial(_settled, hash, outcome))
                    one.finishes()

    def _syncs(self) -> None:
        server, tip, ended = self.world.server, None, False
        if isinstance(self.state, Payer):
            id = self.state.purse.holder.id
            tip, ended = server.tip(id), id in server.closes
        skew, self.skew = self.skew, 0  # the server's time
        if tip:
            self.happens(lambda now: Synced(now, tip.sequence, tip.hash, tip.cumulative, ended))
        else:
            self.happens(Synced)
        self.skew = skew
        self.finishes()

    def _starts(self, mark: int | None) -> None:
        self.todo.clear()
        self.uploads.clear()
        self.state = kept(type(self.state), self.saved[-1].state)
        self.happens(lambda now: Restarted(now, mark))
        self._gains()

    def _gains(self) -> None:
        """All that this till has taken, at its purse; what is known there changes nothing."""
        if self.purse is None or not isinstance(self.state, Payee):
            return
        for request in sorted(self.state.till.requests, key=lambda one: one.answered_at):
            if request.pay and request.stage not in _WORTH_LESS:
                link = received(request.pay, request.invite)
                self.purse.happens(partial(_gained, link.raw))

    def _save(self) -> None:
        self.saved.append(Saved(written(self.state), _mark_of(self.state)))


def _mark_of(state: Payer | Payee) -> int | None:
    return state.purse.mark if isinstance(state, Payer) else 0


def _signed(hash: bytes, signature: bytes, now: int) -> Signed:
    return Signed(now, hash, signature)


def _seen(taken: Taken, now: int) -> Seen:
    return Seen(now, taken)


def _gained(chain: bytes, now: int) -> Gained:
    return Gained(now, chain)


def _settled(hash: bytes, outcome: Outcomes, now: int) -> Outcome:
    return Outcome(now, hash, outcome)


def _received(data: bytes, now: int) -> Received:
    return Received(now, data)


@dataclass
class World:
    """Everybody. `air` holds every message ever sent, and by whom; `dishonest` the owners who
    cloned a device, or whose store went back unnoticed."""

    now: int = NOW + 60
    server: Server = field(default_factory=Server)
    payers: list[Device[Payer]] = field(default_factory=list)
    payees: list[Device[Payee]] = field(default_factory=list)
    air: list[tuple[Device[Any], bytes]] = field(default_factory=list)
    dishonest: set[str] = field(default_factory=set)
    requests: int = 0
    carried: int = 0

    @property
    def devices(self) -> list[Device[Any]]:
        """All of them."""
        return [*self.payers, *self.payees]

    def populate(self, payers: int, payees: int, traders: int) -> None:
        """People with money, each with a device; traders pay with what they are paid with."""
        for number in range(payers):
            owner = f"payer {number}"
            self.server.wallets[owner] = WALLET
            self.add_payer(owner, f"+65800000{number:02}")
        for number in range(payees):
            owner, phone = f"payee {number}", f"+65900000{number:02}"
            key = self._key()
            own = self.server.issue(owner, phone, key, 0)
            state = Payee(self._known(), Till(own.raw))
            self.payees.append(Device(owner, phone, state, key, self))
        for number in range(traders):
            self._add_trader(f"trader {number}", f"+65910000{number:02}", 1 + number % HOPS_MOST)

    def _add_trader(self, owner: str, phone: str, hops: int) -> None:
        self.server.wallets[owner] = WALLET
        key = self._key()
        own = self.server.issue(owner, phone, key, TRADERS, hops)
        purse = Device(owner, phone, Payer(self._known(), Purse.of(own)), key, self)
        till = Payee(self._known(), Till(own.raw))
        self.payers.append(purse)
        self.payees.append(Device(owner, phone, till, key, self, purse))

    def add_payer(self, owner: str, phone: str) -> None:
        """A new pass of this person, on a machine of its own."""
        self.server.now = self.now
        key = self._key()
        own = self.server.issue(owner, phone, key, PASS)
        state = Payer(self._known(), Purse.of(own))
        self.payers.append(Device(owner, phone, state, key, self))

    def clone(self, device: Device[Payer]) -> Device[Payer]:
        """The same store on a second device: what malicious payers do."""
        self.dishonest.add(device.owner)
        twin = Device(device.owner, device.phone, device.state, device.key, self)
        twin.state = kept(Payer, device.saved[-1].state)
        twin.saved = [replace(device.saved[-1])]
        twin.crashes()
        self.payers.append(twin)
        return twin

    def restore(self, device: Device[Any], back: int, mark: Mark) -> None:
        """An older store in place of a device's own."""
        device.is_restored(back, mark)
        if device.rolled_back:
            self.dishonest.add(device.owner)

    def delivers(self, device: Device[Any], data: bytes) -> None:
        """A message reaches a device, whoever it was for."""
        device.happens(partial(_received, data))

    def meet(
        self, payer: Device[Payer], payee: Device[Payee], amount: int, faults: list[int]
    ) -> None:
        """An exchange, as far as it comes. Each step takes one of `faults`; 0 is none."""
        self.requests += 1
        request = octets(f"request {self.requests}")
        began = len(self.air)
        payee.happens(lambda now: Asked(now, request, payer.phone, amount))
        for fault in [*faults, *[0] * (_LONGEST - len(faults))]:
            match fault:
                case 1:
                    payer.crashes()
                case 2:
                    payee.crashes()
                case 3:
                    payer.happens(SetAside)
                case 4:
                    payee.happens(lambda now: Cancelled(now, request))
                case 5:
                    return
                case _:
                    if not self._goes_on(payer, payee, began, fault):
                        return

    def _goes_on(self, payer: Device[Payer], payee: Device[Payee], began: int, fault: int) -> bool:
        if payer.works() or payee.works():
            return True
        offer = payer.state.offer
        own = payee.state.till.holder
        if payer.state.stage is Stage.REVIEW and offer and Invite.parse(offer.invite).payee == own:
            payer.happens(Confirmed if offer.matched else lambda now: Typed(now, payee.phone))
            return True
        return self._carry(payer, payee, began, fault)

    def _carry(self, payer: Device[Payer], payee: Device[Payee], began: int, fault: int) -> bool:
        """The next message of this meeting, to the other side: lost, twice, spoilt, or as it is."""
        at = max(began, self.carried)
        if at == len(self.air):
            return False
        self.carried = at + 1
        sender, data = self.air[at]
        other = payee if sender is payer else payer
        if fault == 6:
            return True
        if fault == 7:
            data = spoilt(data, len(self.air))
        self.delivers(other, data)
        if fault == 8:
            other.finishes()
            self.delivers(other, data)
        return True

    def gossip(self, one: Device[Payee], other: Device[Payee]) -> None:
        """A shop's device tells another what it took."""
        for taken in one.state.till.taken:
            other.happens(partial(_seen, taken))
            other.finishes()

    def ends(self) -> None:
        """Everybody finishes what is under way and is online; then all passes end."""
        for _ in range(3):
            for device in self.devices:
                device.finishes()
                device.crashes()
                device.finishes()
                device.connects()
        self.server.expire()

    def _known(self) -> Known:
        fresh = Known(samples.ROOT.public, samples.issuer_keys().raw)
        return fresh.learn(Revocations.parse(self.server.revocations()))

    def _key(self) -> PrivateKey:
        return PrivateKey.from_bytes(octets(f"key {len(self.server.passes)}", 32))


def spoilt(data: bytes, at: int) -> bytes:
    """`data` with one bit turned."""
    place = at * 7 % len(data)
    return data[:place] + bytes([data[place] ^ 1 << at % 8]) + data[place + 1 :]
