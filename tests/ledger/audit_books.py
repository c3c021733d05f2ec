"""A log, its database and its keys, for tests of the audit log."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ledger.log_builder import LogBuilder
from tests.servers import DatabaseUrls

from tikiwallet.database.pool import Database, connect
from tikiwallet.ledger.audit import Head, Report, Sealer, check_log_against_head, verify
from tikiwallet.ledger.heads import load_key
from tikiwallet.ledger.transactions import Result

BANK, ALICE, BOB, CAROL = 1, 2, 3, 4


@dataclass
class Books:
    """A database with a log in it, and the folder of its keys."""

    urls: DatabaseUrls
    database: Database
    keys: Path
    log: LogBuilder

    @property
    def n(self) -> int:
        return self.log.n - 1

    async def write(self) -> None:
        connection = await connect(self.urls.ledger, "tikiwallet_ledger")
        try:
            await self.log.write(connection)
        finally:
            await connection.close()

    async def seal(self, n: int | None = None) -> Head | None:
        return await Sealer(self.database, self.keys).seal(self.n if n is None else n)

    async def verify(self) -> Report:
        return await verify(self.database, self.keys)

    async def failure(self) -> tuple[int, str]:
        failure = (await self.verify()).failure
        assert failure is not None
        return failure

    async def tamper(self, sql: str) -> None:
        """What someone with all rights over the database could do."""
        connection = await connect(self.urls.superuser, None)
        try:
            await connection.execute(f"SET session_replication_role = replica; {sql}")
        finally:
            await connection.close()

    async def start_check(self) -> None:
        connection = await connect(self.urls.ledger, "tikiwallet_ledger")
        try:
            await check_log_against_head(connection, self.keys)
        finally:
            await connection.close()

    def public_key(self) -> bytes:
        return load_key(self.keys).public_key().public_bytes_raw()


@asynccontextmanager
async def open_books(urls: DatabaseUrls, keys: Path) -> AsyncIterator[Books]:
    """Books with an epoch row and four open accounts, not yet written."""
    database = await Database.connect(urls.app, "tikiwallet_app")
    log = LogBuilder()
    log.epoch(1)
    log.open(BANK, floor=2**60)
    for account in (ALICE, BOB, CAROL):
        log.open(account, ceiling=10**12)
    yield Books(urls, database, keys, log)
    await database.close()


def fill(log: LogBuilder, until: int, seed: int = 1) -> None:
    """Rows of every kind, up to about log number `until`."""
    chance = random.Random(seed)
    people = (ALICE, BOB, CAROL)
    while log.n < until:
        one, other = chance.sample(people, 2)
        match chance.randrange(8):
            case 0:
                hold = log.hold((BANK, one, 50), (BANK, other, 70))
                log.capture(hold, 20, 70)
                log.void(hold, 2)
            case 1:
                log.capture(log.hold((BANK, one, 30)), 10, final=True)
            case 2:
                split = log.post((BANK, one, 100), (BANK, other, 200), (BANK, one, 5))
                log.reverse(split, 40, 0, 5)
                log.reverse(split, 0, 7, 0)
            case 3:
                log.refuse(Result.INSUFFICIENT_FUNDS)
            case 4:
                log.change(one, floor=chance.randrange(1_000))
            case _:
                log.post((BANK, one, chance.randrange(1, 9_999)), reference="memo")


async def filled(books: Books, rows: int = 700) -> None:
    """A log sealed in several heads; the last rows are in no complete subtree of 256."""
    steps = (5, 250, 256, 400, 690, rows)
    for step in steps:
        fill(books.log, step)
        await books.write()
        await books.seal()
