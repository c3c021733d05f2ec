"""Profile, password, PIN, number, recovery, export and closing, as a client sees them."""

import asyncio
import json
import re

import httpx
import pytest
from tests.identity.sign_up import PASSWORD, code_for, other_code
from tests.web.conftest import Caller, Web

from tikiwallet.payments.pay import MoneyAsked, Payee, PaymentRequest

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
NEW = "nine pears at noon"
PIN = "482916"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def newest_code(web: Web, phone: str) -> str:
    assert web.parts.inbox is not None
    return await code_for(web.parts.inbox, phone)


async def newest_text(web: Web, phone: str) -> str:
    assert web.parts.inbox is not None
    return (await web.parts.inbox.messages(phone))[0]["text"]


async def top_up(caller: Caller, wallet: str, amount: int) -> None:
    body = {
        "wallet": wallet,
        "amount": {"amount": amount, "currency": "SGD"},
        "method": "pm_card_visa",
    }
    answer = await caller.call("POST", "/v1/topups", body, idempotency_key=f"t{amount}")
    assert answer.json()["status"] == "succeeded", answer.text


class TestProfile:
    async def test_me_as_it_begins(self, mei: Caller) -> None:
        told = (await mei.call("GET", "/v1/me")).json()
        assert {name: told[name] for name in (
            "display_name", "language", "home_currency", "pin_threshold", "notices",
            "restricted_until", "second_factor",
        )} == {
            "display_name": "mei.lin",
            "language": None,
            "home_currency": "SGD",
            "pin_threshold": None,
            "notices": {"security": True, "payments": True, "news": False},
            "restricted_until": None,
            "second_factor": False,
        }  # fmt: skip

    async def test_all_members_at_once(self, mei: Caller) -> None:
        changes = {
            "display_name": "Mei 美玲 🌸",
            "language": "ar",
            "home_currency": "EUR",
            "pin_threshold": {"amount": 2_000, "currency": "SGD"},
            "notices": {"news": True},
        }
        answer = await mei.call("PATCH", "/v1/me", changes)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told == (await mei.call("GET", "/v1/me")).json()
        assert {name: told[name] for name in changes} == {
            **changes, "notices": {"security": True, "payments": True, "news": True}
        }  # fmt: skip
        assert told["limits"]["payment_without_pin"] == {"amount": 2_000, "currency": "SGD"}
        back = await mei.call("PATCH", "/v1/me", {"pin_threshold": None})
        assert back.json()["pin_threshold"] is None
        assert (await mei.call("PATCH", "/v1/me", {})).json() == back.json()

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"display_name": "Меi"}, 422, "name_invalid"),
            ({"display_name": "Mei\u202e"}, 422, "name_invalid"),
            ({"display_name": ""}, 422, "invalid_request"),
            ({"display_name": "x" * 401}, 422, "invalid_request"),
            ({"display_name": 5}, 422, "invalid_request"),
            ({"language": "xx"}, 422, "invalid_request"),
            ({"home_currency": "XXX"}, 422, "unknown_currency"),
            ({"home_currency": "sgd"}, 422, "invalid_request"),
            ({"pin_threshold": {"amount": -1, "currency": "SGD"}}, 422, "invalid_request"),
            ({"pin_threshold": {"amount": 100_001, "currency": "SGD"}}, 422, "invalid_request"),
            ({"pin_threshold": {"amount": 100, "currency": "USD"}}, 422, "invalid_request"),
            ({"pin_threshold": {"amount": 1.5, "currency": "SGD"}}, 422, "invalid_request"),
            ({"pin_threshold": 100}, 422, "invalid_request"),
            ({"notices": {"security": False}}, 422, "invalid_request"),
            ({"notices": {"news": "yes"}}, 422, "invalid_request"),
            ({"phone": "+6590000000"}, 422, "invalid_request"),
            ({"pin": "12345"}, 422, "invalid_request"),
            ({"pin": PIN}, 403, "pin_not_set"),
        ],
    )
    async def test_refusals(
        self, mei: Caller, body: dict[str, object], status: int, code: str
    ) -> None:
        before = (await mei.call("GET", "/v1/me")).json()
        assert code_of(await mei.call("PATCH", "/v1/me", body)) == (status, code)
        assert (await mei.call("GET", "/v1/me")).json() == before

    async def test_a_payer_reads_the_new_name(self, web: Web, mei: Caller) -> None:
        await mei.call("PATCH", "/v1/me", {"display_name": "Mei Lin"})
        ravi = await web.sign_up(*RAVI)
        answer = await ravi.call("GET", "/v1/names/@mei.lin")
        assert answer.json()["name"] == "Mei Lin"

    async def test_script_in_a_name_is_text(self, mei: Caller) -> None:
        name = "<script>alert(1)</script>"
        answer = await mei.call("PATCH", "/v1/me", {"display_name": name})
        assert answer.json()["display_name"] == name
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


