"""The terminal's one line: a conversation with one other device at a time.

Calling or called, then six digits that both people compare, then messages. A link that breaks is
called again by whoever called, each second until somebody hangs up; the same two certificates need
no second comparison.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from tikiwallet.terminal import link as links
from tikiwallet.terminal.discovery import Peer
from tikiwallet.terminal.framed import Conversation
from tikiwallet.terminal.link import Certificate, Frame, Kind, LinkLost

_AGAIN_SECONDS: Final = 1.0
_HELD_SECONDS: Final = 30.0  # a broken conversation holds the line this long against others
_GOODBYE_SECONDS: Final = 1.0


class Phase(StrEnum):
    """Where the conversation is."""

    IDLE = "idle"
    CALLING = "calling"
    COMPARING = "comparing"
    OPEN = "open"
    LOST = "lost"


class LineBusy(Exception):
    """What was asked for does not fit the conversation; the text says why, for people."""


class Line:
    """`changed` is told of each new phase, with words when something went wrong; `opened` and
    `came` are awaited when both people have agreed, and for each message."""

    def __init__(
        self,
        certificate: Certificate,
        *,
        changed: Callable[[str], None],
        opened: Callable[[], Awaitable[None]],
        came: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._certificate = certificate
        self._changed = changed
        self._opened = opened
        self._came = came
        self._link: Conversation | None = None
        self._opener = b""
        self._peer = b""
        self._agreed_here = False
        self._agreed_there = False
        self._lost_at = 0.0
        self._calling: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self.phase = Phase.IDLE

    @property
    def digits(self) -> str:
        """What both people compare; empty where there is no link."""
        return self._link.digits if self._link else ""

    @property
    def agreed(self) -> bool:
        """Whether this side's person has said that the digits agree."""
        return self._agreed_here

    def call(self, peer: Peer) -> None:
        """Begin a conversation. Raises `LineBusy`."""
        if self.phase is not Phase.IDLE:
            raise LineBusy("This terminal is in a conversation; hang up first.")
        self._turn_to(Phase.CALLING)
        self._calling = asyncio.create_task(self._dial(peer))

    async def _dial(self, peer: Peer) -> None:
        while True:
            try:
                link = await links.connect(self._certificate, peer.addresses, peer.port)
            except LinkLost as lost:
                if self.phase is not Phase.LOST:
                    self._turn_to(Phase.IDLE, str(lost))
                    return
            else:
                await self._talk(link, self._certificate.fingerprint)
                if self.phase is not Phase.LOST:
                    return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def take(self, link: Conversation) -> None:
        """A call that came in, until it ends. Others than the one that is talked to hear that the
        line is busy."""
        again = bool(link.peer) and link.peer == self._peer
        held = self.phase is Phase.LOST and time.monotonic() - self._lost_at < _HELD_SECONDS
        if self.phase in (Phase.COMPARING, Phase.OPEN) or held:
            if not again:
                await _refuse(link)
                return
        elif self.phase is Phase.LOST and not again:
            self._forget()
        await self._talk(link, link.peer)

    async def _talk(self, link: Conversation, opener: bytes) -> None:
        """Until the link ends. Where both have called each other, the same one of the two links
        stays on both sides: that of the smaller fingerprint."""
        if self._link is not None and self._opener < opener:
            link.close()
            return
        old, self._link, self._opener = self._link, link, opener
        if old is not None:
            old.close()
        if link.peer != self._peer or not link.peer:
            self._agreed_here = False
        self._peer = link.peer
        self._agreed_there = False
        self._quiet.clear()
        self._turn_to(Phase.COMPARING)
        try:
            if self._agreed_here:
                await link.send(Kind.CONFIRMED)
            while self._link is link:
                await self._take_in(await link.receive())
        except LinkLost as lost:
            self._lose(link, str(lost))
        except asyncio.CancelledError:  # a phone's exchange has its time
            self._lose(link, "the conversation has taken too long")
            raise
        finally:
            link.close()
            if self._link in (None, link):
                self._quiet.set()

    async def _take_in(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.CONFIRMED:
                self._agreed_there = True
                await self._open()
            case Kind.MESSAGE if self.phase is Phase.OPEN:
                await self._came(frame.body)
            case Kind.HANG_UP:
                self._forget()
                self._turn_to(Phase.IDLE, "The other side has hung up.")
            case _:
                raise LinkLost("the other side does not follow the conversation")

    def _lose(self, link: Conversation, words: str) -> None:
        if self._link is not link:
            return
        self._link = None
        if self._agreed_here and self._peer:
            self._lost_at = time.monotonic()
            self._turn_to(Phase.LOST, words)
        else:
            self._forget()
            self._turn_to(Phase.IDLE, words)

    async def agree(self) -> None:
        """This side's person says that the digits agree. Raises `LineBusy`, `LinkLost`."""
        if self.phase is not Phase.COMPARING or self._link is None:
            raise LineBusy("There are no digits to compare.")
        self._agreed_here = True
        await self._link.send(Kind.CONFIRMED)
        await self._open()

    async def _open(self) -> None:
        if self._agreed_here and self._agreed_there and self.phase is Phase.COMPARING:
            self._turn_to(Phase.OPEN)
            await self._opened()

    async def send(self, message: bytes) -> None:
        """Hand a message over, where the line is open. What a break swallows is sent again by
        whoever is asked for it when the line is open again."""
        if self.phase is Phase.OPEN and self._link is not None:
            with contextlib.suppress(LinkLost):  # whoever receives learns it
                await self._link.send(Kind.MESSAGE, message)

    async def hang_up(self) -> None:
        """End the conversation, or the attempt at one."""
        link, calling = self._link, self._calling
        self._agreed_here = False  # so that nobody calls again
        if link is not None:
            with contextlib.suppress(LinkLost, TimeoutError):
                await link.send(Kind.HANG_UP)
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._quiet.wait()  # the other side closes once it has heard
            link.close()
            self._link = None
        if calling is not None:
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
        self._forget()
        if self.phase is not Phase.IDLE:
            self._turn_to(Phase.IDLE)

    def _forget(self) -> None:
        self._link = None
        self._peer = b""
        self._agreed_here = self._agreed_there = False
        self._calling = None

    def _turn_to(self, phase: Phase, words: str = "") -> None:
        self.phase = phase
        self._changed(words)


async def _refuse(link: Conversation) -> None:
    """Say goodbye, and leave the other a moment to hear it."""
    try:
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await link.send(Kind.HANG_UP)
            while True:
                await link.receive()
    except (LinkLost, TimeoutError):
        pass
    finally:
        link.close()
