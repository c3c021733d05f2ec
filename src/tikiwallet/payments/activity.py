"""What happened in a wallet, in people's words: history, one payment, who was on the other side."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity.people import People
from tikiwallet.ledger import history
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import Result
from tikiwallet.payments.memos import Memos
from tikiwallet.wallets.directory import WalletDirectory


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a wallet is, as others may see it; a closed account has no `username`."""

    wallet: int
    person: int
    username: str | None
    display_name: str


class Activity:
    """Reads the log for the people whose wallets it is about."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        directory: WalletDirectory,
        people: People,
        memos: Memos,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._directory = directory
        self._people = people
        self._memos = memos

    async def entries(
        self,
        wallet: int,
        *,
        limit: int,
        cursor: str | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        kinds: Collection[int] | None = None,
        text: str | None = None,
    ) -> tuple[history.Page, dict[int, Owner]]:
        """A page of the wallet's history, newest first, with memos in clear, and the owners of the
        other sides. Raises BadCursor, Unavailable."""
        before = None if cursor is None else history.read_cursor(wallet, cursor)
        page = await history.entries(
            self._database,
            wallet,
            await self._ledger.stable_n(),
            limit,
            before_seq=before,
            from_us=from_us,
            to_us=to_us,
            kinds=kinds,
            text=text,
            read=self._memos.open,
        )
        # That the account was opened, or its limits changed, is no event of a person's history.
        page = page._replace(items=[item for item in page.items if item.direction != "none"])
        others = {item.counterparty for item in page.items if item.counterparty is not None}
        return page, await self.owners(others)

    async def payment(
        self, person: int, id_: bytes
    ) -> tuple[history.TransactionView, dict[int, Owner]]:
        """A transaction as `person` may see it, its memo in clear: all legs for who paid, one's own
        for who was paid. Raises NotFound for those who had no part in it, and for what was
        refused."""
        view = await history.transaction(self._database, id_, await self._ledger.stable_n())
        if view is None or view.result != Result.POSTED:
            raise NotFound("There is no such payment, or it is not yours")
        sides = {side for leg in view.legs for side in (leg.debit, leg.credit) if side is not None}
        owners = await self.owners(sides)
        view = msgspec.structs.replace(view, reference=self._memos.open(view.id, view.reference))
        mine = {wallet for wallet, owner in owners.items() if owner.person == person}
        if any(leg.debit in mine for leg in view.legs):
            return view, owners
        seen = tuple(leg for leg in view.legs if leg.credit in mine)
        if not seen:
            raise NotFound("There is no such payment, or it is not yours")
        return msgspec.structs.replace(view, legs=seen), owners

    async def owners(self, wallets: Iterable[int]) -> dict[int, Owner]:
        """The owners of those of `wallets` that are wallets; house accounts have none."""
        found = await self._directory.load(wallets)
        names = await self._people.names({facts.person for facts in found.values()})
        return {
            wallet: Owner(wallet, facts.person, name.username, name.display_name)
            for wallet, facts in found.items()
            if (name := names.get(facts.person)) is not None
        }
