"""Where a bench takes place: a data folder, a PostgreSQL server, and the settings for children.

Without TIKIWALLET_DATABASE_URL the stage runs the embedded server of a folder of its own; with it,
a database named tikiwallet_bench is made on that server, and dropped afterwards. What the product
has stored elsewhere is never touched.
"""

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tikiwallet.bench.processes import (
    DidNotStart,
    Process,
    child_environment,
    free_port,
)
from tikiwallet.config import Settings
from tikiwallet.database.cluster import APP, OWNER
from tikiwallet.database.embedded import EmbeddedServer
from tikiwallet.database.migrate import migrate

DATABASE = "tikiwallet_bench"
_URLS = ("TIKIWALLET_DATABASE_URL", "TIKIWALLET_LEDGER_DATABASE_URL", "TIKIWALLET_MIGRATE_URL")
_TOKEN = re.compile(r"\b[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
_COMMAND_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """A place for runs. `environment` holds the TIKIWALLET_* settings of every child; `postmaster`
    is the process id of the embedded server, None when the server is not ours."""

    settings: Settings
    environment: dict[str, str]
    owner_dsn: str
    app_dsn: str
    bin_dir: Path | None = None
    postmaster: int | None = None

    @property
    def logs(self) -> Path:
        """Where children write what they have to say."""
        return self.settings.data_dir / "bench.log"

    def start(self, *words: str, port: int | None = None) -> Process:
        """Start `tikiwallet WORDS`, listening on another port than the stage's if one is given."""
        environment = dict(self.environment)
        if port is not None:
            environment["TIKIWALLET_PORT"] = str(port)
        return Process(words, child_environment(environment), self.logs)

    async def service_token(self) -> str:
        """A token with scope balances:read, issued by `tikiwallet admin token`."""
        words = ("admin", "token", "--name", "bench", "--scope", "balances:read")
        text = await self.command(*words)
        token = _TOKEN.search(text)
        if token is None:
            raise DidNotStart("`tikiwallet admin token` printed no token")
        return token[0]

    async def command(self, *words: str) -> str:
        """What `tikiwallet WORDS` prints. Raises DidNotStart when it ends with an error."""
        return await self.python("-c", "from tikiwallet.cli import main; main()", *words)

    async def python(self, *words: str, limit: float = _COMMAND_SECONDS) -> str:
        """What our own interpreter prints, run with the stage's settings. Raises DidNotStart."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *words),
            env=child_environment(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), limit)
        except (TimeoutError, asyncio.CancelledError):
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            tail = errors.decode(errors="replace")[-2_000:]
            raise DidNotStart(f"{' '.join(words[-6:])} ended with {process.returncode}\n{tail}")
        return output.decode()


def on_database(url: str, name: str) -> str:
    """The same server and person, another database."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))


def let_through(folder: Path) -> None:
    """As root, let others pass through `folder`: the embedded server runs as somebody else."""
    if os.geteuid() == 0:
        folder.chmod(0o711)


@asynccontextmanager
async def open_stage(
    environment: Mapping[str, str], data_dir: Path | None = None
) -> AsyncIterator[Stage]:
    """A migrated stage; in `data_dir` if given (always embedded, kept), else in a folder that goes.

    Raises SettingsError for settings that are wrong, OSError and asyncpg's errors for a server that
    does not let us in.
    """
    given = Settings.from_environment(environment)
    folder = data_dir or Path(tempfile.mkdtemp(prefix="tiki-"))
    folder.mkdir(parents=True, exist_ok=True)
    let_through(folder)
    settings = {
        "TIKIWALLET_DATA_DIR": str(folder),
        "TIKIWALLET_PORT": str(free_port()),
        "TIKIWALLET_RATE_LIMITS": "off",
        "TIKIWALLET_LOG_LEVEL": "warning",
    }
    for name in ("TIKIWALLET_HOT_ACCOUNTS", "TIKIWALLET_LEASE_MS"):
        if environment.get(name):
            settings[name] = environment[name]
    try:
        opened = _embedded if given.embedded or data_dir is not None else _external
        async with opened(given, settings) as stage:
            await migrate(stage.owner_dsn)
            yield stage
    finally:
        if data_dir is None:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _embedded(given: Settings, environment: dict[str, str]) -> AsyncIterator[Stage]:
    settings = Settings.from_environment(environment)
    server = await EmbeddedServer.start(settings.data_dir, settings.keys_dir)
    try:
        yield Stage(
            settings,
            environment,
            server.dsn(OWNER),
            server.dsn(APP),
            server.bin_dir,
            server.pid,
        )
    finally:
        await server.stop()


@asynccontextmanager
async def _external(given: Settings, environment: dict[str, str]) -> AsyncIterator[Stage]:
    urls = (given.database_url, given.ledger_database_url, given.migrate_url)
    assert given.migrate_url is not None
    for name, url in zip(_URLS, urls, strict=True):
        assert url is not None
        environment[name] = on_database(url, DATABASE)
    connection = await asyncpg.connect(given.migrate_url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {DATABASE}")
        settings = Settings.from_environment(environment)
        owner, app = environment[_URLS[2]], environment[_URLS[0]]
        yield Stage(settings, environment, owner, app)
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await connection.close()
