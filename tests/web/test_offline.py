"""Offline money over HTTP: devices, passes, and what everybody may know of the issuer."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from tests.identity.sign_up import PASSWORD
from tests.web.conftest import Caller, Web
from tests.web.test_account import MEI, RAVI, code_of

from tikiwallet import ids
from tikiwallet.ledger.transactions import Kind, Posting, Transaction
from tikiwallet.money import CURRENCIES
from tikiwallet.offline.admission import PROOF_DOMAIN
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import IssuerKeys, Pass, Revocations
from tikiwallet.wallets.chart import Purpose, house_account
from tikiwallet.web import rates

PHONE = {"name": "Mei's phone", "kind": "phone", "protection": "pin"}
PASSES = "/v1/offline/passes"


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Handset:
    """Someone's device."""

    caller: Caller
    id: str

    def body(self, amount: int = 20_00, code: str = "SGD") -> dict[str, Any]:
        key = PrivateKey.generate()
        return {
            "device": self.id,
            "amount": {"amount": amount, "currency": code},
            "key": text(key.public),
            "proof": text(key.sign(PROOF_DOMAIN + self.id.encode())),
        }

    async def ask(self, body: object, key: str = "k1") -> Any:
        return await self.caller.call("POST", PASSES, body, Idempotency_Key=key)


async def set_up(caller: Caller, **changes: str) -> Handset:
    answer = await caller.call("POST", "/v1/offline/devices", {**PHONE, **changes})
    assert answer.status_code == 201, answer.text
    return Handset(caller, answer.json()["id"])


async def give(web: Web, wallet: str, amount: int) -> None:
    account = ids.read_id("w", wallet)
    assert account is not None
    currency = CURRENCIES["SGD"]
    await web.stack.chart.ready(currency)
    house = house_account(Purpose.CARD_CLEARING, currency.number)
    posting = Posting(house, account, amount, currency.number)
    await web.stack.ledger.post(Transaction(ids.new_uuid7(), kind=Kind.TOP_UP, postings=(posting,)))


@pytest.fixture
async def mei(web: Web) -> Caller:
    caller = await web.sign_up(*MEI)
    await give(web, await caller.wallet(), 100_00)
    return caller


@pytest.fixture
async def phone(mei: Caller) -> Handset:
    return await set_up(mei)


async def in_wallet(caller: Caller) -> tuple[int, int, int]:
    [wallet] = (await caller.call("GET", "/v1/wallets")).json()["items"]
    return wallet["available"], wallet["offline"], wallet["returning"]


async def revoked(web: Web, since: int = 0) -> Revocations:
    answer = await web.http.get("/v1/offline/revocations", params={"since": since})
    return Revocations.parse(raw(answer.json()["message"]))


async def test_a_device(web: Web, mei: Caller) -> None:
    made = await mei.call("POST", "/v1/offline/devices", PHONE)
    device = made.json()
    assert made.headers["location"] == f"/v1/offline/devices/{device['id']}"
    assert device["created_at"] == device["last_sync_at"]
    assert device == {
        **PHONE,
        "id": device["id"],
        "tier": 0,
        "pseudonym": None,
        "created_at": device["created_at"],
        "last_sync_at": device["created_at"],
        "revoked_at": None,
        "reason": None,
    }
    path = f"/v1/offline/devices/{device['id']}"
    renamed = await mei.call("PATCH", path, {"name": "Old phone"})
    assert renamed.json() == {**device, "name": "Old phone"}
    ended = await mei.call("POST", f"{path}/revoke", {"reason": "lost"})
    assert ended.json()["reason"] == "lost"
    assert (await mei.call("GET", "/v1/offline/devices")).json()["items"] == [ended.json()]
    ravi = await web.sign_up(*RAVI)
    for method, at, body in (
        ("PATCH", path, {"name": "x"}),
        ("POST", f"{path}/revoke", {"reason": "lost"}),
    ):
        assert code_of(await ravi.call(method, at, body)) == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "watch"}, (422, "invalid_request")),
        ({"protection": "file"}, (422, "invalid_request")),
        ({"protection": "passkey"}, (409, "no_passkey")),
        ({"name": ""}, (422, "invalid_request")),
        ({"name": "a\nb"}, (422, "invalid_request")),
        ({"more": 1}, (422, "invalid_request")),
    ],
)
async def test_a_device_that_cannot_be(
    mei: Caller, change: dict[str, object], code: tuple[int, str]
) -> None:
    assert code_of(await mei.call("POST", "/v1/offline/devices", {**PHONE, **change})) == code


