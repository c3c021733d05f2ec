"""Private notes between real devices: who may write and read, and what the server never sees."""

import base64
import os
import time
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tests.web.conftest import Caller, Web

from tikiwallet import ids
from tikiwallet.ledger.transactions import Kind, Posting, Result, Transaction
from tikiwallet.money import CURRENCIES
from tikiwallet.payments.notes import COPY_MAX

SGD = CURRENCIES["SGD"].number
SECRET = "The door code is 4711 🤫"


def write64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Device:
    """A phone with a private key that never leaves it."""

    owner: Caller
    name: str = "phone"
    id: str = field(default_factory=lambda: str(uuid4()))
    private: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    async def publish(self) -> "Device":
        body = {"public_key": write64(self.public), "name": self.name}
        answer = await self.owner.call("PUT", f"/v1/me/note-keys/{self.id}", body)
        assert answer.status_code == 200, answer.text
        assert answer.json() | body == answer.json()
        return self

    async def read(self, payment: str) -> httpx.Response:
        return await self.owner.call("GET", f"/v1/payments/{payment}/note?device_id={self.id}")

    def unseal(self, data: str, payment: str) -> str:
        whole = read64(data)
        theirs = X25519PublicKey.from_public_bytes(whole[:32])
        key = derive(self.private.exchange(theirs), payment)
        return AESGCM(key).decrypt(whole[32:44], whole[44:], self.id.encode()).decode()


def derive(shared: bytes, payment: str) -> bytes:
    return HKDF(SHA256(), 32, b"", payment.encode()).derive(shared)


def seal(text: str, to: dict[str, str], payment: str) -> dict[str, str]:
    once = X25519PrivateKey.generate()
    shared = once.exchange(X25519PublicKey.from_public_bytes(read64(to["public_key"])))
    nonce = os.urandom(12)
    sealed = AESGCM(derive(shared, payment)).encrypt(nonce, text.encode(), to["device_id"].encode())
    data = once.public_key().public_bytes_raw() + nonce + sealed
    return {"device_id": to["device_id"], "data": write64(data)}


@dataclass
class People:
    """Who paid, two who were paid in one payment, and a stranger; each with a phone."""

    web: Web
    mei: Device
    ravi: Device
    tan: Device
    eve: Device
    payment: str
    wallets: dict[str, str]

    async def keys(self, asker: Device, to: str) -> list[dict[str, str]]:
        answer = await asker.owner.call("GET", f"/v1/people/{to}/note-keys")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, str]] = answer.json()["items"]
        return items

    async def write(self, author: Device, text: str, *to: Device, **more: object) -> httpx.Response:
        copies = [
            seal(text, {"device_id": one.id, "public_key": write64(one.public)}, self.payment)
            for one in to
        ]
        body = {"ciphertexts": copies, "from_device": author.id, **more}
        return await author.owner.call("PUT", f"/v1/payments/{self.payment}/note", body)


