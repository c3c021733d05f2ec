"""How long payments stand still when the ledger's writer dies, or is stopped in mid-flight.

A writer, its standby and an API process run apart. The writer gets SIGKILL or SIGSTOP, and from
then on a payment with a fresh key is sent every few milliseconds over a connection of its own; the
time to the first one that is answered 201 is the figure.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence

import asyncpg

from tikiwallet.bench.lanes import Person, payment_lanes
from tikiwallet.bench.people import CURRENCY
from tikiwallet.bench.processes import DidNotStart, Process
from tikiwallet.bench.stage import Stage

_PROBE_SECONDS = 0.01
_LIMIT_SECONDS = 20.0
_STANDBY_SECONDS = 20.0
_CALM_LEASES = 4
_BACKENDS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend'"
)


class NoTakeover(Exception):
    """No payment was answered within 20 seconds."""


async def start_standby(stage: Stage) -> Process:
    """Start a `tikiwallet ledger` beside the active one; return once it has come to the database
    and has then watched the active one for some leases."""
    connection = await asyncpg.connect(stage.owner_dsn)
    try:
        before = await connection.fetchval(_BACKENDS)
        standby = stage.start("ledger")
        ends = time.monotonic() + _STANDBY_SECONDS
        while await connection.fetchval(_BACKENDS) <= before:
            standby.check_alive()
            if time.monotonic() > ends:
                raise DidNotStart(f"the standby never reached the database\n{standby.tail()}")
            await asyncio.sleep(_PROBE_SECONDS)
    finally:
        await connection.close()
    await asyncio.sleep(_CALM_LEASES * stage.settings.lease_ms / 1000)
    standby.check_alive()
    return standby


async def first_answer(port: int, people: Sequence[Person]) -> float:
    """Seconds from now until the first payment sent from now on is answered 201.

    Raises NoTakeover.
    """
    lanes = payment_lanes(people, port, CURRENCY)
    began = time.monotonic()
    answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    probes: set[asyncio.Task[None]] = set()

    async def probe(request: bytes) -> None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                line = await reader.readline()
                if line.startswith(b"HTTP/1.1 201") and not answered.done():
                    answered.set_result(time.monotonic() - began)
            finally:
                writer.close()

    try:
        for turn in range(round(_LIMIT_SECONDS / _PROBE_SECONDS)):
            lane = lanes[turn % len(lanes)]
            task = asyncio.create_task(probe(b"%b%d%b" % (lane.before, turn, lane.after)))
            probes.add(task)
            task.add_done_callback(probes.discard)
            await asyncio.wait((answered,), timeout=_PROBE_SECONDS)
            if answered.done():
                return answered.result()
    finally:
        for task in probes:
            task.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
    raise NoTakeover(f"no payment was answered within {_LIMIT_SECONDS:g} s")


async def times(
    stage: Stage,
    active: Process,
    number: signal.Signals,
    port: int,
    people: Sequence[Person],
    *,
    rounds: int,
) -> tuple[list[float], Process]:
    """Interrupt the active writer `rounds` times, each time with a new standby beside it.

    Answers the seconds of each round and the writer that is active at the end.
    """
    seconds = []
    for _ in range(rounds):
        standby = await start_standby(stage)
        try:
            await first_answer(port, people)
            active.signal(number)
            seconds.append(await first_answer(port, people))
        except BaseException:
            await active.kill()
            await standby.stop()
            raise
        await active.kill()
        active = standby
    return seconds, active
