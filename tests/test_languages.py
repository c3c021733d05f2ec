"""Which of our languages an Accept-Language header asks for."""

import pytest

from tikiwallet.languages import LANGUAGES, asked_for


@pytest.mark.parametrize(
    ("header", "language"),
    [
        *((language, language) for language in LANGUAGES),
        ("hi-IN", "hi"),
        ("AR-ae", "ar"),
        ("zh-Hant-TW", "zh"),  # as the app does: its Chinese is the nearest that there is
        ("in-ID", "id"),  # as old phones call it
        ("hi-IN,hi;q=0.9,en-GB;q=0.8,en;q=0.7", "hi"),
        ("fr-CH, fr;q=0.9, ar;q=0.5, en;q=0.4, *;q=0.1", "ar"),
        ("en;q=0.5,zh;q=0.8", "zh"),
        ("en ; q=0.5 ,\tzh ; Q=0.8", "zh"),
        ("id;q=0.8,hi;q=0.8", "id"),
        ("id;q=0,hi;q=0.001", "hi"),
        ("*", "en"),
        ("en;q=0, *;q=0.5", "ar"),
        ("id;q=0.5, *", "en"),
        # None of ours.
        ("", None),
        ("fr", None),
        ("tlh,de-DE;q=0.9", None),
        ("hi;q=0", None),
        ("fr, *;q=0", None),
        ("hindi", None),
        ("en,ar,hi,id,zh,*".replace(",", ";q=0,") + ";q=0", None),
        # Malformed: passed over.
        ("hi;q=1.5", None),
        ("hi;q=0.1234", None),
        ("hi;q=", None),
        ("hi;level=1", None),
        ("hi_IN", None),
        ("ｈｉ", None),
        (";;q=1,,hi;q=x, zh", "zh"),
        ("," * 10_000 + "hi", None),
        ("x" * 10_000, None),
    ],
)
def test_the_best_match(header: str, language: str | None) -> None:
    assert asked_for(header) == language
