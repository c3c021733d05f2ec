"""A new password in place of one that is known. All other sign-ins end with it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity import passwords
from tikiwallet.identity.codes import CodeSender, Purpose
from tikiwallet.identity.limits import Limit, Limits
from tikiwallet.identity.passwords import Passwords, PasswordWrong
from tikiwallet.identity.people import People
from tikiwallet.identity.recovery import end_recoveries
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.sessions import Sessions
from tikiwallet.identity.step_up import StepUp

# By session: whoever holds one does not keep the owner's others from trying.
TRIES: Final = Limit("password.session", 10, timedelta(minutes=15))
TRIES_DAY: Final = Limit("password.session.day", 30, timedelta(days=1))


class PasswordChange:
    """Changes passwords."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        people: People,
        passwords: Passwords,
        factors: SecondFactors,
        sessions: Sessions,
        sender: CodeSender,
        step_up: StepUp,
        limits: Limits,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._people = people
        self._passwords = passwords
        self._factors = factors
        self._sessions = sessions
        self._sender = sender
        self._step_up = step_up
        self._limits = limits
        self._now = now

    async def change(self, person: int, session: bytes, current: str | None, new: str) -> None:
        """Set the password `new` and end every session but `session`; recoveries under way end as
        well, for whoever is in needs none. Raises what `prove` does, and `PasswordWeak`."""
        await self.prove(person, session, current)
        owner = await self._people.person(person)
        if owner is None:
            raise NotFound("this person is gone")
        passwords.check_rules(new, owner.phone, owner.username)
        encoded = await self._passwords.hash(new)
        at = clock.from_us(self._now())
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE identity.person SET password_hash = $2 WHERE id = $1", person, encoded
            )
            await self._factors.forget_challenges(connection, person)
            ended = await self._sessions.end_all_in(connection, person, "new password", session)
            await end_recoveries(connection, person, at, "superseded")
            await self._events.record(
                connection,
                person,
                EventKind.PASSWORD_CHANGED,
                session=session,
                at_us=self._now(),
                ended=len(ended),
            )
            await self._sender.queue_notice(
                connection, owner.phone, Purpose.PASSWORD_CHANGED, language=owner.message_language
            )
        self._sessions.know(ended)

    async def prove(self, person: int, session: bytes, current: str | None) -> None:
        """Returns when whoever asks knows the password that holds now, and has confirmed `session`
        lately if signing in takes a second factor as well: an unlocked phone, or a token, is not
        enough for what cannot be taken back. `current` is None for people without a password, who
        sign in through somebody else and need the confirmation. Raises `PasswordWrong`,
        `ReauthenticationRequired`, `TooManyRequests`, `Overloaded`."""
        if current is None and await self._has_password(person):
            raise PasswordWrong("Your current password is needed")
        # First, so that a stale session does not learn whether a password is right.
        if current is None or await self._factors.is_on(person):
            await self._step_up.require(session)
        if current is not None:
            await self._check(person, session, current)

    async def _has_password(self, person: int) -> bool:
        kept = await self._database.fetchval(
            "SELECT password_hash FROM identity.person WHERE id = $1", person
        )
        return kept is not None

    async def _check(self, person: int, session: bytes, password: str) -> None:
        """Returns when `password` is the person's; wrong ones are counted by session."""
        subject = session.hex()
        await self._limits.take(TRIES, subject)
        await self._limits.take(TRIES_DAY, subject)
        encoded: str | None = await self._database.fetchval(
            "SELECT password_hash FROM identity.person WHERE id = $1", person
        )
        if not await self._passwords.matches(encoded, password):
            await self._events.record(
                self._database,
                person,
                EventKind.PASSWORD_CHANGE_FAILED,
                session=session,
                at_us=self._now(),
            )
            raise PasswordWrong
        await self._limits.forget(TRIES, subject)
        await self._limits.give_back(TRIES_DAY, subject)
