"""What payments needs from a card gateway; each provider implements it.

Every call names the charge by the top-up's id, and that id is also the provider's idempotency key:
calling again after a crash never charges or refunds twice.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tikiwallet.errors import Problem
from tikiwallet.money import Money


class UnknownMethod(Problem):
    code = "unknown_method"
    title = "This payment method is not known"


class ChargeStatus(StrEnum):
    """How far a charge is. SUCCEEDED and FAILED are final."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """`failure_code` says why a charge FAILED, in stable words of ours such as `card_declined`;
    `action_url` is where the person answers a challenge while it REQUIRES_ACTION."""

    status: ChargeStatus
    failure_code: str | None = None
    action_url: str | None = None


class GatewayUnavailableError(Exception):
    """The provider gave no answer, or none that says what became of the charge: ask again."""


class CardGateway(Protocol):
    """One card provider. Each call may raise GatewayUnavailableError."""

    def accepts(self, method: str) -> bool:
        """Whether `method` is worth sending: decided here, without asking the provider."""
        ...

    async def charge(self, id: bytes, amount: Money, method: str) -> ChargeResult:
        """Charge `method`, once per `id`; again, it says how far that charge is by now."""
        ...

    async def status(self, id: bytes) -> ChargeResult | None:
        """How far the charge is; None when the provider has never heard of it."""
        ...

    async def cancel(self, id: bytes) -> ChargeResult:
        """End a charge that has not succeeded. What comes back is final: FAILED (`canceled`), or
        whatever it had become before. A charge unknown so far can never succeed after this."""
        ...

    async def refund(self, id: bytes) -> None:
        """Give all of a charge that SUCCEEDED back, once."""
        ...
