"""An installation of its own for each test: a data folder, its processes, its PostgreSQL.

Processes are the real ones, started as anybody would; only those that were started here are ever
signalled, and PostgreSQL's only when they are at work in this installation's own cluster.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
from tests.servers import remove_folder, short_folder

from tikiwallet.bench.processes import Process, child_environment, free_port
from tikiwallet.database.cluster import APP, SUPERUSER, Cluster, socket_file
from tikiwallet.database.embedded import DATABASE

PUBLIC_URL = "http://localhost:8000"  # the tokens' issuer, so that they outlive a change of port
_POLL_SECONDS = 0.02
_COMMAND_SECONDS = 60.0


async def until(condition: Callable[[], bool], limit: float, what: str) -> None:
    """Return once `condition()` is true, AssertionError when that takes longer than `limit`."""
    ends = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < ends, f"not within {limit:g} s: {what}"
        await asyncio.sleep(_POLL_SECONDS)


class Running(Process):
    """A process of the product, which may also end by itself."""

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs, less than zero for a signal."""
        return self._child.poll()

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return self.status is None


class Installation:
    """One data folder, and everything that runs on it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {
            "TIKIWALLET_DATA_DIR": str(folder),
            "TIKIWALLET_PUBLIC_URL": PUBLIC_URL,
            "TIKIWALLET_RATE_LIMITS": "off",
            "TIKIWALLET_LOG_LEVEL": "warning",
            **settings,
        }
        self.log = folder / "output.log"
        self._processes: list[Running] = []

    @classmethod
    def empty(cls, **settings: str) -> "Installation":
        """A new installation, without a database yet."""
        folder = short_folder()
        folder.chmod(0o711)  # as root, PostgreSQL runs as somebody else and must get through
        return cls(folder, **settings)

    def copy(self, **settings: str) -> "Installation":
        """Another installation with the same data; nothing may run on this one meanwhile."""
        folder = short_folder()
        shutil.rmtree(folder)
        # `copytree` would lose who owns the cluster.
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Installation(folder, **settings)

    # -- our own processes

    def start(self, *words: str, port: int | None = None) -> Running:
        """Start `tikiwallet WORDS`, on the installation's port if no other is given."""
        environment = {**self.environment, "TIKIWALLET_PORT": str(port or self.port)}
        process = Running(words, child_environment(environment), self.log)
        self._processes.append(process)
        return process

    async def command(self, *words: str) -> tuple[int, str]:
        """Run `tikiwallet WORDS` to its end: (status, all it printed)."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tikiwallet", *words),
            env=child_environment({**self.environment, "TIKIWALLET_PORT": str(self.port)}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), _COMMAND_SECONDS)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return process.returncode, output.decode(errors="replace")

    def tail(self) -> str:
        """The last of what all processes wrote."""
        return self.log.read_text(errors="replace")[-4_000:] if self.log.exists() else ""

    # -- its PostgreSQL

    def cluster(self) -> Cluster:
        """Where PostgreSQL's files and programs are, and the passwords."""
        cluster = Cluster(self.folder, self.folder / "keys")
        cluster.prepare(lambda _: None)
        return cluster

    def postmaster(self) -> psutil.Process | None:
        """The server at work in this cluster, if one is."""
        data = (self.folder / "database" / "cluster").resolve()
        try:
            process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n")[0]))
            is_ours = Path(process.cwd()) == data and process.status() != psutil.STATUS_ZOMBIE
            return process if is_ours else None
        except (OSError, ValueError, psutil.Error):
            return None

    def backends(self) -> list[psutil.Process]:
        """The server processes of sessions, the writer's among them."""
        postmaster = self.postmaster()
        found = []
        for child in postmaster.children() if postmaster else []:
            try:
                if any(word.startswith("tikiwallet_") for word in child.cmdline()[0].split()):
                    found.append(child)
            except (IndexError, psutil.Error):
                continue
        return found

    async def restart_postgres(self) -> None:
        """`pg_ctl restart -m immediate`, as an operator in a hurry would."""
        cluster = self.cluster()
        before = self.postmaster()
        done = await asyncio.to_thread(
            cluster.runner.run,
            [
                *(cluster.programs / "pg_ctl", "-D", cluster.data, "-m", "immediate"),
                *("-w", "-s", "-l", "/dev/null", "restart"),
            ],
        )
        if "does not shut down" in done.stderr:  # `serve` had started it anew before pg_ctl looked
            after = self.postmaster()
            assert after is not None
            assert after != before
            return
        assert done.returncode == 0, done.stderr

    async def connect(self, role: str = APP) -> asyncpg.Connection:
        """A session of our own on the running server; waits out a recovery."""
        cluster = self.cluster()
        ends = time.monotonic() + 20
        while True:
            folder = self._socket_folder()
            try:
                assert folder is not None
                connection: asyncpg.Connection = await asyncpg.connect(
                    host=str(folder), user=role, password=cluster.passwords[role], database=DATABASE
                )
            except (AssertionError, OSError, asyncpg.PostgresError):
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return connection

    async def connect_as_superuser(self) -> asyncpg.Connection:
        """A session that sees everybody else's."""
        return await self.connect(SUPERUSER)

    def _socket_folder(self) -> Path | None:
        note = (self.folder / "database" / "cluster").resolve() / "postmaster.pid"
        try:
            folder = Path(note.read_text().splitlines()[4])
        except (OSError, IndexError):
            return None
        return folder if socket_file(folder).exists() else None

    async def holder(self) -> int:
        """The process id of the writer that holds the lease; 0 when nobody does."""
        connection = await self.connect()
        try:
            holder = await connection.fetchval("SELECT holder FROM ledger.lease")
        finally:
            await connection.close()
        return int(holder.rpartition(":")[2] or 0)

    # -- the end

    async def stop(self) -> None:
        """Ask every process to end, wait, and see PostgreSQL gone with the last of them."""
        for process in reversed(self._processes):
            await process.stop()
        self._processes.clear()
        await until(lambda: self.postmaster() is None, 20, "PostgreSQL stops with the last process")

    async def close(self) -> None:
        """Kill whatever still runs, and remove the folder."""
        for process in self._processes:
            process.signal(signal.SIGCONT)
            await process.kill()
        postmaster = self.postmaster()
        if postmaster is not None:
            children = postmaster.children()
            postmaster.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(psutil.wait_procs, [postmaster, *children], 10)
        if self.log.exists():  # pytest shows it with a test that failed
            with self.log.open(errors="replace") as lines:
                print(*(line for line in lines if '"a bug"' in line), sep="")  # noqa: T201
        remove_folder(self.folder)
