"""Phones: what is taken for an international number, and what is not."""

import pytest

from tikiwallet.identity.phones import PhoneInvalid, is_written_as_phone, normalise


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("+6591234567", "+6591234567"),
        (" +65 9123 4567 ", "+6591234567"),
        ("+65-9123-4567", "+6591234567"),
        ("+65\u00a09123\u00a04567", "+6591234567"),
        ("+1 (415) 555-0132", "+14155550132"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+49 (0) 30 901820", "+4930901820"),
        ("+39 06 698 12345", "+390669812345"),
        ("+52 55 1234 5678", "+525512345678"),
        ("+84 91 234 56 78", "+84912345678"),
        ("+62 812-3456-7890", "+6281234567890"),
        ("+681 50 12 34", "+681501234"),
    ],
)
def test_international_numbers_have_one_form(written: str, stored: str) -> None:
    assert normalise(written) == stored
    assert normalise(stored) == stored


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "91234567",
        "6591234567",
        "006591234567",
        "++6591234567",
        "+65 9123",
        "+65 9123 4567 8901 2",
        "+999 1234 5678",
        "+0 1234 5678",
        "+1800FLOWERS",
        "+65 9123 4567 ext. 5",
        "+6591234567;ext=5",
        "tel:+6591234567",
        "+6591234567\x00",
        "+65912345\n67",
        "+٦٥٩١٢٣٤٥٦٧",
        "+65" + "9" * 200,
        "+1 900 555 0132",
        "@ana",
    ],
)
def test_everything_else_is_refused(written: str) -> None:
    with pytest.raises(PhoneInvalid):
        normalise(written)


def test_a_phone_is_told_from_a_name() -> None:
    assert is_written_as_phone(" +65 9123 4567")
    assert not is_written_as_phone("@ana")
    assert not is_written_as_phone("w_0000000000001")