@pytest.fixture
async def people(web: Web) -> People:
    names = ("mei.lin", "ravi", "tan", "eve")
    callers = [await web.sign_up(f"+659123456{n}", name) for n, name in enumerate(names)]
    devices = [await Device(caller).publish() for caller in callers]
    wallets = {name: await one.wallet() for name, one in zip(names, callers, strict=True)}
    body = {
        "wallet": wallets["mei.lin"],
        "amount": {"amount": 2_500, "currency": "SGD"},
        "method": "pm_card_visa",
    }
    await callers[0].call("POST", "/v1/topups", body, idempotency_key="k1")
    id = ids.new_uuid7()
    payer, *payees = [ids.read_id("w", wallets[name]) or 0 for name in names[:3]]
    postings = tuple(Posting(payer, payee, 100, SGD) for payee in payees)
    outcome = await web.parts.ledger.post(
        Transaction(id, 1, b"", Kind.PAYMENT, postings), time.monotonic() + 10
    )
    assert outcome.result == Result.POSTED
    mei, ravi, tan, eve = devices
    return People(web, mei, ravi, tan, eve, ids.write_uuid(id), wallets)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_only_the_two_read_it(people: People) -> None:
    keys = await people.keys(people.mei, "@ravi")
    assert keys == [{"device_id": people.ravi.id, "public_key": write64(people.ravi.public)}]
    copies = [seal(SECRET, keys[0], people.payment)]
    written = await people.mei.owner.call(
        "PUT", f"/v1/payments/{people.payment}/note", {"ciphertexts": copies}
    )
    assert (written.status_code, written.content) == (204, b"")
    told = (await people.ravi.read(people.payment)).json()
    assert people.ravi.unseal(told["data"], people.payment) == SECRET
    assert (told["author"], told["from_device"], told["others"]) == ("@mei.lin", None, [])
    assert code_of(await people.tan.read(people.payment)) == (404, "note_unreadable")
    assert code_of(await people.eve.read(people.payment)) == (404, "not_found")
    rows = await people.web.parts.database.fetch("SELECT t::text FROM payments.note_copy t")
    dump = "".join(row[0] for row in rows)
    assert len(rows) == 1
    assert SECRET.encode().hex() not in dump


async def test_each_side_has_one_and_replaces_only_its_own(people: People) -> None:
    mei, ravi = people.mei, people.ravi
    assert (await people.write(mei, "one", mei, ravi)).status_code == 204
    assert (await people.write(ravi, "two", mei, ravi)).status_code == 204
    assert (await people.write(mei, "three", mei, ravi)).status_code == 204
    for device in (mei, ravi):
        told = (await device.read(people.payment)).json()
        assert device.unseal(told["data"], people.payment) == "three"
        [other] = told["others"]
        assert device.unseal(other["data"], people.payment) == "two"
        assert (told["from_device"], other["from_device"]) == (mei.id, ravi.id)
    path = f"/v1/payments/{people.payment}/note"
    assert (await ravi.owner.call("DELETE", path)).status_code == 204
    assert code_of(await ravi.owner.call("DELETE", path)) == (404, "not_found")
    assert (await mei.read(people.payment)).json()["others"] == []


async def test_payees_see_the_payers_note_and_not_each_others(people: People) -> None:
    mei, ravi, tan = people.mei, people.ravi, people.tan
    assert (await people.write(ravi, "for Mei only", mei)).status_code == 204
    assert code_of(await tan.read(people.payment)) == (404, "not_found")
    refused = await people.write(ravi, "for all", mei, tan)
    assert code_of(refused) == (422, "note_device_unknown")
    assert refused.json()["device_ids"] == [tan.id]
    assert (await people.write(mei, "for both", mei, ravi, tan)).status_code == 204
    told = (await tan.read(people.payment)).json()
    assert (tan.unseal(told["data"], people.payment), told["others"]) == ("for both", [])
    seen = (await mei.read(people.payment)).json()
    assert mei.unseal(seen["others"][0]["data"], people.payment) == "for Mei only"


async def test_strangers(people: People) -> None:
    eve = people.eve
    assert code_of(await people.write(eve, "hello", people.mei)) == (404, "not_found")
    for to in ("@mei.lin", "@nobody", "+6591234560", "mei.lin", people.wallets["mei.lin"]):
        answer = await eve.owner.call("GET", f"/v1/people/{to}/note-keys")
        assert code_of(answer) == (404, "not_found")
    assert code_of(await people.write(people.mei, "hello", eve)) == (422, "note_device_unknown")
    forged = await people.write(people.mei, "hello", people.ravi, from_device=people.ravi.id)
    assert code_of(forged) == (422, "note_device_unknown")
    assert code_of(await people.mei.read(people.payment)) == (404, "not_found")
    assert [key["device_id"] for key in await people.keys(eve, "@eve")] == [eve.id]
    assert [key["device_id"] for key in await people.keys(people.tan, "@mei.lin")] == [
        people.mei.id
    ]
    two_payees = await people.tan.owner.call("GET", "/v1/people/@ravi/note-keys")
    assert code_of(two_payees) == (404, "not_found")


