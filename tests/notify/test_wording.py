"""The words of notices: all of them, in every language."""

from string import Formatter

import pytest

from tikiwallet.languages import LANGUAGES as CHOICES
from tikiwallet.notify.notices import OF_WEIGHT
from tikiwallet.notify.wording import LANGUAGES, words


def test_every_notice_has_words_in_every_language() -> None:
    assert set(LANGUAGES) == set(CHOICES)
    for table in LANGUAGES.values():
        assert set(table) == {str(kind) for kind in OF_WEIGHT}


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_language_tells_the_same_facts(language: str) -> None:
    def facts(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text)} - {None}

    for kind, english in LANGUAGES["en"].items():
        assert facts("".join(LANGUAGES[language][kind])) == facts("".join(english)), kind


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("kind", sorted(OF_WEIGHT))
def test_nothing_is_left_open(language: str, kind: str) -> None:
    facts = {
        "device": "Firefox · Linux",
        "address": None,
        "ends": "67",
        "hours": 24,
        "amount": "SGD 5.00",
    }
    title, text = words(kind, facts, language)
    assert title
    assert text
    assert not set("{}…") & set(title + text)


def test_unknown_things_are_told_as_such() -> None:
    assert "an unknown device" in words("signed_in", {}, "en").title
    assert words("signed_in", {"device": "x"}, "tlh") == words("signed_in", {"device": "x"}, "en")
    assert words("of_a_newer_release", {}, "ar") == ("Of a newer release", "")


def test_facts_cannot_reach_into_the_words() -> None:
    title, _ = words("signed_in", {"device": "{address} {0.__class__}", "address": "a"}, "en")
    assert title == "New sign-in on {address} {0.__class__}"
