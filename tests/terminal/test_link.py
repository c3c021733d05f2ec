"""Links between terminals: private, compared by six digits, bounded in time and size."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator

import pytest

from tikiwallet.terminal import link as links
from tikiwallet.terminal import short_string
from tikiwallet.terminal.link import BODY_MOST, Certificate, Frame, Kind, Link, LinkLost, Listener

LOCAL = ("127.0.0.1",)


class Answering:
    """A terminal that listens, and the links that came in."""

    def __init__(self) -> None:
        self.certificate = Certificate.make()
        self.came: asyncio.Queue[Link] = asyncio.Queue()
        self.listener = Listener(self.certificate, self.came.put, "127.0.0.1")

    async def close(self) -> None:
        await self.listener.close()
        while not self.came.empty():
            self.came.get_nowait().close()
        self.certificate.close()


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    there = Answering()
    yield there
    await there.close()


@contextlib.asynccontextmanager
async def pair(answering: Answering) -> AsyncIterator[tuple[Link, Link]]:
    certificate = Certificate.make()
    here = await links.connect(certificate, LOCAL, answering.listener.port)
    there = await answering.came.get()
    try:
        yield here, there
    finally:
        here.close()
        there.close()
        certificate.close()


async def test_both_sides_see_the_same_digits_and_each_others_certificates(
    answering: Answering,
) -> None:
    async with pair(answering) as (here, there):
        assert here.digits == there.digits
        assert len(here.digits) == 6
        assert here.digits.isdigit()
        assert here.peer == answering.certificate.fingerprint
        await here.send(Kind.MESSAGE, b"x" * BODY_MOST)
        assert await there.receive() == Frame(Kind.MESSAGE, b"x" * BODY_MOST)
        await there.send(Kind.CONFIRMED)
        assert await here.receive() == Frame(Kind.CONFIRMED, b"")


async def test_digits_differ_from_link_to_link(answering: Answering) -> None:
    seen = set()
    for _ in range(5):
        async with pair(answering) as (here, _):
            seen.add(here.digits)
    assert len(seen) > 3


async def test_who_sits_in_between_shows_in_the_digits(answering: Answering) -> None:
    """The one in between is a terminal to both sides, and passes all frames on."""
    between = Answering()
    certificate = Certificate.make()
    here = await links.connect(certificate, LOCAL, between.listener.port)
    onwards = await links.connect(between.certificate, LOCAL, answering.listener.port)
    there = await answering.came.get()
    assert here.digits != there.digits
    assert there.peer == between.certificate.fingerprint
    for link in (here, onwards, there):
        link.close()
    certificate.close()
    await between.close()


async def test_a_nonce_other_than_the_committed_one_is_refused(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Link.send

    async def send(self: Link, kind: Kind, body: bytes = b"") -> None:
        await real(self, kind, os.urandom(32) if kind is Kind.REVEAL else body)

    monkeypatch.setattr(Link, "send", send)
    certificate = Certificate.make()
    here = await links.connect(certificate, LOCAL, answering.listener.port)
    with pytest.raises(LinkLost, match=r"hung up|broke"):
        await here.receive()
    assert answering.came.empty()
    here.close()
    certificate.close()


async def test_nobody_tries_unseen_until_the_digits_suit_him(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects knows the digits before he reveals his nonce, and could break off each time."""
    real = Link.send

    async def send(self: Link, kind: Kind, body: bytes = b"") -> None:
        if kind is Kind.REVEAL:
            raise LinkLost("the digits do not suit")
        await real(self, kind, body)

    certificate = Certificate.make()
    with monkeypatch.context() as changed:
        changed.setattr(Link, "send", send)
        for _ in range(short_string.TRIES_MOST):
            with pytest.raises(LinkLost, match="do not suit"):
                await links.connect(certificate, LOCAL, answering.listener.port)
        with pytest.raises(LinkLost, match=r"hung up|broke"):
            await links.connect(certificate, LOCAL, answering.listener.port)
    with pytest.raises(LinkLost, match=r"hung up|broke"):
        await links.connect(certificate, LOCAL, answering.listener.port)
    certificate.close()
    monkeypatch.setattr(short_string, "TRIES_SECONDS", 0)
    async with pair(answering) as (here, there):
        assert here.digits == there.digits


