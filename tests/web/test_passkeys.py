"""Passkeys over HTTP: adding, naming, removing, and signing in with one alone."""

import re

import pytest
from tests.identity.authenticator import Authenticator, Lie
from tests.web.conftest import Caller, Web
from tests.web.test_api import MEI, RAVI, TIME, code_of

ANDROID = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"
PASSKEYS, SIGN_IN = "/v1/me/passkeys", "/v1/auth/passkey"


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


@pytest.fixture
def device(web: Web) -> Authenticator:
    return Authenticator(web.parts.settings.public_url, synced=True)


async def add(caller: Caller, device: Authenticator, name: str = "phone") -> dict[str, object]:
    """A passkey on `device`, as the API tells it."""
    options = (await caller.call("POST", f"{PASSKEYS}/options", {})).json()["public_key"]
    made = {"name": name, "credential": device.create(options)}
    answer = await caller.call("POST", PASSKEYS, made)
    assert answer.status_code == 201, answer.text
    told: dict[str, object] = answer.json()
    return told


async def test_a_passkeys_life(web: Web, mei: Caller, device: Authenticator) -> None:
    added = await add(mei, device)
    assert re.fullmatch("k_[0-9a-hjkmnp-tv-z]{13}", str(added["id"]))
    assert TIME.fullmatch(str(added["created_at"]))
    assert {**added, "id": 0, "created_at": 0} == {
        "id": 0, "name": "phone", "created_at": 0, "last_used_at": None, "synced": True
    }  # fmt: skip
    asked = (await web.http.post(f"{SIGN_IN}/options", json={})).json()
    assert asked["public_key"]["allowCredentials"] == []
    body = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"])}
    signed_in = await web.http.post(SIGN_IN, json=body)
    assert signed_in.status_code == 200, signed_in.text
    assert signed_in.json()["person_id"] == mei.tokens["person_id"]
    session = Caller(web.http, signed_in.json())
    (told,) = (await session.call("GET", "/v1/me/second-factors")).json()["passkeys"]
    assert TIME.fullmatch(told["last_used_at"])
    path = f"{PASSKEYS}/{added['id']}"
    renamed = await session.call("PATCH", path, {"name": "Mei's phone 📱"})
    assert (renamed.status_code, renamed.json()) == (200, {**told, "name": "Mei's phone 📱"})
    # A passkey is a strong sign-in: what needs one goes.
    assert (await session.call("DELETE", path)).status_code == 204
    assert code_of(await session.call("DELETE", path)) == (404, "not_found")
    assert code_of(await session.call("PATCH", path, {"name": "x"})) == (404, "not_found")


async def test_a_browser_gets_cookies(web: Web, mei: Caller, device: Authenticator) -> None:
    await add(mei, device)
    asked = (await web.http.post(f"{SIGN_IN}/options", json={})).json()
    answer = await web.http.post(
        SIGN_IN,
        json={
            "challenge_id": asked["challenge_id"],
            "credential": device.get(asked["public_key"]),
        },
        headers={"tikiwallet-session": "cookie", "user-agent": ANDROID},
    )
    assert answer.json().keys() == {"person_id", "expires_in", "csrf_token"}
    assert web.http.cookies.get("tw_access")
    found = (await web.http.get("/v1/me/sessions")).json()["items"]
    (current,) = [one for one in found if one["current"]]
    assert (current["method"], current["device"]) == ("passkey", "Firefox · Android")


@pytest.mark.parametrize(
    "lie",
    [
        Lie(origin="https://evil.example"),
        Lie(rp_id="evil.example"),
        Lie(user_verified=False),
        Lie(handle=None),
        Lie(signature=b"x" * 70),
        Lie(cross_origin=True),
    ],
    ids=["origin", "relying party", "not verified", "nobody", "signature", "frame"],
)
async def test_answers_that_sign_nobody_in(
    web: Web, mei: Caller, device: Authenticator, lie: Lie
) -> None:
    await add(mei, device)
    asked = (await web.http.post(f"{SIGN_IN}/options", json={})).json()
    credential = device.get(asked["public_key"], lie)
    body = {"challenge_id": asked["challenge_id"], "credential": credential}
    answer = await web.http.post(SIGN_IN, json=body)
    assert code_of(answer) == (422, "passkey_invalid")
    assert device.kept[0].rp_id not in answer.text
    # The challenge is gone, also for the truth.
    body["credential"] = device.get(asked["public_key"])
    assert code_of(await web.http.post(SIGN_IN, json=body)) == (422, "passkey_invalid")


