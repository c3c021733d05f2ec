"""What each change to an account asks for, beside being signed in: an unlocked phone, or a token
that was taken hours ago, changes nothing that protects the account."""

from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from tests.identity.authenticator import Authenticator
from tests.identity.sign_up import PASSWORD, code_for
from tests.web.conftest import Caller, Web
from tests.web.test_account import MEI, NEW, PIN, RAVI, UNKNOWN, code_of
from tests.web.test_second_factors import Phone, grow_stale, set_up

PASSKEY = "k_0000000000001"
# Each with a body that would do.
FRESH: Final[dict[str, object]] = {
    "GET /v1/me/export": None,
    "DELETE /v1/me/pin": None,
    "POST /v1/me/phone": {"phone": RAVI[0]},
    "POST /v1/me/totp": {},
    "DELETE /v1/me/totp": None,
    "PUT /v1/me/sms-factor": {"enabled": True},
    "POST /v1/me/recovery-codes": {},
    "POST /v1/me/passkeys/options": {},
    "DELETE /v1/me/passkeys/{id}": None,
    "POST /v1/me/identities/{provider}/start": {},
    "POST /v1/offline/devices": {"name": "Phone", "kind": "phone", "protection": "pin"},
    "DELETE /v1/me/identities/{provider}": None,
}
PASSWORD_AND_FRESH: Final = {"PUT /v1/me/password", "POST /v1/me/close"}
PIN_OR_FRESH: Final = {"PATCH /v1/me", "PUT /v1/me/pin"}  # a higher threshold; any PIN
# They end what a FRESH call of the same session began, and need what it gave or sent.
BEGUN_FRESH: Final = {
    "POST /v1/me/phone/verify",
    "POST /v1/me/phone/confirm",
    "POST /v1/me/totp/confirm",
    "POST /v1/me/passkeys",
}
# They stop somebody else, which must not wait for a password that is forgotten.
DEFENDS: Final = {
    "DELETE /v1/me/sessions",
    "DELETE /v1/me/sessions/{id}",
    "DELETE /v1/me/phone",
    "DELETE /v1/me/recoveries/{id}",
    "DELETE /v1/me/note-keys/{device_id}",
    "POST /v1/offline/devices/{id}/revoke",
}
HARMLESS: Final = {
    "PATCH /v1/me/passkeys/{id}",
    "PUT /v1/me/note-keys/{device_id}",
    "PATCH /v1/offline/devices/{id}",
    "POST /v1/me/notices/read",
}


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


def path_of(call: str) -> tuple[str, str]:
    method, path = call.split()
    return method, path.replace("{id}", PASSKEY).replace("{provider}", "mock")


async def test_every_change_of_an_account_is_in_one_of_these_lists(web: Web) -> None:
    """Whoever adds a call decides what it asks for."""
    document = (await web.http.get("/openapi.json")).json()
    changes = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        if path.startswith(("/v1/me", "/v1/offline/devices"))
        for method in operations
        if method != "get"
    }
    lists = (FRESH, PASSWORD_AND_FRESH, PIN_OR_FRESH, BEGUN_FRESH, DEFENDS, HARMLESS)
    assert changes | {"GET /v1/me/export"} == {call for one in lists for call in one}
    assert len({call for one in lists for call in one}) == sum(map(len, lists))


async def test_the_document_says_what_is_asked(web: Web) -> None:
    document = (await web.http.get("/openapi.json")).json()
    for call in (*FRESH, *PASSWORD_AND_FRESH, *PIN_OR_FRESH):
        method, path = call.split()
        refused = document["paths"][path][method.lower()]["responses"]["403"]
        assert "reauthentication_required" in str(refused), call


@pytest.mark.parametrize("call", FRESH)
async def test_a_stale_session_is_refused(web: Web, mei: Caller, call: str) -> None:
    await grow_stale(web)
    answer = await mei.call(*path_of(call), FRESH[call])
    assert code_of(answer) == (403, "reauthentication_required")


