"""One's own account through the screens: name, PIN limit, number, forgotten secrets, leaving."""

import re

import httpx
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import PASSWORD, PIN, People
from tests.app.words import shown

_LINK = re.compile(r"http://\S+/recovery/cancel#\S+")


def _messages(site: str, phone: str) -> list[str]:
    answer = httpx.get(f"{site}/dev/inbox", params={"phone": phone})
    return [item["text"] for item in answer.raise_for_status().json()["items"]]


def _phone(
    page: Page, phone: str, label: str = "Phone number", country: str = "Country code"
) -> None:
    page.get_by_label(country).select_option("SG")
    page.get_by_role("textbox", name=label).fill(phone.removeprefix("+65"))


def test_a_name_that_deceives_is_refused_beside_the_field(
    open_page: OpenPage, people: People
) -> None:
    page = open_page(people.sign_up("own.aroha").state)
    page.goto("/profile")
    page.get_by_role("button", name="Change name").click()
    name = page.get_by_label("Name", exact=True)
    name.fill("\u0410roha")  # a Cyrillic A before Latin letters
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-wrong")).to_be_visible()
    expect(name).to_have_value("\u0410roha")
    name.fill("Aroha 🌺")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Aroha 🌺")).to_be_visible()


def test_the_limit_for_the_pin_is_ones_own(open_page: OpenPage, people: People) -> None:
    page = open_page(people.sign_up("own.tama", pin=True).state)
    page.goto("/settings")
    limit = page.get_by_role("button", name="Ask for my PIN")
    expect(limit).to_contain_text(shown("S$100.00"))
    limit.click()
    page.get_by_role("textbox", name="Amount").fill("2000")
    expect(page.get_by_text(shown("At most S$1,000.00"))).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_role("textbox", name="Amount").fill("500")
    page.get_by_role("button", name="Save").click()
    expect(limit).to_contain_text(shown("S$500.00"))  # signed in a moment ago: that is proof enough
    limit.click()
    page.get_by_text("Every payment").click()
    page.get_by_role("button", name="Save").click()
    expect(limit).to_contain_text("for every payment")


def test_a_new_number_holds_at_once_when_the_old_one_agrees(
    open_page: OpenPage, people: People
) -> None:
    person = people.sign_up("own.wiremu")
    wanted = people.phone()
    page = open_page(person.state)
    page.goto("/profile/number")
    _phone(page, wanted, "New number")
    page.get_by_role("button", name="Continue").click()
    code = page.get_by_label("6-digit code")
    code.wait_for()  # the message went out before the answer
    code.fill(people.code(wanted))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Almost done")).to_be_visible()
    page.reload()  # the way so far is the server's to know
    code.fill(people.code(person.phone))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text(wanted)).to_be_visible()


def test_a_recovery_waits_and_is_stopped_from_a_device_that_is_signed_in(
    open_page: OpenPage, people: People
) -> None:
    person = people.sign_up("own.ngaio")
    stranger, own = open_page(), open_page(person.state)
    stranger.goto("/recover")
    _phone(stranger, person.phone)
    stranger.get_by_role("button", name="Send the code").click()
    stranger.get_by_label("6-digit code").wait_for()
    stranger.get_by_label("6-digit code").fill(people.code(person.phone))
    stranger.get_by_role("button", name="Continue").click()
    expect(stranger.get_by_text("Your new password can be set")).to_be_visible()
    stranger.reload()
    expect(stranger.get_by_text("Your new password can be set")).to_be_visible()

    own.goto("/")
    expect(own.get_by_text("Somebody is setting a new password")).to_be_visible()
    own.get_by_role("button", name="Stop it").click()
    expect(own.get_by_text("Your password stays as it was")).to_be_visible()
    expect(own.get_by_text("Somebody is setting a new password")).to_have_count(0)


def test_the_link_in_the_message_stops_a_recovery_without_signing_in(
    open_page: OpenPage, people: People, site: str
) -> None:
    person = people.sign_up("own.manaia")
    page = open_page()
    page.goto("/recover")
    _phone(page, person.phone)
    page.get_by_role("button", name="Send the code").click()
    page.get_by_label("6-digit code").wait_for()
    page.get_by_label("6-digit code").fill(people.code(person.phone))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Your new password can be set")).to_be_visible()
    link = next(found[0] for text in _messages(site, person.phone) if (found := _LINK.search(text)))
    phone = open_page()
    phone.goto(link)
    phone.get_by_role("button", name="Stop it").click()
    expect(phone.get_by_role("heading", name="Stopped")).to_be_visible()
    again = open_page()
    again.goto(link)
    again.get_by_role("button", name="Stop it").click()
    expect(again.get_by_role("alert")).to_contain_text("has run out")


def test_a_forgotten_pin_is_replaced_and_the_account_closed(
    open_page: OpenPage, people: People
) -> None:
    person = people.sign_up("own.hemi", pin=True)
    page = open_page(person.state)
    page.goto("/security/pin")
    page.get_by_role("button", name="I forgot my PIN").click()
    page.get_by_role("button", name="Take it away").click()
    for heading in ("Choose six digits", "Enter them once more"):
        page.get_by_role("heading", name=heading).wait_for()
        for digit in reversed(PIN):
            page.get_by_role("button", name=digit, exact=True).click()
    expect(page.get_by_text("Your PIN is set")).to_be_visible()
    page.goto("/you")
    expect(page.get_by_text("lower limits hold")).to_be_visible()

    page.goto("/profile")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data").click()
    assert download.value.suggested_filename == "tikiwallet-own.hemi.json"
    page.get_by_role("button", name="Close my account").click()
    page.get_by_role("dialog").get_by_label("Password", exact=True).fill("not my password")
    page.get_by_role("button", name="Close for good").click()
    expect(page.locator(".field-wrong")).to_be_visible()
    page.get_by_role("dialog").get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Close for good").click()
    expect(page.get_by_text("Your account is closed")).to_be_visible()
    page.get_by_role("link", name="Open a free wallet").first.wait_for()


def test_text_messages_speak_the_language_chosen_before_signing_up_or_in(
    open_page: OpenPage, people: People, site: str
) -> None:
    page = open_page()  # a phone in English
    phone = people.phone()
    page.goto("/")
    page.get_by_label("Language").select_option("id")
    page.get_by_role("link", name="Buka dompet gratis").first.click()
    _phone(page, phone, "Nomor telepon", country="Kode negara")
    page.get_by_label("Nama pengguna").fill("own.rangi")
    page.get_by_label("Kata sandi", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Lanjutkan").click()
    page.get_by_label("Kode 6 angka").wait_for()
    [text] = _messages(site, phone)
    assert "adalah kode TikiWallet Anda" in text

    known = people.sign_up("own.mere")
    assert known.call("GET", "/v1/me")["language"] is None
    page.goto("/sign-in")
    _phone(page, known.phone, "Nomor telepon", country="Kode negara")
    page.get_by_label("Kata sandi", exact=True).fill(PASSWORD)
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as told:
        page.get_by_role("button", name="Masuk", exact=True).click()
    assert told.value.json()["language"] == "id"
    assert known.call("GET", "/v1/me")["language"] == "id"
