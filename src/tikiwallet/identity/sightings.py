"""When sessions were last of use: noted in memory, written for many at once, once a minute."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import asyncpg

from tikiwallet import clock, ids, logs
from tikiwallet.database.pool import Database
from tikiwallet.errors import Unavailable

SECONDS: Final = 60

# Rows that somebody else holds are being ended or refreshed, which says as much.
_WRITE: Final = """
WITH seen AS (
    SELECT id FROM identity.session
    WHERE id = ANY($1::uuid[]) AND last_seen_at < $2
    FOR UPDATE SKIP LOCKED
)
UPDATE identity.session s SET last_seen_at = $2 FROM seen WHERE s.id = seen.id
"""
_log = logs.get(__name__)


class Sightings:
    """Notes of one process. What was noted in a minute in which it is killed is lost."""

    def __init__(self, database: Database, now: Callable[[], int] = clock.now_us) -> None:
        self._database = database
        self._now = now
        self._seen: set[bytes] = set()
        self._task: asyncio.Task[None] | None = None

    def note(self, session: bytes) -> None:
        """`session` was of use just now."""
        self._seen.add(session)

    async def write(self) -> None:
        """Write down what was noted. Raises `Unavailable` or what asyncpg raises (a time limit),
        and has lost nothing then."""
        seen, self._seen = self._seen, set()
        if not seen:
            return
        try:
            await self._database.execute(
                _WRITE, [ids.write_uuid(one) for one in seen], clock.from_us(self._now())
            )
        except Exception:
            self._seen |= seen
            raise

    def start(self) -> None:
        """Begin to write once a minute."""
        self._task = asyncio.create_task(self._keep_writing(), name="sightings")

    async def stop(self) -> None:
        """Write what is left, if the database answers."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(Unavailable, asyncpg.PostgresError):
            await self.write()

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.write()
            except (Unavailable, asyncpg.PostgresError) as error:
                _log.info("last uses of sessions wait", error=type(error).__name__)
            except Exception:  # this task must not end
                _log.exception("last uses of sessions wait")