@pytest.mark.parametrize("length", [0, BODY_MOST + 2, 2**32 - 1])
async def test_frames_out_of_bounds_are_refused(answering: Answering, length: int) -> None:
    async with pair(answering) as (here, there):
        here._writer.write(length.to_bytes(4, "big") + b"\x05" * 10)
        with pytest.raises(LinkLost, match=f"a frame of {length} bytes"):
            await there.receive()
        with pytest.raises(ValueError, match="16384 bytes"):
            await there.send(Kind.MESSAGE, bytes(BODY_MOST + 1))


async def test_frames_of_no_known_kind_are_refused(answering: Answering) -> None:
    async with pair(answering) as (here, there):
        here._writer.write(b"\0\0\0\1\xff")
        with pytest.raises(LinkLost, match="no known kind"):
            await there.receive()


async def test_silence_is_noticed(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_SILENCE_SECONDS", 0.3)
    async with pair(answering) as (here, there):
        assert here._pinging is not None
        here._pinging.cancel()
        with pytest.raises(LinkLost, match="silent"):
            await there.receive()


async def test_pings_keep_a_quiet_link(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(links, "_PING_SECONDS", 0.05)
    async with pair(answering) as (_, there):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await there.receive()


async def test_hanging_up_is_noticed(answering: Answering) -> None:
    async with pair(answering) as (here, there):
        here.close()
        with pytest.raises(LinkLost):
            await there.receive()


async def test_nobody_there() -> None:
    certificate = Certificate.make()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(LinkLost, match="broke"):
        await links.connect(certificate, LOCAL, port)
    with pytest.raises(LinkLost, match="no address"):
        await links.connect(certificate, (), port)
    with pytest.raises(LinkLost, match="is no address"):
        await links.connect(certificate, ("nowhere.example",), port)
    certificate.close()


def openings(certificate: Certificate) -> list[bytes]:
    chance = random.Random(4)
    der = certificate.der
    hello = b"TW1" + len(der).to_bytes(2, "big") + der
    return [
        b"GET / HTTP/1.1\r\n\r\n",
        b"TW1\xff\xff" + bytes(70_000),
        b"TW1\0\0",
        b"TW1\0\x09not a DER",
        hello[:100],
        hello,
        hello + bytes(300),
        hello + b"\x16\x03\x01\x00\x05hello",
        *(chance.randbytes(chance.randrange(200)) for _ in range(20)),
        *(hello + chance.randbytes(chance.randrange(200)) for _ in range(20)),
    ]


async def test_strangers_do_not_disturb(answering: Answering) -> None:
    certificate = Certificate.make()
    for opening in openings(certificate):
        _, writer = await asyncio.open_connection("127.0.0.1", answering.listener.port)
        writer.write(opening)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    async with pair(answering) as (here, there):
        assert here.digits == there.digits
    certificate.close()


async def test_who_gives_up_in_the_handshake_leaves_nothing_open(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: asyncio.Queue[Link] = asyncio.Queue()

    async def agree(self: Link, *_: object) -> None:
        await begun.put(self)
        await asyncio.Event().wait()

    monkeypatch.setattr(Link, "agree", agree)
    certificate = Certificate.make()
    calling = asyncio.create_task(links.connect(certificate, LOCAL, answering.listener.port))
    both = [await begun.get(), await begun.get()]
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    await answering.listener.close()
    assert all(link._writer.transport.is_closing() for link in both)
    certificate.close()


async def test_one_address_holds_few_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """However quiet it keeps them, others get through."""
    came: list[Link] = []

    async def held(link: Link) -> None:
        came.append(link)
        await asyncio.Event().wait()

    certificate = Certificate.make()
    listener = Listener(certificate, held, "127.0.0.1")
    monkeypatch.setattr(links, "_FROM_ONE_MOST", 2)
    mine = [await links.connect(certificate, LOCAL, listener.port) for _ in range(2)]
    with pytest.raises(LinkLost, match=r"hung up|broke"):
        await links.connect(certificate, LOCAL, listener.port)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", listener.port, local_addr=("127.0.0.2", 0)
    )
    assert await reader.readexactly(3) == b"TW1"
    writer.close()
    await listener.close()
    for link in (*mine, *came):
        link.close()
    certificate.close()


async def test_strangers_who_say_nothing_are_let_go(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_OPEN_SECONDS", 0.3)
    silent = [
        await asyncio.open_connection(
            "127.0.0.1", answering.listener.port, local_addr=(f"127.0.0.{2 + number}", 0)
        )
        for number in range(12)
    ]
    monkeypatch.setattr(links, "_OPEN_SECONDS", 10)
    async with pair(answering) as (here, there):
        assert here.digits == there.digits
    for _, writer in silent:
        writer.close()
