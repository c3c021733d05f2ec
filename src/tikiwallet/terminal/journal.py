"""What a terminal must not forget: keys, passes, payments and requests, what others paid.

One SQLite file (`journal_file` says how it is laid out), durable before `write` returns, read and
checked whole at each start. A damaged or older journal is refused in words; `recover` puts it
aside, keeps what can be read, and makes the device doubtful: it syncs before it pays.
"""

import os
import shutil
import sqlite3
import threading
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

from tikiwallet.terminal import journal_file
from tikiwallet.terminal.journal_file import FILE, JournalDamaged, Mark, Row


class Shelf(StrEnum):
    """The kinds of things a journal holds, each under keys of its own."""

    FACT = "fact"  # this device's id and number, what it knows of the issuer, the latest time
    KEY = "key"  # private keys, by public key
    PURSE = "purse"  # own passes and how far their chains go, by pass id
    PAYMENT = "payment"  # signed payments from own passes
    REQUEST = "request"  # own requests and what was paid for them, by request id
    SEEN = "seen"  # payments that this shop took, by pass and sequence number
    TOLD = "told"  # payments that other tills of the shop took, whole, by hash
    PROOF = "proof"  # two payments that one pass's key signed in one place, by pass id
    RECEIPT = "receipt"  # payments that are over, by hash


class Change(NamedTuple):
    """`value` None takes the entry away."""

    shelf: Shelf
    key: bytes
    value: bytes | None


class Journal:
    """An open journal. Safe to call from several threads."""

    def __init__(
        self, folder: Path, database: sqlite3.Connection, mark: Mark, doubtful: str | None
    ) -> None:
        self._folder = folder
        self._database = database
        self._mark = mark
        self._turn = threading.Lock()
        self.doubtful = doubtful

    @classmethod
    def open(cls, folder: Path, *, doubtful: str | None = None) -> Self:
        """The journal in `folder`, made where there is none (`doubtful` is for that one). Raises
        `JournalDamaged`, and `JournalInUse` where another process has it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = journal_file.read_mark(folder)
        path = folder / FILE
        there = path.exists() and path.stat().st_size > 0
        if mark is None and there:
            raise JournalDamaged("the journal's mark is missing")
        if mark is not None and mark.written and not there:
            raise JournalDamaged("the journal is gone")
        if mark is None:
            mark = Mark(os.urandom(16), 0)
            journal_file.write_mark(folder, mark)
        database = journal_file.connect(folder)
        try:
            if not there:
                journal_file.create(folder, database, mark, doubtful)
            journal_file.check(database, mark)
            written, doubtful = database.execute("SELECT written, doubtful FROM head").fetchone()
        except BaseException:
            database.close()
            raise
        return cls(folder, database, mark._replace(written=written), doubtful)

    @classmethod
    def recover(cls, folder: Path) -> Self:
        """Copy a damaged journal aside (`damaged-N/`), and go on with what can be read of it."""
        try:
            return cls.open(folder)
        except JournalDamaged as damaged:
            reason = str(damaged)
        journal_file.copied(folder, folder / f"damaged-{1 + len(list(folder.glob('damaged-*')))}")
        fresh = folder / "recovering"
        shutil.rmtree(fresh, ignore_errors=True)
        rows = journal_file.readable(journal_file.copied(folder, fresh))
        shutil.rmtree(fresh)
        journal = cls.open(fresh, doubtful=reason)
        known = set(Shelf)
        journal.write(*(Change(Shelf(r.shelf), r.key, r.value) for r in rows if r.shelf in known))
        journal.close()
        journal_file.replace(folder, fresh)
        shutil.rmtree(fresh)
        return cls.open(folder)

    def write(self, *changes: Change, trusted: bool = False) -> None:
        """All changes or none, on disk before this returns. With `trusted` the journal is no
        longer doubtful: the device has synced."""
        with self._turn:
            written = self._mark.written + 1
            doubtful = None if trusted else self.doubtful
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._apply(changes, written, doubtful)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            self.doubtful = doubtful
            self._mark = self._mark._replace(written=written)
            journal_file.write_mark(self._folder, self._mark)

    def _apply(self, changes: tuple[Change, ...], written: int, doubtful: str | None) -> None:
        run = self._database.execute
        total: bytes = run("SELECT sum FROM head").fetchone()[0]
        for shelf, key, value in changes:
            place = (shelf.value, key)
            old = run("SELECT digest FROM record WHERE (shelf, key) = (?, ?)", place).fetchone()
            if old is not None:
                run("DELETE FROM record WHERE (shelf, key) = (?, ?)", place)
                total = journal_file.added(total, dropped=old[0])
            if value is not None:
                digest = Row(shelf.value, key, value).digest()
                run("INSERT INTO record VALUES (?, ?, ?, ?)", (*place, value, digest))
                total = journal_file.added(total, put=digest)
        run("UPDATE head SET written = ?, sum = ?, doubtful = ?", (written, total, doubtful))

    def read(self, shelf: Shelf, key: bytes) -> bytes | None:
        """What stands under `key`, or None."""
        with self._turn:
            found = self._database.execute(
                "SELECT value FROM record WHERE (shelf, key) = (?, ?)", (shelf.value, key)
            ).fetchone()
        return None if found is None else found[0]

    def all(self, shelf: Shelf) -> list[tuple[bytes, bytes]]:
        """Keys and values of a shelf, in the order of their keys."""
        with self._turn:
            return self._database.execute(
                "SELECT key, value FROM record WHERE shelf = ? ORDER BY key", (shelf.value,)
            ).fetchall()

    def close(self) -> None:
        with self._turn:
            self._database.close()
