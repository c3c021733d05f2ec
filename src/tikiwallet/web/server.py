"""The HTTP server: uvicorn, with a way around its ASGI task for the calls of the fast lane.

uvicorn parses (httptools), keeps connections alive, holds back writers, queues pipelined requests
and shuts down gracefully. A request of the fast lane that arrives alone on its connection is served
from the parser's callback and answered with one write: no scope, no task, no messages. Everything
else, also a fast call that comes while another is under way on the same connection, takes uvicorn's
usual way to the ASGI application.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from tikiwallet.errors import Problem
from tikiwallet.web.edge import BODY_MAX, NO_SNIFF, NO_STORE, REQUEST_ID_HEADER, request_id_of
from tikiwallet.web.errors import HeadersTooLarge, MalformedRequest, render
from tikiwallet.web.fast import Call, FastLane
from tikiwallet.web.headers import Header

_BACKLOG: Final = 4_096
_IDLE_SECONDS: Final = 75  # longer than most proxies keep a connection, so that they hang up first
_STOP_SECONDS: Final = 15
_HEAD_MAX: Final = 32_768  # bytes of an address and all headers
_HEADERS_MAX: Final = 100
_WAITING_MAX: Final = 2 * _HEAD_MAX  # bytes of a head that the parser has not told of yet
_ARRIVAL_SECONDS: Final = 30  # for a whole request, from its first byte on
_CLOSE: Final = (b"connection", b"close")
_NOTED: Final = frozenset({b"content-length", b"expect", b"transfer-encoding"})


class _FastCycle:
    """What uvicorn asks of a request under way, for one of the fast lane; one per connection."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self) -> None:
        self.response_complete = True
        self.disconnected = False
        self.keep_alive = True
        self.message_event = _NOBODY_WAITS


class _NobodyWaits:
    def set(self) -> None:
        """Nobody waits for more of a request that came whole."""


_NOBODY_WAITS: Final = _NobodyWaits()


class FastProtocol(HttpToolsProtocol):
    """One connection."""

    lane: ClassVar[FastLane]  # both set in the subclass that `Server` makes
    heads: ClassVar["_Heads"]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._call: Call | None = None  # of the request being read, if it is the lane's
        self._path = ""
        self._body = b""
        self._fast = _FastCycle()
        self._length: bytes | None = None  # of the body, as announced; None: not at all
        self._chunked = False
        self._in_head = False
        # Of the piece being read: whether heads are counted as it is read, whether a request began
        # in it, and whether it brought a part of a body.
        self._counts = self._began = self._brought = False
        self._told = 0  # bytes of address and headers that the parser has told of, where counted
        self._waiting = 0  # bytes of which it has not: of a head, or of what is no body behind one
        self._too_large = False  # for good: all that is left to do is to hang up
        self._arriving_since: float | None = None
        self._idle_since = self.loop.time()

    def is_overdue(self, now: float) -> bool:
        """Whether nobody has asked for anything for too long, or a request takes too long to
        arrive; `now` is the loop's time."""
        if self._arriving_since is not None:
            return self._arriving_since < now - _ARRIVAL_SECONDS
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        idle = cycle is None or cycle.response_complete
        return idle and self._idle_since < now - _IDLE_SECONDS

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, for heads that have a bound."""
        # A head that begins and ends in a piece within the bound is within it, too.
        self._counts = self._in_head or len(data) > _HEAD_MAX
        self._began = self._brought = False
        super().data_received(data)
        if self._arriving_since is not None:
            self._measure(len(data))
        if self._too_large and not self.transport.is_closing():
            self._refuse_and_close(HeadersTooLarge())

    def _measure(self, size: int) -> None:
        """Bound what has come of a request that is not whole. The parser keeps a header until it
        ends, so bytes that it tells nothing of count as well; also behind a chunked body."""
        if self._in_head and self._began:
            if not self._counts:
                self._told = len(self.url) + sum(
                    len(name) + len(value) for name, value in self.headers
                )
            self._waiting = self._told
        elif self._began or self._brought:
            self._waiting = 0
        else:
            self._waiting += size
        if self._waiting > _WAITING_MAX or len(self.headers) > _HEADERS_MAX:
            self._too_large = True

    def on_message_begin(self) -> None:
        """The scope is made once it is known who serves the request."""
        self._in_head = self._began = True
        self._told = 0
        self._arriving_since = self.loop.time()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._length = None
        self._chunked = False

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        if self._counts and self._exceeds(len(url)):
            return
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, up to a bound; `data_received` hangs up on what lies beyond."""
        if not self._in_head:
            return  # behind a chunked body: of no use to anybody here
        if self._counts and self._exceeds(len(name) + len(value)):
            return
        name = name.lower()
        self.headers.append((name, value))
        if name in _NOTED:
            if name == b"content-length":
                self._length = value
            elif name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
            else:
                self._chunked = True

    def _exceeds(self, more: int) -> bool:
        self._told += more
        if self._told > _HEAD_MAX or len(self.headers) >= _HEADERS_MAX:
            self._too_large = True
        return self._too_large

    def on_headers_complete(self) -> None:
        """Decide which way the request goes."""
        self._in_head = False
        if len(self.headers) > _HEADERS_MAX:
            self._too_large = True
        if self._too_large:
            return
        call = self._fast_call()
        if call is not None:
            self._call = call
            self._body = b""
            return
        self._call = None
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; its length was announced and is bounded. That of a GET means nothing
        (RFC 9110, 9.3.1)."""
        if self._too_large:
            return
        self._brought = True
        if self._call is None:
            super().on_body(body)
        elif self._call.takes_body:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """The whole request is here."""
        if self._too_large:
            return
        self._arriving_since = None
        call = self._call
        if call is None:
            super().on_message_complete()
            return
        self._call = None
        cycle = self._fast
        cycle.response_complete = False
        parser = self.parser
        cycle.keep_alive = parser.should_keep_alive() and parser.get_http_version() == "1.1"
        self.cycle = cast(RequestResponseCycle, cycle)
        self.lane.serve(call, self._path, self.headers, self._body, self._answer)

    def _fast_call(self) -> Call | None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            return None
        if self.flow.write_paused:  # whoever does not read waits on the other way
            return None
        url = self.url
        if not url.isascii() or b"%" in url:
            return None
        path = url.decode()
        call = self.lane.call_at(path)
        parser = self.parser
        if (
            call is None
            or parser.get_method() != call.method_bytes
            or self.expect_100_continue
            or parser.should_upgrade()
            or (call.takes_body and not self._body_is_bounded())
        ):
            return None
        self._path = path
        return call

    def _body_is_bounded(self) -> bool:
        length = self._length
        if length is None or self._chunked:
            return False
        return length.isdigit() and len(length) < 8 and int(length) <= BODY_MAX

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP, or could be read in two ways, is refused and hung up on."""
        self._refuse_and_close(MalformedRequest())

    def _refuse_and_close(self, problem: Problem) -> None:
        request_id = request_id_of(())
        status, headers, body = render(problem, request_id)
        headers += [NO_STORE, NO_SNIFF, (REQUEST_ID_HEADER, request_id.encode())]
        self.transport.write(
            b"%b%b\r\n%b" % (STATUS_LINE[status], _lines((*headers, _CLOSE)), body)
        )
        self.transport.close()

    def _answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        cycle = self._fast
        cycle.response_complete = True
        transport = self.transport
        if transport.is_closing():
            return
        head = self.heads.of(status, headers, self.server_state.default_headers)
        if not cycle.keep_alive:
            head += _lines((_CLOSE,))
        transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        if not cycle.keep_alive:
            transport.close()
        if self.pipeline or self.flow.read_paused:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._idle_since = self.loop.time()

    def on_response_complete(self) -> None:
        """As uvicorn's."""
        self._idle_since = self.loop.time()
        super().on_response_complete()


