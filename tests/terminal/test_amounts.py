"""Amounts as they are typed and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.money import CURRENCIES, Currency, currency
from tikiwallet.terminal.amounts import read_amount, write_amount


@pytest.mark.parametrize(
    ("typed", "code", "amount"),
    [
        ("12.50", "SGD", 1250),
        ("12,5", "SGD", 1250),
        (" 12 ", "SGD", 1200),
        ("0.01", "USD", 1),
        ("1500", "JPY", 1500),
        ("1.234", "BHD", 1234),
    ],
)
def test_typed_amounts(typed: str, code: str, amount: int) -> None:
    assert read_amount(typed, currency(code)) == amount


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("", "SGD", "digits"),
        ("-5", "SGD", "digits"),
        ("1,000.00", "SGD", "thousands"),
        ("1e5", "SGD", "digits"),
        ("१२", "SGD", "digits"),
        ("99999999999", "SGD", "digits"),
        ("0.00", "SGD", "more than zero"),
        ("1.234", "SGD", "2 decimal places"),
        ("1.5", "JPY", "no decimal places"),
    ],
)
def test_what_is_no_amount_is_told(typed: str, code: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_amount(typed, currency(code))


@given(st.integers(1, 2**32 - 1), st.sampled_from(sorted(CURRENCIES.values())))
def test_what_is_shown_can_be_typed(amount: int, money: Currency) -> None:
    shown = write_amount(amount, money)
    assert read_amount(shown.removeprefix(money.code).replace(",", ""), money) == amount


def test_shown() -> None:
    assert write_amount(125_000, currency("SGD")) == "SGD 1,250.00"
    assert write_amount(1_250, currency("JPY")) == "JPY 1,250"
