"""WebAuthn's rules against a browser and authenticator written from the specification."""

import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.identity.authenticator import Algorithm, Authenticator, Json, Lie, b64

from tikiwallet.identity.relying_party import (
    Known,
    PasskeyInvalid,
    RelyingParty,
    challenge_in,
    identity_in,
)

ORIGIN = "https://wallet.example.org"
PARTY = RelyingParty.of(ORIGIN)
CHALLENGE, HANDLE = os.urandom(32), os.urandom(32)


def creation(challenge: bytes = CHALLENGE) -> Json:
    return PARTY.registration_options(challenge, HANDLE, "mei.lin", "Mei Lin", [])


def request(challenge: bytes = CHALLENGE) -> Json:
    return PARTY.request_options(challenge, [], user_verification=True)


@pytest.mark.parametrize(
    ("url", "id", "origin"),
    [
        ("https://wallet.example.org", "wallet.example.org", "https://wallet.example.org"),
        ("https://Wallet.Example.org:443", "wallet.example.org", "https://wallet.example.org"),
        (
            "https://wallet.example.org:8443",
            "wallet.example.org",
            "https://wallet.example.org:8443",
        ),
        ("http://localhost:8000", "localhost", "http://localhost:8000"),
        ("http://localhost:80", "localhost", "http://localhost"),
        ("http://[::1]:8000", "::1", "http://[::1]:8000"),
        ("https://bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_relying_party_is_the_host_of_its_url(url: str, id: str, origin: str) -> None:
    assert RelyingParty.of(url) == RelyingParty(id, origin)


def test_what_is_asked_of_a_new_passkey() -> None:
    options = PARTY.registration_options(
        CHALLENGE, HANDLE, "mei.lin", "Mei Lin", [Known(b"\x01\x02", ("internal",))]
    )
    assert options["rp"] == {"name": "TikiWallet", "id": "wallet.example.org"}
    assert options["user"] == {"id": b64(HANDLE), "name": "mei.lin", "displayName": "Mei Lin"}
    assert options["challenge"] == b64(CHALLENGE)
    assert options["attestation"] == "none"
    assert options["excludeCredentials"] == [
        {"id": "AQI", "type": "public-key", "transports": ["internal"]}
    ]
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }


def test_what_is_asked_of_a_passkey() -> None:
    options = PARTY.request_options(CHALLENGE, [Known(b"\x01", ())], user_verification=False)
    assert options["rpId"] == "wallet.example.org"
    assert options["allowCredentials"] == [{"id": "AQ", "type": "public-key"}]
    assert options["userVerification"] == "preferred"
    assert request()["userVerification"] == "required"
    assert request()["allowCredentials"] == []


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("synced", [False, True])
def test_a_passkey_is_made_and_signs(algorithm: Algorithm, synced: bool) -> None:
    device = Authenticator(ORIGIN, algorithm, synced)
    made = PARTY.check_registration(device.create(creation()), CHALLENGE)
    assert made.credential_id == device.kept[0].id
    assert (made.sign_count, made.backup_eligible, made.backed_up) == (0, synced, synced)
    assert made.transports == ("hybrid", "internal")
    answer = device.get(request())
    assert challenge_in(answer) == CHALLENGE
    assert identity_in(answer) == (made.credential_id, HANDLE)
    said = PARTY.check_assertion(answer, CHALLENGE, made.public_key, user_verification=True)
    assert (said.sign_count, said.backup_eligible) == (0 if synced else 1, synced)


LIES = {
    "another origin": Lie(origin="https://wallet.example.com"),
    "a deeper origin": Lie(origin="https://evil.wallet.example.org"),
    "another port": Lie(origin="https://wallet.example.org:8443"),
    "no TLS": Lie(origin="http://wallet.example.org"),
    "another relying party": Lie(rp_id="example.org"),
    "another challenge": Lie(challenge=b"x" * 32),
    "no challenge": Lie(challenge=b""),
    "nobody there": Lie(user_present=False),
    "nobody verified": Lie(user_verified=False),
    "in somebody's frame": Lie(cross_origin=True),
}


MADE_WRONG = {
    **LIES,
    "used, not made": Lie(type="webauthn.get"),
    "U2F without its statement": Lie(fmt="fido-u2f"),
    "TPM without its statement": Lie(fmt="tpm"),
    "packed without its statement": Lie(fmt="packed"),
    "a format that there is not": Lie(fmt="nonsense"),
    "an id too long": Lie(credential_id=b"x" * 1024),
}
USED_WRONG = {
    **LIES,
    "made, not used": Lie(type="webauthn.create"),
    "not signed": Lie(signature=b"x" * 70),
    "signed with nothing": Lie(signature=b""),
}


@pytest.mark.parametrize("lie", MADE_WRONG.values(), ids=MADE_WRONG.keys())
def test_passkeys_that_are_not_taken(lie: Lie) -> None:
    made = Authenticator(ORIGIN).create(creation(), lie)
    with pytest.raises(PasskeyInvalid):
        PARTY.check_registration(made, CHALLENGE)


@pytest.mark.parametrize("lie", USED_WRONG.values(), ids=USED_WRONG.keys())
def test_answers_that_are_not_taken(lie: Lie) -> None:
    device = Authenticator(ORIGIN)
    made = PARTY.check_registration(device.create(creation()), CHALLENGE)
    with pytest.raises(PasskeyInvalid):
        PARTY.check_assertion(
            device.get(request(), lie), CHALLENGE, made.public_key, user_verification=True
        )


def test_verification_may_be_left_out_where_it_is_not_asked_for() -> None:
    device = Authenticator(ORIGIN)
    made = PARTY.check_registration(device.create(creation()), CHALLENGE)
    answer = device.get(request(), Lie(user_verified=False))
    PARTY.check_assertion(answer, CHALLENGE, made.public_key, user_verification=False)


def test_another_passkeys_signature() -> None:
    one, other = Authenticator(ORIGIN), Authenticator(ORIGIN)
    made = PARTY.check_registration(one.create(creation()), CHALLENGE)
    other.create(creation())
    with pytest.raises(PasskeyInvalid):
        PARTY.check_assertion(
            other.get(request()), CHALLENGE, made.public_key, user_verification=True
        )


def test_an_answer_is_no_registration_and_the_other_way_round() -> None:
    device = Authenticator(ORIGIN)
    created = device.create(creation())
    made = PARTY.check_registration(created, CHALLENGE)
    with pytest.raises(PasskeyInvalid):
        PARTY.check_registration(device.get(request()), CHALLENGE)
    with pytest.raises(PasskeyInvalid):
        PARTY.check_assertion(created, CHALLENGE, made.public_key, user_verification=True)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_PATHS = [
    ("id",), ("rawId",), ("type",), ("response",), ("response", "clientDataJSON"),
    ("response", "attestationObject"), ("response", "authenticatorData"),
    ("response", "signature"), ("response", "userHandle"), ("response", "transports"),
]  # fmt: skip


@given(path=st.sampled_from(_PATHS), junk=_json)
def test_junk_is_refused_and_breaks_nothing(path: tuple[str, ...], junk: Any) -> None:
    device = Authenticator(ORIGIN)
    created = device.create(creation())
    made = PARTY.check_registration(created, CHALLENGE)
    answer = device.get(request())
    for whole in (created, answer):
        inside = whole
        for name in path[:-1]:
            inside = inside[name]
        if path[-1] in inside:
            inside[path[-1]] = junk
    # Some members do not matter (transports, say); all else is refused as what it is.
    for check in (
        lambda: PARTY.check_registration(created, CHALLENGE),
        lambda: PARTY.check_assertion(answer, CHALLENGE, made.public_key, user_verification=True),
        lambda: challenge_in(answer),
        lambda: identity_in(answer),
    ):
        with suppress(PasskeyInvalid):
            check()


@pytest.mark.parametrize("junk", [{}, {"response": []}, {"response": {"clientDataJSON": "e30"}}])
def test_what_is_no_answer(junk: Json) -> None:
    for read in (challenge_in, identity_in):
        with pytest.raises(PasskeyInvalid):
            read(junk)
    with pytest.raises(PasskeyInvalid):
        PARTY.check_registration(junk, CHALLENGE)
