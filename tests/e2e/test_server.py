"""The HTTP server on the wire: the shapes in which a request of the fast lane may arrive.

What is sent here goes out byte by byte as written; answers are read off the same connection.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import pytest
from tests.e2e.conftest import Served


@dataclass
class Connection:
    """One connection, spoken to in bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer on this connection."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split(" ")[1]), headers, body

    async def ended(self) -> bool:
        """Whether the server hangs up, with nothing more said."""
        async with asyncio.timeout(20):
            return await self.reader.read() == b""


Connect = Callable[[], Awaitable[Connection]]


@pytest.fixture
async def connect(served: Served) -> AsyncIterator[Connect]:
    """Opens connections, which the end of the test closes."""
    opened: list[Connection] = []

    async def open_one() -> Connection:
        opened.append(Connection(*await asyncio.open_connection("127.0.0.1", served.port)))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.writer.transport.abort()
        with suppress(OSError):
            await connection.writer.wait_closed()


def _balance(served: Served, method: bytes = b"GET", more: bytes = b"") -> bytes:
    return (
        b"%b /v1/wallets/%b/balance HTTP/1.1\r\nHost: localhost\r\n"
        b"Authorization: Bearer %b\r\n%b\r\n"
        % (
            method,
            served.payer.wallet.encode(),
            served.payer.token.encode(),
            more,
        )
    )


def _payment(served: Served, key: str, more: bytes = b"") -> tuple[bytes, bytes]:
    money = {"amount": 1, "currency": "SGD"}
    body = json.dumps(
        {
            "from_wallet": served.payer.wallet,
            "payees": [{"to": served.payee.wallet, "amount": money}],
        }
    ).encode()
    head = (
        b"POST /v1/payments HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nIdempotency-Key: %b\r\n%b"
        % (served.payer.token.encode(), key.encode(), more)
    )
    return head, body


def _whole(served: Served, key: str, more: bytes = b"") -> bytes:
    head, body = _payment(served, key, more)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_answers_come_in_the_order_of_pipelined_requests(
    served: Served, connect: Connect
) -> None:
    connection = await connect()
    keys = [uuid4().hex for _ in range(3)]
    before = json.loads((await _ask(connection, _balance(served)))[2])["posted"]
    health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    read, pay = _balance(served), [_whole(served, key) for key in keys]
    requests = b"".join((read, pay[0], read, pay[1], health, pay[2], read))
    await connection.send(requests)
    answers = [await connection.answer() for _ in range(7)]
    assert [status for status, _, _ in answers] == [200, 201, 200, 201, 200, 201, 200]
    posted = [json.loads(answers[at][2])["posted"] for at in (0, 2, 6)]
    paid = [json.loads(answers[at][2])["balance"]["posted"] for at in (1, 3, 5)]
    assert posted == [before, before - 1, before - 3]
    assert paid == [before - 1, before - 2, before - 3]


async def test_a_request_may_come_in_any_pieces(served: Served, connect: Connect) -> None:
    connection = await connect()
    whole = _whole(served, uuid4().hex)
    await connection.send(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    assert (await connection.answer())[0] == 201


async def test_a_payment_may_come_in_chunks(served: Served, connect: Connect) -> None:
    connection = await connect()
    head, body = _payment(served, uuid4().hex)
    half = len(body) // 2
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
        half,
        body[:half],
        len(body) - half,
        body[half:],
    )
    await connection.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert (await connection.answer())[0] == 201


