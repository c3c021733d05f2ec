"""How often one person may be refused, or ask for the same again, before they have to wait.

Every refusal is a row for ever and every unknown name an answer about somebody, so both cost. What
succeeds costs nothing. Kept in memory: it protects this process and its database, not money.
"""

import time
from typing import Final

from tikiwallet.errors import Problem

_BURST: Final = 120.0
_PER_SECOND: Final = 2.0
_REMEMBERED: Final = 50_000


class RefusedTooOften(Problem):
    code = "refused_too_often"
    title = "Too many refused payments; wait a little"


class Budget:
    """A bucket of 120 for each person that has been refused lately, refilled by 2 a second."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._spent: dict[int, tuple[float, float]] = {}  # what is missing, and as of when

    def check(self, person: int) -> None:
        """Raises RefusedTooOften when the person's bucket is empty."""
        if person in self._spent:
            missing = self._missing(person)
            if missing >= _BURST:
                seconds = int((missing - _BURST) / _PER_SECOND) + 1
                raise RefusedTooOften(retry_after=seconds)

    def spend(self, person: int, cost: float = 1.0) -> None:
        """Take `cost` out of the person's bucket."""
        if not self._enabled:
            return
        missing = self._missing(person) + cost
        if len(self._spent) >= _REMEMBERED:
            self._spent.clear()
        self._spent[person] = (missing, time.monotonic())

    def _missing(self, person: int) -> float:
        missing, at = self._spent.get(person, (0.0, 0.0))
        left = missing - (time.monotonic() - at) * _PER_SECOND
        if left > 0:
            return left
        self._spent.pop(person, None)
        return 0.0
