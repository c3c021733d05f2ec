"""Ends holds whose time is up. The log only names candidates; the writer decides each."""

from tikiwallet import clock, ids
from tikiwallet.database.pool import Database
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import Void

_BATCH = 500
_OVERLAP_US = 60_000_000
_DUE = """
    SELECT hold.transaction_id
    FROM ledger.log AS hold
    WHERE hold.expires_at > $1 AND hold.expires_at <= $2 AND hold.n <= $3
      AND EXISTS (
          SELECT FROM ledger.log AS leg
          LEFT JOIN LATERAL (
              SELECT amount FROM ledger.remainder
              WHERE remainder.transaction_id = leg.transaction_id AND remainder.leg = leg.leg
              ORDER BY seq DESC LIMIT 1
          ) AS rest ON true
          WHERE leg.transaction_id = hold.transaction_id AND coalesce(rest.amount, leg.amount) > 0
      )
    ORDER BY hold.expires_at
    LIMIT $4
"""


class Expiry:
    """Sweeps from where the last sweep ended; the first one looks at every hold there ever was."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._since = 0

    async def sweep(self) -> int:
        """Void what is left of holds that are due; how many were ended. Raises Unavailable."""
        now = clock.now_us()
        stable_n = await self._ledger.stable_n()
        rows = await self._database.fetch(
            _DUE, clock.from_us(self._since), clock.from_us(now), stable_n, _BATCH
        )
        commands = [
            Void(
                ids.derived_id("expiry", row["transaction_id"].bytes),
                hold=row["transaction_id"].bytes,
                expiry=True,
            )
            for row in rows
        ]
        outcomes = await self._ledger.post_many(commands)
        ended = sum(1 for outcome in outcomes if outcome.result == 0)
        if len(rows) < _BATCH and ended == len(rows):
            self._since = max(self._since, now - _OVERLAP_US)
        return ended
