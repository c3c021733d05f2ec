"""What surrounds every request: its id, its limits, its line in the log, its place in the metrics.

Plain ASGI. The fast lane, which goes around this, uses the same functions.
"""

import re
import time
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tikiwallet import ids, logs
from tikiwallet.identity.origin import set_origin
from tikiwallet.web import headers as security
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.devices import describe
from tikiwallet.web.errors import BodyTooLarge, InternalError, render
from tikiwallet.web.headers import CSP, INERT, Header
from tikiwallet.web.metrics import Latencies

BODY_MAX: Final = 65_536
# A hundred payments with requests and receipts, in base64url.
_LARGER: Final = {"/v1/offline/settlements": 262_144}
REQUEST_ID_HEADER: Final = b"x-request-id"
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NO_STORE: Final = (b"cache-control", b"no-store")
NO_SNIFF: Final = security.NO_SNIFF
_UNMATCHED: Final = "unmatched"
_log = logs.get("web")


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's X-Request-Id if it is sane (1 to 64 letters, digits, `.`, `_`, `-`), else a
    fresh one."""
    for name, value in headers:
        if name == REQUEST_ID_HEADER and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return ids.write_uuid(ids.new_uuid7())


def announced_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """What Content-Length says; None when there is none that can be read."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else None
    return None


class Edge:
    """Wraps an ASGI application. Bodies above `BODY_MAX`, or what the address takes, are refused,
    read or announced."""

    def __init__(
        self,
        app: ASGIApp,
        latencies: Latencies,
        always: Sequence[Header] = (NO_SNIFF,),
        *,
        cookies: BrowserCookies,
    ) -> None:
        self.app = app
        self._latencies = latencies
        self._always = always
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        answer = _Answer(scope, send, self._always)
        token = logs.request_id.set(answer.request_id)
        _note_origin(scope, self._cookies)
        try:
            await self._serve(scope, receive, answer)
        finally:
            self._note(scope, answer, time.perf_counter() - begun)
            logs.request_id.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        length = announced_length(scope["headers"])
        most = _LARGER.get(scope["path"], BODY_MAX)
        if length is not None and length > most:
            await answer.problem(BodyTooLarge())
            return
        if length is None:
            receive = _bounded(receive, most)
        try:
            await self.app(scope, receive, answer.send)
        except Exception:
            _log.exception("request failed", method=scope["method"], route=_route(scope))
            if not answer.status:
                await answer.problem(InternalError())

    def _note(self, scope: Scope, answer: "_Answer", seconds: float) -> None:
        method, route = scope["method"], _route(scope)
        self._latencies.observe(method, route, answer.status, seconds)
        _log.debug(
            "request",
            method=method,
            route=route,
            status=answer.status,
            milliseconds=round(seconds * 1000, 2),
        )


class _Answer:
    """Sends the application's answer with the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send, always: Sequence[Header]) -> None:
        self.request_id = request_id_of(scope["headers"])
        self.status = 0  # until the answer begins
        self._private = scope["path"].startswith(("/v1/", "/dev/"))
        self._send = send
        self._always = always

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [
                *message.get("headers", ()),
                (REQUEST_ID_HEADER, self.request_id.encode()),
                *self._always,
            ]
            if all(name != CSP for name, _ in headers):
                headers.append(INERT)
            if self._private:
                headers.append(NO_STORE)
            message = {**message, "headers": headers}
        await self._send(message)

    async def problem(self, problem: BodyTooLarge | InternalError) -> None:
        status, headers, body = render(problem, self.request_id)
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _note_origin(scope: Scope, cookies: BrowserCookies) -> None:
    """Let whatever the request does say in the audit trail where it came from, and count by it."""
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    languages = [value for name, value in scope["headers"] if name == b"accept-language"]
    client = scope.get("client")
    set_origin(
        describe(agent.decode("latin-1")),
        client[0] if client else None,
        cookies.known_of(scope["headers"]),
        b",".join(languages).decode("latin-1") if languages else None,
    )


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive` for a body whose length nobody announced: it may end too late."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413)
        return message

    return bounded


def _route(scope: Scope) -> str:
    """The template of the route that matched; addresses hold ids and would never stop growing."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else _UNMATCHED
