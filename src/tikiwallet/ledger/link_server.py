"""The writer's side of the socket that `link.LedgerLink` speaks to.

The socket is open while the writer leads and closed, with every connection, when not.
"""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

from tikiwallet import logs
from tikiwallet.errors import Unavailable
from tikiwallet.ledger import frames
from tikiwallet.ledger.transactions import Outcome, Result
from tikiwallet.ledger.writer import Writer

_UNAVAILABLE = Outcome(Result.UNAVAILABLE)
_log = logs.get(__name__)


class LinkServer:
    """Opens the socket while the writer leads and closes it, with every connection, when not."""

    def __init__(self, writer: Writer, path: Path) -> None:
        self._writer = writer
        self._path = path
        self._connections: set[_ServerConnection] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch the writer in the background."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close the socket; connections end once what they are owed has been sent."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._writer.leading.wait()
            try:
                server = await self._listen()
            except OSError as error:
                _log.error("the ledger's socket cannot be opened", why=str(error))
                await asyncio.sleep(1)
                continue
            try:
                term = self._writer.term
                while term is not None and self._writer.term is term:
                    # Also when the lease has run out: it lives, and answers once it may.
                    beat = frames.pack(frames.Beat(term.epoch))
                    for connection in self._connections:
                        connection.write(beat)
                    await asyncio.sleep(self._writer.options.lease_seconds / 5)
            finally:
                server.close()
                for connection in list(self._connections):
                    connection.close()

    async def _listen(self) -> asyncio.Server:
        # Bound beside its place and moved into it: a client never meets a socket half made, and a
        # successor takes the name over from a writer that is stopped.
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        # Until its mode is set it is protected by its folder's, 0700.
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: _ServerConnection(self._writer, self._connections), str(fresh)
        )
        fresh.chmod(0o600)
        fresh.replace(self._path)
        return server


class _ServerConnection(asyncio.Protocol):
    """One API process or worker."""

    def __init__(self, writer: Writer, connections: "set[_ServerConnection]") -> None:
        self._writer = writer
        self._connections = connections
        self._reassembly = frames.Reassembly()
        self._transport: asyncio.Transport | None = None
        self._outcomes: list[frames.OutcomeItem] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape only
        self._transport.set_write_buffer_limits(frames.FRAME_MAX)
        self._connections.add(self)
        if (term := self._writer.term) is not None:
            self.write(frames.pack(frames.Beat(term.epoch)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)

    def pause_writing(self) -> None:
        """A client that does not read its answers is not heard either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Whole frames are worked on at once."""
        try:
            for body in self._reassembly.feed(data):
                self._handle(frames.request_decoder.decode(body))
        except (ValueError, msgspec.MsgspecError) as error:
            _log.error("a frame that cannot be read", why=str(error))
            self.close()

    def write(self, data: bytes) -> None:
        """Send, unless the other side has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is owed, then hang up."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def settle(self, slot: int, outcome: Outcome) -> None:
        """Outcomes of one batch leave in one frame."""
        self._answer(frames.OutcomeItem(slot, outcome))

    def _answer(self, item: frames.OutcomeItem) -> None:
        if not self._outcomes:
            self._loop.call_soon(self._flush)
        self._outcomes.append(item)

    def _flush(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        for part in frames.parts(outcomes, lambda _: 1):
            self.write(frames.pack(frames.Outcomes(part)))

    def _handle(self, request: frames.Request) -> None:
        if isinstance(request, frames.Post):
            now = time.monotonic()
            for item in request.items:
                try:
                    self._writer.enter(item.command, self, item.seq, now + item.ttl_ms / 1000)
                except ValueError as error:
                    self._answer(frames.OutcomeItem(item.seq, None, str(error)))
        elif isinstance(request, frames.Read):
            self._read(request.items)
        elif isinstance(request, frames.LookUp):
            self._spawn(self._look_up(request))
        else:
            self._spawn(self._stable(request))

    def _spawn(self, work) -> None:  # type: ignore[no-untyped-def]
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _read(self, items: list[frames.ReadItem]) -> None:
        told = []
        for item in items:
            states = self._writer.states_now(item.accounts)
            if states is None:
                self._spawn(self._read_slowly(item))
            else:
                told.append(frames.StatesItem(item.seq, states))
        for part in frames.parts(told, lambda item: len(item.states or ())):
            self.write(frames.pack(frames.States(part)))

    async def _read_slowly(self, item: frames.ReadItem) -> None:
        try:
            states = await self._writer.states(item.accounts)
        except Unavailable:
            states = None
        self.write(frames.pack(frames.States([frames.StatesItem(item.seq, states)])))

    async def _look_up(self, request: frames.LookUp) -> None:
        try:
            outcome = await self._writer.look_up(request.id, request.digest)
        except Unavailable:
            outcome = _UNAVAILABLE
        except ValueError as error:
            self._answer(frames.OutcomeItem(request.seq, None, str(error)))
            return
        self._answer(frames.OutcomeItem(request.seq, outcome))

    async def _stable(self, request: frames.Stable) -> None:
        n = None
        with suppress(Unavailable):
            n = await self._writer.stable_n()
        self.write(frames.pack(frames.StableN(request.seq, n)))
