"""A terminal's one line: who is talked to, who is refused, and what a break does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tikiwallet.terminal import link as links
from tikiwallet.terminal.discovery import Peer
from tikiwallet.terminal.line import Line, LineBusy, Phase
from tikiwallet.terminal.link import Certificate, Frame, Kind, Link, LinkLost, Listener


class Desk:
    """A line with its listener, and what it has told."""

    def __init__(self, name: str) -> None:
        self.certificate = Certificate.make()
        self.phases: list[Phase] = []
        self.words: list[str] = []
        self.opened = 0
        self.messages: list[bytes] = []
        self.line = Line(
            self.certificate, changed=self._changed, opened=self._opened, came=self._came
        )
        self.listener = Listener(self.certificate, self._rung, "127.0.0.1")
        self.links: list[Link] = []
        self.peer = Peer(name, name, ("127.0.0.1",), self.listener.port)

    def _changed(self, words: str) -> None:
        self.phases.append(self.line.phase)
        self.words.append(words)

    async def _opened(self) -> None:
        self.opened += 1

    async def _came(self, message: bytes) -> None:
        self.messages.append(message)

    async def _rung(self, link: Link) -> None:
        self.links.append(link)
        await self.line.take(link)

    async def close(self) -> None:
        await self.line.hang_up()
        await self.listener.close()
        self.certificate.close()


async def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not so():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


@asynccontextmanager
async def desk(name: str) -> AsyncIterator[Desk]:
    made = Desk(name)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def desks() -> AsyncIterator[tuple[Desk, Desk, Desk]]:
    async with AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(desk(name)) for name in "abc"])  # type: ignore[misc]


async def in_phase(phase: Phase, *desks: Desk) -> None:
    await until(lambda: all(one.line.phase is phase for one in desks))


async def open_line(one: Desk, other: Desk) -> None:
    one.line.call(other.peer)
    await in_phase(Phase.COMPARING, one, other)
    assert one.line.digits == other.line.digits
    await one.line.agree()
    assert one.line.phase is Phase.COMPARING
    await other.line.agree()
    await in_phase(Phase.OPEN, one, other)


async def test_both_people_agree_before_anything_is_said(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, _ = desks
    await a.line.send(b"too early")
    await open_line(a, b)
    await a.line.send(b"hello")
    await b.line.send(b"good day")
    await until(lambda: a.messages == [b"good day"] and b.messages == [b"hello"])
    await a.line.hang_up()
    await in_phase(Phase.IDLE, a, b)
    assert b.words[-1] == "The other side has hung up."
    assert (a.opened, b.opened) == (1, 1)


async def test_a_conversation_whose_time_is_up_frees_the_line(
    desks: tuple[Desk, Desk, Desk],
) -> None:
    a, b, _ = desks
    link = await links.connect(a.certificate, b.peer.addresses, b.peer.port)
    await in_phase(Phase.COMPARING, b)
    taking = asyncio.create_task(a.line.take(link))
    await in_phase(Phase.COMPARING, a)
    taking.cancel()
    await in_phase(Phase.IDLE, a, b)
    assert a.words[-1] == "the conversation has taken too long"
    await open_line(a, b)


async def test_who_speaks_before_the_digits_agree_is_cut_off(
    desks: tuple[Desk, Desk, Desk],
) -> None:
    a, b, _ = desks
    rude = await links.connect(a.certificate, b.peer.addresses, b.peer.port)
    await in_phase(Phase.COMPARING, b)
    await rude.send(Kind.CONFIRMED)
    await rude.send(Kind.MESSAGE, b"pay me")
    await in_phase(Phase.IDLE, b)
    assert b.messages == []
    assert "does not follow" in b.words[-1]
    rude.close()


async def test_others_hear_that_the_line_is_busy(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, c = desks
    await open_line(a, b)
    c.line.call(b.peer)
    await until(lambda: c.words[-1:] == ["The other side has hung up."])
    assert c.line.phase is Phase.IDLE
    with pytest.raises(LineBusy, match="hang up first"):
        a.line.call(c.peer)
    assert b.line.phase is Phase.OPEN


async def test_nobody_answers(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, _ = desks
    a.line.call(b.peer._replace(port=1))
    await in_phase(Phase.IDLE, a)
    assert "broke" in a.words[-1]
    with pytest.raises(LineBusy, match="no digits"):
        await a.line.agree()


async def test_a_broken_link_comes_back_without_comparing(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, _ = desks
    await open_line(a, b)
    b.links[0].close()
    await until(lambda: a.opened == 2 and b.opened == 2)
    assert Phase.LOST in a.phases
    await b.line.send(b"again")
    await until(lambda: a.messages == [b"again"])


async def test_a_broken_link_that_was_not_agreed_on_is_over(
    desks: tuple[Desk, Desk, Desk],
) -> None:
    a, b, _ = desks
    a.line.call(b.peer)
    await in_phase(Phase.COMPARING, a, b)
    b.links[0].close()
    await in_phase(Phase.IDLE, a, b)


async def test_hanging_up_forgets_that_the_digits_agreed(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, _ = desks
    await open_line(a, b)
    await b.line.hang_up()
    await in_phase(Phase.IDLE, a, b)
    await open_line(b, a)


async def test_hanging_up_while_it_is_lost(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, _ = desks
    await open_line(a, b)
    await b.listener.close()
    b.links[0].close()
    await in_phase(Phase.LOST, a)
    await a.line.hang_up()
    await in_phase(Phase.IDLE, a)


async def test_both_call_each_other(desks: tuple[Desk, Desk, Desk]) -> None:
    a, b, _ = desks
    a.line.call(b.peer)
    b.line.call(a.peer)
    await until(lambda: a.line.digits != "" and a.line.digits == b.line.digits)
    await asyncio.gather(a.line.agree(), b.line.agree())
    await in_phase(Phase.OPEN, a, b)


class Phone:
    """A link without a certificate, as phones have."""

    digits = "123456"
    peer = b""

    def __init__(self) -> None:
        self.sent: list[Kind] = []
        self.coming: asyncio.Queue[Frame | None] = asyncio.Queue()

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        self.sent.append(kind)

    async def receive(self) -> Frame:
        frame = await self.coming.get()
        if frame is None:
            raise LinkLost("the phone has hung up")
        return frame

    def close(self) -> None:
        self.coming.put_nowait(None)


async def test_a_phone_compares_each_time(desks: tuple[Desk, Desk, Desk]) -> None:
    a, _, _ = desks
    for _ in range(2):
        phone = Phone()
        talk = asyncio.create_task(a.line.take(phone))
        await in_phase(Phase.COMPARING, a)
        assert Kind.CONFIRMED not in phone.sent
        await a.line.agree()
        phone.coming.put_nowait(Frame(Kind.CONFIRMED, b""))
        await in_phase(Phase.OPEN, a)
        phone.close()
        await talk
        await in_phase(Phase.IDLE, a)
