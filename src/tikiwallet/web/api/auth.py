"""Registering, signing in and out."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from tikiwallet.errors import InvalidRequest
from tikiwallet.identity.codes import Delivery
from tikiwallet.identity.registration import TicketHeld
from tikiwallet.identity.sessions import RefreshInvalid, RefreshReused
from tikiwallet.web.api.bodies import UUID, Answer, Body
from tikiwallet.web.errors import problem_response
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts, address_of, device_of
from tikiwallet.web.tokens_answer import RECEIVER_CODES, Receiver, SignedInAnswer, signed_out

router = APIRouter(prefix="/v1/auth", tags=["auth"])

# Bounds against abuse; what a phone, name or password may be is identity's to say.
_Phone = Annotated[str, Field(min_length=1, max_length=40, examples=["+6591234567"])]
_Name = Annotated[str, Field(min_length=1, max_length=60, examples=["mei.lin"])]
_Password = Annotated[str, Field(min_length=1, max_length=1000)]
_Code = Annotated[str, Field(min_length=1, max_length=12, examples=["123456"])]


class RegisterBody(Body):
    """Who wants to register: with a password, or as who a provider of identities said they are."""

    phone: _Phone
    username: _Name
    password: _Password | None = None
    oidc_ticket: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class RegisterAnswer(Answer):
    """The code that was sent belongs to `registration_id`. While messages are slow or cannot go
    out, `delivery` says so: the code is sent as soon as that changes, within its five minutes."""

    registration_id: Annotated[str, Field(pattern=UUID)]
    delivery: Literal[Delivery.ON_ITS_WAY] | None = None


class ResendBody(Body):
    """Whose code did not arrive."""

    registration_id: Annotated[str, Field(min_length=1, max_length=64)]


class ResendAnswer(Answer):
    """In `retry_after` seconds it may be sent again. `delivery` as in the answer to `register`."""

    delivery: Literal[Delivery.ON_ITS_WAY] | None = None
    retry_after: Annotated[int, Field(ge=0)]


class VerifyBody(Body):
    """The code that arrived by SMS."""

    registration_id: Annotated[str, Field(min_length=1, max_length=64)]
    code: _Code


class LoginBody(Body):
    """Phone and password."""

    phone: _Phone
    password: _Password


class RefreshBody(Body):
    """The newest refresh token of a sign-in; each works once. A browser's is in its cookie."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)] | None = None


@router.post(
    "/register",
    status_code=202,
    response_model_exclude_none=True,
    summary="Begin to register; a code goes out by SMS",
    responses=problems(
        *BODY_CODES,
        "phone_invalid",
        "username_invalid",
        "username_reserved",
        "username_taken",
        "password_weak",
        "oidc_ticket_invalid",
        "too_many_requests",
        "phone_unreachable",
        "code_not_sent",
        "overloaded",
    ),
)
async def register(body: RegisterBody, request: Request, parts: WithParts) -> RegisterAnswer:
    """Whether the phone is registered already is not told. The text message is in the language that
    Accept-Language asks for, if we speak it, and so is the new person's `language` at first."""
    credential: str | TicketHeld | None = body.password
    if body.oidc_ticket is not None and credential is None:
        browser = parts.cookies.oidc_of(request.scope["headers"])
        credential = TicketHeld(body.oidc_ticket, browser)
    elif credential is None or body.oidc_ticket is not None:
        raise InvalidRequest("Give a password or an oidc_ticket, one of them")
    begun = await parts.identity.registration.register(
        body.phone, body.username, credential, address_of(request)
    )
    return RegisterAnswer(registration_id=begun.id, delivery=_told(begun.delivery))


@router.post(
    "/register/resend",
    status_code=202,
    response_model_exclude_none=True,
    summary="Send a new code; the one before no longer works",
    responses=problems(
        *BODY_CODES,
        "code_expired",
        "username_taken",
        "too_many_requests",
        "phone_unreachable",
        "code_not_sent",
    ),
)
async def resend(body: ResendBody, request: Request, parts: WithParts) -> ResendAnswer:
    """The waits between two messages grow."""
    begun = await parts.identity.registration.resend(body.registration_id, address_of(request))
    return ResendAnswer(delivery=_told(begun.delivery), retry_after=begun.retry_after)


@router.post(
    "/verify",
    status_code=201,
    summary="Finish registering with the code; you are signed in",
    responses=problems(
        *BODY_CODES,
        *RECEIVER_CODES,
        "code_wrong",
        "code_expired",
        "username_taken",
        "identity_taken",
        "oidc_ticket_invalid",
    ),
)
async def verify(
    body: VerifyBody, request: Request, receiver: Receiver, parts: WithParts
) -> SignedInAnswer:
    """A person comes into being here."""
    _, tokens = await parts.identity.registration.verify(
        body.registration_id, body.code, address=address_of(request), device=device_of(request)
    )
    return receiver.hand_over(tokens)


@router.post(
    "/login",
    summary="Sign in",
    responses=problems(
        *BODY_CODES,
        *RECEIVER_CODES,
        "invalid_credentials",
        "second_factor_required",
        "phone_invalid",
        "too_many_requests",
        "overloaded",
    ),
)
async def login(
    body: LoginBody, request: Request, receiver: Receiver, parts: WithParts
) -> SignedInAnswer:
    """An unknown phone and a wrong password get the same answer. Where a second factor is on, the
    problem `second_factor_required` has `challenge_id`, `methods` and `expires_in` (seconds)."""
    tokens = await parts.identity.sessions.login(
        body.phone, body.password, address_of(request), device=device_of(request)
    )
    return receiver.hand_over(tokens)


@router.post(
    "/refresh",
    summary="Get the next tokens of a sign-in",
    responses=problems(*BODY_CODES, *RECEIVER_CODES, "refresh_invalid", "refresh_reused"),
    response_model=SignedInAnswer,
)
async def refresh(
    body: RefreshBody, request: Request, receiver: Receiver, parts: WithParts
) -> Response | SignedInAnswer:
    """A refresh token that comes back was copied, so the whole sign-in ends; only the device whose
    answer was lost may ask again within ten seconds. Without a token in the body, and with
    `Tikiwallet-Session: cookie`, the cookie's is taken."""
    renew = partial(
        parts.identity.sessions.refresh, address=address_of(request), device=device_of(request)
    )
    if body.refresh_token is not None:
        return receiver.hand_over(await renew(body.refresh_token), signed_in=False)
    headers = request.scope["headers"]
    token = None if receiver.cookies is None else receiver.cookies.refresh_token(headers)
    if receiver.cookies is None or token is None:
        raise RefreshInvalid("There is no refresh token, neither in the body nor in a cookie")
    cookies = receiver.cookies
    try:
        tokens = await renew(token, lambda session: cookies.check(headers, session))
    except (RefreshInvalid, RefreshReused) as problem:
        return signed_out(cookies, problem_response(problem))
    return receiver.hand_over(tokens, signed_in=False)


@router.post(
    "/logout",
    status_code=204,
    summary="End this sign-in everywhere",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def logout(principal: SignedIn, parts: WithParts) -> Response:
    """Its tokens stop to work within a second, and a browser forgets its cookies."""
    await parts.identity.sessions.logout(principal.session)
    return signed_out(parts.cookies, Response(status_code=204))


def _told(delivery: Delivery) -> Literal[Delivery.ON_ITS_WAY] | None:
    return delivery if delivery is Delivery.ON_ITS_WAY else None
