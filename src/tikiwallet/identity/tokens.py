"""Access tokens: signed JWTs, made by `TokenIssuer`, checked and remembered by `TokenVerifier`."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import jwt

from tikiwallet import clock, ids
from tikiwallet.errors import Problem
from tikiwallet.identity.keys import TokenKeys
from tikiwallet.recent import Recent

ACCESS_SECONDS: Final = 21_600
ALGORITHM: Final = "EdDSA"
PERSON_SCOPE: Final = "person"
# What a service token may be allowed to do; grows as endpoints for services do.
SERVICE_SCOPES: Final = frozenset({"balances:read", "offline:read"})

_LONGEST = 4096
# The one way to write a token. Base64's unused bits, and what decoders skip, would let the same
# signature be sent in any number of ways.
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]", re.ASCII)
_PREFIXES = ("Bearer ", b"Bearer ")
_SKEW_SECONDS = 60
_REQUIRED = ["iss", "sub", "sid", "iat", "exp", "jti", "scope"]


class TokenMissing(Problem):
    code = "token_missing"
    title = "This needs an access token: Authorization: Bearer ..."


class TokenInvalid(Problem):
    code = "token_invalid"
    title = "This access token is not one of ours"


class TokenExpired(Problem):
    code = "token_expired"
    title = "This access token has expired; refresh it"


class TokenRevoked(Problem):
    code = "token_revoked"
    title = "This sign-in was ended"


class ScopeMissing(Problem):
    code = "scope_missing"
    title = "This access token does not allow that"


class SignInUnavailable(Problem):
    code = "sign_in_unavailable"
    title = "Sign-ins cannot be checked right now; try again in a moment"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `expires_at` is in microseconds since 1970; `person` is 0 for a service."""

    person: int
    session: bytes
    scopes: frozenset[str]
    expires_at: int
    service: bool

    def require(self, scope: str) -> None:
        """Raises `ScopeMissing` unless the token allows `scope`."""
        if scope not in self.scopes:
            raise ScopeMissing(f"This access token lacks the scope {scope}")


class RevokedSessions(Protocol):
    """What a verifier needs to know of ended sessions; see `revocations.Revocations`."""

    @property
    def revoked(self) -> Mapping[bytes, int]:
        """Ended sessions, until when their access tokens could run."""
        ...

    @property
    def fresh_until(self) -> float:
        """Until when `revoked` may be relied on, as `clock.boot_seconds` tells time: the wall clock
        may be set back."""
        ...


class TokenIssuer:
    """Signs access tokens with the current key. `issuer` is the claim `iss`."""

    def __init__(self, keys: TokenKeys, issuer: str, now: Callable[[], int] = clock.now_us) -> None:
        self._keys = keys
        self._issuer = issuer
        self._now = now

    def for_person(self, person: int, session: bytes) -> str:
        """A token of six hours for `person` in `session` (16 bytes)."""
        exp = self._now() // clock.SECOND + ACCESS_SECONDS
        return self._sign(ids.write_id("p", person), session, {PERSON_SCOPE}, exp)

    def for_service(self, session: bytes, scopes: set[str], expires_at: int) -> str:
        """A token for another program; `expires_at` in microseconds since 1970."""
        subject = f"service:{ids.write_uuid(session)}"
        return self._sign(subject, session, scopes, expires_at // clock.SECOND)

    def _sign(self, subject: str, session: bytes, scopes: set[str], exp: int) -> str:
        claims = {
            "iss": self._issuer,
            "sub": subject,
            "sid": ids.write_uuid(session),
            "iat": self._now() // clock.SECOND,
            "exp": exp,
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(sorted(scopes)),
        }
        return jwt.encode(claims, self._keys.signing, ALGORITHM, headers={"kid": self._keys.kid})


class TokenVerifier:
    """Checks `Authorization` headers; remembers up to `remembered` of them.

    A header seen before costs one look-up and three comparisons. Only `Bearer`, one space and the
    token are remembered: other ways to write the same header would fill the memory.
    """

    def __init__(
        self,
        keys: TokenKeys,
        issuer: str,
        revocations: RevokedSessions,
        remembered: int = 100_000,
        now: Callable[[], int] = clock.now_us,
        boot: Callable[[], float] = clock.boot_seconds,
    ) -> None:
        self._keys = keys
        self._boot = boot
        self._issuer = issuer
        self._revocations = revocations
        self._now = now
        self._recent = Recent[str | bytes, Principal](remembered)

    def verify(self, raw: str | bytes) -> Principal:
        """Who sent the header `raw` (`Bearer ...`, text or bytes). Raises `TokenMissing`,
        `TokenInvalid`, `TokenExpired`, `TokenRevoked`; `SignInUnavailable` when this process has
        not heard of ended sessions for too long."""
        principal = self._recent.young.get(raw)
        if principal is not None:
            revocations = self._revocations
            if (
                self._now() < principal.expires_at
                and principal.session not in revocations.revoked
                and self._boot() < revocations.fresh_until
            ):
                return principal
        return self._verify_unremembered(raw)

    def __len__(self) -> int:
        return len(self._recent)

    def _verify_unremembered(self, raw: str | bytes) -> Principal:
        principal = self._recent.pop(raw)
        exact = True
        if principal is None:
            token = _token_of(raw)
            exact = raw[:7] in _PREFIXES and len(raw) == 7 + len(token)
            principal = self._read(token)
        if self._now() >= principal.expires_at:
            raise TokenExpired
        if principal.session in self._revocations.revoked:
            raise TokenRevoked
        if self._boot() >= self._revocations.fresh_until:
            raise SignInUnavailable
        if exact:
            self._recent.put(raw, principal)
        return principal

    def _read(self, token: str) -> Principal:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.verifying.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise TokenInvalid
            # The clock is ours, so times are compared here; the signature is what decides first.
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                options={
                    "require": _REQUIRED,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
        except (jwt.PyJWTError, ValueError):
            raise TokenInvalid from None
        return self._principal(claims)

    def _principal(self, claims: Mapping[str, object]) -> Principal:
        subject, sid, scope = claims["sub"], claims["sid"], claims["scope"]
        issued, expires = claims["iat"], claims["exp"]
        if not (
            isinstance(subject, str)
            and isinstance(sid, str)
            and isinstance(scope, str)
            and type(issued) is int
            and type(expires) is int
        ):
            raise TokenInvalid
        session = ids.read_uuid(sid)
        service = subject == f"service:{sid}"
        person = 0 if service else ids.read_id("p", subject)
        latest = self._now() // clock.SECOND + _SKEW_SECONDS
        if session is None or person is None or issued > latest:
            raise TokenInvalid
        scopes = frozenset(scope.split())
        return Principal(person, session, scopes, expires * clock.SECOND, service)


def _token_of(raw: str | bytes) -> str:
    if not raw:
        raise TokenMissing
    if len(raw) > _LONGEST:
        raise TokenInvalid
    if isinstance(raw, bytes):
        raw = raw.decode("latin-1")
    scheme, _, token = raw.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing
    if not _FORM.fullmatch(token):
        raise TokenInvalid
    return token