async def test_another_device_cannot_read_and_a_lost_one_no_longer(people: People) -> None:
    mei, ravi = people.mei, people.ravi
    assert (await people.write(mei, SECRET, ravi)).status_code == 204
    tablet = await Device(ravi.owner, "tablet").publish()
    assert code_of(await tablet.read(people.payment)) == (404, "note_unreadable")
    borrowed = Device(ravi.owner, id=mei.id)
    assert code_of(await borrowed.read(people.payment)) == (404, "not_found")
    unknown = Device(ravi.owner)
    assert code_of(await unknown.read(people.payment)) == (404, "not_found")
    told = (await ravi.read(people.payment)).json()
    with pytest.raises(InvalidTag):
        tablet.unseal(told["data"], people.payment)
    path = f"/v1/me/note-keys/{ravi.id}"
    assert code_of(await mei.owner.call("DELETE", path)) == (404, "not_found")
    assert (await ravi.owner.call("DELETE", path)).status_code == 204
    assert code_of(await ravi.read(people.payment)) == (404, "not_found")
    assert code_of(await people.write(mei, SECRET, ravi)) == (422, "note_device_unknown")
    left = await people.web.parts.database.fetchval("SELECT count(*) FROM payments.note_copy")
    assert left == 0
    own = (await ravi.owner.call("GET", "/v1/me/note-keys")).json()["items"]
    assert [(one["device_id"], one["name"]) for one in own] == [(tablet.id, "tablet")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (write64(b"x" * COPY_MAX), 204),
        (write64(b"x" * (COPY_MAX + 1)), 422),
        ("AAAAA", 422),
        ("AB", 422),
        ("A" * 2_732, 422),
        ("AA==", 422),
        ("a b", 422),
        ("a/+b", 422),
        ("", 422),
    ],
)
async def test_sizes_and_forms(people: People, data: str, status: int) -> None:
    body = {"ciphertexts": [{"device_id": people.ravi.id, "data": data}]}
    answer = await people.mei.owner.call("PUT", f"/v1/payments/{people.payment}/note", body)
    assert answer.status_code == status, answer.text
    if status != 204:
        assert answer.json()["code"] == "invalid_request"
        assert "x" * 20 not in answer.text


async def test_odd_bodies(people: People) -> None:
    path = f"/v1/payments/{people.payment}/note"
    copy = {"device_id": people.ravi.id, "data": "AAAA"}
    upper = {"device_id": people.ravi.id.upper(), "data": "AAAA"}
    odd: list[dict[str, object]] = [
        {"ciphertexts": []},
        {"ciphertexts": [copy, copy]},
        {"ciphertexts": [copy, upper]},
        {"ciphertexts": [copy] * 101},
        {"ciphertexts": [copy], "text": "in clear"},
        {"ciphertexts": [{**copy, "device_id": "phone"}]},
        {},
    ]
    for body in odd:
        answer = await people.mei.owner.call("PUT", path, body)
        assert code_of(answer) == (422, "invalid_request"), body
    # Another id than one's payment's.
    for id in (ids.write_uuid(ids.new_uuid7()), "0" * 36):
        answer = await people.mei.owner.call(
            "PUT", f"/v1/payments/{id}/note", {"ciphertexts": [copy]}
        )
        assert answer.status_code in (404, 422)
    for name in ("", "a\nb", "x" * 61):
        named = {"public_key": write64(people.mei.public), "name": name}
        answer = await people.mei.owner.call("PUT", f"/v1/me/note-keys/{people.mei.id}", named)
        assert code_of(answer) == (422, "invalid_request")
    zero = {"public_key": write64(bytes(32)), "name": "phone"}
    answer = await people.mei.owner.call("PUT", f"/v1/me/note-keys/{uuid4()}", zero)
    assert code_of(answer) == (422, "note_key_invalid")
