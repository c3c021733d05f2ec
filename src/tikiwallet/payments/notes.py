"""Private notes about payments, which the server keeps and cannot read.

Each side of a payment has one note, in as many copies as devices shall read it. Whoever writes
theirs again replaces all copies of it, and nobody replaces anybody else's. Copies go only to
devices of people whom the writer sees in the payment: who paid sees all that were paid, who was
paid sees the payer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound, Problem
from tikiwallet.identity import usernames
from tikiwallet.identity.note_keys import NoteKey, NoteKeys
from tikiwallet.identity.people import People
from tikiwallet.ledger.port import Ledger
from tikiwallet.payments.activity import Activity
from tikiwallet.wallets.wallets import Wallets

COPY_MAX: Final = 2_048  # bytes
COPIES_MAX: Final = 100
_LOOKED_AT: Final = 1_000  # newest entries of each wallet that are searched for the other person

_KNOWN: Final = """
SELECT EXISTS (
    SELECT FROM unnest($1::bigint[]) AS mine (account)
    CROSS JOIN LATERAL (
        SELECT n FROM ledger.entry WHERE account = mine.account AND n <= $3
        ORDER BY seq DESC LIMIT $4
    ) AS e
    JOIN ledger.log AS l ON l.shard = 0 AND l.n = e.n
    WHERE l.debit = ANY($2::bigint[]) OR l.credit = ANY($2::bigint[])
)
"""
_READ: Final = """
SELECT note.author, note.from_device, note.at, copy.data
FROM payments.note LEFT JOIN payments.note_copy AS copy
    ON (copy.payment, copy.author, copy.device) = (note.payment, note.author, $2)
WHERE note.payment = $1 ORDER BY note.at DESC, note.author
"""


class NoteUnreadable(Problem):
    code = "note_unreadable"
    title = "This note was not written for this device; nobody else can make it readable here"


class NoteDeviceUnknown(Problem):
    """`device_ids` names them."""

    code = "note_device_unknown"
    title = "A copy is for a device that has no part in this payment, or is gone; look again"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as one device gets it: ciphertext, whose it is and the device it was written on."""

    data: bytes
    author: int
    author_name: str
    from_device: UUID | None
    at: datetime


class Notes:
    """Keeps copies of notes for devices."""

    def __init__(
        self,
        database: Database,
        *,
        activity: Activity,
        keys: NoteKeys,
        people: People,
        wallets: Wallets,
        ledger: Ledger,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._activity = activity
        self._keys = keys
        self._people = people
        self._wallets = wallets
        self._ledger = ledger
        self._now = now

    async def write(
        self,
        person: int,
        payment: bytes,
        copies: Mapping[UUID, bytes],
        from_device: UUID | None = None,
    ) -> None:
        """Write, or write anew, the note of `person`: for each device (at most COPIES_MAX) its
        ciphertext of 1 to COPY_MAX bytes. Raises NotFound for who has no part in the payment, and
        `NoteDeviceUnknown`; nothing is kept then."""
        parties = await self._parties(person, payment)
        named = {*copies, *([] if from_device is None else [from_device])}
        owners = await self._keys.owners(named)
        unknown = [device for device in copies if owners.get(device) not in parties]
        if from_device is not None and owners.get(from_device) != person:
            unknown.append(from_device)
        if unknown:
            raise NoteDeviceUnknown(device_ids=[str(device) for device in unknown])
        id = UUID(bytes=payment)
        async with self._database.transaction() as connection:
            await connection.execute(
                """
                INSERT INTO payments.note (payment, author, from_device, at)
                VALUES ($1, $2, $3, $4)
                ON CONFLICT (payment, author) DO UPDATE SET from_device = $3, at = $4
                """,
                id,
                person,
                from_device,
                clock.from_us(self._now()),
            )
            await connection.execute(
                "DELETE FROM payments.note_copy WHERE payment = $1 AND author = $2", id, person
            )
            await connection.executemany(
                """
                INSERT INTO payments.note_copy (payment, author, device, data)
                VALUES ($1, $2, $3, $4)
                """,
                [(id, person, device, data) for device, data in copies.items()],
            )

    async def read(self, person: int, payment: bytes, device: UUID) -> list[Note]:
        """The notes of a payment in their copies for `device`, which is one of the person's own;
        newest first, at least one. Raises NotFound when there is none, or no such device, and
        `NoteUnreadable` when there are notes and none was written for this device."""
        parties = await self._parties(person, payment)
        if (await self._keys.owners([device])).get(device) != person:
            raise NotFound("You have no such device")
        rows = await self._database.fetch(_READ, UUID(bytes=payment), device)
        # Of what another payee wrote to the payer nobody learns that it is there.
        mine = [row for row in rows if row["author"] in parties]
        if not mine:
            raise NotFound("There is no note about this payment")
        readable = [row for row in mine if row["data"] is not None]
        if not readable:
            raise NoteUnreadable
        names = await self._people.names({row["author"] for row in readable})
        return [
            Note(
                row["data"],
                row["author"],
                (names[row["author"]].username if row["author"] in names else None) or "",
                row["from_device"],
                row["at"],
            )
            for row in readable
        ]

    async def erase(self, person: int, payment: bytes) -> None:
        """Remove the person's own note from everybody's devices' sight. Raises NotFound."""
        erased = await self._database.fetchval(
            "DELETE FROM payments.note WHERE payment = $1 AND author = $2 RETURNING true",
            UUID(bytes=payment),
            person,
        )
        if erased is None:
            raise NotFound("You wrote no note about this payment")

    async def keys_of(self, asker: int, to: str) -> list[NoteKey]:
        """The keys of the person `to` (an @username), for who had a payment with them of late.
        Raises NotFound for strangers and for those there are not. A phone is not looked up: the
        time it takes would tell whether it is known."""
        name = usernames.parse_mention(to)
        found = None if name is None else await self._people.find_by_username(name)
        if found is None or not await self._know_each_other(asker, found.id):
            raise NotFound("You had no payment with this person of late")
        return await self._keys.of_person(found.id)

    async def remove_device(self, person: int, device: UUID) -> None:
        """Forget a device's key, and the copies that only it could read. Raises NotFound."""
        await self._keys.remove(person, device)
        await self._database.execute("DELETE FROM payments.note_copy WHERE device = $1", device)

    async def _parties(self, person: int, payment: bytes) -> set[int]:
        """Whom `person` sees in the payment, themselves included. Raises NotFound."""
        view, owners = await self._activity.payment(person, payment)
        seen = {side for leg in view.legs for side in (leg.debit, leg.credit)}
        return {owner.person for wallet, owner in owners.items() if wallet in seen}

    async def _know_each_other(self, one: int, other: int) -> bool:
        if one == other:
            return True
        mine = [wallet.id for wallet in await self._wallets.of_person(one)]
        theirs = [wallet.id for wallet in await self._wallets.of_person(other)]
        stable_n = await self._ledger.stable_n()
        known: bool = await self._database.fetchval(_KNOWN, mine, theirs, stable_n, _LOOKED_AT)
        return known
