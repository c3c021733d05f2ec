"""What passes may be, by currency and tier: rows that an operator sets, defaults elsewhere."""

from dataclasses import asdict, astuple, dataclass
from typing import Any, Final

from tikiwallet.database.pool import Database
from tikiwallet.errors import Problem
from tikiwallet.money import BY_NUMBER, Currency, worth_of_usd
from tikiwallet.offline.records import Protection
from tikiwallet.offline.wire.fields import UINT32_MAX
from tikiwallet.offline.wire.messages import HOPS_MOST

TIERS: Final = {Protection.PIN: 0, Protection.PASSKEY: 1, Protection.FILE: 2}
HOURS_MOST: Final = 168
CLAIM_HOURS: Final = 7 * 24  # after a pass has expired, what was paid with it can still be claimed
PAYMENTS_MOST: Final = 255

_PAYMENT_USD: Final = 10_00
_PASS_USD: Final = 50_00
_COLUMNS: Final = "most_per_payment, most_per_pass, payments, hours, hops"


class LimitsInvalid(Problem):
    code = "offline_limits_invalid"
    title = "These are no limits that a pass can have"


@dataclass(frozen=True, slots=True)
class PassLimits:
    """Sums in minor units: of one payment and of a whole pass; how many payments, for how many
    hours, and how often received money may be passed on."""

    most_per_payment: int
    most_per_pass: int
    payments: int
    hours: int
    hops: int

    def check(self) -> None:
        """Raises LimitsInvalid, in words for an operator."""
        if not 0 <= self.most_per_payment <= self.most_per_pass <= UINT32_MAX:
            raise LimitsInvalid(
                f"A payment is at most what a pass is, and that at most {UINT32_MAX} minor units"
            )
        if not 1 <= self.payments <= PAYMENTS_MOST:
            raise LimitsInvalid(f"A pass has 1 to {PAYMENTS_MOST} payments")
        if not 1 <= self.hours <= HOURS_MOST:
            raise LimitsInvalid(f"A pass lives 1 to {HOURS_MOST} hours")
        if not 0 <= self.hops <= HOPS_MOST:
            raise LimitsInvalid(f"Received money is passed on 0 to {HOPS_MOST} times")


@dataclass(frozen=True, slots=True)
class LimitsRow:
    """What an operator has set for a currency and a tier."""

    currency: Currency
    tier: int
    limits: PassLimits

    def told(self) -> dict[str, object]:
        """As JSON has it."""
        return {"currency": self.currency.code, "tier": self.tier, **asdict(self.limits)}


def default_limits(currency: Currency, tier: int) -> PassLimits:
    """Where no operator has set others: the worth of US$10 a payment and US$50 a pass; half of both
    for a key that only a PIN keeps; rounded down to sums that people can keep in mind."""
    share = 2 if tier == TIERS[Protection.PIN] else 1
    per_payment, per_pass = (
        _rounded(min(max(1, worth_of_usd(usd, currency.code) // share), UINT32_MAX))
        for usd in (_PAYMENT_USD, _PASS_USD)
    )
    return PassLimits(per_payment, per_pass, payments=20, hours=96, hops=0)


def _rounded(amount: int) -> int:
    """Down to two digits and zeros, of which the second is 0 or 5 from fifty on: 13.57 is 13, and
    771 is 750. It takes off less than a tenth."""
    step: int = 10 ** max(0, len(str(amount)) - 2)
    if amount >= 50 * step:
        step *= 5
    return amount - amount % step


class LimitTable:
    """Reads and sets limits. What is set holds for passes that are issued from then on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, currency: Currency, tier: int) -> PassLimits:
        """The limits that hold."""
        row = await self._database.fetchrow(
            f"SELECT {_COLUMNS} FROM offline.limits WHERE currency = $1 AND tier = $2",  # noqa: S608
            currency.number,
            tier,
        )
        return default_limits(currency, tier) if row is None else PassLimits(*row)

    async def all(self) -> list[LimitsRow]:
        """All that were set."""
        rows = await self._database.fetch(
            f"SELECT currency, tier, {_COLUMNS} FROM offline.limits ORDER BY currency, tier"  # noqa: S608
        )
        return [_row(row) for row in rows]

    async def holding(self, currency: Currency) -> list[LimitsRow]:
        """What holds in a currency, tier by tier."""
        tiers = TIERS.values()
        return [LimitsRow(currency, tier, await self.of(currency, tier)) for tier in tiers]

    async def set(self, currency: Currency, tier: int, limits: PassLimits) -> None:
        """Set them. Raises LimitsInvalid."""
        limits.check()
        _check_tier(tier)
        await self._database.execute(
            f"INSERT INTO offline.limits (currency, tier, {_COLUMNS})"  # noqa: S608
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (currency, tier) DO UPDATE SET"
            f" ({_COLUMNS}) = ($3, $4, $5, $6, $7)",
            currency.number,
            tier,
            *astuple(limits),
        )

    async def reset(self, currency: Currency, tier: int) -> None:
        """Let the defaults hold again. Raises LimitsInvalid."""
        _check_tier(tier)
        await self._database.execute(
            "DELETE FROM offline.limits WHERE currency = $1 AND tier = $2", currency.number, tier
        )


def _check_tier(tier: int) -> None:
    if tier not in TIERS.values():
        raise LimitsInvalid(f"The tiers are {', '.join(map(str, TIERS.values()))}")


def _row(row: Any) -> LimitsRow:
    currency, tier, *limits = row
    return LimitsRow(BY_NUMBER[currency], tier, PassLimits(*limits))
