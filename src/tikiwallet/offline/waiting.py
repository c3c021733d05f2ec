"""What waits in escrow for room in its payee's wallet although the claims of its pass are over.

It is the payee's, and so nothing ends it by itself; but it keeps the payer's pass, and with it
their account, open. An operator may let it go: then it returns to the payer.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from tikiwallet import clock, ids
from tikiwallet.clock import from_us, now_us
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound, Unavailable
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import Abandon, Result
from tikiwallet.money import BY_NUMBER, Money
from tikiwallet.offline.intents import COLUMNS, intent_of
from tikiwallet.offline.posting import NOT_OWED

# Those that the ledger has refused, or has paid in part.
_WAITING: Final = f"""
    SELECT {COLUMNS}, claim_until
    FROM offline.claim JOIN offline.pass AS payer ON payer.id = claim.payer_pass
    WHERE claim.next_check_at IS NOT NULL AND claim.state = 'posting' AND attempt > 0
        AND claim_until <= $1
        AND ($2::bytea IS NULL OR pay_hash = $2) AND ($3::bigint IS NULL OR payer = $3)
    ORDER BY claim_until, pay_hash LIMIT $4
"""  # noqa: S608
_LET_GO: Final = """
    UPDATE offline.claim SET taking_escrow = 0, barred = 0, attempt = attempt + 1,
        next_check_at = NULL,
        state = CASE paid_escrow + paid_wallet + paid_fund WHEN 0 THEN 'lapsed' ELSE 'partial' END
    WHERE pay_hash = $1 AND attempt = $2 AND state = 'posting' AND taking_wallet + taking_fund = 0
    RETURNING payee
"""
_MOST: Final = 1_000


class Waiting:
    """Shows what waits so, and ends it."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], int] = now_us) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now

    async def of(self, person: int) -> list[Money]:
        """What `person` paid and their payees have no room for, by currency."""
        sums: Counter[int] = Counter()
        for row in await self._rows(person=person):
            sums[row["currency"]] += row["taking_escrow"]
        return [Money(sums[number], BY_NUMBER[number]) for number in sorted(sums)]

    async def page(self, limit: int) -> list[dict[str, Any]]:
        """For operators, ready for JSON: what has waited for longest first."""
        return [
            {
                "payment": row["pay_hash"].hex(),
                "payer": ids.write_id("p", row["payer"]),
                "payee": ids.write_id("p", row["payee"]),
                "currency": BY_NUMBER[row["currency"]].code,
                "amount": row["taking_escrow"],
                "since": clock.write(row["claim_until"]),
            }
            for row in await self._rows(limit=limit)
        ]

    async def let_go(self, payment: bytes) -> None:
        """Give up what waits of a payment: it returns to the payer. Raises NotFound when nothing
        of it waits; Unavailable while some of it is being paid."""
        rows = await self._rows(payment=payment)
        if not rows:
            raise NotFound("Nothing of this payment waits for room, or it may still be claimed")
        intent = intent_of(rows[0])
        being_paid = Unavailable("Some of it is being paid; try again in a minute")
        if intent.wallet + intent.fund:
            raise being_paid
        # Whoever has read this attempt too cannot post it any more.
        outcome = await self._ledger.post(Abandon(intent.id, intent.payee))
        if outcome.result in (Result.POSTED, Result.OVERLOADED, Result.UNAVAILABLE):
            raise being_paid
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_LET_GO, payment, intent.attempt):
                raise being_paid
            await connection.execute(NOT_OWED, payment, intent.payee, intent.escrow)

    async def _rows(
        self, *, payment: bytes | None = None, person: int | None = None, limit: int = _MOST
    ) -> list[Any]:
        now = from_us(self._now())
        return list(await self._database.fetch(_WAITING, now, payment, person, limit))
