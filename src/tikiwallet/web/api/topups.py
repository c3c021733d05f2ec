"""Top-ups: money from a card into a wallet."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from tikiwallet import clock, ids
from tikiwallet.errors import NotFound
from tikiwallet.payments.gateway import ChargeStatus
from tikiwallet.payments.topups import Progress, TopUp, TopUpRequest
from tikiwallet.wallets.wallets import PREFIX
from tikiwallet.web.api.bodies import (
    UUID,
    Answer,
    Body,
    MoneyAnswer,
    MoneyBody,
    TransactionId,
    WalletId,
    read_members,
)
from tikiwallet.web.idempotency import key_of, request_digest
from tikiwallet.web.openapi import (
    BODY_CODES,
    IDEMPOTENCY_HEADER,
    KEY_CODES,
    REPLAYED_HEADER,
    SIGNED_IN,
    TOKEN_CODES,
    problems,
)
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/topups", tags=["topups"])
_ROUTE = "POST /v1/topups"


class TopUpBody(Body):
    """`method` is a payment method of the card gateway; the sandbox takes Stripe's test names."""

    wallet: WalletId
    amount: MoneyBody
    method: Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,100}$", examples=["pm_card_visa"])]


class NextAction(Answer):
    """The card's bank wants to hear from the person: send them to `url`."""

    type: Literal["redirect"] = "redirect"
    url: str


class TopUpAnswer(Answer):
    """`status` `succeeded` and `failed` are final; `failure_code` says why it failed."""

    id: TransactionId
    status: ChargeStatus
    wallet: WalletId
    amount: MoneyAnswer
    method: str
    failure_code: str | None
    next_action: NextAction | None
    created_at: str


@router.post(
    "",
    status_code=201,
    summary="Top a wallet up from a card",
    responses={
        201: {"model": TopUpAnswer, "headers": REPLAYED_HEADER},
        **problems(
            *TOKEN_CODES,
            *BODY_CODES,
            *KEY_CODES,
            "not_found",
            "currency_mismatch",
            "unknown_currency",
            "unknown_method",
            "overloaded",
        ),
    },
    openapi_extra={**SIGNED_IN, "parameters": [IDEMPOTENCY_HEADER]},
)
async def create(
    body: TopUpBody, request: Request, principal: SignedIn, parts: WithParts, response: Response
) -> TopUpAnswer:
    """A card that declines makes a top-up that failed, not an error: look at `status`."""
    key = key_of(request.scope["headers"])
    wallet = ids.read_id(PREFIX, body.wallet)
    if wallet is None:
        raise NotFound("there is no such wallet")
    topup, replayed = await parts.topups.create(
        TopUpRequest(
            person=principal.person,
            wallet=wallet,
            money=body.amount.to_money(),
            method=body.method,
            key=key,
            digest=request_digest(_ROUTE, read_members(await request.body())),
        )
    )
    response.headers["Location"] = f"/v1/topups/{ids.write_uuid(topup.id)}"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return _answer(topup, topup.answer or topup.progress)


@router.get(
    "/{id}",
    summary="How far a top-up is",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def show(
    id: Annotated[str, Path(pattern=UUID)], principal: SignedIn, parts: WithParts
) -> TopUpAnswer:
    """Its state now, which the first answer may be older than."""
    raw = ids.read_uuid(id)
    if raw is None:
        raise NotFound("there is no such top-up")
    topup = await parts.topups.get(raw, principal.person)
    return _answer(topup, topup.progress)


def _answer(topup: TopUp, progress: Progress) -> TopUpAnswer:
    url = progress.action_url
    return TopUpAnswer(
        id=ids.write_uuid(topup.id),
        status=progress.status,
        wallet=ids.write_id(PREFIX, topup.wallet),
        amount=MoneyAnswer.of(topup.money),
        method=topup.method,
        failure_code=progress.failure_code,
        next_action=None if url is None else NextAction(url=url),
        created_at=clock.rfc3339(topup.created_at),
    )
