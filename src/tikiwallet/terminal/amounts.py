"""Amounts as people write them: `12.50`, and `SGD 1,250.00`."""

import re
from typing import Final

from tikiwallet.money import Currency

_WRITTEN: Final = re.compile(r"(\d{1,10})(?:[.,](\d{1,9}))?", re.ASCII)


def read_amount(text: str, currency: Currency) -> int:
    """Minor units in what was typed. Raises ValueError, with what is wrong, for people."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError("An amount is digits, such as 12.50, without thousands separators")
    whole, part = found[1], found[2] or ""
    if len(part) > currency.exponent:
        raise ValueError(f"{currency.code} has {currency.exponent or 'no'} decimal places")
    scale: int = 10**currency.exponent
    amount = int(whole) * scale + int(part.ljust(currency.exponent, "0") or "0")
    if not amount:
        raise ValueError("The amount is more than zero")
    return amount


def write_amount(amount: int, currency: Currency) -> str:
    """`SGD 1,250.00` for minor units."""
    whole, part = divmod(amount, 10**currency.exponent)
    decimals = f".{part:0{currency.exponent}}" if currency.exponent else ""
    return f"{currency.code} {whole:,}{decimals}"
