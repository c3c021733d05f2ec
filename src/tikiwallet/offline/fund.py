"""The guarantee fund: a house account per currency that pays, up to caps, for what a pass's escrow
and its payer's wallet do not cover, where that pass or one whose money it passes on signed twice.
Caps are rows; where there is none, defaults hold.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol
from uuid import UUID

from tikiwallet.clock import from_us
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import InvalidRequest
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import AMOUNT_MAX, Kind, Posting, Result, Transaction
from tikiwallet.money import BY_NUMBER, Currency, worth_of_sgd
from tikiwallet.offline.deciding import Scope, fund_room
from tikiwallet.wallets.chart import Chart, Purpose, house_account
from tikiwallet.wallets.refusals import refusal

# Cents of Singapore, or their worth: of one pass all of what it may hold, about US$50.
DEFAULTS_SGD: Final[Mapping[Scope, int]] = {
    Scope.PASS: 6_500,
    Scope.PAYER: 13_000,
    Scope.PAYEE: 26_000,
    Scope.DAY: 130_000,
    Scope.FUND: 1_300_000,
}
_DAY_US: Final = 86_400_000_000
_MONTH_US: Final = 30 * _DAY_US  # what payers, payees and the whole fund are counted over
_CAPS: Final = "SELECT scope, amount FROM offline.fund_cap WHERE currency = $1"
_USED: Final = """
    SELECT coalesce(sum(amount) FILTER (WHERE payer_pass = $2), 0)::bigint AS pass,
        coalesce(sum(amount) FILTER (WHERE payer = $3 AND at > $5), 0)::bigint AS payer,
        coalesce(sum(amount) FILTER (WHERE payee = $4 AND at > $5), 0)::bigint AS payee,
        coalesce(sum(amount) FILTER (WHERE at > $6), 0)::bigint AS day,
        coalesce(sum(amount) FILTER (WHERE at > $5), 0)::bigint AS fund
    FROM offline.fund_use WHERE currency = $1 AND (at > $5 OR payer_pass = $2)
"""
# The pass that pays and those whose money it passes on, on whatever way.
_STANDING: Final = """
    WITH RECURSIVE below AS (
        SELECT $1::uuid AS pass
        UNION
        SELECT source.payer_pass FROM below
        JOIN offline.claim AS naming
            ON naming.payer_pass = below.pass AND naming.state <> 'rejected'
        JOIN offline.claim AS source
            ON source.pay_hash = ANY(naming.sources) AND source.payee_pass = below.pass
    )
    SELECT EXISTS (SELECT FROM offline.conflict JOIN below USING (pass)) AS proven, EXISTS (
        SELECT FROM offline.claim WHERE payee_pass = $1 AND into_escrow IS NOT NULL
            AND state IN ('posting', 'open')
    ) AS awaits
"""
_USE: Final = """
    INSERT INTO offline.fund_use (pay_hash, attempt, payer_pass, payer, payee, currency, amount, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


class Insured(Protocol):
    """What the fund is asked to pay for."""

    @property
    def pay_hash(self) -> bytes: ...
    @property
    def attempt(self) -> int: ...
    @property
    def payer_pass(self) -> bytes: ...
    @property
    def payer(self) -> int: ...
    @property
    def payee(self) -> int: ...
    @property
    def currency(self) -> int: ...


class Fund:
    """Says how much the fund may pay, and keeps count of it."""

    def __init__(self, database: Database, ledger: Ledger, chart: Chart) -> None:
        self._database = database
        self._ledger = ledger
        self._chart = chart

    async def balances(self, currencies: Collection[int]) -> dict[int, int]:
        """What the fund holds, by currency; its accounts are open afterwards. Raises Overloaded,
        Unavailable."""
        for number in currencies:
            await self._chart.ready(BY_NUMBER[number])
        numbers = list(currencies)
        accounts = [house_account(Purpose.GUARANTEE, number) for number in numbers]
        states = await self._ledger.states(accounts)
        return {
            number: 0 if state is None else state.available
            for number, state in zip(numbers, states, strict=True)
        }

    async def room(
        self, connection: AnyConnection, insured: Insured, balance: int, now: int
    ) -> int | None:
        """What the fund may still pay for `insured`; None where it does not, since no key is known
        to have signed twice and nothing more comes into the escrow. Whoever else asks waits for
        the caller's database transaction to end, so that two do not count on the same room."""
        standing = await connection.fetchrow(_STANDING, UUID(bytes=insured.payer_pass))
        assert standing is not None
        if not standing["proven"]:
            return 0 if standing["awaits"] else None
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext('guarantee fund'), $1)", insured.currency
        )
        used = await connection.fetchrow(
            _USED,
            insured.currency,
            UUID(bytes=insured.payer_pass),
            insured.payer,
            insured.payee,
            from_us(now - _MONTH_US),
            from_us(now - _DAY_US),
        )
        assert used is not None
        caps = await caps_of(connection, insured.currency)
        return fund_room(caps, {scope: used[scope.value] for scope in Scope}, balance)

    async def use(self, connection: AnyConnection, insured: Insured, amount: int, now: int) -> None:
        """Count what the caller commits the fund to pay."""
        await connection.execute(
            _USE,
            insured.pay_hash,
            insured.attempt,
            UUID(bytes=insured.payer_pass),
            insured.payer,
            insured.payee,
            insured.currency,
            amount,
            from_us(now),
        )

    async def give_back(self, connection: AnyConnection, pay_hash: bytes, attempt: int) -> None:
        """What was counted for this attempt has not been paid."""
        await connection.execute(
            "DELETE FROM offline.fund_use WHERE pay_hash = $1 AND attempt = $2", pay_hash, attempt
        )

    async def fill(self, currency: Currency, amount: int, id: bytes) -> None:
        """Put money of the house's bank account in; again with the same `id` it is not put in
        twice. Raises InvalidRequest, and what the ledger refuses."""
        if not 0 < amount <= AMOUNT_MAX:
            raise InvalidRequest("The amount is at least one minor unit")
        await self._chart.ready(currency)
        bank, fund = (
            house_account(purpose, currency.number)
            for purpose in (Purpose.PAYOUT_CLEARING, Purpose.GUARANTEE)
        )
        posting = Posting(bank, fund, amount, currency.number)
        outcome = await self._ledger.post(
            Transaction(id, kind=Kind.ADJUSTMENT, postings=(posting,))
        )
        if outcome.result != Result.POSTED:
            raise refusal(outcome.result)

    async def set_cap(self, currency: Currency, scope: Scope, amount: int) -> None:
        """Cap what the fund pays by `scope`, in minor units."""
        if amount < 0:
            raise InvalidRequest("A cap is not below zero")
        await self._database.execute(
            "INSERT INTO offline.fund_cap (currency, scope, amount) VALUES ($1, $2, $3)"
            " ON CONFLICT (currency, scope) DO UPDATE SET amount = excluded.amount",
            currency.number,
            scope.value,
            amount,
        )


class Fetches(Protocol):
    """A connection or a pool."""

    async def fetch(self, sql: str, *args: object) -> Any: ...


async def caps_of(database: Fetches, currency: int) -> dict[Scope, int]:
    """The caps that hold in a currency, in its minor units."""
    code = BY_NUMBER[currency].code
    caps = {scope: worth_of_sgd(cents, code) for scope, cents in DEFAULTS_SGD.items()}
    rows = await database.fetch(_CAPS, currency)
    return caps | {Scope(row["scope"]): row["amount"] for row in rows}
