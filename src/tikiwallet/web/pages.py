"""The phone app over HTTP: its page at every address of the app, its files beside it.

Plain ASGI around the API. What is neither a file nor an address of the app goes on to the API.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from tikiwallet import logs
from tikiwallet.web import headers as security
from tikiwallet.web.app_files import ROOT, AppFile, AppFiles
from tikiwallet.web.errors import MethodNotAllowed, render

Headers = Iterable[tuple[bytes, bytes]]

# First segments of addresses that are not the app's.
RESERVED: Final = frozenset(
    {"app", "dev", "docs", "healthz", "metrics", "openapi.json", "problems", "readyz", "v1"}
)
_DEV_PAGE: Final = "/dev"
_KEPT: Final = (b"cache-control", b"public, max-age=31536000, immutable")
_ASKED_AGAIN: Final = (b"cache-control", b"no-cache")
_VARY: Final = (b"vary", b"accept, accept-encoding")


class _Route:
    """What metrics call these addresses."""

    def __init__(self, path: str) -> None:
        self.path = path


_FILE_ROUTE: Final = _Route(f"{ROOT}/{{version}}/{{file}}")
_PAGE_ROUTE: Final = _Route("/{page}")


class Pages:
    """Answers what the app needs; `rest` answers everything else. `dev_page`: whether the page for
    developers exists."""

    def __init__(self, app_files: AppFiles, rest: ASGIApp, *, dev_page: bool = False) -> None:
        self._files = app_files
        self._rest = rest
        self._dev_page = dev_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path: str = scope["path"]
        file = self._files.by_path.get(path)
        if file is None:
            if scope["method"] not in ("GET", "HEAD") or not self._is_page(path, scope["headers"]):
                await self._rest(scope, receive, send)
                return
            file = self._files.page
        scope["route"] = _FILE_ROUTE if file.kept else _PAGE_ROUTE
        elsewhere = None if file is not self._files.page else _on_localhost(scope)
        if scope["method"] not in ("GET", "HEAD"):
            status, headers, body = render(MethodNotAllowed(), logs.request_id.get())
            headers.append((b"allow", b"GET, HEAD"))
        elif elsewhere is not None:
            headers = [(b"location", elsewhere), (b"content-length", b"0"), _ASKED_AGAIN]
            status, body = 307, b""
        else:
            status, headers, body = _answer(file, scope["headers"])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})

    def _is_page(self, path: str, headers: Headers) -> bool:
        if path == _DEV_PAGE:
            return self._dev_page and _takes_html(headers)
        segments = path.split("/")
        last = segments[-1]
        return (
            segments[1] not in RESERVED
            and ("." not in last or last.startswith("@"))
            and _takes_html(headers)
        )


def _answer(file: AppFile, asked: Headers) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = [
        (b"etag", file.etag),
        _KEPT if file.kept else _ASKED_AGAIN,
        _VARY,
        # What a page may do is the page's to say; a kilobyte with each of its forty files is much.
        *_policy(file),
    ]
    known = b""
    packed = False
    for name, value in asked:
        if name == b"if-none-match":
            known = value
        elif name == b"accept-encoding":
            packed = packed or _takes_gzip(value)
    if file.etag in known:
        return 304, headers, b""
    body = file.body
    if packed and file.packed is not None:
        body = file.packed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-type", file.media_type))
    headers.append((b"content-length", b"%d" % len(body)))
    return 200, headers, body


def _policy(file: AppFile) -> Iterable[security.Header]:
    if file.reaches_out:
        return (security.LINK_WORKER,)
    return (security.INERT,) if file.kept else security.PAGE


def _takes_gzip(value: bytes) -> bool:
    for one in value.lower().split(b","):
        name, _, quality = one.partition(b";")
        if name.strip() in (b"gzip", b"*"):
            return quality.replace(b" ", b"").rstrip(b".0") != b"q="
    return False


def _takes_html(headers: Headers) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in headers)


def _on_localhost(scope: Scope) -> bytes | None:
    """Where the page is when it was asked for by a bare loopback address, on which passkeys do
    not work; None when the page is where it should be."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    name, port = _split_host(host.decode("latin-1"))
    try:
        if not ipaddress.ip_address(name).is_loopback:
            return None
    except ValueError:
        return None
    place = f"localhost:{port}" if port.isdigit() else "localhost"
    query: bytes = scope.get("query_string", b"")
    path = quote(scope["path"], safe="/@:~!$&'()*+,;=")
    return f"{scope.get('scheme', 'http')}://{place}{path}".encode() + (query and b"?" + query)


def _split_host(host: str) -> tuple[str, str]:
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port
