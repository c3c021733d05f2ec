"""Finding other terminals on any local network: mDNS service discovery (RFC 6762, 6763).

What is announced is a made-up instance name and the shop's name; never a phone number. What
comes back is anybody's word: it is bounded, cleaned, and only tells where to knock. Who is there is
settled by the link's six digits and by the signed pass.
"""

import asyncio
import contextlib
import ipaddress
import itertools
import logging
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import psutil
from zeroconf import (  # type: ignore[attr-defined]  # the first two, which its __all__ leaves out
    DNSOutgoing,
    DNSQuestion,
    Error,
    InterfaceChoice,
    IPVersion,
    ServiceStateChange,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE: Final = "_tikiwallet._tcp.local."
NAME_BYTES: Final = 20  # as in a pass
_PEERS_MOST: Final = 64
_ADDRESSES_MOST: Final = 8
_RESOLVE_MS: Final = 3_000
_LOOK_SECONDS: Final = 2.0  # how soon a cable that was plugged in is noticed
_ASK_TURNS: Final = 5
_QUERY, _POINTER, _INTERNET = 0, 12, 1  # RFC 1035: a question, for PTR records, class IN


class Peer(NamedTuple):
    """A terminal that says it is there, under a name that nobody has proven."""

    id: str  # made up once
    name: str
    addresses: tuple[str, ...]  # with their scope (`fe80::1%2`) where they need one
    port: int


def clean_name(raw: bytes) -> str | None:
    """A name as it may be shown: no control or direction marks, at most 20 bytes; or None."""
    if len(raw) > 255:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    kept = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return " ".join(kept.split()).encode()[:NAME_BYTES].decode(errors="ignore").strip() or None


def read_peer(
    instance: str, properties: Mapping[bytes, bytes | None], addresses: list[str], port: int | None
) -> Peer | None:
    """The peer that an answer describes; None when it describes none of ours."""
    id_ = instance.removesuffix(f".{SERVICE}")
    name = clean_name(properties.get(b"name") or b"")
    usable = tuple(a for a in addresses if _is_usable(a))[:_ADDRESSES_MOST]
    if properties.get(b"v") != b"1" or name is None or not usable or not port:
        return None
    if not (1 <= len(id_) <= 63 and id_.isascii() and id_.isalnum() and 0 < port < 65_536):
        return None
    return Peer(id_, name, usable, port)


def _is_usable(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    scoped = not isinstance(ip, ipaddress.IPv6Address) or not ip.is_link_local or ip.scope_id
    return not ip.is_multicast and not ip.is_unspecified and bool(scoped)


def own_addresses(interface: str = "") -> list[str]:
    """This machine's addresses on interfaces that are up, or on that one; loopback only where there
    is no other."""
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    found = {
        address.address.partition("%")[0]
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if name in up and interface in ("", name) and address.family.name in {"AF_INET", "AF_INET6"}
    }
    outside = {a for a in found if not ipaddress.ip_address(a).is_loopback}
    return sorted(outside or found)


class Discovery:
    """Announces this terminal and follows the others; `changed` is told whenever they change. `id`
    stays the same from start to start, so that a terminal that lost power is not found twice."""

    def __init__(
        self, id: str, name: str, port: int, changed: Callable[[dict[str, Peer]], None]
    ) -> None:
        self.id = id
        self.peers: dict[str, Peer] = {}
        self.name = name
        self._port = port
        self._changed = changed
        self._resolving: dict[str, asyncio.Task[None]] = {}
        self._life: asyncio.Task[None] | None = None
        logging.getLogger("zeroconf").setLevel(logging.ERROR)  # it warns of each malformed packet

    def start(self) -> None:
        """Begin, and go on as networks come and go."""
        asyncio.get_running_loop().set_exception_handler(_pass_over)
        self._life = asyncio.create_task(self._live())

    async def close(self) -> None:
        """Say goodbye to the network."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(OSError, Error):  # no network yet: look again
                await self._announce_and_follow()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _announce_and_follow(self) -> None:
        addresses = own_addresses()
        zeroconf = _opened()
        browser = None
        try:
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[self._on_change])
            info = self._info(addresses)
            await zeroconf.async_register_service(info)
            for turn in itertools.count():
                await asyncio.sleep(_LOOK_SECONDS)
                if turn % _ASK_TURNS == 0:
                    zeroconf.zeroconf.async_send(_question())
                if (now := own_addresses()) != addresses:
                    addresses = now
                    await zeroconf.async_update_interfaces()
                    await zeroconf.async_update_service(self._info(addresses))
        finally:
            for task in self._resolving.values():
                task.cancel()
            try:
                if browser is not None:
                    await browser.async_cancel()
            finally:  # also of one that had hardly begun
                await zeroconf.async_close()

    def _info(self, addresses: list[str]) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            SERVICE,
            f"{self.id}.{SERVICE}",
            port=self._port,
            properties={"v": "1", "name": self.name},
            server=f"{self.id}.local.",
            parsed_addresses=addresses,
        )

    def _on_change(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if name == f"{self.id}.{SERVICE}":
            return
        if state_change is ServiceStateChange.Removed:
            if (running := self._resolving.pop(name, None)) is not None:
                running.cancel()
            if self.peers.pop(name, None) is not None:
                self._changed(dict(self.peers))
        elif name not in self._resolving and self._has_room_for(name):
            self._resolving[name] = asyncio.create_task(self._resolve(zeroconf, name))

    def _has_room_for(self, name: str) -> bool:
        return name in self.peers or len(self._resolving) + len(self.peers) < _PEERS_MOST

    async def _resolve(self, zeroconf: Zeroconf, name: str) -> None:
        peer = None
        try:
            info = AsyncServiceInfo(SERVICE, name)
            if await info.async_request(zeroconf, _RESOLVE_MS):
                peer = read_peer(name, info.properties, info.parsed_scoped_addresses(), info.port)
        except (Error, OSError, ValueError):
            pass  # it is not one of ours
        finally:
            self._resolving.pop(name, None)
        if peer is not None and self.peers.get(name) != peer:
            self.peers[name] = peer
            self._changed(dict(self.peers))


def _question() -> DNSOutgoing:
    """Who is there? The library asks too, naming the answers that it has; where one of them was
    malformed it fails to write them down and asks no more. This names none."""
    question = DNSOutgoing(_QUERY)
    question.add_question(DNSQuestion(SERVICE, _POINTER, _INTERNET))
    return question


def _pass_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the library stumbles over in its own timers is nobody's concern here."""
    if not isinstance(context.get("exception"), Error):
        loop.default_exception_handler(context)


def _opened() -> AsyncZeroconf:
    try:
        return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
    except OSError:  # a machine without IPv6
        return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
