"""What msgspec finds wrong in a body, in plain words and with a JSON pointer."""

import re
from typing import Final

from tikiwallet.errors import InvalidRequest

_PLAIN: Final = (
    (re.compile("Expected `int`, got .*"), "must be a whole number"),
    (re.compile("Expected `int` >= (.*)"), r"must be at least \1"),
    (re.compile("Expected `int` <= (.*)"), r"must be at most \1"),
    (re.compile("Integer value out of range"), "is too large"),
    (re.compile("Expected `str`, got .*"), "must be text"),
    (re.compile("Expected `str` of length >= (.*)"), r"must have at least \1 characters"),
    (re.compile("Expected `str` of length <= (.*)"), r"must have at most \1 characters"),
    (re.compile("Expected `array` of length >= (.*)"), r"must have at least \1 items"),
    (re.compile("Expected `array` of length <= (.*)"), r"must have at most \1 items"),
    (re.compile("Expected `array`, got .*"), "must be a list"),
    (re.compile("Expected `object`, got .*"), "must be an object"),
    (re.compile("Expected `str \\| null`, got .*"), "must be text or null"),
    (re.compile("Object contains unknown field `(.*)`"), r"has a member that is not known: \1"),
    (re.compile("Object missing required field `(.*)`"), r"lacks the member \1"),
)


def invalid(message: str) -> InvalidRequest:
    """The problem for msgspec's `message` ("Expected `int`, got `str` - at `$.amount`")."""
    what, _, where = message.partition(" - at ")
    pointer = re.sub(r"[.\[]", "/", where.strip("`").removeprefix("$")).replace("]", "")
    for pattern, plain in _PLAIN:
        if pattern.fullmatch(what):
            what = pattern.sub(plain, what)
            break
    return InvalidRequest(
        f"{pointer or 'the body'} {what}", errors=[{"pointer": pointer, "message": what}]
    )
