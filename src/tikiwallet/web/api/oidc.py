"""Signing in through others (OpenID Connect): there, back again, and which identities are linked.

Browsers are sent through these addresses, so whatever goes wrong on the way is told by the app's
own page, in words, and not by a problem document.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from tikiwallet import clock
from tikiwallet.errors import InvalidRequest, Problem
from tikiwallet.identity.federation import (
    HOME,
    Failed,
    Linked,
    Return,
    SignedIn,
    Unknown,
    check_path,
)
from tikiwallet.identity.sessions import SecondFactorRequired
from tikiwallet.web.api.bodies import Answer, Body
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn as Person
from tikiwallet.web.parts import WithParts, address_of, device_of
from tikiwallet.web.step_up import STEP_UP_CODES, SteppedUp

router = APIRouter(prefix="/v1", tags=["auth"])

WELCOME: Final = "/welcome"
_LONGEST: Final = 4_000
_Provider = Annotated[str, Path(pattern="^[a-z][a-z0-9-]{0,29}$")]
_Brought = Annotated[str | None, Query(max_length=_LONGEST)]
_SENT_ON: Final[dict[int | str, dict[str, Any]]] = {
    303: {"description": "The browser is sent on", "content": {}}
}


class ProviderAnswer(Answer):
    """One provider; `name` is for people."""

    provider: str
    name: str


class ProvidersAnswer(Answer):
    """Providers that one may sign in through."""

    items: list[ProviderAnswer]


class LinkBody(Body):
    """The app's path to come back to."""

    return_to: Annotated[str, Field(min_length=1, max_length=500)] = HOME


class LocationAnswer(Answer):
    """Where the browser goes."""

    location: str


class IdentityAnswer(Answer):
    """One linked identity; `provider` is null once it cannot be signed in through any more."""

    provider: str | None
    name: str
    linked_at: str
    last_used_at: str | None


class IdentitiesAnswer(Answer):
    """Linked identities, oldest first."""

    items: list[IdentityAnswer]


@router.get(
    "/auth/oidc", summary="Through whom one may sign in", responses=problems("internal_error")
)
async def providers(parts: WithParts) -> ProvidersAnswer:
    """As the operator configured them."""
    names = parts.identity.federation.names
    return ProvidersAnswer(
        items=[ProviderAnswer(provider=id, name=name) for id, name in names.items()]
    )


@router.get(
    "/auth/oidc/{provider}/start",
    summary="Send a browser to a provider",
    status_code=303,
    responses={**problems("not_found"), **_SENT_ON},
    response_class=Response,
)
async def start(
    provider: _Provider, request: Request, parts: WithParts, return_to: _Brought = None
) -> Response:
    """A link leads here, not script. Afterwards the app opens at `return_to`."""
    where = _path(return_to)
    try:
        begun = await parts.identity.federation.start(provider, where, address=address_of(request))
    except Problem as problem:
        if provider not in parts.identity.federation.names:
            raise
        return _sent(WELCOME, oidc_error=problem.code)
    response = _sent(begun.location)
    response.headers.append("set-cookie", parts.cookies.set_oidc(begun.browser))
    return response


@router.get(
    "/auth/oidc/{provider}/callback",
    summary="Where a provider sends people back to",
    status_code=303,
    responses={**problems("not_found"), **_SENT_ON},
    response_class=Response,
)
async def callback(
    provider: _Provider,
    request: Request,
    parts: WithParts,
    state: _Brought = None,
    code: _Brought = None,
    error: _Brought = None,
    iss: _Brought = None,
) -> Response:
    """Works in the browser that was sent, once, within ten minutes. Signs in by cookies."""
    browser = parts.cookies.oidc_of(request.scope["headers"])
    outcome = await parts.identity.federation.finish(
        provider,
        Return(state, code, error, iss),
        browser,
        address=address_of(request),
        device=device_of(request),
    )
    match outcome:
        case SignedIn(tokens, return_to):
            response = _sent(return_to)
            known = parts.identity.known_browsers.issue(tokens.person_id)
            for line in parts.cookies.set(tokens, known):
                response.headers.append("set-cookie", line)
        case Unknown(ticket, return_to):
            # The cookie stays: the ticket works only beside it.
            return _sent(WELCOME, oidc=ticket, provider=provider, return_to=return_to)
        case Linked(return_to):
            response = _sent(return_to)
        case Failed(problem, return_to, linking):
            if isinstance(problem, SecondFactorRequired):
                response = _sent(WELCOME, **_challenge(problem), return_to=return_to)
            else:
                response = _sent(return_to if linking else WELCOME, oidc_error=problem.code)
    response.headers.append("set-cookie", parts.cookies.set_oidc(""))
    return response


@router.get(
    "/me/identities",
    summary="Identities elsewhere that sign you in here",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def identities(principal: Person, parts: WithParts) -> IdentitiesAnswer:
    """One for each provider at most."""
    found = await parts.identity.federation.of(principal.person)
    return IdentitiesAnswer(
        items=[
            IdentityAnswer(
                provider=one.provider,
                name=one.name,
                linked_at=clock.write(one.linked_at),
                last_used_at=None if one.last_used_at is None else clock.write(one.last_used_at),
            )
            for one in found
        ]
    )


@router.post(
    "/me/identities/{provider}/start",
    summary="Begin to link an identity of a provider",
    responses=problems(
        *STEP_UP_CODES, *BODY_CODES, "not_found", "oidc_unavailable", "too_many_requests"
    ),
    openapi_extra=SIGNED_IN,
)
async def link(
    provider: _Provider,
    body: LinkBody,
    request: Request,
    response: Response,
    principal: SteppedUp,
    parts: WithParts,
) -> LocationAnswer:
    """Send the browser to `location`; it comes back to `return_to`."""
    begun = await parts.identity.federation.start(
        provider, body.return_to, session=principal.session, address=address_of(request)
    )
    response.headers.append("set-cookie", parts.cookies.set_oidc(begun.browser))
    return LocationAnswer(location=begun.location)


@router.delete(
    "/me/identities/{provider}",
    status_code=204,
    summary="Forget your identity at a provider",
    responses=problems(*STEP_UP_CODES, "not_found", "identity_last"),
    openapi_extra=SIGNED_IN,
)
async def unlink(provider: _Provider, principal: SteppedUp, parts: WithParts) -> Response:
    """It signs you in no more; sign-ins that hold go on."""
    await parts.identity.federation.unlink(principal.person, provider)
    return Response(status_code=204)


def _path(return_to: str | None) -> str:
    """Where to go afterwards; home, if it is not ours to send anybody to."""
    try:
        check_path(return_to or "")
    except InvalidRequest:
        return HOME
    return return_to or HOME


def _challenge(problem: Problem) -> dict[str, str]:
    """What the app needs to ask for the second factor."""
    members = {}
    for name in ("challenge_id", "methods", "expires_in"):
        value = problem.extra.get(name)
        if value is not None:
            members[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return members


def _sent(place: str, **query: str) -> Response:
    joined = "&" if "?" in place else "?"
    location = f"{place}{joined}{urlencode(query)}" if query else place
    return Response(status_code=303, headers={"location": location})
