"""Rate limits by person, address and kind of route, around the API.

They hold back programs that ask without end; what guards codes, PINs and passwords is counted in
the database (`identity/limits.py`). The fast lane goes around this: payments have a budget of
refusals, and a balance costs less than counting it. A person's limit is used up by that person's
own requests only, so nobody can lock out anybody else; an address may be shared by many, so its
limits are generous.
"""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from tikiwallet.errors import Problem
from tikiwallet.identity.limits import TooManyRequests, address_subject
from tikiwallet.identity.tokens import TokenVerifier
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.errors import problem_response
from tikiwallet.web.rate_counters import Ask, RateCounters

_REFUSED: Final = Counter(
    "tikiwallet_http_rate_limited_total", "Requests refused because there were too many", ["rate"]
)


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a minute, of one person (or partner's program) and of one address."""

    name: str
    by_person: int
    by_address: int


SIGN_IN: Final = Rate("sign-in", 60, 600)
LOOK_UP: Final = Rate("look-up", 60, 1_200)
CHANGE: Final = Rate("change", 120, 6_000)
ISSUE: Final = Rate("issue", 30, 1_200)  # each leaves a row for good, and a signature
READ: Final = Rate("read", 600, 30_000)

# The first row that fits decides; `*` is any method. What is not under /v1/ is free: files, pages,
# health, documentation.
TABLE: Final[tuple[tuple[str, str, Rate], ...]] = (
    ("GET", "/v1/auth/", SIGN_IN),
    ("POST", "/v1/auth/", SIGN_IN),
    ("POST", "/v1/oauth/", SIGN_IN),
    ("GET", "/v1/names/", LOOK_UP),
    ("GET", "/v1/people/", LOOK_UP),
    ("POST", "/v1/offline/devices", ISSUE),
    ("POST", "/v1/offline/passes", ISSUE),
    ("GET", "/v1/", READ),
    ("HEAD", "/v1/", READ),
    ("*", "/v1/", CHANGE),
)


def rate_of(method: str, path: str) -> Rate | None:
    """The rate that a route belongs to; None when it is free."""
    if not path.startswith("/v1/"):
        return None
    for methods, prefix, rate in TABLE:
        if path.startswith(prefix) and methods in (method, "*"):
            return rate
    return None


class RateLimits:
    """Wraps the API; refuses with `too_many_requests` and Retry-After."""

    def __init__(
        self,
        app: ASGIApp,
        counters: RateCounters,
        *,
        verifier: TokenVerifier,
        cookies: BrowserCookies,
    ) -> None:
        self._app = app
        self._counters = counters
        self._verifier = verifier
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        rate = rate_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if rate is not None:
            seconds = await self._counters.hit(self._asks(rate, scope))
            if seconds:
                _REFUSED.labels(rate.name).inc()
                refused = problem_response(TooManyRequests(retry_after=seconds))
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _asks(self, rate: Rate, scope: Scope) -> list[Ask]:
        asks = []
        client = scope.get("client")
        if client is not None:
            subject = f"address {address_subject(client[0])}"
            asks.append(Ask(rate.name, subject, rate.by_address))
        caller = self._caller(scope)
        if caller is not None:
            asks.append(Ask(rate.name, caller, rate.by_person))
        return asks

    def _caller(self, scope: Scope) -> str | None:
        """Who signed the request. What is wrong with a token is told by the route."""
        try:
            signed = self._cookies.authorization(scope["headers"], scope["method"])
            principal = self._verifier.verify(signed)
        except Problem:
            return None
        if principal.person:
            return f"person {principal.person}"
        return f"program {principal.session.hex()}"
