"""WebAuthn challenges: what a passkey signs, bound to what it is signed for, answered once.

A challenge is the SHA-256 of its purpose, 128 random bits, the person, and whatever else it is
bound to: the session, the sign-in, or the content of a payment. Nothing but that needs to be kept
or compared: an answer to another challenge, or for another content, answers nothing.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import Database
from tikiwallet.identity.limits import Limit, Limits

LIFETIME: Final = timedelta(minutes=5)
CEREMONIES: Final = Limit("ceremony", 100, timedelta(minutes=15))


class Ceremony(StrEnum):
    """What a passkey is asked for."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"
    STEP_UP = "step_up"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Begun:
    """A challenge (32 bytes) and its id, a UUID."""

    id: str
    challenge: bytes = field(repr=False)


class Ceremonies:
    """Begins ceremonies and ends them."""

    def __init__(
        self, database: Database, limits: Limits, now: Callable[[], int] = clock.now_us
    ) -> None:
        self._database = database
        self._limits = limits
        self._now = now

    async def begin(
        self,
        ceremony: Ceremony,
        person: int,
        bound: bytes,
        *,
        limited_by: str | None,
        lifetime: timedelta = LIFETIME,
    ) -> Begun:
        """A new challenge for `person` (0: whoever it will be), bound to `bound`; counted by the
        subject `limited_by`, unless the caller counts. Raises `TooManyRequests`."""
        if limited_by is not None:
            await self._limits.take(CEREMONIES, f"{ceremony} {limited_by}")
        id = secrets.token_bytes(16)
        challenge = _derive(ceremony, id, person, bound)
        await self._database.execute(
            "INSERT INTO identity.ceremony (challenge, id, expires_at) VALUES ($1, $2, $3)",
            challenge,
            ids.write_uuid(id),
            clock.from_us(self._now()) + lifetime,
        )
        return Begun(ids.write_uuid(id), challenge)

    async def end(
        self,
        ceremony: Ceremony,
        person: int,
        bound: bytes,
        challenge: bytes,
        id: str | None = None,
    ) -> bool:
        """Whether `challenge` was begun for just this, is not too old, and was not answered before;
        `id` where the caller knows which one it should be. However it ends, it has ended."""
        row = await self._database.fetchrow(
            "DELETE FROM identity.ceremony WHERE challenge = $1 RETURNING id, expires_at", challenge
        )
        if row is None or row["expires_at"] <= clock.from_us(self._now()):
            return False
        begun: bytes = row["id"].bytes
        if id is not None and ids.read_uuid(id) != begun:
            return False
        return hmac.compare_digest(challenge, _derive(ceremony, begun, person, bound))


def _derive(ceremony: Ceremony, id: bytes, person: int, bound: bytes) -> bytes:
    words = b"tikiwallet " + ceremony.encode() + b"\0"
    return sha256(words + id + person.to_bytes(8, "big") + bound).digest()
