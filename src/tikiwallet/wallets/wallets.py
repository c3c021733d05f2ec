"""Wallets of people: one per currency, each the owner's side of one ledger account.

The row comes first, then the account is opened under an id that follows from the wallet's. Opening
is repeated whenever the wallet is asked for, so that a crash between the two heals itself.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tikiwallet import ids
from tikiwallet.clock import from_us, now_us, to_us
from tikiwallet.database.pool import Database
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import AccountType, OpenAccount
from tikiwallet.money import BY_NUMBER, Currency, worth_of_sgd
from tikiwallet.wallets.chart import check_opened, opening_digest

CEILING_SGD: Final = 100_000_000  # cents: S$1,000,000 or its worth, the most a wallet may hold
PREFIX: Final = "w"
LEDGER_SECONDS: Final = 5.0

_COLUMNS: Final = "id, person, currency, created_at"


@dataclass(frozen=True, slots=True)
class Wallet:
    """`id` is also the ledger account; `created_at` in microseconds since 1970."""

    id: int
    person: int
    currency: Currency
    created_at: int

    @property
    def written_id(self) -> str:
        """`w_…`, what the outside calls it."""
        return ids.write_id(PREFIX, self.id)


class Wallets:
    """Opens and finds wallets. Balances are the ledger's to tell."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], int] = now_us) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now

    async def open_wallet(self, person: int, currency: Currency) -> tuple[Wallet, bool]:
        """The person's wallet in `currency`, and whether it was made just now.

        Its ledger account is open when this returns. Raises Overloaded or Unavailable when the
        ledger cannot say; asking again is safe.
        """
        # The conflict decides between two requests at once; the select then sees the other's row.
        made = await self._database.fetchrow(
            f"INSERT INTO wallets.wallet ({_COLUMNS}) VALUES ($1, $2, $3, $4)"  # noqa: S608
            f" ON CONFLICT (person, currency) DO NOTHING RETURNING {_COLUMNS}",
            ids.new_id(),
            person,
            currency.number,
            from_us(self._now()),
        )
        wallet = _wallet(made) if made else await self.find(person, currency)
        if wallet is None:
            raise RuntimeError("a wallet was in the way and is gone; wallets are never deleted")
        outcome = await self._ledger.post(
            OpenAccount(
                id=ids.derived_id("open", wallet.id),
                person=person,
                digest=opening_digest(wallet.id, currency.number),
                account=wallet.id,
                type=AccountType.WALLET,
                currency=currency.number,
                floor=0,
                ceiling=worth_of_sgd(CEILING_SGD, currency.code),
            ),
            time.monotonic() + LEDGER_SECONDS,
        )
        check_opened(wallet.id, outcome)
        return wallet, made is not None

    async def of(self, person: int, currency: Currency) -> Wallet:
        """The person's wallet in `currency`, opened if need be, and its account too. Raises
        Overloaded or Unavailable."""
        wallet = await self.find(person, currency)
        if wallet is None:
            wallet, _ = await self.open_wallet(person, currency)
        else:
            await self.open_where_missing([wallet])
        return wallet

    async def of_person(self, person: int) -> list[Wallet]:
        """All wallets of a person, oldest first."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM wallets.wallet WHERE person = $1"  # noqa: S608
            " ORDER BY created_at, id",
            person,
        )
        return [_wallet(row) for row in rows]

    async def by_id(self, wallet: int) -> Wallet | None:
        """The wallet with this number."""
        row = await self._database.fetchrow(
            f"SELECT {_COLUMNS} FROM wallets.wallet WHERE id = $1",  # noqa: S608
            wallet,
        )
        return _wallet(row) if row else None

    async def by_ids(self, wallets: Sequence[int]) -> list[Wallet]:
        """Those of `wallets` that exist, in no order."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM wallets.wallet WHERE id = ANY($1::bigint[])",  # noqa: S608
            list(wallets),
        )
        return [_wallet(row) for row in rows]

    async def open_where_missing(self, wallets: Sequence[Wallet]) -> None:
        """Open the accounts that these wallets should have and do not: a row stands before its
        account does, for as long as whoever made it needs, or for good where they died. Raises
        Overloaded or Unavailable."""
        states = await self._ledger.states([wallet.id for wallet in wallets])
        for wallet, state in zip(wallets, states, strict=True):
            if state is None:
                await self.open_wallet(wallet.person, wallet.currency)

    async def find(self, person: int, currency: Currency) -> Wallet | None:
        """The person's wallet in `currency`."""
        row = await self._database.fetchrow(
            f"SELECT {_COLUMNS} FROM wallets.wallet"  # noqa: S608
            " WHERE person = $1 AND currency = $2",
            person,
            currency.number,
        )
        return _wallet(row) if row else None


def _wallet(row: Any) -> Wallet:
    currency = BY_NUMBER[row["currency"]]
    return Wallet(row["id"], row["person"], currency, to_us(row["created_at"]))
