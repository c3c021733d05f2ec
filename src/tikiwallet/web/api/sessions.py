"""Where the person is signed in, and ending that."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from tikiwallet import clock, ids
from tikiwallet.errors import NotFound
from tikiwallet.web.api.bodies import UUID, Answer
from tikiwallet.web.openapi import SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts
from tikiwallet.web.tokens_answer import signed_out

router = APIRouter(prefix="/v1/me/sessions", tags=["me"])


class SessionAnswer(Answer):
    """One sign-in. `device` is empty and `address` null where that is not known; `place` is rough,
    and null unless whoever runs the service has a file of places. `last_seen_at` is up to a minute
    late."""

    id: Annotated[str, Field(pattern=UUID)]
    current: bool
    device: str
    address: str | None
    place: str | None
    method: str
    created_at: str
    last_seen_at: str


class SessionsAnswer(Answer):
    """Sign-ins that hold, those last in use first."""

    items: list[SessionAnswer]


class EndedAnswer(Answer):
    """How many sign-ins were ended."""

    ended: int


@router.get(
    "",
    summary="Where you are signed in",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def sessions(principal: SignedIn, parts: WithParts) -> SessionsAnswer:
    """The newest hundred, if there are more."""
    found = await parts.identity.sessions.of(principal.person)
    return SessionsAnswer(
        items=[
            SessionAnswer(
                id=ids.write_uuid(one.id),
                current=one.id == principal.session,
                device=one.device,
                address=one.address,
                place=parts.places.of(one.address),
                method=one.method,
                created_at=clock.write(one.created_at),
                last_seen_at=clock.write(one.last_seen_at),
            )
            for one in found
        ]
    )


@router.delete(
    "/{id}",
    status_code=204,
    summary="End one of your sign-ins",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def end_one(
    id: Annotated[str, Path(pattern=UUID)], principal: SignedIn, parts: WithParts
) -> Response:
    """Its tokens stop to work everywhere within a second."""
    session = ids.read_uuid(id)
    if session is None:
        raise NotFound
    await parts.identity.sessions.end_own(principal.person, session, "ended by person")
    response = Response(status_code=204)
    return signed_out(parts.cookies, response) if session == principal.session else response


@router.delete(
    "",
    summary="End all of your sign-ins but this one",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def end_others(principal: SignedIn, parts: WithParts) -> EndedAnswer:
    """Their tokens stop to work everywhere within a second."""
    ended = await parts.identity.sessions.end_all(
        principal.person, "ended by person", keep=principal.session
    )
    return EndedAnswer(ended=ended)
