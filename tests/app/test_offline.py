"""Without a network: what was seen last opens at once and says how old it is; nothing is sent."""

from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import People
from tests.app.words import shown


def installed(page: Page) -> None:
    """Wait until the service worker answers for the page."""
    page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
    page.reload()
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")


def test_home_and_activity_open_offline_with_their_age(open_page: OpenPage, people: People) -> None:
    payer, payee = people.sign_up("offline.olu"), people.sign_up("offline.una")
    wallet = payer.open_wallet("SGD", 5_000)
    payer.pay(wallet, f"@{payee.username}", 700, "Ferry")
    page = open_page(payer.state, service_workers="allow")
    page.goto("/")
    # A device that meets a person for the first time empties its cache before it keeps anything.
    page.wait_for_function("() => localStorage.getItem('tw.note.person')")
    installed(page)
    expect(page.get_by_role("region", name="Balance")).to_contain_text(shown("S$43.00"))
    page.get_by_role("link", name="Activity").click()
    # The screen before stays until this one is there, and it shows the ferry as well.
    expect(page.get_by_role("heading", name="Activity", level=1)).to_be_visible()
    expect(page.get_by_text("Ferry")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_text("Ferry")).to_be_visible()

    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("region", name="Balance")).to_contain_text(shown("S$43.00"))
    expect(page.get_by_text("You are offline")).to_be_visible()
    expect(page.get_by_text("As of just now").first).to_be_visible()
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_text("Ferry")).to_be_visible()
    expect(page.get_by_text("As of just now").first).to_be_visible()


def test_nothing_is_sent_without_a_network_and_nothing_typed_is_lost(
    open_page: OpenPage, people: People
) -> None:
    payer, payee = people.sign_up("offline.ada"), people.sign_up("offline.bo")
    payer.open_wallet("SGD", 5_000)
    page = open_page(payer.state, service_workers="allow")
    page.goto(f"/pay?to=@{payee.username}&amount=12.50&currency=SGD&memo=Boat")
    page.get_by_role("button", name="Continue").click()
    pay = page.get_by_role("button", name=shown(f"Pay S$12.50 to {payee.username}"))
    expect(pay).to_be_enabled()
    page.context.set_offline(True)
    pay.click()
    expect(page.get_by_text("You are offline, so nothing was sent")).to_be_visible()
    expect(page.get_by_text("Boat")).to_be_visible()
    page.context.set_offline(False)
    pay.click()
    expect(page.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