async def test_who_expects_to_be_told_to_continue_is_told(served: Served, connect: Connect) -> None:
    connection = await connect()
    head, body = _payment(served, uuid4().hex)
    await connection.send(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    await connection.send(body)
    assert (await connection.answer())[0] == 201


async def test_who_asks_to_close_is_answered_and_hung_up_on(
    served: Served, connect: Connect
) -> None:
    for request, status in (
        (_balance(served, more=b"Connection: close\r\n"), 200),
        (_whole(served, uuid4().hex, b"Connection: close\r\n"), 201),
        (_balance(served).replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
    ):
        connection = await connect()
        told = await _ask(connection, request)
        assert told[0] == status
        assert told[1]["connection"] == "close"
        assert await connection.ended()


async def test_the_body_of_a_get_means_nothing(served: Served, connect: Connect) -> None:
    connection = await connect()
    await connection.send(
        _balance(served, more=b"Content-Length: 5\r\n") + b"hello" + _balance(served)
    )
    assert (await connection.answer())[0] == 200
    assert (await connection.answer())[0] == 200


async def test_other_methods_are_told_which_is_right(served: Served, connect: Connect) -> None:
    connection = await connect()
    status, headers, body = await _ask(connection, _balance(served, b"DELETE"))
    assert (status, headers["allow"]) == (405, "GET")
    assert json.loads(body)["code"] == "method_not_allowed"


async def test_a_body_that_is_too_large_is_refused_by_its_announcement(
    served: Served, connect: Connect
) -> None:
    connection = await connect()
    head, _ = _payment(served, uuid4().hex)
    await connection.send(head + b"Content-Length: 70000\r\n\r\n" + b" " * 70_000)
    status, _, body = await connection.answer()
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length : 5\r\n",
        b"Bad\x00Name: 1\r\n",
    ],
)
async def test_what_two_readers_would_read_differently_is_refused(
    served: Served, connect: Connect, lines: bytes
) -> None:
    connection = await connect()
    head, _ = _payment(served, uuid4().hex)
    status, headers, body = await _ask(connection, head + lines + b"\r\n0\r\n\r\n")
    assert (status, headers["connection"]) == (400, "close")
    assert json.loads(body)["code"] == "malformed_request"
    assert await connection.ended()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/me?" + b"x" * 40_000,
        b"GET /v1/me HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 2_000_000,
        b"GET /v1/me HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: 1\r\n" * 101,
        b"POST /v1/payments HTTP/1.1\r\nHost: localhost\r\n" + b"X: 12345678\r\n" * 20_000,
    ],
    ids=["address", "one header", "many headers", "many bytes"],
)
async def test_heads_have_a_bound(served: Served, connect: Connect, head: bytes) -> None:
    connection = await connect()
    connection.writer.write(head)
    status, headers, body = await connection.answer()
    assert (status, headers["connection"]) == (431, "close")
    assert json.loads(body)["code"] == "headers_too_large"


async def test_nothing_is_answered_behind_a_head_that_was_refused(
    served: Served, connect: Connect
) -> None:
    connection = await connect()
    head = b"GET /v1/me HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: 1\r\n" * 101
    status, _, _ = await _ask(connection, head + b"\r\n" + _balance(served))
    assert status == 431
    assert await connection.ended()


@pytest.mark.parametrize("more", [b"X-Tail: 1\r\n" * 50_000, b"X-Tail: " + b"x" * 500_000])
async def test_what_comes_behind_a_chunked_body_has_a_bound(
    served: Served, connect: Connect, more: bytes
) -> None:
    connection = await connect()
    head, body = _payment(served, uuid4().hex, b"Transfer-Encoding: chunked\r\n")
    connection.writer.write(head + b"\r\n%x\r\n%b\r\n0\r\n%b" % (len(body), body, more))
    status, headers, _ = await connection.answer()
    assert (status, headers["connection"]) == (431, "close")


async def test_who_leaves_before_the_answer_has_paid_once(served: Served, connect: Connect) -> None:
    before = json.loads((await _ask(await connect(), _balance(served)))[2])["posted"]
    key = uuid4().hex
    leaver = await connect()
    await leaver.send(_whole(served, key))
    leaver.writer.close()
    status, _, body = await _ask(await connect(), _whole(served, key))
    assert status == 201
    assert json.loads(body)["balance"]["posted"] == before - 1
    again = await _ask(await connect(), _whole(served, key))
    assert again[1]["idempotent-replayed"] == "true"
    assert again[2] == body


async def _ask(connection: Connection, request: bytes) -> tuple[int, dict[str, str], bytes]:
    await connection.send(request)
    return await connection.answer()
