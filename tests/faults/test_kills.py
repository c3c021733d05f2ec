"""Killed in the middle of everything: what was acknowledged is there, and there once.

Processes and PostgreSQL get SIGKILL at random moments while twenty people pay each other.
"""

import asyncio
import random
import signal

from tests.faults.book import Book
from tests.faults.conftest import Rounds
from tests.faults.crowd import Crowd
from tests.faults.installation import Installation, until
from tests.faults.reckoning import check_all

from tikiwallet.bench.processes import Process


async def test_serve_is_killed(
    installation: Installation, book: Book, rounds: Rounds, chance: random.Random, seed: int
) -> None:
    crowd = Crowd(book, [installation.port], seed)
    for _ in rounds(2):
        serving = installation.start("serve")
        await serving.ready(installation.port)
        async with crowd.busy():
            await crowd.paid(50)
            await asyncio.sleep(chance.uniform(0.1, 1.0))
            await serving.kill()
            await asyncio.sleep(0.1)  # some meet nobody at all
    await installation.start("serve").ready(installation.port)
    await check_all(installation, book, crowd)


async def test_single_backends_are_killed(
    installation: Installation, book: Book, rounds: Rounds, chance: random.Random, seed: int
) -> None:
    """PostgreSQL ends all its sessions then and recovers by itself; so must the service."""
    await installation.start("serve").ready(installation.port)
    crowd = Crowd(book, [installation.port], seed)
    async with crowd.busy():
        for _ in rounds(3):
            await crowd.paid(50)
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            chance.choice(installation.backends()).kill()
        await crowd.paid(50)
    await check_all(installation, book, crowd)


async def test_the_postmaster_is_killed(
    installation: Installation, book: Book, rounds: Rounds, chance: random.Random, seed: int
) -> None:
    """The whole server at once, under `serve`; the next start recovers it."""
    crowd = Crowd(book, [installation.port], seed)
    for _ in rounds(1):
        serving = installation.start("serve")
        await serving.ready(installation.port)
        async with crowd.busy():
            await crowd.paid(50)
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            postmaster = installation.postmaster()
            assert postmaster is not None
            postmaster.kill()
            await asyncio.sleep(0.3)
            await serving.stop()
    await installation.start("serve").ready(installation.port)
    await check_all(installation, book, crowd)


async def test_postgres_is_restarted_under_load(
    installation: Installation, book: Book, rounds: Rounds, seed: int
) -> None:
    """`pg_ctl restart -m immediate`: callers are answered again without a hand laid on `serve`."""
    await installation.start("serve").ready(installation.port)
    crowd = Crowd(book, [installation.port], seed)
    async with crowd.busy():
        for _ in rounds(2):
            await crowd.paid(50)
            await installation.restart_postgres()
        await crowd.paid(50)
    await check_all(installation, book, crowd)
    await installation.stop()  # with the server that came after ours


async def test_any_process_of_several_is_killed(
    installation: Installation, book: Book, rounds: Rounds, chance: random.Random, seed: int
) -> None:
    """API, two writers and the worker, apart: one of them, or PostgreSQL, dies in each round."""
    words = {"api": ("serve", "--api-only"), "worker": ("worker",)}
    words |= dict.fromkeys(("one", "other"), ("ledger",))
    running: dict[str, Process] = {}

    def start(name: str) -> None:
        running[name] = installation.start(*words[name])

    for name in ("one", "other", "worker", "api"):
        start(name)
        if name == "one":  # it makes what the others find
            await until(
                (installation.folder / "run" / "ledger.sock").exists, 20, "the ledger's socket"
            )
    await running["api"].ready(installation.port)
    crowd = Crowd(book, [installation.port], seed)
    victims = ["writer", "api", "backend", "worker", "writer", "postmaster"]
    async with crowd.busy():
        for number in rounds(len(victims)):
            await crowd.paid(50)
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            victim = victims[number % len(victims)]
            if victim == "writer":
                holder = await installation.holder()
                victim = next((n for n, p in running.items() if p.pid == holder), "one")
            if victim == "backend":
                chance.choice(installation.backends()).kill()
            elif victim == "postmaster":
                postmaster = installation.postmaster()
                assert postmaster is not None
                postmaster.send_signal(signal.SIGKILL)
                await until(lambda: installation.postmaster() is None, 5, "PostgreSQL is gone")
                # Whoever comes next starts it again, and leaves it to those who are here.
                status, text = await installation.command("migrate")
                assert status == 0, text
            else:
                await running[victim].kill()
                start(victim)
        await crowd.paid(50)
    await check_all(installation, book, crowd)
    await installation.stop()