class TestPasswordAndClosing:
    CALLS: Final = (
        ("PUT", "/v1/me/password", {"current_password": PASSWORD, "password": NEW}),
        ("POST", "/v1/me/close", {"password": PASSWORD}),
    )

    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    async def test_the_password_does_where_it_is_all_there_is(
        self, web: Web, mei: Caller, method: str, path: str, body: object
    ) -> None:
        await grow_stale(web)
        assert (await mei.call(method, path, body)).status_code == 204

    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    @pytest.mark.parametrize("factor", ["sms", "totp", "recovery", "passkey"])
    async def test_with_a_second_factor_any_of_them_is_needed_anew(
        self, web: Web, mei: Caller, method: str, path: str, body: object, factor: str
    ) -> None:
        confirm = await _switch_on(web, mei, factor)
        await grow_stale(web)
        refused = await mei.call(method, path, body)
        assert code_of(refused) == (403, "reauthentication_required")
        login = {"phone": MEI[0], "password": PASSWORD}  # nothing has changed
        asked = await web.http.post("/v1/auth/login", json=login)
        assert code_of(asked) == (401, "second_factor_required")
        # The password alone is no confirmation.
        only = await mei.call("POST", "/v1/auth/reauthenticate", {"password": PASSWORD})
        assert code_of(only) == (403, "factor_code_required")
        assert code_of(await mei.call(method, path, body)) == (403, "reauthentication_required")
        confirmed = await confirm()
        assert confirmed.status_code == 204, confirmed.text
        assert (await mei.call(method, path, body)).status_code == 204

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/v1/me/password", {"password": NEW}),
            ("PUT", "/v1/me/password", {"current_password": "wrong", "password": NEW}),
            ("POST", "/v1/me/close", {}),
            ("POST", "/v1/me/close", {"password": "wrong"}),
        ],
    )
    async def test_a_fresh_sign_in_does_not_stand_in_for_the_password(
        self, web: Web, mei: Caller, method: str, path: str, body: object
    ) -> None:
        assert code_of(await mei.call(method, path, body)) == (403, "password_wrong")
        await _switch_on(web, mei, "sms")
        assert code_of(await mei.call(method, path, body)) == (403, "password_wrong")

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [("PUT", "/v1/me/password", {"password": NEW}), ("POST", "/v1/me/close", {})],
    )
    async def test_who_never_had_a_password_confirms(
        self, web: Web, mei: Caller, method: str, path: str, body: object
    ) -> None:
        """They signed up through somebody else."""
        await web.parts.database.execute("UPDATE identity.person SET password_hash = NULL")
        confirm = await _switch_on(web, mei, "passkey")
        await grow_stale(web)
        refused = await mei.call(method, path, body)
        assert code_of(refused) == (403, "reauthentication_required")
        assert (await confirm()).status_code == 204
        assert (await mei.call(method, path, body)).status_code == 204

    async def test_a_stale_session_does_not_learn_the_password(self, web: Web, mei: Caller) -> None:
        await _switch_on(web, mei, "sms")
        await grow_stale(web)
        answers = [
            await mei.call("POST", "/v1/me/close", {"password": tried})
            for tried in (PASSWORD, "wrong")
        ]
        assert {code_of(answer) for answer in answers} == {(403, "reauthentication_required")}

    async def test_a_confirmation_is_of_one_session(self, web: Web, mei: Caller) -> None:
        login = await web.http.post("/v1/auth/login", json={"phone": MEI[0], "password": PASSWORD})
        thief = Caller(web.http, login.json())
        confirm = await _switch_on(web, mei, "recovery")
        await grow_stale(web)
        assert (await confirm()).status_code == 204
        refused = await thief.call("POST", "/v1/me/close", {"password": PASSWORD})
        assert code_of(refused) == (403, "reauthentication_required")


async def test_the_pin_or_a_fresh_sign_in_raises_the_threshold(web: Web, mei: Caller) -> None:
    await mei.call("PUT", "/v1/me/pin", {"pin": PIN})
    await grow_stale(web)
    body = {"pin_threshold": {"amount": 50_000, "currency": "SGD"}}
    refused = await mei.call("PATCH", "/v1/me", body)
    assert code_of(refused) == (403, "reauthentication_required")
    assert (await mei.call("PATCH", "/v1/me", {**body, "pin": PIN})).status_code == 200
    lower = {"pin_threshold": {"amount": 1_000, "currency": "SGD"}}
    assert (await mei.call("PATCH", "/v1/me", lower)).status_code == 200


async def test_what_defends_asks_nothing(web: Web, mei: Caller) -> None:
    await grow_stale(web)
    assert (await mei.call("DELETE", "/v1/me/sessions")).status_code == 200
    for path in ("phone", f"recoveries/{UNKNOWN}", f"sessions/{UNKNOWN}"):
        answer = await mei.call("DELETE", f"/v1/me/{path}")
        assert code_of(answer) == (404, "not_found")


@dataclass(frozen=True)
class Confirm:
    """How Mei confirms, with the one factor that she has."""

    web: Web
    mei: Caller
    factor: str
    device: Authenticator | None = None
    phone: Phone | None = None
    recovery: str | None = None

    async def __call__(self) -> httpx.Response:
        path = "/v1/auth/reauthenticate"
        if self.device is not None:
            options = (await self.mei.call("POST", f"{path}/passkey/options", {})).json()
            credential = self.device.get(options["public_key"])
            return await self.mei.call("POST", f"{path}/passkey", {"credential": credential})
        if self.factor == "sms":
            sent = await self.mei.call("POST", f"{path}/sms", {})
            assert sent.status_code == 202, sent.text
            assert self.web.parts.inbox is not None
            code = await code_for(self.web.parts.inbox, MEI[0])
        elif self.phone is not None and self.factor == "totp":
            code = self.phone.code()
        else:
            code = self.recovery or ""
        return await self.mei.call("POST", path, {"password": PASSWORD, "code": code})


async def _switch_on(web: Web, mei: Caller, factor: str) -> Confirm:
    """Mei signs in with `factor` from now on, and confirms with it."""
    if factor == "sms":
        await mei.call("PUT", "/v1/me/sms-factor", {"enabled": True})
        return Confirm(web, mei, factor)
    if factor == "passkey":
        device = Authenticator(web.parts.settings.public_url)
        options = (await mei.call("POST", "/v1/me/passkeys/options", {})).json()["public_key"]
        made = {"name": "Key", "credential": device.create(options)}
        assert (await mei.call("POST", "/v1/me/passkeys", made)).status_code == 201
        return Confirm(web, mei, factor, device=device)
    phone, codes = await set_up(mei)
    return Confirm(web, mei, factor, phone=phone, recovery=codes[0])
