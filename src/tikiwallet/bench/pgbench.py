"""The yardstick: pgbench, on the same PostgreSQL and in the same minute as our own runs."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from tikiwallet.bench.figures import Yardstick
from tikiwallet.bench.histogram import Histogram

SCALE = 10
CLIENTS = 16
JOBS = 2
SCHEMA = "pgbench"  # in the bench's own database, beside the product's schemas
TPC_B = "pgbench TPC-B"
SELECTS = "pgbench -S"
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_AVERAGE = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+) ", re.MULTILINE)
_SAMPLED = "0.1"


class PgbenchFailed(Exception):
    """pgbench is missing, ended with an error, or printed something unknown."""


@dataclass(frozen=True)
class PgbenchResult:
    """Transactions per second, and their latencies in milliseconds."""

    tps: float
    average_ms: float
    p50_ms: float
    p99_ms: float


def find_pgbench(bin_dir: Path | None) -> Path:
    """pgbench from `bin_dir`, from PATH, or from Debian's newest server. Raises PgbenchFailed."""
    if bin_dir is not None and (bin_dir / "pgbench").exists():
        return bin_dir / "pgbench"
    on_path = shutil.which("pgbench")
    if on_path is not None:
        return Path(on_path)
    debian = Path("/usr/lib/postgresql").glob("*/bin/pgbench")
    newest = max(debian, key=lambda path: float(path.parts[-3]), default=None)
    if newest is None:
        raise PgbenchFailed("pgbench is not installed (Debian: postgresql-contrib)")
    return newest


def without_password(dsn: str) -> tuple[str, str | None]:
    """A connection address without its password, and the password: command lines are public."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = query.pop("password", None)
    user, at, hosts = parts.netloc.rpartition("@")
    name, colon, inline = user.partition(":")
    if colon:
        password = unquote(inline)
    plain = urlencode(query, quote_via=quote, safe="/,")
    address = urlunsplit((parts.scheme, f"{name}{at}{hosts}", parts.path, plain, ""))
    if not parts.netloc:  # urlunsplit drops the empty host of postgresql:///name
        address = f"{parts.scheme}://{parts.path}" + (f"?{plain}" if plain else "")
    return address, password


def parse_output(text: str) -> tuple[float, float]:
    """Transactions per second and average latency in ms. Raises PgbenchFailed."""
    tps, average, failed = _TPS.search(text), _AVERAGE.search(text), _FAILED.search(text)
    if tps is None or average is None:
        raise PgbenchFailed(f"pgbench printed no result:\n{text}")
    if failed is not None and failed[1] != "0":
        raise PgbenchFailed(f"pgbench counts {failed[1]} failed transactions")
    return float(tps[1]), float(average[1])


def parse_log(lines: Iterable[str], histogram: Histogram) -> None:
    """Count the latencies of a transaction log: the third column, in microseconds."""
    for line in lines:
        columns = line.split()
        if len(columns) >= 6 and columns[2].isdigit():
            histogram.record(int(columns[2]))


def _read_logs(folder: Path) -> Histogram:
    histogram = Histogram()
    for path in folder.iterdir():
        with path.open() as lines:
            parse_log(lines, histogram)
    return histogram


class Pgbench:
    """pgbench on the database at `dsn` (as somebody who may make a schema there)."""

    def __init__(self, program: Path, dsn: str) -> None:
        self._program = program
        self._dsn = dsn
        self._address, password = without_password(dsn)
        self._environment = {
            **os.environ,
            "PGOPTIONS": f"-c search_path={SCHEMA} -c client_min_messages=warning",
            **({"PGPASSWORD": password} if password is not None else {}),
        }

    async def prepare(self) -> None:
        """Make the tables of scale 10 in a schema of their own, if they are not there yet."""
        connection = await asyncpg.connect(self._dsn)
        try:
            if await connection.fetchval(
                "SELECT to_regclass($1) IS NOT NULL", f"{SCHEMA}.pgbench_history"
            ):
                return
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        finally:
            await connection.close()
        await self._call("-i", "-q", "-s", str(SCALE))

    async def run(self, name: str, seconds: int) -> PgbenchResult:
        """Run TPC_B or SELECTS for so many seconds with 16 clients and prepared statements."""
        with tempfile.TemporaryDirectory(prefix="tiki-pgbench-") as folder:
            words = ["-M", "prepared", "-c", str(CLIENTS), "-j", str(JOBS), "-T", str(seconds)]
            words += ["--log", f"--sampling-rate={_SAMPLED}", f"--log-prefix={folder}/log"]
            if name == SELECTS:
                words.append("-S")
            text = await self._call(*words)
            tps, average = parse_output(text)
            histogram = _read_logs(Path(folder))
        return PgbenchResult(
            tps, average, histogram.percentile(0.50) / 1000, histogram.percentile(0.99) / 1000
        )

    async def _call(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            self._program,
            *words,
            self._address,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise PgbenchFailed(f"pgbench {' '.join(words)}: {errors.decode(errors='replace')}")
        return output.decode()

    @asynccontextmanager
    async def around(self, name: str, seconds: int) -> AsyncIterator["Bracket"]:
        """Run pgbench, then the block, then pgbench again; the block's bracket holds both."""
        bracket = Bracket(name, await self.run(name, seconds))
        yield bracket
        bracket.after = await self.run(name, seconds)


@dataclass
class Bracket:
    """The pgbench runs around one of ours."""

    name: str
    before: PgbenchResult
    after: PgbenchResult | None = None

    @property
    def yardstick(self) -> Yardstick:
        """Both runs, once the second is done."""
        assert self.after is not None
        return Yardstick(self.name, self.before.tps, self.after.tps)
