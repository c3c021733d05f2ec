"""The PostgreSQL that an installation runs for itself: start, adopt, stop.

The server outlives a killed process; whoever comes next adopts it. Each process that uses it
holds a shared claim, and the last one to stop it shuts it down.
"""

import asyncio
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
import psutil

from tikiwallet.database.claims import Claim
from tikiwallet.database.cluster import (
    APP,
    LEDGER,
    LOGINS,
    OWNER,
    SUPERUSER,
    Cluster,
    Progress,
    socket_file,
)
from tikiwallet.database.installation import EmbeddedServerError

DATABASE: Final = "tikiwallet"

_LOG_MAX = 16 << 20  # bytes; the log starts anew beyond, and one old one is kept
_POLL_SECONDS = 0.01
_REMAINS_SECONDS = 30.0  # for what a killed server left behind to go away
_STOP_SECONDS = 120.0  # for a shutdown, which writes a checkpoint
_TURN = "database-turn"
_USE = "database-use"

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process started, to be reaped by whichever of its users stops them."""


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """What `postmaster.pid` says of a server that is ready."""

    pid: int
    socket: Path


class EmbeddedServer:
    """A running server, ours or adopted."""

    def __init__(self, cluster: Cluster, postmaster: _Postmaster, claim: Claim) -> None:
        self._cluster = cluster
        self._postmaster = postmaster
        self._claim = claim
        self._stopped = False

    @classmethod
    async def start(
        cls, data_dir: Path, keys_dir: Path, progress: Progress | None = None
    ) -> "EmbeddedServer":
        """The server of `data_dir`: made, started, or adopted when it runs already.

        Returns when it answers, after a crash's recovery too; `progress` gets short lines about
        what takes its time, on the event loop. Raises EmbeddedServerError with a text for whoever
        runs the installation.
        """
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, line)

        server = await asyncio.to_thread(cls._start, data_dir, keys_dir, report)
        try:
            await server._ensure_database()
        except BaseException:
            await server.stop()
            raise
        return server

    @classmethod
    def _start(cls, data_dir: Path, keys_dir: Path, report: Progress) -> "EmbeddedServer":
        data_dir = data_dir.absolute()
        with Claim.turn(data_dir, _TURN):
            cluster = Cluster(data_dir, keys_dir)
            cluster.prepare(report)
            claim = Claim.shared(data_dir, _USE)
            try:
                return cls(cluster, _adopt(cluster, report) or _launch(cluster, report), claim)
            except BaseException:
                claim.release()
                raise

    @property
    def bin_dir(self) -> Path:
        """The folder with PostgreSQL's programs (psql, pgbench, pg_dump, ...)."""
        return self._cluster.programs

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._postmaster.pid

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._cluster.log

    def dsn(self, role: str = APP, database: str = DATABASE) -> str:
        """A URL that logs in as `role`, one of LOGINS; ValueError for any other."""
        if role not in LOGINS:
            raise ValueError(f"{role!r} cannot log in; one of {', '.join(LOGINS)} can")
        host = quote(str(self._postmaster.socket), safe="")
        return f"postgresql://{role}:{self._cluster.passwords[role]}@/{database}?host={host}"

    def runs(self) -> bool:
        """Whether the server's main process lives."""
        return _is_running(self._postmaster.pid)

    async def heal(self, progress: Progress | None = None) -> bool:
        """Start the server again if it died, at the same address; whether it had. Raises
        EmbeddedServerError."""
        if self._stopped or self.runs():
            return False
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, line)

        await asyncio.to_thread(self._heal, report)
        return True

    def _heal(self, report: Progress) -> None:
        with Claim.turn(self._cluster.data_dir, _TURN):
            if not self._stopped:
                folder = self._postmaster.socket
                self._postmaster = _adopt(self._cluster, report) or _launch(
                    self._cluster, report, folder
                )

    async def stop(self) -> None:
        """Leave the server; whoever leaves last shuts it down and waits until it is gone."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        with Claim.turn(self._cluster.data_dir, _TURN):
            try:
                if self._claim.is_last():
                    _shut_down(self._cluster, self._postmaster)
            finally:
                self._claim.release()

    async def _ensure_database(self) -> None:
        """Roles and the database, after the first start or one that was interrupted."""
        if self._cluster.ready.exists():
            return
        with await asyncio.to_thread(Claim.turn, self._cluster.data_dir, _TURN):
            passwords = {role: self._cluster.passwords[role] for role in (OWNER, LEDGER, APP)}
            connection = await asyncpg.connect(self.dsn(SUPERUSER, "postgres"))
            try:
                await make_database(connection, passwords)
            finally:
                await connection.close()
            self._cluster.ready.touch(mode=0o600)


async def make_database(
    connection: asyncpg.Connection, passwords: dict[str, str], database: str = DATABASE
) -> None:
    """Make the login roles and an empty database that the owner owns; again does no harm.

    `connection` is a superuser's; `passwords` has one for OWNER, LEDGER and APP.
    """
    for role, password in passwords.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", password):
            raise ValueError("a password that would need quoting")
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f"CREATE ROLE {role}")
        await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{password}'")
    await connection.execute(f"GRANT {LEDGER}, {APP} TO {OWNER}")
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
        await connection.execute(f'CREATE DATABASE "{database}" OWNER {OWNER}')
    await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {LEDGER}, {APP}')


def _read_pid(cluster: Cluster) -> int | None:
    """The process that `postmaster.pid` names, when it is the server of this cluster."""
    try:
        pid = int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if _works_in(cluster, psutil.Process(pid)) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _read_ready(cluster: Cluster, pid: int) -> Path | None:
    """The socket folder of server `pid` once it accepts connections."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[0] != str(pid) or lines[7].strip() != "ready":
        return None
    folder = Path(lines[4])
    return folder if socket_file(folder).exists() else None


