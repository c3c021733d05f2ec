"""The currency table against ISO's, as the package iso4217 carries it."""

import pytest
from iso4217 import Currency as Iso

from tikiwallet.money import (
    AMOUNT_MAX,
    BY_NUMBER,
    CURRENCIES,
    REFERENCE_WORTH,
    UnknownCurrency,
    currency,
    worth_of_sgd,
)

OWN = {"BTC": (2001, 8), "ETH": (2002, 9), "TIK": (2003, 2)}


def test_table_is_isos_and_three_of_our_own() -> None:
    active = {iso.code: (iso.number, iso.exponent) for iso in Iso if iso.exponent is not None} | OWN
    assert {code: (c.number, c.exponent) for code, c in CURRENCIES.items()} == active


def test_names_are_isos() -> None:
    for iso in Iso:
        if iso.code in CURRENCIES:
            assert CURRENCIES[iso.code].name == iso.currency_name


def test_numbers_are_unique_and_fit_the_ledger() -> None:
    assert len(BY_NUMBER) == len(CURRENCIES)
    assert all(0 < number < 10_000 for number in BY_NUMBER)


@pytest.mark.parametrize(
    ("code", "exponent"),
    # Where locale data says otherwise than ISO, or the exponent is not two.
    [("JPY", 0), ("IDR", 2), ("IQD", 3), ("KWD", 3), ("CLF", 4), ("UYW", 4), ("UGX", 0)],
)
def test_exponents_that_others_get_wrong(code: str, exponent: int) -> None:
    assert currency(code).exponent == exponent


@pytest.mark.parametrize("code", ["", "sgd", "XAU", "XXX", "SGDX", "HRK", "ＳＧＤ"])
def test_unknown_codes_are_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        currency(code)


@pytest.mark.parametrize(
    ("cents", "code", "worth"),
    [
        (10_000, "SGD", 10_000),
        (10_000, "TIK", 10_000),
        (10_000, "USD", 7_700),
        (10_000, "JPY", 12_000),
        (10_000, "BTC", 86_000),
        (1, "BTC", 8),
        (1, "KWD", 2),
        (0, "SGD", 1),
    ],
)
def test_worth(cents: int, code: str, worth: int) -> None:
    assert worth_of_sgd(cents, code) == worth


def test_every_currency_has_a_worth_and_its_limits_can_be_counted() -> None:
    assert REFERENCE_WORTH.keys() == CURRENCIES.keys()
    for code in CURRENCIES:
        assert 1 <= worth_of_sgd(10_000, code) < worth_of_sgd(100_000_000, code) <= AMOUNT_MAX
