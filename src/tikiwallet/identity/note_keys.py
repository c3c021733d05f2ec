"""Public keys of devices, for private notes that only the holders of the private keys can read.

A device chooses its id and keeps its private key; we see neither that key nor any note. A key
never changes under its id, so that nobody can put another one in its place: a device with a new
key is a new device.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound, Problem
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.sealing import SealedColumn

DEVICES_MAX: Final = 20
NAME_MAX: Final = 60
NOTE_KEY_NAME: Final = SealedColumn("identity.note_key", "name_sealed", "device")

_X25519_BYTES: Final = 32
_SELECT: Final = "SELECT device, person, public_key, name_sealed, created_at FROM identity.note_key"


class NoteKeyInvalid(Problem):
    code = "note_key_invalid"
    title = "This is neither a P-256 point (65 bytes, uncompressed) nor an X25519 key (32 bytes)"


class NoteKeyTaken(Problem):
    code = "note_key_taken"
    title = "There is another key under this device id; a new key needs a new id"


class NoteKeysFull(Problem):
    code = "note_keys_full"
    title = f"There are {DEVICES_MAX} devices already; remove one first"


@dataclass(frozen=True, slots=True)
class NoteKey:
    """One device of `person` that can read notes; `name` is for that person's own list."""

    device: UUID
    person: int
    public_key: bytes
    name: str
    created_at: datetime


class NoteKeys:
    """Keeps and finds devices' public keys."""

    def __init__(
        self, database: Database, personal: Personal, now: Callable[[], int] = clock.now_us
    ) -> None:
        self._database = database
        self._personal = personal
        self._now = now

    async def publish(self, person: int, device: UUID, public_key: bytes, name: str) -> NoteKey:
        """Keep the key of a device, or only its new name when the key is there. Raises
        `NoteKeyInvalid`, `NoteKeyTaken`, `NoteKeysFull`."""
        check_public_key(public_key)
        sealed = self._personal.seal(NOTE_KEY_NAME, device, name)
        async with self._database.transaction() as connection:
            # Those of one person wait for each other here, so that they count right.
            await connection.execute(
                "SELECT FROM identity.person WHERE id = $1 FOR NO KEY UPDATE", person
            )
            count: int = await connection.fetchval(
                "SELECT count(*) FROM identity.note_key WHERE person = $1 AND device <> $2",
                person,
                device,
            )
            if count >= DEVICES_MAX:
                raise NoteKeysFull
            row = await connection.fetchrow(
                """
                INSERT INTO identity.note_key AS k
                    (device, person, public_key, name_sealed, created_at)
                VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (device) DO UPDATE SET name_sealed = $4
                WHERE k.person = $2 AND k.public_key = $3
                RETURNING device, person, public_key, name_sealed, created_at
                """,
                device,
                person,
                public_key,
                sealed,
                clock.from_us(self._now()),
            )
        if row is None:
            raise NoteKeyTaken
        return self._note_key(row)

    async def of_person(self, person: int) -> list[NoteKey]:
        """The keys of a person's devices, oldest first."""
        rows = await self._database.fetch(
            f"{_SELECT} WHERE person = $1 ORDER BY created_at, device", person
        )
        return [self._note_key(row) for row in rows]

    async def owners(self, devices: Collection[UUID]) -> dict[UUID, int]:
        """Whose those of `devices` are that have a key."""
        rows = await self._database.fetch(
            "SELECT device, person FROM identity.note_key WHERE device = ANY($1::uuid[])",
            list(devices),
        )
        return {row["device"]: row["person"] for row in rows}

    async def remove(self, person: int, device: UUID) -> None:
        """Forget a key: nobody writes to that device any more. Raises NotFound."""
        removed = await self._database.fetchval(
            "DELETE FROM identity.note_key WHERE device = $1 AND person = $2 RETURNING true",
            device,
            person,
        )
        if removed is None:
            raise NotFound("You have no such device")

    def _note_key(self, row: asyncpg.Record | Any) -> NoteKey:
        device = row["device"]
        name = self._personal.open(NOTE_KEY_NAME, device, row["name_sealed"])
        return NoteKey(device, row["person"], row["public_key"], name, row["created_at"])


def check_public_key(public_key: bytes) -> None:
    """Raises `NoteKeyInvalid` for what is no public key, and for X25519 keys with which every
    shared secret is zero."""
    try:
        if len(public_key) == _X25519_BYTES:
            theirs = X25519PublicKey.from_public_bytes(public_key)
            X25519PrivateKey.generate().exchange(theirs)
        elif public_key[:1] == b"\x04":
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        else:
            raise NoteKeyInvalid
    except ValueError:
        raise NoteKeyInvalid from None
