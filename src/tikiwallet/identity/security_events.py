"""The audit trail of people's accounts: who signed in, which factor changed, what was tried.

An event is written in the database transaction of what it reports, so that neither exists without
the other; what failed has no transaction of its own and its event commits by itself. Rows are only
ever added. Where an event came from is sealed. `detail` holds a few plain facts and never a code, a
password, a name or a whole phone number: it outlives all of them.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from tikiwallet import clock, ids, logs
from tikiwallet.database.pool import Database
from tikiwallet.identity import origin
from tikiwallet.identity.origin import Origin
from tikiwallet.identity.personal import EVENT_ADDRESS, EVENT_DEVICE, Personal
from tikiwallet.identity.sealing import SealBroken
from tikiwallet.ledger.history import BadCursor

_log = logs.get(__name__)

PAGE: Final = 50
_CURSOR: Final = "e"


class EventKind(StrEnum):
    """What can happen; stored and told, so names are never reused for something else."""

    REGISTERED = "registered"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SECOND_FACTOR_FAILED = "second_factor_failed"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    SESSIONS_ENDED = "sessions_ended"
    REFRESH_REUSED = "refresh_reused"
    REAUTHENTICATED = "reauthenticated"
    REAUTHENTICATION_FAILED = "reauthentication_failed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an event
    PASSWORD_CHANGE_FAILED = "password_change_failed"  # noqa: S105
    PIN_SET = "pin_set"
    PIN_CHANGED = "pin_changed"
    PIN_WRONG = "pin_wrong"
    PIN_LOCKED = "pin_locked"
    PIN_RESET = "pin_reset"
    PIN_THRESHOLD_CHANGED = "pin_threshold_changed"
    TOTP_ON = "totp_on"
    TOTP_OFF = "totp_off"
    SMS_FACTOR_ON = "sms_factor_on"
    SMS_FACTOR_OFF = "sms_factor_off"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_RENAMED = "passkey_renamed"
    PASSKEY_REMOVED = "passkey_removed"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_CODE_USED = "recovery_code_used"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    NAME_CHANGED = "name_changed"
    RECOVERY_ASKED = "recovery_asked"
    RECOVERY_CODE_FAILED = "recovery_code_failed"
    RECOVERY_BEGUN = "recovery_begun"
    RECOVERY_CANCELLED = "recovery_cancelled"
    RECOVERY_COMPLETED = "recovery_completed"
    PHONE_CHANGE_ASKED = "phone_change_asked"
    PHONE_CHANGE_CODE_FAILED = "phone_change_code_failed"
    PHONE_CHANGE_BEGUN = "phone_change_begun"
    PHONE_CHANGE_CONFIRMED = "phone_change_confirmed"
    PHONE_CHANGE_CANCELLED = "phone_change_cancelled"
    PHONE_CHANGE_FAILED = "phone_change_failed"
    PHONE_CHANGED = "phone_changed"
    OFFLINE_DEVICE_ADDED = "offline_device_added"
    OFFLINE_DEVICE_REVOKED = "offline_device_revoked"
    OFFLINE_DEVICE_FROZEN = "offline_device_frozen"
    OFFLINE_DEVICE_THAWED = "offline_device_thawed"
    OFFLINE_DEBT_BEGUN = "offline_debt_begun"
    OFFLINE_DEBT_PAID = "offline_debt_paid"
    OFFLINE_DEBT_ENDED = "offline_debt_ended"
    EXPORTED = "exported"
    CLOSING_FAILED = "closing_failed"
    CLOSED = "closed"
    FREED = "freed"


class Executes(Protocol):
    """A connection inside a database transaction, or a `Database`, where each statement commits by
    itself."""

    async def execute(self, sql: str, /, *args: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One event as its person reads it; `session` is where it happened or what it was about."""

    id: int
    at: datetime
    kind: str
    device: str | None
    address: str | None
    detail: dict[str, object]
    session: bytes | None


_INSERT: Final = """
INSERT INTO identity.security_event
    (id, person, at, kind, session, device_sealed, address_sealed, request, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
"""
_PAGE: Final = """
SELECT id, at, kind, device_sealed, address_sealed, detail::text AS detail, session
FROM identity.security_event WHERE person = $1 AND id < $2 ORDER BY id DESC LIMIT $3
"""


class SecurityEvents:
    """Writes and reads the trail."""

    def __init__(self, personal: Personal) -> None:
        self._personal = personal

    async def record(
        self,
        connection: Executes,
        person: int | None,
        kind: EventKind,
        *,
        session: bytes | None = None,
        at_us: int | None = None,
        **detail: object,
    ) -> int:
        """Add one event of `person` (None: nobody that is known), with the request's device and
        address; its id. `detail`: JSON values, no secret and nothing that names a person."""
        id = ids.new_id()
        came_from = origin.current()
        await connection.execute(
            _INSERT,
            id,
            person,
            clock.from_us(clock.now_us() if at_us is None else at_us),
            kind.value,
            None if session is None else ids.write_uuid(session),
            self._personal.seal_any(EVENT_DEVICE, id, came_from.device),
            self._personal.seal_any(EVENT_ADDRESS, id, came_from.address),
            logs.request_id.get() or None,
            json.dumps(detail),
        )
        return id

    async def page(
        self, database: Database, person: int, cursor: str | None = None, limit: int = PAGE
    ) -> tuple[list[SecurityEvent], str | None]:
        """The events of `person`, newest first, and the cursor of the next page. Raises
        BadCursor."""
        below = 1 << 63
        if cursor is not None:
            read = ids.read_id(_CURSOR, cursor)
            if read is None:
                raise BadCursor
            below = read
        rows = await database.fetch(_PAGE, person, min(below, (1 << 63) - 1), limit + 1)
        found = [self._event(row) for row in rows[:limit]]
        more = len(rows) > limit
        return found, ids.write_id(_CURSOR, found[-1].id) if more else None

    def origin_of(self, id: int, device: bytes | None, address: bytes | None) -> Origin | None:
        """Where the event `id` came from, by its two sealed values; None when they do not open, as
        after the loss of a key: that it happened can be told all the same."""
        try:
            return Origin(
                self._personal.open_any(EVENT_DEVICE, id, device),
                self._personal.open_any(EVENT_ADDRESS, id, address),
            )
        except SealBroken as broken:
            _log.error("where an event came from does not open", id=id, why=str(broken))
            return None

    def _event(self, row: Any) -> SecurityEvent:
        came_from = self.origin_of(row["id"], row["device_sealed"], row["address_sealed"])
        return SecurityEvent(
            row["id"],
            row["at"],
            row["kind"],
            came_from and came_from.device,
            came_from and came_from.address,
            json.loads(row["detail"]),
            None if row["session"] is None else row["session"].bytes,
        )
