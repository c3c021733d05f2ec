"""Runs each task of the worker again and again, one at a time, whatever the last run did."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import Counter

from tikiwallet import logs
from tikiwallet.errors import Problem

_FAILED = Counter("tikiwallet_worker_failures_total", "Runs of a task that failed", ["task"])
_log = logs.get(__name__)


@dataclass(frozen=True)
class Task:
    """`run` is called every `seconds`, at once again after a run that says there is more."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[bool]]


class Schedule:
    """The tasks of one process."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, in the background."""
        self._running = [asyncio.create_task(self._repeat(task)) for task in self._tasks]

    async def stop(self) -> None:
        """Break off; every task is made so that it can be taken up again."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _repeat(self, task: Task) -> None:
        while True:
            more = False
            try:
                more = await task.run()
            except Problem as problem:
                _log.info("task could not run now", task=task.name, why=problem.detail)
            except Exception:
                _FAILED.labels(task.name).inc()
                _log.exception("task failed", task=task.name)
            if not more:
                await asyncio.sleep(task.seconds)
