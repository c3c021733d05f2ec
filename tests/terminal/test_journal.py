"""A terminal's journal: durable, and honest about every byte that is missing or changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.journal_file import FILE, MARK, JournalDamaged, JournalInUse

ROWS = {
    (shelf, bytes([n]) * 16): os.urandom(700 * n + 1)  # the longest go over several pages
    for shelf in Shelf
    for n in range(1, 9)
}


def content(journal: Journal) -> dict[tuple[Shelf, bytes], bytes]:
    return {(shelf, key): value for shelf in Shelf for key, value in journal.all(shelf)}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    journal = Journal.open(folder)
    for (shelf, key), value in ROWS.items():
        journal.write(Change(shelf, key, value))
    journal.close()
    return folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "copy")


def test_what_was_written_is_read_after_a_restart(copy: Path) -> None:
    journal = Journal.open(copy)
    assert content(journal) == ROWS
    assert journal.doubtful is None
    key = bytes([1]) * 16
    journal.write(Change(Shelf.PURSE, key, b"new"), Change(Shelf.KEY, key, None))
    journal.close()
    journal = Journal.open(copy)
    assert journal.read(Shelf.PURSE, key) == b"new"
    assert journal.read(Shelf.KEY, key) is None
    journal.close()


def test_changes_come_together_or_not_at_all(copy: Path) -> None:
    journal = Journal.open(copy)
    with pytest.raises(TypeError):
        journal.write(
            Change(Shelf.FACT, b"a", b"1"),
            Change(Shelf.FACT, b"b", object()),  # type: ignore[arg-type]
        )
    assert content(journal) == ROWS
    journal.write(Change(Shelf.FACT, b"a", b"1"))
    journal.close()
    Journal.open(copy).close()


def test_files_are_for_their_owner_alone(copy: Path, tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "fresh")
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "fresh" / FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "fresh" / MARK).stat().st_mode & 0o777 == 0o600
    journal.close()


def test_two_processes_cannot_share_it(copy: Path) -> None:
    journal = Journal.open(copy)
    with pytest.raises(JournalInUse, match="another terminal"):
        Journal.open(copy)
    journal.close()


def cuts(size: int) -> list[int]:
    """Each page's edge and the bytes about it, the header's bytes, and places in between."""
    edges = {edge + step for edge in range(0, size, 4_096) for step in (-1, 0, 1)}
    return sorted(n for n in {*edges, *range(110), *range(0, size, 997), size - 1} if 0 <= n < size)


def damaged_or_whole(folder: Path) -> str:
    """The words it is refused with; "" when all of it is there."""
    try:
        journal = Journal.open(folder)
    except JournalDamaged as damaged:
        return str(damaged)
    try:
        assert content(journal) == ROWS
    finally:
        journal.close()
    return ""


def test_cut_anywhere_it_is_told(written: Path, tmp_path: Path) -> None:
    data = (written / FILE).read_bytes()
    shutil.copy(written / MARK, tmp_path)
    for length in cuts(len(data)):
        (tmp_path / FILE).write_bytes(data[:length])
        assert damaged_or_whole(tmp_path), f"cut to {length} bytes"


def test_changed_anywhere_it_is_told_or_harmless(written: Path, tmp_path: Path) -> None:
    data = (written / FILE).read_bytes()
    shutil.copy(written / MARK, tmp_path)
    told = 0
    places = cuts(len(data))
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(spoilt)
        told += damaged_or_whole(tmp_path) != ""
    assert told > len(places) / 2  # the rest is unused space and counters


@pytest.mark.parametrize("length", [0, 1, 16, 23, 24, 55])
def test_a_cut_mark_is_told(copy: Path, length: int) -> None:
    mark = copy / MARK
    mark.write_bytes(mark.read_bytes()[:length])
    with pytest.raises(JournalDamaged, match="mark is damaged"):
        Journal.open(copy)


def test_missing_files_are_told(copy: Path) -> None:
    (copy / MARK).rename(copy / "mark")
    with pytest.raises(JournalDamaged, match="mark is missing"):
        Journal.open(copy)
    (copy / "mark").rename(copy / MARK)
    (copy / FILE).unlink()
    with pytest.raises(JournalDamaged, match="gone"):
        Journal.open(copy)


def test_an_older_journal_is_told(copy: Path, written: Path) -> None:
    journal = Journal.open(copy)
    journal.write(Change(Shelf.FACT, b"a", b"1"))
    journal.close()
    shutil.copy(written / FILE, copy / FILE)
    with pytest.raises(JournalDamaged, match="older than it was"):
        Journal.open(copy)


def test_another_installations_journal_is_told(copy: Path, tmp_path: Path) -> None:
    Journal.open(tmp_path / "other").close()
    shutil.copy(tmp_path / "other" / FILE, copy / FILE)
    with pytest.raises(JournalDamaged, match="another installation"):
        Journal.open(copy)


def test_recovery_keeps_what_can_be_read_and_doubts_itself(copy: Path) -> None:
    data = (copy / FILE).read_bytes()
    spoilt = bytearray(data)
    spoilt[len(data) // 2] ^= 0xFF
    (copy / FILE).write_bytes(spoilt)
    journal = Journal.recover(copy)
    kept = content(journal)
    assert kept.items() <= ROWS.items()
    assert len(kept) >= len(ROWS) - 8
    assert journal.doubtful
    assert (copy / "damaged-1" / FILE).read_bytes() == spoilt
    journal.close()

    journal = Journal.open(copy)
    assert journal.doubtful
    assert content(journal) == kept
    journal.write(trusted=True)
    journal.close()
    journal = Journal.open(copy)
    assert journal.doubtful is None
    journal.close()


@pytest.mark.parametrize("kept", [0, 0.3, 0.7, 0.95])
def test_recovery_of_a_cut_journal(copy: Path, kept: float) -> None:
    data = (copy / FILE).read_bytes()
    (copy / FILE).write_bytes(data[: int(len(data) * kept)])
    journal = Journal.recover(copy)
    assert journal.doubtful
    rest = content(journal)
    assert rest.items() <= ROWS.items()
    assert len(rest) >= len(ROWS) * (kept - 0.3)
    journal.close()


def test_recovery_leaves_a_whole_journal_alone(copy: Path) -> None:
    journal = Journal.recover(copy)
    assert journal.doubtful is None
    assert content(journal) == ROWS
    journal.close()
    assert not list(copy.glob("damaged-*"))


WRITER = """
import sys
from pathlib import Path
from tikiwallet.terminal.journal import Change, Journal, Shelf
journal = Journal.open(Path(sys.argv[1]))
for n in range(10_000):
    journal.write(Change(Shelf.FACT, b"n", b"%d" % n), Change(Shelf.SEEN, b"%d" % n, bytes(5_000)))
    print(n, flush=True)
"""


def test_killed_while_it_writes_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    for stop in (0, 3, 17):
        folder = tmp_path / str(stop)
        program = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        last = -1
        while last < stop:
            last = int(program.stdout.readline())
        program.kill()
        last = max(last, *map(int, program.stdout.read().split()), -1)
        program.wait()
        program.stdout.close()
        journal = Journal.open(folder)
        stored = int(journal.read(Shelf.FACT, b"n") or b"-1")
        assert stored >= last
        assert len(journal.all(Shelf.SEEN)) == stored + 1
        journal.close()


def test_a_recovery_cut_short_is_told_and_begun_again(copy: Path, tmp_path: Path) -> None:
    (copy / MARK).write_bytes(b"")
    whole = shutil.copytree(copy, tmp_path / "whole")
    Journal.recover(whole).close()
    shutil.copy(whole / FILE, copy / FILE)  # stopped between the two files
    with pytest.raises(JournalDamaged):
        Journal.open(copy)
    journal = Journal.recover(copy)
    assert content(journal) == ROWS
    assert journal.doubtful
    journal.close()
