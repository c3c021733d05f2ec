"""People to pay: those of the last payments, and favourites."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from tikiwallet import clock
from tikiwallet.web.api.bodies import Answer
from tikiwallet.web.openapi import SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/contacts", tags=["contacts"])

_Username = Annotated[str, Path(min_length=1, max_length=60)]


class ContactAnswer(Answer):
    """`to` is what a payment names them by; `last_at` null: no payment with them lately."""

    to: str
    name: str
    last_at: str | None
    favourite: bool


class ContactsAnswer(Answer):
    """Favourites first, then whom you had a payment with, the latest first."""

    items: list[ContactAnswer]


@router.get(
    "",
    summary="Whom you paid or were paid by lately",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def contacts(principal: SignedIn, parts: WithParts) -> ContactsAnswer:
    """From the last payments of your wallets; there is no address book to upload."""
    found = await parts.contacts.of(principal.person)
    return ContactsAnswer(
        items=[
            ContactAnswer(
                to=contact.to,
                name=contact.name,
                last_at=None if contact.last_at is None else clock.rfc3339(contact.last_at),
                favourite=contact.favourite,
            )
            for contact in found
        ]
    )


@router.put(
    "/{username}",
    status_code=204,
    summary="Keep somebody at hand",
    responses=problems(*TOKEN_CODES, "not_found", "username_invalid", "too_many_requests"),
    openapi_extra=SIGNED_IN,
)
async def add(username: _Username, principal: SignedIn, parts: WithParts) -> Response:
    """Counts like a look at a name: limited per day."""
    await parts.contacts.add_favourite(principal.person, username)
    return Response(status_code=204)


@router.delete(
    "/{username}",
    status_code=204,
    summary="No longer keep somebody at hand",
    responses=problems(*TOKEN_CODES, "username_invalid"),
    openapi_extra=SIGNED_IN,
)
async def remove(username: _Username, principal: SignedIn, parts: WithParts) -> Response:
    """Payments with them stay in the history."""
    await parts.contacts.remove_favourite(principal.person, username)
    return Response(status_code=204)
