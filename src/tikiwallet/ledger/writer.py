"""The one writer: collects commands, decides on them, writes a batch with one COPY and one commit.

Two loops run while this process leads. One prepares: it finds out which ids have an outcome already
and loads what is not in memory, on connections of its own, while the other commits. The other takes
all that is prepared, lets the rules decide command by command over an overlay, and streams the rows
into one COPY as they are made. Only after the commit does the overlay become the memory and are the
callers answered.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import asyncpg

from tikiwallet import clock, logs
from tikiwallet.errors import Unavailable
from tikiwallet.ledger import journal, metering
from tikiwallet.ledger.batch import Batch
from tikiwallet.ledger.intake import UNAVAILABLE, Ask, FutureSink, Intake, ListSink, judge
from tikiwallet.ledger.loading import Loader, is_refusal
from tikiwallet.ledger.port import Sink
from tikiwallet.ledger.rules import accounts_of, original_of
from tikiwallet.ledger.term import RefusedToLead, SteppedDown, Term, TermOptions, campaign
from tikiwallet.ledger.transactions import (
    Abandon,
    AnyCommand,
    Hold,
    Outcome,
    Result,
    State,
    Transaction,
    digest_of,
)
from tikiwallet.ledger.validation import validate

BATCH_ROWS = 2_000
# Commands that are not divided between two batches: where callers share this process, what a batch
# costs whatever its size is taken from them; where they do not, they wait for it.
_FEW_TOGETHER = 64
_FEW_APART = 16
_MANY_ROWS = 500  # from here on a batch takes all there is
_SLICE = 2_000  # commands that `post_many` lets wait at a time, twice
_PASSING = (
    SteppedDown,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_STOP_SECONDS = 10.0
_CAREFUL_SECONDS = 1.0  # after a repetition
_MOSTLY_NEW = (Transaction, Hold)  # others are often repeated: wallets are opened to be sure
_TRIES = 3  # of a command whose commit ends each time without a known outcome
_log = logs.get(__name__)


class Writer:
    """Implements `port.Ledger`. `run` elects this process and serves until `stop`."""

    def __init__(self, options: TermOptions, *, patient: bool = False) -> None:
        """`patient`: queue commands while there is no term, as the only writer there is, in one
        process with its callers; otherwise they are told UNAVAILABLE at once and go elsewhere."""
        self.options = options
        self._patient = patient
        self._few = _FEW_TOGETHER if patient else _FEW_APART
        self.intake = Intake()
        self.term: Term | None = None
        self.leading = asyncio.Event()
        self.failure: RefusedToLead | None = None
        self._loader: Loader | None = None
        self._ready: deque[Ask] = deque()
        self._ready_rows = 0
        self._ready_event = asyncio.Event()
        self._taken_event = asyncio.Event()
        self._unresolved: list[Ask] = []
        self._committing: list[Ask] = []
        self._preparing: list[Ask] = []
        self._careful_until = 0.0
        self._fresh_commit = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    # -- callers

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        """See `port.Ledger.post`."""
        sink = FutureSink()
        self.enter(command, sink, 0, deadline)
        return await sink.future

    async def post_many(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        """See `port.Ledger.post_many`. Two slices wait at a time, so that one is prepared while the
        other commits."""
        for command in commands:
            validate(command)
        outcomes: list[Outcome] = []
        waiting: deque[ListSink] = deque()
        for start in range(0, len(commands), _SLICE):
            part = commands[start : start + _SLICE]
            sink = ListSink(len(part))
            for slot, command in enumerate(part):
                self._enter(command, sink, slot, None)
            waiting.append(sink)
            if len(waiting) > 1:
                outcomes += await _outcomes(waiting.popleft())
        while waiting:
            outcomes += await _outcomes(waiting.popleft())
        return outcomes

    def enter(self, command: AnyCommand, sink: Sink, slot: int, deadline: float | None) -> None:
        """Queue a command whose outcome goes to `sink`. Raises ValueError when it is malformed."""
        validate(command)
        self._enter(command, sink, slot, deadline)

    def _enter(self, command: AnyCommand, sink: Sink, slot: int, deadline: float | None) -> None:
        if self._stopping or (self.term is None and not self._patient):
            sink.settle(slot, UNAVAILABLE)
            return
        self.intake.enter(command, digest_of(command), sink, slot, deadline)

    async def look_up(self, id: bytes, digest: bytes) -> Outcome | None:
        """See `port.Ledger.look_up`. Raises `Unavailable` when this process cannot tell."""
        if len(id) != 16:
            raise ValueError("id must be 16 bytes")
        twin = self.intake.under_way.get(id)
        if twin is not None:
            sink = FutureSink()
            twin.join(sink, 0, digest, whatever=False)
            return await sink.future
        loader = await self._leading_loader()
        try:
            found = (await loader.outcomes([id])).get(id)
        except _PASSING as error:
            loader.term.broken.set()
            raise Unavailable("the ledger cannot answer right now") from error
        await self._leading_loader()
        if found is None:
            return None
        return judge(digest, False, *found)

    def states_now(self, accounts: Sequence[int]) -> list[State | None] | None:
        """`states` without waiting: None when the lease has to be renewed or something loaded."""
        term = self.term
        if term is None or not term.leads():
            return None
        known = term.memory.accounts
        try:
            return [known[account] for account in accounts]
        except KeyError:
            return None

    async def states(self, accounts: Sequence[int]) -> list[State | None]:
        """See `port.Ledger.states`. The lease is looked at after the request arrived and again
        after anything was loaded."""
        for _ in range(3):  # more may be asked for at once than the memory holds, or a term end
            loader = await self._leading_loader()
            found = self.states_now(accounts)
            if found is not None:
                return found
            known = loader.memory.accounts
            if not (self._committing or self._ready or self._preparing):
                loader.memory.forget_oldest()
            try:
                await loader.load_accounts([a for a in accounts if a not in known])
            except _PASSING:
                loader.term.broken.set()
                continue
            if (found := self.states_now(accounts)) is not None:
                return found
        raise Unavailable("the ledger cannot answer right now")

    async def stable_n(self) -> int:
        """See `port.Ledger.stable_n`."""
        await self._leading_loader()
        assert self.term is not None
        return self.term.stable_n

    def durability(self) -> str:
        """In words, for /readyz."""
        return "synchronous standby" if self.options.cluster else "this machine's disk"

    async def _leading_loader(self) -> Loader:
        """The loader of the current term, once the lease is known to hold: a read waits for the
        next commit rather than be refused, but never longer than four leases."""
        term, loader = self.term, self._loader
        if term is not None and loader is not None and term.leads():
            return loader
        try:
            async with asyncio.timeout(4 * self.options.lease_seconds):
                while True:
                    term, loader = self.term, self._loader
                    if term is not None and loader is not None and term.leads():
                        return loader
                    self._fresh_commit.clear()
                    await self._fresh_commit.wait()
        except TimeoutError:
            raise Unavailable("the ledger cannot answer right now") from None

    # -- life

    async def start(self) -> None:
        """Run in the background until `stop`."""
        self._task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """Take nothing new, answer all that was accepted, give the reign up. What the database has
        not taken within ten seconds is answered UNAVAILABLE."""
        self._stopping = True
        if self._task is None:
            return
        if self.term is None:
            self._task.cancel()
        else:
            self.intake.arrived.set()
            self._ready_event.set()
        done, _ = await asyncio.wait({self._task}, timeout=_STOP_SECONDS)
        if not done and self.term is not None:
            self.term.end()
        with suppress(asyncio.CancelledError):
            await self._task

    async def run(self) -> None:
        """Lead, step down when in doubt, and campaign again."""
        janitor = asyncio.create_task(self._answer_overdue())
        try:
            while not self._stopping:
                try:
                    await self._reign(await campaign(self.options))
                except RefusedToLead as refusal:
                    self.failure = refusal
                    _log.error("refused to lead", why=str(refusal))
                    await asyncio.sleep(2)
                except SteppedDown as why:
                    _log.warning("stepped down", why=str(why))
                except _PASSING as error:
                    _log.warning("no term", error=type(error).__name__, why=str(error))
                    await asyncio.sleep(0.1)
                except Exception:
                    _log.exception("the writer met a bug and begins again")
                    await asyncio.sleep(1)
        finally:
            janitor.cancel()
            self._stopping = True
            asks = [*self._drop_all(), *self._unresolved, *self.intake.drain()]
            while asks:
                for ask in asks:
                    self.intake.finish(ask, UNAVAILABLE)
                asks = self.intake.drain()  # those that had waited for one of these

    async def _reign(self, term: Term) -> None:
        loader = Loader(term)
        self.failure = None
        tasks: list[asyncio.Task[None]] = []
        done: set[asyncio.Task[None]] = set()
        try:
            await self._resolve_unresolved(loader)
            self.term, self._loader = term, loader
            self.leading.set()
            self._fresh_commit.set()
            metering.TERMS.inc()
            committing = asyncio.create_task(self._commit_loop(term, loader))
            tasks = [
                committing,
                asyncio.create_task(self._prepare_loop(loader)),
                asyncio.create_task(self._renew_loop(term)),
                asyncio.create_task(_until_broken(term)),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if committing in done and committing.exception() is None:
                await term.release()
        finally:
            self.term = self._loader = None
            self.leading.clear()
            # First the connections, then the tasks: a commit under way is never cancelled, it
            # loses its connection, and its outcome is read from the log by whoever leads next.
            term.end()
            self._ready_event.set()
            for task in tasks[1:]:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self._unresolved += self._drop_all()
        for error in ended:
            if isinstance(error, RefusedToLead):
                raise error
        # What ended first is the cause; the others only followed.
        order = sorted(zip(tasks, ended, strict=True), key=lambda pair: pair[0] not in done)
        for _, error in order:
            if isinstance(error, _PASSING):
                raise SteppedDown(f"{type(error).__name__}: {error}") from error
            if isinstance(error, Exception):
                raise error

    def _drop_all(self) -> list[Ask]:
        """Whatever had left the queue without an answer."""
        for ask in self._committing:
            ask.sent = True
        dropped = [*self._committing, *self._ready, *self._preparing]
        self._committing = []
        self._preparing = []
        self._ready.clear()
        self._ready_rows = 0
        return dropped

    async def _resolve_unresolved(self, loader: Loader) -> None:
        """Answer from the log what an earlier term committed without knowing it; the rest, which
        can no longer commit, goes round again."""
        asks, self._unresolved = self._unresolved, []
        if not asks:
            return
        try:
            found = await loader.outcomes([ask.command.id for ask in asks])
        except BaseException:
            self._unresolved = asks
            raise
        again = []
        for ask in asks:
            outcome = found.get(ask.command.id)
            if outcome is None:
                ask.attempts += ask.sent
                ask.sent = False
                ask.alone = ask.attempts > 1
                if ask.attempts >= _TRIES:
                    _log.error("a command ends every term", id=ask.command.id.hex())
                    self.intake.finish(ask, UNAVAILABLE)
                else:
                    again.append(ask)
            else:
                judged = judge(ask.digest, isinstance(ask.command, Abandon), *outcome)
                if ask.sent:  # not a replay: it is this very ask that was committed
                    judged = Outcome(judged.result, judged.n, judged.at, judged.payer, False)
                self.intake.finish(ask, judged, outcome)
        self.intake.put_back(again)

    async def _answer_overdue(self) -> None:
        """Tell those whose time is up that the outcome is not known. What is already in a batch
        goes its way all the same; what is not is dropped."""
        while True:
            await asyncio.sleep(0.25)
            now = time.monotonic()
            if self.term is not None:
                for ask in list(self.intake.under_way.values()):
                    if ask.deadline is not None and ask.deadline < now:
                        ask.leave(UNAVAILABLE)
                continue
            for ask in self.intake.drop_overdue(now):
                self.intake.finish(ask, UNAVAILABLE)
            overdue = [a for a in self._unresolved if a.deadline is not None and a.deadline < now]
            for ask in overdue:
                self._unresolved.remove(ask)
                self.intake.finish(ask, UNAVAILABLE)

    async def _renew_loop(self, term: Term) -> None:
        lease = self.options.lease_seconds
        while True:
            await asyncio.sleep(lease / 4)
            await term.check_durability()
            if term.lease_until - clock.boot_seconds() < lease * 0.6 and not self._committing:
                await term.renew()
                self._fresh_commit.set()

    # -- preparing

    async def _prepare_loop(self, loader: Loader) -> None:
        while True:
            await self.intake.arrived.wait()
            while self._ready_rows >= BATCH_ROWS:
                self._taken_event.clear()
                await self._taken_event.wait()
            asks = self.intake.take(BATCH_ROWS)
            if asks:
                self._preparing = asks
                await self._prepare(loader, asks)
                self._preparing = []
            self._ready_event.set()  # also where all were answered: a stop waits for the last

    async def _prepare(self, loader: Loader, asks: list[Ask]) -> None:
        """Answer what has an outcome, bring the rest's accounts and originals into memory."""
        memory = loader.memory
        look_for = self._to_look_for(asks)
        missing = {
            account
            for ask in asks
            for account in accounts_of(ask.command)
            if account not in memory.accounts
        }
        wanted = {id_ for ask in asks if (id_ := original_of(ask.command)) is not None}
        # What is on its way now may be committed after the look for it and gone when it ends.
        on_their_way = wanted & self.intake.under_way.keys()
        if missing:
            found, _ = await asyncio.gather(
                loader.outcomes(look_for), loader.load_accounts(missing)
            )
        else:
            found = await loader.outcomes(look_for)
        absent = await loader.load_originals(wanted) if wanted else set()
        for ask in asks:
            command = ask.command
            if found and (outcome := found.get(command.id)) is not None:
                whatever = isinstance(command, Abandon)
                self.intake.finish(ask, judge(ask.digest, whatever, *outcome), outcome)
                continue
            if wanted and (id_ := original_of(command)) is not None:
                twin = self.intake.under_way.get(id_)
                if twin is not None and twin is not ask and not ask.is_followed_by(twin):
                    twin.follow(ask)  # its original is itself on the way
                    continue
                if id_ in absent and id_ in on_their_way and twin is None:
                    self.intake.put_back([ask])
                    continue
                ask.original_missing = id_ in absent
                if (original := memory.originals.get(id_)) is not None:
                    ask.rows = max(1, len(original.legs))
            self._ready.append(ask)
            self._ready_rows += ask.rows

    def _to_look_for(self, asks: list[Ask]) -> list[bytes]:
        """The ids of those that may have an outcome. What is mostly new is not looked for until
        repetitions come: the log refuses an id that it has, and a batch is then written twice, once
        in a while."""
        careful = time.monotonic() < self._careful_until
        for ask in asks:
            if careful or not isinstance(ask.command, _MOSTLY_NEW):
                ask.looked_up = True
        return [ask.command.id for ask in asks if ask.looked_up]

    # -- committing

    async def _commit_loop(self, term: Term, loader: Loader) -> None:
        while True:
            if term.ended:
                raise SteppedDown("the term has ended")
            if not self._ready:
                if self._stopping and not self.intake.under_way:
                    return
                self._ready_event.clear()
                await self._ready_event.wait()
                continue
            batch = self._take_batch()
            async with term.commit_turn:
                if term.ended:  # while a renewal had the connection
                    self._ready.extendleft(reversed(batch))
                    raise SteppedDown("the term has ended")
                await self._commit(term, loader, batch)
            metering.QUEUE_ROWS.set(self.intake.rows)
            metering.READY_ROWS.set(self._ready_rows)

    def _take_batch(self) -> list[Ask]:
        """What is prepared; where that is little, no more than half of all that is under way. While
        the database has one half this process works on the other; with nearly all of it in one
        batch, each would wait for the other in turn."""
        batch: list[Ask] = []
        rows = 0
        ready = self._ready
        most = BATCH_ROWS
        if self._ready_rows < _MANY_ROWS:
            most = max(self._few, (len(self.intake.under_way) + 1) // 2)
        while ready and rows < BATCH_ROWS and len(batch) < most:
            if ready[0].alone and batch:
                break
            ask = ready.popleft()
            batch.append(ask)
            rows += ask.rows
            if ask.alone:
                break
        self._ready_rows -= rows
        self._taken_event.set()
        return batch

    async def _commit(self, term: Term, loader: Loader, batch: list[Ask]) -> None:
        """Commit a batch. Parts of it that the server refuses for their content are halved until
        the offender stands alone. Raises SteppedDown when an outcome is not known, or when another
        writer's rows stand where these should."""
        parts = [batch]
        starved = False
        while parts:
            self._committing = [ask for part in parts for ask in part]
            part = parts.pop()
            work = Batch(term, part)
            sent_at = clock.boot_seconds()
            try:
                await term.commit.copy(journal.COPY, work.rows())
            except asyncpg.PostgresError as error:
                if not is_refusal(error) or term.commit.is_closed():
                    raise SteppedDown(f"the outcome of a commit is not known: {error}") from error
                parts += self._split(part, error)
                continue
            term.committed(sent_at)
            term.next_n = work.n
            term.stable_n = work.n - 1
            term.last_at = work.at
            loader.memory.apply(work.accounts, work.originals)
            self._fresh_commit.set()
            metering.COMMIT_SECONDS.observe(clock.boot_seconds() - sent_at)
            metering.BATCH_ROWS.observe(len(part))
            self._answer(work)
            starved = starved or bool(work.again)
        self._committing = []
        if not starved:  # else commands could push each other's accounts out for ever
            loader.memory.forget_oldest()
        metering.STABLE_N.set(term.stable_n)
        metering.ACCOUNTS.set(len(loader.memory.accounts))
        metering.SHED.set(self.intake.shed)

    def _answer(self, work: Batch) -> None:
        finish = self.intake.finish
        posted = 0
        for ask, outcome in work.outcomes:
            finish(ask, outcome)
            if outcome.result:
                metering.COMMANDS.labels(Result(outcome.result).name.lower()).inc()
            else:
                posted += 1
        metering.COMMANDS.labels("posted").inc(posted)
        if work.again:
            self.intake.put_back(work.again)

    def _split(self, part: list[Ask], error: asyncpg.PostgresError) -> list[list[Ask]]:
        """The server refused these commands and nothing of them stands: what to try instead."""
        repeated = getattr(error, "constraint_name", "") == "log_transaction"
        unseen = [ask for ask in part if not ask.looked_up] if repeated else []
        if unseen:
            self._careful_until = time.monotonic() + _CAREFUL_SECONDS
            rest = [ask for ask in part if ask.looked_up]
            for ask in unseen:
                ask.looked_up = True
            self.intake.put_back(unseen)
            return [rest] if rest else []
        _log.error("a batch was refused", commands=len(part), sqlstate=error.sqlstate)
        if (error.sqlstate or "")[:2] not in ("22", "23"):
            for ask in part:  # disk full, and the like: nothing wrong with what was asked
                self.intake.finish(ask, UNAVAILABLE)
            return []
        if len(part) > 1:
            middle = len(part) // 2
            return [part[middle:], part[:middle]]
        ask = part[0]
        if ask.rejected:  # not even its refusal can be written
            self.intake.finish(ask, UNAVAILABLE)
            return []
        if repeated and not ask.attempts:
            ask.attempts += 1  # it has an outcome after all: look it up again
            self.intake.put_back(part)
            return []
        ask.rejected = True
        return [part]


async def _until_broken(term: Term) -> None:
    await term.broken.wait()
    raise SteppedDown("a connection of the writer was lost")


async def _outcomes(sink: ListSink) -> list[Outcome]:
    await sink.future
    return sink.outcomes
