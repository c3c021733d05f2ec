"""Confirming a session, before sensitive changes."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from tikiwallet.web.api.bodies import Body, NothingBody
from tikiwallet.web.api.passkeys import Credential, OptionsAnswer
from tikiwallet.web.api.second_factors import SentAnswer
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/auth/reauthenticate", tags=["auth"])


class ReauthenticateBody(Body):
    """`code`, of the authenticator app, by SMS, or a recovery code, is needed of whoever has a
    second factor."""

    password: Annotated[str, Field(min_length=1, max_length=1000)]
    code: Annotated[str, Field(min_length=1, max_length=40)] | None = None


class CredentialBody(Body):
    """A passkey's answer to the options."""

    credential: Credential


@router.post(
    "",
    status_code=204,
    summary="Confirm that it is you, with your password",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "password_wrong",
        "factor_code_required",
        "code_wrong",
        "code_expired",
        "too_many_requests",
        "overloaded",
    ),
    openapi_extra=SIGNED_IN,
)
async def by_password(body: ReauthenticateBody, principal: SignedIn, parts: WithParts) -> Response:
    """Holds for this session, for ten minutes, as a fresh sign-in does."""
    await parts.identity.step_up.by_password(
        principal.person, principal.session, body.password, body.code
    )
    return Response(status_code=204)


@router.post(
    "/sms",
    status_code=202,
    summary="Have a code sent, to confirm that it is you",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "not_found",
        "second_factor_unavailable",
        "too_many_requests",
        "phone_unreachable",
        "code_not_sent",
    ),
    openapi_extra=SIGNED_IN,
)
async def send_sms(_body: NothingBody, principal: SignedIn, parts: WithParts) -> SentAnswer:
    """It goes with the password. Only the newest code works, for this session."""
    wait = await parts.identity.step_up.send_sms(principal.person, principal.session)
    return SentAnswer(retry_after=wait)


@router.post(
    "/passkey/options",
    summary="What to ask a passkey for, to confirm that it is you",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "no_passkey", "too_many_requests"),
    openapi_extra=SIGNED_IN,
)
async def passkey_options(
    _body: NothingBody, principal: SignedIn, parts: WithParts
) -> OptionsAnswer:
    """One of your own."""
    options = await parts.identity.step_up.passkey_options(principal.person, principal.session)
    return OptionsAnswer(public_key=options)


@router.post(
    "/passkey",
    status_code=204,
    summary="Confirm that it is you, with a passkey",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "passkey_invalid"),
    openapi_extra=SIGNED_IN,
)
async def by_passkey(body: CredentialBody, principal: SignedIn, parts: WithParts) -> Response:
    """Holds for this session, for ten minutes."""
    await parts.identity.step_up.by_passkey(principal.person, principal.session, body.credential)
    return Response(status_code=204)
