"""Access tokens: who they name, and every way in which one is not good."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.identity.hand_clock import HandClock

from tikiwallet import ids
from tikiwallet.identity.keys import TokenKeys, load_token_keys
from tikiwallet.identity.tokens import (
    ACCESS_SECONDS,
    ScopeMissing,
    SignInUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenIssuer,
    TokenMissing,
    TokenRevoked,
    TokenVerifier,
)

ISSUER = "https://wallet.example"
PERSON = 1234567890123
SESSION = ids.new_uuid7()
BOOT = 1_000.0  # what the clock that nobody sets stands at


class Known:
    """What a process knows of ended sessions, set by the test."""

    def __init__(self) -> None:
        self.revoked: dict[bytes, int] = {}
        self.fresh_until = float("inf")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> TokenKeys:
    return load_token_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def issuer(keys: TokenKeys, hand_clock: HandClock) -> TokenIssuer:
    return TokenIssuer(keys, ISSUER, hand_clock)


@pytest.fixture
def verifier(keys: TokenKeys, known: Known, hand_clock: HandClock) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, known, remembered=8, now=hand_clock, boot=lambda: BOOT)


def test_a_person(issuer: TokenIssuer, verifier: TokenVerifier, hand_clock: HandClock) -> None:
    header = "Bearer " + issuer.for_person(PERSON, SESSION)
    principal = verifier.verify(header)
    assert (principal.person, principal.session) == (PERSON, SESSION)
    assert not principal.service
    assert principal.scopes == {"person"}
    assert principal.expires_at == (hand_clock() // 1_000_000 + ACCESS_SECONDS) * 1_000_000
    assert verifier.verify(header) is principal
    assert verifier.verify(header.encode()) == principal
    assert verifier.verify(header.replace("Bearer", "bearer")) == principal


def test_a_service(issuer: TokenIssuer, verifier: TokenVerifier, hand_clock: HandClock) -> None:
    until = hand_clock() + 86_400_000_000
    token = issuer.for_service(SESSION, {"balances:read"}, until)
    principal = verifier.verify(f"Bearer {token}")
    assert (principal.person, principal.service) == (0, True)
    assert principal.expires_at == until // 1_000_000 * 1_000_000
    principal.require("balances:read")
    with pytest.raises(ScopeMissing):
        principal.require("person")


def test_the_claims(issuer: TokenIssuer, keys: TokenKeys, hand_clock: HandClock) -> None:
    token = issuer.for_person(PERSON, SESSION)
    claims = jwt.decode(token, options={"verify_signature": False})
    seconds = hand_clock() // 1_000_000
    jti = claims.pop("jti")
    assert jti != jwt.decode(
        issuer.for_person(PERSON, SESSION), options={"verify_signature": False}
    ).pop("jti")
    assert claims == {
        "iss": ISSUER,
        "sub": ids.write_id("p", PERSON),
        "sid": ids.write_uuid(SESSION),
        "iat": seconds,
        "exp": seconds + 21_600,
        "scope": "person",
    }
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": keys.kid, "typ": "JWT"}


@pytest.mark.parametrize(
    "raw", ["", b"", "Bearer", "Bearer ", "Basic YTpi", b"Token abc", "Bearer\tabc", "abc"]
)
def test_missing(verifier: TokenVerifier, raw: str | bytes) -> None:
    with pytest.raises(TokenMissing):
        verifier.verify(raw)


def _part(token: str, index: int, change: Callable[[dict[str, object]], object]) -> str:
    parts = token.split(".")
    raw = parts[index]
    content = json.loads(urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    change(content)
    parts[index] = urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    return ".".join(parts)


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: "abc",
        lambda token: "a.b.c",
        lambda token: "é" + token,
        lambda token: token + "x" * 5000,
        lambda token: token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
        lambda token: ".".join([*token.split(".")[:2], ""]),
        lambda token: token + "!",
        lambda token: token[:-9] + "." + token[-9:],
        lambda token: token[:-1] + chr(ord(token[-1]) + 1),  # the same bytes, written otherwise
        lambda token: _part(token, 1, lambda claims: claims.update(sub=ids.write_id("p", 1))),
        lambda token: _part(token, 1, lambda claims: claims.update(exp=1 << 40)),
        lambda token: _part(token, 1, lambda claims: claims.update(scope="person balances:read")),
        lambda token: _part(token, 0, lambda header: header.update(alg="none")),
        lambda token: _part(token, 0, lambda header: header.update(alg="HS256")),
        lambda token: _part(token, 0, lambda header: header.update(kid="other")),
        lambda token: _part(token, 0, lambda header: header.update(kid=7)),
        lambda token: _part(token, 0, lambda header: header.pop("kid")),
    ],
)
def test_forged(issuer: TokenIssuer, verifier: TokenVerifier, forge: Callable[[str], str]) -> None:
    header = "Bearer " + forge(issuer.for_person(PERSON, SESSION))
    with pytest.raises(TokenInvalid):
        verifier.verify(header)
    with pytest.raises(TokenInvalid):
        verifier.verify(header.encode())
    assert len(verifier) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"sub": "1234"},
        {"sub": "service:" + ids.write_uuid(ids.new_uuid7())},
        {"sub": 7},
        {"sid": "x"},
        {"sid": None},
        {"scope": ["person"]},
        {"exp": "soon"},
        {"exp": True},
        {"exp": None},
        {"iat": None},
        {"iat": 1 << 40},
        {"jti": None},
    ],
)
def test_signed_by_us_but_not_a_token_of_ours(
    keys: TokenKeys, verifier: TokenVerifier, issuer: TokenIssuer, change: dict[str, object]
) -> None:
    good = issuer.for_person(PERSON, SESSION)
    claims = jwt.decode(good, options={"verify_signature": False}) | change
    claims = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(claims, keys.signing, "EdDSA", headers={"kid": keys.kid})
    with pytest.raises(TokenInvalid):
        verifier.verify(f"Bearer {token}")


def test_signed_by_somebody_else_under_our_key_id(
    keys: TokenKeys, verifier: TokenVerifier, hand_clock: HandClock
) -> None:
    stranger = TokenKeys(keys.kid, Ed25519PrivateKey.generate(), {})
    token = TokenIssuer(stranger, ISSUER, hand_clock).for_person(PERSON, SESSION)
    with pytest.raises(TokenInvalid):
        verifier.verify(f"Bearer {token}")


@pytest.mark.parametrize("seen_before", [True, False])
def test_expired(
    issuer: TokenIssuer, verifier: TokenVerifier, hand_clock: HandClock, seen_before: bool
) -> None:
    header = "Bearer " + issuer.for_person(PERSON, SESSION)
    hand_clock.us -= hand_clock.us % 1_000_000
    if seen_before:
        verifier.verify(header)
    hand_clock.advance(ACCESS_SECONDS - 0.000001)
    verifier.verify(header)
    hand_clock.advance(0.000001)
    for _ in range(2):
        with pytest.raises(TokenExpired):
            verifier.verify(header)
    assert len(verifier) == 0


@pytest.mark.parametrize("seen_before", [True, False])
def test_revoked(
    issuer: TokenIssuer, verifier: TokenVerifier, known: Known, seen_before: bool
) -> None:
    header = "Bearer " + issuer.for_person(PERSON, SESSION)
    other = "Bearer " + issuer.for_person(PERSON, ids.new_uuid7())
    if seen_before:
        verifier.verify(header)
    known.revoked[SESSION] = 1 << 62
    for _ in range(2):
        with pytest.raises(TokenRevoked):
            verifier.verify(header)
    assert len(verifier) == 0
    verifier.verify(other)


@pytest.mark.parametrize("seen_before", [True, False])
def test_cut_off_from_news_of_ended_sessions(
    issuer: TokenIssuer,
    verifier: TokenVerifier,
    known: Known,
    hand_clock: HandClock,
    seen_before: bool,
) -> None:
    header = "Bearer " + issuer.for_person(PERSON, SESSION)
    if seen_before:
        verifier.verify(header)
    known.fresh_until = BOOT
    hand_clock.advance(-30)  # setting the wall clock back makes nothing fresh
    with pytest.raises(SignInUnavailable):
        verifier.verify(header)
    known.fresh_until += 0.1
    verifier.verify(header)


def test_memory_is_bounded_and_keeps_what_is_in_use(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    used = "Bearer " + issuer.for_person(PERSON, SESSION)
    first = verifier.verify(used)
    for number in range(1, 50):
        verifier.verify("Bearer " + issuer.for_person(number, ids.new_uuid7()))
        assert verifier.verify(used) is first
        assert len(verifier) <= 8


def test_keys_dir_is_all_that_processes_share(tmp_path: Path, hand_clock: HandClock) -> None:
    token = TokenIssuer(load_token_keys(tmp_path), ISSUER, hand_clock).for_person(PERSON, SESSION)
    other = TokenVerifier(load_token_keys(tmp_path), ISSUER, Known(), now=hand_clock)
    assert other.verify(f"Bearer {token}").person == PERSON


def test_other_ways_to_write_a_header_are_not_remembered(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    token = issuer.for_person(PERSON, SESSION)
    first = verifier.verify(f"Bearer {token}")
    for written in ("Bearer  ", "BEARER ", "bearer ", " Bearer ", "\tBearer "):
        for end in ("", " "):
            assert verifier.verify(f"{written}{token}{end}") == first
    assert verifier.verify(f"Bearer {token} ") == first
    assert len(verifier) == 1
    assert verifier.verify(f"Bearer {token}".encode()) == first
    assert len(verifier) == 2
