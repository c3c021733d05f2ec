"""Signing in by cookies: what other sites' pages, planted cookies and old ones can do, which is
nothing."""

import base64
import json

import httpx
import pytest
from tests.identity.sign_up import PASSWORD, code_for
from tests.web.browser import Browser
from tests.web.conftest import Caller, Web

from tikiwallet.errors import Problem
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.sessions import Tokens
from tikiwallet.web.cookies import BrowserCookies, CsrfFailed

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
SESSION = "019a0000-0000-7000-8000-000000000001"
SECRET = ServerSecret(b"s" * 32)
ORIGIN = b"https://wallet.example.org"
COOKIES = BrowserCookies(SECRET, ORIGIN.decode())
EVIL = "https://evil.example"
FORM = {"origin": EVIL, "sec-fetch-site": "cross-site"}


def access_token(claims: object = None) -> bytes:
    payload = json.dumps(claims or {"sid": SESSION}).encode()
    return b"e30." + base64.urlsafe_b64encode(payload).rstrip(b"=") + b".c2ln"


def signed(**headers: bytes) -> list[tuple[bytes, bytes]]:
    """Headers of a call with an access cookie between others."""
    cookie = b"a=b; __Host-tw_access=" + access_token() + b"; c=d"
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return [(b"host", b"wallet.example.org"), (b"cookie", cookie), *named]


CSRF = COOKIES.csrf_token(SESSION).encode()


class TestAuthorization:
    def test_the_header_wins_over_cookies(self) -> None:
        headers = [*signed(), (b"authorization", b"Bearer mine")]
        assert COOKIES.authorization(headers, "POST") == b"Bearer mine"

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_safe_calls_need_no_csrf_token(self, method: str) -> None:
        assert COOKIES.authorization(signed(), method) == b"Bearer " + access_token()

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
    def test_unsafe_calls_need_it(self, method: str) -> None:
        with pytest.raises(CsrfFailed):
            COOKIES.authorization(signed(), method)
        assert COOKIES.authorization(signed(x_csrf_token=CSRF), method).startswith(b"Bearer ")

    @pytest.mark.parametrize(
        "headers",
        [
            {"x_csrf_token": b""},
            {"x_csrf_token": CSRF[:-1]},
            {"x_csrf_token": CSRF + b"A"},
            {"x_csrf_token": b"\xff\x00"},
            {"x_csrf_token": CSRF, "origin": EVIL.encode()},
            {"x_csrf_token": CSRF, "origin": b"null"},
            {"x_csrf_token": CSRF, "origin": ORIGIN + b".evil.example"},
            {"x_csrf_token": CSRF, "origin": b"http://wallet.example.org"},
            {"x_csrf_token": CSRF, "sec_fetch_site": b"cross-site"},
            {"x_csrf_token": CSRF, "sec_fetch_site": b"same-site"},
            {"x_csrf_token": CSRF, "sec_fetch_site": b"none"},
        ],
    )
    def test_and_come_from_our_pages(self, headers: dict[str, bytes]) -> None:
        with pytest.raises(CsrfFailed):
            COOKIES.authorization(signed(**headers), "POST")

    def test_as_our_pages_send_them(self) -> None:
        headers = signed(x_csrf_token=CSRF, origin=ORIGIN, sec_fetch_site=b"same-origin")
        assert COOKIES.authorization(headers, "POST") == b"Bearer " + access_token()

    def test_another_sessions_or_installations_token_does_not_do(self) -> None:
        others = (
            COOKIES.csrf_token(SESSION.replace("1", "2")),
            BrowserCookies(ServerSecret(b"t" * 32), ORIGIN.decode()).csrf_token(SESSION),
        )
        for other in others:
            with pytest.raises(CsrfFailed):
                COOKIES.authorization(signed(x_csrf_token=other.encode()), "POST")

    @pytest.mark.parametrize(
        "token",
        [b"x", b"a.b", b"a.!.c", b"a.e30.c", b"a.\xff.c", b"a.b.c.d", access_token({"sid": 5})],
    )
    def test_what_is_no_token_is_left_to_the_verifier(self, token: bytes) -> None:
        headers = [(b"cookie", b"__Host-tw_access=" + token)]
        assert COOKIES.authorization(headers, "POST") == b"Bearer " + token

    @pytest.mark.parametrize(
        "cookie", [b"", b"tw_access=x", b"__Host-tw_access=", b"x__Host-tw_access=x", b";;=;"]
    )
    def test_other_cookies_are_none(self, cookie: bytes) -> None:
        assert COOKIES.authorization([(b"cookie", cookie)], "POST") == b""
        assert COOKIES.authorization([], "POST") == b""

    def test_cookies_may_come_in_several_headers(self) -> None:
        headers = [(b"cookie", b"a=b"), (b"cookie", b"__Host-tw_access=x"), (b"cookie", b"c=d")]
        assert COOKIES.authorization(headers, "GET") == b"Bearer x"


