"""Confirming that it is you, on the sheet that a sensitive change opens."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.app.conftest import OpenPage
from tests.app.people import PASSWORD, People
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
    """All sign-ins were made an hour ago."""
    connection = await installation.connect()
    await connection.execute("UPDATE identity.session SET created_at = now() - interval '1 hour'")
    await connection.close()


def test_a_code_by_text_message_confirms(
    open_page: OpenPage, installation: Installation, site: str
) -> None:
    people = People(site)
    person = people.sign_up("sure.moana")
    person.call("PUT", "/v1/me/sms-factor", {"enabled": True})
    run_apart(_grow_stale(installation))
    page = open_page(person.state)
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