async def test_a_reason_that_is_not_ones_own(phone: Handset) -> None:
    path = f"/v1/offline/devices/{phone.id}/revoke"
    answer = await phone.caller.call("POST", path, {"reason": "closed"})
    assert code_of(answer) == (422, "invalid_request")


async def test_a_pass(web: Web, phone: Handset) -> None:
    body = phone.body(20_00)
    answer = await phone.ask(body)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"] == f"{PASSES}/{told['id']}"
    assert "idempotent-replayed" not in answer.headers
    assert (told["device"], told["state"]) == (phone.id, "open")
    assert told["amount"] == told["left"] == {"amount": 20_00, "currency": "SGD"}
    assert told["returns_at"] == told["claim_until"] > told["expires_at"] > told["issued_at"]
    keys = (await web.http.get("/v1/offline/keys")).json()
    listed = IssuerKeys.parse(raw(keys["message"]))
    assert listed.is_signed_by(PublicKey(raw(keys["root"])))
    signed = Pass.parse(raw(told["message"]))
    assert signed.is_signed_by(listed.keys[0].key)
    assert ids.write_uuid(signed.id) == told["id"]
    assert await in_wallet(phone.caller) == (80_00, 20_00, 0)
    again = await phone.ask(body)
    assert (again.json(), again.headers["idempotent-replayed"]) == (told, "true")
    assert (await phone.caller.call("GET", f"{PASSES}/{told['id']}")).json() == told
    assert (await phone.caller.call("GET", PASSES)).json() == {"items": [told], "next_cursor": None}
    ravi = await web.sign_up(*RAVI)
    assert code_of(await ravi.call("GET", f"{PASSES}/{told['id']}")) == (404, "not_found")


async def test_what_is_over_returns(web: Web, phone: Handset) -> None:
    told = (await phone.ask(phone.body(20_00))).json()
    await web.stack.database.execute(
        "UPDATE offline.pass SET state = 'expired', next_check_at = claim_until WHERE id = $1",
        told["id"],
    )
    await phone.ask(phone.body(5_00), "k2")
    assert await in_wallet(phone.caller) == (75_00, 5_00, 20_00)
    opened = await phone.caller.call("POST", "/v1/wallets", {"currency": "SGD"})
    assert (opened.json()["offline"], opened.json()["returning"]) == (5_00, 20_00)


async def test_a_pass_that_only_receives(web: Web) -> None:
    ravi = await set_up(await web.sign_up(*RAVI))
    told = (await ravi.ask(ravi.body(0))).json()
    assert (told["left"]["amount"], told["returns_at"], told["state"]) == (0, None, "open")
    assert await in_wallet(ravi.caller) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "AAAA"}, (422, "pass_key_invalid")),
        ({"proof": "AAAA"}, (422, "pass_proof_invalid")),
        ({"key": "A"}, (422, "invalid_request")),
        ({"key": "AB"}, (422, "invalid_request")),
        ({"payee_lock": "AAAAAAAAAAA"}, (404, "not_found")),
        ({"amount": {"amount": -1, "currency": "SGD"}}, (422, "invalid_request")),
        ({"amount": {"amount": 1.5, "currency": "SGD"}}, (422, "invalid_request")),
        ({"amount": {"amount": 1, "currency": "XXQ"}}, (422, "unknown_currency")),
        ({"amount": {"amount": 1, "currency": "EUR"}}, (402, "insufficient_funds")),
        ({"amount": {"amount": 2**32, "currency": "SGD"}}, (422, "invalid_request")),
        ({"amount": {"amount": 60_00, "currency": "SGD"}}, (422, "pass_too_large")),
        ({"device": "d_0000000000001"}, (404, "not_found")),
        ({"pin": "12"}, (422, "invalid_request")),
        ({"more": 1}, (422, "invalid_request")),
    ],
)
async def test_a_pass_that_cannot_be(
    phone: Handset, change: dict[str, object], code: tuple[int, str]
) -> None:
    answer = await phone.ask({**phone.body(), **change})
    assert code_of(answer) == code
    assert answer.json()["detail"]
    assert await in_wallet(phone.caller) == (100_00, 0, 0)


