"""States as bytes: JSON, with bytes in Base64. A member that a later version adds has a default,
so what an earlier one wrote is still read."""

from dataclasses import is_dataclass
from typing import TypeVar

import msgspec

S = TypeVar("S")


class Spoilt(ValueError):
    """These bytes are no state that was written here: a doubtful start."""


def written(state: object) -> bytes:
    """`state`, to be kept."""
    assert is_dataclass(state)
    return msgspec.json.encode(state)


def kept(kind: type[S], data: bytes) -> S:
    """The state that `written` wrote. Raises `Spoilt`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Spoilt(str(error)) from None
