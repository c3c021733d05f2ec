"""The ledger for other processes: the same interface over a socket that only its owner can open.

The client sends again what had no answer when a connection ended: ids make that harmless, and so a
payment survives a writer's death without its caller knowing. A caller whose time is up gets
UNAVAILABLE and learns the outcome with the same id.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from tikiwallet import clock, logs
from tikiwallet.errors import Unavailable
from tikiwallet.ledger import frames
from tikiwallet.ledger.intake import FutureSink, ListSink
from tikiwallet.ledger.port import Sink
from tikiwallet.ledger.transactions import AnyCommand, Outcome, Result, State
from tikiwallet.ledger.validation import validate
from tikiwallet.ledger.writer import Writer

_POST_SECONDS = 10.0
_READ_SECONDS = 3.0
_FRAME_WEIGHT = 20_000  # states, outcomes or postings in one frame
_UNAVAILABLE = Outcome(Result.UNAVAILABLE)
_log = logs.get(__name__)


_Item = TypeVar("_Item")


def _parts(items: list[_Item], weight: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """`items` in runs that make a frame of a megabyte or two."""
    part: list[_Item] = []
    total = 0
    for item in items:
        part.append(item)
        total += weight(item)
        if total >= _FRAME_WEIGHT:
            yield part
            part, total = [], 0
    if part:
        yield part


def _weight(item: frames.PostItem) -> int:
    # A command's text may be as long as many postings.
    command = item.command
    return 16 + len(getattr(command, "postings", ())) + len(getattr(command, "amounts", ()) or ())


# -- the writer's side


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
        for part in _parts(outcomes, lambda _: 1):
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
        for part in _parts(told, lambda item: len(item.states or ())):
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


# -- the callers' side


class LedgerLink:
    """Implements `port.Ledger` over the writer's socket."""

    def __init__(self, path: Path, lease_seconds: float = 0.5) -> None:
        self._path = path
        self._silence = lease_seconds * 1.5
        self._posts: dict[int, tuple[AnyCommand, float, Sink, int, int]] = {}
        self._reads: dict[int, tuple[list[int], float, asyncio.Future[list[State | None]]]] = {}
        self._asks: dict[int, tuple[frames.Frame, float, asyncio.Future[object]]] = {}
        self._resent: set[int] = set()
        self._first: dict[bytes, int] = {}  # of those pending with the same id, who asked first
        self._new_posts: list[int] = []
        self._new_reads: list[int] = []
        self._seq = 0
        self._connection: _ClientConnection | None = None
        self._flushing = False
        self._tasks: list[asyncio.Task[None]] = []
        self.connected = asyncio.Event()

    async def start(self) -> None:
        """Connect in the background, and again whenever the connection ends."""
        self._tasks = [
            asyncio.create_task(self._keep_connected()),
            asyncio.create_task(self._answer_overdue()),
        ]

    async def stop(self) -> None:
        """Hang up; whoever still waits is told UNAVAILABLE."""
        for task in self._tasks:
            task.cancel()
        if self._connection is not None:
            self._connection.abort()
        self._give_up(float("inf"))

    # -- port.Ledger

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        """See `port.Ledger.post`."""
        sink = FutureSink()
        self.enter(command, sink, 0, deadline)
        return await sink.future

    async def post_many(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        """See `port.Ledger.post_many`."""
        outcomes: list[Outcome] = []
        for start in range(0, len(commands), 2_000):
            part = commands[start : start + 2_000]
            sink = ListSink(len(part))
            for slot, command in enumerate(part):
                self.enter(command, sink, slot, time.monotonic() + 60)
            await sink.future
            outcomes += sink.outcomes
        return outcomes

    def enter(self, command: AnyCommand, sink: Sink, slot: int, deadline: float | None) -> None:
        """Send a command whose outcome goes to `sink`. Raises ValueError when it is malformed."""
        validate(command)
        seq = self._seq = self._seq + 1
        until = time.monotonic() + _POST_SECONDS if deadline is None else deadline
        self._posts[seq] = (command, until, sink, slot, clock.now_us())
        self._first.setdefault(command.id, seq)
        self._new_posts.append(seq)
        self._soon()

    async def look_up(self, id: bytes, digest: bytes) -> Outcome | None:
        """See `port.Ledger.look_up`."""
        if len(id) != 16:
            raise ValueError("id must be 16 bytes")
        seq = self._seq = self._seq + 1
        outcome = await self._ask(seq, frames.LookUp(seq, id, digest))
        if isinstance(outcome, Outcome) and outcome.result == Result.UNAVAILABLE:
            raise Unavailable("the ledger cannot answer right now")
        assert outcome is None or isinstance(outcome, Outcome)
        return outcome

    async def states(self, accounts: Sequence[int]) -> list[State | None]:
        """See `port.Ledger.states`. Reads of one turn of the loop travel together."""
        seq = self._seq = self._seq + 1
        future: asyncio.Future[list[State | None]] = asyncio.get_running_loop().create_future()
        self._reads[seq] = (list(accounts), time.monotonic() + _READ_SECONDS, future)
        self._new_reads.append(seq)
        self._soon()
        return await future

    def states_now(self, accounts: Sequence[int]) -> list[State | None] | None:
        """Nothing can be told without asking the writer."""
        return None

    async def stable_n(self) -> int:
        """See `port.Ledger.stable_n`."""
        seq = self._seq = self._seq + 1
        n = await self._ask(seq, frames.Stable(seq))
        if not isinstance(n, int):
            raise Unavailable("the ledger cannot answer right now")
        return n

    async def _ask(self, seq: int, frame: frames.Frame) -> object:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._asks[seq] = (frame, time.monotonic() + _READ_SECONDS, future)
        if self._connection is not None:
            self._connection.write(frames.pack(frame))
        return await future

    # -- sending

    def _soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        connection = self._connection
        if connection is None:
            return  # all that is pending is sent when there is one
        posts, self._new_posts = self._new_posts, []
        reads, self._new_reads = self._new_reads, []
        if posts:
            self._send_posts(connection, posts)
        if reads:
            items = [
                frames.ReadItem(seq, self._reads[seq][0]) for seq in reads if seq in self._reads
            ]
            for part in _parts(items, lambda item: len(item.accounts)):
                connection.write(frames.pack(frames.Read(part)))

    def _send_posts(self, connection: "_ClientConnection", posts: list[int]) -> None:
        now = time.monotonic()
        items = []
        for seq in posts:
            if (pending := self._posts.get(seq)) is not None:
                ttl = max(0, int((pending[1] - now) * 1000))
                items.append(frames.PostItem(seq, ttl, pending[0]))
        for part in _parts(items, _weight):
            connection.write(frames.pack(frames.Post(part)))

    def _send_all(self, connection: "_ClientConnection") -> None:
        self._resent.update(self._posts)
        self._new_posts = list(self._posts)
        self._new_reads = list(self._reads)
        self._flush()
        for frame, _, _ in self._asks.values():
            connection.write(frames.pack(frame))

    # -- receiving

    def receive(self, answer: frames.Answer) -> None:
        """Hand an answer to whoever waits for it."""
        if isinstance(answer, frames.Outcomes):
            for item in answer.items:
                self._settle(item)
        elif isinstance(answer, frames.States):
            for told in answer.items:
                read = self._reads.pop(told.seq, None)
                if read is None or read[2].done():
                    continue
                if told.states is None:
                    read[2].set_exception(Unavailable("the ledger cannot answer right now"))
                else:
                    read[2].set_result(told.states)
        elif isinstance(answer, frames.StableN):
            ask = self._asks.pop(answer.seq, None)
            if ask is not None and not ask[2].done():
                ask[2].set_result(answer.n)

    def _settle(self, item: frames.OutcomeItem) -> None:
        pending = self._posts.pop(item.seq, None)
        if pending is not None:
            outcome = item.outcome
            if outcome is None:
                _log.error("the writer found a command malformed", why=item.error)
                outcome = Outcome(Result.REJECTED)
            first = self._first.get(pending[0].id) == item.seq
            if first:
                del self._first[pending[0].id]
            if first and item.seq in self._resent and outcome.at >= pending[4]:
                # The caller asked once; that it was sent twice is this link's own affair.
                outcome = Outcome(outcome.result, outcome.n, outcome.at, outcome.payer)
            self._resent.discard(item.seq)
            pending[2].settle(pending[3], outcome)
            return
        ask = self._asks.pop(item.seq, None)
        if ask is not None and not ask[2].done():
            ask[2].set_result(item.outcome)

    # -- staying connected

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, connection = await loop.create_unix_connection(
                    lambda: _ClientConnection(self), str(self._path)
                )
            except OSError:
                await asyncio.sleep(0.05)
                continue
            self._connection = connection
            self.connected.set()
            self._send_all(connection)
            # A stopped writer keeps its socket open, and the kernel accepts for it: only its beats
            # tell that it leads, and the first comes at once.
            while not connection.lost:
                await asyncio.sleep(self._silence / 10)
                silence = self._silence if connection.heard else self._silence / 4
                if clock.boot_seconds() - connection.heard_at > silence:
                    _log.warning("the writer is silent; connecting anew")
                    connection.abort()
                    break
            self._connection = None
            self.connected.clear()
            await asyncio.sleep(0.02)

    async def _answer_overdue(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self._give_up(time.monotonic())

    def _give_up(self, now: float) -> None:
        for seq in [seq for seq, pending in self._posts.items() if pending[1] < now]:
            command, _, sink, slot, _ = self._posts.pop(seq)
            if self._first.get(command.id) == seq:
                del self._first[command.id]
            self._resent.discard(seq)
            sink.settle(slot, _UNAVAILABLE)
        reads = [seq for seq, read in self._reads.items() if read[1] < now]
        asks = [seq for seq, ask in self._asks.items() if ask[1] < now]
        for seq in reads:
            _cannot_tell(self._reads.pop(seq)[2])
        for seq in asks:
            _cannot_tell(self._asks.pop(seq)[2])


def _cannot_tell(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(Unavailable("the ledger cannot answer right now"))


class _ClientConnection(asyncio.Protocol):
    def __init__(self, link: LedgerLink) -> None:
        self._link = link
        self._reassembly = frames.Reassembly()
        self._transport: asyncio.Transport | None = None
        self.heard_at = clock.boot_seconds()
        self.heard = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        """Any frame is a sign of life."""
        self.heard = True
        self.heard_at = clock.boot_seconds()
        try:
            for body in self._reassembly.feed(data):
                self._link.receive(frames.answer_decoder.decode(body))
        except (ValueError, msgspec.MsgspecError) as error:
            _log.error("an answer that cannot be read", why=str(error))
            self.abort()

    def write(self, data: bytes) -> None:
        """Send, unless the other side has gone."""
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def abort(self) -> None:
        """Hang up at once."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
