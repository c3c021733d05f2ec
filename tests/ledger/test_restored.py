"""A log that goes on after a restore: signed gaps, lost heads."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.ledger.audit_books import Books, fill, filled, open_books
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import connect
from tikiwallet.ledger import audit
from tikiwallet.ledger.audit import (
    AuditMismatch,
    check_proof,
    prove,
)
from tikiwallet.ledger.heads import Discontinuity


@pytest.fixture
async def books(database_urls: DatabaseUrls, data_dir: Path) -> AsyncIterator[Books]:
    async with open_books(database_urls, data_dir / "keys") as books:
        yield books


async def restored_to(books: Books, kept: int, sealed: int) -> None:
    """The database as a backup from just after row `kept`, sealed up to row `sealed`, gives it."""
    await books.tamper(
        f"DELETE FROM ledger.log WHERE n > {kept}; DELETE FROM ledger.entry WHERE n > {kept};"
        f"DELETE FROM ledger.remainder WHERE n > {kept};"
        f"DELETE FROM audit.head WHERE size > {sealed};"
        f"DELETE FROM audit.node WHERE (index + 1) << level > {sealed}"
    )


async def add_gap(books: Books, kept: int, above: int) -> Discontinuity:
    gap = audit.sign_discontinuity(books.keys, kept, books.log.at, above=above)
    connection = await connect(books.urls.ledger, "tikiwallet_ledger")
    await audit.write_discontinuity(connection, gap)
    await connection.close()
    return gap


@pytest.mark.parametrize("above", [0, 700])
async def test_a_restore_with_a_signed_gap_verifies(books: Books, above: int) -> None:
    fill(books.log, 400)
    await books.write()
    sealed = books.n
    await books.seal()
    fill(books.log, 450)
    backup, kept = copy.deepcopy(books.log), books.n
    backup.rows.clear()
    await books.write()
    await books.seal(kept - 10)
    fill(books.log, 600, seed=2)
    await books.write()
    await books.seal()

    await restored_to(books, kept, sealed)
    with pytest.raises(AuditMismatch, match="the log ends with row"):
        await books.start_check()
    books.log = backup
    gap = await add_gap(books, kept, above)
    assert gap.n == 1 + max(above, gap.head_size)
    await books.start_check()
    assert not (await books.verify()).ok  # lost heads are not back in the database
    assert await audit.adopt_lost_heads(books.database, books.keys) == 2
    assert await audit.adopt_lost_heads(books.database, books.keys) == 0

    books.log.n = gap.n + 1
    fill(books.log, gap.n + 300, seed=3)
    await books.write()
    head = await books.seal()
    assert head is not None
    assert head.number == 4
    report = await books.verify()
    assert report.failure is None
    assert [(found.kept, found.n) for found in report.gaps] == [(kept, gap.n)]
    await books.start_check()
    for n in (5, kept, gap.n, gap.n + 1, head.size):
        id = await books.database.fetchval("SELECT transaction_id FROM ledger.log WHERE n = $1", n)
        leg = await books.database.fetchval("SELECT leg FROM ledger.log WHERE n = $1", n)
        proof = await prove(books.database, books.keys, id.bytes, leg)
        assert check_proof(proof, books.public_key()).n == n


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger.log SET reference = left(reference, 20) || 'AAAA' || substr(reference, 25)"
        " WHERE type = 8",
        "UPDATE ledger.log SET reference = NULL WHERE type = 8",
        "UPDATE ledger.log SET digest = sha256('x') WHERE type = 8",
        "UPDATE ledger.log SET n = n + 1 WHERE type = 8",
        "UPDATE ledger.log SET type = 7 WHERE type = 8",
        "DELETE FROM ledger.log WHERE n = (SELECT max(n) FROM ledger.log WHERE type < 8)",
    ],
)
async def test_a_gap_needs_its_signed_statement(books: Books, sql: str) -> None:
    await filled(books, 300)
    kept = books.n
    await books.write()
    await add_gap(books, kept, kept + 50)
    assert (await books.verify()).ok
    await books.tamper(sql)
    n, _ = await books.failure()
    assert n in (kept, kept + 1)
