"""Both load generators against small real servers: what they count, and that keys never repeat."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tikiwallet.bench.generator import answer_length, play
from tikiwallet.bench.http import LoadFailed, ceiling, choose, drive, parse
from tikiwallet.bench.lanes import Lane, Person, Words, balance_lanes, payment_lanes, word_lanes
from tikiwallet.bench.processes import Watch

_PEOPLE = [Person(f"token{n}", (f"w_{n:013d}",)) for n in range(8)]
_INSTALLED = ["own", *(["wrk"] if shutil.which("wrk") else [])]
_OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"

Answer = Callable[[str, bytes], Awaitable[list[bytes]]]


@asynccontextmanager
async def _served(answer: Answer) -> AsyncIterator[int]:
    """A server that gives each request (head, body) to `answer` and writes what it returns, piece
    by piece; an empty list hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                pieces = await answer(head, await reader.readexactly(length))
                if not pieces:
                    return
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("generator", _INSTALLED)
async def test_every_request_carries_a_fresh_key_and_its_own_token(generator: str) -> None:
    seen: list[tuple[str, str]] = []

    async def answer(head: str, body: bytes) -> list[bytes]:
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        assert head.startswith("POST /v1/payments ")
        assert body.startswith(b'{"from_wallet"')
        seen.append((headers["Authorization"], headers["Idempotency-Key"]))
        return [_OK]

    async with _served(answer) as port:
        result = await drive(
            generator, lambda: payment_lanes(_PEOPLE, port, "SGD"), port, 1, Watch({}), warmup=0.2
        )
    assert result.requests > 50
    assert (result.refused, result.broken) == (0, 0)
    assert 0 < result.p50_ms <= result.p99_ms
    keys = [key for _, key in seen]
    assert len(set(keys)) == len(keys) >= result.requests
    assert {token for token, _ in seen} == {f"Bearer {person.token}" for person in _PEOPLE}


@pytest.mark.parametrize("generator", _INSTALLED)
async def test_words_are_gone_round_in_their_order(generator: str) -> None:
    seen: list[str] = []

    async def answer(head: str, body: bytes) -> list[bytes]:
        seen.append(body.decode())
        return [_OK]

    async with _served(answer) as port:
        lanes = word_lanes("service", "w_", 2, port, 1)
        words = Words("aabbcc", 2)
        result = await drive(generator, lambda: lanes, port, 1, Watch({}), warmup=0, words=words)
    assert result.refused == 0
    asked = "".join(body[18:20] for body in seen[:7])
    assert asked in "aabbcc" * 4  # wrk takes some words to itself before it begins


@pytest.mark.parametrize("generator", _INSTALLED)
async def test_refusals_are_counted_and_do_not_make_the_rate(generator: str) -> None:
    async def answer(head: str, body: bytes) -> list[bytes]:
        return [b"HTTP/1.1 402 Payment Required\r\ncontent-length: 0\r\n\r\n"]

    async with _served(answer) as port:
        result = await drive(
            generator, lambda: balance_lanes(_PEOPLE, port), port, 1, Watch({}), warmup=0
        )
    assert result.refused == result.requests > 0
    assert result.rate == 0
    assert "refusals" in result.notes[0]


@pytest.mark.parametrize("generator", _INSTALLED)
async def test_the_ceiling_is_measured_on_a_server_of_its_own(generator: str) -> None:
    watch = Watch({})
    result = await ceiling(generator, lambda port: payment_lanes(_PEOPLE, port, "SGD"), 1, watch)
    assert result.rate > 500
    assert {use.name for use in watch.uses} == {"empty server", "load generator"}
    assert all(use.cpu_percent > 0 for use in watch.uses)


async def test_answers_in_pieces_are_put_together() -> None:
    async def answer(head: str, body: bytes) -> list[bytes]:
        return [_OK[:5], _OK[5:30], _OK[30:]]

    async with _served(answer) as port:
        said = await play([Lane(b"GET / HTTP/1.1\r\n\r\n")] * 2, "127.0.0.1", port, 0.2, 0)
    assert said["broken"] == 0
    assert said["statuses"] == {"201": said["requests"]}
    assert said["requests"] != 0


async def test_a_server_that_hangs_up_is_counted_and_dialled_again() -> None:
    calls = 0

    async def answer(head: str, body: bytes) -> list[bytes]:
        nonlocal calls
        calls += 1
        return [] if calls == 3 else [_OK]

    async with _served(answer) as port:
        said = await play([Lane(b"GET / HTTP/1.1\r\n\r\n")], "127.0.0.1", port, 0.4, 0)
    assert said["broken"] == 1
    assert calls > 3


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-le", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 41),
        (b"HTTP/1.1 200 OK\r\nContent-Length:3\r\nX: y\r\n\r\n", 46),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 27),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", -1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", -1),
        (b"HTTP/2 200\r\n\r\n", -1),
    ],
)
def test_the_length_of_an_answer(data: bytes, length: int | None) -> None:
    assert answer_length(data) == length


def test_what_a_generator_prints_is_read() -> None:
    line = '{"requests":100,"duration_us":2000000,"refused":10,"broken":1,"p50_us":900,"p99_us":5}'
    result = parse("wrk", f"Running 2s test\n  Requests/sec: 50\n\n{line}\n")
    assert (result.rate, result.p50_ms, result.broken) == (45.0, 0.9, 1)
    with pytest.raises(LoadFailed, match="measured nothing"):
        parse("wrk", "unable to connect")


def test_without_wrk_the_own_generator_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert choose("auto") == "own"
    with pytest.raises(LoadFailed, match="not installed"):
        choose("wrk")
