"""The journal's two files: how they are opened, checked from end to end, and read when damaged.

`journal.sqlite` holds rows (shelf, key, value), each with the SHA-256 of its content, and one row
`head`: the installation's id, how many times the journal was written, and the sum of all rows'
digests modulo 2^256. The sum changes by one addition for each row that is put or dropped, and at
start it shows whether any row is missing, however the file was cut. `journal.mark` repeats id and
count outside, so that a journal that is gone or older than it was is noticed too.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE = "journal.sqlite"
MARK = "journal.mark"
VERSION = 1
SUM_BYTES = 32
_MODULUS = 1 << 256
_SCHEMA = f"""
CREATE TABLE record (shelf TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                     digest BLOB NOT NULL, PRIMARY KEY (shelf, key));
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), installation BLOB NOT NULL,
                   written INTEGER NOT NULL, sum BLOB NOT NULL, doubtful TEXT);
PRAGMA user_version = {VERSION};
"""


class JournalDamaged(Exception):
    """The journal is not what this device wrote; the text says what is wrong, in people's words."""


class JournalInUse(Exception):
    """Another process has the journal open."""


class Row(NamedTuple):
    """One thing the device remembers."""

    shelf: str
    key: bytes
    value: bytes

    def digest(self) -> bytes:
        """SHA-256 over the parts, each with its length before it."""
        whole = hashlib.sha256()
        for part in (self.shelf.encode(), self.key, self.value):
            whole.update(len(part).to_bytes(4, "big"))
            whole.update(part)
        return whole.digest()


class Mark(NamedTuple):
    """What `journal.mark` says."""

    installation: bytes
    written: int


def added(total: bytes, *, put: bytes | None = None, dropped: bytes | None = None) -> bytes:
    """The sum of all digests after a row with digest `put` came and one with `dropped` went."""
    number = int.from_bytes(total, "big")
    number += int.from_bytes(put or b"", "big") - int.from_bytes(dropped or b"", "big")
    return (number % _MODULUS).to_bytes(SUM_BYTES, "big")


def connect(folder: Path) -> sqlite3.Connection:
    """The journal's file, for this process alone, every commit on disk before it returns."""
    path = folder / FILE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    # Callers take turns with a lock of their own, from several threads.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        database.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise JournalInUse(f"another terminal is using {folder}") from None
        raise JournalDamaged(f"the journal cannot be opened: {error}") from None
    return database


def create(folder: Path, database: sqlite3.Connection, mark: Mark, doubtful: str | None) -> None:
    """Lay out an empty journal, in one database transaction."""
    database.executescript(f"BEGIN; {_SCHEMA}")
    database.execute(
        "INSERT INTO head VALUES (1, ?, ?, ?, ?)",
        (mark.installation, mark.written, bytes(SUM_BYTES), doubtful),
    )
    database.execute("COMMIT")
    sync_folder(folder)


def check(database: sqlite3.Connection, mark: Mark) -> None:
    """Read all of it; raise `JournalDamaged` unless it is whole, this device's, and no older."""
    try:
        _check(database, mark)
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        raise JournalDamaged(f"the journal cannot be read: {error}") from None


def _check(database: sqlite3.Connection, mark: Mark) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise JournalDamaged(f"the journal is of version {version}; this program knows {VERSION}")
    [(state,), *more] = database.execute("PRAGMA integrity_check(1)").fetchall()
    if state != "ok" or more:
        raise JournalDamaged(f"the journal's file is damaged: {str(state).splitlines()[-1]}")
    heads = database.execute("SELECT installation, written, sum FROM head").fetchall()
    if len(heads) != 1:
        raise JournalDamaged("the journal's head is missing")
    installation, written, total = heads[0]
    if total != _sum_of(database):
        raise JournalDamaged("rows of the journal are missing or changed")
    if installation != mark.installation:
        raise JournalDamaged("the journal belongs to another installation")
    if written < mark.written:
        raise JournalDamaged(
            f"the journal is older than it was: {written} entries, and {mark.written} were written"
        )


def _sum_of(database: sqlite3.Connection) -> bytes:
    total = 0
    for shelf, key, value, digest in database.execute("SELECT * FROM record"):
        row = Row(shelf, key, value)
        if row.digest() != digest:
            raise JournalDamaged(f"an entry of the journal ({row.shelf}) was changed")
        total += int.from_bytes(digest, "big")
    return (total % _MODULUS).to_bytes(SUM_BYTES, "big")


def readable(folder: Path) -> list[Row]:
    """What a damaged journal still says: every row that can be reached and agrees with its digest.

    SQLite writes into what it opens, so this is for a copy.
    """
    database = sqlite3.connect(folder / FILE, isolation_level=None)
    try:
        found: dict[tuple[str, bytes], Row] = {}
        # From both ends, as each walk stops at the first page that cannot be read.
        for order in ("rowid", "rowid DESC"):
            for row in _walk(database, order):
                found[row.shelf, row.key] = row
        return list(found.values())
    finally:
        database.close()


def _walk(database: sqlite3.Connection, order: str) -> Iterator[Row]:
    try:
        database.execute("PRAGMA writable_schema = ON")  # a cut file is refused without
        for shelf, key, value, digest in database.execute(
            f"SELECT shelf, key, value, digest FROM record NOT INDEXED ORDER BY {order}"  # noqa: S608 - two words of our own
        ):
            try:
                row = Row(shelf, key, value)
                if row.digest() == digest:
                    yield row
            except (AttributeError, TypeError):  # a column of another type
                continue
    except (sqlite3.Error, OverflowError, ValueError):
        return


def read_mark(folder: Path) -> Mark | None:
    """What `journal.mark` says; None when there is none. Raises `JournalDamaged`."""
    try:
        data = (folder / MARK).read_bytes()
    except FileNotFoundError:
        return None
    if len(data) != 56 or hashlib.sha256(data[:24]).digest() != data[24:]:
        raise JournalDamaged("the journal's mark is damaged")
    return Mark(data[:16], int.from_bytes(data[16:24], "big"))


def write_mark(folder: Path, mark: Mark) -> None:
    """Durable on return. It fits a disk's sector, so it is the old one or the new."""
    body = mark.installation + mark.written.to_bytes(8, "big")
    new = not (folder / MARK).exists()
    file = os.open(folder / MARK, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(file, body + hashlib.sha256(body).digest(), 0)
        os.ftruncate(file, 56)
        os.fdatasync(file)
    finally:
        os.close(file)
    if new:
        sync_folder(folder)


def copied(folder: Path, into: Path) -> Path:
    """The journal's files, with what SQLite keeps beside them, copied into a new folder."""
    into.mkdir(mode=0o700)
    for path in folder.glob("journal.*"):
        shutil.copy2(path, into)
    return into


def replace(folder: Path, fresh: Path) -> None:
    """Put the journal of the folder `fresh` in the place of that in `folder`.

    Cut short at any point, what is there is refused for its mark, and can be recovered again.
    """
    (folder / f"{FILE}-journal").unlink(missing_ok=True)  # it would undo parts of the new one
    for name in (FILE, MARK):
        (fresh / name).replace(folder / name)
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Names of new or renamed files are on disk on return."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
