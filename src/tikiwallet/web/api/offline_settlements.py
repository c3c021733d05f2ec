"""Settlement of offline payments: signed messages come in, whoever brings them."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import Field, model_validator

from tikiwallet import base64url, clock
from tikiwallet.offline.claims import Brought
from tikiwallet.offline.history import OfflinePayment
from tikiwallet.offline.settlement import ITEMS_MAX
from tikiwallet.offline.telling import WORDS, Told
from tikiwallet.offline.telling import Answer as Settled
from tikiwallet.web.api.bodies import (
    BASE64URL,
    Answer,
    Body,
    MoneyAnswer,
    read_base64url,
)
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/offline/settlements", tags=["offline"])

_MessageText = Annotated[str, Field(pattern=BASE64URL, min_length=2, max_length=1_400)]


class ItemBody(Body):
    """`pay` and `invite`, with `receipt` if there is one; or `void` and `invite`; or `close`. Each
    is one message as it was signed, in base64url without padding."""

    pay: _MessageText | None = None
    invite: _MessageText | None = None
    receipt: _MessageText | None = None
    void: _MessageText | None = None
    close: _MessageText | None = None

    @model_validator(mode="after")
    def one_of_three(self) -> Self:
        """Which members there are says what it is."""
        given = frozenset(self.model_fields_set)
        if given not in _SHAPES or None in (getattr(self, name) for name in given):
            raise ValueError("pay and invite, perhaps receipt; or void and invite; or close")
        return self

    def brought(self) -> Brought:
        """The bytes. Raises InvalidRequest."""
        return Brought(
            pay=_bytes(self.pay),
            invite=_bytes(self.invite),
            receipt=_bytes(self.receipt),
            void=_bytes(self.void),
            close=_bytes(self.close),
        )


_SHAPES = frozenset(
    frozenset(names.split())
    for names in ("pay invite", "pay invite receipt", "void invite", "close")
)


class SettlementsBody(Body):
    """Messages of one's own, or of others: their content proves itself."""

    items: Annotated[list[ItemBody], Field(min_length=1, max_length=ITEMS_MAX)]


class WhyAnswer(Answer):
    """Why it is not as its bringer may have hoped; `code` is stable."""

    code: str
    title: str
    detail: str


class ItemAnswer(Answer):
    """What became of one item. `state` `refused`: not recorded, bring it again whole. A payment's
    `credited` is what has reached its payee."""

    kind: Literal["payment", "void", "close"]
    hash: str | None
    state: Told
    amount: MoneyAnswer | None = None
    credited: MoneyAnswer | None = None
    problem: WhyAnswer | None = None


class SettlementsAnswer(Answer):
    """In the order in which the items were given."""

    items: list[ItemAnswer]


class OfflinePaymentAnswer(Answer):
    """`with` is the name in the other side's pass; `sent_at` is what the payer's device took the
    time for."""

    hash: str
    direction: Literal["in", "out"]
    amount: MoneyAnswer
    credited: MoneyAnswer
    state: Told
    problem: WhyAnswer | None
    with_: Annotated[str, Field(serialization_alias="with")]
    memo: str | None
    sent_at: str
    arrived_at: str
    settled_at: str | None


class OfflinePaymentsAnswer(Answer):
    """Newest first, by when they arrived here."""

    items: list[OfflinePaymentAnswer]
    next_cursor: str | None


@router.post(
    "",
    summary="Settle offline payments: bring what was signed, yours or others'",
    response_model=SettlementsAnswer,
    responses=problems(*TOKEN_CODES, *BODY_CODES, "overloaded", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def settle(body: SettlementsBody, principal: SignedIn, parts: WithParts) -> Response:
    """Any order, as often as you like: each payment is credited once. A payee's own upload, or any
    with the payee's receipt, is credited; a payment without receipt that somebody else brings is
    recorded until its payee claims it. A payment that passes received money on claims what it
    names; bring those in the same upload, or before."""
    items = [item.brought() for item in body.items]
    answers = await parts.offline.settling.settlement.settle(principal.person, items)
    told = SettlementsAnswer.model_construct(items=[_item(answer) for answer in answers])
    # Written at once: FastAPI would check a hundred answers of ours first.
    return Response(told.model_dump_json(), media_type="application/json")


@router.get(
    "",
    summary="Your offline payments, newest first",
    responses=problems(*TOKEN_CODES, "bad_cursor", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def history(
    principal: SignedIn,
    parts: WithParts,
    cursor: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> OfflinePaymentsAnswer:
    """Those that were brought for settlement, by either side."""
    found, following = await parts.offline.settling.history.page(principal.person, cursor, limit)
    return OfflinePaymentsAnswer(items=[_payment(one) for one in found], next_cursor=following)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else read_base64url(text)


def _item(answer: Settled) -> ItemAnswer:
    return ItemAnswer.model_construct(
        kind=answer.kind,
        hash=None if answer.hash is None else base64url.write(answer.hash),
        state=answer.state,
        amount=None if answer.amount is None else MoneyAnswer.of(answer.amount),
        credited=None if answer.credited is None else MoneyAnswer.of(answer.credited),
        problem=_why(answer.why),
    )


def _why(code: str | None) -> WhyAnswer | None:
    if code is None:
        return None
    title, detail = WORDS[code]
    return WhyAnswer(code=str(code), title=title, detail=detail)


def _payment(one: OfflinePayment) -> OfflinePaymentAnswer:
    return OfflinePaymentAnswer(
        hash=base64url.write(one.hash),
        direction="out" if one.outgoing else "in",
        amount=MoneyAnswer.of(one.amount),
        credited=MoneyAnswer.of(one.credited),
        state=one.state,
        problem=_why(one.why),
        with_=one.name,
        memo=one.memo,
        sent_at=clock.write(one.sent_at),
        arrived_at=clock.write(one.arrived_at),
        settled_at=None if one.settled_at is None else clock.write(one.settled_at),
    )
