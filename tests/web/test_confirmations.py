"""Confirming a payment with a passkey, up to where the payment itself takes over."""

from typing import Any

import msgspec
import pytest
from tests.identity.authenticator import Authenticator
from tests.web.conftest import Caller, Web
from tests.web.test_api import MEI, RAVI, code_of, topup
from tests.web.test_passkeys import add

from tikiwallet.errors import InvalidRequest
from tikiwallet.identity.confirmations import ConfirmationInvalid
from tikiwallet.identity.pins import PinRequired
from tikiwallet.payments.content import payment_content
from tikiwallet.payments.pay import PaymentRequest

PATH = "/v1/payments/confirmation"
WALLET = "w_01k3x0q9v7b2m"


@pytest.fixture
async def mei(web: Web) -> Caller:
    return await web.sign_up(*MEI)


@pytest.fixture
async def device(web: Web, mei: Caller) -> Authenticator:
    device = Authenticator(web.parts.settings.public_url)
    await add(mei, device)
    return device


def payment(**changed: object) -> dict[str, Any]:
    return {
        "from_wallet": WALLET,
        "payees": [{"to": "@ravi", "amount": {"amount": 125_00, "currency": "SGD"}}],
        "memo": "dinner",
        **changed,
    }


async def test_it_confirms_what_was_asked(web: Web, mei: Caller, device: Authenticator) -> None:
    check = web.parts.identity.confirmations.check
    content = payment_content(WALLET, [("@ravi", 125_00, "SGD")], "dinner")
    told = (await mei.call("POST", PATH, payment())).json()
    assert told.keys() == {"confirmation_id", "public_key"}
    assert told["public_key"]["userVerification"] == "required"
    credential = device.get(told["public_key"])
    await check(mei.person, told["confirmation_id"], credential, content)
    with pytest.raises(ConfirmationInvalid):
        await check(mei.person, told["confirmation_id"], credential, content)


@pytest.mark.parametrize(
    "changed",
    [
        {"from_wallet": "w_01k3x0q9v7b2n"},
        {"memo": None},
        {"memo": "Dinner"},
        {"payees": [{"to": "@ravi", "amount": {"amount": 125_01, "currency": "SGD"}}]},
        {"payees": [{"to": "@ravi", "amount": {"amount": 125_00, "currency": "USD"}}]},
        {"payees": [{"to": "@eve", "amount": {"amount": 125_00, "currency": "SGD"}}]},
        {"payees": [*payment()["payees"], *payment()["payees"]]},
    ],
)
async def test_it_confirms_nothing_else(
    web: Web, mei: Caller, device: Authenticator, changed: dict[str, object]
) -> None:
    told = (await mei.call("POST", PATH, payment(**changed))).json()
    content = payment_content(WALLET, [("@ravi", 125_00, "SGD")], "dinner")
    with pytest.raises(ConfirmationInvalid):
        await web.parts.identity.confirmations.check(
            mei.person, told["confirmation_id"], device.get(told["public_key"]), content
        )


async def test_it_stands_in_for_the_pin_of_a_large_payment(
    web: Web, mei: Caller, device: Authenticator
) -> None:
    ravi = await web.sign_up(*RAVI)
    await ravi.wallet()
    wallet = await mei.wallet()
    await mei.call("POST", "/v1/topups", topup(wallet, amount=500_00), idempotency_key="money")
    asked = payment(from_wallet=wallet)
    with pytest.raises(PinRequired):
        await web.pay(mei, "k1", msgspec.convert(asked, PaymentRequest))
    told = (await mei.call("POST", PATH, asked)).json()
    confirmation = {
        "id": told["confirmation_id"],
        "credential": device.get(told["public_key"]),
    }
    with_both = msgspec.convert(
        {**asked, "confirmation": confirmation, "pin": "493827"}, PaymentRequest
    )
    with pytest.raises(InvalidRequest):
        await web.pay(mei, "k1", with_both)
    confirmed = msgspec.convert({**asked, "confirmation": confirmation}, PaymentRequest)
    answer, replayed = await web.pay(mei, "k1", confirmed)
    assert (answer.status, answer.balance.posted, replayed) == ("posted", 375_00, False)
    # The confirmation is used up; asked again under the same key, the first answer comes back.
    assert await web.pay(mei, "k1", confirmed) == (answer, True)
    with pytest.raises(ConfirmationInvalid):
        await web.pay(mei, "k2", confirmed)


async def test_without_a_passkey(mei: Caller) -> None:
    assert code_of(await mei.call("POST", PATH, payment())) == (409, "no_passkey")


@pytest.mark.parametrize(
    "body",
    [
        {},
        payment(pin="482916"),
        payment(from_wallet="wallet"),
        payment(payees=[]),
        payment(payees=payment()["payees"] * 101),
        payment(memo="x" * 141),
        payment(payees=[{"to": "@ravi", "amount": {"amount": 0, "currency": "SGD"}}]),
        payment(payees=[{"to": "@ravi", "amount": {"amount": 1.5, "currency": "SGD"}}]),
    ],
)
async def test_bodies_are_strict(mei: Caller, body: object) -> None:
    assert code_of(await mei.call("POST", PATH, body)) == (422, "invalid_request")


async def test_it_is_no_payments_address(web: Web, mei: Caller) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await mei.call(method, PATH)
        assert code_of(answer) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
    assert code_of(await web.http.post(PATH, json=payment())) == (401, "token_missing")
