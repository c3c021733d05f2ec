"""How far numbers go is noted outside the database, and never taken back."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tikiwallet.ledger.reserve import Reserve


def test_it_grows_only(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    assert reserve.read() is None
    for noted, known in ((10, 10), (7, 10), (11, 11), (2**62, 2**62)):
        reserve.raise_to(noted)
        assert Reserve(tmp_path).read() == known
    assert reserve.path.stat().st_mode & 0o777 == 0o600


def test_shards_have_notes_of_their_own(tmp_path: Path) -> None:
    Reserve(tmp_path).raise_to(5)
    assert Reserve(tmp_path, shard=1).read() is None


@pytest.mark.parametrize("text", ["", "12", "12\n13\n", "-3\n", "twelve\n", "\xff\n"])
def test_what_is_no_note_counts_for_nothing(tmp_path: Path, text: str) -> None:
    reserve = Reserve(tmp_path)
    reserve.raise_to(1)
    reserve.path.write_bytes(text.encode("latin-1"))
    assert reserve.read() is None
    reserve.raise_to(4)
    assert reserve.read() == 4


def test_many_at_once_leave_the_highest(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Reserve(tmp_path).raise_to(n), range(1, 101)))
    assert Reserve(tmp_path).read() == 100
