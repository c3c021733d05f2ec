"""The list of passes that nobody should accept any more, and the part of it since an epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.wire.messages import REVOKED_MOST, Revocations

_LOCK: Final = (0x6F66666C, 1)  # "offl"
# Who reads up to an epoch has read all below it: they are given out in the order of commits.
_TURN: Final = "SELECT pg_advisory_xact_lock($1, $2)"
_ADD: Final = """
INSERT INTO offline.revocation (pass, reason, at)
SELECT pass, $2, $3 FROM unnest($1::uuid[]) AS pass
ON CONFLICT (pass) DO NOTHING
"""
_EPOCH: Final = "SELECT coalesce(max(epoch), 0) FROM offline.revocation"
# Those whose time is over are refused as expired, list or not.
_PAGE: Final = """
SELECT r.epoch, r.pass FROM offline.revocation AS r JOIN offline.pass AS p ON p.id = r.pass
WHERE r.epoch > $1 AND r.epoch <= $2 AND p.claim_until > $3
ORDER BY r.epoch LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A signed REVOCATIONS message. `more`: the list goes on after `epoch`."""

    epoch: int
    at: datetime
    message: bytes
    more: bool


class RevocationLog:
    """Adds to the list and tells it. Nothing is ever taken off it."""

    def __init__(
        self, database: Database, issuer: Issuer, now: Callable[[], int] = clock.now_us
    ) -> None:
        self._database = database
        self._issuer = issuer
        self._now = now

    async def add(
        self, connection: AnyConnection, passes: Sequence[bytes], reason: str, at: datetime
    ) -> None:
        """Put these passes on the list, when the caller's database transaction commits. Should be
        among the last things in it, as others who add wait for it."""
        if passes:
            await connection.execute(_TURN, *_LOCK)
            await connection.execute(_ADD, [ids.write_uuid(id) for id in passes], reason, at)

    async def epoch(self) -> int:
        """The number of the newest revocation."""
        newest: int = await self._database.fetchval(_EPOCH)
        return newest

    async def since(self, epoch: int) -> RevocationList:
        """What was revoked after `epoch` (0: everything). Whoever has heard of a later epoch than
        there is, as after a restored backup, is told everything."""
        at = clock.from_us(self._now())
        newest = await self.epoch()
        since = epoch if epoch <= newest else 0
        rows = await self._database.fetch(_PAGE, since, newest, at, REVOKED_MOST)
        more = len(rows) == REVOKED_MOST  # devices take no full list for the whole of it
        upto = rows[-1]["epoch"] if more else newest
        message = Revocations(
            epoch=upto,
            since=since,
            time=clock.to_us(at) // 1_000_000,
            passes=tuple(sorted(row["pass"].bytes for row in rows)),
        )
        return RevocationList(upto, at, self._issuer.sign(message), more)
