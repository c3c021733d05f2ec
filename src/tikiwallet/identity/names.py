"""Display names: what people call themselves, and what a payer reads before money moves.

Any script and emoji, but nothing that makes one name look like another or turns the text around it:
no controls, no bidi marks, no invisible letters, no stacks of accents, and no letters of look-alike
scripts side by side. Scripts may stand beside each other as Unicode TR39 allows ("moderately
restrictive" for the name, "highly restrictive" for each word of it).
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from tikiwallet.errors import Problem

LONGEST: Final = 60
_MARKS_MOST: Final = 4  # TR39 5.4; no language's writing stacks more

# East Asian writing mixes these; anything else within one word is one script.
_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
# Never beside Latin in one name: whole words of them can be read as Latin.
_LIKE_LATIN: Final = frozenset({"CYRILLIC", "GREEK", "CHEROKEE", "COPTIC", "LISU", "DESERET"})
# First words of letters' names that name no script: TR39 counts them with every script.
_COMMON: Final = frozenset({"MODIFIER", "CARON", "TURNED", "VEDIC", "VERTICAL", "MASU"})
# Phonetic letters that no language is written with look like ordinary ones (ɑ, ᴀ).
_PHONETIC: Final = re.compile("[\u1d00-\u1dbf\u0250-\u02af](?<![ɓɔɖɗəɛɠɣɨɩɪɲɵʃʈʊʋʉʌʒʔ])")
# Emoji newer than this Python's tables; these planes are kept for them.
_PICTURES: Final = re.compile("[\U0001f300-\U0001faff]")
_INVISIBLE: Final = frozenset(
    "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f\u180b\u180c\u180d\u180f"
)
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_EMOJI_STYLE, _TEXT_STYLE, _KEYCAP = "\ufe0f", "\ufe0e", "\u20e3"
_BLACK_FLAG: Final = "\U0001f3f4"
_TAGS: Final = re.compile(
    f"{_BLACK_FLAG}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{1,6}}\U000e007f"
)
_OURS: Final = "tikiwallet"
_HASTY: Final = str.maketrans({"1": "l", "i": "l", "ı": "l", "|": "l", "0": "o", "5": "s"})


class NameInvalid(Problem):
    code = "name_invalid"
    title = "This name cannot be shown to others"


def normalise(text: str) -> str:
    """The one form of a display name: NFC, single spaces, no space around. Raises `NameInvalid`
    with words for its writer."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NameInvalid("The name must be valid Unicode") from None
    if len(text) > 4 * LONGEST:
        raise NameInvalid(f"A name has at most {LONGEST} characters")
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in text)
    name = unicodedata.normalize("NFC", " ".join(spaced.split(" "))).strip()
    name = re.sub(" +", " ", name)
    if not name:
        raise NameInvalid("A name needs at least one letter")
    if len(name) > LONGEST:
        raise NameInvalid(f"A name has at most {LONGEST} characters")
    plain = _TAGS.sub(_BLACK_FLAG, name)  # flags of England, Scotland and Wales end in tags
    _check_characters(plain)
    _check_marks(plain)
    _check_scripts(plain)
    if not any(unicodedata.category(letter)[0] == "L" for letter in plain):
        raise NameInvalid("A name needs at least one letter")
    if _skeleton(plain).startswith(_skeleton(_OURS)):
        raise NameInvalid("This name is ours; choose your own")
    return name


def _skeleton(name: str) -> str:
    """What a hasty reader sees: no accents, no spaces, one letter for those that look alike."""
    letters = unicodedata.normalize("NFKD", name).casefold().translate(_HASTY)
    return "".join(letter for letter in letters if letter.isalnum())


