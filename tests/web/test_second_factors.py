"""Second factors over HTTP: switching them on and off, and signing in with them."""

import time
from typing import Any

import httpx
import pytest
from tests.identity.authenticator import Authenticator
from tests.identity.authenticator_app import AuthenticatorApp
from tests.identity.sign_up import PASSWORD, code_for, other_code
from tests.web.conftest import Caller, Web
from tests.web.test_api import MEI, RAVI, code_of

FACTORS = "/v1/me/second-factors"
SECOND = "/v1/auth/second-factor"


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


class Phone:
    """Mei's authenticator app, which never shows the test the same code twice."""

    def __init__(self, secret: str) -> None:
        self.app = AuthenticatorApp(secret)
        self.shown = 0

    def code(self) -> str:
        """The next code that works: of this step, or, for those in a hurry, of the next."""
        self.shown = max(self.shown + 1, int(time.time()) // 30)
        return self.app.code(self.shown * 30)


async def set_up(caller: Caller) -> tuple[Phone, list[str]]:
    """An authenticator app and recovery codes."""
    begun = await caller.call("POST", "/v1/me/totp", {})
    assert begun.status_code == 201, begun.text
    assert begun.json().keys() == {"secret", "uri"}
    phone = Phone(begun.json()["secret"])
    done = await caller.call("POST", "/v1/me/totp/confirm", {"code": phone.code()})
    assert done.status_code == 200, done.text
    codes: list[str] = done.json()["recovery_codes"]
    return phone, codes


async def log_in(web: Web, phone: str = MEI[0]) -> dict[str, Any]:
    """What the password gets: a challenge."""
    answer = await web.http.post("/v1/auth/login", json={"phone": phone, "password": PASSWORD})
    assert code_of(answer) == (401, "second_factor_required"), answer.text
    told: dict[str, Any] = answer.json()
    return told


async def grow_stale(web: Web) -> None:
    """Every sign-in so far was long ago."""
    await web.parts.database.execute(
        "UPDATE identity.session SET created_at = created_at - interval '11 minutes'"
    )


def check_tokens(answer: httpx.Response, caller: Caller) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == caller.tokens.keys()
    assert answer.json()["person_id"] == caller.tokens["person_id"]


class TestSwitching:
    async def test_what_there_is(self, mei: Caller) -> None:
        nothing = {"totp": False, "sms": False, "recovery_codes_left": 0, "passkeys": []}
        assert (await mei.call("GET", FACTORS)).json() == nothing
        assert (await mei.call("PUT", "/v1/me/sms-factor", {"enabled": True})).status_code == 204
        await set_up(mei)
        everything = {"totp": True, "sms": True, "recovery_codes_left": 10, "passkeys": []}
        assert (await mei.call("GET", FACTORS)).json() == everything
        for _ in range(2):
            assert (await mei.call("DELETE", "/v1/me/totp")).status_code == 204
        assert (await mei.call("PUT", "/v1/me/sms-factor", {"enabled": False})).status_code == 204
        assert (await mei.call("GET", FACTORS)).json() == nothing

    async def test_new_recovery_codes(self, web: Web, mei: Caller) -> None:
        refused = await mei.call("POST", "/v1/me/recovery-codes", {})
        assert code_of(refused) == (409, "second_factor_off")
        _, former = await set_up(mei)
        codes = (await mei.call("POST", "/v1/me/recovery-codes", {})).json()["recovery_codes"]
        assert len(codes) == 10
        told = await log_in(web)
        body = {"challenge_id": told["challenge_id"]}
        wrong = await web.http.post(SECOND, json={**body, "code": former[0]})
        assert code_of(wrong) == (422, "code_wrong")
        check_tokens(await web.http.post(SECOND, json={**body, "code": codes[0]}), mei)

    async def test_confirming(self, mei: Caller) -> None:
        path = "/v1/me/totp/confirm"
        refused = await mei.call("POST", path, {"code": "123456"})
        assert code_of(refused) == (409, "totp_not_begun")
        begun = (await mei.call("POST", "/v1/me/totp", {})).json()
        code = AuthenticatorApp(begun["secret"]).code(time.time())
        refused = await mei.call("POST", path, {"code": other_code(other_code(code))})
        assert code_of(refused) == (422, "code_wrong")

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/v1/me/totp", {}),
            ("DELETE", "/v1/me/totp", None),
            ("PUT", "/v1/me/sms-factor", {"enabled": True}),
            ("POST", "/v1/me/recovery-codes", {}),
            ("POST", "/v1/me/passkeys/options", {}),
            ("DELETE", "/v1/me/passkeys/k_0000000000001", None),
        ],
    )
    async def test_a_confirmation_does_for_all(
        self, web: Web, mei: Caller, method: str, path: str, body: object
    ) -> None:
        await grow_stale(web)
        answer = await mei.call(method, path, body)
        assert code_of(answer) == (403, "reauthentication_required")
        confirmed = await mei.call("POST", "/v1/auth/reauthenticate", {"password": PASSWORD})
        assert (confirmed.status_code, confirmed.content) == (204, b"")
        assert code_or_none(await mei.call(method, path, body)) != "reauthentication_required"

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/v1/me/totp", None),
            ("POST", "/v1/me/totp", {"secret": "A" * 32}),
            ("POST", "/v1/me/totp/confirm", {"code": 123456}),
            ("POST", "/v1/me/totp/confirm", {"code": "12345"}),
            ("PUT", "/v1/me/sms-factor", {"enabled": "yes"}),
            ("PUT", "/v1/me/sms-factor", {}),
            ("POST", "/v1/me/recovery-codes", {"count": 20}),
            ("POST", SECOND, {"challenge_id": "x", "code": "1", "method": "passkey"}),
            ("POST", SECOND, {"challenge_id": "x", "code": "1", "method": "smoke"}),
            ("POST", SECOND, {"challenge_id": "x"}),
            ("POST", f"{SECOND}/sms", {"challenge_id": "x", "phone": "+6591234567"}),
            ("POST", f"{SECOND}/passkey", {"challenge_id": "x", "credential": "y"}),
            ("POST", "/v1/auth/reauthenticate", {"password": ""}),
            ("POST", "/v1/auth/reauthenticate", {}),
            ("POST", "/v1/auth/reauthenticate/passkey", {"credential": []}),
        ],
    )
    async def test_bodies_are_strict(
        self, mei: Caller, method: str, path: str, body: object
    ) -> None:
        assert code_of(await mei.call(method, path, body)) == (422, "invalid_request")

    @pytest.mark.parametrize(
        "call",
        [
            f"GET {FACTORS}", "POST /v1/me/totp", "POST /v1/me/totp/confirm", "DELETE /v1/me/totp",
            "PUT /v1/me/sms-factor", "POST /v1/me/recovery-codes", "POST /v1/auth/reauthenticate",
            "POST /v1/auth/reauthenticate/sms",
        ],
    )  # fmt: skip
    async def test_tokens_are_needed(self, web: Web, call: str) -> None:
        method, path = call.split()
        assert code_of(await web.http.request(method, path)) == (401, "token_missing")


