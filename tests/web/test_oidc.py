"""Signing in through a real OpenID Connect provider, and everything that must not work."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from tests.identity.sign_up import PASSWORD, code_for
from tests.providers.provider_process import agree, deny, provider_process
from tests.servers import DatabaseUrls, free_port
from tests.web.browser import Browser
from tests.web.conftest import Caller, Web, running_web

from tikiwallet import clock
from tikiwallet.config import Settings
from tikiwallet.identity.federation import IdentityProvider
from tikiwallet.identity.housekeeping import prune
from tikiwallet.issuers import Issuer
from tikiwallet.providers.oidc import OidcProvider, open_client

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
ALICE, BOB = "alice@example.org", "bob@example.org"
START, CALLBACK = "/v1/auth/oidc/mock/start", "/v1/auth/oidc/mock/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider_process() as running:
        yield running


@pytest.fixture(scope="module")
def hasty() -> Iterator[str]:
    """A provider whose tokens have run out when they arrive."""
    with provider_process("--token-max-age", "-3600") as running:
        yield running


@pytest.fixture
async def web(
    database_urls: DatabaseUrls, settings: Settings, issuer: str, hasty: str
) -> AsyncIterator[Web]:
    async with open_client() as http:

        def provider(id: str, name: str, place: str) -> IdentityProvider:
            back = f"{settings.public_url}/v1/auth/oidc/{id}/callback"
            return OidcProvider(Issuer(id, name, place, "wallet", "secret"), back, http)

        providers = {
            "mock": provider("mock", "Mock & Co", issuer),
            "hasty": provider("hasty", "Hasty", hasty),
            "gone": provider("gone", "Gone", f"http://127.0.0.1:{free_port()}"),
        }
        async with running_web(database_urls, settings, providers) as running:
            yield running


@pytest.fixture
def browser(web: Web) -> Browser:
    return Browser(web.http)


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


def query_of(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def began(browser: Browser, path: str = START, **query: str) -> str:
    """Where a click on the provider's button sends the browser."""
    answer = await browser.send("GET", f"{path}?{urlencode(query)}")
    assert answer.status_code == 303
    return answer.headers["location"]


