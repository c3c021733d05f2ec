"""Connections work as a role, carry limits, and commit in one place."""

import asyncpg
import pytest
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP, LEDGER
from tikiwallet.database.pool import Database, connect, transaction


async def test_the_owner_steps_down_to_the_role(database_urls: DatabaseUrls) -> None:
    connection = await connect(database_urls.owner, LEDGER)
    try:
        assert await connection.fetchval("SELECT current_user") == LEDGER
        assert await connection.fetchval("SHOW statement_timeout") == "0"
        assert await connection.fetchval("SHOW timezone") == "UTC"
    finally:
        await connection.close()


async def test_nobody_steps_up(database_urls: DatabaseUrls) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connect(database_urls.app, LEDGER)


async def test_a_wrong_password_is_refused(database_urls: DatabaseUrls) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(database_urls.app, APP, password="guess")


async def test_a_block_commits_when_it_ends_well(database_urls: DatabaseUrls) -> None:
    owner = await connect(database_urls.owner, None)
    await owner.execute(f"CREATE TABLE note (line text); GRANT ALL ON note TO {APP}")
    await owner.close()
    db = await Database.connect(database_urls.app, APP)
    try:
        async with db.transaction() as connection:
            await connection.execute("INSERT INTO note VALUES ('kept')")
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with db.transaction() as connection:
                await connection.execute("INSERT INTO note VALUES ('lost'); SELECT 1 / 0")
        assert [row["line"] for row in await db.fetch("SELECT line FROM note")] == ["kept"]
        assert await db.execute("UPDATE note SET line = $1", "new") == "UPDATE 1"
        assert await db.fetchval("SELECT line FROM note") == "new"
        row = await db.fetchrow("SELECT line FROM note WHERE line = $1", "none")
        assert row is None
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with db.transaction(readonly=True) as connection:
                await connection.execute("DELETE FROM note")
    finally:
        await db.close()


async def test_sessions_keep_role_and_limits_after_release(database_urls: DatabaseUrls) -> None:
    db = await Database.connect(
        database_urls.app, APP, max_size=1, settings={"statement_timeout": "150ms"}
    )
    try:
        async with db.transaction() as connection:
            await connection.execute("SET statement_timeout = 0")
        assert await db.fetchval("SHOW statement_timeout") == "150ms"
        assert await db.fetchval("SELECT current_user") == APP
        assert await db.fetchval("SHOW application_name") == APP
        with pytest.raises(asyncpg.QueryCanceledError):
            await db.execute("SELECT pg_sleep(30)")
    finally:
        await db.close()


async def test_a_transaction_on_a_connection_of_ones_own(database_urls: DatabaseUrls) -> None:
    connection = await connect(database_urls.owner, None)
    try:
        with pytest.raises(asyncpg.DuplicateTableError):
            async with transaction(connection):
                await connection.execute("CREATE TABLE gone (); CREATE TABLE gone ()")
        assert await connection.fetchval("SELECT to_regclass('gone')") is None
    finally:
        await connection.close()
