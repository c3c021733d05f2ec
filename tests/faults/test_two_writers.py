"""Two writers: started at once, or one stopped past its lease while the other takes over.

Twenty people pay and look at balances through several API processes meanwhile. The book notices a
balance that is older than one somebody had seen before it was asked for, and the reckoning a
balance that was shown and is not in the log, a number used twice, or two batches woven together.
"""

import asyncio
import random
import signal

import pytest
from tests.faults.book import Book
from tests.faults.conftest import Rounds
from tests.faults.crowd import Crowd
from tests.faults.installation import Installation
from tests.faults.reckoning import check_all

from tikiwallet.bench.processes import Process, free_port

_WRITERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tikiwallet writer'"


@pytest.fixture
async def doors(installation: Installation) -> list[int]:
    """Ports of two API processes that hold no ledger, on a database that is up to date."""
    status, text = await installation.command("migrate")
    assert status == 0, text
    return [installation.port, free_port()]


async def test_two_start_at_once(
    installation: Installation, book: Book, doors: list[int], rounds: Rounds, seed: int
) -> None:
    """One leads; when it ends in order, the other goes on at once."""
    writers = [installation.start("ledger"), installation.start("ledger")]
    apis = [installation.start("serve", "--api-only", port=port) for port in doors]
    for api, port in zip(apis, doors, strict=True):
        await api.ready(port)
    crowd = Crowd(book, doors, seed)
    async with crowd.busy():
        for _ in rounds(2):
            await crowd.paid(100)
            holder = await installation.holder()
            leading = next(writer for writer in writers if writer.pid == holder)
            await leading.stop()
            writers.remove(leading)
            writers.append(installation.start("ledger"))
        await crowd.paid(100)
    await check_all(installation, book, crowd)


async def test_a_stopped_writer_comes_back(
    installation: Installation,
    book: Book,
    doors: list[int],
    rounds: Rounds,
    chance: random.Random,
    seed: int,
) -> None:
    writers = [installation.start("ledger"), installation.start("ledger")]
    apis = [installation.start("serve", "--api-only", port=port) for port in doors]
    for api, port in zip(apis, doors, strict=True):
        await api.ready(port)
    crowd = Crowd(book, doors, seed)
    takeovers = 0
    async with crowd.busy():
        for _ in rounds(6):
            await crowd.paid(50)
            holder = await installation.holder()
            leading = next(writer for writer in writers if writer.pid == holder)
            leading.signal(signal.SIGSTOP)
            # Lease and takeover are a matter of half a second to two: before, in and after it.
            await asyncio.sleep(chance.choice((0.2, 0.6, 1.0, 1.6, 2.5)) * chance.uniform(0.8, 1.2))
            leading.signal(signal.SIGCONT)
            await crowd.paid(20)
            takeovers += await installation.holder() != leading.pid
    assert takeovers >= 1
    await check_all(installation, book, crowd)


async def test_a_stopped_serve_comes_back_beside_a_standby(
    installation: Installation,
    book: Book,
    doors: list[int],
    rounds: Rounds,
    chance: random.Random,
    seed: int,
) -> None:
    """`serve` answers balances out of its own memory: never once another one has taken over."""
    serving = installation.start("serve")
    await serving.ready(installation.port)
    api = installation.start("serve", "--api-only", port=doors[1])
    await api.ready(doors[1])
    crowd = Crowd(book, doors, seed)
    for _ in rounds(1):
        standby = installation.start("ledger")
        async with crowd.busy():
            await crowd.paid(50)
            await _until_standing_by(installation)
            serving.signal(signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(1.5, 3.0))
            serving.signal(signal.SIGCONT)
            await crowd.paid(20)
            assert await installation.holder() == standby.pid
            await _end(standby, chance)
            await crowd.paid(50)
    await check_all(installation, book, crowd)


async def _end(process: Process, chance: random.Random) -> None:
    if chance.random() < 0.5:
        await process.kill()
    else:
        await process.stop()


async def _until_standing_by(installation: Installation) -> None:
    """Two sessions want to be the writer: one is, one waits."""
    connection = await installation.connect_as_superuser()
    try:
        for _ in range(400):
            if await connection.fetchval(_WRITERS) >= 2:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the standby never reached the database")
    finally:
        await connection.close()