async def came_back(browser: Browser, location: str) -> str:
    """Where our callback sends the browser when it follows the provider's redirect."""
    parts = urlsplit(location)
    answer = await browser.send(
        "GET", f"{parts.path}?{parts.query}", headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def signed_in(browser: Browser, subject: str, **query: str) -> str:
    return await came_back(browser, await agree(await began(browser, **query), subject))


async def link(browser: Browser, subject: str) -> str:
    """Link an identity to whoever is signed in."""
    answer = await browser.call("POST", "/v1/me/identities/mock/start", {"return_to": "/security"})
    assert answer.status_code == 200, answer.text
    return await came_back(browser, await agree(answer.json()["location"], subject))


async def sign_in(browser: Browser, phone: str) -> None:
    answer = await browser.call("POST", "/v1/auth/login", {"phone": phone, "password": PASSWORD})
    assert answer.status_code == 200


async def register(
    browser: Browser, web: Web, ticket: str, person: tuple[str, str]
) -> httpx.Response:
    """Register with a ticket, up to the code."""
    body = {"phone": person[0], "username": person[1], "oidc_ticket": ticket}
    registered = await browser.call("POST", "/v1/auth/register", body)
    if registered.status_code != 202:
        return registered
    assert web.parts.inbox is not None
    code = await code_for(web.parts.inbox, person[0])
    return await browser.call("POST", "/v1/auth/verify", {**registered.json(), "code": code})


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_providers_are_listed(web: Web) -> None:
    answer = await web.http.get("/v1/auth/oidc")
    assert answer.json()["items"][0] == {"provider": "mock", "name": "Mock & Co"}
    assert len(answer.json()["items"]) == 3


async def test_somebody_new_registers_without_a_password(web: Web, browser: Browser) -> None:
    welcome = await signed_in(browser, ALICE, return_to="/pay/@ravi")
    assert urlsplit(welcome).path == "/welcome"
    asked = query_of(welcome)
    assert (asked["provider"], asked["return_to"]) == ("mock", "/pay/@ravi")
    assert "tw_access" not in browser.jar
    verified = await register(browser, web, asked["oidc"], MEI)
    assert verified.status_code == 201, verified.text
    [session] = (await browser.call("GET", "/v1/me/sessions")).json()["items"]
    assert session["method"] == "oidc"
    # From now on the identity signs in by itself.
    again = Browser(web.http)
    assert await signed_in(again, ALICE, return_to="/history?q=a") == "/history?q=a"
    assert (await again.call("GET", "/v1/me")).json()["username"] == MEI[1]
    made = await again.call("POST", "/v1/wallets", {"currency": "SGD"})
    assert made.status_code == 201
    # There is no password to guess.
    for password in ("", "None", PASSWORD):
        body = {"phone": MEI[0], "password": password or "x"}
        answer = await web.http.post("/v1/auth/login", json=body)
        assert code_of(answer) == (401, "invalid_credentials")


async def test_the_cookie_is_for_the_way_back_only(browser: Browser) -> None:
    await began(browser)
    kept = browser.jar["tw_oidc"]
    assert (kept.path, kept.http_only, kept.same_site) == ("/v1/auth", True, "Lax")
    assert kept.value not in str(await began(browser))


class TestLinking:
    async def test_linked_it_signs_in(self, web: Web, browser: Browser, mei: Caller) -> None:
        await sign_in(browser, MEI[0])
        assert await link(browser, BOB) == "/security"
        [told] = (await browser.call("GET", "/v1/me/identities")).json()["items"]
        assert (told["provider"], told["name"], told["last_used_at"]) == ("mock", "Mock & Co", None)
        other = Browser(web.http)
        assert await signed_in(other, BOB) == "/"
        assert (await other.call("GET", "/v1/me")).json()["username"] == MEI[1]
        [told] = (await other.call("GET", "/v1/me/identities")).json()["items"]
        assert told["last_used_at"] is not None

    async def test_once_more_changes_nothing(self, browser: Browser, mei: Caller) -> None:
        await sign_in(browser, MEI[0])
        await link(browser, BOB)
        assert await link(browser, BOB) == "/security"

    async def test_one_identity_is_one_persons(
        self, web: Web, browser: Browser, mei: Caller
    ) -> None:
        await sign_in(browser, MEI[0])
        await link(browser, BOB)
        await web.sign_up(*RAVI)
        ravi = Browser(web.http)
        await sign_in(ravi, RAVI[0])
        assert await link(ravi, BOB) == "/security?oidc_error=identity_taken"
        assert (await ravi.call("GET", "/v1/me/identities")).json() == {"items": []}

    async def test_one_person_has_one_at_a_provider(self, browser: Browser, mei: Caller) -> None:
        await sign_in(browser, MEI[0])
        await link(browser, BOB)
        assert await link(browser, ALICE) == "/security?oidc_error=identity_taken"

    async def test_not_after_signing_out(self, browser: Browser, mei: Caller) -> None:
        await sign_in(browser, MEI[0])
        begun = await browser.call("POST", "/v1/me/identities/mock/start", {})
        back = await agree(begun.json()["location"], BOB)
        await browser.call("POST", "/v1/auth/logout")
        assert await came_back(browser, back) == "/?oidc_error=oidc_state_invalid"

    async def test_another_sites_page_cannot_begin_it(self, browser: Browser, mei: Caller) -> None:
        await sign_in(browser, MEI[0])
        answer = await browser.call("POST", "/v1/me/identities/mock/start", {}, csrf=False)
        assert code_of(answer) == (403, "csrf_failed")

    async def test_unlinked_it_signs_in_no_more(
        self, web: Web, browser: Browser, mei: Caller
    ) -> None:
        await sign_in(browser, MEI[0])
        await link(browser, BOB)
        assert (await browser.call("DELETE", "/v1/me/identities/mock")).status_code == 204
        gone = await browser.call("DELETE", "/v1/me/identities/mock")
        assert code_of(gone) == (404, "not_found")
        assert "oidc" in query_of(await signed_in(Browser(web.http), BOB))

    async def test_the_only_way_in_stays(self, web: Web, browser: Browser) -> None:
        ticket = query_of(await signed_in(browser, ALICE))["oidc"]
        await register(browser, web, ticket, MEI)
        answer = await browser.call("DELETE", "/v1/me/identities/mock")
        assert code_of(answer) == (409, "identity_last")
        assert await signed_in(Browser(web.http), ALICE) == "/"


class TestAStateThatIsForged:
    """All of these end at the same place, signed in as nobody."""

    REFUSED = "/welcome?oidc_error=oidc_state_invalid"

    async def test_a_callback_that_nobody_asked_for(self, browser: Browser) -> None:
        for query in ("", "?code=x", "?code=x&state=y", "?error=access_denied", "?state=%00"):
            assert await came_back(browser, CALLBACK + query) == self.REFUSED

    async def test_another_state(self, web: Web, browser: Browser, mei: Caller) -> None:
        back = await agree(await began(browser), ALICE)
        forged = {**query_of(back), "state": "x" * 43}
        assert await came_back(browser, f"{CALLBACK}?{urlencode(forged)}") == self.REFUSED
        assert "tw_access" not in browser.jar

    async def test_brought_to_another_browser(self, web: Web, browser: Browser) -> None:
        # Somebody sends their own answer to a victim, to have them signed in as themselves.
        back = await agree(await began(browser), ALICE)
        victim = Browser(web.http)
        assert await came_back(victim, back) == self.REFUSED
        await began(victim)  # also when the victim is on the way to the provider
        assert await came_back(victim, back) == self.REFUSED
        # It was not used up by that.
        assert "oidc" in query_of(await came_back(browser, back))

    async def test_once_more(self, browser: Browser) -> None:
        back = await agree(await began(browser), ALICE)
        jar = dict(browser.jar)
        assert "oidc" in query_of(await came_back(browser, back))
        browser.jar = jar
        assert await came_back(browser, back) == self.REFUSED

    async def test_at_another_provider(self, browser: Browser) -> None:
        back = await agree(await began(browser), ALICE)
        elsewhere = back.replace("/mock/", "/hasty/")
        assert await came_back(browser, elsewhere) == self.REFUSED

    async def test_too_late(self, web: Web, browser: Browser) -> None:
        back = await agree(await began(browser), ALICE)
        await web.parts.database.execute(
            "UPDATE identity.oidc_start SET expires_at = now() - interval '1 second'"
        )
        assert await came_back(browser, back) == self.REFUSED


class TestAnAnswerThatIsForged:
    REFUSED = "/welcome?oidc_error=oidc_refused"

    async def test_a_code_from_another_sign_in_has_another_nonce(
        self, web: Web, browser: Browser
    ) -> None:
        # The provider of these tests does not check PKCE, so the nonce alone must catch it.
        stolen = query_of(await agree(await began(Browser(web.http)), ALICE))["code"]
        mine = query_of(await agree(await began(browser), BOB))
        forged = urlencode({**mine, "code": stolen})
        assert await came_back(browser, f"{CALLBACK}?{forged}") == self.REFUSED

    async def test_a_code_for_another_client(self, browser: Browser) -> None:
        location = await began(browser)
        back = await agree(location.replace("client_id=wallet", "client_id=other"), ALICE)
        assert await came_back(browser, back) == self.REFUSED

    async def test_a_code_that_is_none(self, browser: Browser) -> None:
        state = query_of(await began(browser))["state"]
        for extra in ({"code": "x"}, {}, {"error": "server_error"}):
            answer = f"{CALLBACK}?{urlencode({**extra, 'state': state})}"
            assert await came_back(browser, answer) == self.REFUSED
            state = query_of(await began(browser))["state"]

    async def test_an_answer_in_anothers_name(self, browser: Browser) -> None:
        back = await agree(await began(browser), ALICE)
        mixed = f"{back}&{urlencode({'iss': 'https://evil.example'})}"
        assert await came_back(browser, mixed) == self.REFUSED

    async def test_a_token_that_has_run_out(self, browser: Browser) -> None:
        location = await began(browser, "/v1/auth/oidc/hasty/start")
        assert await came_back(browser, await agree(location, ALICE)) == self.REFUSED

    async def test_cancelled(self, browser: Browser) -> None:
        back = await deny(await began(browser))
        state = query_of(back).get("state") or query_of(await began(browser))["state"]
        denied = f"{CALLBACK}?{urlencode({'error': 'access_denied', 'state': state})}"
        assert await came_back(browser, denied) == "/welcome?oidc_error=oidc_denied"


class TestTickets:
    async def test_a_ticket_works_in_its_own_browser_only(self, web: Web, browser: Browser) -> None:
        # Else somebody could have a victim register with the attacker's identity.
        ticket = query_of(await signed_in(browser, ALICE))["oidc"]
        victim = Browser(web.http)
        await began(victim)
        for other in (victim, Browser(web.http)):
            answer = await register(other, web, ticket, RAVI)
            assert code_of(answer) == (422, "oidc_ticket_invalid")
        assert (await register(browser, web, ticket, MEI)).status_code == 201

    async def test_it_may_be_tried_again_but_makes_one_person(
        self, web: Web, browser: Browser
    ) -> None:
        await web.sign_up(*RAVI)
        ticket = query_of(await signed_in(browser, ALICE))["oidc"]
        taken = await register(browser, web, ticket, (MEI[0], RAVI[1]))
        assert code_of(taken) == (409, "username_taken")
        body = {"phone": MEI[0], "username": MEI[1], "oidc_ticket": ticket}
        first = await browser.call("POST", "/v1/auth/register", body)
        second = await register(browser, web, ticket, ("+6591112222", "mei.two"))
        assert second.status_code == 201
        assert web.parts.inbox is not None
        code = await code_for(web.parts.inbox, MEI[0])
        late = await browser.call("POST", "/v1/auth/verify", {**first.json(), "code": code})
        assert code_of(late) == (422, "oidc_ticket_invalid")
        assert code_of(await register(browser, web, ticket, MEI)) == (422, "oidc_ticket_invalid")

    async def test_linked_meanwhile(self, web: Web, browser: Browser, mei: Caller) -> None:
        ticket = query_of(await signed_in(browser, ALICE))["oidc"]
        other = Browser(web.http)
        await sign_in(other, MEI[0])
        await link(other, ALICE)
        assert code_of(await register(browser, web, ticket, RAVI)) == (409, "identity_taken")

    @pytest.mark.parametrize("ticket", ["x", "x" * 43, "é", "\u0000"])
    async def test_no_ticket(self, web: Web, browser: Browser, ticket: str) -> None:
        await began(browser)
        answer = await register(browser, web, ticket, MEI)
        assert code_of(answer) == (422, "oidc_ticket_invalid")

    async def test_a_password_or_a_ticket(self, web: Web) -> None:
        body = {"phone": MEI[0], "username": MEI[1]}
        for more in ({}, {"password": PASSWORD, "oidc_ticket": "x"}, {"password": None}):
            answer = await web.http.post("/v1/auth/register", json={**body, **more})
            assert code_of(answer) == (422, "invalid_request")


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\/evil.example",
        "javascript:alert(1)",
        "/v1/auth/logout",
        "/history#top",
        "/a\r\nset-cookie: x=y",
        "/é",
        "x" * 501,
        "",
    ],
)
async def test_nobody_is_sent_elsewhere(
    web: Web, browser: Browser, mei: Caller, return_to: str
) -> None:
    await sign_in(browser, MEI[0])
    await link(browser, ALICE)
    assert await signed_in(browser, ALICE, return_to=return_to) == "/"
    answer = await browser.call("POST", "/v1/me/identities/mock/start", {"return_to": return_to})
    assert code_of(answer) == (422, "invalid_request")


