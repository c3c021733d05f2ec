"""The list of a person's sign-ins that still hold: with what, from where, how, and last used when.

Device and address are sealed in the database and opened only here, and for a refresh.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tikiwallet.database.pool import Database
from tikiwallet.identity.personal import SESSION_ADDRESS, SESSION_DEVICE, Personal

MOST_SHOWN: Final = 100
_OPEN: Final = """
SELECT s.id, s.device_sealed, s.address_sealed, s.method, s.created_at, s.last_seen_at
FROM identity.session s
JOIN identity.refresh r ON r.session = s.id AND r.used_at IS NULL
WHERE s.person = $1 AND s.revoked_at IS NULL AND least(s.expires_at, r.expires_at) > $2
ORDER BY s.last_seen_at DESC, s.id DESC
LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One of a person's sign-ins that still holds. `method` is how it was made; `device` may be
    empty and `address` None where that is not known."""

    id: bytes
    device: str
    address: str | None
    method: str
    created_at: datetime
    last_seen_at: datetime


async def open_sessions(
    database: Database, personal: Personal, person: int, at: datetime
) -> list[OpenSession]:
    """The sign-ins of `person` that hold at `at`, those in use first; at most `MOST_SHOWN`."""
    rows = await database.fetch(_OPEN, person, at, MOST_SHOWN)
    return [
        OpenSession(
            row["id"].bytes,
            personal.open_any(SESSION_DEVICE, row["id"], row["device_sealed"]) or "",
            personal.open_any(SESSION_ADDRESS, row["id"], row["address_sealed"]),
            row["method"],
            row["created_at"],
            row["last_seen_at"],
        )
        for row in rows
    ]
