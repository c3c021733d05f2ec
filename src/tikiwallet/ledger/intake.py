"""The writer's queue: bounded, fair by person, each command once however many ask for it.

A loud person fills a share, never the queue: once it is full, only those may still enter who have
less waiting than everyone's equal share. Commands of the system and of bulk callers have a class of
their own, served in turn with people.
"""

import asyncio
import time
from collections import deque

from tikiwallet.ledger.port import Sink
from tikiwallet.ledger.transactions import (
    SYSTEM,
    Abandon,
    AnyCommand,
    Hold,
    Outcome,
    Result,
    Transaction,
)

OVERLOADED = Outcome(Result.OVERLOADED)
UNAVAILABLE = Outcome(Result.UNAVAILABLE)
_TURN = 4  # log rows
_SYSTEM_TURN = 64
_POSTING = (Transaction, Hold)
ID_REUSED = Outcome(Result.ID_REUSED)


class Ask:
    """A command under way, and all who wait for its outcome."""

    # What most never need stands here, once for all of them.
    joined: list[tuple[Sink, int, bytes, bool]] | None = None  # later arrivals of the same id
    followers: "list[Ask] | None" = None  # captures and reversals that wait for this to be known
    original_missing = False
    rejected = False  # the database refused it when it stood alone
    attempts = 0
    looked_up = False  # or to be, when it is prepared: whether the log has its id
    sent = False  # in a batch whose outcome was not known
    alone = False  # goes into a batch of its own: it was in one that was refused

    def __init__(
        self, command: AnyCommand, digest: bytes, sink: Sink, slot: int, deadline: float | None
    ) -> None:
        self.command = command
        self.digest = digest
        self.sink = sink
        self.slot = slot
        self.deadline = deadline
        self.rows = len(command.postings) if isinstance(command, _POSTING) else 1

    def join(self, sink: Sink, slot: int, digest: bytes, *, whatever: bool) -> None:
        """Let `sink` have what is told to whoever asks for this id with content of that digest;
        `whatever` its content, for an abandonment."""
        if self.joined is None:
            self.joined = []
        self.joined.append((sink, slot, digest, whatever))

    def settle(self, outcome: Outcome, stored: tuple[bytes, Outcome] | None = None) -> None:
        """Answer all who wait. Those who joined see a replay, judged by their own content: against
        this command's, or against what the log had `stored` under the id."""
        self.sink.settle(self.slot, outcome)
        if self.joined is None:
            return
        if Result(outcome.result).retryable:
            for sink, slot, _, _ in self.joined:
                sink.settle(slot, outcome)
            return
        known, told = stored or (self.digest, outcome)
        told = Outcome(told.result, told.n, told.at, told.payer, True)
        for sink, slot, digest, whatever in self.joined:
            sink.settle(slot, judge(digest, whatever, known, told))

    def leave(self, outcome: Outcome) -> None:
        """Answer all who wait; the command itself goes on without them."""
        self.settle(outcome)
        self.sink, self.joined = _NOBODY, None

    def follow(self, other: "Ask") -> None:
        """Let `other` wait until this one has its outcome."""
        if self.followers is None:
            self.followers = []
        self.followers.append(other)

    def is_followed_by(self, other: "Ask") -> bool:
        """Whether `other` waits for this one, or for one that does."""
        waiting = list(self.followers or ())
        while waiting:
            ask = waiting.pop()
            if ask is other:
                return True
            waiting += ask.followers or ()
        return False


def judge(digest: bytes, whatever: bool, stored_digest: bytes, outcome: Outcome) -> Outcome:
    """What a repeated id is told: its outcome, unless the content was another. An abandoned id is
    told so whatever it asked for."""
    if whatever or digest == stored_digest or outcome.result == Result.ABANDONED:
        return outcome
    return ID_REUSED


class _Nobody:
    """Where the outcomes of commands go whose callers have been answered already."""

    def settle(self, slot: int, outcome: Outcome) -> None:
        """Nobody waits."""


_NOBODY = _Nobody()


