"""Signing in with an account elsewhere, on the screens of the app and of a real provider."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import People
from tests.app.service import serving, url_of
from tests.app.test_walk import enter_code_pin_and_currency
from tests.app.words import shown
from tests.faults.installation import Installation
from tests.providers.provider_process import provider_process

FILE = """
[mock]
name = "Atoll ID"
issuer = "{issuer}"
client_id = "wallet"
client_secret = "secret"
"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A service of its own, whose people may also sign in through a provider."""
    with provider_process() as issuer:
        installation = Installation.empty()
        path = installation.folder / "oidc.toml"
        path.write_text(FILE.format(issuer=issuer))
        path.chmod(0o600)
        installation.environment["TIKIWALLET_OIDC_FILE"] = str(path)
        with serving(installation):
            yield url_of(installation)


@pytest.fixture
def neighbours(site: str) -> Iterator[People]:
    """Knows the phones of this service; `people` are those of the folder's other one."""
    people = People(site)
    yield people
    people.close()


def _to_provider(page: Page) -> None:
    """From the screen for signing in to the provider's page."""
    page.goto("/sign-in?next=/security/accounts")
    page.get_by_role("link", name="Continue with Atoll ID").click()
    page.get_by_role("heading", name="Authorize Client").wait_for()


def _agree(page: Page, subject: str) -> None:
    page.get_by_placeholder("sub").fill(subject)
    page.get_by_role("button", name="Authorize", exact=True).click()


def test_an_account_elsewhere_registers_and_signs_in(
    open_page: OpenPage, neighbours: People
) -> None:
    page = open_page()
    # The provider's page asks a stranger's server for its looks.
    page.route("https://cdn.jsdelivr.net/**", lambda route: route.fulfill(content_type="text/css"))

    _to_provider(page)
    page.get_by_role("button", name="Deny").click()
    # This provider says no without the `state` that it was given, so whose no it is stays unknown.
    expect(page.get_by_role("alert")).to_have_text("This took too long. Please try again")

    # Nobody that the wallet knows: a phone and a name are asked for, and no password.
    _to_provider(page)
    _agree(page, "alice@example.org")
    phone = neighbours.phone()
    page.get_by_label("Country code").select_option("SG")
    page.get_by_role("textbox", name="Phone number").fill(phone.removeprefix("+65"))
    page.get_by_label("Username").fill("alice.o")
    expect(page.get_by_label("Password", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Continue").click()
    enter_code_pin_and_currency(page, neighbours, phone)
    # On the screen that was asked for before all this, where the account is now linked.
    expect(page.get_by_role("button", name="Unlink: Atoll ID")).to_be_visible()

    page.goto("/you")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Open a free wallet").first.wait_for()

    # Known by now: straight in.
    _to_provider(page)
    _agree(page, "alice@example.org")
    expect(page.get_by_role("button", name="Unlink: Atoll ID")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("region", name="Balance")).to_contain_text(shown("S$0.00"))
