"""The ledger for other processes: the same interface over a socket that only its owner can open.

The client sends again what had no answer when a connection ended: ids make that harmless, and so a
payment survives a writer's death without its caller knowing. A caller whose time is up gets
UNAVAILABLE and learns the outcome with the same id.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from tikiwallet import clock, logs
from tikiwallet.errors import Unavailable
from tikiwallet.ledger import frames
from tikiwallet.ledger.intake import FutureSink, ListSink
from tikiwallet.ledger.port import Sink
from tikiwallet.ledger.transactions import AnyCommand, Outcome, Result, State
from tikiwallet.ledger.validation import validate

_POST_SECONDS = 10.0
_READ_SECONDS = 3.0
_UNAVAILABLE = Outcome(Result.UNAVAILABLE)
_log = logs.get(__name__)


class _Pending:
    """A command that waits for its outcome."""

    __slots__ = ("asked_at", "command", "resent", "sink", "slot", "until")

    def __init__(self, command: AnyCommand, until: float, sink: Sink, slot: int) -> None:
        self.command = command
        self.until = until
        self.sink = sink
        self.slot = slot
        self.asked_at = clock.now_us()
        self.resent = False


class LedgerLink:
    """Implements `port.Ledger` over the writer's socket."""

    def __init__(self, path: Path, lease_seconds: float = 0.5) -> None:
        self._path = path
        self._silence = lease_seconds * 1.5
        self._posts: dict[int, _Pending] = {}
        self._reads: dict[int, tuple[list[int], float, asyncio.Future[list[State | None]]]] = {}
        self._asks: dict[int, tuple[frames.Frame, float, asyncio.Future[object]]] = {}
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
        self._posts[seq] = _Pending(command, until, sink, slot)
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
            for part in frames.parts(items, lambda item: len(item.accounts)):
                connection.write(frames.pack(frames.Read(part)))

    def _send_posts(self, connection: "_ClientConnection", posts: list[int]) -> None:
        now = time.monotonic()
        items = []
        for seq in posts:
            if (pending := self._posts.get(seq)) is not None:
                ttl = max(0, int((pending.until - now) * 1000))
                items.append(frames.PostItem(seq, ttl, pending.command))
        for part in frames.parts(items, frames.weight):
            connection.write(frames.pack(frames.Post(part)))

    def _send_all(self, connection: "_ClientConnection") -> None:
        for pending in self._posts.values():
            pending.resent = True
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
            first = self._first.get(pending.command.id) == item.seq
            if first:
                del self._first[pending.command.id]
            if first and pending.resent and outcome.at >= pending.asked_at:
                # The caller asked once; that it was sent twice is this link's own affair.
                outcome = Outcome(outcome.result, outcome.n, outcome.at, outcome.payer)
            pending.sink.settle(pending.slot, outcome)
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
        for seq in [seq for seq, pending in self._posts.items() if pending.until < now]:
            pending = self._posts.pop(seq)
            if self._first.get(pending.command.id) == seq:
                del self._first[pending.command.id]
            pending.sink.settle(pending.slot, _UNAVAILABLE)
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
