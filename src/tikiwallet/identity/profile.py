"""How a person wants their wallet: name, language, home currency, own PIN threshold, notices."""

from collections.abc import Callable
from typing import Any, Final, TypedDict

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity import names, payer_facts
from tikiwallet.identity.payer_facts import PIN_FREE_MOST_SGD, PIN_FREE_SGD, Payers
from tikiwallet.identity.personal import PERSON_NAME, Personal
from tikiwallet.identity.pins import Pins
from tikiwallet.identity.security_events import EventKind, SecurityEvents
from tikiwallet.identity.step_up import StepUp
from tikiwallet.languages import LANGUAGES

_BEFORE: Final = """
SELECT display_name_sealed, language, home_currency, pin_threshold, notice_payments, notice_news
FROM identity.person WHERE id = $1 AND closed_at IS NULL
FOR NO KEY UPDATE
"""
_CHANGE: Final = """
UPDATE identity.person SET display_name_sealed = $2, language = $3, home_currency = $4,
    pin_threshold = $5, notice_payments = $6, notice_news = $7
WHERE id = $1
"""


class ProfileChanges(TypedDict, total=False):
    """What shall change; what is not there stays. `home_currency` is a currency's number,
    `pin_threshold` cents of Singapore or None for the default."""

    display_name: str
    language: str | None  # none was chosen: as the device has it
    home_currency: int
    pin_threshold: int | None
    notice_payments: bool
    notice_news: bool


class Profile:
    """Changes what a person may choose for themselves."""

    def __init__(
        self,
        database: Database,
        *,
        events: SecurityEvents,
        personal: Personal,
        pins: Pins,
        payers: Payers,
        step_up: StepUp,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._personal = personal
        self._pins = pins
        self._payers = payers
        self._step_up = step_up
        self._now = now

    async def change(
        self, person: int, session: bytes, changes: ProfileChanges, pin: str | None = None
    ) -> None:
        """Carry out `changes`, all or none. A higher PIN threshold needs the PIN, or a session that
        was confirmed strongly a short while ago. Raises `NameInvalid`, `InvalidRequest`,
        `NotFound`, `ReauthenticationRequired` and what `Pins.verify_pin` raises."""
        if "display_name" in changes:
            changes["display_name"] = names.normalise(changes["display_name"])
        if changes.get("language", "en") not in LANGUAGES:
            raise InvalidRequest(f"language must be one of {', '.join(LANGUAGES)}")
        wanted = changes.get("pin_threshold")
        if wanted is not None and not 0 <= wanted <= PIN_FREE_MOST_SGD:
            most = PIN_FREE_MOST_SGD // 100
            raise InvalidRequest(f"pin_threshold must be from 0 to S${most}")
        confirmed = await self._is_confirmed(person, session, changes, pin)
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_BEFORE, person)
            if row is None:
                raise NotFound("this person is gone")
            before = self._read(person, row)
            after = ProfileChanges(**{**before, **changes})
            if _threshold(after) > _threshold(before) and not confirmed:
                raise InvalidRequest("The threshold was changed elsewhere meanwhile; look again")
            name = self._personal.seal(PERSON_NAME, person, after["display_name"])
            await connection.execute(
                _CHANGE,
                person,
                name,
                after["language"],
                after["home_currency"],
                after["pin_threshold"],
                after["notice_payments"],
                after["notice_news"],
            )
            await self._tell(connection, person, session, before, after)
        self._payers.forget(person)

    def _read(self, person: int, row: Any) -> ProfileChanges:
        sealed, language, home_currency, pin_threshold, payments, news = row
        return ProfileChanges(
            display_name=self._personal.open(PERSON_NAME, person, sealed),
            language=language,
            home_currency=home_currency,
            pin_threshold=pin_threshold,
            notice_payments=payments,
            notice_news=news,
        )

    async def _is_confirmed(
        self, person: int, session: bytes, changes: ProfileChanges, pin: str | None
    ) -> bool:
        """Whether the threshold may rise. Raises what says why not, if it should."""
        if pin is not None:
            await self._pins.verify_pin(person, pin)
            return True
        if "pin_threshold" not in changes:
            return False
        own: int | None = await self._database.fetchval(
            "SELECT pin_threshold FROM identity.person WHERE id = $1", person
        )
        if _threshold(changes) <= _threshold(ProfileChanges(pin_threshold=own)):
            return False
        await self._step_up.require(session)
        return True

    async def _tell(
        self,
        connection: AnyConnection,
        person: int,
        session: bytes,
        before: ProfileChanges,
        after: ProfileChanges,
    ) -> None:
        at = self._now()
        if before["display_name"] != after["display_name"]:
            await self._events.record(
                connection, person, EventKind.NAME_CHANGED, session=session, at_us=at
            )
        if _threshold(before) != _threshold(after):
            await self._events.record(
                connection,
                person,
                EventKind.PIN_THRESHOLD_CHANGED,
                session=session,
                at_us=at,
                before=_threshold(before),
                after=_threshold(after),
            )
            await payer_facts.tell_changed(connection, person, clock.from_us(at))


def _threshold(profile: ProfileChanges) -> int:
    own = profile.get("pin_threshold")
    return PIN_FREE_SGD if own is None else own