class TestPasswordAndPin:
    async def test_a_new_password(self, web: Web, mei: Caller) -> None:
        login = await web.http.post("/v1/auth/login", json={"phone": MEI[0], "password": PASSWORD})
        other = Caller(web.http, login.json())
        body = {"current_password": PASSWORD, "password": NEW}
        assert (await mei.call("PUT", "/v1/me/password", body)).status_code == 204
        assert code_of(await other.call("GET", "/v1/me")) == (401, "token_revoked")
        assert (await mei.call("GET", "/v1/me")).status_code == 200
        wrong = await mei.call("PUT", "/v1/me/password", body)
        assert code_of(wrong) == (403, "password_wrong")
        weak = {"current_password": NEW, "password": "mei.lin"}
        assert code_of(await mei.call("PUT", "/v1/me/password", weak)) == (422, "password_weak")

    async def test_a_forgotten_pin(self, mei: Caller) -> None:
        assert code_of(await mei.call("DELETE", "/v1/me/pin")) == (403, "pin_not_set")
        await mei.call("PUT", "/v1/me/pin", {"pin": PIN})
        assert (await mei.call("DELETE", "/v1/me/pin")).status_code == 204
        told = (await mei.call("GET", "/v1/me")).json()
        assert not told["pin_set"]
        assert TIME.fullmatch(told["restricted_until"])
        assert (await mei.call("PUT", "/v1/me/pin", {"pin": "730518"})).status_code == 204


class TestPhone:
    async def test_moving_with_both_codes(self, web: Web, mei: Caller) -> None:
        assert (await mei.call("GET", "/v1/me/phone")).json() == {"pending": None}
        begun = await mei.call("POST", "/v1/me/phone", {"phone": RAVI[0]})
        assert begun.status_code == 202, begun.text
        id = begun.json()["change_id"]
        pending = (await mei.call("GET", "/v1/me/phone")).json()["pending"]
        assert pending == {"change_id": id, "phone": RAVI[0], "effective_at": None}
        old, new = await newest_code(web, MEI[0]), await newest_code(web, RAVI[0])
        wrong = await mei.call(
            "POST", "/v1/me/phone/verify", {"change_id": id, "code": other_code(new)}
        )
        assert code_of(wrong) == (422, "code_wrong")
        proved = await mei.call("POST", "/v1/me/phone/verify", {"change_id": id, "code": new})
        assert TIME.fullmatch(proved.json()["effective_at"])
        assert (await mei.call("GET", "/v1/me")).json()["phone"] == MEI[0]
        agreed = await mei.call("POST", "/v1/me/phone/confirm", {"change_id": id, "code": old})
        assert agreed.status_code == 200
        assert (await mei.call("GET", "/v1/me")).json()["phone"] == RAVI[0]
        assert code_of(await mei.call("DELETE", "/v1/me/phone")) == (404, "not_found")

    async def test_stopping_it(self, web: Web, mei: Caller) -> None:
        await mei.call("POST", "/v1/me/phone", {"phone": RAVI[0]})
        assert (await mei.call("DELETE", "/v1/me/phone")).status_code == 204
        await mei.call("POST", "/v1/me/phone", {"phone": RAVI[0]})
        token = (await newest_text(web, MEI[0])).rpartition("#")[2]
        answer = await web.http.post("/v1/auth/recovery/cancel", json={"token": token})
        assert answer.status_code == 204
        assert (await mei.call("GET", "/v1/me/phone")).json() == {"pending": None}

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"phone": "98765432"}, "phone_invalid"),
            ({"phone": MEI[0]}, "invalid_request"),
            ({"phone": ""}, "invalid_request"),
            ({}, "invalid_request"),
        ],
    )
    async def test_refusals(self, mei: Caller, body: dict[str, str], code: str) -> None:
        assert code_of(await mei.call("POST", "/v1/me/phone", body)) == (422, code)


