"""What somebody owes after a conflict is taken out of their wallet when there is something in it.

A row is the intent: `taking` is committed, the ledger posts it under the id of `attempt`, then it
is `paid`. Whoever finds it in between goes on. Once one of the two wallets is closed, which it
stays, or an operator has written the rest off, the debt has `ended`. It begins again when the
guarantee fund pays more for the same payment; what was `forgiven` stays so.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tikiwallet import ids, logs
from tikiwallet.clock import SECOND, from_us, now_us
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound, Unavailable
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.ledger.history import BadCursor
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import Kind, Posting, Result, State, Transaction
from tikiwallet.money import BY_NUMBER, Money

PAGE: Final = 20
_TAKEN_UP_US: Final = 15 * SECOND
_EMPTY_US: Final = 3_600 * SECOND  # until a wallet with nothing in it is looked into again
# What a payee owes back is known once nothing of it is being posted.
_IS_KNOWN: Final = """
    NOT EXISTS (
        SELECT FROM offline.claim WHERE claim.pay_hash = debt.pay_hash
            AND claim.payer = debt.creditor AND claim.state = 'posting'
    )
"""
_DUE: Final = f"""
    UPDATE offline.debt SET next_check_at = $2 WHERE id IN (
        SELECT id FROM offline.debt WHERE next_check_at <= $1 AND {_IS_KNOWN}
        ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED
    ) RETURNING *
"""  # noqa: S608
_OF: Final = f"""
    UPDATE offline.debt SET next_check_at = $2
    WHERE debtor = $1 AND next_check_at IS NOT NULL AND {_IS_KNOWN} RETURNING *
"""  # noqa: S608
_CREDITORS: Final = """
    SELECT creditor_account, currency, sum(amount - paid - forgiven)::bigint AS amount
    FROM offline.debt WHERE debtor = $1 AND next_check_at IS NOT NULL
    GROUP BY creditor_account, currency
"""
_INTEND: Final = """
    UPDATE offline.debt SET taking = $3
    WHERE id = $1 AND attempt = $2 AND taking = 0 AND next_check_at IS NOT NULL RETURNING *
"""
_WAIT: Final = (
    "UPDATE offline.debt SET next_check_at = $2 WHERE id = $1 AND next_check_at IS NOT NULL"
)
_END: Final = """
    UPDATE offline.debt SET ended = $2, next_check_at = NULL, told = amount,
        forgiven = CASE $2::text WHEN 'written_off' THEN amount - paid ELSE debt.forgiven END
    FROM (SELECT id, amount - paid - forgiven AS rest FROM offline.debt WHERE id = $1 FOR UPDATE)
        AS before
    WHERE debt.id = before.id AND taking = 0 AND next_check_at IS NOT NULL
    RETURNING debtor, currency, rest
"""
_TELL: Final = """
    UPDATE offline.debt SET told = amount
    FROM (SELECT id, amount - told AS news FROM offline.debt WHERE id = $1 FOR UPDATE) AS before
    WHERE debt.id = before.id AND news > 0 RETURNING debtor, currency, news
"""
_PAID: Final = """
    UPDATE offline.debt SET paid = paid + taking, taking = 0, attempt = attempt + 1,
        next_check_at = CASE WHEN paid + taking + forgiven < amount THEN $3::timestamptz END
    WHERE id = $1 AND attempt = $2 RETURNING debtor, currency, paid, next_check_at
"""
_REFUSED: Final = """
    UPDATE offline.debt SET taking = 0, attempt = attempt + 1, next_check_at = $3
    WHERE id = $1 AND attempt = $2
"""
# A contested payment that is not decided yet may become a debt.
_OWED: Final = """
    SELECT currency, sum(amount)::bigint AS amount FROM (
        SELECT currency, amount - paid - forgiven AS amount FROM offline.debt
        WHERE debtor = $1 AND next_check_at IS NOT NULL
        UNION ALL
        SELECT currency, amount - paid_escrow - paid_wallet - paid_fund FROM offline.claim
        WHERE payer = $1 AND payee <> $1 AND next_check_at IS NOT NULL
            AND contested_at IS NOT NULL
    ) AS owed
    GROUP BY currency ORDER BY currency
