"""The words of text messages: in every language, whole, short, and with codes that are found."""

import re
import unicodedata
from itertools import pairwise
from string import Formatter

import pytest
from tests.notify.sms_parts import is_seven_bit, parts

from tikiwallet.identity.cancelling import CancelLink
from tikiwallet.identity.codes import WITHOUT_CODE, Purpose
from tikiwallet.languages import LANGUAGES
from tikiwallet.notify.templates import TEXTS, code_text

CODE = "012345"
LINK = CancelLink.new("https://wallet.example.org").link
CASES = [(language, purpose) for language in LANGUAGES for purpose in Purpose]


def names(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def message(language: str, purpose: Purpose) -> str:
    code = None if purpose in WITHOUT_CODE else CODE
    link = LINK if "{link}" in TEXTS["en"][purpose] else None
    return code_text(purpose, code, language, link)


def test_every_message_has_words_in_every_language() -> None:
    assert set(TEXTS) == set(LANGUAGES)
    for texts in TEXTS.values():
        assert set(texts) == set(Purpose)


@pytest.mark.parametrize(("language", "purpose"), CASES)
def test_every_language_tells_the_same(language: str, purpose: Purpose) -> None:
    text = TEXTS[language][purpose]
    assert names(text) == names(TEXTS["en"][purpose])
    assert "TikiWallet" in text
    assert text == unicodedata.normalize("NFC", text)  # the provider is asked for it by its letters


@pytest.mark.parametrize(("language", "purpose"), CASES)
def test_messages_are_short(language: str, purpose: Purpose) -> None:
    text = message(language, purpose)
    seven_bit = is_seven_bit(text)
    assert seven_bit == (language in {"en", "id"})
    # A link alone fills a part of a message that is not in GSM 7-bit.
    one = seven_bit or (purpose not in WITHOUT_CODE and LINK not in text)
    assert parts(text) <= (1 if one else 2)


@pytest.mark.parametrize(("language", "purpose"), CASES)
def test_code_and_link_stand_alone(language: str, purpose: Purpose) -> None:
    """Phones and browsers fill in a code that they find: digits of their own, the only such in the
    message; and they end a link where a blank stands."""
    text = message(language, purpose)
    words = text.split()
    if LINK in text:
        assert words.pop() == LINK
        text = text.removesuffix(LINK)
    if purpose not in WITHOUT_CODE:
        assert words[0] == CODE
        assert re.findall(r"\d{3,}", text) == [CODE]
    assert all(letter.isascii() for letter in text if letter.isdigit())
    # Nothing invisible sticks to them.
    assert not {unicodedata.category(letter) for letter in text.replace("\n", "")} & {"Cf", "Cc"}


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_runs_from_the_right_is_ordered_without_help(purpose: Purpose) -> None:
    """The first strong letter is Arabic, a link is a paragraph of its own, and no number follows
    Latin letters without an Arabic one between, which would make it a part of their run (UAX 9,
    W7)."""
    *lines, last = message("ar", purpose).split("\n")
    assert (lines != []) == (last == LINK)
    (line,) = lines or [last]
    run = [unicodedata.bidirectional(letter) for letter in line]
    strong = [kind for kind in run if kind in {"L", "AL", "EN"}]
    assert next(kind for kind in strong if kind != "EN") == "AL"
    assert ("L", "EN") not in set(pairwise(strong))


def test_a_language_that_is_not_spoken() -> None:
    assert code_text(Purpose.CLOSED, None, "tlh") == code_text(Purpose.CLOSED, None, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_lacks_nothing(language: str) -> None:
    for purpose, code, link in (
        (Purpose.REGISTER, None, None),
        (Purpose.ALREADY_REGISTERED, "123456", None),
        (Purpose.RECOVERY_BEGUN, None, None),
        (Purpose.REGISTER, "123456", "https://example.org"),
    ):
        with pytest.raises(ValueError):
            code_text(purpose, code, language, link)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("a" + "€" * 80, 2),
        ("€" * 152, 2),  # 76 in a part: an escape is not parted from its letter
        ("€" * 153, 3),
        ("é" * 160, 1),
        ("ê" * 70, 1),
        ("ê" * 71, 2),
        ("कि" * 35, 1),
        ("कि" * 67, 2),
        ("🌺" * 35, 1),
        ("🌺" * 66, 2),
        ("🌺" * 67, 3),
    ],
)
def test_parts_are_counted_as_networks_do(text: str, count: int) -> None:
    assert parts(text) == count
