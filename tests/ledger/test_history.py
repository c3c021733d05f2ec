"""History, point in time and statements against a model that remembers everything."""

import random
from collections.abc import AsyncIterator

import pytest
from tests.ledger.log_builder import FIRST_AT, LogBuilder
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import Database, connect
from tikiwallet.ledger import history
from tikiwallet.ledger.history import BadCursor, Item
from tikiwallet.ledger.transactions import Kind, LegType, Result

BANK, ALICE, BOB = 1, 2, 3
ALL = 2**62


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(database_urls.app, "tikiwallet_app")
    yield database
    await database.close()


async def written(urls: DatabaseUrls, log: LogBuilder) -> int:
    connection = await connect(urls.ledger, "tikiwallet_ledger")
    try:
        return await log.write(connection)
    finally:
        await connection.close()


def new_log(**options: int) -> LogBuilder:
    log = LogBuilder(**options)
    log.open(BANK, floor=2**60)
    log.open(ALICE)
    log.open(BOB)
    return log


async def all_items(database: Database, account: int, limit: int, **filters: object) -> list[Item]:
    """Every page, one after the other."""
    items: list[Item] = []
    before = None
    while True:
        page = await history.entries(
            database,
            account,
            ALL,
            limit,
            before_seq=before,
            **filters,  # type: ignore[arg-type]
        )
        items += page.items
        if page.next is None:
            return items
        before = history.read_cursor(account, page.next)


async def test_entries_tell_both_sides(database: Database, database_urls: DatabaseUrls) -> None:
    log = new_log()
    top_up = log.post((BANK, ALICE, 1_000), kind=Kind.TOP_UP, reference="card")
    payment = log.post((ALICE, BOB, 300), reference="Lunch")
    hold = log.hold((ALICE, BOB, 200))
    log.capture(hold, 150, final=True)
    await written(database_urls, log)

    alice = [
        (i.type, i.direction, i.counterparty, i.amount, i.change, i.posted, i.held, i.available)
        for i in await all_items(database, ALICE, 2)
    ]
    assert alice == [
        (LegType.VOID, "out", BOB, 50, 50, 550, 0, 550),
        (LegType.CAPTURE, "out", BOB, 150, 0, 550, 50, 500),
        (LegType.HOLD, "out", BOB, 200, -200, 700, 200, 500),
        (LegType.POST, "out", BOB, 300, -300, 700, 0, 700),
        (LegType.POST, "in", BANK, 1_000, 1_000, 1_000, 0, 1_000),
        (LegType.ACCOUNT, "none", None, 0, 0, 0, 0, 0),
    ]
    bob = await all_items(database, BOB, 50)
    assert [(i.direction, i.change, i.posted) for i in bob] == [
        ("in", 0, 450),
        ("in", 150, 450),
        ("in", 0, 300),
        ("in", 300, 300),
        ("none", 0, 0),
    ]
    assert [(i.transaction_id, i.reference) for i in bob][3] == (payment, "Lunch")
    first = (await all_items(database, ALICE, 50))[-2]
    assert (first.transaction_id, first.kind, first.seq) == (top_up, Kind.TOP_UP, 2)


async def test_nothing_above_the_stable_number(
    database: Database, database_urls: DatabaseUrls
) -> None:
    log = new_log()
    first = log.post((BANK, ALICE, 10))
    second = log.post((BANK, ALICE, 20))
    n = await written(database_urls, log)

    page = await history.entries(database, ALICE, n - 1, 10)
    assert next(item.transaction_id for item in page.items) == first
    assert await history.transaction(database, second, n - 1) is None
    state = await history.state_at(database, ALICE, FIRST_AT * 2, n - 1)
    assert state is not None
    assert state.posted == 10
    state = await history.state_at(database, ALICE, FIRST_AT * 2, n)
    assert state is not None
    assert state.posted == 30


