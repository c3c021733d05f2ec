"""Which second factors a person has, and the challenges they are asked for with.

Somebody who only has passkeys may also use a code by SMS: a lost phone would otherwise lock them
out of the password's way too. With an authenticator app, SMS counts only where it was wanted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.recovery_codes import RecoveryCodes
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Challenge, Factor
from tikiwallet.identity.totp import Totp

LIFETIME: Final = timedelta(minutes=5)
_OVERVIEW: Final = """
SELECT EXISTS (SELECT FROM identity.totp WHERE person = $1) AS totp,
    EXISTS (SELECT FROM identity.sms_factor WHERE person = $1) AS sms,
    (SELECT count(*) FROM identity.passkey WHERE person = $1) AS passkeys,
    (SELECT count(*) FROM identity.recovery_code WHERE person = $1) AS recovery_codes
"""


class SecondFactorOff(Problem):
    code = "second_factor_off"
    title = "There is no second factor yet; switch one on first"


class SecondFactorUnavailable(Problem):
    code = "second_factor_unavailable"
    title = "This second factor is not set up"


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person has; `recovery_codes` and `passkeys` are how many are left."""

    totp: bool
    sms: bool
    passkeys: int
    recovery_codes: int

    @property
    def on(self) -> bool:
        """Whether the password alone does not suffice."""
        return self.totp or self.sms or self.passkeys > 0

    @property
    def typed(self) -> bool:
        """Whether there is one that can be typed and does not come by SMS."""
        return self.totp or self.recovery_codes > 0

    @property
    def methods(self) -> tuple[Factor, ...]:
        """What a sign-in may be finished with, strongest first."""
        sms = self.sms or (self.passkeys > 0 and not self.totp)
        usable = {
            Factor.PASSKEY: self.passkeys > 0,
            Factor.TOTP: self.totp,
            Factor.SMS: sms,
            Factor.RECOVERY_CODE: self.on and self.recovery_codes > 0,
        }
        return tuple(factor for factor, here in usable.items() if here)


