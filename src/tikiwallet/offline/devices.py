"""Devices that pay and are paid offline: registered, named, and revoked when they are lost."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import InvalidRequest, NotFound, Problem
from tikiwallet.identity.passkeys import NoPasskey
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.offline.limits import TIERS
from tikiwallet.offline.records import Device, Kind, Protection, Reason, device
from tikiwallet.offline.revocations import RevocationLog
from tikiwallet.offline.sealed import DEVICE_NAME

DEVICES_MAX: Final = 20
NAME_MAX: Final = 60
PSEUDONYM_BYTES: Final = 8
_PROTECTIONS: Final = {
    Kind.PHONE: (Protection.PIN, Protection.PASSKEY),
    Kind.TERMINAL: (Protection.FILE,),
}
_ADD: Final = """
INSERT INTO offline.device
    (id, person, name_sealed, kind, protection, tier, pseudonym, created_at, last_sync_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $8
WHERE (SELECT count(*) FROM offline.device WHERE person = $2 AND revoked_at IS NULL) < $9
RETURNING *
"""
# Revoked ones too: who signed twice is not freed by setting another device up.
_STOPPED: Final = """
SELECT EXISTS (SELECT FROM offline.device WHERE person = $1 AND frozen_at IS NOT NULL)
"""
# Counted one after the other: an INSERT does not see what another one is about to add.
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('offline devices', $1))"
_REVOKE: Final = """
UPDATE offline.device SET revoked_at = $3, reason = $4
WHERE id = $1 AND person = $2 AND revoked_at IS NULL RETURNING *
"""
_PASSES: Final = """
SELECT id FROM offline.pass WHERE device = $1 AND next_check_at IS NOT NULL AND claim_until > $2
"""


class DevicesFull(Problem):
    code = "offline_devices_full"
    title = f"There are {DEVICES_MAX} devices for offline money already; revoke one first"


class DeviceRevoked(Problem):
    code = "offline_device_revoked"
    title = "This device was revoked; set it up anew"


class DeviceFrozen(Problem):
    code = "offline_device_frozen"
    title = (
        "A device of yours signed twice; none gets offline money until somebody has looked at it"
    )


class HasPasskeys(Protocol):
    """What registering needs of passkeys."""

    async def all(self, person: int) -> Sequence[object]: ...


class Devices:
    """Keeps devices."""

    def __init__(
        self,
        database: Database,
        *,
        personal: Personal,
        events: SecurityEvents,
        passkeys: HasPasskeys,
        revocations: RevocationLog,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._personal = personal
        self._events = events
        self._passkeys = passkeys
        self._revocations = revocations
        self._now = now

    async def register(self, person: int, name: str, kind: Kind, protection: Protection) -> Device:
        """A new device of `person`. Its tier follows from what keeps its keys; a terminal gets the
        pseudonym that payee-locked passes name. Raises InvalidRequest, NoPasskey, DevicesFull,
        DeviceFrozen."""
        if protection not in _PROTECTIONS[kind]:
            fitting = " or ".join(_PROTECTIONS[kind])
            raise InvalidRequest(
                f"The keys of a {kind} are kept by {fitting}", pointer="/protection"
            )
        if protection is Protection.PASSKEY and not await self._passkeys.all(person):
            raise NoPasskey
        id = ids.new_id()
        if await self.is_stopped(person):
            raise DeviceFrozen
        async with self._database.transaction() as connection:
            await connection.execute(_TURN, person)
            row = await connection.fetchrow(
                _ADD,
                id,
                person,
                self._personal.seal(DEVICE_NAME, id, name),
                kind.value,
                protection.value,
                TIERS[protection],
                os.urandom(PSEUDONYM_BYTES) if kind is Kind.TERMINAL else None,
                clock.from_us(self._now()),
                DEVICES_MAX,
            )
            if row is None:
                raise DevicesFull
            added = EventKind.OFFLINE_DEVICE_ADDED
            await self._events.record(connection, person, added, at_us=self._now(), what=kind.value)
        return device(row, self._personal)

    async def of_person(self, person: int) -> list[Device]:
        """All devices of a person, revoked ones among them, oldest first."""
        rows = await self._database.fetch(
            "SELECT * FROM offline.device WHERE person = $1 ORDER BY created_at, id", person
        )
        return [device(row, self._personal) for row in rows]

    async def get(self, person: int, id: int) -> Device:
        """One device of `person`. Raises NotFound."""
        row = await self._database.fetchrow(
            "SELECT * FROM offline.device WHERE id = $1 AND person = $2", id, person
        )
        return self._device(row)

    async def is_stopped(self, person: int) -> bool:
        """Whether a device of `person` signed twice, and nobody has decided about it yet."""
        return bool(await self._database.fetchval(_STOPPED, person))

    async def by_pseudonym(self, pseudonym: bytes) -> Device | None:
        """The device that takes passes locked to `pseudonym`, unless it was revoked."""
        row = await self._database.fetchrow(
            "SELECT * FROM offline.device WHERE pseudonym = $1 AND revoked_at IS NULL", pseudonym
        )
        return None if row is None else device(row, self._personal)

    async def rename(self, person: int, id: int, name: str) -> Device:
        """Give it another name. Raises NotFound."""
        row = await self._database.fetchrow(
            "UPDATE offline.device SET name_sealed = $3 WHERE id = $1 AND person = $2 RETURNING *",
            id,
            person,
            self._personal.seal(DEVICE_NAME, id, name),
        )
        return self._device(row)

    async def revoke(self, person: int, id: int, reason: Reason) -> Device:
        """End a device for good: its passes go on the list, in one step with it. One that was
        revoked before stays as it is. Raises NotFound."""
        async with self._database.transaction() as connection:
            row = await self._revoke(connection, person, id, reason)
        return await self.get(person, id) if row is None else device(row, self._personal)

    async def revoke_all(self, person: int) -> None:
        """End all devices of an account that is closed."""
        for one in await self.of_person(person):
            if one.revoked_at is None:
                await self.revoke(person, one.id, Reason.CLOSED)

    async def _revoke(self, connection: AnyConnection, person: int, id: int, reason: Reason) -> Any:
        at = clock.from_us(self._now())
        row = await connection.fetchrow(_REVOKE, id, person, at, reason.value)
        if row is not None:
            await self._events.record(
                connection,
                person,
                EventKind.OFFLINE_DEVICE_REVOKED,
                at_us=self._now(),
                what=row["kind"],
                reason=reason.value,
            )
            # A pass is only begun while its device's row is locked, so none comes after this.
            passes = await connection.fetch(_PASSES, id, at)
            await self._revocations.add(
                connection, [one["id"].bytes for one in passes], reason.value, at
            )
        return row

    def _device(self, row: Any) -> Device:
        if row is None:
            raise NotFound("You have no such device")
        return device(row, self._personal)