async def test_times_bound_pages_and_states(
    database: Database, database_urls: DatabaseUrls
) -> None:
    chance = random.Random(7)
    log = new_log(step=0)
    balance, balances = 0, [(log.at, 0)]
    for _ in range(300):
        log.at += chance.choice((0, 0, 1, 1_000))  # many entries share one microsecond
        log.post((BANK, ALICE, amount := chance.randrange(1, 100)))
        balance += amount
        balances.append((log.at, balance))
    n = await written(database_urls, log)

    times = sorted({at for at, _ in balances})
    whole = await all_items(database, ALICE, 97)
    assert len(whole) == 301
    for _ in range(40):
        start, end = sorted(chance.choice(times) + chance.choice((-1, 0, 1)) for _ in range(2))
        found = await all_items(database, ALICE, 13, from_us=start, to_us=end)
        assert found == [item for item in whole if start <= item.at < end]

        state = await history.state_at(database, ALICE, start, n)
        known = [balance for at, balance in balances if at <= start]
        assert (None if state is None else state.posted) == (known[-1] if known else None)

        statement = await history.statement(database, ALICE, start, end, n)
        assert [item async for item in statement] == found[::-1]
        assert statement.count == len(found)
        opening = 0 if statement.opening is None else statement.opening.posted
        closing = 0 if statement.closing is None else statement.closing.posted
        assert closing - opening == sum(item.change for item in found)
    assert await all_items(database, ALICE, 10, from_us=times[-1], to_us=times[0]) == []


async def test_filters_go_on_where_the_budget_ended(
    database: Database, database_urls: DatabaseUrls
) -> None:
    log = new_log(step=1)
    rare = log.post((BANK, ALICE, 5), kind=Kind.TOP_UP, reference="50% off_CAFÉ")
    for _ in range(history.SCAN_MAX + 500):
        log.post((BANK, ALICE, 1))
    newest = log.post((BANK, ALICE, 1), kind=Kind.TOP_UP)
    await written(database_urls, log)

    page = await history.entries(database, ALICE, ALL, 5, kinds=[Kind.TOP_UP])
    assert [item.transaction_id for item in page.items] == [newest]
    assert page.next is not None
    found = await all_items(database, ALICE, 5, kinds=[Kind.TOP_UP])
    assert [item.transaction_id for item in found] == [newest, rare]
    for text, hits in (
        ("café", 1),
        ("50%", 1),
        ("off_c", 1),
        ("5_%", 0),
        ("", history.SCAN_MAX + 503),
    ):
        assert len(await all_items(database, ALICE, 200, text=text)) == hits
    one = await all_items(database, ALICE, 1, kinds=[Kind.PAYMENT, Kind.TOP_UP], text="off")
    assert [item.transaction_id for item in one] == [rare]


async def test_transactions_with_all_their_legs(
    database: Database, database_urls: DatabaseUrls
) -> None:
    log = new_log()
    split = log.post((BANK, ALICE, 70), (BANK, BOB, 30), reference="Salaries")
    hold = log.hold((BANK, ALICE, 40), (BANK, BOB, 50))
    capture = log.capture(hold, 0, 20)
    log.reverse(split, 10, 0)
    refused = log.refuse(Result.INSUFFICIENT_FUNDS)
    n = await written(database_urls, log)

    view = await history.transaction(database, split, n)
    assert view is not None
    assert (view.reference, view.result, view.kind) == ("Salaries", 0, Kind.PAYMENT)
    assert [(leg.credit, leg.amount, leg.left) for leg in view.legs] == [
        (ALICE, 70, 60),
        (BOB, 30, 30),
    ]
    views = await history.transactions(database, [hold, capture, refused, b"\0" * 16], n)
    assert set(views) == {hold, capture, refused}
    assert [leg.left for leg in views[hold].legs] == [40, 30]
    assert views[hold].expires_at == views[hold].at + 3_600_000_000
    assert views[capture].cause == hold
    assert views[refused].result == Result.INSUFFICIENT_FUNDS
    before = await history.transaction(database, hold, views[hold].n + 1)
    assert before is not None
    assert [leg.left for leg in before.legs] == [40, 50]


async def test_cursors_open_only_their_own_list() -> None:
    cursor = history.write_cursor(ALICE, 77)
    assert history.read_cursor(ALICE, cursor) == 77
    with pytest.raises(BadCursor):
        history.read_cursor(BOB, cursor)
    for place in range(len(cursor)):
        bent = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(BadCursor):
            history.read_cursor(ALICE, bent)
    for text in ("", "=", "é", cursor[:-1], cursor + "A", " " + cursor):
        with pytest.raises(BadCursor):
            history.read_cursor(ALICE, text)
