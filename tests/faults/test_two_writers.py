"""Two writers: started at once, or one stopped past its lease while the other takes over.

Twenty people pay and look at balances through several API processes meanwhile. The book notices a
balance that is older than one somebody had seen before it was asked for, and the reckoning a
balance that was shown and is not in the log, a number used twice, or two batches woven together.
"""

import asyncio
import random
import signal

import pytest
from tests.faults.book import Book, Person
from tests.faults.conftest import Rounds
from tests.faults.crowd import Crowd
from tests.faults.installation import Installation
from tests.faults.reckoning import check_all
from tests.faults.wire import Line

from tikiwallet.bench.processes import Process, free_port

_LOOKS = 4  # of each person at once, at the process that was stopped
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
    everywhere, elsewhere = Crowd(book, doors, seed), Crowd(book, doors[1:], seed + 1)
    for _ in rounds(2):
        standby = installation.start("ledger")
        async with everywhere.busy():
            await everywhere.paid(50)
            await _until_standing_by(installation)
        lines = [Line(installation.port) for person in book.people for _ in range(_LOOKS)]
        people = [person for person in book.people for _ in range(_LOOKS)]
        await _look_all(everywhere, lines, people)
        serving.signal(signal.SIGSTOP)
        async with elsewhere.busy():
            await elsewhere.paid(100)
            assert await installation.holder() == standby.pid
            # Asked now, of a process that can only answer once it goes on.
            looking = asyncio.create_task(_look_all(everywhere, lines, people))
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            serving.signal(signal.SIGCONT)
            await looking
        for line in lines:
            await line.close()
        await _end(standby, chance)
        async with everywhere.busy():
            await everywhere.paid(50)
    await check_all(installation, book, everywhere)


async def _look_all(crowd: Crowd, lines: list[Line], people: list[Person]) -> None:
    await asyncio.gather(*(crowd.look(*pair) for pair in zip(lines, people, strict=True)))


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
