"""Confirming a payment with a passkey, in place of the PIN."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.exceptions import HTTPException

from tikiwallet.payments.content import payment_content
from tikiwallet.payments.pay import MEMO_MAX, PAYEES_MAX
from tikiwallet.web.api.bodies import UUID, Body, MoneyBody, WalletId
from tikiwallet.web.api.passkeys import OptionsAnswer
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/payments", tags=["payments"])


class PayeeBody(Body):
    """`to`: a phone, an @username or a wallet id."""

    to: Annotated[str, Field(min_length=2, max_length=64)]
    amount: MoneyBody


class PaymentBody(Body):
    """The payment that will follow, word for word."""

    from_wallet: WalletId
    payees: Annotated[list[PayeeBody], Field(min_length=1, max_length=PAYEES_MAX)]
    memo: Annotated[str, Field(max_length=MEMO_MAX)] | None = None


class ConfirmationAnswer(OptionsAnswer):
    """The payment carries `{"id": confirmation_id, "credential": the passkey's answer}` as
    `confirmation`."""

    confirmation_id: Annotated[str, Field(pattern=UUID)]


@router.post(
    "/confirmation",
    summary="What to ask a passkey for, to confirm a payment in place of the PIN",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "no_passkey", "too_many_requests"),
    openapi_extra=SIGNED_IN,
)
async def begin(body: PaymentBody, principal: SignedIn, parts: WithParts) -> ConfirmationAnswer:
    """Good for this payment only, once, for two minutes. Nothing moves yet."""
    payees = [(payee.to, payee.amount.amount, payee.amount.currency) for payee in body.payees]
    id, options = await parts.identity.confirmations.begin(
        principal.person, payment_content(body.from_wallet, payees, body.memo)
    )
    return ConfirmationAnswer(confirmation_id=id, public_key=options)


@router.get("/confirmation", include_in_schema=False)
async def not_to_be_read() -> None:
    """Without this, the address would be read as that of a payment called "confirmation"."""
    raise HTTPException(405)
