"""Offline payments by HTTP: devices and passes made there, signed here, settled there."""

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from tests.servers import DatabaseUrls
from tests.web.conftest import Caller, Web, running_web

from tikiwallet import clock, ids
from tikiwallet.config import Settings
from tikiwallet.ledger.transactions import Kind, Posting, Transaction
from tikiwallet.money import CURRENCIES
from tikiwallet.offline.evidence import verify
from tikiwallet.offline.limits import LimitTable, PassLimits
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import Close, Invite, Pass, Pay, Receipt, Void
from tikiwallet.wallets.chart import Purpose, house_account

PATH = "/v1/offline/settlements"
SGD = CURRENCIES["SGD"]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def now() -> int:
    return clock.now_us() // 1_000_000


@dataclass
class Phone:
    caller: Caller
    key: PrivateKey
    pass_: Pass
    sequence: int = 1
    cumulative: int = 0
    previous: bytes = b""

    def invite(self, amount: int) -> Invite:
        made = Invite(
            payee=self.pass_,
            request_id=os.urandom(16),
            amount=amount,
            currency=SGD.number,
            memo="two teas",
            made_at=now(),
            life=120,
        )
        return Invite.parse(made.sealed_by(self.key))

    def pay(self, invite: Invite, *sources: Pay) -> Pay:
        self.cumulative += invite.amount
        made = Pay(
            payer=self.pass_,
            sequence=self.sequence,
            previous=self.previous or self.pass_.hash,
            amount=invite.amount,
            cumulative=self.cumulative,
            payee_pass=invite.payee.id,
            request_hash=invite.hash,
            time=now(),
            sources=tuple(source.hash for source in sources) or None,
        )
        signed = Pay.parse(made.sealed_by(self.key))
        self.sequence, self.previous = self.sequence + 1, signed.hash
        return signed

    async def settle(self, *items: dict[str, str]) -> list[Any]:
        answer = await self.caller.call("POST", PATH, {"items": list(items)})
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()["items"]
        return found

    async def history(self, query: str = "") -> dict[str, Any]:
        answer = await self.caller.call("GET", PATH + query)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
async def web(database_urls: DatabaseUrls, settings: Settings) -> AsyncIterator[Web]:
    async with running_web(database_urls, settings) as running:
        yield running


async def phone(web: Web, number: str, name: str, amount: int) -> Phone:
    """Somebody new with a pass over `amount`, made as the app makes it."""
    caller = await web.sign_up(number, name)
    wallet = ids.read_id("w", await caller.wallet())
    assert wallet is not None
    if amount:
        await web.stack.chart.ready(SGD)
        clearing = house_account(Purpose.CARD_CLEARING, SGD.number)
        leg = Posting(clearing, wallet, amount, SGD.number)
        await web.stack.ledger.post(Transaction(os.urandom(16), kind=Kind.TOP_UP, postings=(leg,)))
    made = await caller.call(
        "POST", "/v1/offline/devices", {"name": "Phone", "kind": "phone", "protection": "pin"}
    )
    device = made.json()["id"]
    key = PrivateKey.generate()
    proof = key.sign(b"tikiwallet/offline/1/key\x00" + device.encode())
    answer = await caller.call(
        "POST",
        "/v1/offline/passes",
        {
            "device": device,
            "amount": {"amount": amount, "currency": "SGD"},
            "key": b64(key.public),
            "proof": b64(proof),
        },
        idempotency_key="pass",
    )
    assert answer.status_code == 201, answer.text
    return Phone(caller, key, Pass.parse(raw(answer.json()["message"])))


def brought(invite: Invite, pay: Pay) -> dict[str, str]:
    return {"pay": b64(pay.raw), "invite": b64(invite.raw)}


async def test_a_payment_from_request_to_history(web: Web) -> None:
    ana = await phone(web, "+6591234501", "ana", 3_000)
    ben = await phone(web, "+6591234502", "ben", 0)
    invite = ben.invite(450)
    pay = ana.pay(invite)
    [recorded] = await ana.settle(brought(invite, pay))
    assert recorded == {
        "kind": "payment",
        "hash": b64(pay.hash),
        "state": "recorded",
        "amount": {"amount": 450, "currency": "SGD"},
        "credited": {"amount": 0, "currency": "SGD"},
        "problem": None,
    }
    receipt = Receipt(pay_hash=pay.hash, time=now()).sealed_by(ben.key)
    [credited] = await ana.settle({**brought(invite, pay), "receipt": b64(receipt)})
    assert (credited["state"], credited["credited"]["amount"]) == ("credited", 450)
    second = ben.invite(100)
    await ben.settle(brought(second, ana.pay(second)))
    page = await ben.history("?limit=1")
    [newest] = page["items"]
    assert (newest["direction"], newest["with"], newest["memo"]) == ("in", "ana", "two teas")
    assert newest["amount"] == {"amount": 100, "currency": "SGD"}
    rest = await ben.history(f"?cursor={page['next_cursor']}")
    assert [one["amount"]["amount"] for one in rest["items"]] == [450]
    assert rest["next_cursor"] is None
    assert [one["direction"] for one in (await ana.history())["items"]] == ["out", "out"]
    wallets = (await ben.caller.call("GET", "/v1/wallets")).json()["items"]
    assert [wallet["available"] for wallet in wallets] == [550]


