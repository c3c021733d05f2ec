"""Two messages that one key signed and never signs if its store is never set back: written down
with their proof, the device frozen, its passes revoked. While a device is frozen, none of its
person's gets a pass, nor is another one registered.

They prove that a key signed twice. Whether that was fraud or a phone restored from a backup is for
a person to decide.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from tikiwallet import ids
from tikiwallet.clock import from_us, now_us
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound
from tikiwallet.identity import origin
from tikiwallet.identity.sealing import Sealing
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.offline.desk import Found, InviteOf, Owed, PayOf
from tikiwallet.offline.records import DEVICE_PREFIX
from tikiwallet.offline.sealed import CLAIM_INVITE, CLAIM_PAY, seal_proof

REASON: Final = "signed_twice"  # on the revocation list
_PARTS = """
    SELECT pay_hash, pay_sealed, invite_sealed FROM offline.claim
    WHERE pay_hash = ANY($1::bytea[])
"""
_NUMBER = "SELECT nextval('offline.conflict_number')"
_RECORD = """
    INSERT INTO offline.conflict
        (id, kind, pass, device, person, first_hash, second_hash, messages_sealed, found_at, keys)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
    WHERE (SELECT count(*) FROM offline.conflict WHERE pass = $3) < $11
    ON CONFLICT DO NOTHING RETURNING id
"""
PROOFS_MAX: Final = 20  # of one pass; more prove nothing new
_FREEZE = """
    UPDATE offline.device SET frozen_at = $2
    WHERE id = ANY($1::bigint[]) AND frozen_at IS NULL RETURNING person, kind
"""
_THAW = """
    UPDATE offline.device SET frozen_at = NULL
    WHERE (id = $1 OR person = $2) AND frozen_at IS NOT NULL
    RETURNING id, person, kind
"""
_STOPPED = "SELECT count(*) FROM offline.device WHERE person = $1 AND frozen_at IS NOT NULL"
# They are revoked: nobody takes them, and an open one would keep the device from having another.
_END = """
    UPDATE offline.pass SET state = 'closed', next_check_at = claim_until
    WHERE device = $1 AND state = 'open'
"""
# Those about to be signed as well: a pass is begun while its device's row is locked.
_PASSES = """
    SELECT id FROM offline.pass
    WHERE device = ANY($1::bigint[]) AND next_check_at IS NOT NULL AND claim_until > $2
"""
# Each claim once, whatever arrives again; with it what the payer still owes the payee for it.
_OWE = """
    INSERT INTO offline.debt (pay_hash, debtor, creditor, debtor_wallet, creditor_account, currency,
        amount, since, next_check_at)
    SELECT $1, claim.payee, claim.payer, claim.payee_account, payer.wallet, claim.currency,
        $2 + coalesce(uncovered.owed, 0), $3, $3
    FROM offline.claim JOIN offline.pass AS payer ON payer.id = claim.payer_pass
    LEFT JOIN LATERAL (
        SELECT CASE WHEN ended IS NULL THEN amount ELSE paid END AS owed FROM offline.debt
        WHERE debt.pay_hash = claim.pay_hash AND creditor = claim.payee
    ) AS uncovered ON true
    WHERE claim.pay_hash = $1 AND claim.payer <> claim.payee
        AND $2 + coalesce(uncovered.owed, 0) > 0
    ON CONFLICT DO NOTHING
