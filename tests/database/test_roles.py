"""Who may do what, as PostgreSQL itself sees it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP, LEDGER
from tikiwallet.database.pool import connect

LOG_TABLES = ("journal", "log", "entry", "remainder")
CHANGES = ("UPDATE ledger.{} SET amount = 1", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}")


@pytest.fixture
async def app(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database_urls.app, APP)
    yield connection
    await connection.close()


@pytest.fixture
async def ledger(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database_urls.ledger, LEDGER)
    yield connection
    await connection.close()


@pytest.fixture
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database_urls.superuser, None)
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", LOG_TABLES)
async def test_history_is_append_only(
    app: asyncpg.Connection,
    ledger: asyncpg.Connection,
    superuser: asyncpg.Connection,
    table: str,
) -> None:
    for change in CHANGES:
        for connection in (app, ledger):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(change.format(table))
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await superuser.execute(change.format(table))


async def test_only_the_ledger_adds_to_the_log(app: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("INSERT INTO ledger.journal (stream, n) VALUES (1, 1)")
    assert await app.fetchval("SELECT count(*) FROM ledger.log") == 0


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE TEMP TABLE mine ()",
        "COPY ledger.log TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/hostname')",
        "DROP TRIGGER append_only ON ledger.log",
        "ALTER TABLE ledger.log DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
async def test_neither_role_changes_the_rules(
    app: asyncpg.Connection, ledger: asyncpg.Connection, sql: str
) -> None:
    for connection in (app, ledger):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)


async def test_the_ledger_ends_its_own_sessions(
    database_urls: DatabaseUrls, ledger: asyncpg.Connection, app: asyncpg.Connection
) -> None:
    other = await connect(database_urls.ledger, LEDGER)
    assert await ledger.fetchval("SELECT pg_terminate_backend($1, 5000)", other.get_server_pid())
    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)):
        await other.execute("SELECT 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ledger.fetchval("SELECT pg_terminate_backend($1)", app.get_server_pid())
