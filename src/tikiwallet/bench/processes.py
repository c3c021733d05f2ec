"""Processes: starting the product's own, knowing when they are ready, and what they use."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psutil

from tikiwallet.bench.client import Client
from tikiwallet.bench.figures import ProcessUse

_START = "import sys; from tikiwallet.cli import main; sys.exit(main())"
_MB = 1_000_000
_SAMPLE_SECONDS = 0.25
_STOP_SECONDS = 20.0
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.01
_TAIL_BYTES = 2_000


class DidNotStart(Exception):
    """A process ended or was not ready in time; the message ends with what it last wrote."""


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One `tikiwallet ...` process started by the bench. Its output goes to `log`."""

    def __init__(self, words: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        self.name = " ".join(words)
        self._log = log
        self.started = time.monotonic()
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-c", _START, *words],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the bench alone, which then stops them
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    async def ready(self, port: int, limit: float = _READY_SECONDS) -> float:
        """Seconds from the start until /readyz on `port` says 200. Raises DidNotStart."""
        while True:
            self.check_alive()
            if await asyncio.to_thread(is_ready, port):
                return time.monotonic() - self.started
            if time.monotonic() - self.started > limit:
                raise DidNotStart(f"{self.name} was not ready in {limit:g} s\n{self.tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    def check_alive(self) -> None:
        """Raise DidNotStart when the process has ended."""
        if self._child.poll() is not None:
            raise DidNotStart(f"{self.name} ended with {self._child.returncode}\n{self.tail()}")

    def tail(self) -> str:
        """The last lines the process wrote."""
        with contextlib.suppress(OSError):
            return self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        return ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process still lives."""
        if self._child.poll() is None:
            self._child.send_signal(number)

    async def stop(self) -> None:
        """Ask it to end; after 20 seconds, make it."""
        self.signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._child.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            await asyncio.to_thread(self._child.wait)

    async def kill(self) -> None:
        """kill -9, also when it is stopped, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await asyncio.to_thread(self._child.wait)


def is_ready(port: int) -> bool:
    """Whether a service on `port` says that it is ready."""
    try:
        with Client(port, timeout=2.0) as client:
            return client.call("GET", "/readyz")[0] == 200
    except OSError:
        return False


class Watch:
    """CPU and memory of processes while an `async with` block runs.

    A process named `postgres` counts with all its children, any other alone. The result is in
    `uses` afterwards; of a process that ended within the block, what was last seen.
    """

    def __init__(self, pids: Mapping[str, int | None]) -> None:
        self._watched = {
            name: _Watched(name, pid, tree=name == "postgres")
            for name, pid in pids.items()
            if pid is not None
        }
        self._task: asyncio.Task[None] | None = None
        self.uses: tuple[ProcessUse, ...] = ()

    def add(self, name: str, pid: int) -> None:
        """Watch one more process, from now on."""
        self._watched[name] = _Watched(name, pid, tree=False)

    async def __aenter__(self) -> Self:
        for watched in self._watched.values():
            watched.sample()
        self._task = asyncio.get_running_loop().create_task(self._sample())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for watched in self._watched.values():
            watched.sample()
        self.uses = tuple(watched.use() for watched in self._watched.values())

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLE_SECONDS)
            for watched in list(self._watched.values()):
                watched.sample()


class _Watched:
    """The first and the last sample of one process, or of one tree of them."""

    def __init__(self, name: str, pid: int, tree: bool) -> None:
        self._name = name
        self._pid = pid
        self._tree = tree
        self._began = self._last = 0.0
        self._cpu: dict[int, tuple[float, float]] = {}  # per process: first and last CPU seconds
        self._fresh: set[int] = set()
        self._resident: int | None = None
        self._sampled = False

    def _members(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._pid)
            return [root, *root.children(recursive=True)] if self._tree else [root]
        except psutil.NoSuchProcess:
            return []

    def sample(self) -> None:
        if not self._sampled:
            self._began = time.monotonic()
        for member in self._members():
            try:
                times = member.cpu_times()
                resident = member.memory_info().rss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            now = times.user + times.system
            # A child that came later used all its CPU within the block.
            first = self._cpu.get(member.pid, (0.0 if self._sampled else now, now))[0]
            self._cpu[member.pid] = (first, now)
            if not self._tree:
                self._resident = resident
            self._last = time.monotonic()
        self._sampled = True

    def use(self) -> ProcessUse:
        seconds = max(self._last - self._began, _SAMPLE_SECONDS)
        busy = sum(last - first for first, last in self._cpu.values())
        proportional = 0
        for member in self._members():
            with contextlib.suppress(psutil.Error, AttributeError):
                proportional += member.memory_full_info().pss
        return ProcessUse(
            name=self._name,
            cpu_percent=round(100 * busy / seconds, 1),
            resident_mb=None if self._resident is None else round(self._resident / _MB, 1),
            proportional_mb=round(proportional / _MB, 1) if proportional else None,
        )


def say(line: str) -> None:
    """Write one line to standard output at once: how the bench's own processes answer it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for children: ours without any setting of the product, then `environment`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TIKIWALLET_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **environment}
