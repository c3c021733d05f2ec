"""How a request is read, however it is cut: what is bounded, and which way it goes."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from tikiwallet.web.fast import Answer, Call, FastLane
from tikiwallet.web.server import FastProtocol, _Heads

_MOST = 32_768


class Lane:
    """Serves GET /balance, and notes who comes which way."""

    def __init__(self) -> None:
        self.served = 0
        self.asked: list[dict[str, Any]] = []
        self._call = Call("GET", b"GET", False, "/balance", lambda exchange: None)

    def call_at(self, path: str) -> Call | None:
        return self._call if path == "/balance" else None

    def serve(
        self, call: Call, path: str, headers: list[tuple[bytes, bytes]], body: bytes, answer: Answer
    ) -> None:
        self.served += 1
        answer(200, ((b"content-type", b"text/plain"),), b"fine")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope)
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"slow"})


class Wire(asyncio.Transport):
    """Keeps what is written, and whether it was hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.hung_up = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.hung_up:
            self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.hung_up

    def close(self) -> None:
        self.hung_up = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Reader:
    """One connection to a server, fed in pieces."""

    def __init__(self) -> None:
        self.lane = Lane()
        self.wire = Wire()
        config = uvicorn.Config(cast(Any, self.lane), loop="none", ws="none", lifespan="off")
        config.load()
        kind = type("Kind", (FastProtocol,), {"lane": cast(FastLane, self.lane), "heads": _Heads()})
        self._state = ServerState()
        self.protocol: FastProtocol = kind(config, self._state, {})
        self.protocol.connection_made(self.wire)

    async def read(self, pieces: Iterator[bytes]) -> bytes:
        """All that was answered to these pieces."""
        for piece in pieces:
            if self.wire.hung_up:
                break
            self.protocol.data_received(piece)
            await asyncio.sleep(0)
        while self._state.tasks:
            await asyncio.gather(*self._state.tasks)
        return self.wire.written


def pieces_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        if start < end:
            yield data[start:end]


def head_of(size: int, count: int) -> bytes:
    """A GET whose address and headers have `size` bytes, in `count` headers."""
    each, rest = divmod(size - len("/balance"), count)
    lines = [b"x" * 8 + b": " + b"y" * (each - 8 + (rest if n == 0 else 0)) for n in range(count)]
    return b"GET /balance HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"


_CUTS = st.lists(st.integers(0, 200_000), max_size=60)


@given(size=st.integers(3_000, 2 * _MOST), count=st.integers(1, 100), cuts=_CUTS)
def test_the_bound_of_a_head_does_not_depend_on_how_it_is_cut(
    size: int, count: int, cuts: list[int]
) -> None:
    async def run() -> None:
        reader = Reader()
        answered = await reader.read(pieces_of(head_of(size, count), cuts))
        assert answered.startswith(b"HTTP/1.1 200" if size <= _MOST else b"HTTP/1.1 431")
        assert reader.wire.hung_up == (size > _MOST)
        assert reader.lane.served == (size <= _MOST)

    asyncio.run(run())


@given(count=st.integers(1, 140), cuts=_CUTS)
def test_so_with_the_number_of_headers(count: int, cuts: list[int]) -> None:
    async def run() -> None:
        reader = Reader()
        data = head_of(count * 20, count) + b"GET /balance HTTP/1.1\r\n\r\n"
        answered = await reader.read(pieces_of(data, cuts))
        assert answered.count(b"HTTP/1.1 ") == (2 if count <= 100 else 1)
        assert reader.lane.served == (2 if count <= 100 else 0)

    asyncio.run(run())


@given(size=st.integers(0, 60_000), cuts=_CUTS)
def test_a_body_between_two_heads_counts_for_neither(size: int, cuts: list[int]) -> None:
    async def run() -> None:
        reader = Reader()
        first = b"GET /balance HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + b"b" * size
        answered = await reader.read(pieces_of(first + head_of(30_000, 90), cuts))
        assert answered.count(b"HTTP/1.1 200") == 2

    asyncio.run(run())


@given(cuts=_CUTS)
def test_what_stands_behind_a_chunked_body_is_no_header(cuts: list[int]) -> None:
    async def run() -> None:
        reader = Reader()
        data = (
            b"POST /other HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\nAuthorization: Bearer another\r\n\r\n"
        )
        answered = await reader.read(pieces_of(data, cuts))
        assert answered.startswith(b"HTTP/1.1 200")
        [scope] = reader.lane.asked
        assert {name for name, _ in scope["headers"]} == {b"host", b"transfer-encoding"}

    asyncio.run(run())


@pytest.mark.parametrize("line", [b"X-Tail: 1\r\n", b"x" * 1_000])
def test_what_stands_behind_a_chunked_body_has_a_bound(line: bytes) -> None:
    async def run() -> None:
        reader = Reader()
        reader.protocol.data_received(
            b"POST /other HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
        )
        sent = 0
        while not reader.wire.hung_up:
            reader.protocol.data_received(line)
            sent += len(line)
            assert sent < 4 * _MOST
        assert reader.wire.written.startswith(b"HTTP/1.1 431")

    asyncio.run(run())


async def test_who_does_not_read_waits_the_other_way() -> None:
    reader = Reader()
    reader.protocol.pause_writing()
    reader.protocol.data_received(b"GET /balance HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reader.lane.served == 0
    reader.protocol.resume_writing()
    assert b"slow" in await reader.read(iter(()))