"""


class Revokes(Protocol):
    """What a conflict needs of the revocation list."""

    async def add(
        self, connection: AnyConnection, passes: Sequence[bytes], reason: str, at: datetime
    ) -> None:
        """Put these passes on the list when the database transaction commits."""


class HasKeys(Protocol):
    """What a conflict needs of the issuer."""

    def key_list(self) -> bytes:
        """The KEYS message of now."""


class Conflicts:
    """Writes conflicts down."""

    def __init__(
        self, revocations: Revokes, issuer: HasKeys, sealing: Sealing, events: SecurityEvents
    ) -> None:
        self._revocations = revocations
        self._issuer = issuer
        self._sealing = sealing
        self._events = events

    async def record(self, connection: AnyConnection, found: Sequence[Found], now: int) -> None:
        """Write `found` down, freeze the devices, tell their people and revoke their passes, in the
        caller's database transaction, which holds the passes locked and has the claims written.
        What was written down before freezes nothing again: a person may have decided; nor does
        what comes after `PROOFS_MAX` of a pass, which is not written down."""
        if not found:
            return
        at = from_us(now)
        known = await self._known(connection, found)
        devices: set[int] = set()
        keys = self._issuer.key_list()
        for kind, owner, first, second, parts in found:
            messages = [one if isinstance(one, bytes) else known[one] for one in parts]
            number = await connection.fetchval(_NUMBER)
            written = await connection.fetchval(
                _RECORD,
                number,
                kind.value,
                UUID(bytes=owner.id),
                owner.device,
                owner.person,
                first,
                second,
                seal_proof(self._sealing, number, messages),
                at,
                keys,
                PROOFS_MAX,
            )
            if written is not None:
                devices.add(owner.device)
        if devices:
            await self._freeze(connection, sorted(devices), now)

    async def _freeze(self, connection: AnyConnection, devices: Sequence[int], now: int) -> None:
        at = from_us(now)
        for row in await connection.fetch(_FREEZE, devices, at):
            with origin.hidden():  # who brought the messages is none of their business
                await self._events.record(
                    connection,
                    row["person"],
                    EventKind.OFFLINE_DEVICE_FROZEN,
                    at_us=now,
                    what=row["kind"],
                    reason=REASON,
                )
        rows = await connection.fetch(_PASSES, devices, at)
        await self._revocations.add(connection, [row["id"].bytes for row in rows], REASON, at)

    async def _known(
        self, connection: AnyConnection, found: Sequence[Found]
    ) -> dict[PayOf | InviteOf, bytes]:
        """The messages that are known by the hash of their PAY."""
        parts = {part for one in found for part in one.messages if not isinstance(part, bytes)}
        rows = await connection.fetch(_PARTS, [part.hash for part in parts])
        sealed = {row["pay_hash"]: row for row in rows}
        return {part: self._open(part, sealed[part.hash]) for part in parts}

    def _open(self, part: PayOf | InviteOf, row: Any) -> bytes:
        column = CLAIM_PAY if isinstance(part, PayOf) else CLAIM_INVITE
        return column.open_bytes(self._sealing, row["pay_hash"], row[column.column])


class Thawing:
    """Frees devices once a person has decided."""

    def __init__(
        self, database: Database, events: SecurityEvents, now: Callable[[], int] = now_us
    ) -> None:
        self._database = database
        self._events = events
        self._now = now

    async def thaw(self, device: int) -> int:
        """Free one device; how many others still stop its person, who has passes again once none
        does. Those it had stay revoked, and end. Raises NotFound when it is not frozen."""
        async with self._database.transaction() as connection:
            thawed = await self._thaw(connection, device, None)
            if not thawed:
                raise NotFound(f"No device {ids.write_id(DEVICE_PREFIX, device)} is frozen")
            return int(await connection.fetchval(_STOPPED, thawed[0]["person"]))

    async def thaw_all(self, person: int) -> int:
        """Free all devices of a person; how many. Raises NotFound when none is frozen."""
        async with self._database.transaction() as connection:
            thawed = await self._thaw(connection, None, person)
        if not thawed:
            raise NotFound(f"No device of {ids.write_id('p', person)} is frozen")
        return len(thawed)

    async def _thaw(
        self, connection: AnyConnection, device: int | None, person: int | None
    ) -> Sequence[Any]:
        thawed = await connection.fetch(_THAW, device, person)
        for row in thawed:
            await connection.execute(_END, row["id"])
            await self._events.record(
                connection,
                row["person"],
                EventKind.OFFLINE_DEVICE_THAWED,
                at_us=self._now(),
                what=row["kind"],
            )
        return thawed


async def owe_back(connection: AnyConnection, owed: Sequence[Owed], now: int) -> None:
    """What payees called off although they were paid for it becomes a debt to their payers."""
    for one in owed:
        await connection.execute(_OWE, one.claim, one.amount, from_us(now))
