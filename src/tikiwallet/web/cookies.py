"""Signing in by cookies, for browsers: script can read none of them but the CSRF token.

The access token and the refresh token travel in HttpOnly, SameSite=Strict cookies. Every unsafe
call that they sign must carry the session's CSRF token in a header, which no other site can read
or send. That token is a keyed hash of the session's id, so nothing is stored for it.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from tikiwallet.errors import Problem
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.known_browsers import LIFETIME as KNOWN_LIFETIME
from tikiwallet.identity.sessions import REFRESH_LIFETIME, Tokens
from tikiwallet.identity.tickets import LIFETIME as TICKET_LIFETIME

REFRESH_PATH: Final = "/v1/auth"
CSRF_COOKIE: Final = "tw_csrf"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REFRESH_SECONDS: Final = int(REFRESH_LIFETIME.total_seconds())
# As long as a ticket that a provider's answer led to.
_OIDC_SECONDS: Final = int(TICKET_LIFETIME.total_seconds())

_KNOWN_SECONDS: Final = int(KNOWN_LIFETIME.total_seconds())

Headers = Iterable[tuple[bytes, bytes]]


class CsrfFailed(Problem):
    code = "csrf_failed"
    title = "This call did not come from our own pages"


class _Claims(msgspec.Struct):
    sid: str


_claims: Final = msgspec.json.Decoder(_Claims)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a call says about the page that it comes from."""

    cookies: bytes
    origin: bytes | None
    site: bytes | None
    token: bytes


class BrowserCookies:
    """Reads and writes the cookies of this installation.

    Under https their names begin with `__Host-` or `__Secure-`, so that no neighbouring host and
    no plain connection can set them.
    """

    def __init__(self, secret: ServerSecret, public_url: str) -> None:
        self._key = secret.subkey("csrf")
        self._origin = public_url.encode()
        self.secure = public_url.startswith("https://")
        self._access = f"{'__Host-' if self.secure else ''}tw_access"
        self._refresh = f"{'__Secure-' if self.secure else ''}tw_refresh"
        self._oidc = f"{'__Secure-' if self.secure else ''}tw_oidc"
        self._known = f"{'__Secure-' if self.secure else ''}tw_known"
        self._access_key = self._access.encode()
        self._refresh_key = self._refresh.encode()

    def authorization(self, headers: Headers, method: str) -> bytes:
        """The value of the Authorization header, or what the access cookie stands for, or nothing.
        A call that has the header is not touched by cookies. Raises `CsrfFailed`."""
        cookies = b""
        for name, value in headers:
            if name == b"authorization":
                return value
            if name == b"cookie":
                cookies = value if not cookies else cookies + b"; " + value
        if not cookies:
            return b""
        token = _cookie(cookies, self._access_key)
        if not token:
            return b""
        if method not in _SAFE:
            session = _session_of(token)
            # A cookie that is no token of ours is refused for what it is, by whoever verifies it.
            if session is not None:
                self.check(headers, session)
        return b"Bearer " + token

    def refresh_token(self, headers: Headers) -> str | None:
        """The refresh token of the call's cookie. Whoever uses it calls `check` first."""
        token = _cookie(_facts(headers).cookies, self._refresh_key)
        return token.decode("latin-1") if token else None

    def check(self, headers: Headers, session: str) -> None:
        """Raises `CsrfFailed` unless the call comes from a page of ours that knows the CSRF token
        of `session` (a UUID as it is written)."""
        facts = self._check_site(headers)
        if not hmac.compare_digest(facts.token, self.csrf_token(session).encode()):
            raise CsrfFailed("The header X-CSRF-Token is missing or is not this session's")

    def check_site(self, headers: Headers) -> None:
        """Raises `CsrfFailed` when a browser says that the call comes from somebody else's page."""
        self._check_site(headers)

    def csrf_token(self, session: str) -> str:
        """What unsafe calls of `session` (a UUID as it is written) must carry."""
        digest = hmac.digest(self._key, session.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def set(self, tokens: Tokens, known: str | None = None) -> list[str]:
        """The Set-Cookie values that sign a browser in, and those by which it is `known` again,
        which signing out leaves."""
        csrf = self.csrf_token(tokens.session_id)
        lines = [
            self._line(self._access, tokens.access_token, "/", tokens.expires_in),
            self._line(self._refresh, tokens.refresh_token, REFRESH_PATH, _REFRESH_SECONDS),
            self._line(CSRF_COOKIE, csrf, "/", _REFRESH_SECONDS, readable=True),
        ]
        if known is not None:
            lines.append(self._line(self._known, known, REFRESH_PATH, _KNOWN_SECONDS))
        return lines

    def clear(self) -> list[str]:
        """The Set-Cookie values that sign a browser out."""
        return [
            self._line(self._access, "", "/", 0),
            self._line(self._refresh, "", REFRESH_PATH, 0),
            self._line(CSRF_COOKIE, "", "/", 0, readable=True),
        ]

    def set_oidc(self, browser: str) -> str:
        """The Set-Cookie value that a browser brings back from a provider; nothing to clear it.
        Whoever sends it back is another site, hence Lax."""
        seconds = _OIDC_SECONDS if browser else 0
        return self._line(self._oidc, browser, REFRESH_PATH, seconds, site="Lax")

    def oidc_of(self, headers: Headers) -> str:
        """What the browser brought back; nothing when it was not sent by us."""
        return _cookie(_facts(headers).cookies, self._oidc.encode()).decode("latin-1")

    def known_of(self, headers: Headers) -> str | None:
        """What a browser that we know says of itself."""
        value = _cookie(_facts(headers).cookies, self._known.encode())
        return value.decode("latin-1") if value else None

    def _check_site(self, headers: Headers) -> _Facts:
        facts = _facts(headers)
        if facts.site is not None and facts.site != b"same-origin":
            raise CsrfFailed("Another site's page asked for this")
        if facts.origin is not None and facts.origin != self._origin:
            raise CsrfFailed("Another site's page asked for this")
        return facts

    def _line(
        self,
        name: str,
        value: str,
        path: str,
        seconds: int,
        *,
        readable: bool = False,
        site: str = "Strict",
    ) -> str:
        parts = [f"{name}={value}", f"Path={path}", f"Max-Age={seconds}", f"SameSite={site}"]
        if self.secure:
            parts.append("Secure")
        if not readable:
            parts.append("HttpOnly")
        return "; ".join(parts)


def _facts(headers: Headers) -> _Facts:
    cookies: list[bytes] = []
    origin = site = None
    token = b""
    for name, value in headers:
        if name == b"cookie":
            cookies.append(value)
        elif name == b"origin":
            origin = value
        elif name == b"sec-fetch-site":
            site = value
        elif name == b"x-csrf-token":
            token = value
    return _Facts(b"; ".join(cookies), origin, site, token)


def _cookie(cookies: bytes, name: bytes) -> bytes:
    """The value of the first cookie called `name`; nothing when there is none."""
    for pair in cookies.split(b";"):
        key, _, value = pair.partition(b"=")
        if key.strip() == name:
            return value.strip()
    return b""


def _session_of(token: bytes) -> str | None:
    """The session that an access token names; whether it may is for its signature to say."""
    parts = token.split(b".")
    if len(parts) != 3:
        return None
    try:
        return _claims.decode(base64.urlsafe_b64decode(parts[1] + b"==")).sid
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
