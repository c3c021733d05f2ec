"""The calls of the HTTP contract, as a client sees them."""

import asyncio
import re

import httpx
import pytest
from tests.identity.sign_up import PASSWORD
from tests.web.conftest import Caller, Web

from tikiwallet import ids

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def topup(wallet: str, method: str = "pm_card_visa", amount: object = 2_500) -> dict[str, object]:
    return {"wallet": wallet, "amount": {"amount": amount, "currency": "SGD"}, "method": method}


class TestAuth:
    async def test_register_verify_login_refresh_logout(self, web: Web, mei: Caller) -> None:
        tokens: dict[str, object] = {**mei.tokens}
        assert tokens.keys() == {
            "person_id", "access_token", "token_type", "expires_in", "refresh_token"
        }  # fmt: skip
        assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 21_600)
        login = await web.http.post(
            "/v1/auth/login", json={"phone": "+65 9123 4567", "password": PASSWORD}
        )
        assert (login.status_code, login.json()["person_id"]) == (200, tokens["person_id"])
        refreshed = await web.http.post(
            "/v1/auth/refresh", json={"refresh_token": login.json()["refresh_token"]}
        )
        assert refreshed.status_code == 200
        session = Caller(web.http, refreshed.json())
        out = await session.call("POST", "/v1/auth/logout")
        assert (out.status_code, out.content) == (204, b"")
        assert code_of(await session.call("GET", "/v1/me")) == (401, "token_revoked")
        assert (await mei.call("GET", "/v1/me")).status_code == 200

    @pytest.mark.parametrize(
        ("path", "body", "status", "code"),
        [
            ("login", {"phone": "+6591234567", "password": "wrong"}, 401, "invalid_credentials"),
            ("login", {"phone": "91234567", "password": "wrong"}, 422, "phone_invalid"),
            ("refresh", {"refresh_token": "x" * 43}, 401, "refresh_invalid"),
            ("second-factor", {"challenge_id": "x", "code": "1"}, 401, "second_factor_unknown"),
            ("verify", {"registration_id": "x", "code": "123456"}, 422, "code_expired"),
            ("register/resend", {"registration_id": "x"}, 422, "code_expired"),
        ],
    )
    async def test_refusals(
        self, web: Web, path: str, body: dict[str, str], status: int, code: str
    ) -> None:
        assert code_of(await web.http.post(f"/v1/auth/{path}", json=body)) == (status, code)

    @pytest.mark.parametrize("method", ["GET /v1/me", "GET /v1/wallets", "POST /v1/auth/logout"])
    async def test_tokens_are_needed(self, web: Web, method: str) -> None:
        verb, path = method.split()
        assert code_of(await web.http.request(verb, path)) == (401, "token_missing")
        forged = {"authorization": "Bearer x.y.z"}
        answer = await web.http.request(verb, path, headers=forged)
        assert code_of(answer) == (401, "token_invalid")

    async def test_a_code_may_be_sent_again(self, web: Web) -> None:
        body = {"phone": RAVI[0], "username": RAVI[1], "password": PASSWORD}
        begun = await web.http.post("/v1/auth/register", json=body)
        assert (begun.status_code, begun.json().keys()) == (202, {"registration_id"})
        again = await web.http.post("/v1/auth/register/resend", json=begun.json())
        assert (again.status_code, again.json()) == (202, {"retry_after": 0})  # no limits here
        inbox = (await web.http.get("/dev/inbox", params={"phone": RAVI[0]})).json()["items"]
        verified = await web.http.post(
            "/v1/auth/verify", json={**begun.json(), "code": inbox[0]["code"]}
        )
        assert (verified.status_code, len(inbox)) == (201, 2)


