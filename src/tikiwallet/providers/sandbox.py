"""The sandbox card gateway: behaves as a provider does, with Stripe's names for test cards.

Its memory is the schema `sandbox`, so that a charge outlives a crash of ours as it would at a
provider. `pm_tiki_late` is our own name for a charge that succeeds some seconds later.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple
from uuid import UUID

from tikiwallet import ids
from tikiwallet.clock import from_us, now_us
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.money import Money
from tikiwallet.payments.gateway import ChargeResult, ChargeStatus, UnknownMethod

LATE_US: Final = 3_000_000

_SUCCEEDED, _FAILED = ChargeStatus.SUCCEEDED, ChargeStatus.FAILED
_ACTION, _PROCESSING = ChargeStatus.REQUIRES_ACTION, ChargeStatus.PROCESSING


class _Script(NamedTuple):
    """How a test card behaves; `failure` of a challenge comes after its approval."""

    status: ChargeStatus
    failure: str | None = None


_DECLINES: Final = {
    "chargeDeclined": "card_declined",
    "chargeDeclinedInsufficientFunds": "insufficient_funds",
    "chargeDeclinedLostCard": "lost_card",
    "chargeDeclinedStolenCard": "stolen_card",
    "chargeDeclinedExpiredCard": "expired_card",
    "chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "chargeDeclinedProcessingError": "processing_error",
}
_BRANDS: Final = (
    "visa",
    "visa_debit",
    "mastercard",
    "mastercard_debit",
    "mastercard_prepaid",
    "amex",
    "discover",
    "diners",
    "jcb",
    "unionpay",
)
_SCRIPTS: Final[dict[str, _Script]] = {
    **{f"pm_card_{brand}": _Script(_SUCCEEDED) for brand in _BRANDS},
    **{f"pm_card_{name}": _Script(_FAILED, code) for name, code in _DECLINES.items()},
    **{f"pm_card_visa_{name}": _Script(_FAILED, code) for name, code in _DECLINES.items()},
    "pm_card_authenticationRequired": _Script(_ACTION),
    "pm_card_authenticationRequiredOnSetup": _Script(_ACTION),
    "pm_card_threeDSecure2Required": _Script(_ACTION),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": _Script(
        _ACTION, "insufficient_funds"
    ),
    "pm_card_bypassPending": _Script(_SUCCEEDED),
    "pm_tiki_late": _Script(_PROCESSING),
}


class SandboxGateway:
    """Implements payments' CardGateway. `base_url` leads to where challenges are answered."""

    def __init__(
        self, database: Database, base_url: str = "", now: Callable[[], int] = now_us
    ) -> None:
        self._database = database
        self._base_url = base_url
        self._now = now

    def accepts(self, method: str) -> bool:
        """Whether `method` is one of the test names."""
        return method in _SCRIPTS

    async def charge(self, id: bytes, amount: Money, method: str) -> ChargeResult:
        """Charge a test card once per `id`. Raises UnknownMethod."""
        script = _SCRIPTS.get(method)
        if script is None:
            raise UnknownMethod(f"{method!r} is not a test card of the sandbox")
        await self._insert(id, amount, method, script)
        result = await self.status(id)
        if result is None:
            raise RuntimeError("a charge vanished; charges are never deleted")
        return result

    async def status(self, id: bytes) -> ChargeResult | None:
        """How far the charge is, after letting a late one arrive that is due."""
        await self._database.execute(
            "UPDATE sandbox.charge SET status = 'succeeded'"
            " WHERE id = $1 AND status = 'processing' AND arrives_at <= $2",
            UUID(bytes=id),
            from_us(self._now()),
        )
        row = await self._database.fetchrow(
            "SELECT status, failure_code FROM sandbox.charge WHERE id = $1", UUID(bytes=id)
        )
        return None if row is None else self._result(id, row)

    async def cancel(self, id: bytes) -> ChargeResult:
        """End the charge unless it has an end; one never heard of is refused from now on."""
        await self._database.execute(
            "INSERT INTO sandbox.charge AS c"
            " (id, status, failure_code, created_at) VALUES ($1, 'failed', 'canceled', $2)"
            " ON CONFLICT (id) DO UPDATE SET status = 'failed', failure_code = 'canceled'"
            " WHERE c.status IN ('processing', 'requires_action')",
            UUID(bytes=id),
            from_us(self._now()),
        )
        result = await self.status(id)
        if result is None:
            raise RuntimeError("a charge vanished; charges are never deleted")
        return result

    async def refund(self, id: bytes) -> None:
        """Mark a charge that succeeded as given back."""
        await self._database.execute(
            "UPDATE sandbox.charge SET refunded_at = coalesce(refunded_at, $2)"
            " WHERE id = $1 AND status = 'succeeded'",
            UUID(bytes=id),
            from_us(self._now()),
        )

    async def complete_challenge(self, id: bytes, *, approve: bool) -> ChargeResult:
        """Answer the card's challenge as the person would; an answer given before stays.

        Raises NotFound for a charge that was never made.
        """
        await self._database.execute(
            "UPDATE sandbox.charge SET"
            " status = CASE WHEN $2 AND after_challenge IS NULL THEN 'succeeded' ELSE 'failed' END,"
            " failure_code = CASE WHEN $2 THEN after_challenge ELSE 'authentication_failed' END"
            " WHERE id = $1 AND status = 'requires_action'",
            UUID(bytes=id),
            approve,
        )
        result = await self.status(id)
        if result is None:
            raise NotFound("there is no such challenge")
        return result

    async def _insert(self, id: bytes, amount: Money, method: str, script: _Script) -> None:
        now = self._now()
        challenged = script.status is _ACTION
        late = script.status is _PROCESSING
        await self._database.execute(
            "INSERT INTO sandbox.charge (id, amount, currency, method, status, failure_code,"
            " after_challenge, arrives_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " ON CONFLICT (id) DO NOTHING",
            UUID(bytes=id),
            amount.amount,
            amount.currency.number,
            method,
            script.status.value,
            None if challenged else script.failure,
            script.failure if challenged else None,
            from_us(now + LATE_US) if late else None,
            from_us(now),
        )

    def _result(self, id: bytes, row: Any) -> ChargeResult:
        status = ChargeStatus(row["status"])
        action = None
        if status is _ACTION:
            action = f"{self._base_url}/dev/challenges/{ids.write_uuid(id)}"
        return ChargeResult(status, row["failure_code"], action)
