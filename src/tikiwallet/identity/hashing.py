"""Argon2id in threads of its own, so that hashing never holds up the event loop.

They are fewer than there are cores, where there is more than one: what is asked for meanwhile finds
one free.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import argon2
from argon2.exceptions import VerificationError

from tikiwallet.errors import Overloaded

_Answer = TypeVar("_Answer")

_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What one argon2id hash costs: passes over memory, and the memory in KiB."""

    passes: int
    memory_kib: int


class Hashing:
    """Makes and checks argon2id hashes; at most `threads` at once (None: as many as this machine
    can spare) and `waiting` in line.

    `count` is how many were begun. `make` and `matches` raise `Overloaded` when the line is full.
    """

    def __init__(self, threads: int | None = None, waiting: int = 64) -> None:
        threads = threads or _threads_to_spare()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._room = threads + waiting
        self._under_way = 0
        self.count = 0

    async def make(self, secret: bytes, cost: Cost) -> str:
        """The encoded hash of `secret` with a fresh salt."""
        return await self._run(lambda: _hasher(cost).hash(secret))

    async def matches(self, encoded: str, secret: bytes) -> bool:
        """Whether `encoded` was made from `secret`."""
        return await self._run(lambda: _matches(encoded, secret))

    def close(self) -> None:
        """End the threads; what still waits in line is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], _Answer]) -> _Answer:
        if self._under_way >= self._room:
            raise Overloaded(retry_after=1)
        self._under_way += 1
        self.count += 1
        future = self._pool.submit(work)
        # A caller that goes away leaves its hash in the line: the thread says when it is done.
        future.add_done_callback(self._done(asyncio.get_running_loop()))
        return await asyncio.wrap_future(future)

    def _done(self, loop: asyncio.AbstractEventLoop) -> Callable[[Future[_Answer]], None]:
        def leave() -> None:
            self._under_way -= 1

        def done(_: Future[_Answer]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(leave)

        return done


def needs_new_hash(encoded: str, cost: Cost) -> bool:
    """Whether `encoded` was made at another cost than today's."""
    return _hasher(cost).check_needs_rehash(encoded)


def unmatchable_hash(cost: Cost) -> str:
    """A hash that no secret matches and that takes as long to check as a real one."""
    salt = base64.b64encode(os.urandom(16)).rstrip(b"=").decode()
    digest = base64.b64encode(os.urandom(32)).rstrip(b"=").decode()
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p=1${salt}${digest}"


def _threads_to_spare() -> int:
    cores = os.cpu_count() or 1
    return max(1, min(cores - 1, _MOST_THREADS))


def _hasher(cost: Cost) -> argon2.PasswordHasher:
    # One lane: the threads of the pool are the parallelism, and their number is bounded there.
    return argon2.PasswordHasher(
        time_cost=cost.passes,
        memory_cost=cost.memory_kib,
        parallelism=1,
        hash_len=32,
        salt_len=16,
    )


def _matches(encoded: str, secret: bytes) -> bool:
    try:
        return argon2.PasswordHasher().verify(encoded, secret)
    except VerificationError:
        return False
