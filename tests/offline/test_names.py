"""Names in passes: cut where a reader would cut them."""

import unicodedata

import pytest

from tikiwallet.offline.names import short_name


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Mei Lin", "Mei Lin"),
        ("Aleksandra Wiśniewska", "Aleksandra"),
        ("Bartholomew Featherstonehaugh", "Bartholomew"),
        ("Wolfeschlegelsteinhausenberger", "Wolfeschlegelsteinha"),
        ("Al Wolfeschlegelsteinhausen", "Al Wolfeschlegelstei"),
        ("Zoë" * 7, "ZoëZoëZoëZoëZoë"),
        ("राम कुमार", "राम"),
        ("श्रीनिवासन", "श्रीनि"),
        ("क्ष" * 5, "क्षक्ष"),
        ("欧阳娜娜与她的朋友们", "欧阳娜娜与她"),
        ("عبد الرحمن بن خالد", "عبد الرحمن"),
        ("👩‍👩‍👧‍👦" * 2 + "a", "👩‍👩‍👧"),
        ("a👩‍👩‍👧‍👦", "a"),
        ("abcdefghijklmnop👍🏽x", "abcdefghijklmnop"),
        ("José Mari\u0301a Iglesias", "José María"),
        ("abcdefghijklmnopqrst ", "abcdefghijklmnopqrst"),
    ],
)
def test_cut(name: str, short: str) -> None:
    cut = short_name(name)
    assert unicodedata.normalize("NFC", cut) == unicodedata.normalize("NFC", short)
    assert 1 <= len(cut.encode()) <= 20
    assert name.startswith(cut)
