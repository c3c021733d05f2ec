"""The OpenAPI document and the page made from it."""

import dataclasses
from typing import Any

import httpx
import pytest
from tests.web.conftest import Web

from tikiwallet.web.application import build_application
from tikiwallet.web.errors import STATUS

CONTRACT = {
    "/v1/auth/register": {"post"},
    "/v1/auth/verify": {"post"},
    "/v1/auth/login": {"post"},
    "/v1/auth/second-factor": {"post"},
    "/v1/auth/second-factor/sms": {"post"},
    "/v1/auth/second-factor/passkey/options": {"post"},
    "/v1/auth/second-factor/passkey": {"post"},
    "/v1/auth/passkey/options": {"post"},
    "/v1/auth/passkey": {"post"},
    "/v1/auth/reauthenticate": {"post"},
    "/v1/auth/reauthenticate/sms": {"post"},
    "/v1/auth/reauthenticate/passkey/options": {"post"},
    "/v1/auth/reauthenticate/passkey": {"post"},
    "/v1/auth/refresh": {"post"},
    "/v1/auth/logout": {"post"},
    "/v1/me": {"get", "patch"},
    "/v1/me/pin": {"put", "delete"},
    "/v1/me/password": {"put"},
    "/v1/me/phone": {"get", "post", "delete"},
    "/v1/me/phone/verify": {"post"},
    "/v1/me/phone/confirm": {"post"},
    "/v1/me/export": {"get"},
    "/v1/me/close": {"post"},
    "/v1/me/notices": {"get"},
    "/v1/me/notices/read": {"post"},
    "/v1/me/security-events": {"get"},
    "/v1/me/recoveries": {"get"},
    "/v1/me/recoveries/{id}": {"delete"},
    "/v1/auth/recovery": {"post"},
    "/v1/auth/recovery/verify": {"post"},
    "/v1/auth/recovery/complete": {"post"},
    "/v1/auth/recovery/cancel": {"post"},
    "/v1/contacts": {"get"},
    "/v1/contacts/{username}": {"put", "delete"},
    "/v1/me/second-factors": {"get"},
    "/v1/me/totp": {"post", "delete"},
    "/v1/me/totp/confirm": {"post"},
    "/v1/me/sms-factor": {"put"},
    "/v1/me/recovery-codes": {"post"},
    "/v1/me/passkeys/options": {"post"},
    "/v1/me/passkeys": {"post"},
    "/v1/me/passkeys/{id}": {"patch", "delete"},
    "/v1/names/{to}": {"get"},
    "/v1/wallets": {"get", "post"},
    "/v1/wallets/{wallet_id}/balance": {"get"},
    "/v1/balances/query": {"post"},
    "/v1/payments": {"post"},
    "/v1/payments/confirmation": {"post"},
    "/v1/topups": {"post"},
    "/v1/topups/{id}": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
    "/dev/inbox": {"get"},
    "/dev/challenges/{id}": {"post"},
}


async def test_the_document_describes_every_call(web: Web) -> None:
    document = (await web.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    described = {path: set(operations) for path, operations in document["paths"].items()}
    assert {path: described.get(path) for path in CONTRACT} == CONTRACT


async def test_references_lead_somewhere_and_problems_are_known(web: Web) -> None:
    document = (await web.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas

    def walk(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                assert reference.removeprefix("#/components/schemas/") in schemas
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(document)
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                problem = response.get("content", {}).get("application/problem+json")
                if problem is not None:
                    codes = problem["schema"]["allOf"][1]["properties"]["code"]["enum"]
                    assert {STATUS[code] for code in codes} == {int(status)}


async def test_the_page_needs_nothing_from_elsewhere(web: Web) -> None:
    answer = await web.http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for path in CONTRACT:
        assert f"<code>{path}</code>" in answer.text
    assert "<script" not in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text


@pytest.mark.parametrize(
    "change",
    [{"host": "0.0.0.0"}, {"public_url": "https://staging.example.org"}],  # noqa: S104
)
async def test_off_the_sandbox_there_is_no_dev(web: Web, change: dict[str, Any]) -> None:
    settings = dataclasses.replace(web.parts.settings, **change)
    parts = dataclasses.replace(web.parts, settings=settings)
    transport = httpx.ASGITransport(build_application(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.get("/dev/inbox?phone=%2B6591234567")).status_code == 404
        document = (await http.get("/openapi.json")).json()
        assert not [path for path in document["paths"] if path.startswith("/dev")]
