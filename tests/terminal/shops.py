"""Terminals that have been online before: with an issuer's word, a pass and its key."""

import hashlib
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tikiwallet.offline.exchange.effects import Show, View
from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.cose import Kind, kid_of
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import IssuerKey, IssuerKeys, Limits, Pass, Revocations
from tikiwallet.offline.wire.phones import commitment
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.machines import Machines

DAY: Final = 86_400
INR: Final = 356
SARI, BUDI = "+6281278901234", "+919876543210"


class Issuer:
    """A service's root and issuer keys at the time `now`; the last one signs."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.root, self.keys = PrivateKey.generate(), [PrivateKey.generate()]

    @property
    def key(self) -> PrivateKey:
        return self.keys[-1]

    def rotate(self) -> None:
        """Sign with a fresh key from now on; the others stay in KEYS."""
        self.keys.append(PrivateKey.generate())

    def known(self, *, revoked: tuple[bytes, ...] = ()) -> Known:
        """What a terminal knows that has just been online."""
        listed = tuple(
            IssuerKey(
                kid_of(key.public),
                PublicKey(key.public),
                self.now - 30 * DAY,
                self.now + 90 * DAY,
            )
            for key in self.keys
        )
        made = IssuerKeys(serial=len(listed), time=self.now - DAY, keys=listed)
        keys = made.sealed_by(self.root)
        passes = tuple(sorted(revoked))
        news = Revocations(epoch=1 + len(passes), since=0, time=self.now - 60, passes=passes)
        known = Known(self.root.public, keys)
        return known.learn(Revocations.parse(news.sealed_by(self.key)))

    def issue(self, key: PublicKey, phone: str, name: str, amount: int, hops: int = 0) -> bytes:
        """A pass for four days."""
        salt = os.urandom(8)
        made = Pass(
            id=os.urandom(16),
            key=key,
            pseudonym=hashlib.sha256(phone.encode()).digest()[:8],
            phone=commitment(salt, phone),
            salt=salt,
            name=name,
            tier=2,
            currency=INR,
            amount=amount,
            start_sequence=1,
            not_before=self.now - 60,
            expiry=self.now + 4 * DAY,
            limits=Limits(most_per_payment=10_000, payments=20, hops=hops),
            epoch=1,
        )
        return made.sealed_by(self.key)


def _unheard(_show: Show, _about: object) -> None:
    pass


async def _unsent(_message: bytes) -> None:
    pass


async def provide(
    journal: Journal,
    issuer: Issuer,
    phone: str,
    name: str,
    amount: int,
    known: Known | None = None,
    hops: int = 0,
) -> bytes:
    """What a sync leaves in a terminal's journal; the pass's id. `known`: not the newest."""
    machines = Machines(journal, send=_unsent, shown=_unheard, clock=lambda: issuer.now)
    key = PrivateKey.generate()
    journal.write(Change(Shelf.KEY, key.public, key.to_bytes()))
    known = known or issuer.known()
    await machines.take_known(known)
    own = issuer.issue(PublicKey(key.public), phone, name, amount, hops)
    await machines.take_pass(known, own)
    return Pass.parse(own).id


async def set_up(folder: Path, issuer: Issuer, phone: str, name: str, amount: int) -> None:
    """The folder of a terminal that has been online."""
    journal = Journal.open(folder)
    await provide(journal, issuer, phone, name, amount)
    journal.close()


class Shop:
    """A terminal without a link: what it sends lies in `sent`."""

    def __init__(self, folder: Path, phone: str, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.clock = clock
        self.phone = phone
        self.sent: deque[bytes] = deque()
        self.views: list[View] = []
        self.refusals: list[Refusal] = []
        self.begin()

    def begin(self) -> None:
        self.journal = Journal.open(self.folder)
        self.machines = Machines(self.journal, send=self._send, shown=self._shown, clock=self.clock)

    async def restart(self) -> None:
        """As after a loss of power: what was not written is gone."""
        self.journal.close()
        self.sent.clear()
        self.views.clear()
        self.begin()
        await self.machines.start()

    async def _send(self, message: bytes) -> None:
        self.sent.append(message)

    def _shown(self, show: Show, _about: object) -> None:
        self.views.append(show.view)
        if show.refusal:
            self.refusals.append(show.refusal)

    def takes(self, kind: Kind) -> bytes:
        """The only message that it has sent."""
        [message] = self.sent
        self.sent.clear()
        assert chain.message(message).KIND is kind
        return message

    @property
    def left(self) -> int:
        assert self.machines.payer is not None
        return self.machines.payer.purse.left


async def meet(one: Shop, other: Shop) -> list[bytes]:
    """A line between them opens; what they say of the issuer, which each hears."""
    for shop in (one, other):
        await shop.machines.greet()
    said = [*one.sent, *other.sent]
    for sent, hears in ((one.sent, other), (other.sent, one)):
        while sent:
            await hears.machines.received(sent.popleft())
    return said


async def asked(payee: Shop, payer: Shop, amount: int = 1_250) -> None:
    """Up to the payer's review."""
    await payee.machines.ask(payer.phone, amount, "nasi goreng")
    await payer.machines.received(payee.takes(Kind.INVITE))
    await payer.machines.typed(payee.phone)


async def paid(payee: Shop, payer: Shop, amount: int = 1_250) -> None:
    """A whole payment."""
    await asked(payee, payer, amount)
    await payer.machines.confirmed()
    await payee.machines.received(payer.takes(Kind.PAY))
    await payer.machines.received(payee.takes(Kind.RECEIPT))
