"""A running ledger and what stands on it, over one test's own database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP, LEDGER
from tikiwallet.database.pool import Database
from tikiwallet.ledger.term import TermOptions
from tikiwallet.ledger.transactions import State
from tikiwallet.ledger.writer import Writer
from tikiwallet.wallets.chart import Chart
from tikiwallet.wallets.directory import WalletDirectory
from tikiwallet.wallets.wallets import Wallets


@dataclass(frozen=True)
class Stack:
    """Real parts: PostgreSQL, the ledger's writer, wallets."""

    database: Database
    ledger: Writer
    wallets: Wallets
    directory: WalletDirectory
    chart: Chart

    async def state(self, account: int) -> State:
        [state] = await self.ledger.states([account])
        assert state is not None
        return state

    async def posted(self, account: int) -> int:
        return (await self.state(account)).posted


@asynccontextmanager
async def running_stack(urls: DatabaseUrls) -> AsyncIterator[Stack]:
    database = await Database.connect(urls.app, APP)
    writer = Writer(TermOptions(dsn=urls.ledger, role=LEDGER), patient=True)
    await writer.start()
    try:
        await writer.leading.wait()
        wallets = Wallets(database, writer)
        yield Stack(database, writer, wallets, WalletDirectory(wallets), Chart(writer))
    finally:
        await writer.stop()
        await database.close()
