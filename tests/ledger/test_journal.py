"""Rows of every kind, through the real COPY and back by SELECT."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.ledger.test_sql_accepts import copy
from tests.ledger.writers import BANK, SGD, new_id
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import connect
from tikiwallet.ledger import journal
from tikiwallet.ledger.rules import Decision, Original, decide
from tikiwallet.ledger.transactions import (
    TOTAL_MAX,
    AnyCommand,
    Capture,
    CloseAccount,
    Freeze,
    Hold,
    Kind,
    LegType,
    OpenAccount,
    Outcome,
    Posting,
    Result,
    Reverse,
    SetLimits,
    State,
    Transaction,
    Void,
    digest_of,
)

NOW = 1_800_000_000_123_457
ALICE, BOB = 11, 2**63 - 1
OTHER = 37  # another currency


class Scribe:
    """Decides, writes, remembers."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.n = 1
        self.at = NOW
        self.accounts: dict[int, State | None] = {}
        self.originals: dict[bytes, Original] = {}

    async def write(self, *commands: AnyCommand, shard: int = 0) -> list[Decision]:
        """All of them in one COPY."""
        rows: list[bytes] = []
        decisions = []
        for command in commands:
            for account in (ALICE, BOB, BANK):
                self.accounts.setdefault(account, None)
            decision = decide(command, self.accounts, self.originals, self.at)
            assert decision.result == Result.POSTED
            self.n = journal.write_decision(
                rows, decision, self.n, self.at, command.id, digest_of(command),
                getattr(command, "reference", ""), shard,
            )  # fmt: skip
            self.accounts.update(decision.accounts)
            if decision.original is not None:
                self.originals[decision.original.id] = decision.original
            self.at += 1
            decisions.append(decision)
        await copy(self.connection, rows)
        return decisions

    async def log(self, id_: bytes) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(
            "SELECT * FROM ledger.log WHERE transaction_id = $1 ORDER BY leg", id_
        )
        return [{name: v for name, v in row.items() if v is not None} for row in rows]

    async def entries(self, n: int) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.connection.fetch(
            "SELECT * FROM ledger.entry WHERE n = $1 ORDER BY seq, account", n
        )
        return rows

    async def remainders(self, id_: bytes) -> list[tuple[int, ...]]:
        rows = await self.connection.fetch(
            "SELECT leg, seq, amount, n FROM ledger.remainder WHERE transaction_id = $1"
            " ORDER BY leg, seq",
            id_,
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def scribe(database_urls: DatabaseUrls) -> AsyncIterator[Scribe]:
    connection = await connect(database_urls.ledger, "tikiwallet_ledger")
    await journal.teach(connection)
    scribe = Scribe(connection)
    await scribe.write(
        OpenAccount(new_id(), account=BANK, currency=SGD, floor=TOTAL_MAX),
        OpenAccount(new_id(), account=ALICE, currency=SGD, ceiling=TOTAL_MAX),
        OpenAccount(new_id(), account=BOB, currency=SGD, type=3),
        Transaction(new_id(), postings=(Posting(BANK, ALICE, 1_000, SGD),)),
    )
    yield scribe
    await connection.close()


async def states(scribe: Scribe, *accounts: int) -> dict[int, State]:
    rows = await scribe.connection.fetch(journal.STATE_SQL, list(accounts))
    return {row[0]: journal.state_from(row, 1) for row in rows}


async def test_a_payment(scribe: Scribe) -> None:
    command = Transaction(
        new_id(), kind=Kind.SETTLEMENT, postings=(Posting(ALICE, BOB, 7, SGD),),
        reference="Grüße, 你好 🎈\t\\N",
    )  # fmt: skip
    await scribe.write(command)
    [row] = await scribe.log(command.id)
    assert row == {
        "stream": 1, "n": 5, "at": NOW + 4, "amount": 7, "transaction_id": command.id,
        "digest": digest_of(command), "debit": ALICE, "credit": BOB, "shard": 0, "leg": 0,
        "legs": 1, "type": LegType.POST, "kind": Kind.SETTLEMENT, "result": 0, "currency": SGD,
        "reference": command.reference, "seq": 3,
    }  # fmt: skip
    bobs, alices = await scribe.entries(5)
    assert (alices["account"], alices["amount"], alices["seq"], alices["at"]) == (
        ALICE, -7, 3, NOW + 4,
    )  # fmt: skip
    assert (bobs["account"], bobs["amount"], bobs["seq"], bobs["type"]) == (
        BOB, 7, 2, LegType.POST,
    )  # fmt: skip
    assert await states(scribe, ALICE, BOB, 999) == {
        ALICE: scribe.accounts[ALICE],
        BOB: scribe.accounts[BOB],
    }


async def test_many_legs_and_the_payers_last_state(scribe: Scribe) -> None:
    legs = (Posting(ALICE, BOB, 1, SGD), Posting(BOB, BANK, 1, SGD), Posting(ALICE, BOB, 2, SGD))
    command = Transaction(new_id(), postings=legs, reference="three")
    await scribe.write(command)
    rows = await scribe.log(command.id)
    assert [(row["n"], row["leg"], row["amount"]) for row in rows] == [
        (5, 0, 1), (6, 1, 1), (7, 2, 2),
    ]  # fmt: skip
    assert [row.get("legs") for row in rows] == [3, None, None]
    assert ["digest" in row for row in rows] == [True, False, False]
    assert [row["reference"] for row in rows] == ["three"] * 3
    [found] = await scribe.connection.fetch(journal.OUTCOME_SQL, [command.id, new_id()])
    assert found[:2] == (command.id, digest_of(command))
    assert journal.outcome_from(found) == Outcome(0, 5, NOW + 4, scribe.accounts[ALICE], True)
    state = scribe.accounts[ALICE]
    assert state is not None
    assert (state.seq, state.posted) == (4, 997)


async def test_a_hold_and_what_becomes_of_it(scribe: Scribe) -> None:
    legs = (Posting(ALICE, BOB, 100, SGD), Posting(ALICE, BANK, 50, SGD))
    hold = Hold(new_id(), postings=legs, expires_at=NOW + 5_000_000, reference="table 4")
    await scribe.write(hold)
    rows = await scribe.log(hold.id)
    assert [row.get("expires_at") for row in rows] == [NOW + 5_000_000, None]
    assert [row["type"] for row in rows] == [LegType.HOLD] * 2
    assert await scribe.remainders(hold.id) == []
    assert [entry["amount"] for entry in await scribe.entries(5)] == [0, -100]

    capture = Capture(new_id(), hold=hold.id, amounts=(30, 0), reference="first course")
    await scribe.write(capture)
    [row] = await scribe.log(capture.id)
    assert (row["cause"], row["type"], row["reference"]) == (
        hold.id, LegType.CAPTURE, "first course",
    )  # fmt: skip
    assert "expires_at" not in row
    assert await scribe.remainders(hold.id) == [(0, 1, 70, 7)]
    assert sorted(entry["amount"] for entry in await scribe.entries(7)) == [0, 30]

    final = Capture(new_id(), hold=hold.id, amounts=(0, 50), final=True)
    await scribe.write(final)
    rows = await scribe.log(final.id)
    assert [(row["type"], row["amount"]) for row in rows] == [
        (LegType.CAPTURE, 50), (LegType.VOID, 70),
    ]  # fmt: skip
    assert await scribe.remainders(hold.id) == [(0, 1, 70, 7), (0, 2, 0, 9), (1, 1, 0, 8)]
    assert sorted(entry["amount"] for entry in await scribe.entries(9)) == [0, 70]

    back = Reverse(new_id(), original=capture.id, amounts=(10,))
    scribe.originals[capture.id] = await _original(scribe, capture.id)
    await scribe.write(back)
    [row] = await scribe.log(back.id)
    assert (row["debit"], row["credit"], row["cause"]) == (BOB, ALICE, capture.id)
    assert row["kind"] == Kind.REVERSAL
    assert await scribe.remainders(capture.id) == [(0, 1, 20, 10)]
    assert await states(scribe, ALICE, BOB, BANK) == {
        account: scribe.accounts[account] for account in (ALICE, BOB, BANK)
    }


async def test_a_void_and_an_expiry(scribe: Scribe) -> None:
    holds = [
        Hold(new_id(), postings=(Posting(ALICE, BOB, 5, SGD),), expires_at=NOW + 20)
        for _ in range(2)
    ]
    await scribe.write(*holds)
    void = Void(new_id(), hold=holds[0].id)
    await scribe.write(void)
    scribe.at = NOW + 20
    expiry = Void(new_id(), hold=holds[1].id, expiry=True)
    await scribe.write(expiry)
    for command, kind, hold in ((void, Kind.HOLD, holds[0]), (expiry, Kind.EXPIRY, holds[1])):
        [row] = await scribe.log(command.id)
        assert (row["type"], row["kind"], row["cause"]) == (LegType.VOID, kind, hold.id)
        assert await scribe.remainders(hold.id) == [(0, 1, 0, row["n"])]


async def test_accounts(scribe: Scribe) -> None:
    commands: list[AnyCommand] = [
        OpenAccount(new_id(), account=77, currency=OTHER, floor=TOTAL_MAX, ceiling=0, type=5),
        SetLimits(new_id(), account=77, floor=3, ceiling=None),
        Freeze(new_id(), account=77),
        CloseAccount(new_id(), account=77),
    ]
    scribe.accounts[77] = None
    seen = []
    for seq, command in enumerate(commands, 1):
        await scribe.write(command)
        [row] = await scribe.log(command.id)
        assert (row["type"], row["amount"], row["debit"]) == (LegType.ACCOUNT, 0, 77)
        assert (row["currency"], row["seq"], row["legs"]) == (OTHER, seq, 1)
        assert "credit" not in row
        assert len(await scribe.entries(row["n"])) == 1
        seen.append((await states(scribe, 77))[77])
        [found] = await scribe.connection.fetch(journal.OUTCOME_SQL, [command.id])
        assert journal.outcome_from(found).payer == seen[-1]
    assert seen == [
        State(1, 0, 0, 0, 0, TOTAL_MAX, 0, OTHER, 0, 5),
        State(2, 0, 0, 0, 0, 3, None, OTHER, 0, 5),
        State(3, 0, 0, 0, 0, 3, None, OTHER, 1, 5),
        State(4, 0, 0, 0, 0, 3, None, OTHER, 3, 5),
    ]


async def test_a_refusal(scribe: Scribe) -> None:
    rows: list[bytes] = []
    id_, digest = new_id(), bytes(range(32))
    after = journal.write_refusal(
        rows, Result.INSUFFICIENT_FUNDS, Kind.PAYOUT, 5, NOW + 9, id_, digest, 0
    )
    assert after == 6
    await copy(scribe.connection, rows)
    assert await scribe.log(id_) == [
        {
            "stream": 1, "n": 5, "at": NOW + 9, "amount": 0, "transaction_id": id_,
            "digest": digest, "shard": 0, "leg": 0, "legs": 1, "type": LegType.REFUSAL,
            "kind": Kind.PAYOUT, "result": Result.INSUFFICIENT_FUNDS,
        }
    ]  # fmt: skip
    assert await scribe.entries(5) == []
    [found] = await scribe.connection.fetch(journal.OUTCOME_SQL, [id_])
    outcome = Outcome(Result.INSUFFICIENT_FUNDS, 5, NOW + 9, None, True)
    assert journal.outcome_from(found) == outcome


async def test_nothing_at_all(scribe: Scribe) -> None:
    await copy(scribe.connection, [])
    assert await scribe.connection.fetchval("SELECT max(n) FROM ledger.log") == 4


@pytest.mark.parametrize("at", [1, 946_684_799_999_999, 946_684_800_000_000, NOW, 2**52])
async def test_times_survive_to_the_microsecond(scribe: Scribe, at: int) -> None:
    assert await scribe.connection.fetchval("SELECT $1::timestamptz", at) == at
    rows: list[bytes] = []
    id_ = new_id()
    journal.write_refusal(rows, Result.REJECTED, 1, 5, at, id_, b"d" * 32, 0)
    await copy(scribe.connection, rows)
    assert (await scribe.log(id_))[0]["at"] == at


async def _original(scribe: Scribe, id_: bytes) -> Original:
    from tikiwallet.ledger.loading import _originals

    rows = await scribe.connection.fetch(journal.ORIGINAL_SQL, [id_])
    [original] = _originals(rows)
    return original