class TestSigningIn:
    async def test_by_app_and_recovery_code(self, web: Web, mei: Caller) -> None:
        phone, codes = await set_up(mei)
        told = await log_in(web)
        assert told["methods"] == ["totp", "recovery_code"]
        assert told["expires_in"] == 300
        body = {"challenge_id": told["challenge_id"]}
        wrong = await web.http.post(SECOND, json={**body, "code": "k7md-9x2p-4qwz"})
        assert code_of(wrong) == (422, "code_wrong")
        assert wrong.json()["tries_left"] == 4
        unavailable = await web.http.post(SECOND, json={**body, "code": "123456", "method": "sms"})
        assert code_of(unavailable) == (422, "second_factor_unavailable")
        check_tokens(await web.http.post(SECOND, json={**body, "code": phone.code()}), mei)
        again = await web.http.post(SECOND, json={**body, "code": codes[0]})
        assert code_of(again) == (401, "second_factor_unknown")
        body = {"challenge_id": (await log_in(web))["challenge_id"]}
        answer = {**body, "code": codes[0].upper(), "method": "recovery_code"}
        check_tokens(await web.http.post(SECOND, json=answer), mei)
        left = (await mei.call("GET", FACTORS)).json()["recovery_codes_left"]
        assert left == 9
        found = (await mei.call("GET", "/v1/me/sessions")).json()["items"]
        assert sorted(one["method"] for one in found) == ["recovery_code", "sms", "totp"]

    async def test_by_sms(self, web: Web, mei: Caller) -> None:
        await mei.call("PUT", "/v1/me/sms-factor", {"enabled": True})
        told = await log_in(web)
        assert told["methods"] == ["sms"]
        body = {"challenge_id": told["challenge_id"]}
        sent = await web.http.post(f"{SECOND}/sms", json=body)
        assert (sent.status_code, sent.json()) == (202, {"retry_after": 30})
        early = await web.http.post(f"{SECOND}/sms", json=body)
        assert code_of(early) == (429, "too_many_requests")
        assert 0 < int(early.headers["retry-after"]) <= 30
        assert web.parts.inbox is not None
        code = await code_for(web.parts.inbox, MEI[0])
        wrong = await web.http.post(SECOND, json={**body, "code": other_code(code)})
        assert code_of(wrong) == (422, "code_wrong")
        check_tokens(await web.http.post(SECOND, json={**body, "code": code}), mei)

    async def test_by_passkey(self, web: Web, mei: Caller) -> None:
        device = Authenticator(web.parts.settings.public_url)
        options = (await mei.call("POST", "/v1/me/passkeys/options", {})).json()["public_key"]
        made = {"name": "phone", "credential": device.create(options)}
        assert (await mei.call("POST", "/v1/me/passkeys", made)).status_code == 201
        told = await log_in(web)
        assert told["methods"] == ["passkey", "sms"]
        body = {"challenge_id": told["challenge_id"]}
        asked = await web.http.post(f"{SECOND}/passkey/options", json=body)
        credential = device.get(asked.json()["public_key"])
        junk = await web.http.post(f"{SECOND}/passkey", json={**body, "credential": {}})
        assert code_of(junk) == (422, "passkey_invalid")
        answer = {**body, "credential": credential}
        check_tokens(await web.http.post(f"{SECOND}/passkey", json=answer), mei)
        again = await web.http.post(f"{SECOND}/passkey", json=answer)
        assert code_of(again) == (401, "second_factor_unknown")

    async def test_a_wrong_password_learns_nothing(self, web: Web, mei: Caller) -> None:
        await set_up(mei)
        told = []
        for phone in (MEI[0], RAVI[0]):
            answer = await web.http.post(
                "/v1/auth/login", json={"phone": phone, "password": "wrong password"}
            )
            body = answer.json()
            del body["instance"]
            told.append((answer.status_code, body))
        assert told[0] == told[1]
        assert told[0][1]["code"] == "invalid_credentials"

    @pytest.mark.parametrize("path", ["", "/sms", "/passkey", "/passkey/options"])
    async def test_unknown_challenges(self, web: Web, path: str) -> None:
        body: dict[str, object] = {"challenge_id": "018c0000-0000-7000-8000-000000000000"}
        if path == "":
            body["code"] = "123456"
        if path == "/passkey":
            body["credential"] = {}
        answer = await web.http.post(f"{SECOND}{path}", json=body)
        assert code_of(answer) == (401, "second_factor_unknown")


