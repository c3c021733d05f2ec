"""A partner's program from its first day to its last: made on the command line, its token taken
over HTTP, used, and ended."""

import base64
import json
import time

from tests.e2e.conftest import Served


async def test_a_partners_program(served: Served) -> None:
    admin = ("admin", "client")
    status, text = await served.installation.command(
        *admin, "add", "--name", "Acme reports", "--scope", "balances:read"
    )
    assert status == 0, text
    client = json.loads(text[text.index("{") :])
    token = await _token(served, client["client_id"], client["client_secret"])
    query = {"wallet_ids": [served.payer.wallet]}
    answer = await served.call("POST", "/v1/balances/query", query, token=token)
    assert answer.status == 200
    status, text = await served.installation.command(*admin, "list")
    assert status == 0
    assert f"{client['client_id']}  works  balances:read  Acme reports" in text
    assert client["client_secret"] not in text
    status, text = await served.installation.command(*admin, "revoke", client["client_id"])
    assert status == 0, text
    ends = time.monotonic() + 1
    while answer.status == 200:
        assert time.monotonic() < ends, "the token still works a second later"
        answer = await served.call("POST", "/v1/balances/query", query, token=token)
    assert (answer.status, answer.body["code"]) == (401, "token_revoked")
    status, text = await served.installation.command(*admin, "revoke", client["client_id"])
    assert status == 1
    assert "no such client" in text


async def _token(served: Served, id: str, secret: str) -> str:
    basic = base64.b64encode(f"{id}:{secret}".encode()).decode()
    body = b"grant_type=client_credentials&scope=balances%3Aread"
    answer = await served.send(
        b"POST /v1/oauth/token HTTP/1.1\r\nhost: localhost\r\n"
        b"authorization: Basic " + basic.encode() + b"\r\n"
        b"content-type: application/x-www-form-urlencoded\r\n"
        b"content-length: %d\r\n\r\n" % len(body) + body
    )
    assert answer.status == 200, answer.body
    token: str = answer.body["access_token"]
    return token
