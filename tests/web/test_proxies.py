"""Whose address counts behind proxies: what a trusted one appended, and nothing a caller wrote."""

import dataclasses
from ipaddress import ip_network

import httpx
import pytest
from tests.identity.sign_up import PASSWORD
from tests.web.conftest import Caller, Web

from tikiwallet.web.application import build_application
from tikiwallet.web.proxies import caller_address

TRUSTED = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        (None, [], None),
        (None, ["198.51.100.7"], None),
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),  # forged
        ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["192.0.2.1, 198.51.100.7"], "198.51.100.7"),  # the first is the caller's own
        ("127.0.0.1", ["192.0.2.1", "198.51.100.7, 10.0.0.3"], "198.51.100.7"),
        ("10.9.9.9", ["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
        ("127.0.0.1", ["192.0.2.1, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.1, unknown, 10.0.0.3"], "10.0.0.3"),
        ("127.0.0.1", ["192.0.2.1,"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("127.0.0.1", ["[2001:DB8::7]:4711"], "2001:db8::7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
    ],
)
def test_the_callers_address(peer: str | None, forwarded: list[str], caller: str | None) -> None:
    assert caller_address(peer, forwarded, TRUSTED) == caller


def test_without_proxies_headers_say_nothing() -> None:
    assert caller_address("127.0.0.1", ["198.51.100.7"], ()) == "127.0.0.1"


async def test_a_header_counts_from_a_trusted_peer_only(web: Web) -> None:
    await web.sign_up("+6591234567", "mei.lin")
    settings = dataclasses.replace(web.parts.settings, trusted_proxies=(ip_network("10.0.0.5"),))
    application = build_application(dataclasses.replace(web.parts, settings=settings))
    told = {"x-forwarded-for": "192.0.2.1, 198.51.100.7"}
    for peer, seen in (("10.0.0.5", "198.51.100.7"), ("203.0.113.9", "203.0.113.9")):
        transport = httpx.ASGITransport(application, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url=web.http.base_url) as http:
            answer = await http.post(
                "/v1/auth/login",
                json={"phone": "+6591234567", "password": PASSWORD},
                headers=told,
            )
            assert answer.status_code == 200
            caller = Caller(http, answer.json())
            items = (await caller.call("GET", "/v1/me/sessions")).json()["items"]
        [mine] = [one["address"] for one in items if one["current"]]
        assert mine == seen
