"""Stages: a folder with an embedded server that goes away, and a database on somebody's server."""

import asyncpg
import pytest
from tests.servers import DatabaseUrls

from tikiwallet.bench.processes import DidNotStart
from tikiwallet.bench.stage import DATABASE, on_database, open_stage

_COUNT = "SELECT count(*) FROM pg_database WHERE datname = $1"


async def _migrated(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval("SELECT to_regclass('ledger.log') IS NOT NULL"))
    finally:
        await connection.close()


async def test_an_embedded_stage_is_migrated_and_leaves_nothing() -> None:
    async with open_stage({}) as stage:
        assert await _migrated(stage.owner_dsn)
        assert stage.postmaster is not None
        assert stage.bin_dir is not None
        assert (stage.bin_dir / "pgbench").exists()
        assert stage.environment["TIKIWALLET_RATE_LIMITS"] == "off"
        folder = stage.settings.data_dir
        with pytest.raises(DidNotStart, match="boom"):
            await stage.python("-c", "raise SystemExit('boom')")
        assert str(folder) in await stage.python(
            "-c", "import os; print(os.environ['TIKIWALLET_DATA_DIR'])"
        )
    assert not folder.exists()


async def test_another_server_gets_a_database_that_is_dropped(database_urls: DatabaseUrls) -> None:
    given = {"TIKIWALLET_DATABASE_URL": database_urls.superuser, "TIKIWALLET_LEASE_MS": "400"}
    async with open_stage(given) as stage:
        assert stage.owner_dsn == on_database(database_urls.superuser, DATABASE)
        assert stage.environment["TIKIWALLET_LEASE_MS"] == "400"
        assert stage.postmaster is None
        assert await _migrated(stage.owner_dsn)
    connection = await asyncpg.connect(database_urls.superuser)
    try:
        assert await connection.fetchval(_COUNT, DATABASE) == 0
        assert await connection.fetchval(_COUNT, database_urls.name) == 1
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("url", "other"),
    [
        (
            "postgresql://a:b@h:5432/live?sslmode=require",
            "postgresql://a:b@h:5432/x?sslmode=require",
        ),
        ("postgresql://a:b@h:1,i:2/live", "postgresql://a:b@h:1,i:2/x"),
        ("postgresql://a:b@/live?host=%2Frun", "postgresql://a:b@/x?host=%2Frun"),
        ("postgresql://h/live", "postgresql://h/x"),
    ],
)
def test_only_the_database_changes_in_a_url(url: str, other: str) -> None:
    assert on_database(url, "x") == other
