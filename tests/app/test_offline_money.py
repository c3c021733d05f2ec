"""Money without a network: two phones that are both offline pay each other by showing codes."""

import json
import time
from typing import Final

import pytest
from playwright.sync_api import expect
from tests.app.conftest import OpenPage, add_fingerprint_reader
from tests.app.people import People
from tests.app.phones import Phone, cut_off, pay
from tests.app.test_core import run
from tests.app.test_offline import installed
from tests.app.words import shown

MOST: Final = 6.0  # seconds from "pay" until both sides show that it is accepted


@pytest.fixture
def phones(open_page: OpenPage, people: People) -> tuple[Phone, Phone]:
    """Who pays, with S$20 set aside, and who is paid; both online."""
    found = []
    for name in ("moana", "tama"):
        who = people.sign_up(f"off.{name}.{time.monotonic_ns() % 10**6}", pin=True)
        who.open_wallet("SGD", 10_000)
        found.append(Phone.of(who, open_page))
    payer, payee = found
    payer.get_ready("20.00")
    payee.get_ready(None)
    return payer, payee


def test_two_phones_without_a_network_pay_each_other(phones: tuple[Phone, Phone]) -> None:
    payer, payee = phones
    cut_off(payer, payee)
    took = pay(payer, payee, "4.50")
    print(f"paid offline in {took:.1f} s")  # noqa: T201
    assert took <= MOST
    payer.read("Accepted, settles when one of you is online")
    expect(payer.page.locator(".off-pass")).to_contain_text(shown("S$15.50"))
    payee.read("Accepted, settles when one of you is online")
    # And the other way round it goes on from there.
    took = pay(payer, payee, "1.00")
    assert took <= MOST
    payer.read("Accepted, settles when one of you is online")
    expect(payer.page.locator(".off-pass")).to_contain_text(shown("S$14.50"))


@pytest.mark.parametrize("first", ["payer", "payee"])
def test_it_settles_whoever_is_online_first(phones: tuple[Phone, Phone], first: str) -> None:
    payer, payee = phones
    cut_off(*phones)
    pay(payer, payee, "4.50")
    order = phones if first == "payer" else phones[::-1]
    for phone in order:
        phone.page.context.set_offline(False)
        phone.read("Settled" if phone is payer else "In your wallet")
        # Once either has handed it in the money is there, whatever the other does.
        assert payee.who.available() == 10_450
        assert payer.who.available() == 8_000
    expect(payer.page.locator(".off-pass")).to_contain_text(shown("S$15.50"))


@pytest.mark.parametrize("lost", ["payer", "payee"])
def test_one_phone_alone_settles_it_when_the_other_is_lost(
    phones: tuple[Phone, Phone], lost: str
) -> None:
    payer, payee = phones
    cut_off(*phones)
    pay(payer, payee, "4.50")
    gone, left = phones if lost == "payer" else phones[::-1]
    gone.page.context.close()
    left.page.context.set_offline(False)
    left.read("In your wallet" if lost == "payer" else "Settled")
    assert payee.who.available() == 10_450


def test_what_is_signed_is_found_again_byte_for_byte(phones: tuple[Phone, Phone]) -> None:
    payer, payee = phones
    cut_off(*phones)
    payee.ask(payer, "3.00")
    request = payee.code()
    payee.page.reload()
    assert payee.code() == request
    payer.review(payee)
    payer.page.get_by_role("button", name=shown("Pay S$3.00")).click()
    payer.enter_pin()
    signed = payer.code()
    # The app is ended and started without a network, and the payment is found in the list.
    payer.page.goto("/")
    payer.page.get_by_role("link", name="Set aside for offline").click()
    payer.page.locator("main .item").first.click()
    assert payer.code() == signed
    # The request again, as somebody would who believes that nothing was paid: the same payment.
    payer.page.goto("/offline/pay")
    payer.look_at(payee)
    assert payer.code() == signed
    # The payee's app was started anew as well: it asks for the PIN before it signs the receipt.
    payee.page.get_by_role("button", name="Scan their payment").click()
    payee.enter_pin()
    payee.look_at(payer)
    expect(payee.page.get_by_role("heading", name="Accepted")).to_be_visible()


