"""Migrations: numbered SQL files, each applied once, in its own database transaction.

What was applied is recorded in `migration.applied` with a SHA-256 of the file. A file that was
edited afterwards, or that this release does not know, stops everything: the schema is not what
the code believes. Packages number their own ranges, so a lower number may arrive later.

What SQL cannot do is a step: a line `-- step: name` stands where `migrate` calls what it was given
under that name, inside the same database transaction.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg

from tikiwallet.database.pool import connect, transaction

_LOCK: Final = 0x7469_6B69  # advisory lock of everybody who migrates; "tiki"
_STEP: Final = re.compile(r"^-- step: ([a-z0-9_]+)$", re.MULTILINE)
_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_RECORD: Final = """
CREATE SCHEMA IF NOT EXISTS migration;
CREATE TABLE IF NOT EXISTS migration.applied (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


Step = Callable[[asyncpg.Connection], Awaitable[None]]
_NO_STEPS: Final[Mapping[str, Step]] = MappingProxyType({})


class MigrationError(Exception):
    """The schema cannot be brought up to date; the text is for whoever runs the installation."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> bytes:
        """What the file is recorded by; line ends do not count."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).digest()


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """The migrations of this release (or of `folder`) by number; MigrationError for odd files."""
    place = folder or files("tikiwallet.database") / "migrations"
    found: dict[int, Migration] = {}
    for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(entry.name)
        if match is None:
            raise MigrationError(f"{entry.name}: name migrations like 0042_what_it_does.sql")
        number = int(match[1])
        if number in found:
            raise MigrationError(f"{entry.name} and {found[number].name} share a number")
        found[number] = Migration(number, entry.name, entry.read_text(encoding="utf-8"))
    return [found[number] for number in sorted(found)]


async def migrate(
    owner_dsn: str, folder: Path | None = None, steps: Mapping[str, Step] = _NO_STEPS
) -> list[str]:
    """Apply what is missing and return the names of what was applied.

    One process at a time does this; others wait for it. A step that is not among `steps` is passed
    over: for databases that hold no rows yet. Raises MigrationError when a file fails or the record
    does not fit the files; earlier files of the same run stay applied.
    """
    migrations = read_migrations(folder)
    connection = await connect(owner_dsn, None, settings={"application_name": "tikiwallet migrate"})
    try:
        encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
        if encoding != "UTF8":
            raise MigrationError(
                f"the database is encoded in {encoding}, and people's names are not:"
                " make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute("SET lock_timeout = '5s'; SET statement_timeout = '10min'")
        await connection.execute("SET client_min_messages = warning")
        await connection.execute(_RECORD)
        applied = await _check(connection, migrations)
        missing = [one for one in migrations if one.number not in applied]
        for one in missing:
            await _apply(connection, one, steps)
        return [one.name for one in missing]
    finally:
        await connection.close()


async def pending(dsn: str, role: str | None = None) -> list[str]:
    """Names of migrations of this release that the database does not have yet."""
    connection = await connect(dsn, role)
    try:
        if await connection.fetchval("SELECT to_regclass('migration.applied') IS NULL"):
            return [one.name for one in read_migrations()]
        applied = await _check(connection, read_migrations())
        return [one.name for one in read_migrations() if one.number not in applied]
    finally:
        await connection.close()


async def _check(connection: asyncpg.Connection, migrations: list[Migration]) -> set[int]:
    """The numbers that are applied already, each with the content that this release has."""
    known = {one.number: one for one in migrations}
    rows = await connection.fetch(
        "SELECT number, name, sha256 FROM migration.applied ORDER BY number"
    )
    for row in rows:
        one = known.get(row["number"])
        if one is None:
            raise MigrationError(
                f"the database has {row['name']}, which this release does not know: "
                "it was used by a newer release; start that one"
            )
        if one.sha256 != row["sha256"]:
            raise MigrationError(
                f"{one.name} was edited after it was applied: put it back as it was, and write "
                "the change as a new migration"
            )
    return {row["number"] for row in rows}


async def _apply(connection: asyncpg.Connection, one: Migration, steps: Mapping[str, Step]) -> None:
    first, *rest = _STEP.split(one.sql)  # SQL, then a step's name and SQL, as often as there are
    try:
        async with transaction(connection):
            await connection.execute(first)
            for name, sql in zip(rest[::2], rest[1::2], strict=True):
                if name in steps:
                    await steps[name](connection)
                await connection.execute(sql)
            await connection.execute(
                "INSERT INTO migration.applied (number, name, sha256) VALUES ($1, $2, $3)",
                one.number,
                one.name,
                one.sha256,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{one.name} failed: {error}") from error
