"""The connection that commits: a statement and all of its rows go out together, one answer comes.

asyncpg starts a COPY, waits until the server says that it is ready for rows, and only then sends
them: two waits per batch, and the second cannot begin before this process comes round to the first.
PostgreSQL takes statement and rows in one piece (its protocol has them ignored where the statement
fails), so a batch waits once. asyncpg still connects, with its passwords, roles and TLS; the
channel takes the connection over from it. See docs/decisions/0015-a-batch-waits-once.md.
"""

import asyncio
from collections.abc import Iterable
from struct import Struct
from typing import Final, cast

import asyncpg

_HEAD: Final = Struct(">cI")  # kind of a message and its length, which counts itself
_HEAD_SIZE: Final = 5
_DONE: Final = _HEAD.pack(b"c", 4)
_COMPLETE, _ERROR, _NOTICE, _READY = b"CENZ"
_COPY_READY, _SETTING, _NOTIFICATION = b"GSA"
_MESSAGE_MAX: Final = 1 << 20  # of what is answered to a COPY or an UPDATE


class Channel(asyncio.Protocol):
    """One statement at a time. `warnings`: what the server warned of, in order."""

    def __init__(self, connection: asyncpg.Connection, warnings: list[str]) -> None:
        """Take `connection` over, of which nothing may be asked any more; `warnings` it has had."""
        self.warnings = warnings
        self._connection = connection
        # asyncpg gives no public way to its transport.
        self._transport = cast(asyncio.Transport, connection._transport)  # type: ignore[attr-defined]
        self._before = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._received = b""
        self._answer: asyncio.Future[str] | None = None
        self._status = ""
        self._error: asyncpg.PostgresError | None = None
        self._lost = self._transport.is_closing()

    async def execute(self, statement: str) -> str:
        """Run a statement that returns no rows; its status, such as "UPDATE 1". Raises what the
        server answered, ConnectionError when it did not."""
        answer = self._ask()
        self._transport.write(_query(statement))
        return await answer

    async def copy(self, statement: str, chunks: Iterable[bytes]) -> None:
        """Run a COPY FROM STDIN over `chunks`, of which each goes out as it is drawn. Raises as
        `execute` does; when drawing fails, the connection is given up."""
        answer = self._ask()
        write = self._transport.write
        before = _query(statement)
        try:
            for chunk in chunks:
                write(b"%b%b%b" % (before, _HEAD.pack(b"d", len(chunk) + 4), chunk))
                before = b""
        except BaseException:
            self._answer = None
            self.terminate()
            raise
        write(before + _DONE)
        await answer

    def is_closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._lost or self._transport.is_closing()

    def terminate(self) -> None:
        """Drop the connection, whatever it is doing."""
        self._connection.terminate()

    def _ask(self) -> asyncio.Future[str]:
        if self.is_closed():
            raise ConnectionError("the connection that commits is closed")
        if self._answer is not None:
            raise RuntimeError("the connection that commits is busy")
        self._status, self._error = "", None
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    # -- what the server sends

    def data_received(self, data: bytes) -> None:
        """A part of the server's messages, as asyncio hands it over."""
        received = self._received + data if self._received else data
        start, end = 0, len(received)
        while end - start >= _HEAD_SIZE and not self._transport.is_closing():
            kind = received[start]
            length = int.from_bytes(received[start + 1 : start + _HEAD_SIZE], "big")
            if not 4 <= length <= _MESSAGE_MAX:
                self._received = b""
                self._transport.abort()
                return
            after = start + 1 + length
            if after > end:
                break
            self._take(kind, received[start + _HEAD_SIZE : after])
            start = after
        self._received = received[start:]

    def _take(self, kind: int, content: bytes) -> None:
        if kind == _COMPLETE:
            self._status = content[:-1].decode(errors="replace")
        elif kind == _READY:
            self._end()
        elif kind == _ERROR:
            self._error = asyncpg.PostgresError.new(_fields(content))
        elif kind == _NOTICE:
            fields = _fields(content)
            if fields.get("V") == "WARNING":
                self.warnings.append(fields.get("M", ""))
        elif kind not in (_COPY_READY, _SETTING, _NOTIFICATION):
            self._transport.abort()

    def _end(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():  # whoever asked has gone away
            return
        if self._error is not None:
            answer.set_exception(self._error)
        else:
            answer.set_result(self._status)

    def connection_lost(self, error: Exception | None) -> None:
        """The server, the network or `terminate` ended it."""
        self._lost = True
        self._before.connection_lost(error)  # else asyncpg says goodbye on a closed connection
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            # The server's last words, when it had any, say why.
            answer.set_exception(
                self._error or error or ConnectionError("the connection that commits was lost")
            )


def _query(statement: str) -> bytes:
    text = statement.encode()
    return b"%b%b\0" % (_HEAD.pack(b"Q", len(text) + 5), text)


def _fields(content: bytes) -> dict[str, str]:
    """The parts of an error or a notice: a letter each, then text."""
    parts = (part.decode(errors="replace") for part in content.split(b"\0") if part)
    return {part[0]: part[1:] for part in parts}
