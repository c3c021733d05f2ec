"""What the tills of a shop have taken, each payment whole, so that a pass's key that signed twice
is seen at the second till, and proven.

Nobody's word is believed: only a PAY that its pass's key signed, and a pass that the issuer signed,
count as taken. So another till can keep one back, but cannot make one up.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from tikiwallet.offline import evidence
from tikiwallet.offline.checks import contradict
from tikiwallet.offline.exchange.till import Taken
from tikiwallet.offline.limits import CLAIM_HOURS
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.messages import Pay
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.machines import Machines

ELSEWHERE: Final = (
    "Already used at another till: the payer has signed another payment in this one's place. Hand"
    " nothing over; both payments are kept as proof."
)
PASSED_ON: Final = (
    "The money passed on here came from {name}, who has signed another payment in its place. Hand"
    " nothing over; both payments are kept as proof."
)
_TWICE: Final = (
    "{name} has signed two payments in one place, one of them at another till. Both are kept as"
    " proof. Sync soon: whichever reaches the service first is paid first."
)
_SHOWN_TWICE: Final = (
    "{name} has signed two payments in one place, and both were shown here. They are kept as proof."
)
_TOLD_MOST: Final = 16_384  # of other tills; some 10 MB
_CLAIMED: Final = CLAIM_HOURS * 3_600
_LENGTH: Final = 2


class Lied(ValueError):
    """No till says this; the text says what it said."""


def packed(pays: Iterable[bytes]) -> bytes:
    """Payments as one frame's body: 2 bytes of length before each."""
    return b"".join(len(pay).to_bytes(_LENGTH, "big") + pay for pay in pays)


def unpacked(body: bytes) -> Iterator[bytes]:
    """What `packed` packed. Raises `Lied`."""
    while body:
        end = _LENGTH + int.from_bytes(body[:_LENGTH], "big")
        if not _LENGTH < end <= len(body):
            raise Lied("payments of another length than they say")
        yield body[_LENGTH:end]
        body = body[end:]


class SeenPayments:
    """Those that this terminal took, and those that it was told of by other tills. `twice` hears,
    once for each pass, that its key signed two payments in one place."""

    def __init__(
        self, journal: Journal, machines: Machines, twice: Callable[[Pay, str], None]
    ) -> None:
        self._journal = journal
        self._machines = machines
        self._twice = twice
        self._pays: dict[bytes, Pay] = {}  # by hash
        self._of_pass: dict[bytes, list[Pay]] = {}
        self._told: set[bytes] = set()

    async def start(self) -> None:
        """Go on from the journal."""
        for request in self._machines.till.requests if self._machines.till else ():
            if request.pay:
                for pay in chain.read(request.pay).pays:
                    self._hold(pay)
        told = [Pay.parse(raw) for _, raw in self._journal.all(Shelf.TOLD)]
        for pay in told:
            self._hold(pay, told=True)
        await self._tidy()
        await self._count(told)

    def took(self, raw: bytes) -> None:
        """This terminal took a payment, or one that was passed on with it."""
        self._hold(Pay.parse(raw))

    def _hold(self, pay: Pay, *, told: bool = False) -> None:
        if told:
            self._told.add(pay.hash)
        if pay.hash in self._pays:
            return
        self._pays[pay.hash] = pay
        self._of_pass.setdefault(pay.payer.id, []).append(pay)

    def all(self) -> list[bytes]:
        """What another till has to know: all that can still be claimed."""
        return [pay.raw for pay in self._pays.values() if self._matters(pay)]

    def _matters(self, pay: Pay) -> bool:
        return pay.payer.expiry + _CLAIMED > self._machines.now

    async def hear(self, body: bytes) -> list[bytes]:
        """What another till took: those payments that were not known here. Raises `Lied`, and then
        has heard nothing of it."""
        if len(self._told) >= _TOLD_MOST:
            await self._tidy()
        news = {pay.hash: pay for raw in unpacked(body) if (pay := self._news(raw))}
        pays = list(news.values())[: max(0, _TOLD_MOST - len(self._told))]
        for pay in pays:
            self.judge(pay)
            self._hold(pay, told=True)
        if pays:
            await self._count(pays)
            await self._write(*(Change(Shelf.TOLD, pay.hash, pay.raw) for pay in pays))
        return [pay.raw for pay in pays]

    async def _count(self, pays: list[Pay]) -> None:
        """The till refuses what contradicts these; expired passes it refuses anyway."""
        now = self._machines.now
        await self._machines.seen([Taken.of(pay) for pay in pays if pay.payer.expiry > now])

    async def _tidy(self) -> None:
        over = [pay for pay in self._pays.values() if not self._matters(pay)]
        told = [pay.hash for pay in over if pay.hash in self._told]
        for pay in over:
            del self._pays[pay.hash]
            self._of_pass.pop(pay.payer.id, None)
        self._told.difference_update(told)
        if told:
            await self._write(*(Change(Shelf.TOLD, hash, None) for hash in told))

    async def _write(self, *changes: Change) -> None:
        await asyncio.to_thread(self._journal.write, *changes)

    def _news(self, raw: bytes) -> Pay | None:
        try:
            pay = Pay.parse(raw)
        except Malformed as error:
            raise Lied(f"what is no payment: {error}") from None
        if pay.hash in self._pays or not self._matters(pay):
            return None
        known = self._machines.known
        if known is None or not known.has_issued(pay.payer):
            return None
        if not pay.is_signed_by(pay.payer.key):
            raise Lied("a payment that its payer did not sign")
        return pay

    def judge(self, pay: Pay, beside: Sequence[Pay] = ()) -> Pay | None:
        """What was taken here or by another till, or is shown `beside` it, and contradicts `pay`,
        which is signed. The two are kept as proof."""
        this = Taken.of(pay)
        for other in [*self._of_pass.get(this.payer, []), *beside]:
            if other.payer.id == this.payer and contradict(this, Taken.of(other)):
                self._keep(other, pay)
                return other
        return None

    def judge_shown(self, message: bytes) -> str | None:
        """Judges a message that a payer shows, which may be anything, and all that is passed on
        with it. In words who signed twice, where the machine's own would not tell it."""
        try:
            shown = chain.read(message)
        except Malformed:
            return None
        known = self._machines.known
        real = [
            pay
            for pay in shown.pays
            if known and known.has_issued(pay.payer) and pay.is_signed_by(pay.payer.key)
        ]
        judged = [(pay, self.judge(pay, real[:at])) for at, pay in enumerate(real)]  # all of them
        for pay, other in judged:
            if other and pay.payer.id != shown.pay.payer.id:
                return PASSED_ON.format(name=pay.payer.name)
            if other and other.hash in self._told:
                return ELSEWHERE
        return None

    def _keep(self, one: Pay, other: Pay) -> None:
        id = one.payer.id
        if one.payer.hash != other.payer.hash or self._journal.read(Shelf.PROOF, id):
            return
        self._journal.write(Change(Shelf.PROOF, id, packed((one.raw, other.raw))))
        words = _TWICE if one.hash in self._pays else _SHOWN_TWICE
        self._twice(other, words.format(name=other.payer.name))

    def proofs(self) -> list[dict[str, Any]]:
        """Each pass whose key signed twice, as a document that proves itself
        (`tikiwallet offline verify-evidence`)."""
        known = self._machines.known
        found = []
        for _, value in self._journal.all(Shelf.PROOF) if known else ():
            one, other = (Pay.parse(raw) for raw in unpacked(value))
            if known and (told := evidence.of_payments(known.root, known.keys, one, other)):
                found.append(told)
        return found