"""
# Of a debt: open, paid, or why it has ended.
STATE: Final = "CASE WHEN next_check_at IS NOT NULL THEN 'open' ELSE coalesce(ended, 'paid') END"
_PAGE: Final = f"""
    SELECT *, {STATE} AS state
    FROM offline.debt WHERE debtor = $1 AND id < $2 ORDER BY id DESC LIMIT $3
"""  # noqa: S608
_CURSOR: Final = "o"
_IS_OPEN: Final = "SELECT next_check_at IS NOT NULL FROM offline.debt WHERE id = $1"
_log = logs.get(__name__)


class Ended(StrEnum):
    """Why what is left of a debt is not collected."""

    DEBTOR_CLOSED = "debtor_closed"
    CREDITOR_CLOSED = "creditor_closed"
    WRITTEN_OFF = "written_off"


@dataclass(frozen=True, slots=True)
class Debt:
    """What a person owes, or owed, for the payment `pay_hash`, to another person or to the
    guarantee fund. `state`: open, paid, or an `Ended`."""

    pay_hash: bytes
    to_fund: bool
    amount: Money
    paid: Money
    forgiven: Money
    state: str
    since: datetime


class Debts:
    """Collects debts, and shows people theirs."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        events: SecurityEvents,
        now: Callable[[], int] = now_us,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._events = events
        self._now = now

    async def collect_due(self, limit: int = 50) -> bool:
        """Take what debtors' wallets hold; whether there may be more at once. For the worker."""
        now = self._now()
        rows = await self._database.fetch(_DUE, from_us(now), from_us(now + _TAKEN_UP_US), limit)
        for row in rows:
            await self._collect(row)
        return len(rows) == limit

    async def collect_of(self, person: int) -> None:
        """The same of one debtor's, due or not."""
        for row in await self._database.fetch(_OF, person, from_us(self._now() + _TAKEN_UP_US)):
            await self._collect(row)

    async def barred(self, person: int) -> list[Money]:
        """The part of what `person` owes whose creditors' wallets are full, by currency."""
        rows = await self._database.fetch(_CREDITORS, person)
        states = await self._ledger.states([row["creditor_account"] for row in rows])
        sums: Counter[int] = Counter()
        for row, state in zip(rows, states, strict=True):
            if state is not None and not state.room:
                sums[row["currency"]] += row["amount"]
        return [Money(sums[number], BY_NUMBER[number]) for number in sorted(sums)]

    async def owed(self, person: int) -> list[Money]:
        """What `person` owes others or the guarantee fund, by currency."""
        rows = await self._database.fetch(_OWED, person)
        return [Money(row["amount"], BY_NUMBER[row["currency"]]) for row in rows]

    async def page(
        self, person: int, cursor: str | None = None, limit: int = PAGE
    ) -> tuple[list[Debt], str | None]:
        """The debts of `person`, newest first, and the cursor of the next page. Raises
        BadCursor."""
        below = (1 << 63) - 1 if cursor is None else ids.read_id(_CURSOR, cursor)
        if below is None:
            raise BadCursor
        rows = await self._database.fetch(_PAGE, person, below, limit + 1)
        shown = rows[:limit]
        more = len(rows) > limit
        following = ids.write_id(_CURSOR, shown[-1]["id"]) if more else None
        return [_debt(row) for row in shown], following

    async def write_off(self, id: int) -> None:
        """Collect the rest of a debt no more. Raises NotFound when it is not open; Unavailable
        while some of it is being collected."""
        if await self._end(id, Ended.WRITTEN_OFF):
            return
        if await self._database.fetchval(_IS_OPEN, id):
            raise Unavailable("Some of it is being collected; try again in a minute")
        raise NotFound(f"There is no open debt {id}")

    async def _collect(self, row: Any) -> None:
        later = from_us(self._now() + _EMPTY_US)
        if not row["taking"] and (row := await self._begin(row, later)) is None:
            return
        outcome = await self._ledger.post(_command(row))
        match outcome.result:
            case Result.POSTED:
                await self._paid(row, later)
            case Result.OVERLOADED | Result.UNAVAILABLE:
                pass  # taken up again
            case refused:
                _log.warning("a debt was not collected", result=Result(refused).name.lower())
                await self._database.execute(_REFUSED, row["id"], row["attempt"], later)

    async def _begin(self, row: Any, later: datetime) -> Any | None:
        """Intend to take what the debtor has and the creditor has room for; None where that is
        nothing, the debt has ended, or somebody else is at it."""
        debtor, creditor = await self._ledger.states(
            [row["debtor_wallet"], row["creditor_account"]]
        )
        if (ended := _ended(debtor, creditor)) is not None:
            _log.warning("a debt is not collected any more", id=row["id"], why=ended.value)
            await self._end(row["id"], ended)
            return None
        await self._tell(row)
        takeable = 0 if debtor is None else debtor.takeable
        room = 0 if creditor is None else creditor.room
        taking = min(takeable, room, row["amount"] - row["paid"] - row["forgiven"])
        if taking == 0:
            await self._database.execute(_WAIT, row["id"], later)
            return None
        return await self._database.fetchrow(_INTEND, row["id"], row["attempt"], taking)

    async def _tell(self, row: Any) -> None:
        """A debt that is new, or has grown, is news to its debtor."""
        if row["told"] >= row["amount"]:
            return
        async with self._database.transaction() as connection:
            if news := await connection.fetchrow(_TELL, row["id"]):
                await self._record(connection, EventKind.OFFLINE_DEBT_BEGUN, news, news["news"])

    async def _paid(self, row: Any, later: datetime) -> None:
        async with self._database.transaction() as connection:
            paid = await connection.fetchrow(_PAID, row["id"], row["attempt"], later)
            if paid and paid["next_check_at"] is None:
                await self._record(connection, EventKind.OFFLINE_DEBT_PAID, paid, paid["paid"])

    async def _end(self, id: int, why: Ended) -> bool:
        async with self._database.transaction() as connection:
            ended = await connection.fetchrow(_END, id, why.value)
            if ended and why is not Ended.DEBTOR_CLOSED:
                await self._record(connection, EventKind.OFFLINE_DEBT_ENDED, ended, ended["rest"])
        return ended is not None

    async def _record(
        self, connection: AnyConnection, kind: EventKind, debt: Any, amount: int
    ) -> None:
        await self._events.record(
            connection,
            debt["debtor"],
            kind,
            at_us=self._now(),
            amount=Money(amount, BY_NUMBER[debt["currency"]]).written,
        )


def _debt(row: Any) -> Debt:
    money = BY_NUMBER[row["currency"]]
    return Debt(
        pay_hash=row["pay_hash"],
        to_fund=row["creditor"] is None,
        amount=Money(row["amount"], money),
        paid=Money(row["paid"], money),
        forgiven=Money(row["forgiven"], money),
        state=row["state"],
        since=row["since"],
    )


def _ended(debtor: State | None, creditor: State | None) -> Ended | None:
    if debtor is not None and debtor.is_closed:
        return Ended.DEBTOR_CLOSED
    if creditor is not None and creditor.is_closed:
        return Ended.CREDITOR_CLOSED
    return None


def _command(row: Any) -> Transaction:
    posting = Posting(row["debtor_wallet"], row["creditor_account"], row["taking"], row["currency"])
    id = ids.derived_id("debt", row["id"], row["attempt"])
    return Transaction(id, row["debtor"], kind=Kind.SETTLEMENT, postings=(posting,))
