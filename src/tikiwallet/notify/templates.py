"""The words of text messages, in the language of whoever gets them."""

from typing import Final

from tikiwallet.identity.codes import WITHOUT_CODE, Purpose
from tikiwallet.languages import DEFAULT
from tikiwallet.notify.sms_words import arabic, chinese, english, hindi, indonesian

TEXTS: Final = {
    "en": english.TEXTS,
    "ar": arabic.TEXTS,
    "hi": hindi.TEXTS,
    "id": indonesian.TEXTS,
    "zh": chinese.TEXTS,
}


def code_text(purpose: Purpose, code: str | None, language: str, link: str | None = None) -> str:
    """The text message for `purpose` in `language`, or in English where it is not spoken. Raises
    ValueError when it lacks its code or its link, or has one that it should not have."""
    text = TEXTS.get(language, TEXTS[DEFAULT])[purpose]
    if (code is None) != (purpose in WITHOUT_CODE) or (link is None) != ("{link}" not in text):
        raise ValueError(f"a message for {purpose} with the wrong kind of code or link")
    return text.format(code=code, link=link)
