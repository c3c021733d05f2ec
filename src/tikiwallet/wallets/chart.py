"""The house's own ledger accounts: fixed numbers per purpose and currency, opened when needed.

Their numbers lie below 2^20, wallets' far above, so that the two never meet.
"""

from collections.abc import Iterable
from enum import IntEnum
from hashlib import sha256
from typing import Final

from tikiwallet.errors import Overloaded, Unavailable
from tikiwallet.ids import derived_id
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    SYSTEM,
    TOTAL_MAX,
    AccountType,
    OpenAccount,
    Outcome,
    Result,
)
from tikiwallet.money import Currency

HOUSE_ACCOUNT_MAX: Final = 2**20 - 1
_STEP: Final = 10_000  # above every currency number


class Purpose(IntEnum):
    """What a house account is for; part of its number, so numbers are never reused."""

    CARD_CLEARING = 1  # what card gateways owe us, as a negative balance
    PAYOUT_CLEARING = 2  # what has left towards banks
    FEES = 3  # what people paid for services
    HOUSE = 4  # the house's own money: gifts, corrections
    CONVERSION = 5  # the house's position between currencies
    GUARANTEE = 6  # the fund that pays for forged offline payments, up to its caps


_TYPES: Final = {
    Purpose.CARD_CLEARING: AccountType.CLEARING,
    Purpose.PAYOUT_CLEARING: AccountType.CLEARING,
    Purpose.FEES: AccountType.FEE,
    Purpose.HOUSE: AccountType.HOUSE,
    Purpose.CONVERSION: AccountType.CLEARING,
    Purpose.GUARANTEE: AccountType.HOUSE,
}


def house_account(purpose: Purpose, currency: int) -> int:
    """The ledger account for `purpose` in the currency with this number."""
    if not 0 < currency < _STEP:
        raise ValueError(f"{currency} is not a currency number")
    return purpose * _STEP + currency


async def ensure_house_accounts(ledger: Ledger, currencies: Iterable[Currency]) -> None:
    """Open all house accounts of these currencies; those that are open stay as they are.

    Raises Overloaded or Unavailable when the ledger cannot say now; asking again is safe.
    """
    commands = [
        _opening(purpose, currency.number) for currency in currencies for purpose in Purpose
    ]
    for command, outcome in zip(commands, await ledger.post_many(commands), strict=True):
        check_opened(command.account, outcome)


class Chart:
    """Opens the house accounts of a currency before their first use, and remembers that it did."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: set[int] = set()

    async def ready(self, currency: Currency) -> None:
        """Return once all house accounts of `currency` are open. Raises Overloaded, Unavailable."""
        if currency.number not in self._open:
            await ensure_house_accounts(self._ledger, [currency])
            self._open.add(currency.number)


def opening_digest(account: int, currency: int) -> bytes:
    """The content of an opening: which account in which currency. Limits stay outside, so that an
    opening sent again after the limits' defaults changed is still the same request."""
    return sha256(b"open account %d in %d" % (account, currency)).digest()


def check_opened(account: int, outcome: Outcome) -> None:
    """Raises Overloaded or Unavailable for what may be tried again, RuntimeError for a bug."""
    match outcome.result:
        case Result.POSTED:
            return
        case Result.OVERLOADED:
            raise Overloaded
        case Result.UNAVAILABLE:
            raise Unavailable
        case refused:
            raise RuntimeError(f"account {account} cannot be opened: {Result(refused).name}")


def _opening(purpose: Purpose, currency: int) -> OpenAccount:
    account = house_account(purpose, currency)
    type_ = _TYPES[purpose]
    return OpenAccount(
        id=derived_id("open house", account),
        person=SYSTEM,
        digest=opening_digest(account, currency),
        account=account,
        type=type_,
        currency=currency,
        floor=TOTAL_MAX if type_ is AccountType.CLEARING else 0,
        ceiling=None,
    )
