"""Display names: what people are really called goes through, what deceives a reader does not."""

import pytest

from tikiwallet.identity import names
from tikiwallet.identity.names import NameInvalid


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Mei Lin", "Mei Lin"),
        ("  Mei\u00a0\u3000  Lin ", "Mei Lin"),
        ("O’Brien-Núñez Jr.", "O’Brien-Núñez Jr."),
        ("Nu\u0301n\u0303ez", "Núñez"),
        ("Łukasz Żółć", "Łukasz Żółć"),
        ("Nguyễn Thị Bích", "Nguyễn Thị Bích"),
        ("Kaʻiulani", "Kaʻiulani"),
        ("Þorbjörg Ægisdóttir", "Þorbjörg Ægisdóttir"),
        ("Gülşah Işık", "Gülşah Işık"),
        ("林美玲", "林美玲"),
        ("Jason 陳小明", "Jason 陳小明"),
        ("佐々木さくらルナ", "佐々木さくらルナ"),
        ("スーパー太郎", "スーパー太郎"),
        ("김민준 Kim", "김민준 Kim"),
        ("Иван Петров", "Иван Петров"),
        ("Ελένη", "Ελένη"),
        ("محمد علي", "محمد علي"),
        ("Ahmad أحمد", "Ahmad أحمد"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("שרה", "שרה"),
        ("रवि शर्मा", "रवि शर्मा"),
        ("क्\u200dष", "क्\u200dष"),
        ("தமிழ்", "தமிழ்"),
        ("สมชาย ใจดี", "สมชาย ใจดี"),
        ("Mei 🌸", "Mei 🌸"),
        ("Team 👩🏽‍🚀", "Team 👩🏽‍🚀"),
        ("Family 👨‍👩‍👧‍👦", "Family 👨‍👩‍👧‍👦"),
        ("Pride 🏳️‍🌈", "Pride 🏳️‍🌈"),
        ("Rosie 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "Rosie 🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("Number 1️⃣ ❤️ 🇸🇬", "Number 1️⃣ ❤️ 🇸🇬"),
        ("New \U0001fae8 emoji", "New \U0001fae8 emoji"),
        ("Stall 42", "Stall 42"),
        ("متجر ٤٢", "متجر ٤٢"),
        ("x" * 60, "x" * 60),
    ],
)
def test_names_of_the_world(written: str, kept: str) -> None:
    assert names.normalise(written) == kept
    assert names.normalise(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "\u3164",
        "42",
        "🌸",
        "...",
        "x" * 61,
        "x" * 100_000,
        "two\nlines",
        "tab\there",
        "nul\0",
        "bell\a",
        "line\u2028end",
        "\ud800",
        "soft\u00adhyphen",
        "zero\u200bwidth",
        "word\u2060joiner",
        "\ufeffbom",
        "x\u200dy",
        "Mei\u200d",
        "\u200cMei",
        # bidi marks and overrides
        "Mei\u200e",
        "Mei\u200fLin",
        "\u061cعلي",
        "\u202egnp.doog",
        "a\u202ab\u202c",
        "a\u2066b\u2069",
        # look-alikes
        "Меi",
        "pаypal",
        "Αlaska",
        "Scope ѕсоре",
        "Ana Αννα",
        "ꓡꓲꓢꓴ Lisu",
        "Ꭺna",
        "ᴀna",
        "ɑnɑ",
        "ℳei",
        "𝓜𝓮𝓲",
        "Ｍｅｉ",
        "ﬁona",
        "Ⅷ Henry",
        "रविعلي",
        "Ana रवि علي",
        "a1٢",
        # stacks of marks
        "Z\u0351\u0344\u0346\u034b\u0313a",
        "a\u0301\u0301",
        " \u0301a",
        "\u0301a",
        "a\ufe0fb",
        # letters that are not there
        "Mei\u2800",
        "\u115f\u1160a",
        "private \ue000",
        "unassigned \u0378",
        "\U000e0041tag",
        # ours
        "TikiWallet",
        "Tiki Wallet Support",
        "t1k1wa11et",
        "TïkiWállet",
    ],
)
def test_names_that_deceive(written: str) -> None:
    with pytest.raises(NameInvalid) as problem:
        names.normalise(written)
    assert problem.value.detail
    assert written not in problem.value.detail or len(written.strip()) < 2
