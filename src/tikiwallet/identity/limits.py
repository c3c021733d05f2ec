"""Rate limits that all processes share: counters in the database, by keyed hash of their subject.

An attempt is counted before it is tried, so that attempts made at once cannot pass together. What
turned out to be legitimate is given back.
"""

import hmac
import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import Problem
from tikiwallet.identity.keys import ServerSecret


class TooManyRequests(Problem):
    """`retry_after` is in whole seconds."""

    code = "too_many_requests"
    title = "Too many attempts; wait before the next one"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` attempts in `window`, counted from the first; `waits[k]` is the pause asked
    for after attempt k + 1, the last one for all that follow."""

    kind: str
    most: int
    window: timedelta
    waits: tuple[timedelta, ...] = (timedelta(0),)


# By phone and place (`familiar.Asker`), so that nobody can use up or delay another's codes.
# One may be asked for again at once (a mistyped username); then the waits grow.
CODES_PER_PHONE = Limit(
    "code.phone",
    10,
    timedelta(days=1),
    tuple(timedelta(seconds=seconds) for seconds in (0, 30, 60, 120, 300, 600)),
)
# By phone alone, of all strangers together: what one phone may be bothered with. It takes several
# addresses to get there, and whoever has signed in from theirs is counted apart.
CODES_TO_PHONE = Limit("code.phone.all", 40, timedelta(days=1))
# Registering counts as the first time that a code is sent. The phone's limits count as well.
SENDS_PER_REGISTRATION = Limit(
    "code.registration",
    6,
    timedelta(days=1),
    tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 600)),
)
# Many people share one address behind a mobile network.
REGISTRATIONS_PER_ADDRESS = Limit("register.address", 120, timedelta(hours=1))
REGISTRATIONS_PER_ADDRESS_DAY = Limit("register.address.day", 600, timedelta(days=1))
LOGINS_PER_PHONE = Limit("login.phone", 10, timedelta(minutes=15))
LOGINS_PER_PHONE_DAY = Limit("login.phone.day", 50, timedelta(days=1))
LOGINS_PER_ADDRESS = Limit("login.address", 300, timedelta(minutes=15))
CLIENTS_PER_ADDRESS = Limit("client.address", 600, timedelta(minutes=15))
OIDC_PER_ADDRESS = Limit("oidc.address", 300, timedelta(minutes=15))
EXPORTS_PER_PERSON = Limit("export.person", 5, timedelta(days=1))
NAMES_PER_PERSON = Limit("name.person", 100, timedelta(days=1))

_TAKE = """
INSERT INTO identity.attempt AS a (kind, subject, count, started_at, last_at)
VALUES ($1, $2, 1, $3, $3)
ON CONFLICT (kind, subject) DO UPDATE SET
    count = CASE WHEN a.started_at <= $3 - $5::interval THEN 1 ELSE a.count + 1 END,
    started_at = CASE WHEN a.started_at <= $3 - $5::interval THEN $3 ELSE a.started_at END,
    last_at = $3
WHERE a.started_at <= $3 - $5::interval
    OR a.count = 0
    OR a.count < $4 AND a.last_at
        + ($6::interval[])[least(a.count, cardinality($6::interval[]))] <= $3
RETURNING count
"""
_NEXT = """
SELECT CASE WHEN count >= $4 THEN started_at + $5::interval
    ELSE last_at + ($6::interval[])[least(count, cardinality($6::interval[]))] END - $3
FROM identity.attempt WHERE kind = $1 AND subject = $2 AND count > 0
"""
_GIVE_BACK = """
UPDATE identity.attempt SET count = count - 1 WHERE kind = $1 AND subject = $2 AND count > 0
"""
_FORGET = "DELETE FROM identity.attempt WHERE kind = $1 AND subject = $2"


class Limits:
    """Counts attempts; with `enabled` false, every limit is lifted and nothing is counted."""

    def __init__(
        self,
        database: Database,
        secret: ServerSecret,
        enabled: bool = True,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._key = secret.subkey("limits")
        self._enabled = enabled
        self._now = now

    async def take(self, limit: Limit, subject: str) -> None:
        """Count one attempt of `subject`. Raises `TooManyRequests` with `retry_after`."""
        if not self._enabled:
            return
        if await self._database.fetchval(_TAKE, *self._arguments(limit, subject)) is not None:
            return
        raise TooManyRequests(retry_after=max(1, await self.wait(limit, subject)))

    async def wait(self, limit: Limit, subject: str) -> int:
        """In how many whole seconds `subject` may make the next attempt; 0 when at once."""
        if not self._enabled:
            return 0
        wait: timedelta | None = await self._database.fetchval(
            _NEXT, *self._arguments(limit, subject)
        )
        return 0 if wait is None else max(0, math.ceil(wait.total_seconds()))

    async def give_back(self, limit: Limit, subject: str) -> None:
        """The last attempt of `subject` shall not count."""
        if self._enabled:
            await self._database.execute(_GIVE_BACK, limit.kind, self._hash(limit, subject))

    async def forget(self, limit: Limit, subject: str) -> None:
        """None of the attempts of `subject` shall count any longer."""
        if self._enabled:
            await self._database.execute(_FORGET, limit.kind, self._hash(limit, subject))

    def _arguments(self, limit: Limit, subject: str) -> tuple[object, ...]:
        return (
            limit.kind,
            self._hash(limit, subject),
            clock.from_us(self._now()),
            limit.most,
            limit.window,
            list(limit.waits),
        )

    def _hash(self, limit: Limit, subject: str) -> bytes:
        message = f"{limit.kind} {subject}".encode()
        return hmac.digest(self._key, message, "sha256")[:16]


def address_subject(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed.packed, 64), strict=False))
    return str(parsed)
