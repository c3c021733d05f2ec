"""The shop's other tills: links on which terminals of one person tell each other what they took.

Of two that announce the same name, the one with the smaller id calls the other (`Hello.TILL`).
Then each proves, the caller first, that it is a terminal of the same person: its PASS, which holds
a commitment to the person's phone number, and its key's signature over both certificates. Who is
called says nothing before it has seen that. Then both tell all that they know (`seen`), and each
payment at once when it is taken. Whatever needs an issuer key to be believed comes after KEYS that
have it, so a till that was offline while the issuer changed its key learns it from the others.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from tikiwallet import logs
from tikiwallet.offline.known import Known
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.chain import PAY_LONGEST
from tikiwallet.offline.wire.messages import IssuerKeys, Pass
from tikiwallet.terminal import link as links
from tikiwallet.terminal.discovery import Peer
from tikiwallet.terminal.link import BODY_MOST, Certificate, Frame, Hello, Kind, Link, LinkLost
from tikiwallet.terminal.seen import Lied, packed

LINKS_MOST: Final = 16
_DOMAIN: Final = b"tikiwallet/offline/1/till\0"
_CALLED, _CALLING = b"\0", b"\1"
_SIGNATURE_BYTES: Final = 64
_PROOF_SECONDS: Final = 10.0
_UNPROVEN_MOST: Final = 8  # calls at a time that have not shown yet whose they are
_IN_FRAME: Final = BODY_MOST // (2 + PAY_LONGEST)
_WAITING_MOST: Final = 1_024  # for one link; who is further behind hears all when it is back
_FRAMES_PER_SECOND: Final = 20.0
_AGAIN_SECONDS, _AGAIN_MOST = 1.0, 32.0
_log = logs.get("terminal.tills")


class Owner(NamedTuple):
    """Whose terminal this is: its own pass, the number in it, and what tells real passes."""

    own: Pass
    phone: str
    known: Known

    def has(self, other: Pass) -> bool:
        """Whether a pass is this person's too, and good."""
        known = self.known
        return (
            bool(self.phone)
            and other.is_of(self.phone)
            and known.has_issued(other)
            and known.now < other.expiry
            and not known.has_revoked(other)
        )


class This(Protocol):
    """The terminal that is linked with the others."""

    def owner(self) -> Owner | None:
        """None while nobody has signed in, or there is no pass."""

    def sign(self, to_sign: bytes) -> bytes | None:
        """The signature of the own pass's key."""

    def keys(self) -> bytes:
        """The newest KEYS; empty where none are known."""

    async def learn(self, keys: bytes) -> None:
        """Another till knows these KEYS, which may be anybody's."""

    def taken(self) -> list[bytes]:
        """All payments that others have to know."""

    async def told(self, body: bytes) -> list[bytes]:
        """Another till took these; the answer: which of them are news. Raises `Lied`."""

    def linked(self, count: int) -> None:
        """With so many tills now."""


