"""What one field of a message may hold, and how it stands in the payload.

A message's dataclass says it once: `amount: Annotated[int, Field(4, AMOUNT)]`. Reading refuses what
is out of bounds, and so does writing, by reading what it wrote.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tikiwallet.offline.wire.cbor import Malformed, Value
from tikiwallet.offline.wire.keys import PublicKey

UINT32_MAX: Final = 2**32 - 1
# Controls, marks that turn or hide the text around them, and line ends: nothing of a stranger's
# text reaches past the place it is shown in. Joiners stay, which Indic scripts and emoji need.
_UNSHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`read` checks a payload's value and makes the field's of it; `write` does the opposite."""

    read: Callable[[Value], Any]
    write: Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class Field:
    """A field's key in the payload, and its rule."""

    key: int
    rule: Rule


def _as_it_is(value: Any) -> Value:
    return value  # type: ignore[no-any-return]


def integer(least: int, most: int) -> Rule:
    """From `least` to `most`."""

    def read(value: Value) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Malformed(f"not an integer from {least} to {most}")
        return value

    return Rule(read, _as_it_is)


def octets(length: int, most: int | None = None) -> Rule:
    """Bytes: exactly `length`, or from `length` to `most`."""
    longest = length if most is None else most

    def read(value: Value) -> bytes:
        if type(value) is not bytes or not length <= len(value) <= longest:
            raise Malformed(f"not {length} to {longest} bytes" if most else f"not {length} bytes")
        return value

    return Rule(read, _as_it_is)


def text(least: int, most: int) -> Rule:
    """Text of `least` to `most` bytes of UTF-8, with nothing in it that is not shown."""

    def read(value: Value) -> str:
        if type(value) is not str or not least <= len(value.encode()) <= most:
            raise Malformed(f"not a text of {least} to {most} bytes")
        if _UNSHOWN.search(value):
            raise Malformed("a text with characters that are not shown")
        return value

    return Rule(read, _as_it_is)


def several(rule: Rule, least: int, most: int) -> Rule:
    """An array of `least` to `most` values; a tuple outside."""

    def read(value: Value) -> tuple[Any, ...]:
        if type(value) is not list or not least <= len(value) <= most:
            raise Malformed(f"not an array of {least} to {most}")
        return tuple(rule.read(item) for item in value)

    return Rule(read, lambda items: [rule.write(item) for item in items])


def record(kind: type, *rules: Rule) -> Rule:
    """An array with one value for each of a NamedTuple's members."""

    def read(value: Value) -> Any:
        if type(value) is not list or len(value) != len(rules):
            raise Malformed(f"not an array of {len(rules)}")
        return kind(*(rule.read(item) for rule, item in zip(rules, value, strict=True)))

    return Rule(
        read, lambda items: [rule.write(item) for rule, item in zip(rules, items, strict=True)]
    )


def _read_key(value: Value) -> PublicKey:
    return PublicKey(_KEY_OCTETS.read(value))


_KEY_OCTETS: Final = octets(33)
PUBLIC_KEY: Final = Rule(_read_key, lambda key: key.raw)
ID: Final = octets(16)
HASH: Final = octets(32)
PSEUDONYM: Final = octets(8)
AMOUNT: Final = integer(0, UINT32_MAX)
SOME: Final = integer(1, UINT32_MAX)  # an amount that moves
TIME: Final = integer(0, UINT32_MAX)  # whole seconds since 1970, until 2106
SEQUENCE: Final = integer(1, 65_535)
CURRENCY: Final = integer(1, 65_535)
EPOCH: Final = integer(0, UINT32_MAX)
