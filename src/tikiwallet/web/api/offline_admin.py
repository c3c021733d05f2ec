"""Offline money for operators' programs: read only, with a service token of scope offline:read."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from tikiwallet import ids
from tikiwallet.errors import InvalidRequest
from tikiwallet.web.openapi import TOKEN_CODES, problems
from tikiwallet.web.parts import WithParts, parts_of

SCOPE = "offline:read"


async def _allowed(request: Request) -> None:
    """Raises the problems of `TokenVerifier.verify`, and ScopeMissing."""
    parts = await parts_of(request)
    # A service's token comes in the header alone: no browser holds one.
    signed = request.headers.get("authorization", "")
    parts.identity.verifier.verify(signed.encode("latin-1")).require(SCOPE)


router = APIRouter(prefix="/v1/admin/offline", tags=["operators"], dependencies=[Depends(_allowed)])
_SERVICE: dict[str, Any] = {"security": [{"service": []}]}
_Limit = Annotated[int, Query(ge=1, le=1_000)]
_State = Literal["reserving", "refused", "open", "closed", "expired", "returned"]


@router.get(
    "/passes",
    summary="Passes, newest first",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=_SERVICE,
)
async def passes(
    parts: WithParts,
    state: _State | None = None,
    person: Annotated[str | None, Query(min_length=15, max_length=15)] = None,
    frozen: bool = False,
    limit: _Limit = 100,
) -> dict[str, Any]:
    """`frozen=true`: only those of devices that signed twice and are stopped."""
    number = None if person is None else ids.read_id("p", person)
    if person is not None and number is None:
        raise InvalidRequest("person is not a person's id", pointer="query:person")
    found = await parts.offline.settling.reports.passes(
        state=state, person=number, frozen=frozen, limit=limit
    )
    return {"items": found}


@router.get(
    "/exposure",
    summary="What is outstanding in passes, by state and age, and what claims lack",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=_SERVICE,
)
async def exposure(parts: WithParts) -> dict[str, Any]:
    """Minor units by currency. `waiting` are payments for which their payees' wallets have no room
    although the claims of their passes are over; `tikiwallet admin offline let-go` ends one."""
    return await parts.offline.settling.reports.exposure()


@router.get(
    "/conflicts",
    summary="Keys that signed twice, with what was paid to whom, newest first",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=_SERVICE,
)
async def conflicts(parts: WithParts, limit: _Limit = 100) -> dict[str, Any]:
    """Each is proven by its evidence; whether it was fraud is for a person to decide."""
    return {"items": await parts.offline.settling.reports.conflicts(limit)}


@router.get(
    "/conflicts/{id}/evidence",
    summary="One conflict as a document that proves itself",
    responses=problems(*TOKEN_CODES, "not_found", "unavailable"),
    openapi_extra=_SERVICE,
)
async def evidence(parts: WithParts, id: Annotated[int, Path(ge=1, le=2**53)]) -> dict[str, Any]:
    """`tikiwallet offline verify-evidence` checks it, with the root key alone."""
    return await parts.offline.settling.reports.evidence(id)


@router.get(
    "/debts",
    summary="Who owes what to whom after conflicts, newest first",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=_SERVICE,
)
async def debts(parts: WithParts, limit: _Limit = 100) -> dict[str, Any]:
    """`state`: `open`, `creditor_full` (open, but its creditor's wallet has no room), `paid`, or
    why it is not collected any more: `debtor_closed`, `creditor_closed`, `written_off`. `creditor`
    null: the guarantee fund. `forgiven`: what was written off, also of a debt that is open again
    as the fund has paid more."""
    return {"items": await parts.offline.settling.reports.debts(limit)}


@router.get(
    "/fund",
    summary="The guarantee fund: balance, caps, paid, owed",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=_SERVICE,
)
async def fund(parts: WithParts) -> dict[str, Any]:
    """Minor units by currency."""
    return {"items": await parts.offline.settling.reports.fund()}
