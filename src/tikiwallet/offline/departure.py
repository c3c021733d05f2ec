"""What closing an account must know of offline money."""

from tikiwallet.offline.devices import Devices
from tikiwallet.offline.passes import Passes
from tikiwallet.wallets.refusals import BalanceNotZero


class Departure:
    """Holds back who has money in passes, and ends the devices of who leaves."""

    def __init__(self, passes: Passes, devices: Devices) -> None:
        self._passes = passes
        self._devices = devices

    async def check(self, person: int) -> None:
        """Raises BalanceNotZero while a pass with money is not over: what was paid with it may
        still be claimed, and the rest returns to a wallet."""
        holding = await self._passes.holding(person)
        if holding:
            until = max(record.claim_until for record in holding)
            raise BalanceNotZero(
                f"Money is in an offline pass; what is left of it returns by {until:%Y-%m-%d}",
                returns_at=until,
            )

    async def end(self, person: int) -> None:
        """Nobody pays this person offline any more. May be repeated."""
        await self._devices.revoke_all(person)