class FutureSink:
    """One caller that waits for one outcome."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def settle(self, slot: int, outcome: Outcome) -> None:
        if not self.future.done():  # the caller may have gone away
            self.future.set_result(outcome)


class ListSink:
    """One caller that waits for many outcomes, slot by slot."""

    __slots__ = ("_left", "future", "outcomes")

    def __init__(self, count: int) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.outcomes: list[Outcome] = [UNAVAILABLE] * count
        self._left = count

    def settle(self, slot: int, outcome: Outcome) -> None:
        self.outcomes[slot] = outcome
        self._left -= 1
        if not self._left and not self.future.done():
            self.future.set_result(None)


class Intake:
    """Commands waiting to be prepared, by person, and every id under way."""

    def __init__(self, capacity: int = 20_000) -> None:
        self.under_way: dict[bytes, Ask] = {}
        self.rows = 0
        self.arrived = asyncio.Event()
        self.shed = 0
        self._capacity = capacity
        self._hard_capacity = capacity + capacity // 4
        self._person_capacity = capacity // 4
        self._queues: dict[int, deque[Ask]] = {}
        self._waiting: dict[int, int] = {}
        self._turns: deque[int] = deque()
        self._credit: dict[int, int] = {}

    def enter(
        self, command: AnyCommand, digest: bytes, sink: Sink, slot: int, deadline: float | None
    ) -> None:
        """Queue a validated command, or join it to its twin under way, or turn it away."""
        twin = self.under_way.get(command.id)
        if twin is not None:
            twin.join(sink, slot, digest, whatever=isinstance(command, Abandon))
            return
        ask = Ask(command, digest, sink, slot, deadline)
        person = command.person
        if not self._has_room(person, ask.rows):
            self.shed += 1
            sink.settle(slot, OVERLOADED)
            return
        self.under_way[command.id] = ask
        self._append(person, ask)

    def put_back(self, asks: list[Ask]) -> None:
        """Queue again, without asking for room, what had been taken; first in its person's turn."""
        for ask in reversed(asks):
            person = ask.command.person
            queue = self._queues.get(person)
            if queue is None:
                queue = self._queues[person] = deque()
                self._turns.appendleft(person)
            queue.appendleft(ask)
            self._waiting[person] = self._waiting.get(person, 0) + ask.rows
            self.rows += ask.rows
        if asks:
            self.arrived.set()

    def take(self, rows: int) -> list[Ask]:
        """Up to `rows` log rows of commands, a turn per person; those past their deadline are
        answered here and dropped."""
        taken: list[Ask] = []
        now = time.monotonic()
        turns = self._turns
        while turns and rows > 0:
            person = turns.popleft()
            queue = self._queues[person]
            # A turn is worth some rows, saved up for commands that have more (deficit round robin).
            # The system's class stands for many callers: its turn is longer.
            credit = self._credit.pop(person, 0) + (_SYSTEM_TURN if person == SYSTEM else _TURN)
            while queue and rows > 0 and (queue[0].rows <= credit or not turns):
                ask = queue.popleft()
                credit -= ask.rows
                self.rows -= ask.rows
                self._waiting[person] -= ask.rows
                if ask.deadline is not None and ask.deadline < now:
                    self.finish(ask, OVERLOADED)
                else:
                    taken.append(ask)
                    rows -= ask.rows
            if queue:
                turns.append(person)
                if credit > 0:
                    self._credit[person] = credit
            else:
                del self._queues[person]
                del self._waiting[person]
        if not turns:
            self.arrived.clear()
        return taken

    def drop_overdue(self, now: float) -> list[Ask]:
        """Take out those past their deadline, while nobody leads and nothing else takes them."""
        overdue = [
            ask
            for queue in self._queues.values()
            for ask in queue
            if ask.deadline is not None and ask.deadline < now
        ]
        for ask in overdue:
            person = ask.command.person
            self._queues[person].remove(ask)
            self._waiting[person] -= ask.rows
            self.rows -= ask.rows
            if not self._queues[person]:
                del self._queues[person], self._waiting[person]
                self._turns.remove(person)
        return overdue

    def drain(self) -> list[Ask]:
        """Take out everything, at the very end."""
        asks = [ask for queue in self._queues.values() for ask in queue]
        self._queues.clear()
        self._waiting.clear()
        self._turns.clear()
        self._credit.clear()
        self.rows = 0
        return asks

    def finish(
        self, ask: Ask, outcome: Outcome, stored: tuple[bytes, Outcome] | None = None
    ) -> None:
        """Answer a command for good; its id is no longer under way."""
        del self.under_way[ask.command.id]
        if ask.joined is None:
            ask.sink.settle(ask.slot, outcome)
        else:
            ask.settle(outcome, stored)
        if ask.followers:
            self.put_back(ask.followers)

    def _has_room(self, person: int, rows: int) -> bool:
        waiting = self._waiting.get(person, 0)
        if self.rows + rows <= self._capacity:
            return person == SYSTEM or waiting + rows <= self._person_capacity or not waiting
        if self.rows + rows > self._hard_capacity:
            return False
        share = self._capacity // (len(self._turns) + 1)
        return waiting + rows <= share

    def _append(self, person: int, ask: Ask) -> None:
        queue = self._queues.get(person)
        if queue is None:
            queue = self._queues[person] = deque()
            self._turns.append(person)
            self._waiting[person] = 0
        queue.append(ask)
        self._waiting[person] += ask.rows
        self.rows += ask.rows
        self.arrived.set()
