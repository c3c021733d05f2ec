"""The list of sign-ins, and ending them, as a client sees it."""

import dataclasses

import httpx
import pytest
from tests.identity.sign_up import PASSWORD
from tests.web.browser import Browser
from tests.web.conftest import Caller, Web

from tikiwallet import ids
from tikiwallet.identity.places import Places
from tikiwallet.web.application import build_application

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


async def sign_in(web: Web, phone: str = MEI[0], agent: str = FIREFOX) -> Caller:
    answer = await web.http.post(
        "/v1/auth/login",
        json={"phone": phone, "password": PASSWORD},
        headers={"user-agent": agent},
    )
    assert answer.status_code == 200
    return Caller(web.http, answer.json())


async def listed(caller: Caller) -> list[dict[str, object]]:
    answer = await caller.call("GET", "/v1/me/sessions")
    assert answer.status_code == 200
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_list(web: Web, mei: Caller) -> None:
    phone = await sign_in(web)
    newest, first = await listed(phone)
    assert set(newest) == {
        "id", "current", "device", "address", "place", "method", "created_at", "last_seen_at"
    }  # fmt: skip
    assert (newest["current"], first["current"]) == (True, False)
    assert (newest["device"], newest["method"], newest["place"]) == (
        "Firefox · Android",
        "password",
        None,
    )
    assert newest["address"] == "127.0.0.1"
    assert (first["device"], first["method"]) == ("python-httpx", "sms")
    assert [one["current"] for one in await listed(mei)] == [False, True]


async def test_places_are_told_where_a_file_knows_them(web: Web, mei: Caller) -> None:
    class Island(Places):
        def of(self, address: str | None) -> str | None:
            return f"near {address}"

    parts = dataclasses.replace(web.parts, places=Island())
    transport = httpx.ASGITransport(build_application(parts))
    async with httpx.AsyncClient(transport=transport, base_url=web.http.base_url) as http:
        [one] = await listed(Caller(http, mei.tokens))
    assert one["place"] == "near 127.0.0.1"


async def test_use_is_noted(web: Web, mei: Caller) -> None:
    [before] = await listed(mei)
    await web.parts.identity.sightings.write()
    [after] = await listed(mei)
    assert str(after["last_seen_at"]) > str(before["last_seen_at"])


async def test_ending_one(web: Web, mei: Caller) -> None:
    phone = await sign_in(web)
    [other] = [one for one in await listed(mei) if not one["current"]]
    path = f"/v1/me/sessions/{other['id']}"
    ended = await mei.call("DELETE", path)
    assert (ended.status_code, ended.headers.get_list("set-cookie")) == (204, [])
    assert code_of(await phone.call("GET", "/v1/me")) == (401, "token_revoked")
    assert code_of(await mei.call("DELETE", path)) == (404, "not_found")
    assert len(await listed(mei)) == 1


async def test_ending_ones_own_signs_the_browser_out(web: Web, mei: Caller) -> None:
    browser = Browser(web.http)
    await browser.call("POST", "/v1/auth/login", {"phone": MEI[0], "password": PASSWORD})
    items = (await browser.call("GET", "/v1/me/sessions")).json()["items"]
    [mine] = [one["id"] for one in items if one["current"]]
    assert (await browser.call("DELETE", f"/v1/me/sessions/{mine}")).status_code == 204
    assert set(browser.jar) == {"tw_known"}


async def test_ending_all_others(web: Web, mei: Caller) -> None:
    others = [await sign_in(web) for _ in range(3)]
    answer = await mei.call("DELETE", "/v1/me/sessions")
    assert (answer.status_code, answer.json()) == (200, {"ended": 3})
    for other in others:
        assert code_of(await other.call("GET", "/v1/me")) == (401, "token_revoked")
    assert len(await listed(mei)) == 1


async def test_other_peoples_are_not_there(web: Web, mei: Caller) -> None:
    ravi = await web.sign_up(*RAVI)
    [theirs] = await listed(ravi)
    for id in (theirs["id"], ids.write_uuid(ids.new_uuid7())):
        answer = await mei.call("DELETE", f"/v1/me/sessions/{id}")
        assert code_of(answer) == (404, "not_found")
    assert len(await listed(ravi)) == 1
    assert code_of(await mei.call("DELETE", "/v1/me/sessions/5")) == (422, "invalid_request")
