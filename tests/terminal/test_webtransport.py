"""The server against a phone that can do anything; a real browser is in tests/app."""

import asyncio
import os
import random
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from aioquic.h3.connection import ErrorCode
from aioquic.quic.packet import QuicErrorCode
from tests.terminal.phone import Phone, PhonesLink, phone_at

from tikiwallet import clock
from tikiwallet.terminal.framed import Conversation, packed
from tikiwallet.terminal.link import BODY_MOST, Kind, LinkLost
from tikiwallet.terminal.webtransport import WebTransportServer
from tikiwallet.terminal.webtransport_limits import Limits

ORIGIN = "https://wallet.example"
LIMITS = Limits(sessions=3, quiet=1, arrival=1, idle=2, lost=5, streams=24, bytes=256 * 1024)


class Echo:
    """Says back what it hears, until the phone hangs up; notes why exchanges ended."""

    def __init__(self) -> None:
        self.digits: list[str] = []
        self.lost: list[str] = []

    async def meet(self, conversation: Conversation) -> None:
        self.digits.append(conversation.digits)
        try:
            while (frame := await conversation.receive()).body != b"stop":
                await conversation.send(frame.kind, frame.body)
        except LinkLost as lost:
            self.lost.append(str(lost))
            raise


class Place:
    """A terminal, and how to be its phone."""

    def __init__(self, **options: Any) -> None:
        self.echo = Echo()
        self.server = WebTransportServer(self.echo, public_url=ORIGIN, **options)

    @property
    def port(self) -> int:
        return self.server._port

    async def works(self) -> bool:
        """Whether an honest phone gets its exchange."""
        async with phone_at(self.port) as phone:
            assert await phone.ask(ORIGIN) == 200
            link = PhonesLink(phone, self.server.certificate.hash)
            await link.agree()
            link.send(Kind.MESSAGE, b"hello")
            return (await link.receive()).body == b"hello" and link.digits == self.echo.digits[-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  whatever it is, nobody announces it
            await asyncio.sleep(0.02)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place(limits=LIMITS)
    await place.server.start("127.0.0.1")
    yield place
    await place.server.stop()
    assert place.server._sessions == set()


@pytest.fixture
async def phone(place: Place) -> AsyncIterator[Phone]:
    async with phone_at(place.port) as phone:
        yield phone


async def opened(phone: Phone, place: Place) -> PhonesLink:
    assert await phone.ask(ORIGIN) == 200
    link = PhonesLink(phone, place.server.certificate.hash)
    await link.agree()
    return link


async def test_many_messages_of_any_size_both_ways(phone: Phone, place: Place) -> None:
    link = await opened(phone, place)
    for size in (0, 1, 444, 1200, BODY_MOST):
        link.send(Kind.MESSAGE, bytes(size))
        assert await link.receive() == (Kind.MESSAGE, bytes(size))
    link.send(Kind.PING, b"")
    link.send(Kind.MESSAGE, b"stop")
    assert await phone.hear(link.stream_id) is None


async def test_exchanges_of_one_session_do_not_mix(phone: Phone, place: Place) -> None:
    first = await opened(phone, place)
    links = [first, *(PhonesLink(phone, place.server.certificate.hash) for _ in range(3))]
    for link in links[1:]:
        await link.agree()
    for number, link in enumerate(links):
        link.send(Kind.MESSAGE, bytes([number]))
    assert [(await link.receive()).body for link in links] == [b"\0", b"\1", b"\2", b"\3"]
    fifth = PhonesLink(phone, place.server.certificate.hash)
    fifth.send(Kind.COMMIT, bytes(32))
    assert await phone.hear(fifth.stream_id) == 3  # busy


@pytest.mark.parametrize(
    ("origin", "path", "method", "status"),
    [
        ("https://evil.example", "/nearby", "CONNECT", 403),
        (ORIGIN, "/", "CONNECT", 404),
        (ORIGIN, "/nearby", "GET", 405),
    ],
)
async def test_what_is_no_session_of_ours(
    phone: Phone, origin: str, path: str, method: str, status: int
) -> None:
    assert await phone.ask(origin, path, method) == status


async def test_one_session_a_connection(phone: Phone) -> None:
    assert await phone.ask(ORIGIN) == 200
    assert await phone.ask(ORIGIN) == 429


async def test_a_stream_of_no_session_is_broken_off(phone: Phone, place: Place) -> None:
    phone.session = 400
    stream = phone.stream()
    phone.say(stream, packed(Kind.COMMIT, bytes(32)))
    assert await phone.hear(stream) == 1
    assert await place.works()


async def test_a_phone_that_says_nothing_is_let_go(phone: Phone, place: Place) -> None:
    link = await opened(phone, place)
    assert await phone.hear(link.stream_id) == 2
    assert place.echo.lost == ["the phone has fallen silent"]


async def test_a_phone_that_hangs_up_in_the_middle_of_a_message(phone: Phone, place: Place) -> None:
    link = await opened(phone, place)
    phone.say(link.stream_id, packed(Kind.MESSAGE, b"whole") + b"\0\0\0\5", end=True)
    await until(lambda: bool(place.echo.lost))
    assert place.echo.lost == ["the phone has hung up in the middle of a message"]


@pytest.mark.parametrize("how", ["stream", "session", "connection"])
async def test_a_phone_that_breaks_off(phone: Phone, place: Place, how: str) -> None:
    link = await opened(phone, place)
    match how:
        case "stream":
            phone._quic.reset_stream(link.stream_id, 7)
            phone.transmit()
        case "session":
            phone._quic.send_stream_data(phone.session, b"", end_stream=True)
            phone.transmit()
        case _:
            phone.close()
    await until(lambda: bool(place.echo.lost))
    assert place.echo.lost[0] in ("the phone broke the exchange off", "the phone is gone")


async def test_a_connection_without_a_session_is_closed(phone: Phone, place: Place) -> None:
    async with asyncio.timeout(5):
        await phone.ended.wait()
    await until(lambda: not place.server._sessions)


async def test_an_idle_session_is_closed(phone: Phone) -> None:
    assert await phone.ask(ORIGIN) == 200
    async with asyncio.timeout(8):
        await phone.ended.wait()


async def test_no_more_connections_than_there_is_room_for(place: Place) -> None:
    async with phone_at(place.port) as one, phone_at(place.port), phone_at(place.port):
        assert await one.ask(ORIGIN) == 200
        async with phone_at(place.port) as fourth, asyncio.timeout(5):
            await fourth.ended.wait()
        # Before the handshake is over QUIC hides the reason behind APPLICATION_ERROR.
        assert fourth.code in (ErrorCode.H3_REQUEST_REJECTED, QuicErrorCode.APPLICATION_ERROR)
    await until(lambda: not place.server._sessions)
    assert await place.works()


async def test_the_end_of_the_terminal_ends_its_exchanges(phone: Phone, place: Place) -> None:
    await opened(phone, place)
    await until(lambda: bool(place.echo.digits))
    await place.server.stop()
    assert place.echo.lost == ["the phone is gone"]


async def test_the_certificate_is_renewed_and_open_sessions_go_on() -> None:
    days = 0
    place = Place(limits=LIMITS, now_us=lambda: clock.now_us() + days * 86_400_000_000)
    await place.server.start("127.0.0.1")
    try:
        async with phone_at(place.port) as phone:
            link = await opened(phone, place)
            text = place.server.text
            assert not place.server.renew()
            assert place.server.text == text
            days = 8
            assert place.server.renew()
            assert place.server.text != text
            link.send(Kind.MESSAGE, b"still here")
            assert (await link.receive()).body == b"still here"
        assert await place.works()
    finally:
        await place.server.stop()


async def _headers_without_end(phone: Phone, _: Place) -> None:
    stream = phone._quic.get_next_available_stream_id()
    phone.say(stream, b"\x01\xc0\x00\x00\x00\x40\x00\x00\x00")
    while not phone.ended.is_set():
        phone.say(stream, bytes(1000))
        await asyncio.sleep(0.001)


async def _bytes_without_end(phone: Phone, place: Place) -> None:
    link = await opened(phone, place)
    with suppress(AssertionError):  # it is ended in the middle
        for _ in range(40):
            link.send(Kind.MESSAGE, bytes(BODY_MOST))
            await link.receive()


async def _streams_without_end(phone: Phone, _: Place) -> None:
    assert await phone.ask(ORIGIN) == 200
    for _number in range(60):
        phone.say(phone.stream(), b"\0", end=True)
        await asyncio.sleep(0.001)


async def _a_hole_that_is_never_filled(phone: Phone, place: Place) -> None:
    """aioquic keeps what comes behind a hole, and opens its windows further each time."""
    link = await opened(phone, place)
    sender = phone._quic._streams[link.stream_id].sender
    whole = sender.get_frame

    def far_ahead(*arguments: Any) -> Any:
        frame = whole(*arguments)
        if frame is not None:
            frame.offset = phone._quic._streams[link.stream_id].max_stream_data_remote - 10
        return frame

    sender.get_frame = far_ahead  # type: ignore[assignment]
    for _ in range(60):
        phone.say(link.stream_id, b"x")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "attack",
    [_headers_without_end, _bytes_without_end, _streams_without_end, _a_hole_that_is_never_filled],
)
async def test_what_a_phone_can_make_the_terminal_hold_is_bounded(
    place: Place, phone: Phone, attack: Callable[[Phone, Place], Awaitable[None]]
) -> None:
    tracemalloc.start()
    try:
        await attack(phone, place)
        async with asyncio.timeout(5):
            await phone.ended.wait()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"held {held >> 10} KiB, at most {most >> 10} KiB, phone included")  # noqa: T201
    assert phone.code == ErrorCode.H3_EXCESSIVE_LOAD
    assert most < 16 << 20
    assert await place.works()