def _check_characters(name: str) -> None:
    for place, letter in enumerate(name):
        category = unicodedata.category(letter)
        if letter in _INVISIBLE:
            raise NameInvalid("The name holds a character that nobody can see")
        if category in ("Cc", "Zl", "Zp"):
            raise NameInvalid("The name holds a control character or a line break")
        if category == "Co" or (category == "Cn" and not _PICTURES.match(letter)):
            raise NameInvalid("The name holds a character that not every device can show")
        if category == "Cf" and not _joins(name, place):
            raise NameInvalid("The name holds an invisible mark that changes how text is read")
        styled = category[0] in "LN" and unicodedata.normalize("NFKC", letter) != letter
        if styled or _PHONETIC.match(letter):
            raise NameInvalid("Write the name in ordinary letters, not in styled ones")
        if letter in (_EMOJI_STYLE, _TEXT_STYLE) and not _is_styled(name, place):
            raise NameInvalid("The name holds an invisible mark that changes how text is read")


def _joins(name: str, place: int) -> bool:
    """Whether the format character at `place` is a joiner where writing or an emoji needs it."""
    letter = name[place]
    before = name[place - 1] if place else ""
    after = name[place + 1] if place + 1 < len(name) else ""
    if letter not in (_ZWNJ, _ZWJ) or not before or not after:
        return False
    if unicodedata.combining(before) == 9:  # after a virama, in the scripts of India
        return True
    if letter == _ZWNJ:  # between Arabic letters, as Persian writes it
        return unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
    return _is_picture(before) and _is_picture(after)


def _is_picture(letter: str) -> bool:
    return (
        unicodedata.category(letter) in ("So", "Sk")
        or letter == _EMOJI_STYLE
        or _PICTURES.match(letter) is not None
    )


def _is_styled(name: str, place: int) -> bool:
    """Whether a variation selector stands after a symbol, or inside a keycap such as 1️⃣."""
    before = name[place - 1] if place else ""
    if not before:
        return False
    keycap = name[place + 1 : place + 2] == _KEYCAP
    return unicodedata.category(before) in ("So", "Sm", "Sk") or keycap or before in "\u203c\u2049"


def _check_marks(name: str) -> None:
    row: list[str] = []
    before = " "
    for letter in unicodedata.normalize("NFD", name):
        if unicodedata.category(letter) not in ("Mn", "Me"):
            row, before = [], letter
            continue
        if letter in (_EMOJI_STYLE, _TEXT_STYLE):
            continue
        if before == " ":
            raise NameInvalid("An accent needs a letter to stand on")
        row.append(letter)
        if len(row) > _MARKS_MOST or len(set(row)) < len(row):
            raise NameInvalid("The name stacks too many accents on one letter")


def _check_scripts(name: str) -> None:
    everywhere: set[str] = set()
    word: set[str] = set()
    digits = set()
    for letter in name:
        category = unicodedata.category(letter)
        if category[0] in "ZPS":
            word = set()
        elif category[0] == "L" and (script := _script(letter)) not in _COMMON:
            word.add(script)
            everywhere.add(script)
        elif category == "Nd":
            digits.add(ord(letter) - unicodedata.digit(letter))
        if len(word) > 1 and not any(word <= allowed for allowed in _TOGETHER):
            raise NameInvalid("One word of the name mixes letters of different alphabets")
    if len(digits) > 1:
        raise NameInvalid("The name mixes different kinds of digits")
    if "LATIN" in everywhere and everywhere & _LIKE_LATIN:
        raise NameInvalid("The name mixes alphabets whose letters look alike")
    east_asian = any(everywhere <= allowed for allowed in _TOGETHER)
    if len(everywhere - {"LATIN"}) > 1 and not east_asian:
        raise NameInvalid("The name mixes more alphabets than can be told apart")


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str:
    """The script of a letter, by the first word of its Unicode name (`CYRILLIC SMALL LETTER A`):
    the standard library knows no other property for it, and for letters this one is enough."""
    first = unicodedata.name(letter, "UNNAMED").split(" ", 1)[0]
    if first.startswith("CJK") or first == "IDEOGRAPHIC":
        return "CJK"
    if first == "KATAKANA-HIRAGANA":
        return "KATAKANA"
    return first