class Tills:
    """Calls, takes calls, and tells. `id` is this terminal's on the network."""

    def __init__(self, certificate: Certificate, this: This) -> None:
        self._certificate = certificate
        self._this = this
        self._near: dict[str, Peer] = {}
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._links: dict[Link, asyncio.Queue[bytes]] = {}
        self._unproven = 0

    def look(self, id: str, name: str, near: Iterable[Peer]) -> None:
        """These terminals are near: call those that may be the shop's, and are not called yet."""
        self._near = {peer.id: peer for peer in near if peer.name == name and peer.id > id}
        for id_ in self._near:
            if id_ not in self._calls:
                self._calls[id_] = asyncio.create_task(self._call(id_))

    def tell(self, pay: bytes, besides: Link | None = None) -> None:
        """A payment was taken: all tills but `besides` hear it at once."""
        for link, waiting in list(self._links.items()):
            if link is besides:
                continue
            try:
                waiting.put_nowait(pay)
            except asyncio.QueueFull:
                link.close()

    async def close(self) -> None:
        """End all links, and call nobody any more."""
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        for link in list(self._links):
            link.close()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _call(self, id: str) -> None:
        pause = _AGAIN_SECONDS
        while (peer := self._near.get(id)) is not None:
            if self._this.owner() is not None and len(self._links) < LINKS_MOST:
                with contextlib.suppress(LinkLost):
                    link = await links.connect(
                        self._certificate, peer.addresses, peer.port, Hello.TILL
                    )
                    if await self._share(link, calling=True):
                        pause = _AGAIN_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST)
        del self._calls[id]

    async def take(self, link: Link) -> None:
        """A call that came in, until it ends."""
        if len(self._links) >= LINKS_MOST or self._unproven >= _UNPROVEN_MOST:
            link.close()
            return
        await self._share(link, calling=False)

    async def _share(self, link: Link, *, calling: bool) -> bool:
        """Until the link ends; whether it was one of the shop's."""
        is_shops = False
        try:
            self._unproven += not calling
            try:
                async with asyncio.timeout(_PROOF_SECONDS):
                    other = await self._meet(link, calling)
            finally:
                self._unproven -= not calling
            is_shops = True
            waiting: asyncio.Queue[bytes] = asyncio.Queue(_WAITING_MOST)
            self._links[link] = waiting
            self._this.linked(len(self._links))
            telling = asyncio.create_task(self._say(link, waiting))
            try:
                await self._listen(link, other)
            finally:
                telling.cancel()
        except (LinkLost, TimeoutError) as lost:
            _log.info("the link with a till is over", reason=str(lost))
        finally:
            link.close()
            if self._links.pop(link, None) is not None:
                self._this.linked(len(self._links))
        return is_shops

    # Who is there.

    async def _meet(self, link: Link, calling: bool) -> Pass:
        """The other's pass, once both have proven to be the same person's."""
        if calling:
            await self._prove(link, _CALLING)
            return await self._proven(link, _CALLED)
        other = await self._proven(link, _CALLING)
        await self._prove(link, _CALLED)
        return other

    async def _prove(self, link: Link, side: bytes) -> None:
        owner = self._this.owner()
        signature = self._this.sign(self._bound(link, side, here=True))
        if owner is None or signature is None:
            raise LinkLost("this terminal has no pass")
        await link.send(Kind.MESSAGE, owner.known.keys)
        await link.send(Kind.PROOF, signature + owner.own.raw)

    async def _proven(self, link: Link, side: bytes) -> Pass:
        await self._learn(await link.receive())
        frame = await link.receive()
        try:
            other = Pass.parse(frame.body[_SIGNATURE_BYTES:])
        except Malformed:
            raise LinkLost("the other terminal shows no pass") from None
        signature = frame.body[:_SIGNATURE_BYTES]
        self._need(other)
        signed = other.key.verify(signature, self._bound(link, side, here=False))
        if frame.kind is not Kind.PROOF or not signed:
            raise LinkLost("the other terminal has not the key of its pass")
        return other

    def _need(self, other: Pass) -> None:
        owner = self._this.owner()
        if owner is None or not owner.has(other):
            raise LinkLost("the other terminal is not of this shop")

    def _bound(self, link: Link, side: bytes, *, here: bool) -> bytes:
        own = self._certificate.fingerprint
        return _DOMAIN + side + (own + link.peer if here else link.peer + own)

    async def _learn(self, frame: Frame) -> None:
        try:
            keys = IssuerKeys.parse(frame.body) if frame.kind is Kind.MESSAGE else None
        except Malformed:
            keys = None
        if keys is None:
            raise LinkLost("the other terminal does not follow the shop's talk")
        await self._this.learn(keys.raw)

    # What was taken.

    async def _say(self, link: Link, waiting: asyncio.Queue[bytes]) -> None:
        before = self._this.taken()
        said = b""
        with contextlib.suppress(LinkLost):  # whoever listens learns it
            for begin in range(0, len(before), _IN_FRAME):
                said = await self._say_taken(link, before[begin : begin + _IN_FRAME], said)
            while True:
                pays = [await waiting.get()]
                while len(pays) < _IN_FRAME and not waiting.empty():
                    pays.append(waiting.get_nowait())
                said = await self._say_taken(link, pays, said)

    async def _say_taken(self, link: Link, pays: list[bytes], said: bytes) -> bytes:
        """Before these payments the KEYS, if they are not those `said`; the answer: which were."""
        keys = self._this.keys()
        if keys != said:
            await link.send(Kind.MESSAGE, keys)
        await link.send(Kind.TAKEN, packed(pays))
        return keys

    async def _listen(self, link: Link, other: Pass) -> None:
        while True:
            frame = await link.receive()
            if frame.kind is Kind.TAKEN:
                await self._hear(link, other, frame.body)
            else:
                await self._learn(frame)
            await asyncio.sleep(1 / _FRAMES_PER_SECOND)

    async def _hear(self, link: Link, other: Pass, body: bytes) -> None:
        self._need(other)
        try:
            news = await self._this.told(body)
        except Lied as lied:
            raise LinkLost(f"the other terminal told {lied}") from None
        for pay in news:
            self.tell(pay, besides=link)
