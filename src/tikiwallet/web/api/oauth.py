"""Tokens for partners' programs: OAuth 2 client credentials (RFC 6749, section 4.4).

Standard client libraries talk to this, so errors have the form of RFC 6749, section 5.2, and not
that of problem documents; only limits and faults of ours are answered as everywhere else.
"""

import base64
import binascii
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import Field

from tikiwallet.identity.clients import GrantError, GrantRefused
from tikiwallet.web.api.bodies import Answer
from tikiwallet.web.openapi import problems
from tikiwallet.web.parts import WithParts, address_of

router = APIRouter(prefix="/v1/oauth", tags=["partners"])

_FORM: Final = "application/x-www-form-urlencoded"
_GRANT: Final = "client_credentials"
_PARAMETERS_MAX: Final = 20
_Error = Literal["invalid_request", "unsupported_grant_type"] | GrantError


class GrantAnswer(Answer):
    """The scope is always told, as separate words."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  RFC 6750's word, no secret
    expires_in: Annotated[int, Field(description="in seconds")]
    scope: str


class OAuthErrorAnswer(Answer):
    """RFC 6749, section 5.2."""

    error: _Error
    error_description: str


class _Refused(Exception):
    def __init__(self, error: _Error, description: str) -> None:
        super().__init__(description)
        self.error: _Error = error
        self.description = description


_REQUEST: Final[dict[str, Any]] = {
    "security": [{"client": []}, {}],
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "grant_type": {"const": _GRANT},
                        "scope": {"type": "string", "description": "words, all of them if absent"},
                        "client_id": {"type": "string", "description": "unless sent by Basic"},
                        "client_secret": {"type": "string"},
                    },
                    "required": ["grant_type"],
                }
            }
        },
    },
}


@router.post(
    "/token",
    summary="An access token for a partner's program",
    response_model=GrantAnswer,
    responses={
        **problems("too_many_requests", "body_too_large", "overloaded", "unavailable"),
        400: {"model": OAuthErrorAnswer, "description": "RFC 6749, section 5.2"},
        401: {"model": OAuthErrorAnswer, "description": "`invalid_client`"},
    },
    openapi_extra=_REQUEST,
)
async def token(request: Request, parts: WithParts) -> Response:
    """The client is named by HTTP Basic or in the form, not by both."""
    try:
        form = _form(request.headers.get("content-type"), await request.body())
        id, secret = _client(request.headers.get("authorization"), form)
        if form.get("grant_type") != _GRANT:
            missing = "grant_type" not in form
            raise _Refused(
                "invalid_request" if missing else "unsupported_grant_type",
                f"grant_type must be {_GRANT}",
            )
        scope = form.get("scope")
        granted = await parts.identity.clients.grant(
            id, secret, None if scope is None else scope.split(), address_of(request)
        )
    except (_Refused, GrantRefused) as refused:
        return _refusal(refused.error, refused.description)
    return _answer(
        200,
        GrantAnswer(
            access_token=granted.access_token,
            expires_in=granted.expires_in,
            scope=" ".join(sorted(granted.scopes)),
        ),
    )


def _form(content_type: str | None, body: bytes) -> dict[str, str]:
    """The parameters; none may come twice, and one without a value counts as not sent."""
    if (content_type or "").partition(";")[0].strip().lower() != _FORM:
        raise _Refused("invalid_request", f"The body must be {_FORM}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_PARAMETERS_MAX,
        )
    except ValueError:
        raise _Refused("invalid_request", "The body is no form") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _Refused("invalid_request", "A parameter comes twice")
    return {name: value for name, value in form.items() if value}


def _client(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """Id and secret of who asks."""
    if authorization is None:
        if "client_id" not in form or "client_secret" not in form:
            raise _Refused("invalid_client", "Name the client by HTTP Basic or in the form")
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise _Refused("invalid_request", "Name the client by HTTP Basic or in the form, not both")
    scheme, _, written = authorization.partition(" ")
    try:
        decoded = base64.b64decode(written.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _Refused("invalid_client", "The header Authorization must be HTTP Basic")
    if form.get("client_id", unquote_plus(id)) != unquote_plus(id):
        raise _Refused("invalid_request", "The form and HTTP Basic name two clients")
    return unquote_plus(id), unquote_plus(secret)


def _refusal(error: _Error, description: str) -> Response:
    answer = OAuthErrorAnswer(error=error, error_description=description)
    if error != "invalid_client":
        return _answer(400, answer)
    response = _answer(401, answer)
    response.headers["www-authenticate"] = 'Basic realm="tikiwallet"'
    return response


def _answer(status: int, answer: Answer) -> Response:
    body = msgspec.json.encode(answer.model_dump())
    # The edge adds no-store; RFC 6749, section 5.1, wants this as well.
    return Response(body, status, {"pragma": "no-cache"}, media_type="application/json")
