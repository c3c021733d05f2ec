"""House accounts: fixed numbers, opened once, whoever comes first."""

import asyncio

import pytest
from tests.wallets.stack import Stack

from tikiwallet.errors import Unavailable
from tikiwallet.ledger.transactions import TOTAL_MAX, AccountType, Result
from tikiwallet.money import CURRENCIES
from tikiwallet.wallets.chart import (
    HOUSE_ACCOUNT_MAX,
    Chart,
    Purpose,
    ensure_house_accounts,
    house_account,
)
from tikiwallet.wallets.refusals import refusal

SGD = CURRENCIES["SGD"]


def test_numbers_are_unique_and_stay_below_wallets() -> None:
    numbers = [house_account(p, c.number) for p in Purpose for c in CURRENCIES.values()]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) <= HOUSE_ACCOUNT_MAX
    assert house_account(Purpose.CARD_CLEARING, SGD.number) == 10_702


@pytest.mark.parametrize("number", [0, -1, 10_000])
def test_what_is_no_currency_has_no_account(number: int) -> None:
    with pytest.raises(ValueError, match="not a currency number"):
        house_account(Purpose.FEES, number)


async def test_accounts_open_once_and_with_their_limits(stack: Stack) -> None:
    await asyncio.gather(*(ensure_house_accounts(stack.ledger, [SGD]) for _ in range(3)))
    clearing = await stack.state(house_account(Purpose.CARD_CLEARING, SGD.number))
    fees = await stack.state(house_account(Purpose.FEES, SGD.number))
    assert (clearing.seq, clearing.type) == (1, AccountType.CLEARING)
    assert (clearing.floor, clearing.ceiling) == (TOTAL_MAX, None)
    assert (fees.type, fees.floor, fees.ceiling) == (AccountType.FEE, 0, None)


async def test_the_chart_remembers(stack: Stack) -> None:
    chart = Chart(stack.ledger)
    await chart.ready(SGD)
    await stack.ledger.stop()
    await chart.ready(SGD)
    with pytest.raises(Unavailable):
        await chart.ready(CURRENCIES["EUR"])


def test_every_refusal_of_the_ledger_can_be_told() -> None:
    codes = {refusal(result).code for result in Result if result is not Result.POSTED}
    assert len(codes) == len(Result) - 1
    with pytest.raises(ValueError, match="not a refusal"):
        refusal(Result.POSTED)
