"""Every case of the batch bench, and a small edition of the large data set, on the real writer."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import asyncpg
import pytest
from tests.servers import DatabaseUrls

from tikiwallet.bench import large
from tikiwallet.bench.ledger import (
    CASES,
    CURRENCY,
    CaseFailed,
    Ids,
    open_accounts,
    post_all,
    run_case,
)
from tikiwallet.ledger.term import TermOptions
from tikiwallet.ledger.transactions import Posting, Transaction
from tikiwallet.ledger.writer import Writer

_ACCOUNTS = 200
_POSTINGS = 1_000


@pytest.fixture
async def writer(database_urls: DatabaseUrls) -> AsyncIterator[Writer]:
    writer = Writer(TermOptions(database_urls.ledger), patient=True)
    await writer.start()
    yield writer
    await writer.stop()


@pytest.mark.parametrize("case", [case for case in CASES if case != "memory"])
async def test_each_case_measures_something(writer: Writer, case: str) -> None:
    result = await run_case(writer, case, 0.5, None)
    rate = result["rate"]
    assert isinstance(rate, dict)
    assert rate["per_second"] > 100
    assert 0 < rate["p50_ms"] <= rate["p99_ms"]
    processes = result["processes"]
    assert isinstance(processes, list)
    assert processes[0]["resident_mb"] > 10


async def test_a_refusal_ends_the_case(writer: Writer) -> None:
    ids = Ids()
    first, second = await open_accounts(writer, ids, 2)
    poor = Transaction(id=ids(), postings=(Posting(first, second, 1, CURRENCY),))
    with pytest.raises(CaseFailed, match="INSUFFICIENT_FUNDS"):
        await post_all(writer, [poor])


async def test_an_interrupted_build_goes_on_and_counts_nothing_twice(
    writer: Writer, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    state = tmp_path / "large.json"
    await large.build(writer, _ACCOUNTS, _POSTINGS // 2, state)
    done = json.loads(state.read_text())["done"]
    state.write_text(json.dumps({"accounts": _ACCOUNTS, "done": done - 100}))
    await large.build(writer, _ACCOUNTS, _POSTINGS, state)
    await large.build(writer, _ACCOUNTS, _POSTINGS, state)
    connection = await asyncpg.connect(database_urls.owner)
    try:
        posted = await connection.fetchval("SELECT count(*) FROM ledger.log WHERE type = 1")
    finally:
        await connection.close()
    assert posted == _POSTINGS
    with pytest.raises(ValueError, match="200 accounts"):
        await large.build(writer, 2 * _ACCOUNTS, _POSTINGS, state)


async def test_the_built_accounts_can_pay(writer: Writer, tmp_path: Path) -> None:
    await large.build(writer, _ACCOUNTS, _POSTINGS, tmp_path / "large.json")
    choices = large.evenly(_ACCOUNTS, 2_000, Random(1))
    assert (await large.post_between(writer, choices, 0.3)).per_second > 0