class TestRecovery:
    async def begin(self, web: Web, **body: str) -> httpx.Response:
        return await web.http.post("/v1/auth/recovery", json=body)

    async def test_known_and_unknown_look_alike(self, web: Web, mei: Caller) -> None:
        answers = [
            await self.begin(web, **body)
            for body in (
                {"phone": MEI[0]},
                {"phone": RAVI[0]},
                {"username": "mei.lin"},
                {"username": "nobody.here"},
            )
        ]
        assert {answer.status_code for answer in answers} == {202}
        assert {tuple(answer.json()) for answer in answers} == {("recovery_id",)}
        assert len({answer.headers.get("content-length") for answer in answers}) == 1

    async def test_to_the_waiting_time_and_stopped(self, web: Web, mei: Caller) -> None:
        id = (await self.begin(web, phone=MEI[0])).json()["recovery_id"]
        code = await newest_code(web, MEI[0])
        proof = {"recovery_id": id, "code": code}
        wrong = await web.http.post(
            "/v1/auth/recovery/verify", json={**proof, "code": other_code(code)}
        )
        assert code_of(wrong) == (422, "code_wrong")
        told = (await web.http.post("/v1/auth/recovery/verify", json=proof)).json()
        assert told.keys() == {"recovery_secret", "ready_at", "needs", "ready_without_at"}
        assert (told["needs"], told["ready_without_at"]) == ([], None)
        body = {"recovery_id": id, "recovery_secret": told["recovery_secret"], "password": NEW}
        early = await web.http.post("/v1/auth/recovery/complete", json=body)
        assert code_of(early) == (409, "recovery_not_ready")
        assert early.json()["ready_at"] == told["ready_at"]
        [pending] = (await mei.call("GET", "/v1/me/recoveries")).json()["items"]
        assert (pending["id"], pending["ready_at"]) == (id, told["ready_at"])
        assert code_of(await mei.call("DELETE", f"/v1/me/recoveries/{UNKNOWN}")) == (
            404, "not_found"
        )  # fmt: skip
        assert (await mei.call("DELETE", f"/v1/me/recoveries/{id}")).status_code == 204
        late = await web.http.post("/v1/auth/recovery/complete", json=body)
        assert code_of(late) == (422, "recovery_invalid")

    @pytest.mark.parametrize("cookies", [True, False])
    async def test_completed(self, web: Web, mei: Caller, cookies: bool) -> None:
        id = (await self.begin(web, phone=MEI[0])).json()["recovery_id"]
        proof = {"recovery_id": id, "code": await newest_code(web, MEI[0])}
        told = (await web.http.post("/v1/auth/recovery/verify", json=proof)).json()
        await web.parts.database.execute("UPDATE identity.recovery SET ready_at = created_at")
        answer = await web.http.post(
            "/v1/auth/recovery/complete",
            json={"recovery_id": id, "recovery_secret": told["recovery_secret"], "password": NEW},
            headers={"tikiwallet-session": "cookie"} if cookies else {},
        )
        assert answer.status_code == 200, answer.text
        assert ("tw_access" in answer.cookies) == cookies
        assert ("access_token" in answer.json()) != cookies
        assert code_of(await mei.call("GET", "/v1/me")) == (401, "token_revoked")

    @pytest.mark.parametrize(
        ("path", "body", "code"),
        [
            ("", {}, "invalid_request"),
            ("", {"phone": "+6591234567", "username": "mei"}, "invalid_request"),
            ("", {"phone": "91234567"}, "phone_invalid"),
            ("", {"username": "x"}, "username_invalid"),
            ("/verify", {"recovery_id": UNKNOWN, "code": "123456"}, "code_expired"),
            ("/verify", {"recovery_id": "x", "code": "123456"}, "code_expired"),
            ("/verify", {"recovery_id": UNKNOWN}, "invalid_request"),
            (
                "/verify",
                {"recovery_id": UNKNOWN, "code": "1", "password": "x"},
                "invalid_request",
            ),
            (
                "/complete",
                {"recovery_id": UNKNOWN, "recovery_secret": "x", "password": NEW},
                "recovery_invalid",
            ),
            ("/cancel", {"token": "x"}, "recovery_invalid"),
        ],
    )
    async def test_refusals(self, web: Web, path: str, body: dict[str, str], code: str) -> None:
        answer = await web.http.post(f"/v1/auth/recovery{path}", json=body)
        assert code_of(answer) == (422, code)


