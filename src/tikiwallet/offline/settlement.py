"""Settlement: signed offline payments become transactions of the ledger.

Whoever comes online first brings what was signed. One database transaction locks the passes in the
order of their ids, decides and commits the intents; the ledger posts them under ids that follow
from the payments; the outcomes are recorded. All of it may be repeated and come in any order.
Payments that pass received money on come after those that they name, each time all of that.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from tikiwallet.clock import now_us
from tikiwallet.database.pool import Database
from tikiwallet.errors import Unavailable
from tikiwallet.identity.sealing import Sealing
from tikiwallet.money import BY_NUMBER, Money
from tikiwallet.offline.claims import (
    AnyRead,
    Brought,
    Checker,
    CloseRead,
    Flaw,
    Kind,
    KnownPass,
    PaymentRead,
    VoidRead,
)
from tikiwallet.offline.conflicts import Conflicts, owe_back
from tikiwallet.offline.decided import write_claims, write_passes, write_receipts, write_voids
from tikiwallet.offline.deciding import State
from tikiwallet.offline.desk import Desk
from tikiwallet.offline.opening import open_desk
from tikiwallet.offline.passing import Chains, sort_out
from tikiwallet.offline.posting import Posting
from tikiwallet.offline.telling import Answer, Told, Why, state_told, why_told
from tikiwallet.wallets.wallets import Wallets

ITEMS_MAX: Final = 100
_TRIES: Final = 3
# What waits for money that is about to come into its escrow is not contested yet.
_ANSWERS: Final = """
    SELECT pay_hash, CASE WHEN state = 'open' AND EXISTS (
            SELECT FROM offline.claim AS coming WHERE coming.payee_pass = claim.payer_pass
                AND coming.into_escrow IS NOT NULL AND coming.state = 'posting'
        ) THEN 'posting' ELSE state END AS state, reason, currency, amount,
        paid_escrow + paid_wallet + paid_fund AS paid,
        payer = $2 AND payee <> $2
            AND EXISTS (SELECT FROM offline.conflict WHERE pass = payer_pass) AS accused
    FROM offline.claim WHERE pay_hash = ANY($1::bytea[])
