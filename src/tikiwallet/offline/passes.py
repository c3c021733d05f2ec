"""Passes: money that leaves the wallet for escrow, and a signed promise over it.

The intent is committed, the ledger moves the money under the pass's own id, then the message is
signed and kept. Each step can be repeated, so whoever finds a pass between two steps goes on: the
request that asked for it, or `finish_due` when that one is gone.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import asyncpg

from tikiwallet import clock, ids, logs
from tikiwallet.clock import from_us, to_us
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound
from tikiwallet.identity.people import People
from tikiwallet.identity.personal import Personal
from tikiwallet.ledger.history import BadCursor
from tikiwallet.ledger.transactions import Result
from tikiwallet.offline.admission import (
    Admission,
    Admitted,
    PassKeyUsed,
    PassOpen,
    PassRequest,
)
from tikiwallet.offline.devices import PSEUDONYM_BYTES, DeviceFrozen, DeviceRevoked
from tikiwallet.offline.escrow import Escrow
from tikiwallet.offline.exchange.purse import Tip
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.limits import CLAIM_HOURS
from tikiwallet.offline.names import short_name
from tikiwallet.offline.records import PassRecord, PassState, pass_record
from tikiwallet.offline.revocations import RevocationLog
from tikiwallet.offline.sealed import PASS
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import Close, Limits, Pass
from tikiwallet.offline.wire.phones import SALT_LENGTH, commitment
from tikiwallet.wallets.refusals import Abandoned, IdempotencyKeyReused, refusal

PAGE: Final = 50
TAKEN_UP: Final = timedelta(seconds=30)  # longer than a request works on its pass
_BATCH: Final = 50

_DEVICE: Final = """
UPDATE offline.device SET last_sync_at = $2 WHERE id = $1
RETURNING revoked_at, frozen_at IS NOT NULL OR EXISTS (
    SELECT FROM offline.device AS other
    WHERE other.person = device.person AND other.frozen_at IS NOT NULL
) AS stopped
"""
_EXPIRE_OF: Final = """
UPDATE offline.pass SET state = 'expired', next_check_at = claim_until
WHERE device = $1 AND currency = $2 AND state = 'open' AND expires_at <= $3
"""
# A pass that only receives has nothing to close: the next one takes its place.
_REPLACE: Final = """
UPDATE offline.pass SET state = 'closed', next_check_at = claim_until
WHERE device = $1 AND currency = $2 AND state = 'open' AND amount = 0
"""
_OPEN: Final = """
SELECT id FROM offline.pass
WHERE device = $1 AND currency = $2 AND (amount > 0) = $3 AND state IN ('reserving', 'open')
"""
_INTENT: Final = """
INSERT INTO offline.pass
    (id, device, person, wallet, currency, escrow, amount, public_key, pseudonym, tier,
    most_per_payment, payments, hops, payee_lock, not_before, expires_at, claim_until, state,
    digest, created_at, next_check_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'reserving',
    $18, $19, $20)
