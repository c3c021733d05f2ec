"""Signing in and keeping a wallet safe, screen by screen: second step, passkey, devices, PIN."""

import base64
import hmac
import struct
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage, add_fingerprint_reader
from tests.app.people import PASSWORD, PIN, People, Somebody


def _totp(secret: str, ahead: int = 0) -> str:
    """What an authenticator app shows (RFC 6238), `ahead` steps from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + ahead), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack_from('>I', digest, at)[0] & 0x7FFFFFFF) % 1_000_000:06}"


def _fill_sign_in(page: Page, person: Somebody, password: str = PASSWORD) -> None:
    page.get_by_label("Country code").select_option("SG")
    page.get_by_role("textbox", name="Phone number").fill(person.phone.removeprefix("+65"))
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _sign_out(page: Page) -> None:
    page.goto("/you")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Open a free wallet").first.wait_for()


def _press(page: Page, digits: str) -> None:
    for digit in digits:
        page.get_by_role("button", name=digit, exact=True).click()


@pytest.fixture
def phone(open_page: OpenPage) -> Callable[[Somebody], Page]:
    """Opens the app as somebody, on a phone with a fingerprint reader."""

    def opened(person: Somebody) -> Page:
        page = open_page(person.state)
        add_fingerprint_reader(page)
        return page

    return opened


def test_an_authenticator_app_is_set_up_and_asked_for(
    phone: Callable[[Somebody], Page], people: People
) -> None:
    person = people.sign_up("safe.tane")
    page = phone(person)
    page.goto("/security/authenticator")
    page.get_by_role("switch", name="Authenticator app").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_role("img", name="QR code").wait_for()
    secret = sheet.locator(".secret").inner_text().replace(" ", "")
    code = sheet.get_by_label("Code that the app shows now")
    right = _totp(secret)
    code.fill(f"{(int(right) + 1) % 1_000_000:06}")
    sheet.get_by_role("button", name="Switch it on").click()
    expect(sheet.get_by_text("This code is not right")).to_be_visible()
    expect(code).not_to_have_value("")
    code.fill(_totp(secret))
    sheet.get_by_role("button", name="Switch it on").click()
    codes = page.get_by_role("dialog").locator(".codes li")
    expect(codes).to_have_count(10)
    recovery = codes.first.inner_text()
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_role("switch", name="Authenticator app")).to_be_checked()

    _sign_out(page)
    page.goto("/sign-in?next=/security/devices")
    _fill_sign_in(page, person, "not my password")
    expect(page.get_by_text("Phone number and password do not match")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_have_value("not my password")
    _fill_sign_in(page, person)
    page.get_by_role("button", name="Authenticator app").click()
    page.get_by_label("6-digit code").fill(_totp(secret, ahead=1))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("This one")).to_be_visible()  # on the screen that was asked for

    _sign_out(page)
    page.goto("/sign-in")
    _fill_sign_in(page, person)
    page.get_by_role("button", name="Recovery code").click()
    page.get_by_label("Recovery code").fill(recovery.upper())
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("navigation", name="Main").wait_for()
    page.goto("/security/authenticator")
    expect(page.get_by_text("9 left")).to_be_visible()


def test_a_passkey_alone_signs_in(phone: Callable[[Somebody], Page], people: People) -> None:
    person = people.sign_up("safe.rua")
    page = phone(person)
    page.goto("/security/passkeys")
    page.get_by_role("button", name="Add a passkey").click()
    page.locator("main li").first.wait_for()
    page.locator("main li button").first.click()
    page.get_by_label("Its name").fill("My phone")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="My phone")).to_be_visible()
    _sign_out(page)
    page.goto("/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("navigation", name="Main").wait_for()
    page.goto("/security/devices")
    expect(page.get_by_text("by passkey")).to_be_visible()


def test_another_device_is_signed_out_from_here(open_page: OpenPage, people: People) -> None:
    person = people.sign_up("safe.hine")
    lost, here = open_page(person.state), open_page()
    lost.goto("/you")
    lost.get_by_text("safe.hine").first.wait_for()
    here.goto("/sign-in")
    _fill_sign_in(here, person)
    here.get_by_role("navigation", name="Main").wait_for()
    here.goto("/security/devices")
    here.get_by_role("button", name="Sign out", exact=False).first.click()
    expect(here.get_by_text("The device is signed out")).to_be_visible()
    expect(here.locator("main li")).to_have_count(1)
    lost.reload()
    lost.get_by_role("button", name="Sign in", exact=True).wait_for()


def test_a_weak_pin_is_refused_in_words_and_another_one_taken(
    open_page: OpenPage, people: People
) -> None:
    page = open_page(people.sign_up("safe.moana").state)
    page.goto("/security/pin")
    for digits in ("111111", PIN):
        page.get_by_role("heading", name="Choose six digits").wait_for()
        _press(page, digits)
        page.get_by_role("heading", name="Enter them once more").wait_for()
        _press(page, digits)
        if digits != PIN:
            expect(page.get_by_text("too easy to guess")).to_be_visible()
    expect(page.get_by_text("Your PIN is set")).to_be_visible()
    page.goto("/security/pin")
    expect(page.get_by_role("heading", name="Enter your present PIN")).to_be_visible()


def test_every_field_of_a_sign_up_says_what_is_missing_and_keeps_what_was_typed(
    open_page: OpenPage, people: People
) -> None:
    taken = people.sign_up("safe.kupe")
    page = open_page()
    page.goto("/welcome")
    page.get_by_role("button", name="Continue").click()
    for words in ("Enter your phone number", "Choose a username", "at least 8 characters"):
        expect(page.locator(".field-wrong", has_text=words)).to_be_visible()
    expect(page.get_by_role("textbox", name="Phone number")).to_be_focused()
    page.get_by_label("Country code").select_option("SG")
    page.get_by_role("textbox", name="Phone number").fill("8")
    page.get_by_label("Username").fill("Kupe!")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".field-wrong")).to_have_count(1)
    page.get_by_role("textbox", name="Phone number").fill(people.phone().removeprefix("+65"))
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".field-wrong", has_text="beginning with a letter")).to_be_visible()
    page.get_by_label("Username").fill(taken.username)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".field-wrong", has_text="This name is taken")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
