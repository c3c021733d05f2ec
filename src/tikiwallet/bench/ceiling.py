"""A server that does nothing: what the load generator alone can ask for on this machine.

`python -m tikiwallet.bench.ceiling PORT` answers any request with the bytes of a typical answer, on
the same HTTP server and event loop as the product.
"""

import asyncio
import signal
import sys
from typing import Protocol

import uvloop
from granian.constants import Interfaces, TaskImpl
from granian.server.embed import Server

_BODY = (
    b'{"wallet_id":"w_0123456789abc","currency":"SGD","available":12345,"held":0,'
    b'"posted":12345,"version":12}'
)
_HEADERS = [("content-type", "application/json")]


class _Scope(Protocol):
    proto: str
    method: str


class _Exchange(Protocol):
    async def __call__(self) -> bytes: ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


async def answer(scope: _Scope, exchange: _Exchange) -> None:
    """Read what was sent and answer it with 200."""
    if scope.method == "POST":
        await exchange()
    exchange.response_bytes(200, _HEADERS, _BODY)


async def _serve(port: int) -> None:
    server = Server(
        answer,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.RSGI,
        task_impl=TaskImpl.asyncio,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
