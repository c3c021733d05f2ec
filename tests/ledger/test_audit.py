"""Sealing the log, and every kind of tampering named."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.ledger.audit_books import ALICE, BANK, BOB, Books, fill, filled, open_books
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import connect
from tikiwallet.ledger import audit, leaves, merkle
from tikiwallet.ledger.audit import (
    AuditMismatch,
    verify,
)
from tikiwallet.ledger.heads import HeadFile, load_key


@pytest.fixture
async def books(database_urls: DatabaseUrls, data_dir: Path) -> AsyncIterator[Books]:
    async with open_books(database_urls, data_dir / "keys") as books:
        yield books


async def test_a_true_log_verifies(books: Books) -> None:
    await filled(books)
    seen: list[tuple[int, int]] = []
    report = await verify(books.database, books.keys, lambda *done: seen.append(done))
    assert report.failure is None
    assert (report.rows, report.accounts) == (books.n, 4)
    assert report.entries == await books.database.fetchval("SELECT count(*) FROM ledger.entry")
    assert report.totals == {702: 0}
    assert report.newest_head == HeadFile(books.keys).last()
    assert seen[-1] == (books.n, books.n)
    await books.start_check()


async def test_an_empty_log_verifies(books: Books) -> None:
    assert await books.seal(0) is None
    report = await books.verify()
    assert report.ok
    await books.start_check()


async def test_heads_are_those_of_the_definition(books: Books) -> None:
    fill(books.log, 600)
    await books.write()
    head = await books.seal(300)
    assert head is not None
    rows = await books.database.fetch(leaves.FACTS_BY_NUMBER, 0, 1, 300, 300)
    data = [leaves.leaf_bytes(leaves.row_from(row[0])) for row in rows]
    assert head.root == merkle.root([merkle.leaf_hash(leaf) for leaf in data])
    assert (head.size, head.number, head.epoch) == (300, 1, 1)
    assert {len(leaf) for leaf in data} == {leaves.LEAF_LENGTH}
    second = await books.seal()
    assert second is not None
    assert second.previous == head.hash()
    assert [kept.number for kept in HeadFile(books.keys)] == [1, 2]


async def test_no_new_head_without_new_rows(books: Books) -> None:
    await books.write()
    assert await books.seal() is not None
    assert await books.seal() is None
    assert await books.seal(books.n - 1) is None


async def test_much_to_catch_up_is_sealed_in_slices(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SLICE", 300)
    fill(books.log, 1_000)
    await books.write()
    head = await books.seal()
    assert head is not None
    assert head.number == 4
    assert (await books.verify()).ok


async def test_sealers_at_the_same_time_do_no_harm(books: Books) -> None:
    fill(books.log, 600)
    await books.write()
    await asyncio.gather(*(books.seal() for _ in range(4)))
    assert (await books.verify()).ok
    assert [head.number for head in HeadFile(books.keys)] == [1]


async def test_the_application_cannot_change_what_was_sealed(books: Books) -> None:
    await filled(books, 300)
    for table in ("audit.node", "audit.head"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET shard = 1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await books.database.execute(statement)
        connection = await connect(books.urls.superuser, None)
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute(f"DELETE FROM {table}")
        await connection.close()


async def test_the_key_is_private(books: Books) -> None:
    load_key(books.keys)
    assert (books.keys / "tree-head.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in books.keys.iterdir()) == [
        "tree-head.key",
        "tree-head.pub",
    ]


# -- tampering

# What is done to a log of some 700 rows, and words of the complaint. `payment` and `void` are log
# numbers above 300, in the second complete subtree of 256.
FORGERIES = {
    "amount": ("UPDATE ledger.log SET amount = amount + 1 WHERE n = {payment}", "change is"),
    "kind": ("UPDATE ledger.log SET kind = 5 WHERE n = {payment}", "not the one that was sealed"),
    "digest": (
        "UPDATE ledger.log SET digest = sha256('x') WHERE n = {payment}",
        "not the one that was sealed",
    ),
    "sides": ("UPDATE ledger.log SET debit = credit, credit = debit WHERE n = {payment}", "is"),
    "time": (
        "UPDATE ledger.log SET at = at - interval '1 day' WHERE n = {payment}",
        "time is before",
    ),
    "missing": ("DELETE FROM ledger.log WHERE n = {payment}", "missing"),
    "posted": (
        "UPDATE ledger.entry SET posted_credits = posted_credits + 1 "
        "WHERE n = {payment} AND amount > 0",
        "posted credits",
    ),
    "floor": ("UPDATE ledger.entry SET floor = floor + 1 WHERE n = {payment}", "floor is"),
    "entry gone": ("DELETE FROM ledger.entry WHERE n = {payment} AND amount > 0", "has 1"),
    "swapped": (
        "UPDATE ledger.log SET n = 1000000 WHERE n = {payment};"
        "UPDATE ledger.log SET n = {payment} WHERE n = {payment} + 1;"
        "UPDATE ledger.log SET n = {payment} + 1 WHERE n = 1000000",
        "is",
    ),
    "remainder": ("UPDATE ledger.remainder SET amount = amount + 1 WHERE n = {void}", "left"),
    "remainder gone": ("DELETE FROM ledger.remainder WHERE n = {void}", "needs 1 remainder"),
    "node": (
        "UPDATE audit.node SET hash = sha256('x') WHERE level = 8 AND index = 1",
        "do not give the hash",
    ),
}


async def place(books: Books, sql: str) -> int:
    n: int = await books.database.fetchval(
        f"SELECT n FROM ledger.log WHERE {sql} ORDER BY n LIMIT 1"
    )
    return n


@pytest.mark.parametrize("name", FORGERIES)
async def test_the_forged_row_is_named(books: Books, name: str) -> None:
    await filled(books)
    sql, words = FORGERIES[name]
    payment = await place(books, "n > 300 AND type = 1 AND kind = 1 AND legs = 1")
    void = await place(books, "n > 300 AND type = 4")
    await books.tamper(sql.format(payment=payment, void=void))
    n, reason = await books.failure()
    assert n == {"remainder": void, "remainder gone": void, "node": 257}.get(name, payment)
    assert words in reason


async def test_an_entry_for_a_row_that_moves_nothing_is_named(books: Books) -> None:
    await filled(books)
    refusal = await place(books, "n > 300 AND type = 6")
    await books.tamper(
        "INSERT INTO ledger.journal (stream, n, at, amount, account, seq, type, posted_debits, "
        "posted_credits, pending_debits, pending_credits, floor, currency, flags, account_type) "
        "SELECT 2, n, at, 0, 99, 1, 5, 0, 0, 0, 0, 0, 702, 0, 1 FROM ledger.log "
        f"WHERE n = {refusal}"
    )
    n, reason = await books.failure()
    assert (n, reason) == (refusal, "it moves nothing and yet has 1 entries")


async def test_an_entry_without_a_row_is_named(books: Books) -> None:
    await filled(books)
    last = books.n
    await books.tamper(
        "INSERT INTO ledger.journal (stream, n, at, amount, account, seq, type, posted_debits, "
        "posted_credits, pending_debits, pending_credits, floor, currency, flags, account_type) "
        f"VALUES (2, {last + 7}, now(), 0, 99, 1, 5, 0, 0, 0, 0, 0, 702, 0, 1)"
    )
    assert await books.failure() == (last + 7, "an entry or a remainder belongs to no log row")


async def test_deleted_last_rows_are_noticed(books: Books) -> None:
    await filled(books)
    cut = books.n - 3
    await books.tamper(
        f"DELETE FROM ledger.log WHERE n > {cut}; DELETE FROM ledger.entry WHERE n > {cut};"
        f"DELETE FROM ledger.remainder WHERE n > {cut}"
    )
    n, reason = await books.failure()
    assert n == cut + 1
    assert "missing" in reason
    # Also when the heads that covered them are gone from the database.
    await books.tamper(f"DELETE FROM audit.head WHERE size > {cut}")
    assert (await books.failure())[0] == cut + 1
    with pytest.raises(AuditMismatch, match=f"the log ends with row {cut}"):
        await books.start_check()


async def test_a_change_between_two_heads_at_the_end_is_narrowed_down(books: Books) -> None:
    await filled(books)
    heads = [head.size for head in HeadFile(books.keys)]
    row = heads[-2] + 2
    await books.tamper(f"UPDATE ledger.log SET kind = 5 WHERE n = {row}")
    n, reason = await books.failure()
    assert n == heads[-2] + 1
    assert f"rows {n} to {heads[-1]}" in reason
    with pytest.raises(AuditMismatch, match="not what head"):
        await books.start_check()
    fill(books.log, books.n + 10)
    await books.write()
    with pytest.raises(AuditMismatch, match="not what head"):
        await books.seal()


async def test_states_forged_with_everything_in_the_database_are_noticed(books: Books) -> None:
    await filled(books)
    row = await place(books, "n > 300 AND type = 1 AND kind = 1 AND legs = 1")
    await books.tamper(f"UPDATE ledger.log SET kind = 5 WHERE n = {row}; DELETE FROM audit.node")
    n, reason = await books.failure()
    heads = [0, *(head.size for head in HeadFile(books.keys))]
    after = min(size for size in heads if size >= row)
    assert n == max(size for size in heads if size < row) + 1
    assert f"to {after}" in reason


async def test_the_lowest_of_two_forged_rows_is_named(books: Books) -> None:
    await filled(books)
    low = await place(books, "n > 260 AND type = 1 AND kind = 1 AND legs = 1")
    await books.tamper(
        f"UPDATE ledger.log SET kind = 5 WHERE n = {low};"
        f"UPDATE ledger.entry SET posted_debits = posted_debits + 1 WHERE n = {low + 60}"
    )
    assert (await books.failure())[0] == low
    await books.tamper(f"UPDATE ledger.entry SET posted_debits = 1 WHERE n = {low - 5}")
    moved = await books.database.fetchval(f"SELECT count(*) FROM ledger.entry WHERE n = {low - 5}")
    assert (await books.failure())[0] == (low - 5 if moved else low)


@pytest.mark.parametrize(
    ("sql", "number", "words"),
    [
        ("UPDATE audit.head SET root = sha256('x') WHERE number = 4", 4, "signature"),
        ("UPDATE audit.head SET at = at + 1 WHERE number = 4", 4, "signature"),
        ("UPDATE audit.head SET key_id = sha256('x') WHERE number = 4", 4, "signature"),
        ("DELETE FROM audit.head WHERE number = 4", 5, "head 4 is missing"),
        ("DELETE FROM audit.head WHERE number > 4", 5, "rolled back"),
    ],
)
async def test_forged_heads_are_named(books: Books, sql: str, number: int, words: str) -> None:
    await filled(books)
    sizes = {head.number: head.size for head in HeadFile(books.keys)}
    await books.tamper(sql)
    n, reason = await books.failure()
    assert n == sizes[number]
    assert words in reason


async def test_rolled_back_heads_stop_writer_and_sealer(books: Books) -> None:
    await filled(books)
    await books.tamper("DELETE FROM audit.head WHERE number > 4")
    with pytest.raises(AuditMismatch, match="rolled back"):
        await books.start_check()
    with pytest.raises(AuditMismatch, match="rolled back"):
        await books.seal()


async def test_a_head_signed_with_another_key_is_refused(books: Books) -> None:
    await filled(books)
    (books.keys / "tree-head.key").unlink()
    n, reason = await books.failure()
    assert n == next(iter(HeadFile(books.keys))).size
    assert "signature" in reason
    with pytest.raises(AuditMismatch, match="signature"):
        await books.start_check()


async def test_heads_kept_outside_count(books: Books) -> None:
    await filled(books)
    file = HeadFile(books.keys)
    lines = file.path.read_bytes().splitlines(keepends=True)
    heads = list(file)

    # One line behind: a sealer that stopped after its commit. The next one catches up.
    file.path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    assert (await books.verify()).ok
    await books.start_check()
    fill(books.log, books.n + 3)
    await books.write()
    await books.seal()
    assert list(file)[: len(heads)] == heads
    assert (await books.verify()).ok

    file.path.write_bytes(b"".join(lines[:-2]))
    assert "not kept outside" in (await books.failure())[1]
    with pytest.raises(AuditMismatch, match="not kept outside"):
        await books.start_check()
    file.path.unlink()
    assert "not kept outside" in (await books.failure())[1]
    with pytest.raises(AuditMismatch, match="are gone"):
        await books.start_check()
    file.path.write_bytes(b"what\n")
    with pytest.raises(AuditMismatch, match="no head"):
        await books.start_check()


@pytest.mark.parametrize(
    ("change", "leg", "words"),
    [
        ({"flags": 1}, (ALICE, BANK, 7), "frozen"),
        ({"flags": 2}, (BANK, ALICE, 7), "closed while it is not empty"),
        ({"ceiling": 11}, (BANK, ALICE, 7), "ceiling"),
    ],
)
async def test_what_the_rules_forbid_is_named(
    books: Books, change: dict[str, int], leg: tuple[int, int, int], words: str
) -> None:
    await books.tamper("ALTER TABLE ledger.entry DROP CONSTRAINT entry_ceiling")
    books.log.post((BANK, ALICE, 10))
    books.log.change(ALICE, **change)
    changed = books.n
    books.log.post(leg)
    await books.write()
    n, reason = await books.failure()
    assert n == (changed if "flags" in change and change["flags"] == 2 else changed + 1)
    assert words in reason


async def test_nothing_moves_on_a_closed_account(books: Books) -> None:
    books.log.change(ALICE, flags=2)
    books.log.post((BANK, ALICE, 1))
    await books.write()
    assert await books.failure() == (books.n, "an account is frozen or closed")


async def test_a_capture_after_the_hold_expired_is_named(books: Books) -> None:
    hold = books.log.hold((BANK, ALICE, 10), seconds=0)
    books.log.capture(hold, 10)
    await books.write()
    assert await books.failure() == (books.n, "it captures a hold that had expired")


async def test_a_transaction_without_its_last_leg_is_named(books: Books) -> None:
    books.log.post((BANK, ALICE, 10), (BANK, BOB, 10))
    await books.write()
    await books.tamper(
        f"DELETE FROM ledger.log WHERE n = {books.n};DELETE FROM ledger.entry WHERE n = {books.n}"
    )
    n, reason = await books.failure()
    assert n == books.n - 1
    assert reason.endswith("has 1 of 2 legs")


async def test_a_balance_below_the_floor_is_named(books: Books) -> None:
    await books.tamper("ALTER TABLE ledger.entry DROP CONSTRAINT entry_floor")
    books.log.post((ALICE, BOB, 1))
    await books.write()
    assert await books.failure() == (books.n, "it leaves less than the floor allows")


async def test_rows_far_too_late_are_sorted(books: Books) -> None:
    fill(books.log, 60_000)
    random.Random(3).shuffle(books.log.rows)
    await books.write()
    await books.seal()
    report = await books.verify()
    assert report.failure is None
    assert report.rows == books.n
