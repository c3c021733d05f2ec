"""Received offline money is spent on without a network: three phones, and codes that take turns."""

import json
import time

import pytest
from playwright.sync_api import expect
from tests.app.conftest import OpenPage
from tests.app.people import People
from tests.app.phones import Phone, cut_off, pay
from tests.app.test_core import run
from tests.app.words import shown

# What a version wrote that knew nothing of received money, and a phone that was switched off
# between its till's journal and its purse's; and whether the pass may spend. The answer: how many
# payments it knew of.
_FORGET = """await (async () => {
  const [{ payer, ...row }] = await m.readAll("passes");
  const { received = [], ...before } = payer.purse;
  const purse = { ...before, doubt: x };
  await m.write({ store: "passes", row: { ...row, payer: { ...payer, purse } } });
  return received.length;
})()"""
_WRITTEN = "(await m.readAll('passes'))[0].version"  # how often the pass was


@pytest.fixture
def phones(hops: int, open_page: OpenPage, people: People) -> tuple[Phone, Phone, Phone]:
    """With S$20 and S$10 set aside, and one that is only paid."""
    found = []
    for name, amount in (("ann", "20.00"), ("ben", "10.00"), ("cem", None)):
        who = people.sign_up(f"hop.{name}.{time.monotonic_ns() % 10**6}", pin=True)
        who.open_wallet("SGD", 10_000)
        found.append(Phone.of(who, open_page))
        found[-1].get_ready(amount)
    ann, ben, cem = found
    return ann, ben, cem


def _has(phone: Phone, left: str) -> None:
    phone.page.goto("/offline")
    expect(phone.page.locator(".off-pass")).to_contain_text(shown(left))


def _pass_on(payer: Phone, payee: Phone, amount: str) -> None:
    """As `pay`, with a payment that takes several codes."""
    payee.ask(payer, amount)
    payer.review(payee)
    payer.page.get_by_role("button", name=shown(f"Pay S${amount}")).click()
    payer.enter_pin()
    first = payer.code()
    payer.page.wait_for_function(
        "(first) => document.querySelector('svg.qr path').getAttribute('d') !== first", arg=first
    )
    payee.page.get_by_role("button", name="Scan their payment").click()
    payee.page.locator("video").wait_for()
    payee.watch(payer)
    expect(payee.page.get_by_role("heading", name="Accepted")).to_be_visible()
    payer.page.get_by_role("button", name="Scan their receipt").click()
    payer.look_at(payee)
    expect(payer.page.locator(".outcome-title")).to_have_text("Accepted")


def _online(phone: Phone, status: str) -> None:
    phone.page.context.set_offline(False)
    phone.read(status)


def test_received_money_is_passed_on(phones: tuple[Phone, Phone, Phone]) -> None:
    ann, ben, cem = phones
    cut_off(*phones)
    pay(ann, ben, "4.50")
    _has(ben, "S$14.50")
    assert run(ben.page, "offline/journal.js", _FORGET, "lost") == 1
    before = run(ben.page, "offline/journal.js", _WRITTEN)
    _has(ben, "S$10.00")
    assert run(ben.page, "offline/journal.js", _WRITTEN) == before + 1  # by the start
    assert run(ben.page, "offline/journal.js", _FORGET, "none") == 0
    _has(ben, "S$14.50")
    _pass_on(ben, cem, "12.00")
    _has(ben, "S$2.50")
    cem.read("Accepted, settles when one of you is online")
    with cem.page.expect_download() as saved:
        cem.page.get_by_role("button", name="Save all as a file").click()
    source, payment = json.loads(saved.value.path().read_text())["items"]
    assert source.keys() == {"invite", "pay"}
    assert payment.keys() == {"invite", "pay", "receipt"}
    # Who was paid last needs nobody else: what it was paid with settles with it.
    _online(cem, "In your wallet")
    assert cem.who.available() == 11_200
    _online(ben, "Settled")
    _online(ann, "Settled")
    ben.page.goto("/offline")
    expect(ben.page.locator("main .item-text").nth(1)).to_contain_text("Settled")
    ben.page.get_by_role("link", name="Give it back").click()
    ben.enter_pin()
    expect(ben.page.get_by_text("Given back").first).to_be_visible()
    wallet = ben.who.call("GET", "/v1/wallets")["items"][0]
    assert (wallet["available"], wallet["offline"], wallet["returning"]) == (9_000, 0, 250)
