"""Top-ups: money from a card into a wallet, following one id through crashes.

The intent is committed, the card is charged outside of any database transaction, the ledger posts
the same id, and the status follows. Each step can be repeated, so whoever finds a top-up between
two steps simply goes on: the request that made it, or `recover_due` when that one is gone.

    processing ──► succeeded | failed
        │ ▲            ▲
        ▼ │            │
    requires_action ───┘       both have a time limit, after which the charge is cancelled
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tikiwallet import ids, logs
from tikiwallet.clock import SECOND, from_us, now_us, to_us
from tikiwallet.database.pool import Database
from tikiwallet.errors import InvalidRequest, NotFound, Unavailable
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    Abandon,
    Kind,
    Outcome,
    Posting,
    Result,
    Transaction,
)
from tikiwallet.money import BY_NUMBER, Money
from tikiwallet.payments.gateway import (
    CardGateway,
    ChargeResult,
    ChargeStatus,
    GatewayUnavailableError,
    UnknownMethod,
)
from tikiwallet.wallets.chart import Chart, Purpose, house_account
from tikiwallet.wallets.refusals import CurrencyMismatch, IdempotencyKeyReused
from tikiwallet.wallets.wallets import Wallets

# Two who work on one top-up do no harm, as every step can be repeated; so this need not be longer
# than the slowest step, and a crash is noticed soon.
CLAIM_US: Final = 15 * SECOND
GATEWAY_SECONDS: Final = 10.0
LEDGER_SECONDS: Final = 5.0
ACTION_LIMIT_US: Final = 3_600 * SECOND
PROCESSING_LIMIT_US: Final = 72 * 3_600 * SECOND
_LONGEST_WAIT_US: Final = 300 * SECOND  # between two looks at a charge
_DUPLICATE_SECONDS: Final = 10.0

_log = logs.get("topups")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a top-up is, or was when its request was answered."""

    status: ChargeStatus
    failure_code: str | None = None
    action_url: str | None = None

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in (ChargeStatus.SUCCEEDED, ChargeStatus.FAILED)


@dataclass(frozen=True, slots=True)
class TopUp:
    """One top-up. `answer` is what its first request was told (None: not yet); times in
    microseconds since 1970."""

    id: bytes
    person: int
    wallet: int
    money: Money
    method: str
    digest: bytes
    progress: Progress
    answer: Progress | None
    created_at: int
    expires_at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class TopUpRequest:
    """What a person asks for. `key` is the Idempotency-Key, `digest` SHA-256 of the request."""

    person: int
    wallet: int
    money: Money
    method: str
    key: str
    digest: bytes