async def test_a_challenge_of_ones_own_making(web: Web, mei: Caller, device: Authenticator) -> None:
    await add(mei, device)
    asked = (await web.http.post(f"{SIGN_IN}/options", json={})).json()
    body = {"challenge_id": asked["challenge_id"]}
    forged = device.get(asked["public_key"], Lie(challenge=b"x" * 32))
    answer = await web.http.post(SIGN_IN, json={**body, "credential": forged})
    assert code_of(answer) == (422, "passkey_invalid")
    # It used up nobody's: whoever began this one can still answer.
    truth = device.get(asked["public_key"])
    answer = await web.http.post(SIGN_IN, json={**body, "credential": truth})
    assert answer.status_code == 200


async def test_adding_once_and_for_oneself(web: Web, mei: Caller, device: Authenticator) -> None:
    ravi = await web.sign_up(*RAVI)
    options = (await mei.call("POST", f"{PASSKEYS}/options", {})).json()["public_key"]
    assert options["user"]["name"] == MEI[1]
    made = {"name": "phone", "credential": device.create(options)}
    assert code_of(await ravi.call("POST", PASSKEYS, made)) == (422, "passkey_invalid")
    assert code_of(await mei.call("POST", PASSKEYS, made)) == (422, "passkey_invalid")
    device.kept.clear()
    added = await add(mei, device)
    path = f"{PASSKEYS}/{added['id']}"
    assert code_of(await ravi.call("PATCH", path, {"name": "mine"})) == (404, "not_found")
    assert code_of(await ravi.call("DELETE", path)) == (404, "not_found")
    options = (await mei.call("POST", f"{PASSKEYS}/options", {})).json()["public_key"]
    assert options["excludeCredentials"][0]["transports"] == ["hybrid", "internal"]
    stolen = Authenticator(device.origin).create(options, Lie(credential_id=device.kept[0].id))
    answer = await mei.call("POST", PASSKEYS, {"name": "copy", "credential": stolen})
    assert code_of(answer) == (409, "passkey_exists")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{PASSKEYS}/options", {"name": "x"}),
        ("POST", PASSKEYS, {"name": "x"}),
        ("POST", PASSKEYS, {"name": "", "credential": {}}),
        ("POST", PASSKEYS, {"name": "x" * 61, "credential": {}}),
        ("POST", PASSKEYS, {"name": "a\u202eb", "credential": {}}),
        ("POST", PASSKEYS, {"name": "x", "credential": "y"}),
        ("POST", PASSKEYS, {"name": "x", "credential": {}, "id": 1}),
        ("PATCH", f"{PASSKEYS}/k_0000000000001", {"name": " "}),
        ("PATCH", f"{PASSKEYS}/1", {"name": "x"}),
        ("DELETE", f"{PASSKEYS}/1", None),
        ("POST", f"{SIGN_IN}/options", {"phone": "+6591234567"}),
        ("POST", SIGN_IN, {"challenge_id": "x"}),
        ("POST", SIGN_IN, {"challenge_id": "", "credential": {}}),
    ],
)
async def test_requests_are_strict(mei: Caller, method: str, path: str, body: object) -> None:
    answer = await mei.call(method, path, body)
    assert code_of(answer) == (422, "invalid_request"), answer.text


@pytest.mark.parametrize(
    "call",
    [f"POST {PASSKEYS}", f"POST {PASSKEYS}/options", f"PATCH {PASSKEYS}/k_0000000000001"],
)
async def test_tokens_are_needed(web: Web, call: str) -> None:
    method, path = call.split()
    assert code_of(await web.http.request(method, path)) == (401, "token_missing")


async def test_options_are_no_passkeys_address(mei: Caller) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        answer = await mei.call(method, f"{PASSKEYS}/options", {})
        assert code_of(answer) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
