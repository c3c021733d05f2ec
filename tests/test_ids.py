"""Identifiers: unlike each other, in order, and written in one way only."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tikiwallet import ids

MS = 1_000_000


def test_thousands_in_a_millisecond_are_all_different(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    source = ids.NewIds()
    made = [source.new() for _ in range(20_000)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)


def test_a_clock_that_goes_back_makes_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() + 3_600_000 * MS
    source = ids.NewIds()
    made = []
    for step in (0, -1, -60_000, 0, 1, -5):
        monkeypatch.setattr(time, "time_ns", lambda step=step: now + step * MS)
        made += [source.new() for _ in range(100)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)


def test_threads_share_none() -> None:
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: [ids.new_id() for _ in range(2_000)], range(8)))
    made = [number for part in parts for number in part]
    assert len(set(made)) == len(made)


def test_a_fresh_millisecond_begins_anywhere() -> None:
    """Nobody counts customers by their ids."""
    starts = set()
    for _ in range(50):
        time.sleep(0.002)
        starts.add(ids.new_id() & 0x3F_FFFF)
    assert len(starts) > 45
    assert max(starts) - min(starts) > 1 << 21


@pytest.mark.parametrize("number", [0, 1, 31, 32, 1 << 40, (1 << 63) - 1])
def test_an_id_is_read_as_it_was_written(number: int) -> None:
    text = ids.write_id("w", number)
    assert ids.read_id("w", text) == number
    assert ids.read_id("p", text) is None
    assert ids.read_id("w", text.upper()) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "w_", "w_01k3", "w_+000000000001", "w_ 000000000001", "w_z000000000000"),
        *("w-0000000000001", "w_0_00000000001", *("w_" + letter * 13 for letter in "iu-٣")),
    ],
)
def test_what_is_no_id_is_none(text: str) -> None:
    assert ids.read_id("w", text) is None


def test_parts_of_a_derived_id_keep_their_places() -> None:
    assert ids.derived_id("a", "bc") != ids.derived_id("ab", "c")
    assert ids.derived_id("a", 1) == ids.derived_id("a", "1") == ids.derived_id("a", b"1")


def test_a_uuid_says_when_it_was_made() -> None:
    before = time.time_ns() // MS
    raw = ids.new_uuid7()
    assert before <= int.from_bytes(raw[:6], "big") <= time.time_ns() // MS
    assert raw[6] >> 4 == 7
    assert raw[8] >> 6 == 2
    assert ids.read_uuid(ids.write_uuid(raw)) == raw
    assert ids.read_uuid("no") is None


def test_an_id_tells_when_it_was_made() -> None:
    before = time.time_ns() // MS * 1_000
    assert before <= ids.made_at(ids.new_id()) <= time.time_ns() // 1_000 + 1_000