class TestReauthenticating:
    async def test_with_password_and_app(self, web: Web, mei: Caller) -> None:
        phone, codes = await set_up(mei)
        await grow_stale(web)
        path = "/v1/auth/reauthenticate"
        for body, status, code in (
            ({"password": "wrong password"}, 403, "password_wrong"),
            ({"password": PASSWORD}, 403, "factor_code_required"),
            ({"password": PASSWORD, "code": "no code"}, 422, "code_wrong"),
        ):
            assert code_of(await mei.call("POST", path, body)) == (status, code)
        assert (await mei.call("DELETE", "/v1/me/totp")).status_code == 403
        confirmed = await mei.call("POST", path, {"password": PASSWORD, "code": phone.code()})
        assert confirmed.status_code == 204
        again = await mei.call("POST", path, {"password": PASSWORD, "code": codes[0]})
        assert again.status_code == 204
        assert (await mei.call("DELETE", "/v1/me/totp")).status_code == 204

    async def test_by_sms(self, web: Web, mei: Caller) -> None:
        path = "/v1/auth/reauthenticate"
        refused = await mei.call("POST", f"{path}/sms", {})
        assert code_of(refused) == (422, "second_factor_unavailable")
        await mei.call("PUT", "/v1/me/sms-factor", {"enabled": True})
        await grow_stale(web)
        needed = await mei.call("POST", path, {"password": PASSWORD})
        assert code_of(needed) == (403, "factor_code_required")
        assert needed.json()["methods"] == ["sms"]
        none_sent = await mei.call("POST", path, {"password": PASSWORD, "code": "123456"})
        assert code_of(none_sent) == (422, "code_expired")
        sent = await mei.call("POST", f"{path}/sms", {})
        assert (sent.status_code, sent.json()) == (202, {"retry_after": 0})
        assert web.parts.inbox is not None
        code = await code_for(web.parts.inbox, MEI[0])
        wrong = await mei.call("POST", path, {"password": PASSWORD, "code": other_code(code)})
        assert code_of(wrong) == (422, "code_wrong")
        confirmed = await mei.call("POST", path, {"password": PASSWORD, "code": code})
        assert confirmed.status_code == 204
        off = await mei.call("PUT", "/v1/me/sms-factor", {"enabled": False})
        assert off.status_code == 204

    async def test_one_session_only(self, web: Web, mei: Caller) -> None:
        login = {"phone": MEI[0], "password": PASSWORD}
        other = Caller(web.http, (await web.http.post("/v1/auth/login", json=login)).json())
        await grow_stale(web)
        await mei.call("POST", "/v1/auth/reauthenticate", {"password": PASSWORD})
        assert (await mei.call("POST", "/v1/me/totp", {})).status_code == 201
        assert (await other.call("POST", "/v1/me/totp", {})).status_code == 403

    async def test_with_a_passkey(self, web: Web, mei: Caller) -> None:
        path = "/v1/auth/reauthenticate/passkey"
        refused = await mei.call("POST", f"{path}/options", {})
        assert code_of(refused) == (409, "no_passkey")
        device = Authenticator(web.parts.settings.public_url)
        options = (await mei.call("POST", "/v1/me/passkeys/options", {})).json()["public_key"]
        made = {"name": "phone", "credential": device.create(options)}
        await mei.call("POST", "/v1/me/passkeys", made)
        await grow_stale(web)
        options = (await mei.call("POST", f"{path}/options", {})).json()["public_key"]
        answer = {"credential": device.get(options)}
        assert (await mei.call("POST", path, answer)).status_code == 204
        assert (await mei.call("POST", "/v1/me/totp", {})).status_code == 201
        assert code_of(await mei.call("POST", path, answer)) == (422, "passkey_invalid")


def code_or_none(answer: httpx.Response) -> object:
    return answer.json().get("code") if answer.content else None
