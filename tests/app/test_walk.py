"""Two people with a phone each: signing up, topping up, paying with a name confirmed and a PIN."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import PASSWORD, PIN, People
from tests.app.words import shown


def enter_pin(page: Page, pin: str = PIN) -> None:
    """Press the digits on the pad."""
    for digit in pin:
        page.get_by_role("button", name=digit, exact=True).click()


def enter_code_pin_and_currency(page: Page, people: People, phone: str) -> None:
    """What follows once a phone and a name were given: the message's code, a PIN, an SGD wallet."""
    code = page.get_by_label("6-digit code")
    code.wait_for()
    code.fill(people.code(phone))
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Choose six digits").wait_for()
    enter_pin(page)
    page.get_by_role("heading", name="Enter them once more").wait_for()
    enter_pin(page)
    page.get_by_label("Currency").select_option("SGD")
    page.get_by_role("button", name="Open my wallet").click()
    page.get_by_role("button", name="Not now").click()


def sign_up(page: Page, people: People, username: str) -> None:
    """Through every screen, from the front page to home, with a PIN and an SGD wallet."""
    phone = people.phone()
    page.goto("/")
    page.get_by_role("link", name="Open a free wallet").first.click()
    page.get_by_label("Country code").select_option("SG")
    page.get_by_role("textbox", name="Phone number").fill(phone.removeprefix("+65"))
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    enter_code_pin_and_currency(page, people, phone)
    expect(page.get_by_role("region", name="Balance")).to_contain_text(shown("S$0.00"))


@pytest.fixture(scope="module")
def names() -> tuple[str, str]:
    return "leilani.k", "keanu.w"


def test_two_phones_sign_up_and_one_pays_the_other(
    open_page: OpenPage, people: People, names: tuple[str, str]
) -> None:
    payer, payee = open_page(), open_page()
    sign_up(payer, people, names[0])
    sign_up(payee, people, names[1])

    payer.get_by_role("link", name="Top up").click()
    payer.get_by_role("button", name=shown("S$500.00")).first.click()
    payer.get_by_role("button", name=shown("Top up S$500.00")).click()
    expect(payer.get_by_role("heading", name="Topped up")).to_be_attached()
    payer.get_by_role("link", name="Done").click()
    expect(payer.get_by_role("region", name="Balance")).to_contain_text(shown("S$500.00"))

    # Above what goes without a PIN, to a name typed in.
    payer.get_by_role("main").get_by_role("link", name="Pay", exact=True).click()
    payer.get_by_label("Phone number or @name").fill(f"@{names[1]}")
    payer.get_by_role("button", name="Continue").click()
    payer.get_by_label("Amount").fill("120")
    payer.get_by_label("Message").fill("Surf lessons 🏄")
    payer.get_by_role("button", name="Continue").click()
    expect(payer.get_by_role("heading", name="Is this right?")).to_be_visible()
    expect(payer.locator(".confirm-name")).to_have_text(names[1])
    payer.get_by_role("button", name=shown(f"Pay S$120.00 to {names[1]}")).click()
    enter_pin(payer, "739164")
    expect(payer.get_by_text("That is not your PIN")).to_be_visible()
    enter_pin(payer)
    expect(payer.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
    expect(payer.get_by_text(shown("S$380.00"))).to_be_visible()

    payer.get_by_role("link", name="Receipt").click()
    expect(payer.get_by_role("heading", name="Payment")).to_be_visible()
    expect(payer.get_by_text("Surf lessons 🏄")).to_be_visible()
    payer.get_by_role("button", name="Check it now").click()
    expect(
        payer.get_by_text("It holds").or_(payer.get_by_text("sealed about once a second"))
    ).to_be_visible()

    payee.get_by_role("button", name="Refresh").click()
    expect(payee.get_by_role("region", name="Balance")).to_contain_text(shown("S$120.00"))
    payee.get_by_role("link", name=re.compile(f"{names[0]}.*Surf lessons")).click()
    expect(payee.get_by_role("heading", name="Payment")).to_be_visible()
    expect(payee.locator(".ticket-name")).to_have_text(names[0])
