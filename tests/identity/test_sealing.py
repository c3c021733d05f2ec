"""Sealing: what opens and what does not, keys made once, and a rotation seen by everybody."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.identity.keys import KeyFileError
from tikiwallet.identity.sealing import (
    LOOK_SECONDS,
    OVERHEAD,
    SealBroken,
    SealedColumn,
    Sealing,
    add_key,
    versions,
)

_DAY = 86_400_000_000
_SEAL = """
import sys
from pathlib import Path
from tikiwallet.identity.sealing import Sealing
print(Sealing(Path(sys.argv[1])).seal(b"from afar", b"here").hex())
"""


class Times:
    """The day and the seconds of a process, moved by hand."""

    def __init__(self) -> None:
        self.us = 20_000 * _DAY
        self.seconds = 0.0

    def sealing(self, keys_dir: Path) -> Sealing:
        return Sealing(keys_dir, lambda: self.us, lambda: self.seconds)


@pytest.fixture(scope="module")
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Sealing:
    return Sealing(tmp_path_factory.mktemp("keys"))


@given(plain=st.binary(max_size=2_000), context=st.binary(max_size=100))
def test_what_was_sealed_opens(sealing: Sealing, plain: bytes, context: bytes) -> None:
    sealed = sealing.seal(plain, context)
    assert len(sealed) == len(plain) + OVERHEAD
    assert sealing.open(sealed, context) == plain
    assert sealing.seal(plain, context) != sealed


def test_any_changed_bit_is_noticed(sealing: Sealing) -> None:
    sealed = sealing.seal(b"lunch", b"memo 1")
    for position in range(len(sealed)):
        for bit in range(8):
            altered = bytearray(sealed)
            altered[position] ^= 1 << bit
            with pytest.raises(SealBroken):
                sealing.open(bytes(altered), b"memo 1")


@pytest.mark.parametrize("length", [0, 1, 3, 4, 15, 16, 31])
def test_what_is_too_short(sealing: Sealing, length: int) -> None:
    with pytest.raises(SealBroken):
        sealing.open(sealing.seal(b"", b"")[:length], b"")


def test_another_context(sealing: Sealing) -> None:
    phone = SealedColumn("identity.person", "phone")
    name = SealedColumn("identity.person", "display_name")
    sealed = phone.seal(sealing, 42, "+6591234567")
    assert phone.open(sealing, 42, sealed) == "+6591234567"
    for column, id in ((phone, 43), (name, 42)):
        with pytest.raises(SealBroken):
            column.open(sealing, id, sealed)


def test_a_process_of_its_own_opens_it_and_the_key_is_private(tmp_path: Path) -> None:
    keys_dir = tmp_path / "deep" / "keys"
    done = subprocess.run(
        [sys.executable, "-c", _SEAL, str(keys_dir)], capture_output=True, text=True, check=True
    )
    assert Sealing(keys_dir).open(bytes.fromhex(done.stdout), b"here") == b"from afar"
    key = keys_dir / "data-1.key"
    assert (len(key.read_bytes()), stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)
    key.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to others"):
        Sealing(keys_dir)


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    Sealing(tmp_path)
    (tmp_path / "data-1.key").write_bytes(b"short")
    with pytest.raises(KeyFileError, match="damaged"):
        Sealing(tmp_path)


def test_each_day_has_a_key_of_its_own(tmp_path: Path) -> None:
    times = Times()
    sealing = times.sealing(tmp_path)
    today = sealing.seal(b"a", b"")
    times.us += _DAY
    tomorrow = sealing.seal(b"a", b"")
    assert today[:2] == tomorrow[:2]
    assert int.from_bytes(tomorrow[2:4]) == int.from_bytes(today[2:4]) + 1 == 20_001
    assert sealing.open(today, b"") == sealing.open(tomorrow, b"") == b"a"
    with pytest.raises(SealBroken):
        sealing.open(today[:4] + tomorrow[4:], b"")
    raw = AESGCM((tmp_path / "data-1.key").read_bytes())
    with pytest.raises(InvalidTag):
        raw.decrypt(today[4:16], today[16:], b"")


def test_a_new_key_is_taken_up_by_those_who_run(tmp_path: Path) -> None:
    times = Times()
    here, there = times.sealing(tmp_path), times.sealing(tmp_path)
    old = here.seal(b"a", b"")
    assert add_key(tmp_path) == 2
    assert versions(tmp_path) == [1, 2]
    fresh = times.sealing(tmp_path)
    new = fresh.seal(b"b", b"")
    # Who meets a newer key opens with it at once; sealing follows within seconds.
    assert here.open(new, b"") == b"b"
    assert there.seal(b"c", b"")[:2] == b"\0\1"
    times.seconds += LOOK_SECONDS
    assert there.seal(b"c", b"")[:2] == b"\0\2"
    assert there.version == 2
    assert fresh.open(old, b"") == b"a"
    assert fresh.is_current(new)
    assert not fresh.is_current(old)


def test_a_missing_key_is_named_and_not_made_anew(tmp_path: Path) -> None:
    old = Sealing(tmp_path).seal(b"a", b"")
    add_key(tmp_path)
    (tmp_path / "data-1.key").unlink()
    sealing = Sealing(tmp_path)
    assert sealing.version == 2
    with pytest.raises(SealBroken, match=r"data-1\.key is missing"):
        sealing.open(old, b"")
    assert versions(tmp_path) == [2]


def test_nothing_secret_shows(tmp_path: Path) -> None:
    sealing = Sealing(tmp_path)
    secret = (tmp_path / "data-1.key").read_bytes()
    assert repr(secret) not in repr(sealing)
