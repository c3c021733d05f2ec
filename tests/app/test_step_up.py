"""Confirming that it is you, on the sheet that a sensitive change opens."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import PASSWORD, People, Somebody
from tests.app.service import serving, url_of
from tests.faults.installation import Installation
from tests.servers import run_apart


@pytest.fixture
def installation() -> Iterator[Installation]:
    """A service of its own, in whose database time can be made to have passed."""
    with serving(Installation.empty()) as installation:
        yield installation


@pytest.fixture
def site(installation: Installation) -> str:
    return url_of(installation)


async def _grow_stale(installation: Installation) -> None:
    """All sign-ins were made and confirmed an hour ago."""
    connection = await installation.connect()
    await connection.execute("UPDATE identity.session SET created_at = now() - interval '1 hour'")
    await connection.execute("UPDATE identity.confirmation SET at = now() - interval '1 hour'")
    await connection.close()


def _by_sms_and_stale(person: Somebody, installation: Installation) -> Somebody:
    """`person`, who signs in with codes by SMS, and did so an hour ago."""
    person.call("PUT", "/v1/me/sms-factor", {"enabled": True})
    run_apart(_grow_stale(installation))
    return person


def test_a_code_by_text_message_confirms(
    open_page: OpenPage, installation: Installation, site: str
) -> None:
    people = People(site)
    person = people.sign_up("sure.moana")
    page = open_page(_by_sms_and_stale(person, installation).state)
    page.goto("/security/authenticator")
    by_sms = page.get_by_role("switch", name="Codes by SMS")
    expect(by_sms).to_be_checked()
    by_sms.click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("heading", name="Is it you?")).to_be_visible()
    code = sheet.get_by_label("Code", exact=True)
    expect(code).to_have_count(0)
    sheet.get_by_label("Password", exact=True).fill(PASSWORD)
    confirm = sheet.get_by_role("button", name="Confirm")
    confirm.click()
    # The password alone does not do for somebody who signs in with a code as well.
    expect(code).to_be_visible()
    sheet.get_by_role("button", name="Text message").click()
    expect(page.get_by_text("A new code is on its way")).to_be_visible()
    code.fill(people.code(person.phone))
    confirm.click()
    expect(sheet).to_have_count(0)
    expect(by_sms).not_to_be_checked()
    people.close()


def _confirm_by_sms(page: Page, people: People, person: Somebody) -> None:
    """On the sheet that asks whether it is really them."""
    sheet = page.get_by_role("dialog", name="Is it you?")
    sheet.get_by_label("Password", exact=True).fill(PASSWORD)
    sheet.get_by_role("button", name="Confirm").click()
    sheet.get_by_role("button", name="Text message").click()
    expect(page.get_by_text("A new code is on its way")).to_be_visible()
    sheet.get_by_label("Code", exact=True).fill(people.code(person.phone))
    sheet.get_by_role("button", name="Confirm").click()
    expect(sheet).to_have_count(0)


def test_a_found_phone_takes_no_copy_no_password_and_no_account(
    open_page: OpenPage, installation: Installation, site: str
) -> None:
    people = People(site)
    person = people.sign_up("sure.kahu")
    page = open_page(_by_sms_and_stale(person, installation).state)
    sheet = page.get_by_role("dialog", name="Is it you?")

    page.goto("/profile")
    page.get_by_role("button", name="Download my data").click()
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")  # whoever found it gives up
    expect(sheet).to_have_count(0)
    page.get_by_role("button", name="Download my data").click()
    with page.expect_download():
        _confirm_by_sms(page, people, person)

    run_apart(_grow_stale(installation))
    page.goto("/security/password")
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password").fill("nine pears at noon")
    page.get_by_role("button", name="Save").click()
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("New password")).to_have_value("nine pears at noon")

    page.goto("/profile")
    page.get_by_role("button", name="Close my account").click()
    closing = page.get_by_role("dialog", name="Close my account")
    closing.get_by_label("Password", exact=True).fill(PASSWORD)
    closing.get_by_role("button", name="Close for good").click()
    _confirm_by_sms(page, people, person)
    expect(page.get_by_text("Your account is closed")).to_be_visible()
    people.close()


def test_a_new_password_is_set_after_the_second_factor(
    open_page: OpenPage, installation: Installation, site: str
) -> None:
    people = People(site)
    person = people.sign_up("sure.marama")
    page = open_page(_by_sms_and_stale(person, installation).state)
    page.goto("/security/password")
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password").fill("nine pears at noon")
    page.get_by_role("button", name="Save").click()
    _confirm_by_sms(page, people, person)
    expect(page.get_by_text("Your password is changed")).to_be_visible()
    people.close()
