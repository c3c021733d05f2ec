"""A pass's money on the ledger: an account of its own, filled under the pass's id."""

import time
from collections.abc import Sequence
from typing import Final

from tikiwallet import ids
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    Abandon,
    AccountType,
    Kind,
    OpenAccount,
    Outcome,
    Posting,
    Transaction,
)
from tikiwallet.offline.records import PassRecord
from tikiwallet.wallets.chart import check_opened, opening_digest

LEDGER_SECONDS: Final = 5.0


class Escrow:
    """Fills escrow accounts, and tells what is in them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def reserve(self, record: PassRecord) -> Outcome:
        """Move the money of a pass out of the wallet, once; the ledger's outcome, or the one that
        it gave before. Raises Overloaded or Unavailable while the account cannot be opened."""
        account = _account(record)
        until = time.monotonic() + LEDGER_SECONDS
        opened = await self._ledger.post(
            OpenAccount(
                id=ids.derived_id("open", account),
                person=record.person,
                digest=opening_digest(account, record.currency.number),
                account=account,
                type=AccountType.ESCROW,
                currency=record.currency.number,
            ),
            until,
        )
        check_opened(account, opened)
        posting = Posting(record.wallet, account, record.amount, record.currency.number)
        return await self._ledger.post(
            Transaction(record.id, record.person, record.digest, Kind.ESCROW, (posting,)), until
        )

    async def abandon(self, record: PassRecord) -> Outcome:
        """Make sure that the money does not move from now on; POSTED when it has moved already."""
        return await self._ledger.post(
            Abandon(record.id, record.person), time.monotonic() + LEDGER_SECONDS
        )

    async def left(self, records: Sequence[PassRecord]) -> dict[bytes, int]:
        """What is left in each pass, by its id. Raises Unavailable."""
        accounts = {record.id: record.escrow for record in records if record.escrow is not None}
        states = await self._ledger.states(list(accounts.values())) if accounts else []
        left = {record.id: 0 for record in records}
        left.update((id, state.posted) for id, state in zip(accounts, states, strict=True) if state)
        return left


def _account(record: PassRecord) -> int:
    if record.escrow is None:
        raise ValueError("a pass that only receives has no escrow")
    return record.escrow
