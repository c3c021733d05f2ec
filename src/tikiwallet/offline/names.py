"""The name in a pass: what a payer reads, cut to the few bytes there are."""

import unicodedata
from itertools import pairwise

from tikiwallet.offline.wire.messages import NAME_LONGEST

_JOINER = "\u200d"


def short_name(name: str, longest: int = NAME_LONGEST) -> str:
    """`name` in at most `longest` bytes of UTF-8: cut, if at all, at the end of a word where that
    leaves most of it, else between two letters; never between a letter and what belongs to it."""
    if len(name.encode()) <= longest:
        return name
    ends = [end for end in _letter_ends(name) if len(name[:end].encode()) <= longest]
    if not ends:  # one letter that is longer than the room there is
        return name.encode()[:longest].decode(errors="ignore").rstrip(_JOINER)
    cut = name[: ends[-1]]
    word = cut if name[len(cut)] == " " else cut.rpartition(" ")[0]
    return (word if 2 * len(word) >= len(cut) else cut).strip()


def _letter_ends(text: str) -> list[int]:
    """Where the letters of `text` end, with the marks and joined signs that belong to them."""
    return [
        place
        for place, (before, after) in enumerate(pairwise(text), start=1)
        if not (_belongs(after) or before == _JOINER or _conjoins(before))
    ]


def _belongs(letter: str) -> bool:
    """Whether it belongs to the letter before it: marks, joiners, skin colours, ends of flags."""
    return (
        unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf")
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )


def _conjoins(letter: str) -> bool:
    """Whether it binds the next letter to the one before, as the virama of Indic scripts does."""
    return unicodedata.combining(letter) == 9
