"""What paying must know of a person before every payment, remembered and never stale for long.

A person's own PIN threshold, and the lower limits that hold for a day after a recovery. The answer
comes from memory; whoever changes one of these facts says so in the same database transaction, and
every process asks twice a second whose facts changed. As with ended sessions, the database's own
transaction ids say what is new, and a process that cannot ask stops to rely on its memory.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tikiwallet import clock, ids, logs
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem
from tikiwallet.recent import Recent

PIN_FREE_SGD: Final = 100_00  # cents of Singapore; larger payments need the PIN
PIN_FREE_MOST_SGD: Final = 1_000_00  # the highest threshold that a person may choose
RESTRICTED_SGD: Final = 100_00  # all that can be paid while lower limits hold, in sum
RESTRICTION: Final = timedelta(days=1)

_POLL_SECONDS: Final = 0.4
_GRACE_US: Final = 5_000_000
_HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, NULL AS person"
_NEW: Final = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, changed.person
FROM (SELECT) AS one LEFT JOIN identity.payer_change AS changed
    ON changed.writer >= $1::text::xid8
"""
_LOAD: Final = "SELECT pin_threshold, restricted_until FROM identity.person WHERE id = $1"
_CHANGED: Final = """
INSERT INTO identity.payer_change (person, at) VALUES ($1, $2)
ON CONFLICT (person) DO UPDATE SET at = $2, writer = pg_current_xact_id()
"""
# Limits that hold already go on from where they began: what was paid since then counts.
_RESTRICT: Final = """
UPDATE identity.person SET
    restricted_from = CASE WHEN restricted_until > $2 THEN restricted_from ELSE $2 END,
    restricted_until = greatest(restricted_until, $3)
WHERE id = $1
"""
_STANDING: Final = """
SELECT restricted_from, restricted_until FROM identity.person WHERE id = $1
FOR NO KEY UPDATE
"""
_PAID: Final = """
SELECT coalesce(sum(amount_sgd), 0)::bigint AS paid,
    coalesce(bool_or(transaction_id = $3), false) AS counted
FROM identity.restricted_pay WHERE person = $1 AND (at >= $2 OR transaction_id = $3)
"""
_PAY: Final = """
INSERT INTO identity.restricted_pay (person, transaction_id, amount_sgd, at) VALUES ($1, $2, $3, $4)
"""
_log = logs.get(__name__)


class LowerLimit(Problem):
    """`restricted_until` says until when, `left` how many cents of Singapore may still be paid."""

    code = "lower_limit"
    title = "After a recovery only small sums can be paid for a day"


class PayerFacts(NamedTuple):
    """`pin_free` in cents of Singapore: payments above it need the PIN. `restricted_until` in
    microseconds since 1970; 0 when no lower limits hold."""

    pin_free: int
    restricted_until: int


async def tell_changed(connection: AnyConnection, person: int, at: datetime) -> None:
    """Make every process forget the facts of `person`, when the caller's database transaction
    commits. The process itself calls `Payers.forget` after that."""
    await connection.execute(_CHANGED, person, at)


async def restrict(connection: AnyConnection, person: int, at: datetime) -> None:
    """Lower limits for a day from `at`, in the caller's database transaction."""
    await connection.execute(_RESTRICT, person, at, at + RESTRICTION)
    await tell_changed(connection, person, at)


