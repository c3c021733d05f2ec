"""Whose turn it is when several workers run the suite: all together, or one test by itself.

A test marked `alone` measures time or fills the machine; while it runs, other workers wait between
their tests. Two locks do it: the turnstile, which whoever wants to go in holds for a moment and
whoever waits to be alone holds until all are out, and the room, shared by all or held by one. Both
are on files of the checkout, so that two runs of it take turns as well.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_ROOM = Path(__file__)
_TURNSTILE = Path(__file__).with_name("conftest.py")


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Inside, one test may run."""
    with ExitStack() as room:
        with _held(_TURNSTILE, fcntl.LOCK_EX):
            room.enter_context(_held(_ROOM, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    with path.open("rb") as file:
        fcntl.flock(file, how)
        yield  # closing the file lets go