@pytest.mark.parametrize("seed", range(12))
async def test_random_streams_end_nothing_but_themselves(place: Place, seed: int) -> None:
    """Bytes of any kind, frames with spoilt lengths and kinds, resets, on streams of any kind."""
    chance = random.Random(seed)
    async with phone_at(place.port) as phone:
        assert await phone.ask(ORIGIN) == 200
        streams = [phone.stream() for _ in range(3)]
        streams.append(phone._quic.get_next_available_stream_id())
        for _ in range(40):
            if phone.ended.is_set():
                break
            data = bytearray(packed(chance.choice(list(Kind)), chance.randbytes(32)))
            for _mutation in range(chance.randrange(3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            with suppress(RuntimeError, ValueError):  # the terminal broke this stream off
                phone.say(chance.choice(streams), bytes(data) + chance.randbytes(3))
            if chance.random() < 0.05 and len(streams) > 1:
                broken = streams.pop(chance.randrange(len(streams)))
                phone._quic.reset_stream(broken, chance.randrange(1 << 20))
            if chance.random() < 0.05:
                stream = phone._quic.get_next_available_stream_id(is_unidirectional=True)
                phone.say(stream, chance.randbytes(9))
            await asyncio.sleep(0)
    assert await place.works()


async def test_datagrams_of_any_kind_are_survived(place: Place) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(2000):
            head = chance.choice([b"", b"\xc0\0\0\0\1\x08", b"\xc0\x6b\x33\x43\xcf\x08", b"\x40"])
            size = chance.choice([0, 1, 30, 1200, 1472])
            stranger.sendto(head + chance.randbytes(size), ("127.0.0.1", place.port))
            await asyncio.sleep(0)
    assert await place.works()