def test_a_payment_without_its_receipt_settles_from_the_payees_phone(
    phones: tuple[Phone, Phone],
) -> None:
    payer, payee = phones
    cut_off(*phones)
    payee.ask(payer, "2.00")
    payer.review(payee)
    payer.page.get_by_role("button", name=shown("Pay S$2.00")).click()
    payer.enter_pin()
    payer.code()
    payee.page.get_by_role("button", name="Scan their payment").click()
    payee.look_at(payer)
    expect(payee.page.get_by_role("heading", name="Accepted")).to_be_visible()
    payer.page.get_by_role("button", name="They have gone").click()
    expect(payer.page.get_by_text("Do not pay the same thing again")).to_be_visible()
    payer.page.context.set_offline(False)
    payer.read("Signed, not yet received")  # never "settled" too early
    assert payee.who.available() == 10_000
    payee.page.context.set_offline(False)
    payee.read("In your wallet")
    payer.read("Settled")


def test_a_saved_file_is_handed_in_by_anybody(phones: tuple[Phone, Phone], people: People) -> None:
    payer, payee = phones
    cut_off(*phones)
    pay(payer, payee, "4.50")
    payee.page.goto("/offline")
    with payee.page.expect_download() as saved:
        payee.page.get_by_role("button", name="Save all as a file").click()
    body = json.loads(saved.value.path().read_text())
    told = people.sign_up("off.somebody").call("POST", "/v1/offline/settlements", body)
    assert [one["state"] for one in told["items"]] == ["credited"]
    assert payee.who.available() == 10_450


def test_a_request_that_is_called_off_is_not_paid(phones: tuple[Phone, Phone]) -> None:
    payer, payee = phones
    cut_off(*phones)
    payee.ask(payer, "2.00")
    payer.review(payee)
    payer.page.get_by_role("button", name=shown("Pay S$2.00")).click()
    payer.enter_pin()
    payer.code()
    payee.page.get_by_role("button", name="Call it off").click()
    payee.enter_pin()
    expect(payee.page.get_by_role("heading", name="Called off")).to_be_visible()
    payer.page.get_by_role("button", name="Scan their receipt").click()
    payer.look_at(payee)
    expect(payer.page.get_by_text("The other side called the request off")).to_be_visible()
    for phone in phones:
        phone.page.context.set_offline(False)
    payee.read("Called off")
    payer.read("Called off, the money returns to you")


def test_wrong_numbers_wrong_codes_and_wrong_pins_are_told(phones: tuple[Phone, Phone]) -> None:
    payer, payee = phones
    cut_off(*phones)
    payee.ask(payer, "2.00")
    page = payer.page
    page.goto("/offline/pay")
    payer.look_at(payee)
    page.locator("input[type=tel]").fill("+6591234567")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("That is not the number of whoever made this code")).to_be_visible()
    page.locator("input[type=tel]").fill(payee.who.phone)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=shown("Pay S$2.00")).click()
    for pin, words in (
        ("111111", "2 tries left"),
        ("222222", "1 try left"),
        ("333333", "Try again in 30 seconds"),
    ):
        payer.enter_pin(pin)
        expect(page.locator(".pin-bad")).to_contain_text(words)
    # Ending the app does not shorten the wait.
    page.reload()
    payer.look_at(payee)
    page.locator("input[type=tel]").fill(payee.who.phone)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=shown("Pay S$2.00")).click()
    payer.enter_pin()
    expect(page.get_by_text("Try again in")).to_be_visible()
    # A payee who looks at another code than a payment is told so.
    payee.page.get_by_role("button", name="Scan their payment").click()
    other = payee.page.context.new_page()
    other.goto("/receive")
    picture = other.locator("svg.qr").screenshot()
    other.close()
    payee.see(picture)
    expect(payee.page.get_by_text("This is not a code for offline money")).to_be_visible()


def test_what_is_set_aside_is_given_back_and_changed(phones: tuple[Phone, Phone]) -> None:
    payer, _ = phones
    payer.get_ready("5.00")  # in place of the twenty, which are on their way back
    expect(payer.page.locator(".off-pass").first).to_contain_text(shown("S$5.00"))
    wallet = payer.who.call("GET", "/v1/wallets")["items"][0]
    assert (wallet["available"], wallet["offline"], wallet["returning"]) == (7_500, 500, 2_000)
    payer.page.get_by_role("link", name="Give it back").click()
    payer.enter_pin()
    expect(payer.page.get_by_text("Given back").first).to_be_visible()
    wallet = payer.who.call("GET", "/v1/wallets")["items"][0]
    assert (wallet["offline"], wallet["returning"]) == (0, 2_500)


def test_a_browser_that_cleared_its_storage_pays_no_more(phones: tuple[Phone, Phone]) -> None:
    payer, _ = phones
    payer.page.evaluate(
        """() => new Promise((done) => {
          const gone = indexedDB.deleteDatabase("tikiwallet-offline");
          gone.onsuccess = gone.onblocked = () => done();
        })"""
    )
    payer.page.goto("/offline")
    expect(payer.page.get_by_text("This browser has cleared its storage")).to_be_visible()
    expect(payer.page.get_by_role("link", name="Pay offline")).to_have_count(0)


