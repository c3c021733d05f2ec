"""What somebody owes after a conflict is taken out of their wallet when there is something in it.

A row is the intent: `taking` is committed, the ledger posts it under the id of `attempt`, then it
is `paid`. Whoever finds it in between goes on.
"""

from collections.abc import Callable
from typing import Any, Final

from tikiwallet import ids, logs
from tikiwallet.clock import from_us, now_us
from tikiwallet.database.pool import Database
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import Kind, Posting, Result, Transaction
from tikiwallet.money import BY_NUMBER, Money

_TAKEN_UP_US: Final = 15_000_000
_EMPTY_US: Final = 3_600_000_000  # until a wallet with nothing in it is looked into again
_DUE: Final = """
    UPDATE offline.debt SET next_check_at = $2 WHERE id IN (
        SELECT id FROM offline.debt WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $3
        FOR UPDATE SKIP LOCKED
    ) RETURNING *
"""
_INTEND: Final = """
    UPDATE offline.debt SET taking = $3 WHERE id = $1 AND attempt = $2 AND taking = 0 RETURNING *
"""
_WAIT: Final = "UPDATE offline.debt SET next_check_at = $2 WHERE id = $1 AND paid < amount"
_PAID: Final = """
    UPDATE offline.debt SET paid = paid + taking, taking = 0, attempt = attempt + 1,
        next_check_at = CASE WHEN paid + taking < amount THEN $3::timestamptz END
    WHERE id = $1 AND attempt = $2
"""
_REFUSED: Final = """
    UPDATE offline.debt SET taking = 0, attempt = attempt + 1, next_check_at = $3
    WHERE id = $1 AND attempt = $2
"""
# A contested payment that is not decided yet may become a debt.
_OWED: Final = """
    SELECT currency, sum(amount)::bigint AS amount FROM (
        SELECT currency, amount - paid AS amount FROM offline.debt
        WHERE debtor = $1 AND next_check_at IS NOT NULL
        UNION ALL
        SELECT currency, amount - paid_escrow - paid_wallet - paid_fund FROM offline.claim
        WHERE payer = $1 AND payee <> $1 AND next_check_at IS NOT NULL
            AND contested_at IS NOT NULL
    ) AS owed
    GROUP BY currency ORDER BY currency
"""
_log = logs.get(__name__)


class Debts:
    """Collects debts."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], int] = now_us) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now

    async def collect_due(self, limit: int = 50) -> bool:
        """Take what debtors' wallets hold; whether there may be more at once. For the worker."""
        now = self._now()
        rows = await self._database.fetch(_DUE, from_us(now), from_us(now + _TAKEN_UP_US), limit)
        for row in rows:
            await self._collect(row)
        return len(rows) == limit

    async def owed(self, person: int) -> list[Money]:
        """What `person` owes others or the guarantee fund, by currency."""
        rows = await self._database.fetch(_OWED, person)
        return [Money(row["amount"], BY_NUMBER[row["currency"]]) for row in rows]

    async def _collect(self, row: Any) -> None:
        later = from_us(self._now() + _EMPTY_US)
        if not row["taking"]:
            taking = min(await self._available(row["debtor_wallet"]), row["amount"] - row["paid"])
            if taking <= 0:
                await self._database.execute(_WAIT, row["id"], later)
                return
            row = await self._database.fetchrow(_INTEND, row["id"], row["attempt"], taking)
            if row is None:
                return  # somebody else is at it
        outcome = await self._ledger.post(_command(row))
        match outcome.result:
            case Result.POSTED:
                await self._database.execute(_PAID, row["id"], row["attempt"], later)
            case Result.OVERLOADED | Result.UNAVAILABLE:
                pass  # taken up again
            case refused:
                _log.warning("a debt was not collected", result=Result(refused).name.lower())
                await self._database.execute(_REFUSED, row["id"], row["attempt"], later)

    async def _available(self, wallet: int) -> int:
        [state] = await self._ledger.states([wallet])
        return 0 if state is None else state.takeable


def _command(row: Any) -> Transaction:
    posting = Posting(row["debtor_wallet"], row["creditor_account"], row["taking"], row["currency"])
    id = ids.derived_id("debt", row["id"], row["attempt"])
    return Transaction(id, row["debtor"], kind=Kind.SETTLEMENT, postings=(posting,))