async def test_a_provider_that_is_down(web: Web, browser: Browser, mei: Caller) -> None:
    away = await browser.send("GET", "/v1/auth/oidc/gone/start")
    assert (away.status_code, away.headers["location"]) == (
        303,
        "/welcome?oidc_error=oidc_unavailable",
    )
    await sign_in(browser, MEI[0])
    answer = await browser.call("POST", "/v1/me/identities/gone/start", {})
    assert code_of(answer) == (503, "oidc_unavailable")
    assert "retry-after" in answer.headers


async def test_unknown_providers(web: Web, browser: Browser, mei: Caller) -> None:
    for path in ("/v1/auth/oidc/nobody/start", "/v1/auth/oidc/nobody/callback?state=x"):
        assert code_of(await web.http.get(path)) == (404, "not_found")
    assert code_of(await web.http.get("/v1/auth/oidc/..%2f/start"))[0] in (404, 422)
    for method, path in (("POST", "nobody/start"), ("DELETE", "nobody")):
        answer = await mei.call(
            method, f"/v1/me/identities/{path}", {} if "start" in path else None
        )
        assert code_of(answer) == (404, "not_found")


async def test_a_second_factor_is_asked_for_all_the_same(
    web: Web, browser: Browser, mei: Caller
) -> None:
    await sign_in(browser, MEI[0])
    await link(browser, ALICE)
    assert (await mei.call("PUT", "/v1/me/sms-factor", {"enabled": True})).status_code == 204
    other = Browser(web.http)
    welcome = await signed_in(other, ALICE, return_to="/pay")
    assert urlsplit(welcome).path == "/welcome"
    asked = query_of(welcome)
    body = {"challenge_id": asked.pop("challenge_id")}
    assert asked == {"methods": "sms", "expires_in": "300", "return_to": "/pay"}
    assert other.jar == {}
    sent = await web.http.post("/v1/auth/second-factor/sms", json=body)
    assert sent.status_code == 202
    assert web.parts.inbox is not None
    code = await code_for(web.parts.inbox, MEI[0])
    done = await web.http.post("/v1/auth/second-factor", json={**body, "code": code})
    assert done.json()["person_id"] == mei.tokens["person_id"]


