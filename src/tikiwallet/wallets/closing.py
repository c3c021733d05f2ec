"""Closing a person's account: first their wallets on the ledger, then the person.

A ledger account that is closed stays closed, so all of a person's must be closable before the
first one is. The steps: the intent is committed; every wallet's ceiling becomes zero, so that an
empty one stays empty; if all still are empty they are closed, else the ceilings return. Each step
is sent under an id that follows from the attempt, and the worker takes up what broke off.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from tikiwallet import clock, ids
from tikiwallet.database.pool import Database
from tikiwallet.errors import Unavailable
from tikiwallet.identity.closure import Closure
from tikiwallet.identity.security_events import EventKind, Executes, SecurityEvents
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import AnyCommand, CloseAccount, Result, SetLimits, State
from tikiwallet.money import worth_of_sgd
from tikiwallet.wallets.refusals import BalanceNotZero, refusal
from tikiwallet.wallets.wallets import CEILING_SGD, Wallet, Wallets

_TAKEN_UP: Final = timedelta(seconds=30)
_LEFT: Final = "Money is left in a wallet, or on hold; pay it out first"
_SECONDS: Final = 20.0  # less than that, so that no two are at it at once
_BEGIN: Final = """
INSERT INTO identity.closing AS c (person, attempt, next_check_at) VALUES ($1, $2, $3)
ON CONFLICT (person) DO UPDATE SET next_check_at = $3 WHERE c.next_check_at <= $4
RETURNING attempt
"""
_END: Final = "DELETE FROM identity.closing WHERE person = $1 AND attempt = $2"
_DUE: Final = """
UPDATE identity.closing SET next_check_at = $2
WHERE person IN (
    SELECT person FROM identity.closing WHERE next_check_at <= $1
    ORDER BY next_check_at LIMIT 20 FOR UPDATE SKIP LOCKED
)
RETURNING person, attempt
"""


class Elsewhere(Protocol):
    """What else holds money of people, besides their wallets."""

    async def pay(self, person: int) -> None:
        """Pay what they owe, as far as their wallets hold it."""

    async def check(self, person: int) -> None:
        """Return when nothing of theirs is left there, nor owed. Raises `BalanceNotZero`, or a
        kind of it that says more."""

    async def end(self, person: int) -> None:
        """Take nothing for them any more. May be repeated."""


class Closing:
    """Closes accounts."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        ledger: Ledger,
        wallets: Wallets,
        closure: Closure,
        elsewhere: Sequence[Elsewhere] = (),
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._ledger = ledger
        self._wallets = wallets
        self._closure = closure
        self._elsewhere = elsewhere
        self._now = now

    async def close(self, person: int) -> None:
        """Close the account of `person`, who has confirmed that they want it. Raises
        `BalanceNotZero` while money is left, on hold or owed, `Overloaded`, `Unavailable`; the
        worker goes on with what broke off."""
        for other in self._elsewhere:
            await other.pay(person)
        wallets = await self._wallets.of_person(person)
        try:
            await self._check_empty(person, wallets)
        except BalanceNotZero as problem:
            await self._tell_refused(self._database, person, problem)
            raise
        at = clock.from_us(self._now())
        new = ids.write_uuid(ids.new_uuid7())
        attempt = await self._database.fetchval(_BEGIN, person, new, at + _TAKEN_UP, at)
        if attempt is None:
            raise Unavailable("This account is being closed already")
        await self._carry_out(person, attempt.bytes)

    async def close_due(self) -> bool:
        """Go on with what broke off; whether there may be more at once. For the worker."""
        at = clock.from_us(self._now())
        rows = await self._database.fetch(_DUE, at, at + _TAKEN_UP)
        for row in rows:
            with contextlib.suppress(BalanceNotZero):
                await self._carry_out(row["person"], row["attempt"].bytes)
        return bool(rows)

    async def _carry_out(self, person: int, attempt: bytes) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await self._shut_and_close(person, attempt)
        except TimeoutError:
            raise Unavailable from None

    async def _shut_and_close(self, person: int, attempt: bytes) -> None:
        wallets = await self._wallets.of_person(person)
        for wallet in wallets:  # one that broke off while it was opened has no account yet
            await self._wallets.open_wallet(person, wallet.currency)
        before = await self._states(wallets)
        await self._post([_limit(wallet, attempt, "shut", 0) for wallet in wallets])
        try:
            await self._check_empty(person, wallets)
        except BalanceNotZero as problem:
            await self._undo(person, attempt, wallets, before, problem)
            raise
        await self._post(
            [
                CloseAccount(ids.derived_id("close", wallet.id), person, account=wallet.id)
                for wallet in wallets
            ]
        )
        for other in self._elsewhere:
            await other.end(person)
        await self._closure.close(person)
        await self._database.execute(_END, person, ids.write_uuid(attempt))

    async def _check_empty(self, person: int, wallets: Sequence[Wallet]) -> None:
        """Raises `BalanceNotZero`. Wallets come first: what leaves them is elsewhere by then."""
        if not all(_is_empty(state) for state in await self._states(wallets)):
            raise BalanceNotZero(_LEFT)
        for other in self._elsewhere:
            await other.check(person)

    async def _undo(
        self,
        person: int,
        attempt: bytes,
        wallets: Sequence[Wallet],
        before: Sequence[State | None],
        problem: BalanceNotZero,
    ) -> None:
        """Money came in between: every wallet gets the ceiling back that it had."""
        await self._post(
            [
                _limit(wallet, attempt, "open", _ceiling(wallet, state))
                for wallet, state in zip(wallets, before, strict=True)
            ]
        )
        async with self._database.transaction() as connection:
            await connection.execute(_END, person, ids.write_uuid(attempt))
            await self._tell_refused(connection, person, problem)

    async def _tell_refused(
        self, connection: Executes, person: int, problem: BalanceNotZero
    ) -> None:
        await self._events.record(
            connection, person, EventKind.CLOSING_FAILED, at_us=self._now(), why=problem.code
        )

    async def _states(self, wallets: Sequence[Wallet]) -> list[State | None]:
        return await self._ledger.states([wallet.id for wallet in wallets]) if wallets else []

    async def _post(self, commands: Sequence[AnyCommand]) -> None:
        """Carry out all of `commands`. An account that an earlier attempt closed is as it should
        be. Raises `Overloaded`, `Unavailable`."""
        for command, outcome in zip(commands, await self._ledger.post_many(commands), strict=True):
            result = Result(outcome.result)
            if result.retryable:
                raise refusal(result)
            if result not in (Result.POSTED, Result.ACCOUNT_CLOSED):
                raise RuntimeError(f"{command} was refused: {result.name}")


def _limit(wallet: Wallet, attempt: bytes, step: str, ceiling: int | None) -> SetLimits:
    id = ids.derived_id("closing", step, attempt, wallet.id)
    return SetLimits(id, wallet.person, account=wallet.id, floor=0, ceiling=ceiling)


def _ceiling(wallet: Wallet, before: State | None) -> int | None:
    # Zero: an attempt that broke off had shut it, and what it had before is everybody's.
    if before is None or before.ceiling == 0:
        return worth_of_sgd(CEILING_SGD, wallet.currency.code)
    return before.ceiling


def _is_empty(state: State | None) -> bool:
    return state is None or (
        state.posted == 0 and state.pending_debits == 0 and state.pending_credits == 0
    )
