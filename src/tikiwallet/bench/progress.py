"""Progress bars on standard error while the bench works; nothing at all when nobody watches."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

_REFRESH_PER_SECOND = 2  # drawing takes from the cores that are being measured
_TICK_SECONDS = 0.5


class Bars:
    """One bar for all figures, and below it one for what is being done right now."""

    def __init__(self, console: Console, figures: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=_REFRESH_PER_SECOND,
            disable=not console.is_terminal,
        )
        self._all = self._progress.add_task("all figures", total=figures)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def finished(self) -> None:
        """One more figure is there."""
        self._progress.advance(self._all)

    @asynccontextmanager
    async def timed(self, title: str, seconds: float) -> AsyncIterator[None]:
        """A bar that fills in about `seconds` while the block runs."""
        task = self._progress.add_task(title, total=seconds)
        began = time.monotonic()

        async def tick() -> None:
            while True:
                await asyncio.sleep(_TICK_SECONDS)
                done = min(time.monotonic() - began, seconds)
                self._progress.update(task, completed=done)

        ticking = asyncio.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            self._progress.remove_task(task)

    @contextmanager
    def counted(self, title: str, total: int) -> Iterator[Callable[[float], None]]:
        """A bar for `total` things; the block calls what it is given with how many are done."""
        task = self._progress.add_task(title, total=total)
        try:
            yield lambda done: self._progress.update(task, completed=done)
        finally:
            self._progress.remove_task(task)
