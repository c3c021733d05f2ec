"""Lets phones on the local network in: where they reach this terminal, also after that changed."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable
from typing import Final

from tikiwallet.terminal.discovery import own_addresses
from tikiwallet.terminal.framed import Meeting
from tikiwallet.terminal.webtransport import WebTransportServer

# Where the phone app agrees to go (pwa/app/offline/link-worker.js), but for addresses that need a
# zone, such as fe80::1%2: they cannot stand in its code.
_NEAR: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
)


def near_addresses(interface: str = "") -> list[str]:
    """This machine's addresses, or those of one interface, that phones near can reach, IPv4
    first."""
    found = [ipaddress.ip_address(address) for address in own_addresses(interface)]
    near = [ip for ip in found if any(ip in network for network in _NEAR)]
    return [str(ip) for ip in sorted(near, key=lambda ip: (ip.version, int(ip)))]


def reachable_address() -> str:
    """The first of them; empty where there is none."""
    return next(iter(near_addresses()), "")


class Phones:
    """Keeps a WebTransport server on the machine's address of the moment."""

    def __init__(self, meeting: Meeting, address: Callable[[], str] = reachable_address) -> None:
        self._meeting = meeting
        self._address = address
        self._chosen = ""
        self._turn = asyncio.Lock()
        self._server: WebTransportServer | None = None
        self._place = ("", "")
        self.text = ""

    def choose(self, address: str) -> None:
        """From now on over the network that this machine is in as `address`; empty: over the first
        one. Raises `ValueError` for what is no address."""
        self._chosen = address and str(ipaddress.ip_address(address))

    async def look(self, public_url: str, interface: str = "") -> bool:
        """Open, move or renew what phones connect to; True when `text`, for the QR code, changed.
        `public_url` is where they have their app from; without it, or an address, `text` is
        empty. With `interface` phones come over that one, unless another was chosen."""
        async with self._turn:
            reached = next(iter(near_addresses(interface)), "") if interface else self._address()
            place = (public_url, self._chosen or reached)
            before = self.text
            if place != self._place:
                await self.close()
                await self._open(*place)
            elif self._server is not None and self._server.renew():
                self.text = self._server.text
            return self.text != before

    async def _open(self, public_url: str, address: str) -> None:
        if not (public_url and address):
            self._place = (public_url, address)
            return
        server = WebTransportServer(self._meeting, public_url=public_url)
        with contextlib.suppress(OSError):  # the address has just gone: look again
            await server.start(address)
            self._server = server
            self._place = (public_url, address)
            self.text = server.text

    async def close(self) -> None:
        """Say goodbye to the phones that are connected."""
        server, self._server = self._server, None
        self.text = ""
        if server is not None:
            await server.stop()
            await asyncio.sleep(0)  # in which the socket closes
