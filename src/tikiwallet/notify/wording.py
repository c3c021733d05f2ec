"""A notice in the language of whoever reads it."""

from collections.abc import Mapping
from typing import Final

from tikiwallet.languages import DEFAULT
from tikiwallet.notify.notice_words import arabic, chinese, english, hindi, indonesian
from tikiwallet.notify.notice_words.words import Words

_MODULES: Final = {"en": english, "ar": arabic, "hi": hindi, "id": indonesian, "zh": chinese}
LANGUAGES: Final = {code: module.WORDS for code, module in _MODULES.items()}
# Latin words and digits inside right-to-left text keep their own order between these two.
_ISOLATED: Final = {"ar": "\u2068{}\u2069"}


def words(kind: str, facts: Mapping[str, object], language: str) -> Words:
    """A notice of this kind in `language`, or in English where it is not spoken. Facts that are
    missing are said to be unknown; a kind from a newer release is told by its name."""
    spoken = language if language in LANGUAGES else DEFAULT
    found = LANGUAGES[spoken].get(kind)
    if found is None:
        return Words(kind.replace("_", " ").capitalize(), "")
    given = _Facts(
        {
            **_MODULES[spoken].UNKNOWN,
            **{
                name: _ISOLATED.get(spoken, "{}").format(value)
                for name, value in facts.items()
                if value is not None
            },
        }
    )
    return Words(found.title.format_map(given), found.text.format_map(given))


class _Facts(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return "…"