async def test_the_idempotency_key(phone: Handset) -> None:
    answer = await phone.caller.call("POST", PASSES, phone.body())
    assert code_of(answer) == (400, "idempotency_key_missing")
    await phone.ask(phone.body(1_00))
    assert code_of(await phone.ask(phone.body(1_00))) == (422, "idempotency_key_reused")
    second = await phone.ask(phone.body(1_00), "k2")
    assert code_of(second) == (409, "pass_open")
    [open_pass] = (await phone.caller.call("GET", PASSES)).json()["items"]
    assert second.json()["pass"] == open_pass["id"]


async def test_money_for_three_passes_and_no_more(phone: Handset) -> None:
    phones = [phone, *[await set_up(phone.caller) for _ in range(3)]]
    for number, one in enumerate(phones[:3]):
        assert (await one.ask(one.body(30_00), f"k{number}")).status_code == 201
    body = phones[3].body(30_00)
    for _ in range(2):
        assert code_of(await phones[3].ask(body, "last")) == (402, "insufficient_funds")
    assert await in_wallet(phone.caller) == (10_00, 90_00, 0)


async def test_revocations_are_public_and_signed(web: Web, phone: Handset) -> None:
    empty = (await web.http.get("/v1/offline/revocations")).json()
    assert (empty["epoch"], empty["more"]) == (0, False)
    told = (await phone.ask(phone.body(1_00))).json()
    await phone.caller.call("POST", f"/v1/offline/devices/{phone.id}/revoke", {"reason": "stolen"})
    listed = await revoked(web)
    assert [ids.write_uuid(id) for id in listed.passes] == [told["id"]]
    keys = IssuerKeys.parse(raw((await web.http.get("/v1/offline/keys")).json()["message"]))
    assert listed.is_signed_by(keys.keys[0].key)
    assert (await revoked(web, listed.epoch)).passes == ()
    bad = await web.http.get("/v1/offline/revocations", params={"since": -1})
    assert code_of(bad) == (422, "invalid_request")


async def test_pages_of_passes(phone: Handset) -> None:
    for number in range(3):
        await phone.ask(phone.body(0), f"k{number}")
    first = (await phone.caller.call("GET", f"{PASSES}?limit=2")).json()
    assert [item["state"] for item in first["items"]] == ["open", "closed"]
    following = f"{PASSES}?limit=2&cursor={first['next_cursor']}"
    rest = (await phone.caller.call("GET", following)).json()
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
    bad = await phone.caller.call("GET", f"{PASSES}?cursor=nonsense")
    assert code_of(bad) == (400, "bad_cursor")


async def test_the_export_holds_devices_and_passes(phone: Handset) -> None:
    told = (await phone.ask(phone.body(20_00))).json()
    document = json.loads((await phone.caller.call("GET", "/v1/me/export")).content)
    [device] = document["offline_devices"]
    assert (device["id"], device["name"]) == (phone.id, PHONE["name"])
    [one] = document["offline_passes"]
    assert (one["id"], one["left"], one["message"]) == (told["id"], 20_00, told["message"])


async def test_nobody_leaves_with_money_in_a_pass(web: Web) -> None:
    caller = await web.sign_up(*RAVI)
    await give(web, await caller.wallet(), 20_00)
    handset = await set_up(caller)
    told = (await handset.ask(handset.body(20_00))).json()
    refused = await caller.call("POST", "/v1/me/close", {"password": PASSWORD})
    assert code_of(refused) == (409, "balance_not_zero")
    assert told["claim_until"][:10] in refused.json()["detail"]
    assert await in_wallet(caller) == (0, 20_00, 0)


async def test_who_leaves_receives_no_more(web: Web) -> None:
    caller = await web.sign_up(*RAVI)
    handset = await set_up(caller)
    told = (await handset.ask(handset.body(0))).json()
    closed = await caller.call("POST", "/v1/me/close", {"password": PASSWORD})
    assert closed.status_code == 204, closed.text
    assert [ids.write_uuid(id) for id in (await revoked(web)).passes] == [told["id"]]


def test_issuing_has_a_rate_of_its_own() -> None:
    assert rates.rate_of("POST", PASSES) is rates.ISSUE
    assert rates.rate_of("POST", "/v1/offline/devices") is rates.ISSUE
    assert rates.rate_of("GET", PASSES) is rates.READ
    assert rates.rate_of("POST", "/v1/offline/settlements") is rates.CHANGE
