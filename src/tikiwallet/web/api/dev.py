"""What stands for the outside world while every provider is the sandbox: the inbox of phones, and
the challenges of card banks. Mounted in no other setting."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Path, Query, Request

from tikiwallet import ids
from tikiwallet.config import is_loopback
from tikiwallet.errors import NotFound
from tikiwallet.payments.gateway import ChargeStatus
from tikiwallet.web.api.bodies import UUID, Answer, Body, TransactionId
from tikiwallet.web.openapi import BODY_CODES, problems
from tikiwallet.web.parts import WithParts

_OF_PROXIES: Final = ("x-forwarded-for", "forwarded", "via")
_PRINTABLE: Final = "^[^\\u0000-\\u001f]+$"


async def only_this_machine(request: Request) -> None:
    """Raises NotFound when the address that the caller wrote is not this machine's, or a proxy
    passed the call on: a page from elsewhere whose name was pointed here, or a stranger behind a
    proxy that writes an address of its own, shall not read anyone's codes."""
    if any(name in request.headers for name in _OF_PROXIES):
        raise NotFound
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise NotFound


router = APIRouter(prefix="/dev", tags=["dev"], dependencies=[Depends(only_this_machine)])


class MessageAnswer(Answer):
    """One message that would have gone out."""

    to: str
    text: str
    code: str | None
    sent_at: str


class InboxAnswer(Answer):
    """Messages to one phone, newest first."""

    items: list[MessageAnswer]


class ChallengeBody(Body):
    """What the person tells the card's bank."""

    outcome: Literal["approve", "decline"]


class ChallengeAnswer(Answer):
    """What became of the charge."""

    id: TransactionId
    status: ChargeStatus


@router.get("/inbox", summary="The messages of a phone", responses=problems("not_found"))
async def inbox(
    parts: WithParts, phone: Annotated[str, Query(max_length=40, pattern=_PRINTABLE)]
) -> InboxAnswer:
    """What a phone would have received."""
    if parts.inbox is None:
        raise NotFound
    messages = await parts.inbox.messages(phone)
    return InboxAnswer(items=[MessageAnswer(**message) for message in messages])


@router.post(
    "/challenges/{id}",
    summary="Answer a card's challenge",
    responses=problems(*BODY_CODES, "not_found", "unavailable"),
)
async def answer_challenge(
    id: Annotated[str, Path(pattern=UUID)], body: ChallengeBody, parts: WithParts
) -> ChallengeAnswer:
    """The top-up goes on at once, as after a provider's webhook. The first answer counts."""
    raw = ids.read_uuid(id)
    if raw is None or parts.card_sandbox is None:
        raise NotFound
    charge = await parts.card_sandbox.complete_challenge(raw, approve=body.outcome == "approve")
    await parts.topups.advance(raw)
    return ChallengeAnswer(id=ids.write_uuid(raw), status=charge.status)
