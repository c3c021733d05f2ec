"""Rate limits around the API: whom they count, what they leave alone, and what is told."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network

import httpx
import pytest
from tests.web.conftest import Caller, Web

from tikiwallet.web import rates
from tikiwallet.web.application import build_application
from tikiwallet.web.rate_counters import RateCounters
from tikiwallet.web.rates import CHANGE, LOOK_UP, READ, SIGN_IN, Rate, rate_of

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
Open = Callable[..., httpx.AsyncClient]


@pytest.mark.parametrize(
    ("method", "path", "rate"),
    [
        ("POST", "/v1/auth/login", SIGN_IN),
        ("POST", "/v1/oauth/token", SIGN_IN),
        ("GET", "/v1/names/@mei.lin", LOOK_UP),
        ("GET", "/v1/me", READ),
        ("HEAD", "/v1/me", READ),
        ("PUT", "/v1/me/pin", CHANGE),
        ("DELETE", "/v1/me/sessions", CHANGE),
        ("BREW", "/v1/nothing", CHANGE),
        ("GET", "/healthz", None),
        ("GET", "/metrics", None),
        ("GET", "/app/1/main.js", None),
        ("GET", "/", None),
    ],
)
def test_which_rate(method: str, path: str, rate: Rate | None) -> None:
    assert rate_of(method, path) is rate


@pytest.fixture
async def open_limited(web: Web) -> AsyncIterator[Open]:
    """Clients of an application whose limits are on, each from an address of its own."""
    counters = RateCounters(b"k" * 32, None, lambda: 60_000_000.0)
    opened: list[httpx.AsyncClient] = []

    def client(address: str = "192.0.2.1", proxies: tuple[str, ...] = ()) -> httpx.AsyncClient:
        networks = tuple(ip_network(proxy) for proxy in proxies)
        settings = dataclasses.replace(web.parts.settings, trusted_proxies=networks)
        parts = dataclasses.replace(web.parts, rates=counters, settings=settings)
        transport = httpx.ASGITransport(build_application(parts), client=(address, 1))
        made = httpx.AsyncClient(transport=transport, base_url=web.parts.settings.public_url)
        opened.append(made)
        return made

    yield client
    for one in opened:
        await one.aclose()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three reads a minute of a person, five of an address."""
    rate = Rate("read", 3, 5)
    rows = tuple((m, p, rate if known is READ else known) for m, p, known in rates.TABLE)
    monkeypatch.setattr(rates, "TABLE", rows)


@pytest.mark.usefixtures("narrow")
async def test_a_person_uses_up_their_own(web: Web, open_limited: Open) -> None:
    mei, ravi = await web.sign_up(*MEI), await web.sign_up(*RAVI)
    here, there = open_limited(), open_limited("192.0.2.2")
    for http in (here, there, here):
        assert (await Caller(http, mei.tokens).call("GET", "/v1/me")).status_code == 200
    refused = await Caller(there, mei.tokens).call("GET", "/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == str(refused.json()["retry_after"])
    assert 80 <= refused.json()["retry_after"] <= 81
    assert refused.headers["x-request-id"] == refused.json()["instance"]
    assert refused.headers["cache-control"] == "no-store"
    assert (await Caller(here, ravi.tokens).call("GET", "/v1/me")).status_code == 200
    # Changes are counted apart.
    opened = await Caller(here, mei.tokens).call("POST", "/v1/wallets", {"currency": "SGD"})
    assert opened.status_code == 201


@pytest.mark.usefixtures("narrow")
async def test_nobody_uses_up_somebody_elses(web: Web, open_limited: Open) -> None:
    mei = await web.sign_up(*MEI)
    thief = open_limited("198.51.100.7")
    forged = {"authorization": f"Bearer {mei.tokens['access_token'][:-4]}AAAA"}
    answers = [await thief.get("/v1/me", headers=forged) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 4
    here = Caller(open_limited(), mei.tokens)
    assert [(await here.call("GET", "/v1/me")).status_code for _ in range(3)] == [200] * 3


@pytest.mark.usefixtures("narrow")
async def test_one_customers_ipv6_addresses_are_one(open_limited: Open) -> None:
    for number in range(5):
        answer = await open_limited(f"2001:db8::{number}").get("/v1/me")
        assert answer.status_code == 401
    assert (await open_limited("2001:db8::9").get("/v1/me")).status_code == 429
    assert (await open_limited("2001:db8:0:1::9").get("/v1/me")).status_code == 401


@pytest.mark.usefixtures("narrow")
async def test_a_browsers_cookie_counts_as_its_person(web: Web, open_limited: Open) -> None:
    mei = await web.sign_up(*MEI)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        http = open_limited(address)
        http.cookies.set("tw_access", mei.tokens["access_token"])
        assert (await http.get("/v1/me")).status_code == 200
    http = open_limited("192.0.2.4")
    assert (await Caller(http, mei.tokens).call("GET", "/v1/me")).status_code == 429


@pytest.mark.usefixtures("narrow")
async def test_behind_a_proxy_everybody_has_their_own_address(open_limited: Open) -> None:
    http = open_limited("10.0.0.1", ("10.0.0.0/8",))

    async def ask(forwarded: str) -> int:
        return (await http.get("/v1/me", headers={"x-forwarded-for": forwarded})).status_code

    assert [await ask("192.0.2.1") for _ in range(6)] == [401] * 5 + [429]
    assert await ask("192.0.2.2") == 401
    # What a caller wrote there itself stands before what the proxy added.
    assert await ask("192.0.2.77, 192.0.2.1") == 429
    # From elsewhere the header means nothing.
    stranger = open_limited("192.0.2.50", ("10.0.0.0/8",))
    for number in range(6):
        header = {"x-forwarded-for": f"192.0.2.{100 + number}"}
        last = (await stranger.get("/v1/me", headers=header)).status_code
    assert last == 429


@pytest.mark.usefixtures("narrow")
async def test_what_is_free(open_limited: Open) -> None:
    http = open_limited()
    for _ in range(10):
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/openapi.json")).status_code == 200


async def test_every_limited_call_says_so(web: Web) -> None:
    document = (await web.http.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            fast = path.endswith("/balance") or path.endswith("/query")
            if rate_of(method.upper(), path) is not None and not fast:
                assert "429" in operation["responses"], (method, path)
