"""A plain HTTP/1.1 client on asyncio that tells a lost answer from one that never began.

One `Line` is one keep-alive connection. It opens when it is first used, and again after it broke.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 15.0  # the service promises an answer after eight; more than this is hanging


class Lost(Exception):
    """No answer: the connection could not be opened, or broke before the answer was complete."""


class Hung(Exception):
    """No answer in time, on a connection that is still open."""


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in small letters, and the raw body."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The decoded body; None when it is not JSON."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None

    @property
    def replayed(self) -> bool:
        """Whether this is the answer to an earlier request with the same key."""
        return self.headers.get("idempotent-replayed") == "true"


class Line:
    """One connection; not for two callers at once."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
        limit: float = ANSWER_SECONDS,
    ) -> Answer:
        """One request, its answer. Raises Lost or Hung; the next call opens a new connection."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        if key is not None:
            lines.append(f"Idempotency-Key: {key}")
        data = b""
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            lines.append("Content-Type: application/json")
        if method != "GET":
            lines.append(f"Content-Length: {len(data)}")
        return await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + data, limit=limit)

    async def send(self, request: bytes, *, limit: float = ANSWER_SECONDS) -> Answer:
        """Send the bytes of one request as they are. Raises Lost or Hung."""
        try:
            async with asyncio.timeout(limit):
                return await self._exchange(request)
        except TimeoutError:
            await self.close()
            raise Hung(request.partition(b"\r\n")[0].decode()) from None
        except (OSError, EOFError, ValueError) as error:
            await self.close()
            raise Lost(repr(error)) from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _exchange(self, request: bytes) -> Answer:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert self._reader is not None
        self._writer.write(request)
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {}
        for line in head[1:-1]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        raw = await self._reader.readexactly(int(headers.get("content-length", "0")))
        status = int(head[0].split(" ", 2)[1])
        if headers.get("connection", "").lower() == "close":
            await self.close()
        return Answer(status, headers, raw)

    async def close(self) -> None:
        """Hang up; whatever was under way is lost."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