class TestMe:
    async def test_me(self, mei: Caller) -> None:
        told = (await mei.call("GET", "/v1/me")).json()
        assert told["person_id"] == mei.tokens["person_id"]
        assert (told["phone"], told["username"], told["pin_set"]) == (*MEI, False)
        assert told["limits"]["wallet_ceiling"] == {"amount": 100_000_000, "currency": "SGD"}
        assert told["limits"]["payment_without_pin"] == {"amount": 10_000, "currency": "SGD"}
        assert TIME.fullmatch(told["created_at"])

    async def test_pin(self, mei: Caller) -> None:
        async def put(**body: str) -> httpx.Response:
            return await mei.call("PUT", "/v1/me/pin", body)

        assert code_of(await put(pin="111111")) == (422, "pin_weak")
        assert code_of(await put(pin="12x456")) == (422, "invalid_request")
        assert (await put(pin="482915")).status_code == 204
        assert code_of(await put(pin="739164")) == (403, "current_pin_required")
        wrong = await put(pin="739164", current_pin="482916")
        assert code_of(wrong) == (403, "pin_wrong")
        assert wrong.json()["tries_left"] == 4
        assert (await put(pin="739164", current_pin="482915")).status_code == 204
        assert (await mei.call("GET", "/v1/me")).json()["pin_set"]

    async def test_the_first_pin_needs_a_fresh_sign_in(self, web: Web, mei: Caller) -> None:
        await web.parts.database.execute(
            "UPDATE identity.session SET created_at = created_at - interval '11 minutes'"
        )
        first = {"pin": "482915"}
        for body in (first, {**first, "current_pin": "739164"}):
            refused = await mei.call("PUT", "/v1/me/pin", body)
            assert code_of(refused) == (403, "reauthentication_required")
        assert not (await mei.call("GET", "/v1/me")).json()["pin_set"]
        confirmed = await mei.call("POST", "/v1/auth/reauthenticate", {"password": PASSWORD})
        assert confirmed.status_code == 204
        assert (await mei.call("PUT", "/v1/me/pin", first)).status_code == 204
        await web.parts.database.execute("DELETE FROM identity.confirmation")
        # Changing it is the PIN's own matter.
        changed = await mei.call("PUT", "/v1/me/pin", {"pin": "739164", "current_pin": "482915"})
        assert changed.status_code == 204

    async def test_names(self, web: Web, mei: Caller) -> None:
        ravi = await web.sign_up(*RAVI)
        wallet = await ravi.wallet()
        for to in (RAVI[0], f"@{RAVI[1]}", wallet):
            answer = await mei.call("GET", f"/v1/names/{to}")
            assert (answer.status_code, answer.json()) == (200, {"to": to, "name": "ravi"})
        for to in ("@nobody", "+6590000000", ids.write_id("w", 5), "ravi"):
            assert (await mei.call("GET", f"/v1/names/{to}")).status_code == 404


class TestWallets:
    async def test_a_new_person_has_none_and_opens_one(self, mei: Caller) -> None:
        assert (await mei.call("GET", "/v1/wallets")).json() == {"items": []}
        made = await mei.call("POST", "/v1/wallets", {"currency": "SGD"})
        again = await mei.call("POST", "/v1/wallets", {"currency": "SGD"})
        assert (made.status_code, again.status_code) == (201, 200)
        assert made.json() == again.json()
        wallet = made.json()
        assert ids.read_id("w", wallet["id"]) is not None
        assert {n: wallet[n] for n in ("currency", "available", "held", "posted", "offline")} == {
            "currency": "SGD", "available": 0, "held": 0, "posted": 0, "offline": 0
        }  # fmt: skip
        assert TIME.fullmatch(wallet["created_at"])
        await mei.wallet("BTC")
        listed = (await mei.call("GET", "/v1/wallets")).json()["items"]
        assert [item["currency"] for item in listed] == ["SGD", "BTC"]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"currency": "XAU"}, "unknown_currency"),
            ({"currency": "sgd"}, "invalid_request"),
            ({}, "invalid_request"),
            ({"currency": "SGD", "amount": 1}, "invalid_request"),
        ],
    )
    async def test_refusals(self, mei: Caller, body: dict[str, object], code: str) -> None:
        assert code_of(await mei.call("POST", "/v1/wallets", body)) == (422, code)


