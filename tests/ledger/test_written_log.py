"""What the real writer writes, as those who read the log see it: they agree to the last unit."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.servers import DatabaseUrls

from tikiwallet import clock
from tikiwallet.database.pool import Database, connect
from tikiwallet.ids import new_uuid7
from tikiwallet.ledger import history
from tikiwallet.ledger.audit import (
    Sealer,
    adopt_lost_heads,
    check_log_against_head,
    sign_discontinuity,
    verify,
    write_discontinuity,
)
from tikiwallet.ledger.feed import Feed
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.term import TermOptions
from tikiwallet.ledger.transactions import (
    AccountType,
    AnyCommand,
    Capture,
    CloseAccount,
    Freeze,
    Hold,
    Kind,
    OpenAccount,
    Posting,
    Result,
    Reverse,
    SetLimits,
    Transaction,
    Void,
)
from tikiwallet.ledger.writer import Writer

SGD = 702
BANK = 1
PEOPLE = tuple(range(2, 12))


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(database_urls.app, "tikiwallet_app")
    yield database
    await database.close()


def some_command(chance: random.Random, earlier: list[bytes]) -> AnyCommand:
    """Anything a caller may ask for; a good part of it will be refused."""
    id = new_uuid7()
    one, other = chance.sample(PEOPLE, 2)
    debit = BANK if chance.random() < 0.5 else one
    postings = tuple(
        Posting(debit, chance.choice(PEOPLE), chance.randrange(1, 500), SGD)
        for _ in range(chance.randrange(1, 4))
    )
    before = chance.choice(earlier) if earlier else id
    match chance.randrange(12):
        case 0 | 1:
            hour = clock.now_us() + 3_600_000_000
            return Hold(id=id, postings=postings, expires_at=hour)
        case 2:
            return Capture(id=id, hold=before, final=chance.random() < 0.5)
        case 3:
            return Capture(id=id, hold=before, amounts=(chance.randrange(1, 99),), final=True)
        case 4:
            return Void(id=id, hold=before)
        case 5:
            amounts = (chance.randrange(1, 99),) if chance.random() < 0.5 else None
            return Reverse(id=id, original=before, amounts=amounts)
        case 6:
            ceiling = chance.choice((None, 5_000))
            return SetLimits(id=id, account=one, floor=chance.randrange(100), ceiling=ceiling)
        case 7:
            return Freeze(id=id, account=one, frozen=chance.random() < 0.2)
        case 8 if chance.random() < 0.05:
            return CloseAccount(id=id, account=other)
        case _:
            return Transaction(id=id, postings=postings, kind=Kind.PAYMENT, reference="memo")


async def load(ledger: Ledger, rounds: int, seed: int, open_first: bool = True) -> None:
    """Many commands at a time, `rounds` times."""
    if open_first:
        accounts = [
            OpenAccount(id=new_uuid7(), account=BANK, type=AccountType.CLEARING, currency=SGD,
                        floor=2**50),
            *(OpenAccount(id=new_uuid7(), account=person, currency=SGD) for person in PEOPLE),
        ]  # fmt: skip
        opened = await ledger.post_many(accounts)
        assert {outcome.result for outcome in opened} == {Result.POSTED}
    chance, earlier = random.Random(seed), list[bytes]()
    for _ in range(rounds):
        commands = [some_command(chance, earlier[-200:]) for _ in range(50)]
        await ledger.post_many(commands)
        earlier += [command.id for command in commands if isinstance(command, Hold | Transaction)]


async def test_readers_agree_with_the_writer(
    database: Database, database_urls: DatabaseUrls, data_dir: Path
) -> None:
    keys = data_dir / "keys"
    writer = Writer(TermOptions(database_urls.ledger))
    await writer.start()
    await writer.leading.wait()
    try:
        await load(writer, 40, seed=11)
        n = await writer.stable_n()
        states = await writer.states(PEOPLE)
        for person, state in zip(PEOPLE, states, strict=True):
            assert state == await history.state_at(database, person, clock.now_us(), n)
    finally:
        await writer.stop()
    types = await database.fetch("SELECT type, count(*) FROM ledger.log GROUP BY type ORDER BY 1")
    assert {row[0] for row in types} == {1, 2, 3, 4, 5, 6, 7}

    await Sealer(database, keys).seal(n // 2)
    head = await Sealer(database, keys).seal(n)
    assert head is not None
    report = await verify(database, keys)
    assert report.failure is None
    assert report.rows == n
    assert head.epoch == 1

    feed = Feed(database, "test")

    async def stable() -> int:
        return n

    seen = 0
    async for batch in feed.read(stable):
        async with database.transaction() as connection:
            await feed.commit(connection, batch)
        seen += len(batch.rows)
        if batch.n == n:
            break
    assert seen == n


async def test_the_writer_goes_on_above_a_gap(
    database: Database, database_urls: DatabaseUrls, data_dir: Path
) -> None:
    keys = data_dir / "keys"
    options = TermOptions(
        database_urls.ledger, check_log=lambda connection: check_log_against_head(connection, keys)
    )
    writer = Writer(options)
    await writer.start()
    await writer.leading.wait()
    await load(writer, 10, seed=3)
    kept = await writer.stable_n()
    await writer.stop()
    await Sealer(database, keys).seal(kept - 100)
    await Sealer(database, keys).seal(kept)

    connection = await connect(database_urls.ledger, "tikiwallet_ledger")
    gap = sign_discontinuity(keys, kept, clock.now_us(), above=kept + 1_000)
    await write_discontinuity(connection, gap)
    await connection.close()
    assert await adopt_lost_heads(database, keys) == 0

    writer = Writer(options)
    await writer.start()
    await writer.leading.wait()
    try:
        await load(writer, 10, seed=4, open_first=False)
        n = await writer.stable_n()
    finally:
        await writer.stop()
    assert n > gap.n
    await Sealer(database, keys).seal(n)
    report = await verify(database, keys)
    assert report.failure is None
    assert [found.n for found in report.gaps] == [gap.n]
