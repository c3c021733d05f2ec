"""Tokens for partners' programs, as RFC 6749 has them."""

import base64
from datetime import timedelta
from urllib.parse import quote_plus

import httpx
import pytest
from tests.web.conftest import Web

from tikiwallet import ids
from tikiwallet.errors import NotFound
from tikiwallet.identity.clients import ClientRefused, NewClient
from tikiwallet.identity.tokens import TokenRevoked

TOKEN = "/v1/oauth/token"
GRANT = {"grant_type": "client_credentials"}
SCOPE = "balances:read"


@pytest.fixture
async def client(web: Web) -> NewClient:
    return await web.parts.identity.clients.add("Acme reports", {SCOPE})


async def ask(
    web: Web, form: dict[str, str], client: NewClient | None = None, **headers: str
) -> httpx.Response:
    """A request with the client in HTTP Basic, if one is given."""
    if client is not None:
        headers["authorization"] = basic(client.id, client.secret)
    return await web.http.post(TOKEN, data=form, headers=headers)


def basic(id: str, secret: str) -> str:
    pair = f"{quote_plus(id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def error_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error", "error_description"}
    return answer.status_code, answer.json()["error"]


async def test_a_client_gets_a_token(web: Web, client: NewClient) -> None:
    answer = await ask(web, GRANT, client)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 3_600, SCOPE)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    principal = web.parts.identity.verifier.verify(f"Bearer {told['access_token']}")
    principal.require(SCOPE)
    assert (principal.service, principal.person) == (True, 0)
    assert ids.write_uuid(principal.session) == client.id


async def test_the_form_may_name_the_client(web: Web, client: NewClient) -> None:
    named = {"client_id": client.id, "client_secret": client.secret}
    assert (await ask(web, {**GRANT, **named, "scope": SCOPE})).status_code == 200
    # Naming it again beside HTTP Basic is harmless, another one is not.
    assert (await ask(web, {**GRANT, "client_id": client.id}, client)).status_code == 200
    other = await ask(web, {**GRANT, "client_id": ids.write_uuid(ids.new_uuid7())}, client)
    assert error_of(other) == (400, "invalid_request")


async def test_a_clients_token_is_no_persons(web: Web, client: NewClient) -> None:
    token = (await ask(web, GRANT, client)).json()["access_token"]
    answer = await web.http.get("/v1/me", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_wrong_clients(web: Web, client: NewClient) -> None:
    right = basic(client.id, client.secret)
    for header in (
        basic(client.id, client.secret[:-1]),
        basic(client.id, ""),
        basic(ids.write_uuid(ids.new_uuid7()), client.secret),
        basic("acme", client.secret),
        basic("", ""),
        basic(client.id, "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")),
        "Basic !!!",
        "Basic",
        f"Basic {base64.b64encode(client.id.encode()).decode()}",
        right.replace("Basic", "Bearer"),
    ):
        answer = await ask(web, GRANT, authorization=header)
        assert error_of(answer) == (401, "invalid_client"), header
        assert answer.headers["www-authenticate"] == 'Basic realm="tikiwallet"'
    for form in ({}, {"client_id": client.id}, {"client_secret": client.secret}):
        assert error_of(await ask(web, {**GRANT, **form})) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({**GRANT, "scope": "person"}, "invalid_scope"),
        ({**GRANT, "scope": f"{SCOPE} everything"}, "invalid_scope"),
        ({**GRANT, "scope": " "}, "invalid_scope"),
        ({**GRANT, "client_secret": "x"}, "invalid_request"),
        ({f"p{n}": "x" for n in range(30)}, "invalid_request"),
    ],
)
async def test_wrong_requests(
    web: Web, client: NewClient, form: dict[str, str], error: str
) -> None:
    assert error_of(await ask(web, form, client)) == (400, error)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", None),
        (b"grant_type=\xff", None),
        (b"grant_type=%ff", None),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"", None),
    ],
)
async def test_bodies_that_are_no_forms(
    web: Web, client: NewClient, body: bytes, content_type: str | None
) -> None:
    headers = {
        "authorization": basic(client.id, client.secret),
        "content-type": content_type or "application/x-www-form-urlencoded",
    }
    answer = await web.http.post(TOKEN, content=body, headers=headers)
    assert error_of(answer) == (400, "invalid_request")


async def test_an_ended_client(web: Web, client: NewClient) -> None:
    token = (await ask(web, GRANT, client)).json()["access_token"]
    identity = web.parts.identity
    await identity.clients.revoke(client.id)
    assert error_of(await ask(web, GRANT, client)) == (401, "invalid_client")
    with pytest.raises(TokenRevoked):
        identity.verifier.verify(f"Bearer {token}")
    for id in (client.id, ids.write_uuid(ids.new_uuid7()), "acme"):
        with pytest.raises(NotFound):
            await identity.clients.revoke(id)


async def test_the_list(web: Web, client: NewClient) -> None:
    clients = web.parts.identity.clients
    other = await clients.add("Other", {SCOPE})
    await clients.revoke(client.id)
    newest, first = await clients.all()
    assert (newest.id, newest.name, newest.revoked_at) == (other.id, "Other", None)
    assert (first.id, first.scopes) == (client.id, frozenset({SCOPE}))
    assert first.revoked_at is not None


async def test_secrets_are_not_on_record(web: Web, client: NewClient) -> None:
    row = await web.parts.database.fetchrow("SELECT * FROM identity.client")
    assert row is not None
    assert client.secret not in str(dict(row))
    assert client.secret not in repr(client)


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("", {SCOPE}), ("x" * 101, {SCOPE}), ("a\n", {SCOPE}), ("a", set()), ("a", {"person"})],
)
async def test_refused(web: Web, name: str, scopes: set[str]) -> None:
    with pytest.raises(ClientRefused):
        await web.parts.identity.clients.add(name, scopes)
    assert await web.parts.identity.clients.all() == []


async def test_service_tokens_still_work(web: Web) -> None:
    token = await web.parts.identity.service_tokens.issue_service_token(
        "reports", {SCOPE}, timedelta(days=1)
    )
    web.parts.identity.verifier.verify(f"Bearer {token}").require(SCOPE)