async def test_linking_needs_a_fresh_sign_in(web: Web, browser: Browser, mei: Caller) -> None:
    await web.parts.database.execute(
        "UPDATE identity.session SET created_at = created_at - interval '11 minutes'"
    )
    for method, path in (("POST", "mock/start"), ("DELETE", "mock")):
        answer = await mei.call(
            method, f"/v1/me/identities/{path}", {} if method == "POST" else None
        )
        assert code_of(answer) == (403, "reauthentication_required")


async def test_nothing_secret_is_kept(web: Web, browser: Browser) -> None:
    location = await began(browser)
    ticket = query_of(await signed_in(Browser(web.http), ALICE))["oidc"]
    kept = ""
    for table in ("oidc_start", "oidc_ticket"):
        kept += str(
            [dict(row) for row in await web.parts.database.fetch(f"TABLE identity.{table}")]
        )
    for secret in (browser.cookies["tw_oidc"], ticket, *query_of(location).values()):
        assert secret in ("code", "openid", "wallet", "S256") or secret not in kept


async def test_what_was_given_up_is_tidied_away(web: Web, browser: Browser) -> None:
    await began(browser)
    await signed_in(Browser(web.http), ALICE)
    counted = """
        SELECT (SELECT count(*) FROM identity.oidc_start)
            + (SELECT count(*) FROM identity.oidc_ticket)
    """
    await prune(web.parts.database)
    assert await web.parts.database.fetchval(counted) == 2
    await prune(web.parts.database, lambda: clock.now_us() + 2 * 3_600 * 1_000_000)
    assert await web.parts.database.fetchval(counted) == 0
