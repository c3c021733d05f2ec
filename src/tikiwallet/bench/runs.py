"""The runs behind the figures, grouped by what has to be started for them."""

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from tikiwallet.bench import takeover
from tikiwallet.bench.catalogue import AT_64, FIGURES, LEASES
from tikiwallet.bench.figures import NO_TARGET, Figure, ProcessUse, Target, Yardstick
from tikiwallet.bench.http import LoadResult, ceiling, drive
from tikiwallet.bench.lanes import (
    Lane,
    Person,
    balance_lanes,
    payment_lanes,
    query_lanes,
    word_lanes,
)
from tikiwallet.bench.large import (
    CHOICES,
    SMALL_ACCOUNTS,
    SMALL_POSTINGS,
    settle_seconds,
    words_of,
)
from tikiwallet.bench.people import CURRENCY, make_people
from tikiwallet.bench.pgbench import SELECTS, TPC_B, Pgbench, find_pgbench
from tikiwallet.bench.processes import DidNotStart, Process, Watch, child_environment
from tikiwallet.bench.progress import Bars
from tikiwallet.bench.stage import Stage, let_through, open_stage

_ASKED = 1_000  # wallets of one /v1/balances/query
_QUERY_CONNECTIONS = 16
_CASE_SECONDS = 300.0
_BRIEF = 160  # letters of an error that the table shows; the whole goes to standard error
_LARGE_SECONDS = 900.0
_SETTLE_SECONDS = 3.0  # of a data set, so that memory holds what it will hold
_CASES = {
    "batches": "one",
    "batches-hot": "hot",
    "batches-fee": "fee",
    "batches-four": "four",
}