class SecondFactors:
    """Implements `sessions.SecondFactors`; switches factors on and off."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        totp: Totp,
        recovery_codes: RecoveryCodes,
        passkeys: Passkeys,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._totp = totp
        self._recovery_codes = recovery_codes
        self._passkeys = passkeys
        self._now = now

    async def factors(self, person: int) -> Factors:
        """What `person` has."""
        return await _factors(self._database, person)

    async def is_on(self, person: int) -> bool:
        """Whether `person` signs in with a second factor."""
        return (await self.factors(person)).on

    async def challenge(self, person: int) -> Challenge | None:
        """A new challenge for `person`, or None when the password suffices."""
        factors = await self.factors(person)
        if not factors.on:
            return None
        id = ids.write_uuid(ids.new_uuid7())
        await self._database.execute(
            "INSERT INTO identity.challenge (id, person, expires_at) VALUES ($1, $2, $3)",
            id,
            person,
            clock.from_us(self._now()) + LIFETIME,
        )
        return Challenge(id, factors.methods, int(LIFETIME.total_seconds()))

    async def use_code(self, connection: AnyConnection, person: int, code: str) -> bool:
        """Whether `code` is one of the authenticator app or a recovery code; it is used up then, as
        with `redeem`."""
        return await self.redeem(connection, person, code) is not None

    async def redeem(
        self, connection: AnyConnection, person: int, code: str, method: Factor | None = None
    ) -> Factor | None:
        """Which of authenticator app and recovery codes (or of `method` alone) `code` is a right
        one of; it is used up then, when the caller's database transaction commits. None when it is
        wrong. Callers count the tries."""
        if method in (None, Factor.TOTP) and await self._totp.use(connection, person, code):
            return Factor.TOTP
        if method in (None, Factor.RECOVERY_CODE) and await self._recovery_codes.use(
            connection, person, code
        ):
            await self._tell(connection, person, EventKind.RECOVERY_CODE_USED)
            return Factor.RECOVERY_CODE
        return None

    async def confirm_totp(self, person: int, code: str) -> list[str]:
        """Switch the authenticator app on that `Totp.begin` began; new recovery codes. Raises
        `CodeWrong`, `TotpNotBegun`."""
        await self._totp.count_try(person)
        async with self._database.transaction() as connection:
            await self._totp.confirm(connection, person, code)
            await self._tell(connection, person, EventKind.TOTP_ON)
            return await self._recovery_codes.renew(connection, person)

    async def remove_totp(self, person: int) -> None:
        """Switch the authenticator app off; it need not be on."""
        async with self._database.transaction() as connection:
            was_on = (await _factors(connection, person)).totp
            await self._totp.remove(connection, person)
            await self._tidy(connection, person)
            if was_on:
                await self._tell(connection, person, EventKind.TOTP_OFF)

    async def set_sms(self, person: int, enabled: bool) -> None:
        """Switch codes by SMS on or off."""
        async with self._database.transaction() as connection:
            if enabled != (await _factors(connection, person)).sms:
                kind = EventKind.SMS_FACTOR_ON if enabled else EventKind.SMS_FACTOR_OFF
                await self._tell(connection, person, kind)
            if enabled:
                await connection.execute(
                    """
                    INSERT INTO identity.sms_factor (person, created_at) VALUES ($1, $2)
                    ON CONFLICT (person) DO NOTHING
                    """,
                    person,
                    clock.from_us(self._now()),
                )
                return
            await connection.execute("DELETE FROM identity.sms_factor WHERE person = $1", person)
            await self._tidy(connection, person)

    async def remove_passkey(self, person: int, text_id: str) -> None:
        """Remove a passkey (`k_...`). Raises `NotFound`."""
        async with self._database.transaction() as connection:
            await self._passkeys.remove(connection, person, text_id)
            await self._tidy(connection, person)
            await self._tell(connection, person, EventKind.PASSKEY_REMOVED)

    async def new_recovery_codes(self, person: int) -> list[str]:
        """Ten new recovery codes; the former stop to work. Raises `SecondFactorOff`."""
        async with self._database.transaction() as connection:
            if not (await _factors(connection, person)).on:
                raise SecondFactorOff
            await self._tell(connection, person, EventKind.RECOVERY_CODES_MADE)
            return await self._recovery_codes.renew(connection, person)

    async def forget_all(self, connection: AnyConnection, person: int) -> None:
        """Nothing of `person` is a second factor any longer, and challenges under way are over: for
        a recovery after which all of them are lost, and for a closed account."""
        await self._totp.remove(connection, person)
        await self._passkeys.forget_all(connection, person)
        await self._recovery_codes.forget(connection, person)
        await connection.execute("DELETE FROM identity.sms_factor WHERE person = $1", person)
        await self.end_challenges(connection, person)

    async def end_challenges(self, connection: AnyConnection, person: int) -> None:
        """No sign-in that was begun can be finished any longer, as after a new password."""
        await self.forget_challenges(connection, person)

    async def forget_challenges(self, connection: AnyConnection, person: int) -> None:
        """No sign-in that began with the password can be finished any longer."""
        await connection.execute("DELETE FROM identity.challenge WHERE person = $1", person)

    async def _tell(self, connection: AnyConnection, person: int, kind: EventKind) -> None:
        await self._events.record(connection, person, kind, at_us=self._now())

    async def _tidy(self, connection: AnyConnection, person: int) -> None:
        """Recovery codes go with the last factor that they stand in for."""
        if not (await _factors(connection, person)).on:
            await self._recovery_codes.forget(connection, person)


async def _factors(database: Database | AnyConnection, person: int) -> Factors:
    row = await database.fetchrow(_OVERVIEW, person)
    assert row is not None
    return Factors(row["totp"], row["sms"], row["passkeys"], row["recovery_codes"])
