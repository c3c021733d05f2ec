"""Deterministic CBOR (RFC 8949, 4.2.1), of which only a part is used: unsigned integers below
2^53, byte strings, text, arrays, and maps whose keys are 0 to 23.

Each value has one encoding, and only that one is read. cbor2 does the reading and writing; it knows
far more than this part, so what it read is looked through and encoded again.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import cbor2

Value: TypeAlias = "int | bytes | str | list[Value] | dict[int, Value]"

LONGEST: Final = 16_384  # bytes of one encoding
DEEPEST: Final = 6  # arrays and maps inside each other
INTEGER_MAX: Final = 2**53 - 1  # what every JavaScript number carries exactly
KEY_MAX: Final = 23


class Malformed(ValueError):
    """These bytes are not what they should be; says what is wrong with them."""


class _NoTags(dict[int, Callable[[object, bool], object]]):
    """Stands where cbor2 looks up how to read a tag: none is read, not even its value."""

    def __missing__(self, tag: int) -> Callable[[object, bool], object]:
        raise Malformed(f"tag {tag} has no place here")


_NO_TAGS: Final = _NoTags()


def encode(value: Value) -> bytes:
    """The one encoding of `value`. Raises `Malformed` when it has none."""
    _check(value, 0)
    data = cbor2.dumps(value, canonical=True)
    _check_length(data)
    return data


def decode(data: bytes) -> Value:
    """The value whose encoding `data` is. Raises `Malformed` for anything else."""
    _check_length(data)
    try:
        value: Value = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            max_depth=DEEPEST,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except cbor2.CBORError as error:
        raise Malformed(f"not CBOR: {error}") from None
    _check(value, 0, in_order=True)
    if cbor2.dumps(value) != data:  # keys stay in the order they were read in
        raise Malformed("not the one encoding of its value")
    return value


def _check_length(data: bytes) -> None:
    if len(data) > LONGEST:
        raise Malformed(f"{len(data)} bytes, at most {LONGEST} are read")


def _check(value: object, depth: int, *, in_order: bool = False) -> None:
    kind = type(value)  # exactly: True is an int to isinstance
    if kind is int:
        if not 0 <= value <= INTEGER_MAX:  # type: ignore[operator]
            raise Malformed("an integer outside 0 to 2^53 - 1")
    elif kind is list:
        _check_depth(depth)
        for item in value:  # type: ignore[attr-defined]
            _check(item, depth + 1, in_order=in_order)
    elif kind is dict:
        _check_depth(depth)
        last = -1
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not int or not 0 <= key <= KEY_MAX:
                raise Malformed(f"a map's key outside 0 to {KEY_MAX}")
            if in_order and key <= last:
                raise Malformed("a map's keys out of order")
            last = key
            _check(item, depth + 1, in_order=in_order)
    elif kind is str:
        _check_text(value)  # type: ignore[arg-type]
    elif kind is not bytes:
        raise Malformed(f"{kind.__name__} has no place here")


def _check_depth(depth: int) -> None:
    if depth >= DEEPEST:
        raise Malformed(f"nested deeper than {DEEPEST}")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed("text that is not Unicode") from None