def test_under_https_cookies_are_bound_to_the_host() -> None:
    tokens = Tokens("p_1", SESSION, "access", "refresh", 60)
    access, refresh, csrf = COOKIES.set(tokens)
    assert access == (
        "__Host-tw_access=access; Path=/; Max-Age=60; SameSite=Strict; Secure; HttpOnly"
    )
    assert refresh == (
        "__Secure-tw_refresh=refresh; Path=/v1/auth; Max-Age=2592000; SameSite=Strict; Secure;"
        " HttpOnly"
    )
    assert csrf == f"tw_csrf={CSRF.decode()}; Path=/; Max-Age=2592000; SameSite=Strict; Secure"
    assert all("Max-Age=0" in line for line in COOKIES.clear())


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def sign_in(browser: Browser, phone: str = MEI[0]) -> httpx.Response:
    return await browser.call(
        "POST", "/v1/auth/login", {"phone": phone, "password": PASSWORD}, csrf=False
    )


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


@pytest.fixture
async def browser(web: Web, mei: Caller) -> Browser:
    opened = Browser(web.http)
    answer = await sign_in(opened)
    assert answer.status_code == 200, answer.text
    return opened


async def test_a_sign_in_sets_cookies_and_tells_no_token(web: Web, mei: Caller) -> None:
    browser = Browser(web.http)
    answer = await sign_in(browser)
    assert answer.json() == {
        "person_id": mei.tokens["person_id"],
        "expires_in": 21_600,
        "csrf_token": browser.cookies["tw_csrf"],
    }
    facts = {name: (kept.path, kept.http_only) for name, kept in browser.jar.items()}
    assert facts == {
        "tw_access": ("/", True),
        "tw_refresh": ("/v1/auth", True),
        "tw_csrf": ("/", False),
        "tw_known": ("/v1/auth", True),
    }
    assert {kept.same_site for kept in browser.jar.values()} == {"Strict"}
    for name in ("tw_access", "tw_refresh", "tw_known"):
        assert browser.cookies[name] not in answer.text


async def test_a_browser_is_known_after_signing_out(web: Web, mei: Caller) -> None:
    browser = Browser(web.http)
    assert not web.parts.identity.known_browsers.read(browser.cookies.get("tw_known", ""))
    await sign_in(browser)
    known = web.parts.identity.known_browsers.read(browser.cookies["tw_known"])
    assert known is not None
    await browser.call("POST", "/v1/auth/refresh", {})
    await browser.call("POST", "/v1/auth/logout")
    assert set(browser.cookies) == {"tw_known"}
    assert web.parts.identity.known_browsers.read(browser.cookies["tw_known"]) == known


async def test_strangers_do_not_lock_a_known_browser_out(web: Web, browser: Browser) -> None:
    web.parts.identity.limits._enabled = True
    body = {"phone": MEI[0], "password": "wrong password"}
    guesses = [await web.http.post("/v1/auth/login", json=body) for _ in range(11)]
    assert [answer.status_code for answer in guesses] == [401] * 10 + [429]
    await browser.call("POST", "/v1/auth/logout")
    assert (await sign_in(browser)).status_code == 200


async def test_a_sign_up_sets_cookies_too(web: Web) -> None:
    browser = Browser(web.http)
    body = {"phone": RAVI[0], "username": RAVI[1], "password": PASSWORD}
    registered = await browser.call("POST", "/v1/auth/register", body)
    assert web.parts.inbox is not None
    code = await code_for(web.parts.inbox, RAVI[0])
    verified = await browser.call("POST", "/v1/auth/verify", {**registered.json(), "code": code})
    assert (verified.status_code, set(verified.json())) == (
        201,
        {"person_id", "expires_in", "csrf_token"},
    )
    assert (await browser.call("GET", "/v1/me")).json()["username"] == RAVI[1]


async def test_cookies_sign_calls(browser: Browser) -> None:
    assert (await browser.call("GET", "/v1/me")).json()["username"] == MEI[1]
    made = await browser.call("POST", "/v1/wallets", {"currency": "SGD"})
    assert made.status_code == 201


async def test_refresh_takes_the_cookie(browser: Browser) -> None:
    before = browser.cookies
    answer = await browser.call("POST", "/v1/auth/refresh", {})
    assert answer.status_code == 200
    assert answer.json()["csrf_token"] == before["tw_csrf"]
    assert browser.cookies["tw_refresh"] != before["tw_refresh"]
    assert (await browser.call("GET", "/v1/me")).status_code == 200


async def test_a_refresh_that_fails_clears_the_cookies(web: Web, browser: Browser) -> None:
    first = browser.cookies["tw_refresh"]
    browser.jar["tw_refresh"] = type(browser.jar["tw_refresh"])("x" * 43, "/v1/auth", True, "")
    answer = await browser.call("POST", "/v1/auth/refresh", {})
    assert code_of(answer) == (401, "refresh_invalid")
    assert set(browser.jar) == {"tw_known"}
    again = await web.http.post("/v1/auth/refresh", json={"refresh_token": first})
    assert again.status_code == 200


