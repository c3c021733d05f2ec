"""What a person is told about their account, and the audit trail that it comes from."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from tikiwallet import clock
from tikiwallet.identity import origin
from tikiwallet.web.api.bodies import Answer, Body
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/me", tags=["me"])

_Cursor = Annotated[str | None, Query(min_length=1, max_length=64)]
_Limit = Annotated[int, Query(ge=1, le=100)]


class NoticeAnswer(Answer):
    """One notice, in the language that the person chose, else in what Accept-Language asks for."""

    id: str
    kind: str
    title: str
    text: str
    at: str
    read: bool


class NoticesAnswer(Answer):
    """Newest first; `unread` counts all, not only those of this page."""

    items: list[NoticeAnswer]
    next_cursor: str | None
    unread: int


class ReadBody(Body):
    """The newest notice that was seen."""

    up_to: Annotated[str, Field(min_length=1, max_length=64)]


class SecurityEventAnswer(Answer):
    """What happened to the account, where from; `detail` holds a few plain facts."""

    at: str
    kind: str
    device: str | None
    address: str | None
    detail: dict[str, object]


class SecurityEventsAnswer(Answer):
    """Newest first."""

    items: list[SecurityEventAnswer]
    next_cursor: str | None


@router.get(
    "/notices",
    summary="What you should know: new sign-ins, changed PINs, recoveries",
    responses=problems(*TOKEN_CODES, "bad_cursor"),
    openapi_extra=SIGNED_IN,
)
async def notices(
    principal: SignedIn, parts: WithParts, cursor: _Cursor = None, limit: _Limit = 30
) -> NoticesAnswer:
    """A notice appears about a second after what it tells of."""
    person = await parts.identity.people.person(principal.person)
    chosen = None if person is None else person.language
    language = chosen or origin.asked_language()
    page = await parts.notices.page(principal.person, language, cursor, limit)
    return NoticesAnswer(
        items=[
            NoticeAnswer(
                id=item.text_id,
                kind=item.kind,
                title=item.title,
                text=item.text,
                at=clock.write(item.at),
                read=item.read,
            )
            for item in page.items
        ],
        next_cursor=page.next_cursor,
        unread=page.unread,
    )


@router.post(
    "/notices/read",
    status_code=204,
    summary="Mark notices as read",
    responses=problems(*TOKEN_CODES, *BODY_CODES),
    openapi_extra=SIGNED_IN,
)
async def mark_read(body: ReadBody, principal: SignedIn, parts: WithParts) -> Response:
    """This one and all before it; a mark never goes back."""
    await parts.notices.mark_read(principal.person, body.up_to)
    return Response(status_code=204)


@router.get(
    "/security-events",
    summary="Everything that touched the safety of your account",
    responses=problems(*TOKEN_CODES, "bad_cursor"),
    openapi_extra=SIGNED_IN,
)
async def events(
    principal: SignedIn, parts: WithParts, cursor: _Cursor = None, limit: _Limit = 50
) -> SecurityEventsAnswer:
    """The audit trail: rows are only ever added to it."""
    found, following = await parts.identity.events.page(
        parts.database, principal.person, cursor, limit
    )
    return SecurityEventsAnswer(
        items=[
            SecurityEventAnswer(
                at=clock.write(event.at),
                kind=event.kind,
                device=event.device,
                address=event.address,
                detail=event.detail,
            )
            for event in found
        ],
        next_cursor=following,
    )
