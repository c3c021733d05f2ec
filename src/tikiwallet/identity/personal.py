"""Personal data at rest: phones, names and where people sign in from sealed, and a keyed index by
which a phone is found.

The index is HMAC-SHA-256 under a key that is not in the database, so that whoever steals a backup
cannot try out phone numbers, of which there are few. It tells only that two rows have one phone.
"""

import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from tikiwallet.database.pool import AnyConnection
from tikiwallet.identity.keys import ServerSecret, load_server_secret
from tikiwallet.identity.sealing import SealedColumn, Sealing

PERSON_PHONE: Final = SealedColumn("identity.person", "phone_sealed")
PERSON_NAME: Final = SealedColumn("identity.person", "display_name_sealed")
REGISTRATION_PHONE: Final = SealedColumn("identity.registration", "phone_sealed")
PHONE_CHANGE: Final = SealedColumn("identity.phone_change", "phone_sealed")
SESSION_DEVICE: Final = SealedColumn("identity.session", "device_sealed")
SESSION_ADDRESS: Final = SealedColumn("identity.session", "address_sealed")
RECOVERY_DEVICE: Final = SealedColumn("identity.recovery", "device_sealed")
RECOVERY_ADDRESS: Final = SealedColumn("identity.recovery", "address_sealed")
# Not among `SEALED`: the audit trail is append-only, so these stay as they were first sealed.
EVENT_DEVICE: Final = SealedColumn("identity.security_event", "device_sealed")
EVENT_ADDRESS: Final = SealedColumn("identity.security_event", "address_sealed")
_SIGN_INS: Final = (
    (SESSION_DEVICE, SESSION_ADDRESS),
    (RECOVERY_DEVICE, RECOVERY_ADDRESS),
)
SEALED: Final = (
    PERSON_PHONE,
    PERSON_NAME,
    REGISTRATION_PHONE,
    PHONE_CHANGE,
    *(column for columns in _SIGN_INS for column in columns),
)

_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Personal:
    """Seals, opens and indexes what identity keeps of people."""

    sealing: Sealing = field(repr=False)
    _index_key: bytes = field(repr=False)

    @classmethod
    def of(cls, sealing: Sealing, secret: ServerSecret) -> Self:
        """With the keys of one directory."""
        return cls(sealing, secret.subkey("phone index"))

    @classmethod
    def load(cls, keys_dir: Path) -> Self:
        """With the keys in `keys_dir`. Raises `KeyFileError`."""
        return cls.of(Sealing(keys_dir), load_server_secret(keys_dir))

    def phone_index(self, phone: str) -> bytes:
        """32 bytes by which the row of a normalised phone is found."""
        return hmac.digest(self._index_key, phone.encode(), "sha256")

    def seal(self, column: SealedColumn, id: object, text: str) -> bytes:
        """What to keep of `text` in the row `id`."""
        return column.seal(self.sealing, id, text)

    def open(self, column: SealedColumn, id: object, sealed: bytes) -> str:
        """The text kept in the row `id`. Raises `SealBroken`."""
        return column.open(self.sealing, id, sealed)

    def seal_any(self, column: SealedColumn, id: object, text: str | None) -> bytes | None:
        """As `seal`; None for nothing, and for no text."""
        return self.seal(column, id, text) if text else None

    def open_any(self, column: SealedColumn, id: object, sealed: bytes | None) -> str | None:
        """The text kept in the row `id`, if there is one. Raises `SealBroken`."""
        return None if sealed is None else self.open(column, id, sealed)


async def seal_people(connection: AnyConnection, personal: Personal) -> None:
    """The step of migration 0019: phones and names that stand in clear are sealed and indexed."""
    after = 0
    while rows := await connection.fetch(
        f"""
        SELECT id, phone, display_name FROM identity.person
        WHERE id > $1 ORDER BY id LIMIT {_ROWS}
        """,  # noqa: S608 - a number
        after,
    ):
        await connection.executemany(
            """
            UPDATE identity.person
            SET phone_sealed = $2, phone_index = $3, display_name_sealed = $4 WHERE id = $1
            """,
            [_sealed(row, personal) for row in rows],
        )
        after = rows[-1]["id"]


async def seal_sign_ins(connection: AnyConnection, personal: Personal) -> None:
    """The step of migration 0031: where sessions and recoveries came from is sealed."""
    for device, address in _SIGN_INS:
        await _seal_origins(connection, personal, device, address, UUID(int=0))


async def seal_security_events(connection: AnyConnection, personal: Personal) -> None:
    """The step of migration 0033: where the events of the audit trail came from is sealed."""
    await _seal_origins(connection, personal, EVENT_DEVICE, EVENT_ADDRESS, 0)


async def _seal_origins(
    connection: AnyConnection,
    personal: Personal,
    device: SealedColumn,
    address: SealedColumn,
    after: UUID | int,
) -> None:
    """Seal `device` and `address` of every row whose id is above `after`."""
    while rows := await connection.fetch(
        f"""
        SELECT id, device, address FROM {device.table}
        WHERE id > $1 ORDER BY id LIMIT {_ROWS}
        """,  # noqa: S608 - a name of ours and a number
        after,
    ):
        await connection.executemany(
            f"""
            UPDATE {device.table} SET device_sealed = $2, address_sealed = $3 WHERE id = $1
            """,  # noqa: S608 - a name of ours
            [
                (
                    row["id"],
                    personal.seal_any(device, row["id"], row["device"]),
                    personal.seal_any(address, row["id"], row["address"]),
                )
                for row in rows
            ],
        )
        after = rows[-1]["id"]


def _sealed(row: Any, personal: Personal) -> tuple[int, bytes, bytes, bytes]:
    return (
        row["id"],
        personal.seal(PERSON_PHONE, row["id"], row["phone"]),
        personal.phone_index(row["phone"]),
        personal.seal(PERSON_NAME, row["id"], row["display_name"]),
    )
