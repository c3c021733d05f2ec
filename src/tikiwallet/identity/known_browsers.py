"""Browsers that a person has signed in with, known again by a cookie of theirs: what OWASP calls
device cookies. Tries from such a browser are counted apart from strangers', wherever it is.

The cookie holds `person.day.nonce.mac`: whose it is, the day since 1970 on which it was issued, 128
random bits, and a keyed hash of all that. It signs nobody in and nothing of it is stored. Somebody
who copies one has that browser's tries, as many as any stranger has.
"""

import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple

from tikiwallet import clock, ids
from tikiwallet.identity.keys import ServerSecret

LIFETIME: Final = timedelta(days=180)
_DAY_US: Final = 86_400_000_000
_LONGEST: Final = 120


class KnownBrowser(NamedTuple):
    """One browser of `person`, told from others by `nonce`."""

    person: int
    nonce: str


class KnownBrowsers:
    """Issues and reads the cookie's value."""

    def __init__(self, secret: ServerSecret, now: Callable[[], int] = clock.now_us) -> None:
        self._key = secret.subkey("known browsers")
        self._now = now

    def issue(self, person_id: str) -> str:
        """A value for the browser in which `person_id` (`p_...`) has just signed in."""
        named = f"{person_id}.{self._today()}.{secrets.token_hex(16)}"
        return f"{named}.{self._mac(named)}"

    def read(self, value: str) -> KnownBrowser | None:
        """Whose browser sends `value`; None when it was not issued here or is too old."""
        named, _, mac = value.rpartition(".")
        if len(value) > _LONGEST or not value.isascii():
            return None
        if not hmac.compare_digest(mac, self._mac(named)):
            return None
        person_id, day, nonce = named.split(".")
        person = ids.read_id("p", person_id)
        if person is None or int(day) + LIFETIME.days <= self._today():
            return None
        return KnownBrowser(person, nonce)

    def _today(self) -> int:
        return self._now() // _DAY_US

    def _mac(self, named: str) -> str:
        return hmac.digest(self._key, named.encode(), "sha256").hex()[:32]
