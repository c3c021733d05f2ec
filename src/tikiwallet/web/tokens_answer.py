"""How every call that signs somebody in hands over the tokens: in the body, or as cookies.

A route takes a `Receiver`, and returns `receiver.hand_over(tokens)`:

    @router.post("/login", responses=problems(*RECEIVER_CODES, ...))
    async def login(body: LoginBody, receiver: Receiver, parts: WithParts) -> SignedInAnswer:
        return receiver.hand_over(await parts.identity.sessions.login(...))
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Depends, Header, Request, Response

from tikiwallet.identity.known_browsers import KnownBrowsers
from tikiwallet.identity.sessions import Tokens
from tikiwallet.web.api.bodies import Answer
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.parts import Parts, parts_of

# Problems of every route with a `Receiver`, beside its own.
RECEIVER_CODES: Final = ("csrf_failed",)


class TokensAnswer(Answer):
    """`expires_in` seconds from now the access token ends; the refresh token gets the next."""

    person_id: str
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  RFC 6750's word, no secret
    expires_in: int
    refresh_token: str


class CookiesAnswer(Answer):
    """The tokens are in cookies; unsafe calls carry `csrf_token` as X-CSRF-Token."""

    person_id: str
    expires_in: int
    csrf_token: str


SignedInAnswer: TypeAlias = TokensAnswer | CookiesAnswer


@dataclass(frozen=True, slots=True)
class TokenReceiver:
    """Whoever asked for tokens, and how they want them."""

    cookies: BrowserCookies | None  # None: in the body
    response: Response
    browsers: KnownBrowsers

    def hand_over(self, tokens: Tokens, *, signed_in: bool = True) -> SignedInAnswer:
        """The answer's body; cookies go out with the response that carries it. A browser that has
        `signed_in`, and not only refreshed its tokens, is known from then on."""
        if self.cookies is None:
            return TokensAnswer(
                person_id=tokens.person_id,
                access_token=tokens.access_token,
                expires_in=tokens.expires_in,
                refresh_token=tokens.refresh_token,
            )
        known = self.browsers.issue(tokens.person_id) if signed_in else None
        for line in self.cookies.set(tokens, known):
            self.response.headers.append("set-cookie", line)
        return CookiesAnswer(
            person_id=tokens.person_id,
            expires_in=tokens.expires_in,
            csrf_token=self.cookies.csrf_token(tokens.session_id),
        )


async def receiver_of(
    request: Request,
    response: Response,
    parts: Annotated[Parts, Depends(parts_of)],
    tikiwallet_session: Annotated[
        Literal["cookie"] | None,
        Header(description="`cookie`: tokens come as HttpOnly cookies, not in the body."),
    ] = None,
) -> TokenReceiver:
    """Raises CsrfFailed when a browser asks for cookies from another site's page: that page would
    sign its reader in as somebody else."""
    if tikiwallet_session is None:
        return TokenReceiver(None, response, parts.identity.known_browsers)
    parts.cookies.check_site(request.scope["headers"])
    return TokenReceiver(parts.cookies, response, parts.identity.known_browsers)


def signed_out(cookies: BrowserCookies, response: Response) -> Response:
    """`response`, telling a browser to forget its sign-in; other clients do not mind."""
    for line in cookies.clear():
        response.headers.append("set-cookie", line)
    return response


Receiver = Annotated[TokenReceiver, Depends(receiver_of)]
