"""The payment PIN: six digits, hashed with a key that is not in the database, five tries.

A try is counted before the PIN is checked and forgotten when it was right. Checks for one person
wait for each other inside a process, so that payments made at once do not use up the tries.
"""

import asyncio
import hmac
import re
import weakref
from collections.abc import Callable

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem
from tikiwallet.identity.hashing import Cost, Hashing
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.security_events import EventKind, SecurityEvents

TRIES = 5
# A stolen database alone gives no PIN away (the keyed hash below), so this guards the rest: 19 MiB.
COST = Cost(passes=2, memory_kib=19_456)

_FORM = re.compile(r"[0-9]{6}", re.ASCII)
_WEAK_PINS = """
010203 102030 111222 112211 112233 121314 123123 123321 131313 142536 147258 147852 159357
159753 159951 246810 258000 321321 321654 333666 456123 520131 520520 654123 666888 741852
753159 789456 852456 888666 951753 963852 987123 998877
"""
_WEAK = frozenset(_WEAK_PINS.split())
_UP = "01234567890123456789"
_DOWN = _UP[::-1]


class PinWrong(Problem):
    """`tries_left` says how many wrong ones may still follow."""

    code = "pin_wrong"
    title = "This PIN is wrong"


class PinLocked(Problem):
    code = "pin_locked"
    title = "The PIN is locked after too many wrong tries"


class PinWeak(Problem):
    code = "pin_weak"
    title = "This PIN is too easy to guess"


class PinMalformed(Problem):
    code = "pin_malformed"
    title = "A PIN has six digits"


class PinRequired(Problem):
    code = "pin_required"
    title = "This payment needs your PIN"


class PinNotSet(Problem):
    code = "pin_not_set"
    title = "There is no PIN yet; set one first"


class CurrentPinRequired(Problem):
    code = "current_pin_required"
    title = "Changing the PIN needs the current one"


class Pins:
    """Sets and checks payment PINs."""

    def __init__(
        self,
        database: Database,
        hashing: Hashing,
        secret: ServerSecret,
        events: SecurityEvents,
        cost: Cost = COST,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._hashing = hashing
        self._key = secret.subkey("pins")
        self._cost = cost
        self._now = now
        self._turns: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()

    async def is_set(self, person: int) -> bool:
        """Whether `person` has a PIN, locked or not."""
        found = await self._database.fetchval(
            "SELECT 1 FROM identity.pin WHERE person = $1", person
        )
        return found is not None

    async def set_pin(self, person: int, pin: str, current_pin: str | None = None) -> None:
        """Set the first PIN, or change it with the current one. Raises `PinMalformed`, `PinWeak`,
        `CurrentPinRequired`, `PinWrong`, `PinLocked`."""
        check_rules(pin)
        before: str | None = await self._database.fetchval(
            "SELECT hash FROM identity.pin WHERE person = $1", person
        )
        if before is not None:
            if current_pin is None:
                raise CurrentPinRequired
            await self.verify_pin(person, current_pin)
        encoded = await self._hashing.make(self._keyed(person, pin), self._cost)
        async with self._database.transaction() as connection:
            # Only the PIN that was just checked is replaced: of two first PINs set at once, one
            # stays.
            done = await connection.fetchval(
                """
                INSERT INTO identity.pin AS p (person, hash, changed_at) VALUES ($1, $2, $3)
                ON CONFLICT (person) DO UPDATE SET hash = $2, tries = 0, changed_at = $3
                WHERE p.hash = $4
                RETURNING 1
                """,
                person,
                encoded,
                clock.from_us(self._now()),
                before,
            )
            if done is None:
                raise CurrentPinRequired("The PIN was changed meanwhile")
            kind = EventKind.PIN_SET if before is None else EventKind.PIN_CHANGED
            await self._events.record(connection, person, kind, at_us=self._now())

    async def verify_pin(self, person: int, pin: str) -> None:
        """Returns when `pin` is right. Raises `PinWrong`, `PinLocked`, `PinNotSet`, `Overloaded`;
        what has not the form of a PIN is `PinMalformed` and does not count as a try."""
        if not _FORM.fullmatch(pin):
            raise PinMalformed
        turn = self._turns.get(person)
        if turn is None:
            turn = self._turns[person] = asyncio.Lock()
        async with turn:
            await self._verify_counted(person, pin)

    async def remove(self, connection: AnyConnection, person: int) -> bool:
        """Forget the PIN, in the caller's database transaction; whether there was one."""
        done = await connection.fetchval(
            "DELETE FROM identity.pin WHERE person = $1 RETURNING 1", person
        )
        return done is not None

    async def _verify_counted(self, person: int, pin: str) -> None:
        row = await self._database.fetchrow(
            """
            UPDATE identity.pin SET tries = tries + 1 WHERE person = $1 AND tries < $2
            RETURNING hash, tries
            """,
            person,
            TRIES,
        )
        if row is None:
            raise PinLocked if await self.is_set(person) else PinNotSet
        encoded: str = row["hash"]
        try:
            right = await self._hashing.matches(encoded, self._keyed(person, pin))
        except BaseException:
            # Nothing was checked (the line was full, or the caller went away before its turn).
            await asyncio.shield(self._give_back(person))
            raise
        if right:
            await self._database.execute(
                "UPDATE identity.pin SET tries = 0 WHERE person = $1 AND hash = $2",
                person,
                encoded,
            )
            return
        left = TRIES - int(row["tries"])
        kind = EventKind.PIN_WRONG if left else EventKind.PIN_LOCKED
        await self._events.record(self._database, person, kind, at_us=self._now(), tries_left=left)
        if left == 0:
            raise PinLocked
        raise PinWrong(tries_left=left)

    async def _give_back(self, person: int) -> None:
        await self._database.execute(
            "UPDATE identity.pin SET tries = tries - 1 WHERE person = $1 AND tries > 0", person
        )

    def _keyed(self, person: int, pin: str) -> bytes:
        return hmac.digest(self._key, f"{person} {pin}".encode(), "sha256")


def check_rules(pin: str) -> None:
    """Raises `PinMalformed` unless `pin` is six digits, `PinWeak` when it is among the first that
    a thief would try: one digit, two digits, a run, a repeated half, a known pattern."""
    if not _FORM.fullmatch(pin):
        raise PinMalformed
    if len(set(pin)) <= 2 or pin in _WEAK or pin in _UP or pin in _DOWN or pin[:3] == pin[3:]:
        raise PinWeak
