"""At a pass's `claim_until` what is left in escrow goes back to the wallet, payments that nobody
claimed lapse, and the escrow account is closed. What is promised to payees and not yet posted
waits there until it is, and the account stays open for what is still to come in.
"""

from collections.abc import Callable
from typing import Any, Final

from tikiwallet import ids, logs
from tikiwallet.clock import SECOND, from_us, now_us
from tikiwallet.database.pool import Database
from tikiwallet.errors import Problem
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    CloseAccount,
    Kind,
    Posting,
    Result,
    Transaction,
)
from tikiwallet.wallets.refusals import refusal

# Claims are judged by each process's own clock; none is behind by more than this.
_GRACE_US: Final = 60 * SECOND
_AGAIN_US: Final = 30 * SECOND
_SHUT_US: Final = 3_600 * SECOND  # until a wallet that takes no money is tried again
_DUE: Final = """
    UPDATE offline.pass SET next_check_at = $2 WHERE id IN (
        SELECT id FROM offline.pass
        WHERE next_check_at <= $1 AND claim_until <= $1 AND state IN ('open', 'closed', 'expired')
        ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED
    ) RETURNING id
"""
_LOCK: Final = """
    SELECT * FROM offline.pass WHERE id = $1 AND next_check_at IS NOT NULL FOR NO KEY UPDATE
"""
_LAPSE: Final = """
    UPDATE offline.claim SET state = 'lapsed' WHERE payer_pass = $1 AND state = 'recorded'
"""
# `short`: what more they take if the escrow takes more in.
_PROMISED: Final = """
    SELECT coalesce(sum(taking_escrow), 0)::bigint AS promised, coalesce(
        sum(amount - paid_escrow - paid_wallet - paid_fund - taking_escrow), 0
    )::bigint AS short
    FROM offline.claim WHERE payer_pass = $1 AND state IN ('posting', 'open')
"""
# Payments that come into this escrow and have not come in whole.
_AWAITED: Final = """
    SELECT EXISTS (
        SELECT FROM offline.claim
        WHERE payee_pass = $1 AND into_escrow IS NOT NULL AND state IN ('posting', 'open')
    )
"""
_RETURNED: Final = """
    UPDATE offline.pass SET state = 'returned', next_check_at = NULL
    WHERE id = $1 AND next_check_at IS NOT NULL
"""
_LATER: Final = """
    UPDATE offline.pass SET next_check_at = $2 WHERE id = $1 AND next_check_at IS NOT NULL
"""
_log = logs.get(__name__)


class Returns:
    """Ends passes whose time for claims is over."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], int] = now_us) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now

    async def return_due(self, limit: int = 50) -> bool:
        """End what is due; whether there may be more at once. For the worker, in several processes
        at once if need be: the ledger takes each return once."""
        now = self._now()
        rows = await self._database.fetch(
            _DUE, from_us(now - _GRACE_US), from_us(now + _AGAIN_US), limit
        )
        for row in rows:
            try:
                await self._return(row["id"])
            except Problem as problem:
                _log.warning("a pass was not returned", why=problem.code, id=str(row["id"]))
                later = from_us(self._now() + _SHUT_US)
                await self._database.execute(_LATER, row["id"], later)
        return len(rows) == limit

    async def _return(self, id: Any) -> None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_LOCK, id)
            if row is None:
                return
            await connection.execute(_LAPSE, id)
            awaited = await connection.fetchval(_AWAITED, id)
            promised = _promised(row, await connection.fetchrow(_PROMISED, id), awaited=awaited)
        if row["escrow"] is not None:
            await self._give_back(row, promised)
        if promised or awaited:
            return  # taken up again soon
        if row["escrow"] is not None:
            await self._close(row)
        await self._database.execute(_RETURNED, id)

    async def _give_back(self, row: Any, promised: int) -> None:
        """Move what is left back, but for what is promised. Raises what the ledger refuses."""
        [state] = await self._ledger.states([row["escrow"]])
        left = 0 if state is None else state.posted - promised
        if state is not None and left > 0:
            posting = Posting(row["escrow"], row["wallet"], left, row["currency"])
            # A wallet that was shut today may take it tomorrow, under another id, and what came in
            # after a return is returned too; what the escrow has given it cannot give again.
            day = self._now() // (86_400 * SECOND)
            id = ids.derived_id("return", row["id"].bytes, day, state.seq)
            outcome = await self._ledger.post(
                Transaction(id, row["person"], kind=Kind.ESCROW, postings=(posting,))
            )
            if outcome.result != Result.POSTED:
                raise refusal(outcome.result)

    async def _close(self, row: Any) -> None:
        """Close the escrow account, which is empty. Raises what the ledger refuses."""
        closing = CloseAccount(
            ids.derived_id("close", row["escrow"]), row["person"], account=row["escrow"]
        )
        outcome = await self._ledger.post(closing)
        if outcome.result not in (Result.POSTED, Result.ACCOUNT_CLOSED):
            raise refusal(outcome.result)


def _promised(row: Any, claims: Any, *, awaited: bool) -> int:
    """What of a pass's escrow is not its owner's: what is being posted, and, where it takes money
    in, what came in, or still may, for payments that found it short."""
    short = claims["short"] if row["hops"] else 0
    left = row["amount"] + row["received"] - row["settled"]
    promised: int = claims["promised"] + (short if awaited else min(short, left))
    return promised
