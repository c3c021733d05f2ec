"""A forgotten or locked PIN is removed by whoever has just confirmed strongly who they are."""

from collections.abc import Callable

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity import payer_facts
from tikiwallet.identity.codes import CodeSender, Purpose
from tikiwallet.identity.payer_facts import Payers
from tikiwallet.identity.people import People
from tikiwallet.identity.pins import PinNotSet, Pins
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.step_up import StepUp


class PinReset:
    """Removes PINs."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        people: People,
        pins: Pins,
        step_up: StepUp,
        payers: Payers,
        sender: CodeSender,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._people = people
        self._pins = pins
        self._step_up = step_up
        self._payers = payers
        self._sender = sender
        self._now = now

    async def reset(self, person: int, session: bytes) -> None:
        """Remove the PIN; a new one may be set, and lower limits hold for a day. Raises
        `ReauthenticationRequired`, `PinNotSet`."""
        await self._step_up.require(session)
        owner = await self._people.person(person)
        if owner is None:
            raise NotFound("this person is gone")
        async with self._database.transaction() as connection:
            if not await self._pins.remove(connection, person):
                raise PinNotSet("There is no PIN to reset")
            await payer_facts.restrict(connection, person, clock.from_us(self._now()))
            await self._events.record(
                connection, person, EventKind.PIN_RESET, session=session, at_us=self._now()
            )
            await self._sender.queue_notice(
                connection, owner.phone, Purpose.PIN_RESET, language=owner.message_language
            )
        self._payers.forget(person)
