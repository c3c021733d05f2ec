"""Lets phones on the local network in: where they reach this terminal, also after that changed."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable

from tikiwallet.terminal.discovery import own_addresses
from tikiwallet.terminal.framed import Meeting
from tikiwallet.terminal.webtransport import WebTransportServer


def reachable_address() -> str:
    """An address of this machine that phones near can reach; empty where there is none."""
    found = [ipaddress.ip_address(address) for address in own_addresses()]
    near = [ip for ip in found if ip.version == 4 and not ip.is_loopback]
    return str(near[0]) if near else ""


class Phones:
    """Keeps a WebTransport server on the machine's address of the moment."""

    def __init__(self, meeting: Meeting, address: Callable[[], str] = reachable_address) -> None:
        self._meeting = meeting
        self._address = address
        self._server: WebTransportServer | None = None
        self._place = ("", "")
        self.text = ""

    async def look(self, public_url: str) -> bool:
        """Open, move or renew what phones connect to; True when `text`, for the QR code, changed.
        `public_url` is where they have their app from; without it, or an address, `text` is
        empty."""
        place = (public_url, self._address())
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
