"""A server that does nothing: what the load generator alone can ask for on this machine.

`python -m tikiwallet.bench.ceiling PORT` answers any request with the bytes of a typical answer,
on the same parser and event loop as the product and with nothing around them.
"""

import asyncio
import signal
import sys
from typing import cast

import httptools
import uvloop

_BODY = (
    b'{"wallet_id":"w_0123456789abc","currency":"SGD","available":12345,"held":0,'
    b'"posted":12345,"version":12}'
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls `on_message_complete`."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer what was sent with 200."""
        self._transport.write(_ANSWER)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, backlog=4_096)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
