"""What a person's own facts mean for paying: their PIN threshold, and lower limits for a day."""

from typing import Any

import msgspec
import pytest
from tests.web.conftest import Caller, Web
from tests.web.test_api import MEI, RAVI, topup

from tikiwallet import clock
from tikiwallet.identity.payer_facts import LowerLimit, restrict
from tikiwallet.identity.pins import PinRequired
from tikiwallet.payments.pay import PaymentRequest
from tikiwallet.wallets.refusals import InsufficientFunds


@pytest.fixture
async def mei(web: Web) -> Caller:
    """Mei, with S$500, and Ravi with a wallet."""
    mei, ravi = await web.sign_up(*MEI), await web.sign_up(*RAVI)
    await ravi.wallet()
    made = await mei.call(
        "POST", "/v1/topups", topup(await mei.wallet(), amount=500_00), idempotency_key="money"
    )
    assert made.status_code == 201
    return mei


async def pay(web: Web, mei: Caller, key: str, amount: int) -> str:
    asked: dict[str, Any] = {
        "from_wallet": await mei.wallet(),
        "payees": [{"to": "@ravi", "amount": {"amount": amount, "currency": "SGD"}}],
    }
    answer, _ = await web.pay(mei, key, msgspec.convert(asked, PaymentRequest))
    return answer.status


async def lower(web: Web, person: int) -> None:
    async with web.parts.database.transaction() as connection:
        await restrict(connection, person, clock.from_us(clock.now_us()))
    web.parts.identity.payers.forget(person)


async def test_ones_own_threshold_decides_when_the_pin_is_asked_for(web: Web, mei: Caller) -> None:
    assert await pay(web, mei, "k1", 60_00) == "posted"
    lowered = {"pin_threshold": {"amount": 50_00, "currency": "SGD"}}
    changed = await mei.call("PATCH", "/v1/me", lowered)
    assert changed.status_code == 200, changed.text
    with pytest.raises(PinRequired):
        await pay(web, mei, "k2", 60_00)
    assert await pay(web, mei, "k3", 50_00) == "posted"


async def test_lower_limits_hold_for_the_sum(web: Web, mei: Caller) -> None:
    await lower(web, mei.person)
    assert await pay(web, mei, "k1", 60_00) == "posted"
    with pytest.raises(LowerLimit) as told:
        await pay(web, mei, "k2", 60_00)
    assert told.value.extra["left"] == 40_00
    assert await pay(web, mei, "k1", 60_00) == "posted"  # asked again: counted once
    assert await pay(web, mei, "k3", 40_00) == "posted"
    with pytest.raises(LowerLimit):
        await pay(web, mei, "k4", 1)


async def test_what_the_ledger_refused_does_not_count(web: Web, mei: Caller) -> None:
    assert await pay(web, mei, "k0", 90_00) == "posted"
    for turn in range(4):
        assert await pay(web, mei, f"less{turn}", 100_00) == "posted"
    await lower(web, mei.person)
    with pytest.raises(InsufficientFunds):
        await pay(web, mei, "k1", 90_00)
    assert await pay(web, mei, "k2", 10_00) == "posted"
