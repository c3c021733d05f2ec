"""A provider of identities that does wrong, or is away: nobody is signed in by that."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from tests.identity.hand_clock import HandClock
from tests.providers.crooked import (
    CLIENT,
    SECRET,
    SUBJECT,
    Crooked,
    SignedSecrets,
    new_key,
    serving,
)

from tikiwallet.identity.federation import ProviderRefused, ProviderUnavailable
from tikiwallet.issuers import Issuer, SigningKey
from tikiwallet.providers.oidc import OidcProvider, open_client

BACK = "http://localhost:8000/v1/auth/oidc/crooked/callback"
NONCE, VERIFIER = "nonce-1", "verifier-1" * 5


@pytest.fixture
def crooked() -> Iterator[Crooked]:
    with serving(Crooked()) as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as client:
        yield client


def spoken_to(crooked: Crooked, http: httpx.AsyncClient, **options: Any) -> OidcProvider:
    issuer = Issuer(
        "crooked", "Crooked & Co", crooked.issuer, CLIENT, options.pop("secret", SECRET)
    )
    return OidcProvider(issuer, BACK, http, **options)


def challenge(verifier: str = VERIFIER) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def code_from(crooked: Crooked, provider: OidcProvider) -> str:
    return crooked.approve(await provider.location("state-1", NONCE, challenge()))["code"]


async def identified(crooked: Crooked, provider: OidcProvider) -> str:
    return await provider.identify(await code_from(crooked, provider), VERIFIER, NONCE)


async def test_a_good_one(crooked: Crooked, http: httpx.AsyncClient) -> None:
    provider = spoken_to(crooked, http)
    location = urlsplit(await provider.location("state-1", NONCE, challenge()))
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{crooked.issuer}/authorize"
    assert parse_qs(location.query) == {
        "tenant": ["1"],
        "response_type": ["code"],
        "scope": ["openid"],
        "client_id": [CLIENT],
        "redirect_uri": [BACK],
        "state": ["state-1"],
        "nonce": [NONCE],
        "code_challenge": [challenge()],
        "code_challenge_method": ["S256"],
    }
    assert await identified(crooked, provider) == SUBJECT
    assert provider.issuer == crooked.issuer


@pytest.mark.parametrize(
    "ways", [None, ["client_secret_post"], ["client_secret_basic", "client_secret_post"]]
)
async def test_the_secret_goes_where_it_is_wanted(
    crooked: Crooked, http: httpx.AsyncClient, ways: list[str] | None
) -> None:
    if ways is not None:
        crooked.metadata["token_endpoint_auth_methods_supported"] = ways
    assert await identified(crooked, spoken_to(crooked, http)) == SUBJECT


async def test_a_wrong_secret(crooked: Crooked, http: httpx.AsyncClient) -> None:
    with pytest.raises(ProviderRefused):
        await identified(crooked, spoken_to(crooked, http, secret="wrong"))


async def test_a_secret_that_is_signed(http: httpx.AsyncClient) -> None:
    with serving(SignedSecrets()) as crooked:
        assert isinstance(crooked, SignedSecrets)
        pem = crooked.client_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        crooked.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        good = SigningKey("team-1", "client-key-1", pem)
        assert await identified(crooked, spoken_to(crooked, http, secret=good)) == SUBJECT
        other = SigningKey("team-2", "client-key-1", pem)
        with pytest.raises(ProviderRefused):
            await identified(crooked, spoken_to(crooked, http, secret=other))


async def test_a_code_works_once_and_with_its_own_verifier(
    crooked: Crooked, http: httpx.AsyncClient
) -> None:
    provider = spoken_to(crooked, http)
    code = await code_from(crooked, provider)
    with pytest.raises(ProviderRefused):
        await provider.identify(code, "another verifier", NONCE)
    code = await code_from(crooked, provider)
    await provider.identify(code, VERIFIER, NONCE)
    with pytest.raises(ProviderRefused):
        await provider.identify(code, VERIFIER, NONCE)
    with pytest.raises(ProviderRefused):
        await provider.identify("no code", VERIFIER, NONCE)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 5},
        {"nonce": "é"},
        {"aud": "somebody else"},
        {"aud": ["somebody else"]},
        {"aud": None},
        {"aud": [CLIENT, "somebody else"]},
        {"aud": [CLIENT, "somebody else"], "azp": "somebody else"},
        {"azp": "somebody else"},
        {"iss": "http://evil.example"},
        {"iss": None},
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": int(time.time()) + 3_600},
        {"nbf": int(time.time()) + 3_600},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 5},
    ],
)
async def test_tokens_that_say_the_wrong_thing(
    crooked: Crooked, http: httpx.AsyncClient, claims: dict[str, Any]
) -> None:
    crooked.claims = claims
    with pytest.raises(ProviderRefused):
        await identified(crooked, spoken_to(crooked, http))


@pytest.mark.parametrize(
    "claims", [{"aud": [CLIENT]}, {"azp": CLIENT}, {"aud": [CLIENT, "another"], "azp": CLIENT}]
)
async def test_other_ways_to_say_the_right_thing(
    crooked: Crooked, http: httpx.AsyncClient, claims: dict[str, Any]
) -> None:
    crooked.claims = claims
    assert await identified(crooked, spoken_to(crooked, http)) == SUBJECT


def _by_another_key(crooked: Crooked) -> None:
    crooked.published = crooked.keys()["keys"]
    crooked.key = new_key()


def _by_nobody(crooked: Crooked) -> None:
    crooked.published = crooked.keys()["keys"]
    crooked.key, crooked.alg = "", "none"


def _by_what_we_share(crooked: Crooked) -> None:
    crooked.published = crooked.keys()["keys"]
    crooked.key, crooked.alg = SECRET.ljust(64), "HS256"


def _by_a_shared_key_that_is_published(crooked: Crooked) -> None:
    secret = b"s" * 64
    written = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    crooked.published = [{"kty": "oct", "k": written, "kid": "key-1", "alg": "HS256"}]
    crooked.key, crooked.alg = secret, "HS256"


def _by_a_key_for_other_use(crooked: Crooked) -> None:
    crooked.published = [{**crooked.keys()["keys"][0], "use": "enc"}]


def _by_a_key_without_a_name(crooked: Crooked) -> None:
    crooked.published = [crooked.public_key(new_key(), "RS256", name) for name in ("a", "b")]
    crooked.kid = None


@pytest.mark.parametrize(
    "signed",
    [
        _by_another_key,
        _by_nobody,
        _by_what_we_share,
        _by_a_shared_key_that_is_published,
        _by_a_key_for_other_use,
        _by_a_key_without_a_name,
    ],
)
async def test_tokens_that_somebody_else_signed(
    crooked: Crooked, http: httpx.AsyncClient, signed: Callable[[Crooked], None]
) -> None:
    signed(crooked)
    with pytest.raises(ProviderRefused):
        await identified(crooked, spoken_to(crooked, http))


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_other_kinds_of_keys(
    crooked: Crooked, http: httpx.AsyncClient, alg: str, key: Any
) -> None:
    crooked.key, crooked.alg = key, alg
    strange = {"kty": "XYZ", "kid": "key-0"}
    crooked.published = [strange, crooked.public_key(key, alg, "key-1")]
    assert await identified(crooked, spoken_to(crooked, http)) == SUBJECT


async def test_the_only_key_needs_no_name(crooked: Crooked, http: httpx.AsyncClient) -> None:
    crooked.kid = None
    assert await identified(crooked, spoken_to(crooked, http)) == SUBJECT


async def test_new_keys_are_looked_for_but_not_at_every_strangers_word(
    crooked: Crooked, http: httpx.AsyncClient, hand_clock: HandClock
) -> None:
    provider = spoken_to(crooked, http, now=hand_clock)
    await identified(crooked, provider)
    await identified(crooked, provider)
    assert crooked.asked.count("/jwks") == 1
    crooked.key, crooked.kid = new_key(), "key-2"
    for _ in range(3):
        with pytest.raises(ProviderRefused):
            await identified(crooked, provider)
    assert crooked.asked.count("/jwks") == 1
    hand_clock.advance(31)
    assert await identified(crooked, provider) == SUBJECT
    assert crooked.asked.count("/jwks") == 2
    assert crooked.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "http://127.0.0.1:1"},
        {"issuer": None},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": 5},
    ],
)
async def test_a_discovery_document_that_is_not_good(
    crooked: Crooked, http: httpx.AsyncClient, metadata: dict[str, Any]
) -> None:
    crooked.metadata = metadata
    with pytest.raises(ProviderUnavailable):
        await spoken_to(crooked, http).location("s", NONCE, challenge())


_DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize("path", [_DISCOVERY, "/jwks", "/token"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'"' + b"x" * 600_000 + b'"'])
async def test_answers_that_are_none(
    crooked: Crooked, http: httpx.AsyncClient, path: str, body: bytes
) -> None:
    crooked.broken[path] = body
    with pytest.raises(ProviderUnavailable):
        await identified(crooked, spoken_to(crooked, http))


@pytest.mark.parametrize("status", [404, 500, 503, 302])
async def test_answers_of_the_wrong_status(
    crooked: Crooked, http: httpx.AsyncClient, status: int
) -> None:
    crooked.status = status
    with pytest.raises(ProviderUnavailable):
        await identified(crooked, spoken_to(crooked, http))


async def test_a_provider_that_is_down(http: httpx.AsyncClient, hand_clock: HandClock) -> None:
    with serving(Crooked()) as crooked:
        provider = spoken_to(crooked, http, now=hand_clock)
        code = await code_from(crooked, provider)
    with pytest.raises(ProviderUnavailable):
        await provider.identify(code, VERIFIER, NONCE)
    with pytest.raises(ProviderUnavailable):
        await spoken_to(crooked, http).location("s", NONCE, challenge())
    # What it said an hour ago still holds as far as anybody knows, and it comes back.
    hand_clock.advance(4_000)
    assert crooked.issuer in await provider.location("s", NONCE, challenge())
    with serving(crooked):
        assert await identified(crooked, provider) == SUBJECT
