"""A terminal for phones to find: the real server, in a thread with a loop of its own, and a shop
behind it that invites, takes a payment and gives a receipt, the same for the same bytes."""

import asyncio
import hashlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tikiwallet.terminal.framed import Conversation
from tikiwallet.terminal.link import Kind
from tikiwallet.terminal.webtransport import WebTransportServer
from tikiwallet.terminal.webtransport_limits import Limits

INVITE = b"invite".ljust(400, b"i")
PAY_BYTES = 444
RECEIPT_BYTES = 120
T = TypeVar("T")


def receipt_for(pay: bytes) -> bytes:
    """What the shop answers to a payment."""
    return hashlib.sha256(pay).digest().ljust(RECEIPT_BYTES, b"r")


class Shop:
    """A `Meeting`. `digits` are those of all its exchanges, `paid` the payments it took."""

    def __init__(self) -> None:
        self.digits: list[str] = []
        self.paid: set[bytes] = set()
        self.received = 0
        self.hang_up_after_pay = False

    async def meet(self, conversation: Conversation) -> None:
        self.digits.append(conversation.digits)
        await conversation.send(Kind.MESSAGE, INVITE)
        pay = (await conversation.receive()).body
        self.received += 1
        self.paid.add(pay)
        if self.hang_up_after_pay:
            self.hang_up_after_pay = False
            return
        await conversation.send(Kind.MESSAGE, receipt_for(pay))


class Terminal:
    """The server, for a thread that has no loop."""

    def __init__(self, origin: str, limits: Limits | None = None) -> None:
        self.shop = Shop()
        self.server = WebTransportServer(self.shop, public_url=origin, limits=limits)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` over there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def start(self) -> None:
        self._thread.start()
        self.run(self.server.start("127.0.0.1"))

    def stop(self) -> None:
        self.run(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def terminal_nearby(origin: str, limits: Limits | None = None) -> Iterator[Terminal]:
    """A terminal of the wallet that lives at `origin`."""
    terminal = Terminal(origin, limits)
    terminal.start()
    try:
        yield terminal
    finally:
        terminal.stop()
