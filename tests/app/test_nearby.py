"""A phone and a terminal pay each other with no internet: the app in Chromium, a terminal process,
passes from the service, and between them only the local network, which can be cut."""

import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import segno
from playwright.sync_api import Page, Route, expect
from tests.app.conftest import OpenPage
from tests.app.people import PASSWORD, PIN, People, Somebody
from tests.app.relay import Relay
from tests.app.test_offline import installed
from tests.app.words import shown
from tests.terminal.devices import Device, device

WITHIN = 0.5  # seconds from "pay" on the terminal until both sides show that it is accepted
# The hash of the newest payment that the phone has signed.
_SIGNED = """async () => {
  const open = indexedDB.open("tikiwallet-offline");
  await new Promise((done) => (open.onsuccess = done));
  const all = open.result.transaction("passes").objectStore("passes").getAll();
  await new Promise((done) => (all.onsuccess = done));
  open.result.close();
  const { hash } = all.result.flatMap(({ payer }) => payer.purse.payments).at(-1);
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}"""


@dataclass
class Shop:
    """A terminal, whose it is, and what its code says; all goes through `air`."""

    who: Somebody
    device: Device
    text: str
    air: Relay

    def ask(self, payer: Somebody, amount: int) -> None:
        self.device.say("ask", phone=payer.phone, amount=amount, memo="Fish")


