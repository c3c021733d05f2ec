"""Ends holds whose time is up. The log only names candidates; the writer decides each."""

from tikiwallet import clock, ids
from tikiwallet.database.pool import Database
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import Result, Void

_BATCH = 2_000  # holds looked at in one sweep
_OVERLAP_US = 60_000_000
_DUE = """
    SELECT hold.transaction_id, hold.expires_at, EXISTS (
        SELECT FROM ledger.log AS leg
        LEFT JOIN LATERAL (
            SELECT amount FROM ledger.remainder
            WHERE remainder.transaction_id = leg.transaction_id AND remainder.leg = leg.leg
            ORDER BY seq DESC LIMIT 1
        ) AS rest ON true
        WHERE leg.transaction_id = hold.transaction_id AND coalesce(rest.amount, leg.amount) > 0
    ) AS open
    FROM ledger.log AS hold
    WHERE hold.expires_at > $1 AND hold.expires_at <= $2 AND hold.n <= $3
    ORDER BY hold.expires_at
    LIMIT $4
"""


class Expiry:
    """Sweeps on from where the last sweep ended; the first ones pass over every hold there was."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._since = 0

    async def sweep(self) -> bool:
        """Void what is left of holds that are due; whether there is more to look at at once.
        Raises Unavailable."""
        now = clock.now_us()
        stable_n = await self._ledger.stable_n()
        rows = await self._database.fetch(
            _DUE, clock.from_us(self._since), clock.from_us(now), stable_n, _BATCH
        )
        commands = [
            Void(ids.derived_id("expiry", hold), hold=hold, expiry=True)
            for row in rows
            if row["open"] and (hold := row["transaction_id"].bytes)
        ]
        outcomes = await self._ledger.post_many(commands)
        if any(Result(outcome.result).retryable for outcome in outcomes):
            return False  # the same again, later
        more = len(rows) == _BATCH
        # Many holds may end in the same microsecond: those of the last one are looked at again.
        reached = clock.to_us(rows[-1]["expires_at"]) - 1 if more else now - _OVERLAP_US
        stuck = reached <= self._since and more
        self._since = max(self._since + stuck, reached)
        return more