@dataclass
class Bench:
    """One invocation. `run` measures `names`; `report` is complete afterwards."""

    names: Sequence[str]
    bars: Bars
    generator: str
    environment: Mapping[str, str]
    seconds: int
    connections: int
    rounds: int
    large_dir: Path
    large_accounts: int
    large_postings: int
    postgresql: str = "-"
    problems: list[str] = field(default_factory=list)
    _done: dict[str, Figure] = field(default_factory=dict)
    _people: list[Person] = field(default_factory=list)

    def report(self) -> list[Figure]:
        """The figures asked for, in the report's order."""
        return [self._done[name] for name in self.names]

    async def run(self) -> None:
        """Measure everything. A run that fails leaves its reason in its figures, and others go
        on; raises only when there is no place to run at all."""
        async with open_stage(self.environment) as stage:
            pgbench = Pgbench(find_pgbench(stage.bin_dir), stage.owner_dsn)
            self.postgresql = await _version(stage)
            await pgbench.prepare()
            one = ("payments", "payments-many", "balances", "balances-query")
            await self._attempt(one, lambda: self._one_process(stage, pgbench))
            await self._attempt(("ceiling-payments", "ceiling-balances"), self._ceiling)
            split = ("payments-split", "memory-api", "takeover-kill", "takeover-stop")
            await self._attempt(split, lambda: self._split(stage, pgbench))
            await self._attempt(tuple(_CASES), lambda: self._batches(stage, pgbench))
            await self._attempt(("memory-writer",), lambda: self._writer_memory(stage))
            await self._attempt(("start",), lambda: self._second_start(stage))
            large = tuple(name for name in FIGURES if name.startswith("large-"))
            await self._attempt(large, lambda: self._large(stage))

    def _wanted(self, *names: str) -> bool:
        return any(name in self.names for name in names)

    async def _attempt(self, names: Sequence[str], work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` if any of its figures is asked for; what it leaves out gets the reason."""
        if not self._wanted(*names):
            return
        reason = "the run did not get that far"
        try:
            await work()
        except Exception as error:  # the reason goes into the report, and other runs go on
            reason = f"{type(error).__name__}: {error}"
            self.problems.append(reason)
        for name in names:
            if name in self.names and name not in self._done:
                entry = FIGURES[name]
                self._keep(name, Figure(name, entry.title, entry.unit, error=_brief(reason)))

    def _keep(self, name: str, figure: Figure) -> None:
        if name not in self.names:
            return
        target = figure.target if figure.target != NO_TARGET else FIGURES[name].target
        self._done[name] = replace(figure, target=target)
        self.bars.finished()

    def _figure(self, name: str, value: float, **more: Any) -> None:
        entry = FIGURES[name]
        self._keep(name, Figure(name, entry.title, entry.unit, value, **more))

    def _loaded(
        self, name: str, load: LoadResult, watch: Watch, yardstick: Yardstick | None, per: int = 1
    ) -> None:
        self._figure(
            name,
            load.rate * per,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            yardstick=yardstick,
            processes=watch.uses,
            notes=load.notes,
        )

    @property
    def _yard_seconds(self) -> int:
        return max(2, self.seconds // 2)

    async def _people_of(self, stage: Stage, port: int, count: int) -> list[Person]:
        """At least `count` people; those made before in this stage are used again."""
        missing = count - len(self._people)
        if missing > 0:
            made = 0
            with self.bars.counted("making people with wallets and money", missing) as show:

                def advance() -> None:
                    nonlocal made
                    made += 1
                    show(made)

                first = len(self._people)
                run = uuid4().hex[:6]
                self._people += await asyncio.to_thread(
                    make_people, port, missing, advance, run, first
                )
        return self._people

    async def _load(
        self,
        name: str,
        stage: Stage,
        pids: Mapping[str, int],
        lanes: Callable[[], Sequence[Lane]],
        *,
        pgbench: tuple[Pgbench, str] | None,
        per: int = 1,
    ) -> tuple[ProcessUse, ...]:
        """Play lanes against the stage's port, with pgbench right before and right after."""
        port = stage.settings.port
        watch = Watch({**pids, "postgres": stage.postmaster})
        title = FIGURES[name].title
        if pgbench is None:
            async with self.bars.timed(title, self.seconds + 1):
                load = await drive(self.generator, lanes, port, self.seconds, watch)
            self._loaded(name, load, watch, None, per)
            return watch.uses
        expected = self.seconds + 1 + 2 * self._yard_seconds
        async with (
            self.bars.timed(title, expected),
            pgbench[0].around(pgbench[1], self._yard_seconds) as bracket,
        ):
            load = await drive(self.generator, lanes, port, self.seconds, watch)
        self._loaded(name, load, watch, bracket.yardstick, per)
        return watch.uses

    async def _one_process(self, stage: Stage, pgbench: Pgbench) -> None:
        port = stage.settings.port
        async with _started(stage, port, "serve") as serve:
            pids = {"serve": serve[0].pid}
            people = await self._people_of(stage, port, max(AT_64, self.connections))
            if self._wanted("payments"):
                await self._load(
                    "payments",
                    stage,
                    pids,
                    lambda: payment_lanes(people[:AT_64], port, CURRENCY),
                    pgbench=(pgbench, TPC_B),
                )
            many = people[: self.connections]
            if self._wanted("payments-many"):
                await self._load(
                    "payments-many",
                    stage,
                    pids,
                    lambda: payment_lanes(many, port, CURRENCY),
                    pgbench=(pgbench, TPC_B),
                )
            if self._wanted("balances"):
                await self._load(
                    "balances",
                    stage,
                    pids,
                    lambda: balance_lanes(many, port),
                    pgbench=(pgbench, SELECTS),
                )
            if self._wanted("balances-query"):
                token = await stage.service_token()
                wallets = [wallet for person in people for wallet in person.wallets][:_ASKED]
                await self._load(
                    "balances-query",
                    stage,
                    pids,
                    lambda: query_lanes(token, wallets, port, _QUERY_CONNECTIONS),
                    pgbench=None,
                    per=len(wallets),
                )

    async def _ceiling(self) -> None:
        people = [
            Person("a" * 300, (f"w_{index:013d}",)) for index in range(max(2, self.connections))
        ]
        for name, lanes in (
            ("ceiling-payments", lambda port: payment_lanes(people[:AT_64], port, CURRENCY)),
            ("ceiling-balances", lambda port: balance_lanes(people, port)),
        ):
            if not self._wanted(name):
                continue
            watch = Watch({})
            async with self.bars.timed(FIGURES[name].title, self.seconds + 1):
                load = await ceiling(self.generator, lanes, self.seconds, watch)
            self._loaded(name, load, watch, None)

    async def _split(self, stage: Stage, pgbench: Pgbench) -> None:
        port = stage.settings.port
        words = ("ledger", "worker", "serve --api-only")
        async with _started(stage, port, *words) as (writer, worker, api):
            people = await self._people_of(stage, port, AT_64)
            if self._wanted("payments-split", "memory-api"):
                uses = await self._load(
                    "payments-split",
                    stage,
                    {"api": api.pid, "writer": writer.pid, "worker": worker.pid},
                    lambda: payment_lanes(people[:AT_64], port, CURRENCY),
                    pgbench=(pgbench, TPC_B) if self._wanted("payments-split") else None,
                )
                self._memory("memory-api", next(use for use in uses if use.name == "api"))
            if self._wanted("takeover-kill", "takeover-stop"):
                await self._takeover(stage, writer, people[:AT_64])

    def _memory(self, name: str, use: ProcessUse) -> None:
        if use.resident_mb is None:
            raise DidNotStart(f"{use.name} ended before its memory was seen")
        self._figure(name, use.resident_mb, processes=(use,))

    async def _takeover(self, stage: Stage, writer: Process, people: Sequence[Person]) -> None:
        lease = stage.settings.lease_ms / 1000
        active = writer
        targets = {
            "takeover-kill": (signal.SIGKILL, FIGURES["takeover-kill"].target),
            "takeover-stop": (signal.SIGSTOP, Target(at_most=LEASES * lease)),
        }
        try:
            for name, (number, target) in targets.items():
                if not self._wanted(name):
                    continue
                async with self.bars.timed(FIGURES[name].title, 4.0 * self.rounds):
                    seconds, active = await takeover.times(
                        stage, active, number, stage.settings.port, people, rounds=self.rounds
                    )
                spread = ", ".join(f"{value:.2f}" for value in sorted(seconds))
                notes = (f"worst of {len(seconds)}: {spread} s; lease {lease:g} s",)
                self._figure(name, max(seconds), target=target, notes=notes)
        finally:
            await active.stop()

    async def _batches(self, stage: Stage, pgbench: Pgbench) -> None:
        for name, case in _CASES.items():
            if not self._wanted(name):
                continue
            expected = self.seconds + 5 + 2 * self._yard_seconds
            async with (
                self.bars.timed(FIGURES[name].title, expected),
                pgbench.around(TPC_B, self._yard_seconds) as bracket,
            ):
                result = await _case(stage, case, self.seconds)
            self._rated(name, result, bracket.yardstick)

    def _rated(self, name: str, result: dict[str, Any], yardstick: Yardstick | None) -> None:
        rate = result["rate"]
        self._figure(
            name,
            rate["per_second"],
            p50_ms=rate["p50_ms"],
            p99_ms=rate["p99_ms"],
            yardstick=yardstick,
            processes=tuple(ProcessUse(**use) for use in result["processes"]),
            notes=tuple(result.get("notes", ())),
        )

    async def _writer_memory(self, stage: Stage) -> None:
        async with self.bars.timed(FIGURES["memory-writer"].title, 10):
            result = await _case(stage, "memory", self.seconds)
        self._memory("memory-writer", ProcessUse(**result["processes"][0]))

    async def _second_start(self, stage: Stage) -> None:
        """Start `serve` in a folder of its own, stop it, and time the next start."""
        with tempfile.TemporaryDirectory(prefix="tiki-") as folder:
            fresh = dict(stage.environment)
            if stage.settings.embedded:
                fresh["TIKIWALLET_DATA_DIR"] = folder
                let_through(Path(folder))
            took = []
            async with self.bars.timed(FIGURES["start"].title, 10):
                for _ in range(2):
                    serve = Process(("serve",), child_environment(fresh), stage.logs)
                    try:
                        took.append(await serve.ready(stage.settings.port))
                    finally:
                        await serve.stop()
        self._figure("start", took[1], notes=(f"the first start took {took[0]:.2f} s",))

    async def _data_set(
        self, stage: Stage, accounts: int, postings: int
    ) -> dict[str, dict[str, Any]]:
        """Build what is missing of a data set, then measure its writes, history and reads."""
        await self._build(stage, accounts, postings)
        await self._read_once(stage)
        expected = 2 * (settle_seconds(self.seconds) + self.seconds) + 10
        async with self.bars.timed(f"writes among {accounts:,} accounts", expected):
            text = await stage.python(
                *("-m", "tikiwallet.bench.large", "measure"),
                *(str(accounts), str(self.seconds), str(stage.postmaster or "")),
                limit=_LARGE_SECONDS,
            )
        results: dict[str, dict[str, Any]] = json.loads(text.splitlines()[-1])
        port = stage.settings.port
        async with _started(stage, port, "serve") as (serve,):
            token = await stage.service_token()
            for name in CHOICES:
                start, words = await asyncio.to_thread(words_of, name, accounts)
                lanes = word_lanes(token, start, words.width, port, self.connections)
                watch = Watch({"serve": serve.pid, "postgres": stage.postmaster})
                expected = self.seconds + _SETTLE_SECONDS
                async with self.bars.timed(f"reads among {accounts:,} accounts", expected):
                    load = await drive(
                        self.generator,
                        partial(list, lanes),
                        port,
                        self.seconds,
                        watch,
                        warmup=_SETTLE_SECONDS,
                        words=words,
                    )
                rate = {"per_second": load.rate, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms}
                uses = [asdict(use) for use in watch.uses]
                results[f"reads-{name}"] = {"rate": rate, "processes": uses, "notes": load.notes}
        return results

    async def _read_once(self, stage: Stage) -> None:
        """Bring the files of an embedded server into the machine's memory, where those of a server
        that has run for a day are: it is the ledger's memory that is to miss, not the disk's."""
        folder = (stage.settings.data_dir / "database").resolve()
        files = sorted(folder.rglob("base/*/*"))
        with self.bars.counted("reading the data set once", len(files)) as show:
            for number, path in enumerate(files, 1):
                await asyncio.to_thread(_read, path)
                show(number)

    async def _large(self, beside: Stage) -> None:
        small = await self._data_set(beside, SMALL_ACCOUNTS, SMALL_POSTINGS)
        if self.environment.get("TIKIWALLET_DATABASE_URL"):
            self.problems.append("the large data set is always measured on the embedded server")
        environment = {
            name: value
            for name, value in self.environment.items()
            if not (name.startswith("TIKIWALLET_") and name.endswith("_URL"))
        }
        async with open_stage(environment, self.large_dir) as stage:
            results = await self._data_set(stage, self.large_accounts, self.large_postings)
        for name, result in results.items():
            against = None
            if name != "history":
                base = float(small[name]["rate"]["per_second"])
                against = Yardstick("the small data set", base, base)
            self._rated(f"large-{name}", result, against)

    async def _build(self, stage: Stage, accounts: int, postings: int) -> None:
        """Build what is missing of the large data set, and let PostgreSQL tidy up before it is
        measured: otherwise its own clean-up would run within the measurement."""
        words = ("build", str(accounts), str(postings))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tikiwallet.bench.large", *words),
            env=child_environment(stage.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        grown = False
        try:
            with self.bars.counted(f"building {postings:,} postings", 1) as show:
                async for line in process.stdout:
                    parts = line.decode().split()
                    if parts[:1] == ["progress"]:
                        grown = grown or parts[1] != parts[2]
                        show(int(parts[1]) / int(parts[2]))
            if await process.wait():
                raise DidNotStart("the large data set could not be built; see above")
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if grown:
            async with self.bars.timed("VACUUM of the large data set", 120):
                connection = await asyncpg.connect(stage.owner_dsn)
                try:
                    await connection.execute("VACUUM (ANALYZE) ledger.journal")
                finally:
                    await connection.close()


def _read(path: Path) -> None:
    """Read a file to its end, and forget it; one that has gone meanwhile is no matter."""
    block = bytearray(1 << 20)
    with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass


def _brief(reason: str) -> str:
    """The first line of a reason, and the last one where that is the end of a traceback."""
    lines = reason.strip().splitlines() or ["no reason given"]
    first, last = lines[0][:_BRIEF], lines[-1]
    if len(lines) == 1 or last.startswith("{") or len(last) > _BRIEF:
        return first
    return f"{first} ... {last}"


async def _version(stage: Stage) -> str:
    connection = await asyncpg.connect(stage.owner_dsn)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


async def _case(stage: Stage, case: str, seconds: int) -> dict[str, Any]:
    """What one process of `tikiwallet.bench.ledger` measured."""
    words = ["-m", "tikiwallet.bench.ledger", case, str(seconds)]
    if stage.postmaster is not None:
        words.append(str(stage.postmaster))
    text = await stage.python(*words, limit=_CASE_SECONDS)
    result: dict[str, Any] = json.loads(text.splitlines()[-1])
    return result


@asynccontextmanager
async def _started(stage: Stage, port: int, *commands: str) -> AsyncIterator[list[Process]]:
    """Processes of the product, one per command line, until the service on `port` is ready; ended
    in the opposite order."""
    async with AsyncExitStack() as stack:
        processes = []
        for command in commands:
            process = stage.start(*command.split())
            stack.push_async_callback(process.stop)
            processes.append(process)
        await processes[-1].ready(port)
        yield processes
