"""OpenID Connect providers as they are spoken to: discovery, the code for an id_token, and whether
that token is what it says (OpenID Connect Core, section 3.1)."""

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
import jwt

from tikiwallet import clock, logs
from tikiwallet.identity.federation import ProviderRefused, ProviderUnavailable
from tikiwallet.issuers import Issuer, SigningKey, is_secure

_SECONDS: Final = 8.0  # for one call, whatever it waits for
_LONGEST: Final = 512 * 1024
_KEPT_US: Final = 3_600 * 1_000_000
_PAUSE_US: Final = 30 * 1_000_000  # between two looks for a key that was not there
_SECRET_SECONDS: Final = 300
_LEEWAY_SECONDS: Final = 60
_SUBJECT_MAX: Final = 255
# Signed by keys that only the provider has; never by what we share with it, never by nobody.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat", "nonce"]
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization: str
    token: str
    jwks: str
    basic: bool  # how the token endpoint wants the secret: in the header, or in the form
    read_at: int


@dataclass(slots=True)
class _Keys:
    by_id: dict[str, jwt.PyJWK] = field(default_factory=dict)
    read_at: int = 0


def open_client() -> httpx.AsyncClient:
    """What providers are called with; whoever opens it closes it."""
    return httpx.AsyncClient(timeout=_SECONDS, headers={"user-agent": "tikiwallet"})


class OidcProvider:
    """One provider. `redirect_uri` is where it sends people back to, as it knows us."""

    def __init__(
        self,
        issuer: Issuer,
        redirect_uri: str,
        http: httpx.AsyncClient,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._issuer = issuer
        self._redirect_uri = redirect_uri
        self._http = http
        self._now = now
        self._metadata: _Metadata | None = None
        self._keys = _Keys()
        self._reading = asyncio.Lock()

    @property
    def name(self) -> str:
        """What people call it."""
        return self._issuer.name

    @property
    def issuer(self) -> str:
        """Its URL, as its tokens have it."""
        return self._issuer.issuer

    async def location(self, state: str, nonce: str, challenge: str) -> str:
        """Where to send the browser. Nothing is asked for but who it is. Raises
        `ProviderUnavailable`."""
        endpoint = (await self._discovered()).authorization
        query = urlencode(
            {
                "response_type": "code",
                "scope": "openid",
                "client_id": self._issuer.client_id,
                "redirect_uri": self._redirect_uri,
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    async def identify(self, code: str, verifier: str, nonce: str) -> str:
        """The subject whom `code` stands for. Raises `ProviderUnavailable`, `ProviderRefused`."""
        metadata = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        auth: tuple[str, str] | None = None
        if metadata.basic:
            auth = (quote(self._issuer.client_id, safe=""), quote(self._secret(), safe=""))
        else:
            form |= {"client_id": self._issuer.client_id, "client_secret": self._secret()}
        status, answer = await self._call("POST", metadata.token, data=form, auth=auth)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            self._note("the code was refused", error=str(answer.get("error"))[:50])
            raise ProviderRefused
        return self._subject(await self._claims(token, metadata), nonce)

    async def _claims(self, token: str, metadata: _Metadata) -> Mapping[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._key(kid if isinstance(kid, str) else None, metadata)
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._issuer.client_id,
                issuer=self._issuer.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError) as error:
            self._note("the id_token is not good", error=type(error).__name__)
            raise ProviderRefused from None
        return claims

    def _subject(self, claims: Mapping[str, Any], nonce: str) -> str:
        subject, said, party = claims["sub"], claims["nonce"], claims.get("azp")
        meant_for_us = party == self._issuer.client_id or (
            party is None and not (isinstance(claims["aud"], list) and len(claims["aud"]) > 1)
        )
        asked_for = isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode())
        if not meant_for_us or not asked_for:
            self._note("the id_token was made for somebody else", nonce_fits=asked_for)
            raise ProviderRefused
        if not isinstance(subject, str) or not 1 <= len(subject) <= _SUBJECT_MAX:
            raise ProviderRefused
        return subject

    async def _discovered(self) -> _Metadata:
        known = self._metadata
        if known is not None and self._now() < known.read_at + _KEPT_US:
            return known
        async with self._reading:
            if self._metadata is not known and self._metadata is not None:
                return self._metadata
            try:
                self._metadata = await self._discover()
            except ProviderUnavailable:
                if known is None:
                    raise
                return known  # what it said before still holds, as far as anybody knows
            return self._metadata

    async def _discover(self) -> _Metadata:
        document = f"{self._issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, found = await self._call("GET", document)
        good = {
            name: place
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if isinstance(place := found.get(name), str) and is_secure(place, query=True)
        }
        if status != 200 or found.get("issuer") != self._issuer.issuer or len(good) < 3:
            self._note("its discovery document is not good", status=status)
            raise ProviderUnavailable
        ways = found.get("token_endpoint_auth_methods_supported")
        basic = not isinstance(ways, list) or "client_secret_basic" in ways
        return _Metadata(
            good["authorization_endpoint"],
            good["token_endpoint"],
            good["jwks_uri"],
            basic,
            self._now(),
        )

    async def _key(self, kid: str | None, metadata: _Metadata) -> jwt.PyJWK:
        """The key that a token names; one that is new is looked for, not more often than that."""
        async with self._reading:
            age = self._now() - self._keys.read_at
            if age >= _KEPT_US or (self._pick(kid) is None and age >= _PAUSE_US):
                self._keys = await self._read_keys(metadata)
        key = self._pick(kid)
        if key is None:
            raise jwt.InvalidKeyError("no such key")
        return key

    def _pick(self, kid: str | None) -> jwt.PyJWK | None:
        keys = self._keys.by_id
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    async def _read_keys(self, metadata: _Metadata) -> _Keys:
        status, found = await self._call("GET", metadata.jwks)
        entries = found.get("keys")
        if status != 200 or not isinstance(entries, list):
            self._note("its keys cannot be read", status=status)
            raise ProviderUnavailable
        by_id: dict[str, jwt.PyJWK] = {}
        for entry in entries:
            if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
                continue
            try:
                key = jwt.PyJWK.from_dict(entry)
            except jwt.PyJWTError:
                continue  # of a kind that we do not take
            by_id[key.key_id or ""] = key
        return _Keys(by_id, self._now())

    async def _call(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer. Raises `ProviderUnavailable`."""
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._http.stream(
                    method, url, headers={"accept": "application/json"}, **options
                ) as answer,
            ):
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _LONGEST:
                        raise ValueError("the answer is too long")
            found = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            self._note("it cannot be reached", error=type(error).__name__)
            raise ProviderUnavailable from None
        if answer.status_code >= 500 or not isinstance(found, dict):
            self._note("it does not work", status=answer.status_code)
            raise ProviderUnavailable
        return answer.status_code, found

    def _secret(self) -> str:
        secret = self._issuer.secret
        if not isinstance(secret, SigningKey):
            return secret
        at = self._now() // 1_000_000
        claims = {
            "iss": secret.team_id,
            "iat": at,
            "exp": at + _SECRET_SECONDS,
            "aud": self._issuer.issuer,
            "sub": self._issuer.client_id,
        }
        return jwt.encode(claims, secret.pem, "ES256", headers={"kid": secret.key_id})

    def _note(self, what: str, **facts: object) -> None:
        _log.warning(f"a provider of identities: {what}", provider=self._issuer.id, **facts)
