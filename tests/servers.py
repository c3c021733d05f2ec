"""The PostgreSQL servers that tests run on: the embedded one, and one made with Debian's."""

import asyncio
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
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
    """Fresh databases on one server, copied from a migrated template."""

    _TEMPLATE = "template_tikiwallet"

    def __init__(self, server: Server) -> None:
        self.server = server
        self._made = 0
        self._has_template = False

    def urls(self, name: str) -> DatabaseUrls:
        dsn = self.server.dsn
        return DatabaseUrls(
            name, dsn(OWNER, name), dsn(LEDGER, name), dsn(APP, name), dsn(SUPERUSER, name)
        )

    async def make(self, *, migrated: bool = True) -> DatabaseUrls:
        if migrated and not self._has_template:
            await self._create(self._TEMPLATE, "template0")
            await migrate(self.urls(self._TEMPLATE).owner)
            self._has_template = True
        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        await self._create(name, self._TEMPLATE if migrated else "template0")
        return self.urls(name)

    async def drop(self, name: str) -> None:
        connection = await asyncpg.connect(self.server.dsn(SUPERUSER, "postgres"))
        try:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    async def _create(self, name: str, template: str) -> None:
        connection = await asyncpg.connect(self.server.dsn(SUPERUSER, "postgres"))
        try:
            await connection.execute(
                f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}" STRATEGY wal_log'
            )
            await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
            await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {LEDGER}, {APP}')
        finally:
            await connection.close()
