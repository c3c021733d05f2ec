"""The words of the app: every language says all of it, in the plural forms that it has."""

import re
from typing import Any, Final

import pytest
from playwright.sync_api import Browser
from tests.app.conftest import OpenPage

from tikiwallet.languages import LANGUAGES

AREAS: Final = ("core", "account", "money", "offline", "help", "dev")
_READ: Final = """async ([areas, languages]) => {
  const base = document.querySelector("script[src$='boot.js']").src.replace("boot.js", "");
  const read = async (path) => import(base + path);
  const words = {};
  for (const language of languages) {
    words[language] = {};
    for (const area of areas) {
      words[language][area] = (await read(`strings/${language}/${area}.js`)).default;
    }
  }
  const rules = Object.fromEntries(languages.map((language) =>
    [language, new Intl.PluralRules(language).resolvedOptions().pluralCategories]));
  const { LANGUAGES } = await read("core/i18n.js");
  return { words, rules, spoken: LANGUAGES, offered: document.documentElement.dataset.languages };
}"""

Words = str | dict[str, str]


@pytest.fixture(scope="module")
def read(chromium: Browser, site: str) -> Any:
    """Every word, and what the browser knows of each language."""
    page = chromium.new_page(base_url=site)
    page.goto("/")
    return page.evaluate(_READ, [AREAS, LANGUAGES])


def _slots(text: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", text))


def test_app_and_service_speak_the_same_languages(read: Any) -> None:
    assert set(read["spoken"]) == set(read["offered"].split()) == set(LANGUAGES)
    assert {code for code, how in read["spoken"].items() if how["dir"] == "rtl"} == {"ar"}


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_all_of_it(read: Any, language: str, area: str) -> None:
    english: dict[str, Words] = read["words"]["en"][area]
    words: dict[str, Words] = read["words"][language][area]
    rules = set(read["rules"][language])
    assert list(words) == list(english)
    for key, said in words.items():
        meant = english[key]
        if isinstance(meant, str):
            assert isinstance(said, str), key
            assert said.strip(), key
            assert _slots(said) == _slots(meant), key
            continue
        assert isinstance(said, dict), key
        # Beside the language's own rules only 0 may have a form, where the English has one.
        assert set(said) == rules | ({"zero"} & set(meant)), key
        assert _slots(said["other"]) == _slots(meant["other"]), key
        for form in said.values():
            assert form.strip(), key
            assert _slots(form) <= _slots(meant["other"]), key


@pytest.mark.parametrize(
    ("language", "none", "one", "many"),
    [
        ("en-SG", "JPY has no decimals", "1 passkey", "21 passkeys"),
        ("ar-AE", "JPY", "مفتاح واحد", "21 مفتاحًا"),
        ("hi-IN", "JPY में दशमलव नहीं होता", "1 पासकी", "21 पासकी"),
        ("id-ID", "JPY tidak memakai desimal", "1 kunci sandi", "21 kunci sandi"),
        ("zh-CN", "JPY 没有小数", "1 个通行密钥", "21 个通行密钥"),
    ],
)
def test_counted_things(open_page: OpenPage, language: str, none: str, one: str, many: str) -> None:
    page = open_page(language=language)
    page.goto("/")
    page.locator(".hero").wait_for()
    said = page.evaluate(
        """async () => {
          const base = document.querySelector("script[src$='boot.js']").src.replace("boot.js", "");
          const { loadArea, t } = await import(base + "core/i18n.js");
          await loadArea("account");
          return [
            t("amount.places", { count: 0, currency: "JPY" }),
            t("passkeys.count", { count: 1 }),
            t("passkeys.count", { count: 21 }),
          ];
        }"""
    )
    assert none in said[0]
    assert said[1:] == [one, many]


def test_money_and_days_are_written_as_the_device_does(open_page: OpenPage) -> None:
    read = """async () => {
      const base = document.querySelector("script[src$='boot.js']").src.replace("boot.js", "");
      const { formatMoney, readAmount, nameOf } = await import(base + "core/money.js");
      const { amount } = readAmount(formatMoney({ amount: 123456789, currency: "INR" })
        .replace(/[^\\d.,]/g, ""), "INR");
      return [formatMoney({ amount: 123456789, currency: "INR" }), amount, nameOf("CNY")];
    }"""
    found = {}
    for tag in ("hi-IN", "id-ID", "zh-CN", "zh-TW"):
        page = open_page(language=tag)
        page.goto("/")
        page.locator(".hero").wait_for()
        found[tag] = page.evaluate(read)
    assert found["hi-IN"] == ["₹12,34,567.89", 123456789, "चीनी युआन"]
    assert found["id-ID"] == ["₹1.234.567,89", 123456789, "Yuan Tiongkok"]
    # Words in simplified letters go with names in simplified letters, whatever the device's region.
    assert found["zh-CN"] == found["zh-TW"] == ["₹1,234,567.89", 123456789, "人民币"]
