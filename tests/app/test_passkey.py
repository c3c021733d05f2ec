"""A passkey in place of the PIN: the fingerprint confirms exactly this payment."""

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage, add_fingerprint_reader
from tests.app.people import People
from tests.app.words import shown


@pytest.fixture
def phone_with_passkey(open_page: OpenPage, people: People) -> tuple[Page, str]:
    """A page whose device has a fingerprint reader and a passkey, and who can be paid from it."""
    payer, payee = people.sign_up("key.kaia", pin=True), people.sign_up("key.noa")
    payer.open_wallet("SGD", 100_000)
    page = open_page(payer.state)
    add_fingerprint_reader(page)
    page.goto("/security/passkeys")
    page.get_by_role("button", name="Add a passkey").first.click()
    expect(page.get_by_role("button", name="Add a passkey").first).to_be_enabled()
    expect(page.locator("main li").first).to_be_visible()
    return page, payee.username


def test_a_payment_is_confirmed_by_a_passkey(phone_with_passkey: tuple[Page, str]) -> None:
    page, payee = phone_with_passkey
    page.goto(f"/pay?to=@{payee}&amount=250.00&currency=SGD&memo=Board")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=shown(f"Pay S$250.00 to {payee}")).click()
    expect(page.get_by_role("heading", name="Enter your PIN")).to_be_visible()
    with page.expect_request("**/v1/payments") as sent:
        page.get_by_role("button", name="Use a passkey instead").click()
    assert set(sent.value.post_data_json or {}) == {"from_wallet", "payees", "memo", "confirmation"}
    expect(page.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
    expect(page.get_by_text(shown("S$750.00"))).to_be_visible()