def _lines(headers: Iterable[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class _Heads:
    """The heads of answers, of which nearly all are the same for as long as uvicorn's own headers,
    the date among them, stay the same list."""

    def __init__(self) -> None:
        self._status = 0
        self._headers: tuple[Header, ...] = ()
        self._more: list[Header] = []
        self._head = b""

    def of(self, status: int, headers: tuple[Header, ...], more: list[Header]) -> bytes:
        """The status line and all headers, each with its end of line."""
        # The same objects, not equal ones: comparing a dozen headers costs as much as writing them.
        if more is self._more and headers is self._headers and status == self._status:
            return self._head
        self._status, self._headers, self._more = status, headers, more
        self._head = STATUS_LINE[status] + _lines((*headers, *more))
        return self._head


class Server:
    """Serves an application on one port until it is told to stop."""

    def __init__(self, lane: FastLane, host: str, port: int, *, shared: bool = False) -> None:
        """`shared`: other processes listen on the same port. Raises OSError when it is taken."""
        protocol = type("Protocol", (FastProtocol,), {"lane": lane, "heads": _Heads()})
        self._socket = _bound(host, port, shared=shared)
        self._server = _Uvicorn(
            uvicorn.Config(
                cast(Any, lane),
                http=protocol,
                loop="none",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # a line for each stranger's mistake would fill disks
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )

    async def serve(self) -> None:
        """Serve until `stop`; returns when everything that was accepted has been answered."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Accept nothing new, answer what was accepted, end."""
        self._server.should_exit = True


class _Uvicorn(uvicorn.Server):
    async def on_tick(self, counter: int) -> bool:
        """Besides what uvicorn does each tenth of a second: hang up on those who say nothing, or
        take for ever to say it. One look at all costs less than a timer for each answer."""
        if counter % 50 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, FastProtocol) and connection.is_overdue(now):
                    connection.transport.abort()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's, not the server's."""
        yield


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    bound.setblocking(False)
    return bound