"""


class Settlement:
    """Takes signed messages in."""

    def __init__(
        self,
        database: Database,
        *,
        wallets: Wallets,
        checker: Checker,
        sealing: Sealing,
        posting: Posting,
        conflicts: Conflicts,
        now: Callable[[], int] = now_us,
    ) -> None:
        self._database = database
        self._wallets = wallets
        self._checker = checker
        self._sealing = sealing
        self._posting = posting
        self._conflicts = conflicts
        self._now = now

    async def settle(self, person: int, items: Sequence[Brought]) -> list[Answer]:
        """Take in what `person` brings, at most `ITEMS_MAX` items: what became of each, in the
        order given. Raises Unavailable; bringing it again is safe."""
        readings, passes = await self._checker.check(person, items)
        good = [reading for reading in readings if not isinstance(reading, Flaw)]
        chains = await sort_out(self._database, good)
        good = [reading for reading in good if not chains.lacks(reading)]
        accounts = await self._payee_accounts(good, passes)
        upload = _Upload(person, passes, accounts, chains)
        desks = [await self._take_in(upload, wave) for wave in chains.waves(good)]
        return await self._told(items, readings, upload, desks)

    async def _take_in(self, upload: "_Upload", readings: Sequence[AnyRead]) -> Desk:
        """Decide `readings` and have the ledger post what is decided, so that what comes after
        finds the money where it was paid to."""
        desk = await self._decide(upload, readings)
        # What somebody else has decided and not yet recorded is posted again, which moves nothing:
        # so a duplicate gets the answer of the first, and a crash is healed by bringing it again.
        brought = {reading.hash for reading in readings if isinstance(reading, PaymentRead)}
        brought -= desk.crowded
        due = [one for one in brought if desk.claims[one].state in (State.POSTING, State.OPEN)]
        if due:
            await self._posting.carry_out(due)
        return desk

    async def _payee_accounts(
        self, readings: Iterable[AnyRead], passes: dict[bytes, KnownPass]
    ) -> dict[tuple[bytes, int], int]:
        """The wallets to credit, by the payee's pass and currency; opened where there are none."""
        accounts: dict[tuple[bytes, int], int] = {}
        for reading in readings:
            if not isinstance(reading, PaymentRead):
                continue
            payer, payee = (passes[id] for id in reading.passes)
            currency = payer.terms.currency
            if (payee.id, currency) in accounts:
                continue
            account = payee.wallet
            if payee.terms.currency != currency:
                wallet, _ = await self._wallets.open_wallet(payee.person, BY_NUMBER[currency])
                account = wallet.id
            accounts[payee.id, currency] = account
        return accounts

    async def _decide(self, upload: "_Upload", readings: Sequence[AnyRead]) -> Desk:
        """Judge everything under lock, and commit what was decided."""
        for _ in range(_TRIES):
            # Somebody who stops a device or issues to it may hold its row and want its passes.
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                return await self._decide_once(upload, readings)
        raise Unavailable

    async def _decide_once(self, upload: "_Upload", readings: Sequence[AnyRead]) -> Desk:
        async with self._database.transaction() as connection:
            desk = await open_desk(
                connection, upload.person, self._now, readings, upload.passes, upload.chains
            )
            for reading in readings:
                match reading:
                    case PaymentRead():
                        desk.payment(reading)
                    case VoidRead():
                        desk.void(reading)
                    case CloseRead():
                        desk.close(reading)
            await write_claims(connection, desk, upload.accounts, self._sealing)
            await write_voids(connection, desk, self._sealing)
            await write_receipts(connection, desk)
            await write_passes(connection, desk)
            await owe_back(connection, desk.owed, desk.now)
            await self._conflicts.record(connection, desk.conflicts, desk.now)
        return desk

    async def _told(
        self,
        items: Sequence[Brought],
        readings: Sequence[AnyRead | Flaw],
        upload: "_Upload",
        desks: Sequence[Desk],
    ) -> list[Answer]:
        hashes = [reading.hash for reading in readings if isinstance(reading, PaymentRead)]
        rows = await self._database.fetch(_ANSWERS, hashes, upload.person) if hashes else []
        claims = {row["pay_hash"]: row for row in rows}
        conflicts = (one for desk in desks for one in desk.conflicts)
        accused = {hash for one in conflicts for hash in (one.first, one.second)}
        crowded = {hash for desk in desks for hash in desk.crowded}
        told = (_refused(reading, upload.chains, crowded) for reading in readings)
        return [
            _answer(item.kind, reading, claims, accused)
            for item, reading in zip(items, told, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Upload:
    """What `person` brings: the passes in it, the wallets of its payees, and which payment rests on
    which."""

    person: int
    passes: dict[bytes, KnownPass]
    accounts: dict[tuple[bytes, int], int]
    chains: Chains


def _refused(reading: AnyRead | Flaw, chains: Chains, crowded: Collection[bytes]) -> AnyRead | Flaw:
    """The reading, or why nothing of it is recorded."""
    if isinstance(reading, Flaw):
        return reading
    if chains.lacks(reading):
        return Flaw.SOURCE_MISSING
    return Flaw.CROWDED if reading.hash in crowded else reading


def _answer(
    kind: Kind, reading: AnyRead | Flaw, claims: dict[bytes, Any], accused: Collection[bytes]
) -> Answer:
    match reading:
        case Flaw():
            return Answer(kind, None, Told.REFUSED, why=reading)
        case PaymentRead():
            return _payment_answer(reading.hash, claims[reading.hash])
        case VoidRead() | CloseRead():
            why = Why.SIGNED_TWICE if reading.hash in accused else None
            done = Told.CLOSED if isinstance(reading, CloseRead) else Told.VOIDED
            return Answer(kind, reading.hash, done, why=why)


def _payment_answer(hash: bytes, row: Any) -> Answer:
    money = BY_NUMBER[row["currency"]]
    amount, paid = Money(row["amount"], money), Money(row["paid"], money)
    if row["accused"]:
        return Answer("payment", hash, Told.CONFLICT, amount, paid, Why.SIGNED_TWICE)
    why = why_told(row["state"], row["reason"])
    return Answer("payment", hash, state_told(row["state"]), amount, paid, why)
