"""Places that a phone's owner has signed in from; guessing from elsewhere is counted apart.

Limits on wrong passwords and codes must not become a means to shut the owner out. A browser that
has signed in to this phone before (see `known_browsers`) has a count of its own; whoever asks from
an address that has is counted by phone and address; everybody else shares the count of the phone.
So a stranger's tries use up the strangers' share only.
"""

import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.identity import origin
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.known_browsers import KnownBrowsers
from tikiwallet.identity.limits import address_subject
from tikiwallet.identity.personal import Personal

KEEP = timedelta(days=90)


class Asker(NamedTuple):
    """Who asks for something about a phone. `subject` is shared by all strangers; `place` tells
    them apart by address, for limits that one reaches alone, before those that all share."""

    place: str
    subject: str


class FamiliarPlaces:
    """Remembers keyed hashes of phone and address, neither of them readable."""

    def __init__(
        self,
        database: Database,
        secret: ServerSecret,
        personal: Personal,
        browsers: KnownBrowsers,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._key = secret.subkey("familiar places")
        self._personal = personal
        self._browsers = browsers
        self._now = now

    async def subject(self, phone: str, address: str | None) -> str:
        """By what tries against `phone` (E.164, known or not) from `address` are to be counted.
        The work is the same for every phone and address."""
        browser = self._browsers.read(origin.current().browser or "")
        if browser is not None and await self._database.fetchval(
            "SELECT 1 FROM identity.person WHERE id = $1 AND phone_index = $2",
            browser.person,
            self._personal.phone_index(phone),
        ):
            return f"{phone} in {browser.nonce}"
        if address is None:
            return phone
        place = f"{phone} from {address_subject(address)}"
        known = await self._database.fetchval(
            "SELECT 1 FROM identity.familiar_place WHERE place = $1 AND last_at > $2",
            self._hash(place),
            clock.from_us(self._now()) - KEEP,
        )
        return phone if known is None else place

    async def asker(self, phone: str, address: str | None) -> Asker:
        """`subject`, and the place beside it."""
        subject = await self.subject(phone, address)
        if subject != phone or address is None:
            return Asker(subject, subject)
        return Asker(f"{phone} from elsewhere, {address_subject(address)}", subject)

    async def remember(
        self, connection: AnyConnection | Database, phone: str, address: str | None
    ) -> None:
        """The owner of `phone` has just signed in from `address`."""
        if address is None:
            return
        await connection.execute(
            """
            INSERT INTO identity.familiar_place (place, last_at) VALUES ($1, $2)
            ON CONFLICT (place) DO UPDATE SET last_at = $2
            """,
            self._hash(f"{phone} from {address_subject(address)}"),
            clock.from_us(self._now()),
        )

    def _hash(self, place: str) -> bytes:
        return hmac.digest(self._key, place.encode(), "sha256")[:16]