async def test_received_money_is_passed_on(web: Web) -> None:
    limits = LimitTable(web.stack.database)
    await limits.set(SGD, 0, PassLimits(1_000, 5_000, payments=20, hours=96, hops=1))
    ana = await phone(web, "+6591234501", "ana", 3_000)
    ben = await phone(web, "+6591234502", "ben", 200)
    cem = await phone(web, "+6591234503", "cem", 0)
    invites = [ben.invite(450), cem.invite(500)]
    source = ana.pay(invites[0])
    pay = ben.pay(invites[1], source)
    [refused] = await cem.settle(brought(invites[1], pay))
    assert (refused["state"], refused["hash"], refused["problem"]["code"]) == (
        "refused",
        None,
        "source_missing",
    )
    items = [brought(invites[1], pay), brought(invites[0], source)]
    assert [one["state"] for one in await cem.settle(*items)] == ["credited"] * 2
    [shown] = (await ben.caller.call("GET", "/v1/offline/passes")).json()["items"]
    assert (shown["amount"]["amount"], shown["left"]["amount"]) == (200, 150)
    [wallet] = (await ben.caller.call("GET", "/v1/wallets")).json()["items"]
    assert (wallet["available"], wallet["offline"]) == (0, 150)
    [wallet] = (await cem.caller.call("GET", "/v1/wallets")).json()["items"]
    assert wallet["available"] == 500


async def test_a_void_a_close_and_what_is_refused(web: Web) -> None:
    ana = await phone(web, "+6591234501", "ana", 3_000)
    ben = await phone(web, "+6591234502", "ben", 0)
    invite = ben.invite(450)
    pay = ana.pay(invite)
    void = Void(request_id=invite.request_id, payee_pass=ben.pass_.id, time=now())
    close = Close(pass_id=ana.pass_.id, sequence=2, cumulative=450, time=now())
    answers = await ana.settle(
        {"void": b64(void.sealed_by(ben.key)), "invite": b64(invite.raw)},
        {"close": b64(close.sealed_by(ana.key))},
        brought(invite, pay),
        {"close": b64(close.sealed_by(ben.key))},
        {"close": b64(b"junk")},
    )
    assert [one["state"] for one in answers] == [
        "voided",
        "closed",
        "voided",
        "refused",
        "refused",
    ]
    problems = [one["problem"] and one["problem"]["code"] for one in answers]
    assert problems == [None, None, "request_voided", "signature_invalid", "message_malformed"]
    shown = (await ana.caller.call("GET", "/v1/offline/passes")).json()["items"]
    assert [one["state"] for one in shown] == ["closed"]
    end = Close.parse(close.sealed_by(ana.key))
    told = {"sequence": end.sequence, "hash": b64(end.hash), "cumulative": end.cumulative}
    assert shown[0]["tip"] == told


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [{}]},
        {"items": [{"pay": "0oQ"}]},
        {"items": [{"pay": "0oQ", "invite": "0oQ", "void": "0oQ"}]},
        {"items": [{"close": None}]},
        {"items": [{"close": "0oQ", "more": 1}]},
        {"items": [{"close": "0oR"}]},
        {"items": [{"close": "="}]},
        {"items": [{"close": "0oQ"}] * 101},
    ],
)
async def test_bodies_that_say_nothing(web: Web, body: object) -> None:
    ana = await web.sign_up("+6591234501", "ana")
    answer = await ana.call("POST", PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await ana.call("GET", PATH + "?cursor=x.y")).json()["code"] == "bad_cursor"


async def test_operators_see_a_fork_and_prove_it(web: Web) -> None:
    ana = await phone(web, "+6591234501", "ana", 3_000)
    shops = [await phone(web, f"+659123450{n}", f"shop{n}", 0) for n in (2, 3)]
    clone = Phone(ana.caller, ana.key, ana.pass_)
    for shop, payer in zip(shops, (ana, clone), strict=True):
        invite = shop.invite(450)
        [answer] = await shop.settle(brought(invite, payer.pay(invite)))
        assert answer["state"] == "credited"
    assert {one["state"] for one in (await ana.history())["items"]} == {"conflict"}
    another = {"name": "Another", "kind": "phone", "protection": "pin"}
    refused = await ana.caller.call("POST", "/v1/offline/devices", another)
    assert (refused.status_code, refused.json()["code"]) == (409, "offline_device_frozen")

    token = await web.parts.identity.service_tokens.issue_service_token(
        "ops", {"offline:read"}, timedelta(days=1)
    )

    async def asked(path: str) -> Any:
        answer = await web.http.get(
            f"/v1/admin/offline/{path}", headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    [conflict] = (await asked("conflicts"))["items"]
    assert (conflict["kind"], conflict["frozen"]) == ("sequence", True)
    assert [one["from_escrow"] for one in conflict["payments"]] == [450, 450]
    [frozen] = (await asked("passes?frozen=true"))["items"]
    assert (frozen["id"], frozen["settled"], frozen["revoked"]) == (
        conflict["pass"],
        900,
        "signed_twice",
    )
    [exposed] = (await asked("exposure"))["passes"]
    assert (exposed["outstanding"], exposed["forked"]) == (2_100, 2_100)
    assert (await asked("fund"))["items"] == (await asked("debts"))["items"] == []
    document = await asked(f"conflicts/{conflict['id']}/evidence")
    keys = (await web.http.get("/v1/offline/keys")).json()
    assert raw(keys["root"]).hex() == document["root"]

    assert verify(document, raw(keys["root"])).pass_.name == "ana"
    forbidden = await ana.caller.call("GET", "/v1/admin/offline/fund")
    assert forbidden.json()["code"] == "scope_missing"
