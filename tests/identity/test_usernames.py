"""Usernames: form, capitals, reserved names, mentions."""

import pytest

from tikiwallet.identity.usernames import (
    UsernameInvalid,
    UsernameReserved,
    check_free_to_choose,
    normalise,
    parse_mention,
)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("ana", "ana"),
        ("Ana", "ana"),
        ("a.b_c9", "a.b_c9"),
        ("x" * 30, "x" * 30),
        ("admins_friend", "admins_friend"),
    ],
)
def test_good_names(written: str, stored: str) -> None:
    assert normalise(written) == stored
    check_free_to_choose(stored)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "an",
        "x" * 31,
        "9ana",
        "_ana",
        ".ana",
        "ana maria",
        "ana-maria",
        "ana\n",
        "ana\x00",
        "änna",
        "\u212aiko",  # the Kelvin sign, which becomes a k when lowered
        "\uff41\uff4e\uff41",
        "@ana",
    ],
)
def test_bad_names(written: str) -> None:
    with pytest.raises(UsernameInvalid):
        normalise(written)


@pytest.mark.parametrize(
    "written", ["admin", "Support", "s.u.p.p.o.r.t", "root", "tikiwallet", "tiki_wallet.sg"]
)
def test_reserved_names(written: str) -> None:
    with pytest.raises(UsernameReserved):
        check_free_to_choose(normalise(written))


@pytest.mark.parametrize(
    ("text", "name"),
    [("@ana", "ana"), (" @Ana ", "ana"), ("ana", None), ("@", None), ("@9", None), ("@@ana", None)],
)
def test_mentions(text: str, name: str | None) -> None:
    assert parse_mention(text) == name
