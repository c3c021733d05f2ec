"""The ledger as its callers see it: implemented by the writer itself and by the link to it."""

from collections.abc import Sequence
from typing import Protocol

from tikiwallet.ledger.transactions import AnyCommand, Outcome, State


class Sink(Protocol):
    """Where an outcome goes; `slot` is whatever the caller gave to tell its commands apart."""

    def settle(self, slot: int, outcome: Outcome) -> None:
        """Take the outcome. Called once, from the event loop; must neither wait nor raise."""
        ...


class Ledger(Protocol):
    """One ledger. All answers come from the one writer and are as strong as its commits."""

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        """Carry out one command. `deadline` is on `time.monotonic()`; past it, work that has not
        reached the rules is dropped and answered OVERLOADED. Raises ValueError for a command that
        is malformed (amount not positive, id not 16 bytes, text with NUL, ...), `Unavailable` for
        nothing: that is the result UNAVAILABLE."""
        ...

    def enter(self, command: AnyCommand, sink: Sink, slot: int, deadline: float | None) -> None:
        """`post` without a task: the outcome goes to `sink`, perhaps before this returns."""
        ...

    async def post_many(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        """Carry out many independent commands; outcomes in the order asked."""
        ...

    async def look_up(self, id: bytes, digest: bytes) -> Outcome | None:
        """The outcome that `id` already has, marked replayed (ID_REUSED when its content was
        another); None when it has none yet, which decides nothing."""
        ...

    async def states(self, accounts: Sequence[int]) -> list[State | None]:
        """Committed states, in the order asked; None for accounts that do not exist. Raises
        `Unavailable` when the writer cannot prove that it still is the writer."""
        ...

    def states_now(self, accounts: Sequence[int]) -> list[State | None] | None:
        """`states`, when they can be told without waiting; None says nothing."""
        ...

    async def stable_n(self) -> int:
        """The highest log number that readers of the log may rely on."""
        ...