class Payers:
    """Remembers the facts of up to about `capacity` people who paid lately."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], int] = clock.now_us,
        capacity: int = 200_000,
    ) -> None:
        self._database = database
        self._now = now
        self._recent = Recent[int, PayerFacts](capacity)
        # Loads under way, for all who ask meanwhile; one whose person changes is taken out, so that
        # it is not remembered and nobody joins it any more.
        self._loading: dict[int, asyncio.Task[PayerFacts]] = {}
        self._horizon: str | None = None
        self._fresh_until = 0
        self._task: asyncio.Task[None] | None = None

    def known(self, person: int) -> PayerFacts | None:
        """The facts of `person` if they are in memory; None says nothing: then `load` them."""
        if self._now() >= self._fresh_until:
            return None
        facts = self._recent.young.get(person)
        return self._recent.get(person) if facts is None else facts

    async def load(self, person: int) -> PayerFacts:
        """The facts of `person` as they are committed. Raises Unavailable."""
        load = self._loading.get(person)
        if load is None:
            load = self._loading[person] = asyncio.create_task(self._load(person))
        return await asyncio.shield(load)  # who goes away takes it from nobody else

    async def _load(self, person: int) -> PayerFacts:
        mine = asyncio.current_task()
        try:
            row = await self._database.fetchrow(_LOAD, person)
            facts = PayerFacts(PIN_FREE_SGD, 0)
            if row is not None:
                facts = _facts(row["pin_threshold"], row["restricted_until"], self._now())
            if self._loading.get(person) is mine and self._now() < self._fresh_until:
                self._recent.put(person, facts)
            return facts
        finally:
            if self._loading.get(person) is mine:
                del self._loading[person]

    async def of(self, person: int) -> PayerFacts:
        """From memory, or else from the database. Raises Unavailable."""
        return self.known(person) or await self.load(person)

    def forget(self, person: int) -> None:
        """Know at once what this process has just committed itself."""
        self._recent.pop(person)
        self._loading.pop(person, None)

    async def take_restricted(self, person: int, transaction: bytes, amount_sgd: int) -> None:
        """Count a payment against the lower limits, if they hold; the same transaction counts once.
        Ask before posting: what the ledger then refuses is given back by `give_back`. Raises
        LowerLimit."""
        at = clock.from_us(self._now())
        written = ids.write_uuid(transaction)
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_STANDING, person)
            if row is None or row["restricted_until"] is None or row["restricted_until"] <= at:
                return
            stand = await connection.fetchrow(_PAID, person, row["restricted_from"], written)
            assert stand is not None
            if stand["counted"]:
                return
            left = max(0, RESTRICTED_SGD - stand["paid"])
            if amount_sgd > left:
                until = clock.write(row["restricted_until"])
                raise LowerLimit(
                    f"Until {until} you can pay S${left / 100:.2f} more, or its worth",
                    restricted_until=until,
                    left=left,
                )
            await connection.execute(_PAY, person, written, amount_sgd, at)

    async def give_back(self, person: int, transaction: bytes) -> None:
        """A payment that was counted did not happen."""
        await self._database.execute(
            "DELETE FROM identity.restricted_pay WHERE person = $1 AND transaction_id = $2",
            person,
            ids.write_uuid(transaction),
        )

    async def start(self) -> None:
        """Begin to follow changes; until then nothing is remembered."""
        await self._ask()
        self._task = asyncio.create_task(self._follow(), name="payer facts")

    async def stop(self) -> None:
        """Stop to follow, and to remember."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._fresh_until = 0

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                await self._ask()
            except Exception as error:  # until it can ask again, nothing is remembered
                _log.warning("payers' facts cannot be followed", why=type(error).__name__)

    async def _ask(self) -> None:
        asked = self._now()
        if asked >= self._fresh_until:
            self._recent.clear()
        async with asyncio.timeout(2.0):
            if self._horizon is None:
                rows = await self._database.fetch(_HORIZON)
            else:
                rows = await self._database.fetch(_NEW, self._horizon)
        for row in rows:
            if row["person"] is not None:
                self.forget(row["person"])
        self._horizon = str(rows[0]["horizon"])
        self._fresh_until = asked + _GRACE_US


def _facts(pin_threshold: int | None, restricted_until: datetime | None, now: int) -> PayerFacts:
    until = 0 if restricted_until is None else clock.to_us(restricted_until)
    return PayerFacts(
        PIN_FREE_SGD if pin_threshold is None else pin_threshold, until if until > now else 0
    )