RETURNING *
"""
_SIGNED: Final = """
UPDATE offline.pass SET state = 'open', message_sealed = $2, hash = $3, next_check_at = expires_at
WHERE id = $1 AND state = 'reserving' RETURNING *
"""
_REFUSED: Final = """
UPDATE offline.pass SET state = 'refused', next_check_at = NULL
WHERE id = $1 AND state = 'reserving'
"""
_LEFT_OVER: Final = """
UPDATE offline.pass SET next_check_at = $2 WHERE id IN (
    SELECT id FROM offline.pass WHERE next_check_at <= $1 AND state = 'reserving'
    ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING *
"""
_EXPIRE: Final = """
UPDATE offline.pass SET state = 'expired', next_check_at = claim_until WHERE id IN (
    SELECT id FROM offline.pass WHERE next_check_at <= $1 AND state = 'open' AND expires_at <= $1
    ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""
_PAGE: Final = """
SELECT * FROM offline.pass WHERE person = $1 AND ($2::uuid IS NULL OR (created_at, id) <
    (SELECT created_at, id FROM offline.pass WHERE id = $2 AND person = $1))
ORDER BY created_at DESC, id DESC LIMIT $3
"""
_ENDS: Final = """
SELECT DISTINCT ON (payer_pass) payer_pass, sequence, pay_hash, cumulative FROM offline.claim
WHERE payer_pass = ANY($1::uuid[]) ORDER BY payer_pass, sequence DESC, arrived_at, pay_hash
"""
_HOLDING: Final = """
SELECT * FROM offline.pass WHERE person = $1 AND escrow IS NOT NULL AND next_check_at IS NOT NULL
"""
_log = logs.get(__name__)


class Passes:
    """Issues and shows passes, and takes up what was cut short."""

    def __init__(
        self,
        database: Database,
        *,
        admission: Admission,
        escrow: Escrow,
        issuer: Issuer,
        revocations: RevocationLog,
        people: People,
        personal: Personal,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._admission = admission
        self._escrow = escrow
        self._issuer = issuer
        self._revocations = revocations
        self._people = people
        self._personal = personal
        self._now = now

    async def issue(self, request: PassRequest) -> tuple[PassRecord, bool]:
        """The pass that was asked for, open; True when the same was asked for before, and the same
        message is told. Raises what `Admission.admit` does, IdempotencyKeyReused, PassOpen,
        PassKeyUsed, and what the ledger refuses."""
        record = await self._load(request.id)
        replayed = record is not None
        if record is None:
            record = await self._begin(await self._admission.admit(request))
        if record.digest != request.digest:
            raise IdempotencyKeyReused
        return await self._advance(record), replayed

    async def get(self, person: int, id: bytes) -> PassRecord:
        """A pass as it is now. Raises NotFound when it is not this person's."""
        record = await self._load(id)
        if record is None or record.person != person:
            raise NotFound("You have no such pass")
        return record

    async def page(
        self, person: int, cursor: str | None = None, limit: int = PAGE
    ) -> tuple[list[PassRecord], str | None]:
        """The passes of `person`, newest first, and the cursor of the next page. Raises
        BadCursor."""
        if cursor is not None and ids.read_uuid(cursor) is None:
            raise BadCursor
        rows = await self._database.fetch(_PAGE, person, cursor, limit + 1)
        found = [self._record(row) for row in rows[:limit]]
        more = len(rows) > limit
        return found, ids.write_uuid(found[-1].id) if more else None

    async def holding(self, person: int) -> list[PassRecord]:
        """Those that may hold money of `person`, and so may still lose or return some."""
        return [self._record(row) for row in await self._database.fetch(_HOLDING, person)]

    async def left(self, records: list[PassRecord]) -> dict[bytes, int]:
        """What is left in each, by its id. Raises Unavailable."""
        return await self._escrow.left(records)

    async def tips(self, records: Sequence[PassRecord]) -> dict[bytes, Tip]:
        """The end of each one's chain as far as anybody has brought it, by its id: the highest PAY,
        or the CLOSE. Nothing of those of which nothing is known."""
        rows = await self._database.fetch(_ENDS, [ids.write_uuid(one.id) for one in records])
        tips = {
            row["payer_pass"].bytes: Tip(row["sequence"], row["pay_hash"], row["cumulative"])
            for row in rows
        }
        for one in records:
            known = tips.get(one.id)
            if one.close_message is not None:
                close = Close.parse(one.close_message)
                if known is None or known.sequence < close.sequence:
                    tips[one.id] = Tip(close.sequence, close.hash, close.cumulative)
        return tips

    async def finish_due(self) -> bool:
        """Finish or give up what was cut short, and expire what is over; whether there may be more
        at once. For the worker."""
        at = from_us(self._now())
        rows = await self._database.fetch(_LEFT_OVER, at, at + TAKEN_UP, _BATCH)
        outcomes = await asyncio.gather(
            *(self._finish(self._record(row)) for row in rows), return_exceptions=True
        )
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Exception):
                _log.error("pass not finished", id=str(row["id"]), exc_info=outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        expired = await self._database.execute(_EXPIRE, at, _BATCH)
        return len(rows) == _BATCH or expired == f"UPDATE {_BATCH}"

    # -- the intent

    async def _begin(self, admitted: Admitted) -> PassRecord:
        request = admitted.request
        try:
            async with self._database.transaction() as connection:
                return await self._record_intent(connection, admitted)
        except asyncpg.UniqueViolationError as error:
            await self._admission.give_back(request.person, request.id)
            if error.constraint_name != "pass_by_key":
                raise
            raise PassKeyUsed from None
        except (DeviceRevoked, DeviceFrozen, PassOpen):
            await self._admission.give_back(request.person, request.id)
            raise

    async def _record_intent(self, connection: AnyConnection, admitted: Admitted) -> PassRecord:
        """The committed intent, or the row of whoever was faster with the same request. A device's
        row is locked first: its passes are begun one after the other, and none once it is
        revoked."""
        request = admitted.request
        money, at = request.money, from_us(self._now())
        device = await connection.fetchrow(_DEVICE, request.device, at)
        known = await connection.fetchrow(
            "SELECT * FROM offline.pass WHERE id = $1", ids.write_uuid(request.id)
        )
        if known is not None:
            return self._record(known)
        if device is None or device["revoked_at"] is not None:
            raise DeviceRevoked
        if device["stopped"]:
            raise DeviceFrozen
        currency = money.currency.number
        await connection.execute(_EXPIRE_OF, request.device, currency, at)
        if money.amount == 0:
            await connection.execute(_REPLACE, request.device, currency)
        in_the_way = await connection.fetchval(_OPEN, request.device, currency, money.amount > 0)
        if in_the_way is not None:
            raise PassOpen(**{"pass": str(in_the_way)})
        row = await connection.fetchrow(_INTENT, *self._intent(admitted))
        return self._record(row)

    def _intent(self, admitted: Admitted) -> tuple[object, ...]:
        request, device, limits = admitted.request, admitted.device, admitted.limits
        now = self._now()
        not_before = from_us(now - now % clock.SECOND)
        expires_at = not_before + timedelta(hours=limits.hours)
        return (
            ids.write_uuid(request.id),
            device.id,
            request.person,
            admitted.wallet.id,
            request.money.currency.number,
            ids.new_id() if request.money.amount else None,
            request.money.amount,
            request.public_key,
            device.pseudonym or os.urandom(PSEUDONYM_BYTES),
            device.tier,
            limits.most_per_payment,
            limits.payments,
            limits.hops,
            request.payee_lock,
            not_before,
            expires_at,
            expires_at + timedelta(hours=CLAIM_HOURS),
            request.digest,
            from_us(now),
            from_us(now) + TAKEN_UP,
        )

    # -- from the intent to the signed message

    async def _advance(self, record: PassRecord) -> PassRecord:
        """The pass with its money in escrow and its message signed. Raises what the ledger
        refuses, each time it is asked."""
        if record.message is not None:
            return record
        if record.escrow is not None:
            outcome = await self._escrow.reserve(record)
            if outcome.result:
                problem = refusal(outcome.result)
                problem.replayed = outcome.replayed
                if not Result(outcome.result).retryable:
                    await self._refuse(record)
                raise problem
        elif record.state is PassState.REFUSED:
            raise Abandoned
        return await self._sign(record)

    async def _finish(self, record: PassRecord) -> None:
        """What nobody waits for any more: signed when its money has moved, else given up."""
        if record.escrow is not None:
            outcome = await self._escrow.abandon(record)
            if Result(outcome.result).retryable:
                return
            if outcome.result:
                await self._refuse(record)
                return
        elif await self._people.person(record.person) is None:
            await self._refuse(record)  # its account was closed meanwhile
            return
        await self._sign(record)

    async def _refuse(self, record: PassRecord) -> None:
        await self._admission.give_back(record.person, record.id)
        await self._database.execute(_REFUSED, ids.write_uuid(record.id))

    async def _sign(self, record: PassRecord) -> PassRecord:
        """Sign it and keep the message; the one that is kept is the one that counts."""
        message = self._issuer.sign(await self._pass(record))
        id = ids.write_uuid(record.id)
        sealed = PASS.seal_bytes(self._personal.sealing, id, message)
        row = await self._database.fetchrow(_SIGNED, id, sealed, Pass.parse(message).hash)
        if row is not None:
            return self._record(row)
        signed = await self._load(record.id)
        if signed is None or signed.message is None:
            raise Abandoned
        return signed

    async def _pass(self, record: PassRecord) -> Pass:
        person = await self._people.person(record.person)
        if person is None:
            raise NotFound("This account is closed")
        salt = os.urandom(SALT_LENGTH)
        return Pass(
            id=record.id,
            key=PublicKey(record.public_key),
            pseudonym=record.pseudonym,
            phone=commitment(salt, person.phone),
            salt=salt,
            name=short_name(person.display_name),
            tier=record.tier,
            currency=record.currency.number,
            amount=record.amount,
            start_sequence=record.start_seq,
            not_before=to_us(record.not_before) // clock.SECOND,
            expiry=to_us(record.expires_at) // clock.SECOND,
            limits=Limits(record.most_per_payment, record.payments, record.hops),
            epoch=await self._revocations.epoch(),
            payee_lock=record.payee_lock,
        )

    async def _load(self, id: bytes) -> PassRecord | None:
        row: Any = await self._database.fetchrow(
            "SELECT * FROM offline.pass WHERE id = $1", ids.write_uuid(id)
        )
        return None if row is None else self._record(row)

    def _record(self, row: Any) -> PassRecord:
        return pass_record(row, self._personal)