class TopUps:
    """Makes, shows and recovers top-ups."""

    def __init__(
        self,
        database: Database,
        *,
        ledger: Ledger,
        wallets: Wallets,
        chart: Chart,
        gateway: CardGateway,
        now: Callable[[], int] = now_us,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._wallets = wallets
        self._chart = chart
        self._gateway = gateway
        self._now = now

    async def create(self, request: TopUpRequest) -> tuple[TopUp, bool]:
        """Start a top-up, or give the answer of the same request before; True marks a replay.

        A declined card is no refusal: the top-up is there, its status FAILED. Raises
        IdempotencyKeyReused, NotFound (not the person's wallet), CurrencyMismatch,
        InvalidRequest (amount), UnknownMethod, and Unavailable when the outcome of a first request
        is not known yet; none of these leaves anything behind.
        """
        id = ids.derived_id("topup", request.person, request.key)
        if await self._load(id) is not None:
            return await self._replay(id, request.digest), True
        await self._check(request)
        topup = await self._record_intent(id, request)
        if topup is None:
            return await self._replay(id, request.digest), True
        return await self._advance(topup), False

    async def get(self, id: bytes, person: int) -> TopUp:
        """The top-up as it is now. Raises NotFound when it is not this person's."""
        topup = await self._load(id)
        if topup is None or topup.person != person:
            raise NotFound("there is no such top-up")
        return topup

    async def advance(self, id: bytes) -> None:
        """Look at this top-up's charge now, as a provider's webhook asks for. Unknown and finished
        top-ups are left alone."""
        row = await self._database.fetchrow(
            "UPDATE payments.topup SET claimed_until = $2, attempts = attempts + 1"
            " WHERE id = $1 AND next_check_at IS NOT NULL RETURNING *",
            UUID(bytes=id),
            from_us(self._now() + CLAIM_US),
        )
        if row is not None:
            await self._advance(_topup(row))

    async def recover_due(self, limit: int = 50) -> int:
        """Take up to `limit` top-ups whose check is due one step on; how many were taken up.

        The claim is a time in the row, so no database transaction stays open meanwhile, and the
        claim of a process that died runs out by itself.
        """
        now = self._now()
        rows = await self._database.fetch(
            "UPDATE payments.topup SET claimed_until = $2, attempts = attempts + 1 WHERE id IN ("
            " SELECT id FROM payments.topup WHERE next_check_at <= $1 AND claimed_until <= $1"
            " ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED"
            ") RETURNING *",
            from_us(now),
            from_us(now + CLAIM_US),
            limit,
        )
        outcomes = await asyncio.gather(
            *(self._advance(_topup(row)) for row in rows), return_exceptions=True
        )
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Exception):
                _log.error("top-up not advanced", topup=str(row["id"]), exc_info=outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        return len(rows)

    # -- before the intent

    async def _check(self, request: TopUpRequest) -> None:
        wallet = await self._wallets.by_id(request.wallet)
        if wallet is None or wallet.person != request.person:
            raise NotFound("there is no such wallet, or it is not yours")
        if wallet.currency != request.money.currency:
            raise CurrencyMismatch(f"this wallet holds {wallet.currency.code}")
        if not 1 <= request.money.amount <= AMOUNT_MAX:
            raise InvalidRequest(f"the amount must be from 1 to {AMOUNT_MAX}")
        if not self._gateway.accepts(request.method):
            raise UnknownMethod
        # No card is charged before the money can arrive: both accounts are open after this.
        await self._wallets.open_wallet(wallet.person, wallet.currency)
        await self._chart.ready(wallet.currency)

    async def _record_intent(self, id: bytes, request: TopUpRequest) -> TopUp | None:
        """The committed intent, claimed by this request; None when another was faster."""
        now = self._now()
        row = await self._database.fetchrow(
            "INSERT INTO payments.topup (id, person, wallet, amount, currency, method, digest,"
            " status, created_at, expires_at, next_check_at, claimed_until)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, 'processing', $8, $9, $8, $10)"
            " ON CONFLICT (id) DO NOTHING RETURNING *",
            UUID(bytes=id),
            request.person,
            request.wallet,
            request.money.amount,
            request.money.currency.number,
            request.method,
            request.digest,
            from_us(now),
            from_us(now + PROCESSING_LIMIT_US),
            from_us(now + CLAIM_US),
        )
        return None if row is None else _topup(row)

    async def _replay(self, id: bytes, digest: bytes) -> TopUp:
        """The top-up once its first request has been answered."""
        pause = 0.01
        try:
            async with asyncio.timeout(_DUPLICATE_SECONDS):
                while True:
                    topup = await self._load(id)
                    if topup is None:
                        raise RuntimeError("a top-up vanished; top-ups are never deleted")
                    if topup.digest != digest:
                        raise IdempotencyKeyReused
                    if topup.answer is not None:
                        return topup
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 0.25)
        except TimeoutError:
            raise Unavailable from None

    async def _load(self, id: bytes) -> TopUp | None:
        row = await self._database.fetchrow(
            "SELECT * FROM payments.topup WHERE id = $1", UUID(bytes=id)
        )
        return None if row is None else _topup(row)

    # -- from the intent to the end

    async def _advance(self, topup: TopUp) -> TopUp:
        """Everything that can be done for a claimed top-up now; the top-up as it is then."""
        try:
            async with asyncio.timeout(GATEWAY_SECONDS):
                charge = await self._ask_gateway(topup)
        except (GatewayUnavailableError, TimeoutError):
            charge = ChargeResult(ChargeStatus.PROCESSING)
            if topup.progress.status is ChargeStatus.REQUIRES_ACTION:
                charge = ChargeResult(
                    ChargeStatus.REQUIRES_ACTION, action_url=topup.progress.action_url
                )
        if charge.status is ChargeStatus.SUCCEEDED:
            progress = await self._post(topup)
        else:
            progress = Progress(charge.status, charge.failure_code, charge.action_url)
        return await self._record(topup, progress)

    async def _ask_gateway(self, topup: TopUp) -> ChargeResult:
        if self._now() >= topup.expires_at:
            return await self._give_up(topup)
        if topup.attempts == 0:
            return await self._gateway.charge(topup.id, topup.money, topup.method)
        known = await self._gateway.status(topup.id)
        # The charge of a request that died before the provider heard of it is made now.
        return known or await self._gateway.charge(topup.id, topup.money, topup.method)

    async def _give_up(self, topup: TopUp) -> ChargeResult:
        """End a top-up whose time is over: first at the gateway, so that the card can no longer be
        charged, then on the ledger, so that nothing can post it later."""
        charge = await self._gateway.cancel(topup.id)
        if charge.status is ChargeStatus.SUCCEEDED:
            return charge
        outcome = await self._ledger.post(
            Abandon(id=topup.id, person=topup.person), time.monotonic() + LEDGER_SECONDS
        )
        match outcome.result:
            case Result.ABANDONED:
                return ChargeResult(ChargeStatus.FAILED, "expired")
            case Result.OVERLOADED | Result.UNAVAILABLE:
                return ChargeResult(topup.progress.status, action_url=topup.progress.action_url)
            case _:
                raise RuntimeError(
                    f"charge canceled, but the ledger says {Result(outcome.result).name}"
                )

    async def _post(self, topup: TopUp) -> Progress:
        """Post the charged money; what the ledger refuses for good goes back to the card."""
        currency = topup.money.currency.number
        await self._chart.ready(topup.money.currency)
        outcome = await self._ledger.post(
            Transaction(
                id=topup.id,
                person=topup.person,
                digest=topup.digest,
                kind=Kind.TOP_UP,
                postings=(
                    Posting(
                        house_account(Purpose.CARD_CLEARING, currency),
                        topup.wallet,
                        topup.money.amount,
                        currency,
                    ),
                ),
            ),
            time.monotonic() + LEDGER_SECONDS,
        )
        return await self._follow(topup, outcome)

    async def _follow(self, topup: TopUp, outcome: Outcome) -> Progress:
        match outcome.result:
            case Result.POSTED:
                return Progress(ChargeStatus.SUCCEEDED)
            case Result.OVERLOADED | Result.UNAVAILABLE:
                return Progress(ChargeStatus.PROCESSING)
            case refused:
                name = Result(refused).name.lower()
                _log.warning("top-up refused by the ledger", topup=topup.id.hex(), result=name)
                try:
                    async with asyncio.timeout(GATEWAY_SECONDS):
                        await self._gateway.refund(topup.id)
                except (GatewayUnavailableError, TimeoutError):
                    return Progress(ChargeStatus.PROCESSING)
                return Progress(ChargeStatus.FAILED, name)

    async def _record(self, topup: TopUp, progress: Progress) -> TopUp:
        """Write the progress down, and as the answer if none was given; the row as it is then.

        The row of a top-up that someone else finished meanwhile stays as it is.
        """
        now = self._now()
        expires_at = topup.expires_at
        if progress.status is not topup.progress.status:
            limits = {
                ChargeStatus.REQUIRES_ACTION: ACTION_LIMIT_US,
                ChargeStatus.PROCESSING: PROCESSING_LIMIT_US,
            }
            expires_at = now + limits.get(progress.status, 0)
        check_at = None if progress.final else min(now + _pause_us(topup.attempts), expires_at)
        row = await self._database.fetchrow(
            "UPDATE payments.topup SET status = $2, failure_code = $3, action_url = $4,"
            " answer_status = coalesce(answer_status, $2),"
            " answer_failure_code ="
            "  CASE WHEN answer_status IS NULL THEN $3 ELSE answer_failure_code END,"
            " answer_action_url ="
            "  CASE WHEN answer_status IS NULL THEN $4 ELSE answer_action_url END,"
            " expires_at = $5, next_check_at = $6, claimed_until = $7"
            " WHERE id = $1 AND next_check_at IS NOT NULL RETURNING *",
            UUID(bytes=topup.id),
            progress.status.value,
            progress.failure_code,
            progress.action_url,
            from_us(expires_at),
            None if check_at is None else from_us(check_at),
            from_us(now),
        )
        if row is not None:
            return _topup(row)
        current = await self._load(topup.id)
        if current is None:
            raise RuntimeError("a top-up vanished; top-ups are never deleted")
        return current


def _pause_us(attempts: int) -> int:
    """Until the next look: 1, 2, 4 ... seconds, at most five minutes."""
    return min(SECOND << min(attempts, 20), _LONGEST_WAIT_US)


def _topup(row: Any) -> TopUp:
    answer = None
    if row["answer_status"] is not None:
        answer = Progress(
            ChargeStatus(row["answer_status"]), row["answer_failure_code"], row["answer_action_url"]
        )
    return TopUp(
        id=row["id"].bytes,
        person=row["person"],
        wallet=row["wallet"],
        money=Money(row["amount"], BY_NUMBER[row["currency"]]),
        method=row["method"],
        digest=row["digest"],
        progress=Progress(ChargeStatus(row["status"]), row["failure_code"], row["action_url"]),
        answer=answer,
        created_at=to_us(row["created_at"]),
        expires_at=to_us(row["expires_at"]),
        attempts=row["attempts"],
    )
