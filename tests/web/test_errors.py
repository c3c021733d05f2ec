"""Problems as HTTP: one row per code, and nothing from inside in any answer."""

import importlib
import json
import pkgutil

import httpx
import pytest
from fastapi import APIRouter
from tests.web.conftest import Web

import tikiwallet
from tikiwallet.errors import Overloaded, Problem
from tikiwallet.identity.tokens import TokenExpired, TokenMissing
from tikiwallet.web.application import build_application
from tikiwallet.web.errors import STATUS, document, render

MEMBERS = {"type", "title", "status", "code", "detail", "instance"}


def test_every_problem_has_a_status() -> None:
    for module in pkgutil.walk_packages(tikiwallet.__path__, "tikiwallet."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert Problem.registry.keys() <= STATUS.keys()


def test_every_status_is_one() -> None:
    assert {status // 100 for status in STATUS.values()} == {4, 5}


def test_a_document() -> None:
    written = document(Overloaded("come back", retry_after=7, status=200), "r1")
    assert written == {
        "type": "/problems/overloaded",
        "title": Overloaded.title,
        "status": 503,
        "code": "overloaded",
        "detail": "come back",
        "instance": "r1",
        "retry_after": 7,
    }


@pytest.mark.parametrize(
    ("problem", "header"),
    [
        (Overloaded(), (b"retry-after", b"1")),
        (Overloaded(retry_after=9), (b"retry-after", b"9")),
        (TokenMissing(), (b"www-authenticate", b'Bearer realm="tikiwallet"')),
        (
            TokenExpired(),
            (b"www-authenticate", b'Bearer realm="tikiwallet", error="invalid_token"'),
        ),
    ],
)
def test_headers(problem: Problem, header: tuple[bytes, bytes]) -> None:
    status, headers, body = render(problem, "r1")
    assert header in headers
    assert (b"content-type", b"application/problem+json") in headers
    assert json.loads(body)["status"] == status


def check(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body.keys() >= MEMBERS
    assert (body["status"], body["code"]) == (status, code)
    assert body["instance"] == answer.headers["x-request-id"]
    return body


JSON = {"content-type": "application/json"}
LOGIN = "/v1/auth/login"
GOOD = {"phone": "+6591234567", "password": "seven lemons"}


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        ({**GOOD, "extra": 1}, "/extra", "is not a known member"),
        ({"phone": "+6591234567"}, "/password", "is missing"),
        ({**GOOD, "password": 12345678}, "/password", "must be text"),
        ({**GOOD, "phone": ""}, "/phone", "must have at least 1 characters"),
        ({**GOOD, "phone": None}, "/phone", "must be text"),
        ([], "", "must be an object"),
        ("text", "", "must be an object"),
    ],
)
async def test_bodies_are_strict(web: Web, body: object, pointer: str, message: str) -> None:
    told = check(await web.http.post(LOGIN, json=body), 422, "invalid_request")
    assert told["errors"] == [{"pointer": pointer, "message": message}]


async def test_an_empty_body_is_told_plainly(web: Web) -> None:
    told = check(await web.http.post(LOGIN, headers=JSON), 422, "invalid_request")
    assert told["errors"] == [{"pointer": "", "message": "is missing"}]


@pytest.mark.parametrize(
    "body", [b"{", b"{'a': 1}", b'{"phone": "\xff"}', b"[" * 60_000, b'{"phone":' + b"1" * 5_000]
)
async def test_what_is_not_json(web: Web, body: bytes) -> None:
    check(await web.http.post(LOGIN, content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_other_media_types(web: Web, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await web.http.post(LOGIN, content=json.dumps(GOOD).encode(), headers=headers)
    check(answer, 415, "unsupported_media_type")


async def test_large_bodies(web: Web) -> None:
    large = b'{"phone": "' + b"1" * 65_536 + b'"}'
    check(await web.http.post(LOGIN, content=large, headers=JSON), 413, "body_too_large")

    async def pieces() -> object:
        for start in range(0, len(large), 1_000):
            yield large[start : start + 1_000]

    answer = await web.http.post(LOGIN, content=pieces(), headers=JSON)  # type: ignore[arg-type]
    check(answer, 413, "body_too_large")


async def test_unknown_routes_and_methods(web: Web) -> None:
    check(await web.http.get("/v1/nothing"), 404, "not_found")
    answer = await web.http.delete("/v1/wallets")
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_a_bug_tells_nothing(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    router = APIRouter()

    @router.get("/v1/bug")
    async def bug() -> None:
        raise RuntimeError("SELECT secret FROM inside")

    application = build_application(web.parts, [router])
    transport = httpx.ASGITransport(application)  # would raise what the application lets through
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get("/v1/bug", headers={"x-request-id": "my-id-1"})
    told = check(answer, 500, "internal_error")
    assert told["instance"] == "my-id-1"
    assert "secret" not in answer.text


async def test_what_a_problem_type_leads_to(web: Web) -> None:
    answer = await web.http.get("/problems/insufficient_funds")
    assert answer.json()["status"] == 402
    check(await web.http.get("/problems/nothing"), 404, "not_found")
