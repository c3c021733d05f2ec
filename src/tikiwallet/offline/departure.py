"""What closing an account must know of offline money."""

from collections.abc import Sequence
from typing import Final

from tikiwallet.money import Money
from tikiwallet.offline.debts import Debts
from tikiwallet.offline.devices import Devices
from tikiwallet.offline.passes import Passes
from tikiwallet.offline.waiting import Waiting
from tikiwallet.wallets.refusals import BalanceNotZero

_OWED: Final = (
    "You owe {owed} for offline payments. It is taken from your wallet as money comes in; after"
    " that you can close the account"
)
_BARRED: Final = (
    ". {barred} of it waits because the wallet that it belongs to is full: if that lasts, ask the"
    " service to write it off"
)

_WAITS: Final = (
    "{waiting} that you paid offline has not arrived, because the wallet that it belongs to is"
    " full: if that lasts, ask the service to let it go"
)


class DebtOpen(BalanceNotZero):
    """`owed` says how much, in words."""

    code = "debt_open"
    title = "You owe money for offline payments; the account stays open until it is paid"


class Departure:
    """Holds back who has money in passes or debts, and ends the devices of who leaves."""

    def __init__(self, passes: Passes, devices: Devices, debts: Debts, waiting: Waiting) -> None:
        self._passes = passes
        self._devices = devices
        self._debts = debts
        self._waiting = waiting

    async def pay(self, person: int) -> None:
        """Pay what is owed now, not within the hour."""
        await self._debts.collect_of(person)

    async def check(self, person: int) -> None:
        """Raises BalanceNotZero while a pass with money is not over: what was paid with it may
        still be claimed, or waits for room, and the rest returns to a wallet. Raises DebtOpen."""
        if waiting := _written(await self._waiting.of(person)):
            raise BalanceNotZero(_WAITS.format(waiting=waiting))
        holding = await self._passes.holding(person)
        if holding:
            until = max(record.claim_until for record in holding)
            raise BalanceNotZero(
                f"Money is in an offline pass; what is left of it returns by {until:%Y-%m-%d}",
                returns_at=until,
            )
        if owed := _written(await self._debts.owed(person)):
            words = _OWED.format(owed=owed)
            if barred := _written(await self._debts.barred(person)):
                words += _BARRED.format(barred=barred)
            raise DebtOpen(words, owed=owed)

    async def end(self, person: int) -> None:
        """Nobody pays this person offline any more. May be repeated."""
        await self._devices.revoke_all(person)


def _written(sums: Sequence[Money]) -> str:
    return ", ".join(money.written for money in sums)
