"""What never changes about wallets, kept in memory for the payment path: owner and currency.

Never a balance: those are the ledger's, and no cache stands before them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tikiwallet.recent import Recent
from tikiwallet.wallets.wallets import Wallet, Wallets


class WalletFacts(NamedTuple):
    """Facts of one wallet; `currency` is a currency number."""

    id: int
    person: int
    currency: int


class WalletDirectory:
    """Remembers the facts of up to about `capacity` recently used wallets. Wallets that do not
    exist are not remembered, so that one opened elsewhere is seen at once."""

    def __init__(self, wallets: Wallets, capacity: int = 200_000) -> None:
        self._wallets = wallets
        self._facts = Recent[int, WalletFacts](capacity)
        self._owned = Recent[tuple[int, int], int](capacity)

    def known(self, wallet: int) -> WalletFacts | None:
        """The facts of `wallet` if they are in memory; None says nothing."""
        facts = self._facts.young.get(wallet)
        return self._facts.get(wallet) if facts is None else facts

    def wallet_of(self, person: int, currency: int) -> int | None:
        """The person's wallet in this currency number if it is in memory; None says nothing."""
        key = (person, currency)
        wallet = self._owned.young.get(key)
        return self._owned.get(key) if wallet is None else wallet

    async def load(self, wallets: Iterable[int]) -> dict[int, WalletFacts]:
        """The facts of those of `wallets` that exist, from memory or the database. All can be paid
        from and into when this returns. Raises Overloaded or Unavailable."""
        found: dict[int, WalletFacts] = {}
        missing = []
        for wallet in wallets:
            facts = self._facts.get(wallet)
            if facts is None:
                missing.append(wallet)
            else:
                found[wallet] = facts
        if missing:
            loaded = await self._wallets.by_ids(missing)
            await self._wallets.open_where_missing(loaded)
            found.update((wallet.id, self.remember(wallet)) for wallet in loaded)
        return found

    def remember(self, wallet: Wallet) -> WalletFacts:
        """Keep what is known of `wallet`, whose account is open."""
        facts = WalletFacts(wallet.id, wallet.person, wallet.currency.number)
        self._facts.put(wallet.id, facts)
        self._owned.put((wallet.person, wallet.currency.number), wallet.id)
        return facts
