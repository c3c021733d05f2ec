"""What ran out is deleted in slices, all of it."""

from tests.identity.hand_clock import HandClock

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity import housekeeping


async def test_a_flood_is_deleted_in_slices(database: Database, hand_clock: HandClock) -> None:
    for days, count in ((3, 11), (1, 5)):
        await database.execute(
            """
            INSERT INTO identity.attempt (kind, subject, count, started_at, last_at)
            SELECT 'test', decode(lpad(to_hex($1 * 1000 + i), 32, '0'), 'hex'), 1, $2, $2
            FROM generate_series(1, $3::int) i
            """,
            days,
            clock.from_us(hand_clock() - days * 86_400_000_000),
            count,
        )
    statements: list[str] = []
    execute = database.execute

    async def watched(sql: str, *args: object) -> str:
        done = await execute(sql, *args)
        if "identity.attempt" in sql:
            statements.append(done)
        return done

    database.execute = watched  # type: ignore[method-assign]
    await housekeeping.prune(database, hand_clock, slice=4)
    assert statements == ["DELETE 4", "DELETE 4", "DELETE 3"]
    assert await database.fetchval("SELECT count(*) FROM identity.attempt") == 5
