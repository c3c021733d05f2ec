"""How many parts a text message takes, as the networks count (3GPP TS 23.038 and 23.040)."""

import string
from typing import Final

_BASIC: Final = frozenset(
    string.ascii_letters
    + string.digits
    + "\n\r !\"#$%&'()*+,-./:;<=>?@_"
    + "£¥èéùìòÇØøÅåÆæßÉ¤¡ÄÖÑÜ§¿äöñüàΔΦΓΛΩΠΨΣΘΞ"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")  # behind an escape: two each


def is_seven_bit(text: str) -> bool:
    """Whether it goes out in GSM 7-bit, not in UCS-2."""
    return set(text) <= _BASIC | _EXTENDED


def parts(text: str) -> int:
    """The parts that are sent, and paid for. What counts two is never cut in two."""
    if is_seven_bit(text):
        return _packed([2 if letter in _EXTENDED else 1 for letter in text], 160, 153)
    return _packed([len(letter.encode("utf-16-be")) // 2 for letter in text], 70, 67)


def _packed(sizes: list[int], alone: int, joined: int) -> int:
    if sum(sizes) <= alone:
        return 1
    count, room = 1, joined
    for size in sizes:
        if size > room:
            count, room = count + 1, joined
        room -= size
    return count
