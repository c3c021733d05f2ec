"""Asked to end: everything that was accepted is answered, and the next start finds it."""

import random
import signal
import time

import pytest
from tests.faults.book import PAID, Book
from tests.faults.crowd import Crowd
from tests.faults.installation import Installation, until
from tests.faults.reckoning import check_all

from tikiwallet.ledger.transactions import Kind

_END_SECONDS = 10.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
async def test_what_was_accepted_is_answered(
    number: signal.Signals,
    installation: Installation,
    book: Book,
    chance: random.Random,
    seed: int,
) -> None:
    crowd = Crowd(book, [installation.port], seed)
    serving = installation.start("serve")
    await serving.ready(installation.port)
    async with crowd.busy():
        await crowd.paid(100 + chance.randrange(100))
        asked = time.monotonic()
        serving.signal(number)
        await until(lambda: not serving.is_alive, _END_SECONDS, "serve ends")
    print(f"ended within {time.monotonic() - asked:.1f} s")  # noqa: T201
    assert serving.status == 0, installation.tail()
    assert installation.postmaster() is None
    answered = {p.id for p in book.payments if p.first is not None}

    await installation.start("serve").ready(installation.port)
    connection = await installation.connect()
    try:
        rows = await connection.fetch(
            "SELECT transaction_id FROM ledger.log WHERE kind = $1 AND leg = 0", int(Kind.PAYMENT)
        )
    finally:
        await connection.close()
    assert {str(row["transaction_id"]) for row in rows} == answered
    assert book.counts[PAID] > 100
    await check_all(installation, book, crowd)


async def test_a_second_serve_is_refused_in_one_line(installation: Installation) -> None:
    first = installation.start("serve")
    await first.ready(installation.port)
    status, text = await installation.command("serve")
    assert status != 0
    assert len(text.strip().splitlines()) == 1, text
    assert "another `tikiwallet serve`" in text
    assert str(first.pid) in text
    first.check_alive()
