"""Limits of passes: the worth of US$10 and US$50, unless an operator says otherwise."""

from dataclasses import replace

import pytest
from tests.offline.bank import SGD, Bank

from tikiwallet.money import CURRENCIES, worth_of_usd
from tikiwallet.offline.limits import TIERS, LimitsInvalid, LimitsRow, PassLimits, default_limits
from tikiwallet.offline.wire.fields import UINT32_MAX

SOME = PassLimits(3_00, 9_00, 5, 24, 2)


def test_the_defaults() -> None:
    usd = CURRENCIES["USD"]
    assert default_limits(usd, 2) == PassLimits(10_00, 50_00, 20, 96, 0)
    assert default_limits(usd, 1) == default_limits(usd, 2)
    assert default_limits(usd, 0) == PassLimits(5_00, 25_00, 20, 96, 0)


def test_every_currency_has_some() -> None:
    for currency in CURRENCIES.values():
        for tier in TIERS.values():
            limits = default_limits(currency, tier)
            limits.check()
            assert limits.most_per_payment >= 1, currency.code


def test_the_defaults_are_sums_to_keep_in_mind() -> None:
    for currency in CURRENCIES.values():
        for tier in TIERS.values():
            limits = default_limits(currency, tier)
            for amount, usd in ((limits.most_per_payment, 10_00), (limits.most_per_pass, 50_00)):
                share = 2 if tier == 0 else 1
                worth = min(max(1, worth_of_usd(usd, currency.code) // share), UINT32_MAX)
                assert 0.9 * worth < amount <= worth, currency.code
                digits = str(amount).rstrip("0")
                assert len(digits) <= 2, currency.code
                assert digits < "5" or len(digits) == 1 or digits.endswith("5"), currency.code
    for code, payment, whole in (("SGD", 6_00, 32_00), ("JPY", 750, 3_800), ("KWD", 1_500, 7_500)):
        limits = default_limits(CURRENCIES[code], 0)
        assert (limits.most_per_payment, limits.most_per_pass) == (payment, whole)


@pytest.mark.parametrize(
    "change",
    [
        {"most_per_payment": 9_01},
        {"most_per_payment": -1},
        {"most_per_pass": UINT32_MAX + 1},
        {"payments": 0},
        {"payments": 256},
        {"hours": 0},
        {"hours": 169},
        {"hops": 4},
    ],
)
async def test_what_cannot_be_is_told(bank: Bank, change: dict[str, int]) -> None:
    with pytest.raises(LimitsInvalid) as refused:
        await bank.offline.limits.set(SGD, 0, replace(SOME, **change))
    assert refused.value.detail != LimitsInvalid.title
    assert await bank.offline.limits.all() == []


async def test_they_are_set_and_reset(bank: Bank) -> None:
    table = bank.offline.limits
    await table.set(SGD, 1, PassLimits(1, 2, 3, 4, 0))
    await table.set(SGD, 1, SOME)
    assert await table.all() == [LimitsRow(SGD, 1, SOME)]
    assert await table.of(SGD, 1) == SOME
    assert [row.limits for row in await table.holding(SGD)] == [
        default_limits(SGD, 0), SOME, default_limits(SGD, 2),
    ]  # fmt: skip
    assert await table.of(SGD, 0) == default_limits(SGD, 0)
    assert LimitsRow(SGD, 1, SOME).told()["most_per_pass"] == 9_00
    await table.reset(SGD, 1)
    assert await table.of(SGD, 1) == default_limits(SGD, 1)
    for change in (table.set(SGD, 3, SOME), table.reset(SGD, 3)):
        with pytest.raises(LimitsInvalid, match="0, 1, 2"):
            await change