@dataclass
class Phone:
    """One person's phone, with S$20 set aside."""

    who: Somebody
    page: Page

    def enter_pin(self) -> None:
        self.page.get_by_role("group", name="Enter your PIN").wait_for()
        for digit in PIN:
            self.page.get_by_role("button", name=digit, exact=True).click()

    def press(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("button", name=name).click()

    def sees(self, words: str) -> None:
        expect(self.page.get_by_text(words).first).to_be_visible()

    def type_number(self, whose: Somebody) -> None:
        self.page.locator("input[type=tel]").fill(whose.phone)

    def get_ready(self) -> None:
        self.page.goto("/offline/ready")
        self.page.get_by_label("Amount").fill("20.00")
        self.press(shown("Set S$20.00 aside"))
        self.enter_pin()
        expect(self.page.get_by_role("heading", name="Offline money")).to_be_visible()
        installed(self.page)

    def meet(self, shop: Shop) -> None:
        """Find the terminal, and compare the digits."""
        self.page.goto(shop.text)
        digits = shop.device.is_in("comparing")["digits"]
        expect(self.page.locator("main .money-large")).to_have_text(f"{digits[:3]} {digits[3:]}")
        self.press("Yes, the same")
        self.sees("Waiting for the terminal to say the same")
        shop.device.say("agree")
        shop.device.is_in("open")
        self.sees("Connected")

    def review(self, shop: Shop, price: str) -> None:
        """Up to the PIN."""
        self.type_number(shop.who)
        self.press("Continue")
        self.press(shown(f"Pay {price}"))
        self.page.get_by_role("group", name="Enter your PIN").wait_for()

    def ask(self, payer: Somebody, amount: str) -> None:
        self.press("Get paid offline")
        self.type_number(payer)
        self.page.get_by_label("Amount").fill(amount)
        self.press("Continue")
        self.enter_pin()
        self.sees("Waiting to be paid")

    def is_paid_by(self, shop: Shop, amount: str) -> None:
        self.ask(shop.who, amount)
        shop.device.shows("type_number")
        shop.device.say("number", phone=self.who.phone)
        shop.device.shows("review")
        shop.device.say("confirm")
        self.has("Accepted")
        shop.device.shows("accepted")
        self.press("Done")

    def has(self, outcome: str) -> None:
        expect(self.page.locator(".outcome-title")).to_have_text(outcome)


@pytest.fixture
def shop(site: str, people: People, tmp_path: Path) -> Iterator[Shop]:
    """With S$20 on its terminal, which lets phones connect."""
    who = people.sign_up(f"near.shop.{time.monotonic_ns() % 10**6}", pin=True)
    who.open_wallet("SGD", 10_000)
    with device(tmp_path, (), "--server", site) as terminal:
        terminal.expect("started")
        terminal.do("sign_in", phone=who.phone, password=PASSWORD)
        terminal.do("load", amount=2_000, currency="SGD", pin=PIN)
        text = terminal.do("phones_at", address="127.0.0.1")
        where, _, digest = text.rpartition("/")
        host, _, port = where.rpartition(":")
        with Relay(int(port)) as air:
            yield Shop(who, terminal, f"{host}:{air.port}/{digest}", air)


@pytest.fixture
def phone(open_page: OpenPage, people: People) -> Phone:
    who = people.sign_up(f"near.phone.{time.monotonic_ns() % 10**6}", pin=True)
    who.open_wallet("SGD", 10_000)
    phone = Phone(who, open_page(who.state, service_workers="allow"))
    phone.get_ready()
    return phone


@pytest.mark.alone
def test_a_phone_and_a_terminal_pay_each_other(phone: Phone, shop: Shop) -> None:
    phone.page.context.set_offline(True)
    phone.meet(shop)
    shop.ask(phone.who, 450)
    phone.review(shop, "S$4.50")
    began = time.monotonic()
    phone.enter_pin()
    told = shop.device.shows("accepted")
    phone.has("Accepted")
    print(f"phone to terminal, PIN and key included: {_ms(began)}")  # noqa: T201
    assert (told["amount"], told["direction"]) == (450, "received")
    assert told["hash"] == phone.page.evaluate(_SIGNED)
    phone.press("Done")

    took = []
    for _ in range(3):
        phone.ask(shop.who, "2.00")
        assert shop.device.shows("type_number")["amount"] == 200
        shop.device.say("number", phone=phone.who.phone)
        shop.device.shows("review")
        began = time.monotonic()
        shop.device.say("confirm")
        phone.has("Accepted")
        shop.device.shows("accepted")
        took.append(time.monotonic() - began)
        phone.press("Done")
    print(f"terminal to phone: {', '.join(f'{s * 1000:.0f} ms' for s in took)}")  # noqa: T201
    assert min(took) <= WITHIN

    phone.page.get_by_role("link", name="Hang up").click()
    shop.device.is_in("idle")
    phone.page.context.set_offline(False)
    phone.page.reload()
    expect(phone.page.locator("main .item-text").first).to_contain_text("In your wallet")
    assert phone.who.available() == 8_600  # S$100, less the 20 set aside, and three times 2


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


@pytest.mark.usefixtures("hops")
def test_they_pass_on_what_they_paid_each_other(phone: Phone, shop: Shop) -> None:
    phone.page.context.set_offline(True)
    phone.meet(shop)
    phone.is_paid_by(shop, "5.00")
    shop.ask(phone.who, 2_200)
    phone.review(shop, "S$22.00")
    phone.enter_pin()
    phone.has("Accepted")
    phone.press("Done")
    phone.is_paid_by(shop, "30.00")
    phone.page.get_by_role("link", name="Hang up").click()
    expect(phone.page.locator(".off-pass")).to_contain_text(shown("S$33.00"))
    phone.page.context.set_offline(False)
    phone.page.reload()
    for number in range(3):
        expect(phone.page.locator("main .item-text").nth(number)).to_contain_text("Settled")
    (wallet,) = phone.who.call("GET", "/v1/wallets")["items"]
    assert (wallet["available"], wallet["offline"]) == (8_000, 3_300)


def test_cut_in_the_middle_it_goes_on(phone: Phone, shop: Shop) -> None:
    phone.meet(shop)
    shop.ask(phone.who, 450)
    phone.review(shop, "S$4.50")
    shop.air.is_cut = True
    phone.enter_pin()
    phone.sees("Signed, not yet received")
    shop.air.is_cut = False
    assert shop.device.shows("accepted")["hash"] == phone.page.evaluate(_SIGNED)
    phone.has("Accepted")


def test_what_is_asked_for_waits_behind_what_is_being_typed(phone: Phone, shop: Shop) -> None:
    phone.meet(shop)
    phone.press("Get paid offline")
    phone.type_number(shop.who)
    shop.ask(phone.who, 450)
    shop.device.shows("asking")
    phone.page.get_by_label("Amount").fill("2.00")
    phone.press("Continue")
    phone.enter_pin()
    assert shop.device.shows("type_number")["amount"] == 200
    phone.review(shop, "S$4.50")
    phone.enter_pin()
    shop.device.shows("accepted")
    phone.has("Accepted")


def test_restarted_in_flight_mode_it_sends_the_same_bytes_and_compares_nothing(
    phone: Phone, shop: Shop
) -> None:
    phone.page.context.set_offline(True)
    phone.meet(shop)
    shop.ask(phone.who, 450)
    phone.review(shop, "S$4.50")
    shop.air.is_cut = True
    phone.enter_pin()
    phone.sees("Signed, not yet received")
    signed = phone.page.evaluate(_SIGNED)
    phone.page.goto("about:blank")
    shop.air.is_cut = False
    phone.page.goto(shop.text)
    assert shop.device.shows("accepted")["hash"] == signed
    phone.has("Accepted")
    assert phone.page.evaluate(_SIGNED) == signed


def test_the_terminals_code_is_read_in_the_app(phone: Phone, shop: Shop) -> None:
    phone.page.goto("/nearby")
    picture = io.BytesIO()
    segno.make_qr(shop.text).save(picture, kind="png", scale=8)
    file = {"name": "code.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    phone.page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    shop.device.is_in("comparing")
    phone.page.get_by_role("link", name="Hang up").click()
    shop.device.is_in("idle")


def test_what_the_terminal_calls_off_is_gone_and_it_hangs_up(phone: Phone, shop: Shop) -> None:
    phone.meet(shop)
    shop.ask(phone.who, 450)
    phone.page.locator("input[type=tel]").wait_for()
    shop.device.say("cancel")
    phone.sees("This request was called off")
    shop.device.say("hang_up")
    phone.sees("The terminal has hung up")
    expect(phone.page.get_by_role("link", name="Pay offline")).to_be_visible()


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("unsupported", "This browser cannot speak to terminals"),
        ("refused", "This phone does not let the app into the local network"),
        ("unreachable", "The terminal cannot be reached"),
    ],
)
def test_without_a_link_it_says_why_and_offers_codes(
    open_page: OpenPage, phone: Phone, reason: str, words: str
) -> None:
    def over(route: Route) -> None:
        body = f"postMessage({{ over: '{reason}' }});"
        route.fulfill(body=body, content_type="text/javascript")

    state = phone.page.context.storage_state(indexed_db=True)
    page = open_page(state)
    page.context.route("**/link-worker.js", over)
    page.goto(f"/nearby#192.168.1.2:4433/{'A' * 43}")
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_role("link", name="Get paid offline")).to_be_visible()
    page.get_by_role("link", name="Pay offline").click()
    expect(page.get_by_role("heading", name="Scan their request")).to_be_visible()
