"""The app's own rules, run in the browser as served: money, words, who sees what is kept."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import PASSWORD, People

from tikiwallet.money import CURRENCIES

_AREAS = ("core", "account", "money", "help", "dev")


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    page = open_page()
    page.goto("/help")
    page.get_by_role("heading", name="Help", level=1).wait_for()
    return page


def run(page: Page, module: str, body: str, argument: object = None) -> Any:
    """What `body` returns, an expression over `m`, the app's module, and `x`, the argument."""
    code = f"""async (x) => {{
      const base = document.querySelector('script[type="module"]').src.replace(/[^/]*$/, "");
      const m = await import(base + "{module}");
      return {body};
    }}"""
    return page.evaluate(code, argument)


def test_the_app_knows_every_currency_and_its_decimals(page: Page) -> None:
    codes = run(page, "core/currencies.js", "m.CURRENCIES")
    assert sorted(codes) == sorted(CURRENCIES)
    places = run(page, "core/money.js", "x.map(m.exponentOf)", codes)
    assert dict(zip(codes, places, strict=True)) == {
        code: currency.exponent for code, currency in CURRENCIES.items()
    }
    offered = run(
        page, "core/countries.js", "m.listCountries().map((c) => m.currencyIn(c.country))"
    )
    assert set(offered) <= set(CURRENCIES)


@pytest.mark.parametrize(
    ("typed", "currency", "read"),
    [
        ("12.50", "SGD", 1250),
        ("12,5", "SGD", 1250),
        ("1,000", "SGD", 100000),
        ("1.000.000", "IDR", 100000000),
        ("1 234,50", "EUR", 123450),
        ("0.125", "KWD", 125),
        ("1,250", "KWD", 1250000),
        ("1,234.50", "SGD", 123450),
        ("1.250", "SGD", "places"),  # nobody may mean 1.25 and pay 1250
        ("1,00,000", "INR", 10000000),
        ("12,34.5", "SGD", "form"),
        ("1.2.3", "SGD", "form"),
        ("1000", "JPY", 1000),
        ("1,000", "JPY", 1000),
        ("١٢٫٥٠", "AED", 1250),
        ("१२", "INR", 1200),
        (".5", "SGD", 50),
        ("0.00000001", "BTC", 1),
        ("90071992547409.91", "SGD", 9007199254740991),
        ("90071992547409.92", "SGD", "large"),
        ("12.505", "SGD", "places"),
        ("1.5", "JPY", "places"),
        ("1e5", "SGD", "form"),
        ("-5", "SGD", "form"),
        ("", "SGD", "empty"),
    ],
)
def test_amounts_are_read_as_they_are_typed(
    page: Page, typed: str, currency: str, read: int | str
) -> None:
    found = run(page, "core/money.js", "m.readAmount(...x)", [typed, currency])
    assert found == ({"problem": read} if isinstance(read, str) else {"amount": read})


@pytest.mark.parametrize("language", ["en-SG", "de-DE", "ar-EG"])
def test_what_a_link_or_a_field_says_is_read_back_the_same(
    open_page: OpenPage, language: str
) -> None:
    # An English app on a device whose region writes decimals with a comma, among others.
    page = open_page(language=language)
    page.goto("/help")
    page.locator("h1").wait_for()
    for amount, currency in [
        (1250, "SGD"),
        (1250, "KWD"),
        (1, "BTC"),
        (1000, "JPY"),
        (125000, "SGD"),
    ]:
        body = "[m.fromDecimal(m.toDecimal(...x), x[1]), m.readAmount(m.toTyped(...x), x[1])]"
        linked, typed = run(page, "core/money.js", body, [amount, currency])
        assert (linked, typed) == (amount, {"amount": amount})


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "SGD", "S$12.50"),
        (9007199254740991, "SGD", "S$90,071,992,547,409.91"),
        (100000, "ISK", "ISK 100,000"),
        (1250, "KWD", "KWD 1.250"),
        (1, "BTC", "BTC 0.00000001"),
        (0, "TIK", "TIK 0.00"),
    ],
)
def test_amounts_are_shown_exactly(page: Page, amount: int, currency: str, text: str) -> None:
    money = {"amount": amount, "currency": currency}
    assert run(page, "core/money.js", "m.formatMoney(x)", money).replace("\u00a0", " ") == text


@pytest.mark.parametrize("area", _AREAS)
def test_every_language_has_the_same_words_to_fill_in(page: Page, area: str) -> None:
    def holes(words: str | dict[str, str]) -> set[str]:
        forms = words.values() if isinstance(words, dict) else [words]
        return set().union(*(re.findall(r"\{(\w+)\}", form) for form in forms))

    english = run(page, f"strings/en/{area}.js", "m.default")
    for language in run(page, "core/i18n.js", "Object.keys(m.LANGUAGES)"):
        other = run(page, f"strings/{language}/{area}.js", "m.default")
        assert other.keys() == english.keys()
        for key, words in english.items():
            # A language may spell a number out where it stands for exactly one.
            assert holes(other[key]) | {"count"} == holes(words) | {"count"}, key


def test_an_intent_keeps_its_key_until_its_outcome_is_known(page: Page) -> None:
    keys = run(
        page,
        "core/intent.js",
        """(() => {
          const intent = new m.Intent("test");
          const first = intent.key({ a: 1 });
          const again = new m.Intent("test").key({ a: 1 });
          const other = intent.key({ a: 2 });
          intent.settle();
          return [first, again, other, intent.key({ a: 2 })];
        })()""",
    )
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_nothing_of_one_person_is_shown_to_the_next(open_page: OpenPage, people: People) -> None:
    first, second = people.sign_up("core.first"), people.sign_up("core.second")
    first.open_wallet("SGD", 12_300)
    page = open_page(first.state)
    page.goto("/")
    expect(page.get_by_role("region", name="Balance")).to_contain_text("123")
    # The session ends elsewhere; the tab notices when it asks next.
    first.call("POST", "/v1/auth/logout", {})
    page.goto("/you")
    page.get_by_label("Password", exact=True).wait_for()
    kept = run(page, "core/storage.js", 'Promise.all(["me", "wallets"].map(m.recall))')
    assert kept == [None, None]
    page.get_by_label("Country code").select_option("SG")
    page.get_by_role("textbox", name="Phone number").fill(second.phone.removeprefix("+65"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("core.second").first).to_be_visible()
    expect(page.get_by_text("core.first")).to_have_count(0)