@pytest.mark.parametrize("body", [{}, {"refresh_token": None}])
async def test_refresh_without_a_token(web: Web, browser: Browser, body: object) -> None:
    answer = await web.http.post("/v1/auth/refresh", json=body)
    assert code_of(answer) == (401, "refresh_invalid")
    # Only who asks for cookies is answered by cookie.
    answer = await browser.send("POST", "/v1/auth/refresh", body)
    assert code_of(answer) == (401, "refresh_invalid")


class TestFromAnotherSite:
    """What a page of evil.example can make a browser send, even if SameSite were not there."""

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/v1/wallets", {"currency": "SGD"}),
            ("PUT", "/v1/me/pin", {"pin": "482915"}),
            ("POST", "/v1/auth/logout", None),
            ("POST", "/v1/topups", {}),
        ],
    )
    async def test_calls(self, browser: Browser, method: str, path: str, body: object) -> None:
        answer = await browser.send(method, path, body, FORM)
        assert code_of(answer) == (403, "csrf_failed")
        # An old browser that sends neither Origin nor Sec-Fetch-Site lacks the token all the same.
        answer = await browser.send(method, path, body)
        assert code_of(answer) == (403, "csrf_failed")
        assert (await browser.call("GET", "/v1/me")).json()["pin_set"] is False
        assert (await browser.call("GET", "/v1/wallets")).json() == {"items": []}

    async def test_refresh(self, browser: Browser) -> None:
        asked = {"tikiwallet-session": "cookie"}
        for headers in ({**asked, **FORM}, asked, {**asked, "x-csrf-token": "x" * 43}):
            answer = await browser.send("POST", "/v1/auth/refresh", {}, headers)
            assert code_of(answer) == (403, "csrf_failed")
        # Nothing was used up by trying.
        assert (await browser.call("POST", "/v1/auth/refresh", {})).status_code == 200

    async def test_signing_its_reader_in(self, web: Web, mei: Caller) -> None:
        body = {"phone": MEI[0], "password": PASSWORD}
        headers = {"tikiwallet-session": "cookie", **FORM}
        answer = await web.http.post("/v1/auth/login", json=body, headers=headers)
        assert code_of(answer) == (403, "csrf_failed")
        assert "set-cookie" not in answer.headers


class TestFixation:
    """Somebody put their own cookies into a browser before its owner signs in."""

    async def test_a_sign_in_replaces_what_was_planted(
        self, web: Web, browser: Browser, mei: Caller
    ) -> None:
        await web.sign_up(*RAVI)
        planted = browser.cookies  # Mei's, in Ravi's browser
        victim = Browser(web.http)
        victim.jar = dict(browser.jar)
        await sign_in(victim, RAVI[0])
        assert not set(victim.cookies.values()) & set(planted.values())
        assert (await victim.call("GET", "/v1/me")).json()["username"] == RAVI[1]
        # What was planted did not become Ravi's.
        assert (await browser.call("GET", "/v1/me")).json()["username"] == MEI[1]

    async def test_mixed_cookies_sign_nothing_unsafe(self, web: Web, browser: Browser) -> None:
        await web.sign_up(*RAVI)
        other = Browser(web.http)
        await sign_in(other, RAVI[0])
        other.jar["tw_access"] = browser.jar["tw_access"]
        answer = await other.call("POST", "/v1/wallets", {"currency": "SGD"})
        assert code_of(answer) == (403, "csrf_failed")

    async def test_the_mode_is_spelled_right_or_refused(self, web: Web, mei: Caller) -> None:
        answer = await web.http.post(
            "/v1/auth/login",
            json={"phone": MEI[0], "password": PASSWORD},
            headers={"tikiwallet-session": "cookies"},
        )
        assert code_of(answer) == (422, "invalid_request")


async def test_nothing_works_after_signing_out(web: Web, browser: Browser) -> None:
    kept = dict(browser.jar)
    out = await browser.call("POST", "/v1/auth/logout")
    assert (out.status_code, set(browser.jar)) == (204, {"tw_known"})
    thief = Browser(web.http)
    thief.jar = kept
    for method, path in (("GET", "/v1/me"), ("POST", "/v1/wallets"), ("POST", "/v1/auth/logout")):
        answer = await thief.call(method, path, {"currency": "SGD"} if "wal" in path else None)
        assert code_of(answer) == (401, "token_revoked")
    assert code_of(await thief.call("POST", "/v1/auth/refresh", {})) == (401, "refresh_invalid")


async def test_a_bearer_ignores_cookies(web: Web, browser: Browser) -> None:
    ravi = await web.sign_up(*RAVI)
    headers = {"authorization": f"Bearer {ravi.tokens['access_token']}"}
    answer = await browser.send("POST", "/v1/wallets", {"currency": "SGD"}, headers)
    assert answer.status_code == 201
    mine = await browser.send("GET", "/v1/me", None, headers)
    assert mine.json()["username"] == RAVI[1]


def test_the_problem_tells_no_secret() -> None:
    with pytest.raises(Problem) as refused:
        COOKIES.check(signed(x_csrf_token=b"x"), SESSION)
    assert CSRF.decode() not in refused.value.detail
