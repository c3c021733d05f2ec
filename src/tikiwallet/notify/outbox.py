"""Text messages on their way to a provider: each reaches it once, or not at all.

A message is committed first, then sent by whoever wrote it, who waits for that a few seconds at
most. What did not go out then is the worker's, until the message has lost its meaning. Providers
have no idempotency keys: after a call whose outcome nobody knows (no answer, an error of theirs,
a process that died) the message is looked for at the provider before it is sent again, and not
before the provider itself would have given the call up.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from tikiwallet import clock, ids, logs
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.identity.codes import LIFETIME, CodeNotSent, Delivery, PhoneUnreachable, Purpose
from tikiwallet.identity.sealing import SealBroken, SealedColumn, Sealing
from tikiwallet.notify.gateway import SmsGateway, SmsNotTaken, SmsRefused, SmsUnsure
from tikiwallet.notify.templates import code_text

QUICK_SECONDS: Final = 3.0  # how long somebody who asked for a code waits for the provider
ATTEMPT_SECONDS: Final = 10.0  # how long a call to the provider may take
UNSURE_SECONDS: Final = 30.0  # a provider gives up a call of its own after this long
AT_ONCE: Final = 32  # calls under way in one process; what comes on top is the worker's
SEALED: Final = SealedColumn("notify.outbox", "sealed")

_CLAIM: Final = timedelta(seconds=ATTEMPT_SECONDS + UNSURE_SECONDS)
_LONGEST_PAUSE: Final = 30.0
_SKEW: Final = timedelta(seconds=60)  # between our clock and the provider's
_KEPT: Final = timedelta(days=7)
_NOTICE_LIFETIME: Final = timedelta(hours=10)  # as long as providers keep a message
_FAILURE_MAX: Final = 200
_SENT: Final = Counter("tikiwallet_messages_total", "Text messages by how they ended", ["outcome"])
_log = logs.get(__name__)

_INSERT: Final = """
INSERT INTO notify.outbox (id, purpose, sealed, state, attempts, created_at, expires_at, next_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
# Who died while sending leaves the outcome open, and so does a claim that ran out.
_CLAIM_DUE: Final = """
UPDATE notify.outbox AS o SET
    unsure = o.unsure OR o.state = 'sending', state = 'sending', attempts = o.attempts + 1,
    next_at = $2
FROM (
    SELECT id FROM notify.outbox WHERE next_at <= $1 AND expires_at > $1
    ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED
) AS due
WHERE o.id = due.id
RETURNING o.id, o.sealed, o.unsure, o.attempts, o.created_at, o.expires_at
"""
_EXPIRE: Final = """
UPDATE notify.outbox SET state = 'expired', sealed = NULL, next_at = NULL,
    failure = coalesce(failure, 'no attempt ended')
WHERE next_at <= $1 AND expires_at <= $1
RETURNING id, failure
"""
_AGAIN: Final = """
UPDATE notify.outbox SET state = 'waiting', unsure = $3, next_at = $4, failure = $5
WHERE id = $1 AND state = 'sending' AND attempts = $2
"""
_FINISH: Final = """
UPDATE notify.outbox SET state = $2, provider_id = $3, failure = $4, sealed = NULL, next_at = NULL
WHERE id = $1 AND next_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class _Message:
    """One message that this process has claimed for its attempt number `attempts`."""

    id: str
    to: str = field(repr=False)
    text: str = field(repr=False)
    unsure: bool
    attempts: int
    created_at: datetime
    expires_at: datetime


class Outbox:
    """Implements `identity.codes.CodeSender` over a provider."""

    def __init__(
        self,
        database: Database,
        sealing: Sealing,
        gateway: SmsGateway,
        now: Callable[[], int] = clock.now_us,
        quick_seconds: float = QUICK_SECONDS,
    ) -> None:
        self._database = database
        self._sealing = sealing
        self._gateway = gateway
        self._now = now
        self._quick_seconds = quick_seconds
        self._under_way: set[asyncio.Task[SmsRefused | bool]] = set()

    async def send_code(
        self,
        phone: str,
        code: str | None,
        purpose: Purpose,
        *,
        language: str,
        link: str | None = None,
    ) -> Delivery:
        """Send the words of `purpose`; back within seconds, whatever the provider does. Raises
        `PhoneUnreachable` and `CodeNotSent` when it will not take the message."""
        text = code_text(purpose, code, language, link)
        return await self.send(phone, text, purpose.value, LIFETIME)

    async def queue_notice(
        self,
        connection: AnyConnection,
        phone: str,
        purpose: Purpose,
        *,
        language: str,
        link: str | None = None,
    ) -> None:
        """Leave the words of `purpose` to the worker, in the caller's database transaction; it
        tries for some hours."""
        at = clock.from_us(self._now())
        id = ids.write_uuid(ids.new_uuid7())
        await connection.execute(
            _INSERT,
            id,
            purpose.value,
            self._sealed(id, phone, code_text(purpose, None, language, link)),
            "waiting",
            0,
            at,
            at + _NOTICE_LIFETIME,
            at,
        )

    async def send(self, to: str, text: str, purpose: str, lifetime: timedelta) -> Delivery:
        """Send `text` to the E.164 number `to`, or try to for `lifetime`. Raises as `send_code`."""
        at = clock.from_us(self._now())
        id = ids.write_uuid(ids.new_uuid7())
        message = _Message(id, to, text, False, 1, at, at + lifetime)
        busy = len(self._under_way) >= AT_ONCE
        await self._database.execute(
            _INSERT,
            id,
            purpose,
            self._sealed(id, to, text),
            "waiting" if busy else "sending",
            0 if busy else 1,
            at,
            message.expires_at,
            at if busy else at + _CLAIM,
        )
        if busy:
            return Delivery.ON_ITS_WAY
        attempt = self._begin(message)
        done, _ = await asyncio.wait({attempt}, timeout=self._quick_seconds)
        if not done:
            return Delivery.ON_ITS_WAY
        match attempt.result():
            case SmsRefused(number_at_fault=True):
                raise PhoneUnreachable
            case SmsRefused():
                raise CodeNotSent
            case sent:
                return Delivery.SENT if sent else Delivery.ON_ITS_WAY

    def _sealed(self, id: str, to: str, text: str) -> bytes:
        return SEALED.seal(self._sealing, id, msgspec.json.encode((to, text)).decode())

    async def deliver_due(self) -> bool:
        """Send what is due, and end what has lost its meaning; whether there may be more at once.
        For the worker."""
        at = clock.from_us(self._now())
        for row in await self._database.fetch(_EXPIRE, at):
            _SENT.labels("expired").inc()
            _log.warning("a message never went out", id=str(row["id"]), why=row["failure"])
        room = AT_ONCE - len(self._under_way)
        rows = await self._database.fetch(_CLAIM_DUE, at, at + _CLAIM, max(0, room))
        messages = [message for row in rows if (message := await self._message(row)) is not None]
        if messages:
            await asyncio.wait([self._begin(message) for message in messages])
        return bool(rows) and len(rows) == room

    async def tidy(self) -> None:
        """Forget messages of more than a week ago; their words are gone since they ended."""
        await self._database.execute(
            "DELETE FROM notify.outbox WHERE created_at < $1 AND next_at IS NULL",
            clock.from_us(self._now()) - _KEPT,
        )

    async def stop(self) -> None:
        """Give what is under way a moment, then break it off; the worker finds out how it ended."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._quick_seconds)
        for attempt in self._under_way:
            attempt.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _begin(self, message: _Message) -> asyncio.Task[SmsRefused | bool]:
        attempt = asyncio.create_task(self._attempt(message), name="send a message")
        self._under_way.add(attempt)
        attempt.add_done_callback(self._under_way.discard)
        return attempt

    async def _attempt(self, message: _Message) -> SmsRefused | bool:
        """Whether the provider has the message now, or why it never will."""
        try:
            return await self._try(message)
        except Exception as error:
            # The row stays claimed: the outcome is looked for at the provider when that runs out.
            _log.exception("an attempt to send failed", id=message.id, kind=type(error).__name__)
            return False

    async def _try(self, message: _Message) -> SmsRefused | bool:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                provider_id = await self._send_once(message)
        except SmsRefused as refusal:
            _SENT.labels("refused").inc()
            tell = _log.info if refusal.number_at_fault else _log.error
            tell("the provider refused a message", id=message.id, why=str(refusal))
            await self._finish(message.id, "refused", None, str(refusal))
            return refusal
        except SmsNotTaken as problem:
            pause = max(problem.retry_after or 0.0, _pause(message.attempts))
            await self._again(message, message.unsure, pause, str(problem))
            return False
        except SmsUnsure as problem:
            await self._again(message, True, UNSURE_SECONDS, str(problem))
            return False
        except TimeoutError:
            await self._again(message, True, UNSURE_SECONDS, "no answer in time")
            return False
        _SENT.labels("sent").inc()
        await self._finish(message.id, "sent", provider_id, None)
        return True

    async def _send_once(self, message: _Message) -> str:
        if message.unsure:
            found = await self._gateway.find(message.to, message.text, message.created_at - _SKEW)
            if found is not None:
                return found
        left = (message.expires_at - clock.from_us(self._now())).total_seconds()
        return await self._gateway.send(message.to, message.text, max(1, int(left)))

    async def _again(self, message: _Message, unsure: bool, pause: float, why: str) -> None:
        _log.warning("a message waits for the provider", id=message.id, why=why)
        at = clock.from_us(self._now()) + timedelta(seconds=pause)
        await self._database.execute(
            _AGAIN, message.id, message.attempts, unsure, at, why[:_FAILURE_MAX]
        )

    async def _finish(self, id: str, state: str, provider_id: str | None, why: str | None) -> None:
        failure = None if why is None else why[:_FAILURE_MAX]
        await self._database.execute(_FINISH, id, state, provider_id, failure)

    async def _message(self, row: Any) -> _Message | None:
        """The claimed message; None, and the end of it, when it does not open."""
        id = str(row["id"])
        try:
            opened = SEALED.open(self._sealing, id, row["sealed"])
        except SealBroken as broken:
            _log.error("a message does not open", id=id, why=str(broken))
            await self._finish(id, "refused", None, str(broken))
            return None
        to, text = msgspec.json.decode(opened, type=tuple[str, str])
        return _Message(
            id, to, text, row["unsure"], row["attempts"], row["created_at"], row["expires_at"]
        )


def _pause(attempts: int) -> float:
    """Until the next attempt: 1, 2, 4 ... seconds."""
    return min(2.0 ** min(attempts - 1, 10), _LONGEST_PAUSE)
