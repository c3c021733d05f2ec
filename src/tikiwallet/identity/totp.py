"""Codes of authenticator apps (RFC 6238): six digits, SHA-1, a step every 30 seconds.

SHA-1 because that is what every app takes; HMAC does not suffer from its weakness. A code is taken
one step before and after its time, and no step twice (RFC 6238, section 5.2). The secret stands
sealed in the database, bound to its person.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import pyotp

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem
from tikiwallet.identity.codes import CodeWrong
from tikiwallet.identity.sealing import SealedColumn, Sealing

ISSUER: Final = "TikiWallet"
DRAFT_LIFETIME: Final = timedelta(minutes=10)
DRAFT_TRIES: Final = 10
STEP_SECONDS: Final = 30
TOTP_SECRET: Final = SealedColumn("identity.totp", "secret", "person")
TOTP_DRAFT: Final = SealedColumn("identity.totp_draft", "secret", "person")
_AROUND: Final = 1  # steps before and after; clocks of phones are off, and people type slowly
_FORM: Final = re.compile(r"[0-9]{6}", re.ASCII)


class TotpNotBegun(Problem):
    code = "totp_not_begun"
    title = "No authenticator app is being set up; begin anew"


@dataclass(frozen=True, slots=True)
class TotpDraft:
    """What an authenticator app is told: the secret in base 32, and the same as an address."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class Totp:
    """Sets up authenticator apps and takes their codes."""

    def __init__(
        self, database: Database, sealing: Sealing, now: Callable[[], int] = clock.now_us
    ) -> None:
        self._database = database
        self._sealing = sealing
        self._now = now

    async def begin(self, person: int, username: str) -> TotpDraft:
        """A new secret for `person`, in place of one that was begun before. What works now goes on
        to work until `confirm`."""
        secret = pyotp.random_base32()
        await self._database.execute(
            """
            INSERT INTO identity.totp_draft (person, secret, expires_at) VALUES ($1, $2, $3)
            ON CONFLICT (person) DO UPDATE SET secret = $2, tries = 0, expires_at = $3
            """,
            person,
            TOTP_DRAFT.seal(self._sealing, person, secret),
            clock.from_us(self._now()) + DRAFT_LIFETIME,
        )
        uri = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)
        return TotpDraft(secret, uri)

    async def count_try(self, person: int) -> None:
        """Count a try to confirm. Raises `TotpNotBegun` when nothing is begun, or no longer."""
        counted = await self._database.fetchval(
            """
            UPDATE identity.totp_draft SET tries = tries + 1
            WHERE person = $1 AND tries < $2 AND expires_at > $3 RETURNING 1
            """,
            person,
            DRAFT_TRIES,
            clock.from_us(self._now()),
        )
        if counted is None:
            raise TotpNotBegun

    async def confirm(self, connection: AnyConnection, person: int, code: str) -> None:
        """The app shows `code`: from now on its codes count, and this one is used up. Call
        `count_try` before. Raises `CodeWrong`, `TotpNotBegun`."""
        sealed: bytes | None = await connection.fetchval(
            "SELECT secret FROM identity.totp_draft WHERE person = $1 FOR UPDATE", person
        )
        if sealed is None:
            raise TotpNotBegun
        secret = TOTP_DRAFT.open(self._sealing, person, sealed)
        step = self._matching_step(secret, code, after=0)
        if step is None:
            raise CodeWrong
        await connection.execute("DELETE FROM identity.totp_draft WHERE person = $1", person)
        await connection.execute(
            """
            INSERT INTO identity.totp (person, secret, last_step, created_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (person) DO UPDATE SET secret = $2, last_step = $3, created_at = $4
            """,
            person,
            TOTP_SECRET.seal(self._sealing, person, secret),
            step,
            clock.from_us(self._now()),
        )

    async def use(self, connection: AnyConnection, person: int, code: str) -> bool:
        """Whether `code` is right; it and all before it are then used up, when the caller's
        database transaction commits. False also for a person without an authenticator app."""
        if not _FORM.fullmatch(code):
            return False
        # Of two who bring the same code at once, the second waits here and finds it used.
        row = await connection.fetchrow(
            "SELECT secret, last_step FROM identity.totp WHERE person = $1 FOR UPDATE", person
        )
        if row is None:
            return False
        secret = TOTP_SECRET.open(self._sealing, person, row["secret"])
        step = self._matching_step(secret, code, after=row["last_step"])
        if step is None:
            return False
        await connection.execute(
            "UPDATE identity.totp SET last_step = $2 WHERE person = $1", person, step
        )
        return True

    async def is_on(self, person: int) -> bool:
        """Whether `person` has an authenticator app."""
        found = await self._database.fetchval(
            "SELECT 1 FROM identity.totp WHERE person = $1", person
        )
        return found is not None

    async def remove(self, connection: AnyConnection, person: int) -> None:
        """Forget the authenticator app of `person`, and one being set up."""
        await connection.execute("DELETE FROM identity.totp_draft WHERE person = $1", person)
        await connection.execute("DELETE FROM identity.totp WHERE person = $1", person)

    def _matching_step(self, secret: str, code: str, after: int) -> int | None:
        app = pyotp.TOTP(secret, interval=STEP_SECONDS)
        now = self._now() // clock.SECOND // STEP_SECONDS
        found = None
        for step in range(now - _AROUND, now + _AROUND + 1):
            same = hmac.compare_digest(app.generate_otp(step).encode(), _ascii(code))
            if same and step > after and found is None:
                found = step
        return found


def _ascii(code: str) -> bytes:
    return code.encode() if _FORM.fullmatch(code) else b""
