"""Two of Debian's PostgreSQL servers, one the other's standby, and an installation on both."""

import asyncio
import secrets
import shutil
from pathlib import Path

import asyncpg
import psutil
from tests.faults.installation import Installation, until
from tests.servers import DebianServer, free_port, remove_folder, run_apart, short_folder

from tikiwallet.database.cluster import APP, LEDGER, OWNER, SUPERUSER
from tikiwallet.database.embedded import DATABASE


class Replica(DebianServer):
    """One server of the two, on a loopback port; `name` is what the other knows it by."""

    def __init__(self, name: str, programs: Path, password: str) -> None:
        self.name = name
        self.port = free_port()
        super().__init__(
            short_folder(),
            programs,
            listen_addresses="127.0.0.1",
            port=str(self.port),
            cluster_name=name,
            wal_level="replica",
            max_wal_senders="4",
            max_replication_slots="4",
            wal_retrieve_retry_interval="100ms",
        )
        self.password = password

    def dsn(self, role: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def clone(self, source: "Replica") -> None:
        """Become the standby of `source`, with a copy of what it holds now."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.runner.own(self.folder)
        slot = "SELECT pg_create_physical_replication_slot($1, true)"
        run_apart(source.execute(slot, self.name))
        backup: list[str | Path] = [
            self.bin_dir / "pg_basebackup",
            *("-d", f"{source.dsn(SUPERUSER, '')}?application_name={self.name}"),
            *("-D", self.data, "-S", self.name, "-X", "stream", "-R", "--checkpoint=fast"),
        ]
        done = self.runner.run(backup)
        assert done.returncode == 0, done.stderr
        self.write_settings()
        self.run()

    async def session(self) -> asyncpg.Connection:
        """An administrator's, who waits for no standby."""
        settings = {"synchronous_commit": "local"}
        connection: asyncpg.Connection = await asyncpg.connect(
            self.dsn(SUPERUSER), server_settings=settings
        )
        return connection

    async def execute(self, sql: str, *values: object) -> str:
        """One statement of an administrator's."""
        connection = await self.session()
        try:
            return await connection.execute(sql, *values)
        finally:
            await connection.close()

    async def name_standbys(self, names: str) -> None:
        """Set `synchronous_standby_names`, for all sessions and at once."""
        await self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await self.execute("SELECT pg_reload_conf()")

    def _processes(self) -> list[psutil.Process]:
        number = (self.data / "postmaster.pid").read_text().split("\n", 1)[0]
        postmaster = psutil.Process(int(number))
        assert Path(postmaster.cwd()) == self.data.resolve()
        return [postmaster, *postmaster.children(recursive=True)]

    async def kill(self) -> None:
        """kill -9 of the server, and wait until its last process has ended."""
        family = self._processes()
        for process in family:
            process.kill()
        await asyncio.to_thread(psutil.wait_procs, family, 10)

    def freeze(self) -> None:
        """Stop all of its processes; the machine goes on to take what is sent to them."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        for process in self._processes():
            process.resume()

    def promote(self) -> None:
        """Be the primary, wherever the other one is."""
        self._run("pg_ctl", "-w", "promote")

    def is_there(self) -> bool:
        """Whether its server runs."""
        done = self.runner.run([self.bin_dir / "pg_ctl", "-D", self.data, "status"])
        return done.returncode == 0


class Pair:
    """A primary, at first `one`, and its standby, at first `two`."""

    def __init__(self, programs: Path) -> None:
        password = secrets.token_urlsafe(12)
        self.one = Replica("one", programs, password)
        self.two = Replica("two", programs, password)
        self.primary = self.one

    def start(self) -> None:
        """Both as an administrator leaves them, with no standby named yet."""
        self.one.start()
        run_apart(self.one.execute(f"GRANT pg_read_all_stats TO {LEDGER}"))
        self.two.clone(self.one)

    def url(self, role: str) -> str:
        """By which `role` finds whichever is primary."""
        ports = [f"127.0.0.1:{member.port}" for member in (self.one, self.two)]
        return f"postgresql://{role}:{self.one.password}@{','.join(ports)}/{DATABASE}"

    def settings(self) -> dict[str, str]:
        """For an installation on both."""
        return {
            "TIKIWALLET_DATABASE_URL": self.url(APP),
            "TIKIWALLET_LEDGER_DATABASE_URL": self.url(LEDGER),
            "TIKIWALLET_MIGRATE_URL": self.url(OWNER),
            "TIKIWALLET_CLUSTER": "on",
        }

    def remove(self) -> None:
        """Stop what runs, and remove the folders."""
        for member in (self.one, self.two):
            if member.data.exists() and member.is_there():
                member.stop()
            remove_folder(member.folder)


class Town(Installation):
    """An installation on a pair of servers."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(short_folder(), **pair.settings())
        self.pair = pair

    async def connect(self, role: str = APP) -> asyncpg.Connection:
        """A session of our own on the primary."""
        connection: asyncpg.Connection = await asyncpg.connect(self.pair.primary.dsn(role))
        return connection

    async def says(self, words: str, limit: float = 20) -> None:
        """Wait until a process has written `words`."""
        await until(lambda: words in self.log.read_text(), limit, words)
