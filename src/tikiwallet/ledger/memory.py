"""What a writer remembers of the log: states of recently used accounts, and originals.

Bounded, least recently written first. Three rules make a stale state impossible: a load is only
made for what is absent; a batch only holds what is present; nothing is forgotten while a batch is
being committed. So no load can overlap a commit that changes what it reads.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from tikiwallet.ledger.rules import Original
from tikiwallet.ledger.transactions import State


class Memory:
    """Committed states by account (None: known not to exist) and originals by transaction id."""

    def __init__(self, capacity: int) -> None:
        self.accounts: dict[int, State | None] = {}
        self.originals: dict[bytes, Original] = {}
        self._capacity = capacity
        self._originals_capacity = max(1_000, capacity // 8)

    def apply(
        self,
        accounts: Mapping[int, State | None],
        originals: Mapping[bytes, Original | None],
    ) -> None:
        """Take over what a committed batch changed; it becomes the most recent."""
        known = self.accounts
        for account, state in accounts.items():
            known.pop(account, None)
            known[account] = state
        for id_, original in originals.items():
            if original is not None:
                self.originals.pop(id_, None)
                self.originals[id_] = original

    def add_loaded(self, asked: Iterable[int], found: Mapping[int, State]) -> None:
        """Take over what a load brought; what it did not bring does not exist."""
        known = self.accounts
        for account in asked:
            if account not in known:
                known[account] = found.get(account)

    def forget_oldest(self) -> None:
        """Drop the oldest down to the bound. Never called while a batch is being committed."""
        _trim(self.accounts, self._capacity)
        _trim(self.originals, self._originals_capacity)


def _trim(known: dict, capacity: int) -> None:  # type: ignore[type-arg]
    surplus = len(known) - capacity
    if surplus > 0:
        # In runs: finding the first living key of a dict passes over all dead ones before it.
        for key in list(islice(known, surplus + capacity // 32)):
            del known[key]


class Forgotten(Exception):
    """An account was in memory when its command was prepared and is no longer."""


class AccountsOverlay(dict[int, State | None]):
    """States as the batch so far leaves them, over those of the memory."""

    def __init__(self, below: Mapping[int, State | None]) -> None:
        super().__init__()
        self._below = below

    def __missing__(self, account: int) -> State | None:
        try:
            return self._below[account]
        except KeyError:
            raise Forgotten from None


class OriginalsOverlay(dict[bytes, Original | None]):
    """Originals as the batch so far leaves them, over those of the memory."""

    def __init__(self, below: Mapping[bytes, Original]) -> None:
        super().__init__()
        self._below = below

    def __missing__(self, id_: bytes) -> Original | None:
        return self._below.get(id_)