class TestNotices:
    async def test_told_in_the_persons_language_and_marked(self, web: Web, mei: Caller) -> None:
        await mei.call("PUT", "/v1/me/pin", {"pin": PIN}, user_agent="tiki-test/1.0")
        await mei.call(
            "PUT",
            "/v1/me/pin",
            {"pin": "730518", "current_pin": PIN},
            user_agent="tiki-test/1.0",
        )
        async with asyncio.timeout(10):
            while len((await mei.call("GET", "/v1/me/notices")).json()["items"]) < 2:
                await web.parts.notices.follow()
        page = (await mei.call("GET", "/v1/me/notices")).json()
        [notice, first] = page["items"]
        assert (page["unread"], page["next_cursor"]) == (2, None)
        assert (first["kind"], first["title"]) == ("pin_set", "PIN set")
        assert (notice["kind"], notice["title"], notice["read"]) == (
            "pin_changed", "PIN changed", False
        )  # fmt: skip
        assert notice["text"] == "Your payment PIN was changed on tiki-test."
        assert TIME.fullmatch(notice["at"])
        await mei.call("PATCH", "/v1/me", {"language": "ar"})
        read = await mei.call("POST", "/v1/me/notices/read", {"up_to": notice["id"]})
        assert read.status_code == 204
        page = (await mei.call("GET", "/v1/me/notices")).json()
        assert (page["unread"], page["items"][0]["read"]) == (0, True)
        assert page["items"][0]["title"] == "تغيّر رقم PIN"

    async def test_the_trail(self, mei: Caller) -> None:
        await mei.call("PATCH", "/v1/me", {"display_name": "Mei"}, user_agent="tiki-test/1.0")
        page = (await mei.call("GET", "/v1/me/security-events?limit=2")).json()
        first, second = page["items"]
        assert first == {
            "at": first["at"],
            "kind": "name_changed",
            "device": "tiki-test",
            "address": "127.0.0.1",
            "detail": {},
        }
        assert second["kind"] == "signed_in"
        rest = await mei.call("GET", f"/v1/me/security-events?cursor={page['next_cursor']}")
        assert [event["kind"] for event in rest.json()["items"]] == ["registered"]

    @pytest.mark.parametrize("path", ["notices", "security-events"])
    async def test_cursors_of_elsewhere(self, mei: Caller, path: str) -> None:
        for cursor in ("x", "w_0000000000001"):
            answer = await mei.call("GET", f"/v1/me/{path}?cursor={cursor}")
            assert code_of(answer) == (400, "bad_cursor")

    async def test_a_mark_that_is_none(self, mei: Caller) -> None:
        answer = await mei.call("POST", "/v1/me/notices/read", {"up_to": "x"})
        assert code_of(answer) == (422, "invalid_request")


class TestContacts:
    async def test_from_payments_and_favourites(self, web: Web, mei: Caller) -> None:
        ravi = await web.sign_up(*RAVI)
        zoe = await web.sign_up("+6590000001", "zoe")
        assert (await mei.call("GET", "/v1/contacts")).json() == {"items": []}
        wallet = await mei.wallet()
        await top_up(mei, wallet, 1_000)
        await web.pay(mei, "p1", PaymentRequest(wallet, [Payee("@ravi", MoneyAsked(100, "SGD"))]))
        await ravi.call("PATCH", "/v1/me", {"display_name": "Ravi Kumar"})
        for username in ("zoe", "%40zoe"):
            answer = await mei.call("PUT", f"/v1/contacts/{username}")
            assert answer.status_code == 204
        items = (await mei.call("GET", "/v1/contacts")).json()["items"]
        assert [(item["to"], item["name"], item["favourite"]) for item in items] == [
            ("@zoe", "zoe", True),
            ("@ravi", "Ravi Kumar", False),
        ]
        assert (items[0]["last_at"], bool(TIME.fullmatch(items[1]["last_at"]))) == (None, True)
        [seen] = (await ravi.call("GET", "/v1/contacts")).json()["items"]
        assert seen["to"] == "@mei.lin"
        assert (await zoe.call("GET", "/v1/contacts")).json() == {"items": []}
        await mei.call("DELETE", "/v1/contacts/zoe")
        await zoe.call("POST", "/v1/me/close", {"password": PASSWORD})
        await ravi.call("PUT", "/v1/contacts/mei.lin")
        items = (await mei.call("GET", "/v1/contacts")).json()["items"]
        assert [item["to"] for item in items] == ["@ravi"]

    @pytest.mark.parametrize(
        ("method", "username", "status", "code"),
        [
            ("PUT", "nobody.here", 404, "not_found"),
            ("PUT", "x", 422, "username_invalid"),
            ("PUT", "mei.lin", 422, "invalid_request"),
            ("DELETE", "x", 422, "username_invalid"),
        ],
    )
    async def test_refusals(
        self, mei: Caller, method: str, username: str, status: int, code: str
    ) -> None:
        assert code_of(await mei.call(method, f"/v1/contacts/{username}")) == (status, code)

    async def test_removing_tells_nothing(self, mei: Caller) -> None:
        answer = await mei.call("DELETE", "/v1/contacts/nobody.here")
        assert answer.status_code == 204