class TestTopUps:
    async def test_a_card_fills_the_wallet(self, mei: Caller) -> None:
        wallet = await mei.wallet()
        made = await mei.call("POST", "/v1/topups", topup(wallet), idempotency_key="k1")
        assert made.status_code == 201
        told = made.json()
        assert {n: told[n] for n in ("status", "wallet", "amount", "method")} == {
            "status": "succeeded",
            "wallet": wallet,
            "amount": {"amount": 2_500, "currency": "SGD"},
            "method": "pm_card_visa",
        }
        assert "idempotent-replayed" not in made.headers
        shown = await mei.call("GET", f"/v1/topups/{told['id']}")
        assert shown.json() == told
        [listed] = (await mei.call("GET", "/v1/wallets")).json()["items"]
        assert (listed["available"], listed["posted"]) == (2_500, 2_500)

    async def test_a_replay_is_the_same_answer(self, mei: Caller) -> None:
        wallet = await mei.wallet()
        body = topup(wallet, "pm_card_chargeDeclined")
        first = await mei.call("POST", "/v1/topups", body, idempotency_key="k1")
        again = await mei.call(
            "POST", "/v1/topups", dict(reversed(body.items())), idempotency_key='"k1"'
        )
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert first.json()["failure_code"] == "card_declined"
        assert again.headers["idempotent-replayed"] == "true"
        other = await mei.call("POST", "/v1/topups", topup(wallet), idempotency_key="k1")
        assert code_of(other) == (422, "idempotency_key_reused")

    async def test_duplicates_at_once(self, mei: Caller) -> None:
        wallet = await mei.wallet()
        answers = await asyncio.gather(
            *(mei.call("POST", "/v1/topups", topup(wallet), idempotency_key="k1") for _ in range(8))
        )
        assert {answer.content for answer in answers} == {answers[0].content}
        assert {answer.status_code for answer in answers} == {201}
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7

    async def test_a_challenge_is_answered(self, web: Web, mei: Caller) -> None:
        body = topup(await mei.wallet(), "pm_card_authenticationRequired")
        made = (await mei.call("POST", "/v1/topups", body, idempotency_key="k1")).json()
        assert made["status"] == "requires_action"
        url = made["next_action"]["url"]
        assert url == f"{web.parts.settings.public_url}/dev/challenges/{made['id']}"
        answered = await web.http.post(url, json={"outcome": "approve"})
        assert answered.json() == {"id": made["id"], "status": "succeeded"}
        shown = (await mei.call("GET", f"/v1/topups/{made['id']}")).json()
        assert (shown["status"], shown["next_action"]) == ("succeeded", None)
        replayed = await mei.call("POST", "/v1/topups", body, idempotency_key="k1")
        assert replayed.json() == made

    async def test_keys_are_needed(self, mei: Caller) -> None:
        body = topup(await mei.wallet())
        missing = await mei.call("POST", "/v1/topups", body)
        assert code_of(missing) == (400, "idempotency_key_missing")
        bad = await mei.call("POST", "/v1/topups", body, idempotency_key="a b")
        assert code_of(bad) == (400, "idempotency_key_invalid")

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"method": "pm_nothing"}, 422, "unknown_method"),
            ({"wallet": ids.write_id("w", 5)}, 404, "not_found"),
            ({"wallet": "5"}, 422, "invalid_request"),
            ({"amount": {"amount": 5, "currency": "USD"}}, 409, "currency_mismatch"),
            ({"amount": {"amount": 5, "currency": "XXX"}}, 422, "unknown_currency"),
            ({"amount": {"amount": 0, "currency": "SGD"}}, 422, "invalid_request"),
            ({"amount": {"amount": 2**53, "currency": "SGD"}}, 422, "invalid_request"),
            ({"amount": {"amount": 5.0, "currency": "SGD"}}, 422, "invalid_request"),
            ({"amount": {"amount": "5", "currency": "SGD"}}, 422, "invalid_request"),
            ({"amount": {"amount": True, "currency": "SGD"}}, 422, "invalid_request"),
            ({"amount": {"amount": 5}}, 422, "invalid_request"),
            ({"pin": "123456"}, 422, "invalid_request"),
        ],
    )
    async def test_refusals(
        self, mei: Caller, change: dict[str, object], status: int, code: str
    ) -> None:
        body = {**topup(await mei.wallet()), **change}
        answer = await mei.call("POST", "/v1/topups", body, idempotency_key="k1")
        assert code_of(answer) == (status, code)

    async def test_others_see_nothing(self, web: Web, mei: Caller) -> None:
        wallet = await mei.wallet()
        made = await mei.call("POST", "/v1/topups", topup(wallet), idempotency_key="k1")
        ravi = await web.sign_up(*RAVI)
        shown = await ravi.call("GET", f"/v1/topups/{made.json()['id']}")
        assert code_of(shown) == (404, "not_found")
        theirs = await ravi.call("POST", "/v1/topups", topup(wallet), idempotency_key="k1")
        assert code_of(theirs) == (404, "not_found")


class TestDev:
    async def test_the_inbox(self, web: Web, mei: Caller) -> None:
        answer = await web.http.get("/dev/inbox", params={"phone": MEI[0]})
        [message] = answer.json()["items"]
        assert message["to"] == MEI[0]
        assert message["code"] in message["text"]
        assert TIME.fullmatch(message["sent_at"])
        # A plus that was not escaped arrives as a space.
        plain = await web.http.get(f"/dev/inbox?phone={MEI[0]}")
        assert plain.json() == answer.json()
        assert (await web.http.get("/dev/inbox?phone=%00")).status_code == 422

    @pytest.mark.parametrize("host", ["wallet.example.org", "10.0.0.1:8000", "[bad", ""])
    async def test_only_under_this_machines_own_name(self, web: Web, host: str) -> None:
        answer = await web.http.get("/dev/inbox?phone=%2B6591234567", headers={"host": host})
        assert code_of(answer) == (404, "not_found")

    @pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "via"])
    async def test_not_through_a_proxy(self, web: Web, name: str) -> None:
        answer = await web.http.get("/dev/inbox?phone=%2B6591234567", headers={name: "x"})
        assert code_of(answer) == (404, "not_found")

    async def test_unknown_challenges(self, web: Web) -> None:
        path = f"/dev/challenges/{ids.write_uuid(ids.new_uuid7())}"
        answer = await web.http.post(path, json={"outcome": "approve"})
        assert code_of(answer) == (404, "not_found")
        answer = await web.http.post(path, json={"outcome": "perhaps"})
        assert code_of(answer) == (422, "invalid_request")
