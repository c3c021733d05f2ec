"""`tikiwallet demo`: people to play with, once, where nobody is real."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.faults.installation import Installation
from tests.faults.wire import Line

from tikiwallet.config import Settings
from tikiwallet.demo import CAST, PLOT, DemoRefused, run


@pytest.fixture
async def fresh() -> AsyncIterator[Installation]:
    """A service that nobody has used, with the limits that everybody meets."""
    installation = Installation.empty(TIKIWALLET_RATE_LIMITS="on")
    try:
        await installation.start("serve").ready(installation.port)
        yield installation
    finally:
        print(installation.tail())  # noqa: T201
        await installation.close()


def expected() -> dict[str, int]:
    """What everybody has in Singapore dollars when the curtain falls."""
    cents = {actor.username: actor.topups["SGD"] for actor in CAST}
    for scene in PLOT:
        for payee, amount in scene.payees.items():
            cents[scene.payer] -= amount
            cents[payee] += amount
    return cents


def password_in(text: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("  password")]
    return line.split()[1]


async def sign_in(line: Line, phone: str, password: str) -> str:
    answer = await line.call("POST", "/v1/auth/login", {"phone": phone, "password": password})
    assert answer.status == 200, answer
    return str(answer.body["access_token"])


async def test_it_is_made_once_and_told_again(fresh: Installation) -> None:
    status, first = await fresh.command("demo")
    assert status == 0, first
    password = password_in(first)
    line = Line(fresh.port)
    for actor in CAST:
        assert actor.phone in first
        token = await sign_in(line, actor.phone, password)
        wallets = (await line.call("GET", "/v1/wallets", token=token)).body["items"]
        held = {wallet["currency"]: wallet["available"] for wallet in wallets}
        assert held == {**actor.topups, "SGD": expected()[actor.username]}
        entries = await line.call("GET", f"/v1/wallets/{wallets[0]['id']}/entries", token=token)
        assert len(entries.body["items"]) >= 3

    # Somebody plays, and asks for the password again.
    maya = await sign_in(line, CAST[0].phone, password)
    wallet = (await line.call("GET", "/v1/wallets", token=maya)).body["items"][0]["id"]
    payment = {
        "from_wallet": wallet,
        "payees": [{"to": "@arjun", "amount": {"amount": 1_00, "currency": "SGD"}}],
    }
    paid = await line.call("POST", "/v1/payments", payment, token=maya, key="played")
    assert paid.status == 201
    status, again = await fresh.command("demo")
    assert status == 0, again
    assert "nothing was changed" in again
    assert password_in(again) == password
    balance = await line.call("GET", f"/v1/wallets/{wallet}/balance", token=maya)
    assert balance.body["available"] == expected()["maya"] - 1_00
    await line.close()
    status, text = await fresh.command("audit", "verify")
    assert status == 0, text


async def test_a_phone_that_is_somebody_elses_stays_theirs(fresh: Installation) -> None:
    line = Line(fresh.port)
    asked = {"phone": CAST[2].phone, "username": "not.lina", "password": "a long sentence of mine"}
    registered = await line.call("POST", "/v1/auth/register", asked)
    path = "/dev/inbox?phone=%2B" + CAST[2].phone[1:]
    code = (await line.call("GET", path)).body["items"][0]["code"]
    verified = await line.call("POST", "/v1/auth/verify", {**registered.body, "code": code})
    assert verified.status == 201
    status, text = await fresh.command("demo")
    assert status == 1
    assert f"{CAST[2].phone} is registered with another password" in text
    await line.close()


def test_without_a_service_it_says_what_to_start(settings: Settings) -> None:
    with pytest.raises(DemoRefused, match="nothing answers on port"):
        run(settings, lambda _: None)


def test_where_others_connect_there_is_no_demo(settings: Settings) -> None:
    with pytest.raises(DemoRefused, match="for a sandbox"):
        run(replace(settings, host="0.0.0.0"), lambda _: None)  # noqa: S104
