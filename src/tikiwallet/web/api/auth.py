"""Registering, signing in and out."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from tikiwallet.errors import Problem
from tikiwallet.identity.sessions import Tokens
from tikiwallet.web.api.bodies import UUID, Answer, Body
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts, address_of

router = APIRouter(prefix="/v1/auth", tags=["auth"])

# Bounds against abuse; what a phone, name or password may be is identity's to say.
_Phone = Annotated[str, Field(min_length=1, max_length=40, examples=["+6591234567"])]
_Name = Annotated[str, Field(min_length=1, max_length=60, examples=["mei.lin"])]
_Password = Annotated[str, Field(min_length=1, max_length=1000)]
_Code = Annotated[str, Field(min_length=1, max_length=12, examples=["123456"])]


class SecondFactorUnknown(Problem):
    code = "second_factor_unknown"
    title = "There is no such challenge, or it has run out; sign in again"


class RegisterBody(Body):
    """Who wants to register."""

    phone: _Phone
    username: _Name
    password: _Password


class RegisterAnswer(Answer):
    """The code that was sent belongs to `registration_id`."""

    registration_id: Annotated[str, Field(pattern=UUID)]


class VerifyBody(Body):
    """The code that arrived by SMS."""

    registration_id: Annotated[str, Field(min_length=1, max_length=64)]
    code: _Code


class LoginBody(Body):
    """Phone and password."""

    phone: _Phone
    password: _Password


class SecondFactorBody(Body):
    """The answer to a challenge."""

    challenge_id: Annotated[str, Field(min_length=1, max_length=64)]
    code: _Code


class RefreshBody(Body):
    """The newest refresh token of a sign-in; each works once."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class TokensAnswer(Answer):
    """`expires_in` seconds from now the access token ends; the refresh token gets the next."""

    person_id: str
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  RFC 6750's word, no secret
    expires_in: int
    refresh_token: str


@router.post(
    "/register",
    status_code=202,
    summary="Begin to register; a code goes out by SMS",
    responses=problems(
        *BODY_CODES,
        "phone_invalid",
        "username_invalid",
        "username_reserved",
        "username_taken",
        "password_weak",
        "too_many_requests",
        "code_not_sent",
        "overloaded",
    ),
)
async def register(body: RegisterBody, request: Request, parts: WithParts) -> RegisterAnswer:
    """Whether the phone is registered already is not told."""
    id = await parts.identity.registration.register(
        body.phone, body.username, body.password, address_of(request)
    )
    return RegisterAnswer(registration_id=id)


@router.post(
    "/verify",
    status_code=201,
    summary="Finish registering with the code; you are signed in",
    responses=problems(*BODY_CODES, "code_wrong", "code_expired", "username_taken"),
)
async def verify(body: VerifyBody, parts: WithParts) -> TokensAnswer:
    """A person comes into being here."""
    _, tokens = await parts.identity.registration.verify(body.registration_id, body.code)
    return _answer(tokens)


@router.post(
    "/login",
    summary="Sign in",
    responses=problems(
        *BODY_CODES,
        "invalid_credentials",
        "second_factor_required",
        "phone_invalid",
        "too_many_requests",
        "overloaded",
    ),
)
async def login(body: LoginBody, request: Request, parts: WithParts) -> TokensAnswer:
    """An unknown phone and a wrong password get the same answer."""
    tokens = await parts.identity.sessions.login(body.phone, body.password, address_of(request))
    return _answer(tokens)


@router.post(
    "/second-factor",
    summary="Answer the challenge of a sign-in",
    responses=problems(*BODY_CODES, "second_factor_unknown"),
)
async def second_factor(_body: SecondFactorBody) -> TokensAnswer:
    """Nobody has a second factor yet, so no challenge was ever made and none is known."""
    raise SecondFactorUnknown


@router.post(
    "/refresh",
    summary="Get the next tokens of a sign-in",
    responses=problems(*BODY_CODES, "refresh_invalid", "refresh_reused"),
)
async def refresh(body: RefreshBody, parts: WithParts) -> TokensAnswer:
    """A refresh token that comes back was copied, so the whole sign-in ends."""
    return _answer(await parts.identity.sessions.refresh(body.refresh_token))


@router.post(
    "/logout",
    status_code=204,
    summary="End this sign-in everywhere",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def logout(principal: SignedIn, parts: WithParts) -> Response:
    """Its tokens stop to work within a second."""
    await parts.identity.sessions.logout(principal.session)
    return Response(status_code=204)


def _answer(tokens: Tokens) -> TokensAnswer:
    return TokensAnswer(
        person_id=tokens.person_id,
        access_token=tokens.access_token,
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
    )