def _works_in(cluster: Cluster, process: psutil.Process) -> bool:
    """Whether `process` is at work in this cluster: PostgreSQL's all have it as their folder.

    A number out of `postmaster.pid` alone proves nothing: after a crash it may be a stranger's.
    """
    try:
        return Path(process.cwd()) == cluster.data
    except (psutil.Error, OSError):
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_running(pid: int) -> bool:
    try:
        return _is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def _adopt(cluster: Cluster, report: Progress) -> _Postmaster | None:
    """The server that runs already, once it is ready; None when there is none."""
    watch = _Recovery(cluster, report)
    while (pid := _read_pid(cluster)) is not None:
        socket = _read_ready(cluster, pid)
        if socket is not None:
            return _Postmaster(pid, socket)
        watch.look()
        time.sleep(_POLL_SECONDS)
    return None


def _launch(cluster: Cluster, report: Progress, folder: Path | None = None) -> _Postmaster:
    _clear_remains(cluster, report)
    if cluster.log.exists() and cluster.log.stat().st_size > _LOG_MAX:
        cluster.log.replace(cluster.log.with_suffix(".log.1"))
    cluster.log.touch(mode=0o600)
    watch = _Recovery(cluster, report)
    child = cluster.runner.start(
        [
            cluster.programs / "postgres",
            "-D",
            cluster.data,
            "-k",
            folder or cluster.socket_folder(),
        ],
        cluster.log,
    )
    _children[child.pid] = child
    while True:
        socket = _read_ready(cluster, child.pid)
        if socket is not None:
            return _Postmaster(child.pid, socket)
        if child.poll() is not None:
            del _children[child.pid]
            reason = watch.fatal() or f"it ended with status {child.returncode}"
            raise EmbeddedServerError(f"the database does not start: {reason} (see {cluster.log})")
        watch.look()
        time.sleep(_POLL_SECONDS)


def _clear_remains(cluster: Cluster, report: Progress) -> None:
    """Wait for the processes of a server that was killed, and forget a stranger's number."""
    begun = time.monotonic()
    told = False
    while remains := [p for p in psutil.process_iter() if _works_in(cluster, p)]:
        waited = time.monotonic() - begun
        if waited > _REMAINS_SECONDS:
            numbers = ", ".join(str(process.pid) for process in remains)
            raise EmbeddedServerError(
                f"processes {numbers} of a killed database still use {cluster.data}: end them"
            )
        if waited > 1 and not told:
            report("Waiting for what a killed database left behind")
            told = True
            for process in remains:
                # What their own server would have told them: leave at once, write nothing.
                process.send_signal(signal.SIGQUIT)
        time.sleep(_POLL_SECONDS)
    note = cluster.data / "postmaster.pid"
    if note.exists():
        first = note.read_text().split("\n", 1)[0].strip()
        child = _children.pop(int(first), None) if first.isdigit() else None
        if child is not None:
            child.wait()
        if first.isdigit() and psutil.pid_exists(int(first)):
            # Not PostgreSQL, as seen above, yet PostgreSQL would take it for another server.
            note.unlink()


def _shut_down(cluster: Cluster, postmaster: _Postmaster) -> None:
    """A fast shutdown: sessions are ended, a checkpoint is written; returns when all is gone."""
    deadline = time.monotonic() + _STOP_SECONDS
    process = None
    # Not always the one we came to: it may have died, or been restarted, and another took over.
    if (pid := _read_pid(cluster)) is not None:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGINT)
    while process is not None and _is_alive(process):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the database (process {pid}) does not stop; see {cluster.log}"
            )
        time.sleep(_POLL_SECONDS)
    for number in (postmaster.pid, pid):
        child = None if number is None else _children.pop(number, None)
        if child is not None:
            child.wait()
    if not postmaster.socket.is_relative_to(cluster.folder):
        shutil.rmtree(postmaster.socket, ignore_errors=True)


class _Recovery:
    """Follows the server's log while it starts, to tell how recovery goes on."""

    _PATTERN = re.compile(r"(redo in progress|syncing data directory).*elapsed time: ([0-9.]+) s")

    def __init__(self, cluster: Cluster, report: Progress) -> None:
        self._log = cluster.log
        self._report = report
        self._seen = self._log.stat().st_size if self._log.exists() else 0
        self._lines: list[str] = []

    def look(self) -> None:
        """Read what is new and report it."""
        if not self._log.exists() or self._log.stat().st_size <= self._seen:
            return
        with self._log.open("rb") as log:
            log.seek(self._seen)
            new = log.read(1 << 16)
        self._seen += len(new)
        for line in new.decode(errors="replace").splitlines():
            self._lines.append(line)
            match = self._PATTERN.search(line)
            if match:
                self._report(f"Recovering after a crash: {match[2]} s so far")

    def fatal(self) -> str:
        """Why the server gave up, as it says itself; empty when it said nothing."""
        self.look()
        reasons = [line for line in self._lines if re.search(r"(FATAL|PANIC|ERROR): ", line)]
        if reasons:
            return reasons[-1].split(":  ", 1)[-1]
        return self._lines[-1] if self._lines else ""
