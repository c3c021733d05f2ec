"""A terminal as one of its shop's tills: what they have seen (`seen`), their links (`tills`)."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from tikiwallet.offline.wire.messages import Pay
from tikiwallet.terminal.discovery import Discovery
from tikiwallet.terminal.journal import Journal
from tikiwallet.terminal.link import Certificate, Link
from tikiwallet.terminal.machines import Machines
from tikiwallet.terminal.seen import Lied, SeenPayments
from tikiwallet.terminal.tills import Owner, Tills

_T = TypeVar("_T")


class Hears(Protocol):
    """Hears what happens."""

    def tills(self, count: int) -> None:
        """So many other tills are linked now."""

    def signed_twice(self, pay: Pay, words: str) -> None:
        """There is a proof against the pass of this payment."""

    def failed(self, error: Exception) -> None:
        """The journal could not be written."""


class Shop:
    """`phone` tells whose terminal it is."""

    def __init__(
        self,
        journal: Journal,
        machines: Machines,
        certificate: Certificate,
        phone: Callable[[], str],
        hears: Hears,
    ) -> None:
        self._machines = machines
        self._phone = phone
        self._hears = hears
        self._seen = SeenPayments(journal, machines, hears.signed_twice)
        self._tills = Tills(certificate, self)
        self.count = 0

    async def start(self) -> None:
        """Go on from the journal."""
        await self._seen.start()

    async def close(self) -> None:
        """Leave the other tills."""
        await self._tills.close()

    def look(self, discovery: Discovery) -> None:
        """The terminals near have changed."""
        self._tills.look(discovery.id, discovery.name, discovery.peers.values())

    async def take(self, link: Link) -> None:
        """Another till calls."""
        await self._tills.take(link)

    def took(self, pay: bytes) -> None:
        """This till took a payment, or one that was passed on with it."""
        self._seen.took(pay)
        self._tills.tell(pay)

    def judge(self, message: bytes) -> str | None:
        """Who signed twice for what a payer shows, in words that only a shop's till knows."""
        return self._seen.judge_shown(message)

    def proofs(self) -> list[dict[str, Any]]:
        """The passes whose keys signed twice."""
        return self._seen.proofs()

    # What the links ask.

    def owner(self) -> Owner | None:
        own, known = self._machines.own, self._machines.known
        return Owner(own, self._phone(), known) if own and known else None

    def sign(self, to_sign: bytes) -> bytes | None:
        return self._machines.sign(to_sign)

    def taken(self) -> list[bytes]:
        return self._seen.all()

    def keys(self) -> bytes:
        known = self._machines.known
        return known.keys if known else b""

    async def learn(self, keys: bytes) -> None:
        await self._kept(self._machines.learn(keys))

    async def told(self, body: bytes) -> list[bytes]:
        return await self._kept(self._seen.hear(body))

    async def _kept(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except Lied:
            raise
        except Exception as error:
            self._hears.failed(error)
            raise

    def linked(self, count: int) -> None:
        self.count = count
        self._hears.tills(count)
