"""The languages that the wallet speaks, and which of them a request asks for."""

import re
from typing import Final

DEFAULT: Final = "en"
LANGUAGES: Final = (DEFAULT, "ar", "hi", "id", "zh")

_FORMER: Final = {"in": "id"}  # ISO 639 of before 1989; older phones still say it
_LONGEST: Final = 1000  # letters of a header that are looked at
_RANGE: Final = re.compile(
    r"[ \t]*(\*|[a-z]{1,8})(?:-[a-z0-9]{1,8})*"
    r"(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*",
    re.ASCII | re.IGNORECASE,
)


def asked_for(accept_language: str) -> str | None:
    """The one of `LANGUAGES` that an Accept-Language header (RFC 9110, section 12.5.4) likes best,
    by quality, then by order; regions and scripts make no difference. None when it names none of
    them; what is malformed is passed over."""
    found: list[tuple[float, str]] = []
    for written in accept_language[:_LONGEST].split(","):
        part = _RANGE.fullmatch(written)
        if part is not None:
            language = part[1].lower()
            found.append((float(part[2] or 1), _FORMER.get(language, language)))
    named = {language for _, language in found}
    rest = next((language for language in LANGUAGES if language not in named), None)
    for quality, language in sorted(found, key=lambda one: -one[0]):
        wanted = rest if language == "*" else language
        if quality > 0 and wanted in LANGUAGES:
            return wanted
    return None
