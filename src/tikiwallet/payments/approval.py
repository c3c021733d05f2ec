"""What a payer must show before money leaves a wallet, and what lower limits leave of it."""

from typing import Final, Protocol

from tikiwallet.identity.payer_facts import PIN_FREE_SGD, PayerFacts
from tikiwallet.identity.pins import PinRequired
from tikiwallet.money import Currency, worth_of_sgd

_THRESHOLDS_MAX: Final = 10_000  # of people's own thresholds in their currencies


class PayerLimits(Protocol):
    """What paying needs to know of a person; see `identity.payer_facts.Payers`."""

    def known(self, person: int) -> PayerFacts | None: ...

    async def of(self, person: int) -> PayerFacts: ...

    async def take_restricted(self, person: int, transaction: bytes, amount_sgd: int) -> None: ...

    async def give_back(self, person: int, transaction: bytes) -> None: ...


class PinCheck(Protocol):
    """What paying needs of PINs."""

    async def is_set(self, person: int) -> bool: ...

    async def verify_pin(self, person: int, pin: str) -> None: ...


class Approval:
    """Asks for the PIN above a person's own threshold, and counts against lower limits."""

    def __init__(self, pins: PinCheck, payers: PayerLimits) -> None:
        self._pins = pins
        self._payers = payers
        self._pin_free: dict[tuple[int, str], int] = {}

    def threshold(self, facts: PayerFacts, money: Currency) -> int:
        """Up to what sum a person with these facts pays without PIN."""
        key = (facts.pin_free, money.code)
        threshold = self._pin_free.get(key)
        if threshold is None:
            if len(self._pin_free) >= _THRESHOLDS_MAX:
                self._pin_free.clear()
            # Whoever wants the PIN each time wants it for the smallest coin too.
            threshold = worth_of_sgd(facts.pin_free, money.code) if facts.pin_free else 0
            self._pin_free[key] = threshold
        return threshold

    async def check_pin(self, person: int, money: Currency, total: int, pin: str | None) -> None:
        """Return when `pin` is right, or none is needed for `total`. Raises PinRequired, and what
        checking a PIN raises."""
        needed = total > self.threshold(await self._payers.of(person), money)
        if pin is not None and await self._pins.is_set(person):
            await self._pins.verify_pin(person, pin)
        elif needed:
            raise PinRequired("A payment of this size needs your PIN")

    async def count(self, person: int, transaction: bytes, money: Currency, total: int) -> bool:
        """Whether lower limits hold for the payer; the transaction is counted then, once. Raises
        LowerLimit."""
        if not (await self._payers.of(person)).restricted_until:
            return False
        rate = worth_of_sgd(PIN_FREE_SGD, money.code)
        worth = -(-total * PIN_FREE_SGD // rate)  # rounded up, as limits are
        await self._payers.take_restricted(person, transaction, worth)
        return True

    async def give_back(self, person: int, transaction: bytes) -> None:
        """A transaction that was counted did not happen."""
        await self._payers.give_back(person, transaction)
