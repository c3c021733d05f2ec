"""A table of bad requests: each gets its own problem document, and no money moves."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.e2e.conftest import Served

from tikiwallet import clock
from tikiwallet.identity.keys import load_token_keys
from tikiwallet.identity.tokens import ALGORITHM

_PAYMENTS = "/v1/payments"
_MEMBERS = {"type", "title", "status", "code", "detail", "instance"}
Change = Callable[[Served, dict[str, Any]], Any]


@dataclass(frozen=True)
class Bad:
    """A payment that is right but for one thing. `change` alters its body, or gives the bytes."""

    name: str
    status: int
    code: str
    change: Change = lambda _served, body: body
    headers: tuple[tuple[str, str | None], ...] = ()  # None leaves the header out
    method: str = "POST"
    path: str = _PAYMENTS
    token: Callable[[Served], str] | None = None
    chunked: bool = False


def _amount(value: object) -> Change:
    def change(_served: Served, body: dict[str, Any]) -> Any:
        body["payees"][0]["amount"]["amount"] = value
        return body

    return change


def _currency(value: object) -> Change:
    def change(_served: Served, body: dict[str, Any]) -> Any:
        body["payees"][0]["amount"]["currency"] = value
        return body

    return change


def _to(find: Callable[[Served], str]) -> Change:
    def change(served: Served, body: dict[str, Any]) -> Any:
        body["payees"][0]["to"] = find(served)
        return body

    return change


def _member(name: str, value: object) -> Change:
    return lambda _served, body: {**body, name: value}


def _text(alter: Callable[[str], str]) -> Change:
    return lambda _served, body: alter(json.dumps(body)).encode()


def _bytes(raw: bytes) -> Change:
    return lambda _served, _body: raw


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def _expired(served: Served) -> str:
    keys = load_token_keys(served.installation.folder / "keys")
    now = clock.now_us() // 1_000_000
    claims = {**_claims(served.payer.token), "iat": now - 90, "exp": now - 30}
    return jwt.encode(claims, keys.signing, ALGORITHM, headers={"kid": keys.kid})


def _forged(served: Served) -> str:
    kid = jwt.get_unverified_header(served.payer.token)["kid"]
    stranger = Ed25519PrivateKey.generate()
    return jwt.encode(_claims(served.payer.token), stranger, ALGORITHM, headers={"kid": kid})


def _unsigned(served: Served) -> str:
    kid = jwt.get_unverified_header(served.payer.token)["kid"]
    return jwt.encode(_claims(served.payer.token), "", "none", headers={"kid": kid})


def _altered(served: Served) -> str:
    head, _, signature = served.payer.token.split(".")
    return ".".join((head, served.payee.token.split(".")[1], signature))


_LARGE = b'{"from_wallet": "' + b"x" * 70_000 + b'"}'
_INVALID = (422, "invalid_request")
_MALFORMED = (400, "malformed_json")

TABLE = (
    # the body's form
    Bad("no body", *_MALFORMED, _bytes(b"")),
    Bad("half an object", *_MALFORMED, _bytes(b'{"from_wallet": ')),
    Bad("words", *_MALFORMED, _bytes(b"pay anna ten")),
    Bad("not UTF-8", *_MALFORMED, _bytes(b'{"memo": "\xff"}')),
    Bad("a list", *_INVALID, _bytes(b"[]")),
    Bad("null", *_INVALID, _bytes(b"null")),
    Bad("two values", *_MALFORMED, _text(lambda text: text + "{}")),
    Bad("unknown member", *_INVALID, _member("note", "x")),
    Bad("unknown member inside", *_INVALID, _text(lambda t: t.replace('"to"', '"fee": 1, "to"'))),
    Bad("no payees", *_INVALID, _member("payees", [])),
    Bad("payees missing", *_INVALID, lambda _, body: {"from_wallet": body["from_wallet"]}),
    Bad("101 payees", *_INVALID, lambda _, body: {**body, "payees": body["payees"] * 101}),
    Bad("member twice", *_INVALID, _text(lambda t: t.replace('"amount": 1,', '"amount": 9, ' * 2))),
    Bad(
        "member twice, once in disguise",
        *_INVALID,
        _text(lambda t: t.replace('"amount": 1,', '"\\u0061mount": 9, "amount": 1,')),
    ),
    Bad("payees twice", *_INVALID, _text(lambda t: t[:-1] + ', "payees": []}')),
    # amounts
    Bad("float", *_INVALID, _amount(12.5)),
    Bad("float that is whole", *_INVALID, _amount(1.0)),
    Bad("exponent", *_INVALID, _text(lambda t: t.replace('"amount": 1,', '"amount": 1e3,'))),
    Bad("text", *_INVALID, _amount("100")),
    Bad("true", *_INVALID, _amount(True)),
    Bad("null amount", *_INVALID, _amount(None)),
    Bad("zero", *_INVALID, _amount(0)),
    Bad("negative", *_INVALID, _amount(-100)),
    Bad("2^53", *_INVALID, _amount(2**53)),
    Bad("2^64", *_INVALID, _amount(2**64)),
    Bad("10^30", *_INVALID, _amount(10**30)),
    Bad("NaN", *_MALFORMED, _amount(float("nan"))),
    Bad("more than there is", 402, "insufficient_funds", _amount(9_000)),
    Bad("more than goes without PIN", 403, "pin_required", _amount(2**53 - 1)),
    # currencies
    Bad("another currency", 409, "currency_mismatch", _currency("USD")),
    Bad("no such currency", 422, "unknown_currency", _currency("XQX")),
    Bad("currency in small letters", 422, "unknown_currency", _currency("sgd")),
    Bad("currency too long", *_INVALID, _currency("SGDX")),
    # recipients
    Bad("unknown name", 404, "unknown_recipient", _to(lambda _: "@nobody.there")),
    Bad("unknown phone", 404, "unknown_recipient", _to(lambda _: "+6598765432")),
    Bad("no phone", 404, "unknown_recipient", _to(lambda _: "12")),
    Bad("unknown wallet", 404, "unknown_recipient", _to(lambda _: "w_0000000000000")),
    Bad("malformed wallet", 404, "unknown_recipient", _to(lambda _: "w_'; DROP TABLE")),
    Bad("own wallet", 409, "same_account", _to(lambda served: served.payer.wallet)),
    Bad("own name", 409, "same_account", _to(lambda served: f"@{served.payer.username}")),
    Bad("own phone", 409, "same_account", _to(lambda served: served.payer.phone)),
    Bad("recipient with NUL", 404, "unknown_recipient", _to(lambda _: "@a\0b")),
    Bad(
        "somebody else's wallet", 404, "not_found",
        lambda served, body: {**body, "from_wallet": served.payee.wallet},
    ),
    Bad("no wallet", 404, "not_found", _member("from_wallet", "w_zzzzzzzzzzzzz")),
    # memos
    Bad("NUL in the memo", *_INVALID, _member("memo", "a\0b")),
    Bad("lone surrogate in the memo", *_MALFORMED, _member("memo", "a\ud800b")),
    Bad("long memo", *_INVALID, _member("memo", "x" * 141)),
    Bad("memo is a number", *_INVALID, _member("memo", 7)),
    # PIN
    Bad("a PIN too long", *_INVALID, _member("pin", "1" * 13)),
    # who asks
    Bad("no token", 401, "token_missing", headers=(("Authorization", None),)),
    Bad("another scheme", 401, "token_missing", headers=(("Authorization", "Basic eDp5"),)),
    Bad("no token at all", 401, "token_missing", headers=(("Authorization", "Bearer "),)),
    Bad("nonsense", 401, "token_invalid", headers=(("Authorization", "Bearer a.b.c"),)),
    Bad("expired", 401, "token_expired", token=_expired),
    Bad("signed by a stranger", 401, "token_invalid", token=_forged),
    Bad("not signed", 401, "token_invalid", token=_unsigned),
    Bad("altered", 401, "token_invalid", token=_altered),
    Bad("signed out", 401, "token_revoked", token=lambda served: served.gone.token),
    # keys
    Bad("no key", 400, "idempotency_key_missing", headers=(("Idempotency-Key", None),)),
    Bad("empty key", 400, "idempotency_key_invalid", headers=(("Idempotency-Key", '""'),)),
    Bad("long key", 400, "idempotency_key_invalid", headers=(("Idempotency-Key", "k" * 256),)),
    Bad("space in the key", 400, "idempotency_key_invalid", headers=(("Idempotency-Key", "a b"),)),
    Bad("key beyond ASCII", 400, "idempotency_key_invalid", headers=(("Idempotency-Key", "é"),)),
    Bad("open quote", 400, "idempotency_key_invalid", headers=(("Idempotency-Key", '"abc'),)),
    # HTTP
    Bad("form", 415, "unsupported_media_type", headers=(("Content-Type", "text/plain"),)),
    Bad("PUT", 405, "method_not_allowed", method="PUT"),
    Bad("DELETE", 405, "method_not_allowed", method="DELETE"),
    Bad("no such address", 404, "not_found", path="/v1/payment"),
    Bad("slash too many", 404, "not_found", path="/v1/payments/"),
    Bad("body too large", 413, "body_too_large", _bytes(_LARGE)),
    Bad("body too large, in chunks", 413, "body_too_large", _bytes(_LARGE), chunked=True),
    Bad(
        "too large a top-up", 413, "body_too_large", _bytes(_LARGE), path="/v1/topups",
    ),
    Bad(
        "too large a top-up, in chunks", 413, "body_too_large", _bytes(_LARGE),
        path="/v1/topups", chunked=True,
    ),
    Bad(
        "top-up's member twice", *_INVALID,
        lambda served, _: (
            f'{{"wallet": "{served.payer.wallet}", "method": "pm_card_visa",'
            ' "amount": {"amount": 1, "amount": 5, "currency": "SGD"}}'
        ).encode(),
        path="/v1/topups",
    ),
    Bad("topping up with nothing", *_INVALID, _bytes(b"{}"), path="/v1/topups"),
)  # fmt: skip


def _request(served: Served, bad: Bad) -> bytes:
    body = {
        "from_wallet": served.payer.wallet,
        "payees": [{"to": served.payee.wallet, "amount": {"amount": 1, "currency": "SGD"}}],
    }
    changed = bad.change(served, body)
    data = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    token = served.payer.token if bad.token is None else bad.token(served)
    headers: dict[str, str | None] = {
        "Host": f"localhost:{served.port}",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": f"bad-{bad.name.replace(' ', '-')}",
        **dict(bad.headers),
    }
    if bad.chunked:
        headers["Transfer-Encoding"] = "chunked"
        half = len(data) // 2
        data = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (data[:half], data[half:], b""))
    else:
        headers["Content-Length"] = str(len(data))
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join((f"{bad.method} {bad.path} HTTP/1.1", *lines, "", "")).encode() + data


async def _holdings(served: Served) -> list[Any]:
    found = []
    for person in (served.payer, served.payee):
        answer = await served.call(
            "GET", f"/v1/wallets/{person.wallet}/balance", token=person.token
        )
        assert answer.status == 200
        found.append(answer.body)
    return found


def _check_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status, answer.body["code"]) == (status, code), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body.keys() >= _MEMBERS
    assert answer.body["status"] == status
    assert answer.body["type"] == f"/problems/{code}"
    assert answer.body["title"]


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
async def test_bad_payments(served: Served, bad: Bad) -> None:
    before = await _holdings(served)
    _check_problem(await served.send(_request(served, bad)), bad.status, bad.code)
    assert await _holdings(served) == before


async def test_a_key_again_with_other_content(served: Served) -> None:
    payee = {"to": served.payee.wallet, "amount": {"amount": 1, "currency": "SGD"}}
    body = {"from_wallet": served.payer.wallet, "payees": [payee]}
    options = {"token": served.payer.token, "key": "used-once"}
    first = await served.call("POST", _PAYMENTS, body, **options)
    assert first.status == 201
    before = await _holdings(served)
    for other in (
        {**body, "memo": "x"},
        {**body, "payees": [payee, payee]},
        {**body, "from_wallet": served.payee.wallet},
    ):
        answer = await served.call("POST", _PAYMENTS, other, **options)
        _check_problem(answer, 422, "idempotency_key_reused")
    again = await served.call("POST", _PAYMENTS, body, **options)
    assert again.replayed
    assert again.raw == first.raw
    assert await _holdings(served) == before


async def test_a_service_cannot_pay(served: Served) -> None:
    words = ("admin", "token", "--name", "reader", "--scope", "balances:read")
    status, text = await served.installation.command(*words)
    assert status == 0
    token = text.strip().splitlines()[-1]
    answer = await served.call("POST", _PAYMENTS, {}, token=token, key="service")
    _check_problem(answer, 403, "scope_missing")
    asked = {"wallet_ids": [served.payer.wallet]}
    told = await served.call("POST", "/v1/balances/query", asked, token=token)
    assert told.status == 200
    refused = await served.call("POST", "/v1/balances/query", asked, token=served.payer.token)
    _check_problem(refused, 403, "scope_missing")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=zzz", 400, "bad_cursor"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAA", 400, "bad_cursor"),
        ("cursor=", 422, "invalid_request"),
        ("limit=0", 422, "invalid_request"),
        ("limit=101", 422, "invalid_request"),
        ("limit=1.5", 422, "invalid_request"),
        ("from=yesterday", 422, "invalid_request"),
        ("from=2026-01-01T00:00:00", 422, "invalid_request"),
        ("kind=nonsense", 422, "invalid_request"),
        ("q=%00", 422, "invalid_request"),
    ],
)
async def test_bad_queries(served: Served, query: str, status: int, code: str) -> None:
    path = f"/v1/wallets/{served.payer.wallet}/entries?{query}"
    _check_problem(await served.call("GET", path, token=served.payer.token), status, code)
