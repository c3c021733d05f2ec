"""The PostgreSQL servers that tests run on: the embedded one, and one made with Debian's."""

import asyncio
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import asyncpg

from tikiwallet.database.cluster import APP, LEDGER, LOGINS, OWNER, SUPERUSER, server_settings
from tikiwallet.database.embedded import DATABASE, EmbeddedServer, make_database
from tikiwallet.database.installation import Runner
from tikiwallet.database.migrate import migrate

_MEMORY = Path("/dev/shm")  # noqa: S108  made by mkdtemp there
_MEMORY_NEEDED = 8 << 30  # for the servers of several workers, with their logs at the largest


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as each role logs in to it."""

    name: str
    owner: str
    ledger: str
    app: str
    superuser: str


class Server(Protocol):
    """What tests need of a server."""

    @property
    def bin_dir(self) -> Path: ...

    def dsn(self, role: str, database: str) -> str: ...


class DebianServer:
    """A throwaway cluster of the newest PostgreSQL below /usr/lib/postgresql; `settings` are its
    own beside those of the embedded server."""

    def __init__(self, folder: Path, programs: Path, **settings: str) -> None:
        self.folder = folder
        self.bin_dir = programs
        self.settings = settings
        self.runner = Runner.of_this_process()
        self.password = secrets.token_urlsafe(12)
        self.data = folder / "cluster"

    def _run(self, program: str, *arguments: str) -> None:
        done = self.runner.run([self.bin_dir / program, "-D", str(self.data), *arguments])
        assert done.returncode == 0, (done.stderr, self._log())

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    def start(self) -> None:
        """Make the cluster, start its server, make the roles and a database."""
        password = self.folder / "password"
        password.write_text(self.password)
        for path in (self.folder, password):
            self.runner.own(path)
        self._run(
            "initdb",
            "-U",
            SUPERUSER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            f"--pwfile={password}",
        )
        settings = server_settings(1 << 30)
        del settings["io_method"]  # new in 18
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(text)
        self.write_settings()
        self.run()

        async def make() -> None:
            connection = await asyncpg.connect(self.dsn(SUPERUSER, "postgres"))
            try:
                await make_database(connection, dict.fromkeys((OWNER, LEDGER, APP), self.password))
            finally:
                await connection.close()

        run_apart(make())

    def write_settings(self) -> None:
        """Add this server's own settings, which come last and so count."""
        own = {"unix_socket_directories": str(self.folder), **self.settings}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in own.items())

    def run(self) -> None:
        """Start the server of a cluster that is there."""
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def dsn(self, role: str, database: str = DATABASE) -> str:
        assert role in LOGINS
        host = quote(str(self.folder), safe="")
        return f"postgresql://{role}:{self.password}@/{database}?host={host}"


def debian_programs() -> Path | None:
    """The folder of the newest PostgreSQL, 15 or later, that Debian's packages installed."""
    found = [
        (int(match[1]), path.parent)
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if (match := re.fullmatch(r"(\d+)", path.parent.parent.name)) and int(match[1]) >= 15
    ]
    return max(found)[1] if found else None


T = TypeVar("T")


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end on a loop of its own, whether or not this thread has one."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


def short_folder() -> Path:
    """A fresh private folder with a path short enough for Unix sockets."""
    return Path(tempfile.mkdtemp(prefix="tw-", dir="/tmp"))


def memory_folder() -> Path:
    """A `short_folder` in memory, where there is enough of it: databases of tests come and go by
    the thousand, each with five hundred files, and a disk takes ten times as long for them."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _MEMORY_NEEDED:
        return short_folder()
    folder = Path(tempfile.mkdtemp(prefix="tw-", dir=_MEMORY))
    folder.chmod(0o755)  # root's servers run as another user
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a `short_folder`, and what an embedded server had to put elsewhere."""
    database = folder / "database"
    if database.is_symlink():
        shutil.rmtree(database.resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port of loopback that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_embedded(folder: Path) -> EmbeddedServer:
    return run_apart(EmbeddedServer.start(folder, folder / "keys"))


class Databases:
    """Fresh databases on one server, copied from a migrated template.

    The next one is made, and the last one dropped, while tests run: by a thread of its own, over
    one connection.
    """

    _TEMPLATE = "template_tikiwallet"

    def __init__(self, server: Server) -> None:
        self.server = server
        self._made = 0
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(1, "databases")
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._next: Future[DatabaseUrls] | None = None
        self._drops: list[Future[None]] = []

    def urls(self, name: str) -> DatabaseUrls:
        dsn = self.server.dsn
        return DatabaseUrls(
            name, dsn(OWNER, name), dsn(LEDGER, name), dsn(APP, name), dsn(SUPERUSER, name)
        )

    def make(self, *, migrated: bool = True) -> DatabaseUrls:
        """A database of the caller's own."""
        if not migrated:
            return self._soon(self._make("template0")).result()
        if self._next is None:
            self._soon(self._make_template()).result()
            self._next = self._soon(self._make(self._TEMPLATE))
        made = self._next.result()
        self._next = self._soon(self._make(self._TEMPLATE))
        return made

    def drop(self, urls: DatabaseUrls) -> None:
        """End whatever uses it, and remove it, soon."""
        self._drops = [drop for drop in self._drops if not drop.done() or drop.result()]
        statement = f'DROP DATABASE "{urls.name}" WITH (FORCE)'
        self._drops.append(self._soon(self._execute(statement)))

    def close(self) -> None:
        """Wait for what is under way. Raises what went wrong."""
        try:
            for drop in self._drops:
                drop.result()
        finally:
            if self._connection is not None:
                self._soon(self._connection.close()).result()
            self._thread.submit(self._runner.close).result()
            self._thread.shutdown()

    def _soon(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return self._thread.submit(self._runner.run, work)

    async def _execute(self, *statements: str) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(self.server.dsn(SUPERUSER, "postgres"))
        for statement in statements:
            await self._connection.execute(statement)

    async def _make_template(self) -> None:
        await self._create(self._TEMPLATE, "template0")
        await migrate(self.urls(self._TEMPLATE).owner)

    async def _make(self, template: str) -> DatabaseUrls:
        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        await self._create(name, template)
        return self.urls(name)

    async def _create(self, name: str, template: str) -> None:
        await self._execute(
            f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}" STRATEGY file_copy',
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
            f'GRANT CONNECT ON DATABASE "{name}" TO {LEDGER}, {APP}',
        )
