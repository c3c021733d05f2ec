"""Which address a call came from when proxies stand before this process.

Everybody can write an X-Forwarded-For. Only what a trusted proxy appended to it counts, so it is
read from its end: the last address that is not itself a trusted proxy's is the caller's. The header
`Forwarded` is not read: a proxy that knows only the one passes on whatever a caller put into the
other.
"""

import ipaddress
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from tikiwallet.config import Network

_FORWARDED = b"x-forwarded-for"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BehindProxies:
    """Wraps an ASGI application that is to see the caller's address as its client's."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        client = scope.get("client")
        if client is not None:
            headers = scope["headers"]
            told = [value.decode("latin-1") for name, value in headers if name == _FORWARDED]
            scope = {**scope, "client": (caller_address(client[0], told, self._trusted), 0)}
        await self._app(scope, receive, send)


def caller_address(
    peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]
) -> str | None:
    """The caller's address, given the connection's `peer` and the values of X-Forwarded-For in
    their order; `peer` when that is not one of the `trusted` proxies."""
    at = None if peer is None else _read(peer)
    if at is None or not _is_in(at, trusted):
        return peer
    for written in reversed(",".join(forwarded).split(",")):
        hop = _read(written.strip())
        if hop is None:  # no address: what stands before it is not to be relied on either
            break
        at = hop
        if not _is_in(hop, trusted):
            break
    return str(at)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _read(written: str) -> Address | None:
    """An address, also with a port as some proxies write it (`192.0.2.1:80`, `[2001:db8::1]:80`).
    An IPv4 address in IPv6's clothes is an IPv4 address."""
    if written.startswith("["):
        written = written[1:].partition("]")[0]
    elif written.count(":") == 1:
        written = written.partition(":")[0]
    try:
        address = ipaddress.ip_address(written.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
