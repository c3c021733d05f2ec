"""Payments as they are looked up: one payment, its proof, a wallet's history, the signed heads."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BeforeValidator, Field

from tikiwallet import clock, ids
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.ledger.history import Item, LegView
from tikiwallet.ledger.proofs import prove, published_heads
from tikiwallet.ledger.transactions import Kind, LegType
from tikiwallet.money import BY_NUMBER
from tikiwallet.payments.activity import Owner
from tikiwallet.web.api.bodies import UUID, WALLET_ID, Answer, MoneyAnswer, TransactionId, WalletId
from tikiwallet.web.openapi import SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1", tags=["payments"])

_KINDS: Final = {kind.name.lower(): kind for kind in Kind}
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")
_STATUS: Final = {
    LegType.POST: "posted",
    LegType.HOLD: "held",
    LegType.CAPTURE: "posted",
    LegType.VOID: "released",
}


def _dated(written: object) -> object:
    # Pydantic would also read a bare number, as seconds since 1970.
    if not isinstance(written, str) or not _DATED.match(written):
        raise ValueError("not an RFC 3339 time")
    return written


_Time = Annotated[AwareDatetime, BeforeValidator(_dated)]


class PartyAnswer(Answer):
    """The other side, as one may see it; a wallet of the house has a name only."""

    name: str
    username: str | None = None
    wallet_id: WalletId | None = None


class EntryAnswer(Answer):
    """What one posting did to the wallet; `available` and `posted` are what it held after that."""

    id: str
    payment_id: TransactionId
    created_at: str
    kind: str
    status: str
    direction: Annotated[str, Field(pattern="^(in|out)$")]
    amount: MoneyAnswer
    counterparty: PartyAnswer
    memo: str | None
    available: int
    posted: int


class EntriesAnswer(Answer):
    """Newest first. With a filter a page may be short and still have a next one."""

    items: list[EntryAnswer]
    next_cursor: str | None


class LegAnswer(Answer):
    """One part of a payment. `remaining`: not yet given back or released."""

    leg: int
    status: str
    payer: PartyAnswer
    payee: PartyAnswer
    amount: MoneyAnswer
    remaining: MoneyAnswer
    log_number: int


class PaymentAnswer(Answer):
    """A payment with its receipt: `log_number` is its place in the ledger's log, which
    `/v1/payments/{id}/proof` proves to anybody."""

    id: TransactionId
    kind: str
    status: str
    created_at: str
    memo: str | None
    refers_to: TransactionId | None
    postings: list[LegAnswer]


@router.get(
    "/wallets/{id}/entries",
    tags=["wallets"],
    summary="What happened in a wallet, newest first",
    responses=problems(*TOKEN_CODES, "not_found", "bad_cursor", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def entries(
    id: Annotated[str, Path(pattern=WALLET_ID)],
    principal: SignedIn,
    parts: WithParts,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    from_: Annotated[_Time | None, Query(alias="from")] = None,
    to: Annotated[_Time | None, Query()] = None,
    kind: Annotated[list[str] | None, Query(max_length=20)] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
) -> EntriesAnswer:
    """`from` (included) and `to` (not included) are RFC 3339 times; `kind` may be repeated; `q` is
    looked for in memos."""
    if q is not None and "\0" in q:
        raise InvalidRequest("q must not hold NUL")
    facts = await parts.payments.own_wallet(principal.person, id)
    page, owners = await parts.activity.entries(
        facts.id,
        limit=limit,
        cursor=cursor,
        from_us=_us(from_),
        to_us=_us(to),
        kinds=_kinds(kind),
        text=q,
    )
    return EntriesAnswer(items=[_entry(item, owners) for item in page.items], next_cursor=page.next)


@router.get(
    "/payments/{id}",
    summary="One payment, with its receipt",
    responses=problems(*TOKEN_CODES, "not_found", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def payment(
    id: Annotated[str, Path(pattern=UUID)], principal: SignedIn, parts: WithParts
) -> PaymentAnswer:
    """Whoever paid sees all of it, whoever was paid their own part."""
    view, owners = await parts.activity.payment(principal.person, _raw(id))
    return PaymentAnswer(
        id=ids.write_uuid(view.id),
        kind=_kind_name(view.kind),
        status=_STATUS.get(LegType(view.legs[0].type), "posted"),
        created_at=clock.rfc3339(view.at),
        memo=view.reference,
        refers_to=None if view.cause is None else ids.write_uuid(view.cause),
        postings=[_leg(leg, owners) for leg in view.legs],
    )


@router.get(
    "/payments/{id}/proof",
    summary="Proof that a payment is in the ledger's log, for strangers to check",
    responses=problems(*TOKEN_CODES, "not_found", "not_yet_sealed", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def proof(
    id: Annotated[str, Path(pattern=UUID)],
    principal: SignedIn,
    parts: WithParts,
    leg: Annotated[int | None, Query(ge=0, le=999)] = None,
) -> dict[str, Any]:
    """An inclusion proof (RFC 9162) under a signed head; docs/audit.md says how it is checked.
    `leg` chooses one of several postings; left out, the first that the person may see."""
    view, _ = await parts.activity.payment(principal.person, _raw(id))
    seen = [part.leg for part in view.legs]
    wanted = seen[0] if leg is None else leg
    if wanted not in seen:
        raise NotFound("This payment has no such posting, or it is not yours")
    return await prove(parts.database, parts.settings.keys_dir, view.id, wanted)


@router.get(
    "/audit/heads",
    tags=["audit"],
    summary="The signed heads of the ledger's log, newest first",
    responses=problems("unavailable"),
)
async def heads(
    parts: WithParts,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    below: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> dict[str, Any]:
    """Public: whoever keeps them can tell later whether the log was changed. `below` continues from
    the lowest number of the page before."""
    return await published_heads(parts.database, parts.settings.keys_dir, limit=limit, below=below)


def _raw(id: str) -> bytes:
    raw = ids.read_uuid(id)
    if raw is None:
        raise NotFound("There is no such payment, or it is not yours")
    return raw


def _us(at: datetime | None) -> int | None:
    return None if at is None else clock.to_us(at)


def _kinds(names: list[str] | None) -> list[int] | None:
    if not names:
        return None
    unknown = [name for name in names if name not in _KINDS]
    if unknown:
        raise InvalidRequest(f"kind must be one of {', '.join(sorted(_KINDS))}")
    return [int(_KINDS[name]) for name in names]


def _kind_name(kind: int) -> str:
    return Kind(kind).name.lower()


def _money(amount: int, currency: int | None) -> MoneyAnswer:
    assert currency is not None
    return MoneyAnswer(amount=amount, currency=BY_NUMBER[currency].code)


def _party(account: int | None, owners: dict[int, Owner]) -> PartyAnswer:
    owner = owners.get(account or 0)
    if owner is None:
        return PartyAnswer(name="TikiWallet")
    return PartyAnswer(
        name=owner.display_name,
        username=owner.username,
        wallet_id=ids.write_id("w", owner.wallet),
    )


def _entry(item: Item, owners: dict[int, Owner]) -> EntryAnswer:
    return EntryAnswer(
        id=f"{item.n}",
        payment_id=ids.write_uuid(item.transaction_id),
        created_at=clock.rfc3339(item.at),
        kind=_kind_name(item.kind),
        status=_STATUS.get(LegType(item.type), "posted"),
        direction=item.direction,
        amount=_money(item.amount, item.currency),
        counterparty=_party(item.counterparty, owners),
        memo=item.reference,
        available=item.available,
        posted=item.posted,
    )


def _leg(leg: LegView, owners: dict[int, Owner]) -> LegAnswer:
    return LegAnswer(
        leg=leg.leg,
        status=_STATUS.get(LegType(leg.type), "posted"),
        payer=_party(leg.debit, owners),
        payee=_party(leg.credit, owners),
        amount=_money(leg.amount, leg.currency),
        remaining=_money(leg.left, leg.currency),
        log_number=leg.n,
    )
