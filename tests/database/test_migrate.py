"""Migrations: once each, in order, unedited, one process at a time."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP
from tikiwallet.database.migrate import MigrationError, migrate, pending, read_migrations
from tikiwallet.database.pool import connect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "0001_first.sql", "CREATE TABLE first (n int)")
    write(tmp_path, "0003_third.sql", "CREATE TABLE third (n int); INSERT INTO third VALUES (3)")
    return tmp_path


def write(folder: Path, name: str, sql: str) -> None:
    (folder / name).write_text(sql)


async def value(urls: DatabaseUrls, sql: str) -> object:
    connection = await connect(urls.owner, None)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_ours_apply_once(empty_database_urls: DatabaseUrls) -> None:
    names = [one.name for one in read_migrations()]
    assert await pending(empty_database_urls.owner) == names
    assert await migrate(empty_database_urls.owner) == names
    assert await migrate(empty_database_urls.owner) == []
    assert await pending(empty_database_urls.owner) == []


async def test_a_lower_number_may_come_later(
    empty_database_urls: DatabaseUrls, folder: Path
) -> None:
    url = empty_database_urls.owner
    assert await migrate(url, folder) == ["0001_first.sql", "0003_third.sql"]
    write(folder, "0002_second.sql", "CREATE TABLE second (n int)")
    assert await migrate(url, folder) == ["0002_second.sql"]


async def test_an_edited_file_is_refused(empty_database_urls: DatabaseUrls, folder: Path) -> None:
    url = empty_database_urls.owner
    await migrate(url, folder)
    write(folder, "0001_first.sql", "CREATE TABLE first (n bigint)")
    with pytest.raises(MigrationError, match=r"0001_first\.sql was edited"):
        await migrate(url, folder)
    write(folder, "0001_first.sql", "CREATE TABLE first (n int)")
    assert await migrate(url, folder) == []


async def test_a_newer_database_is_refused(empty_database_urls: DatabaseUrls, folder: Path) -> None:
    await migrate(empty_database_urls.owner, folder)
    (folder / "0003_third.sql").unlink()
    with pytest.raises(MigrationError, match="newer release"):
        await migrate(empty_database_urls.owner, folder)


STEPPED = """
CREATE TABLE stepped (n int);
-- step: fill
ALTER TABLE stepped ADD CONSTRAINT small CHECK (n < 10);
-- step: unknown
ALTER TABLE stepped ADD COLUMN last int;
"""


async def test_a_step_runs_where_it_stands(empty_database_urls: DatabaseUrls, folder: Path) -> None:
    write(folder, "0004_stepped.sql", STEPPED)

    async def fill(connection: asyncpg.Connection) -> None:
        columns = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'stepped'"
        )
        assert [row[0] for row in columns] == ["n"]
        await connection.execute("INSERT INTO stepped VALUES (7)")

    await migrate(empty_database_urls.owner, folder, {"fill": fill})
    assert await value(empty_database_urls, "SELECT n FROM stepped WHERE last IS NULL") == 7


async def test_what_a_step_did_goes_with_its_file(
    empty_database_urls: DatabaseUrls, folder: Path
) -> None:
    write(folder, "0004_stepped.sql", STEPPED)

    async def fill(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO stepped VALUES (77)")

    with pytest.raises(MigrationError, match=r"0004_stepped\.sql failed: .*small"):
        await migrate(empty_database_urls.owner, folder, {"fill": fill})
    assert await value(empty_database_urls, "SELECT to_regclass('stepped')") is None


async def test_a_failed_file_leaves_nothing(
    empty_database_urls: DatabaseUrls, folder: Path
) -> None:
    urls = empty_database_urls
    write(folder, "0004_bad.sql", "CREATE TABLE half (n int); SELECT 1 / 0")
    with pytest.raises(MigrationError, match=r"0004_bad\.sql failed: division by zero"):
        await migrate(urls.owner, folder)
    assert await value(urls, "SELECT to_regclass('half')") is None
    assert await value(urls, "SELECT n FROM third") == 3
    write(folder, "0004_bad.sql", "CREATE TABLE half (n int)")
    assert await migrate(urls.owner, folder) == ["0004_bad.sql"]


async def test_a_second_process_waits(empty_database_urls: DatabaseUrls, folder: Path) -> None:
    write(folder, "0004_slow.sql", "SELECT pg_sleep(0.2)")
    runs = [migrate(empty_database_urls.owner, folder) for _ in range(4)]
    applied = await asyncio.gather(*runs)
    assert sorted(map(len, applied)) == [0, 0, 0, 3]


@pytest.mark.parametrize("name", ["1_x.sql", "0001-x.sql", "0001_X.sql", "x.sql"])
def test_odd_names_are_refused(folder: Path, name: str) -> None:
    write(folder, name, "")
    with pytest.raises(MigrationError, match="name migrations like"):
        read_migrations(folder)


def test_a_number_is_used_once(folder: Path) -> None:
    write(folder, "0001_again.sql", "")
    with pytest.raises(MigrationError, match="share a number"):
        read_migrations(folder)


async def test_the_application_cannot_migrate(empty_database_urls: DatabaseUrls) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await migrate(empty_database_urls.app)


async def test_the_record_is_closed_to_the_application(database_urls: DatabaseUrls) -> None:
    connection = await connect(database_urls.app, APP)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM migration.applied")
    finally:
        await connection.close()
