"""After the faults: whether what was promised is what is there."""

import random

from tests.faults.book import Book
from tests.faults.crowd import Crowd
from tests.faults.installation import Installation
from tests.faults.wire import Line

from tikiwallet import ids
from tikiwallet.ledger.transactions import Kind, LegType

_REPLAYED_AGAIN = 40


async def check_all(installation: Installation, book: Book, crowd: Crowd) -> None:
    """Resolve what is open, then compare service, log and book. A service must be running."""
    await crowd.resolve()
    await _replay_some(installation, book, crowd)
    holds = book.balances()
    assert await crowd.read_all() == holds
    assert sum(holds.values()) == sum(person.topped_up for person in book.people)
    assert not book.wrongs, "\n".join(book.wrongs)
    await check_log(installation, book)
    status, text = await installation.command("audit", "verify")
    assert status == 0, text
    assert "everything agrees" in text


async def check_log(installation: Installation, book: Book) -> None:
    """The log against the book: no gap, no fork, each payment once with all of its postings, and
    every balance that anybody was ever shown."""
    connection = await installation.connect()
    try:
        rows = await connection.fetchrow(
            "SELECT count(*) AS rows, count(DISTINCT n) AS numbers, max(n) AS last,"
            " (SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY n) AS back"
            "  FROM ledger.log) AS steps WHERE back) AS steps_back FROM ledger.log"
        )
        assert rows is not None
        assert rows["rows"] == rows["numbers"] == rows["last"]
        assert rows["steps_back"] == 0
        epochs = await connection.fetch(
            "SELECT epoch FROM ledger.log WHERE type = $1 ORDER BY n", int(LegType.EPOCH)
        )
        assert [row["epoch"] for row in epochs] == list(range(1, len(epochs) + 1))
        # One batch is one database transaction: two writers at once would be woven together.
        woven = await connection.fetch(
            "SELECT xmin, min(n), max(n) FROM ledger.log GROUP BY xmin"
            " HAVING max(n) - min(n) + 1 <> count(*)"
        )
        assert not woven
        found = {
            str(row["transaction_id"]): row["legs"]
            for row in await connection.fetch(
                "SELECT transaction_id, count(*) AS legs FROM ledger.log"
                " WHERE kind = $1 AND type = $2 GROUP BY 1",
                int(Kind.PAYMENT),
                int(LegType.POST),
            )
        }
        assert found == {p.id: len(p.payees) for p in book.payments if p.posted}
        durable = {
            (row["account"], row["seq"]): (row["available"], row["held"], row["posted"])
            for row in await connection.fetch(
                "SELECT account, seq, pending_debits AS held, posted_credits - posted_debits"
                " AS posted, posted_credits - posted_debits - pending_debits AS available"
                " FROM ledger.entry"
            )
        }
    finally:
        await connection.close()
    for (wallet, version), facts in book.shown.items():
        assert durable.get((ids.read_id("w", wallet), version)) == facts, (wallet, version)


async def _replay_some(installation: Installation, book: Book, crowd: Crowd) -> None:
    """Payments that were answered before the faults are answered the same after them."""
    settled = [payment for payment in book.payments if payment.first is not None]
    line = Line(installation.port)
    try:
        for payment in random.sample(settled, min(_REPLAYED_AGAIN, len(settled))):
            await crowd.ask(line, payment)
    finally:
        await line.close()