def test_a_browser_that_cannot_keep_two_windows_apart_pays_nothing(
    phones: tuple[Phone, Phone],
) -> None:
    payer, payee = phones
    payer.page.add_init_script("delete Navigator.prototype.locks")
    cut_off(*phones)
    payee.ask(payer, "2.00")
    payer.review(payee)
    payer.page.get_by_role("button", name=shown("Pay S$2.00")).click()
    payer.enter_pin()
    expect(payer.page.get_by_text("cannot keep two windows of the app apart")).to_be_visible()
    payer.page.goto("/offline")
    expect(payer.page.locator(".off-pass")).to_contain_text(shown("S$20.00"))


def test_of_two_writers_of_one_purse_the_second_fails(phones: tuple[Phone, Phone]) -> None:
    payer, _ = phones
    told = run(
        payer.page,
        "offline/journal.js",
        """await (async () => {
          const [row] = await m.readAll("passes");
          const [now] = await m.write({ store: "passes", row: { ...row, writer: 1 } });
          const write = (row) =>
            m.write({ store: "passes", row }).then(() => "kept", (why) => why.code);
          const second = await write({ ...row, writer: 2 });
          const { writer } = await m.read("passes", row.id);
          return [second, writer, await write(now)];
        })()""",
    )
    assert told == ["offline_changed", 1, "kept"]


def test_a_phone_that_may_be_a_copy_is_replaced_by_itself(phones: tuple[Phone, Phone]) -> None:
    payer, _ = phones
    page = payer.page
    # Its mark beside the journal is missing, as after a backup was played back.
    page.evaluate(
        "() => Object.keys(localStorage).filter((name) => /offline[.][^.]+$/.test(name))"
        ".forEach((name) => localStorage.removeItem(name))"
    )
    page.goto("/offline")
    page.get_by_text("reported as replaced").wait_for()
    page.get_by_role("button", name="Begin anew").click()
    expect(page.get_by_text("reported as replaced")).to_have_count(0)
    payer.get_ready("5.00")
    expect(page.get_by_text("reported as replaced")).to_have_count(0)
    expect(page.locator(".off-pass")).to_contain_text(shown("S$5.00"))
    expect(page.get_by_text("On its way back")).to_be_visible()
    expect(page.locator("main .item").first).to_contain_text(shown("S$20.00"))
    reasons = [one["reason"] for one in payer.who.call("GET", "/v1/offline/devices")["items"]]
    assert reasons == ["replaced", None]


def test_a_key_cannot_be_read_out_of_the_journal(phones: tuple[Phone, Phone]) -> None:
    payer, _ = phones
    kept = payer.page.evaluate(
        """async () => {
          const open = indexedDB.open("tikiwallet-offline");
          await new Promise((done) => (open.onsuccess = done));
          const all = open.result.transaction("passes").objectStore("passes").getAll();
          await new Promise((done) => (all.onsuccess = done));
          const { lock, sealed, iv, publicKey } = all.result[0].kept;
          return [lock.kind, lock.rounds, sealed.length > 100, iv.length, publicKey.type];
        }"""
    )
    assert kept == ["pin", 600_000, True, 12, "public"]


def test_a_passkey_unlocks_it_without_a_network(open_page: OpenPage, people: People) -> None:
    who = people.sign_up("off.prf", pin=True)
    who.open_wallet("SGD", 10_000)
    page = open_page(who.state, service_workers="allow")
    add_fingerprint_reader(page, prf=True)
    page.goto("/security/passkeys")
    page.get_by_role("button", name="Add a passkey").first.click()
    expect(page.locator("main li").first).to_be_visible()
    page.goto("/offline/ready")
    page.get_by_label("Amount").fill("20.00")
    page.get_by_text("Passkey", exact=True).click()
    page.get_by_role("button", name=shown("Set S$20.00 aside")).click()
    phone = Phone(who, page)
    phone.enter_pin()  # the service asks for it; the money itself is unlocked by the finger
    expect(page.locator(".off-pass")).to_contain_text(shown("S$20.00"))
    installed(page)
    page.context.set_offline(True)
    page.goto("/offline/receive")
    page.locator("input[type=tel]").fill("+6591234567")
    page.get_by_label("Amount").fill("3.00")
    page.get_by_role("button", name="Show the code").click()
    page.get_by_role("button", name="Unlock with your passkey").click()
    assert phone.code()