class TestExportAndClosing:
    async def test_the_whole_account(self, web: Web, mei: Caller) -> None:
        wallet = await mei.wallet()
        await top_up(mei, wallet, 1_000)
        await mei.call("PATCH", "/v1/me", {"display_name": "Mei “Quote” 🌸"})
        answer = await mei.call("GET", "/v1/me/export")
        assert answer.status_code == 200
        assert "attachment" in answer.headers["content-disposition"]
        told = json.loads(answer.content)
        assert told.keys() == {
            "exported_at", "person", "sessions", "identities", "passkeys", "security_events",
            "wallets", "entries", "payments", "notices", "favourites", "offline_devices",
            "offline_passes", "offline_debts",
        }  # fmt: skip
        assert told["person"]["phone"] == MEI[0]
        assert told["person"]["display_name"] == "Mei “Quote” 🌸"
        assert [one["id"] for one in told["wallets"]] == [wallet]
        [entry] = told["entries"]
        assert (entry["amount"], entry["direction"], entry["kind"]) == (1_000, "in", "top_up")
        [payment] = told["payments"]
        assert payment["id"] == entry["payment_id"]
        assert payment["postings"][0]["to"] == "@mei.lin"
        assert [event["kind"] for event in told["security_events"]] == [
            "exported", "name_changed", "signed_in", "registered"
        ]  # fmt: skip
        assert len(told["sessions"]) == 1

    async def test_between_ones_own_wallets_a_payment_is_told_once(
        self, web: Web, mei: Caller
    ) -> None:
        ravi = await web.sign_up(*RAVI)
        wallet, other = await mei.wallet(), await ravi.wallet()
        await top_up(mei, wallet, 1_000)
        for number in range(120):
            money = MoneyAsked(1, "SGD")
            request = PaymentRequest(wallet, [Payee(other, money), Payee("@ravi", money)])
            await web.pay(mei, f"k{number}", request)
        for caller in (mei, ravi):
            told = json.loads((await caller.call("GET", "/v1/me/export")).content)
            payments = [payment["id"] for payment in told["payments"]]
            assert len(payments) == len(set(payments)) == 120 + (caller is mei)
            assert len(told["entries"]) == 240 + (caller is mei)

    async def test_closing(self, web: Web, mei: Caller) -> None:
        wallet = await mei.wallet()
        await top_up(mei, wallet, 100)
        left = await mei.call("POST", "/v1/me/close", {"password": PASSWORD})
        assert code_of(left) == (409, "balance_not_zero")
        wrong = await mei.call("POST", "/v1/me/close", {"password": "wrong"})
        assert code_of(wrong) == (403, "password_wrong")
        ravi = await web.sign_up(*RAVI)
        closed = await ravi.call("POST", "/v1/me/close", {"password": PASSWORD})
        assert closed.status_code == 204
        assert code_of(await ravi.call("GET", "/v1/me")) == (401, "token_revoked")
        login = await web.http.post("/v1/auth/login", json={"phone": RAVI[0], "password": PASSWORD})
        assert code_of(login) == (401, "invalid_credentials")
        assert (await mei.call("GET", "/v1/names/@ravi")).status_code == 404

    @pytest.mark.parametrize(
        "call",
        [
            "PATCH /v1/me", "PUT /v1/me/password", "DELETE /v1/me/pin", "GET /v1/me/phone",
            "POST /v1/me/phone", "POST /v1/me/phone/verify", "POST /v1/me/phone/confirm",
            "DELETE /v1/me/phone", "GET /v1/me/export", "POST /v1/me/close",
            "GET /v1/me/recoveries", f"DELETE /v1/me/recoveries/{UNKNOWN}", "GET /v1/me/notices",
            "POST /v1/me/notices/read", "GET /v1/me/security-events", "GET /v1/contacts",
            "PUT /v1/contacts/ravi", "DELETE /v1/contacts/ravi",
        ],
    )  # fmt: skip
    async def test_all_need_a_sign_in(self, web: Web, call: str) -> None:
        method, path = call.split()
        assert code_of(await web.http.request(method, path)) == (401, "token_missing")
