"""The ledger's time follows the clock, and no leap of it."""

import pytest

from tikiwallet import clock
from tikiwallet.ledger.timekeeper import Timekeeper

SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 1_800_000_000 * SECOND


class Clocks:
    """This machine's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall = START
        self.boot = 100.0

    def pass_(self, seconds: float, wall: float | None = None) -> None:
        """So much time passes; the wall clock believes in `wall` seconds of it."""
        self.boot += seconds
        self.wall += int((seconds if wall is None else wall) * SECOND)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(clock, "now_us", lambda: clocks.wall)
    monkeypatch.setattr(clock, "boot_seconds", lambda: clocks.boot)
    return clocks


def test_it_is_the_clock(clocks: Clocks) -> None:
    keeper = Timekeeper()
    for seconds in (0, 0.001, 1, 3_600, 86_400):
        clocks.pass_(seconds)
        assert keeper.now_us() == clocks.wall
        assert keeper.leap_us == 0


@pytest.mark.parametrize("rate", [0.999, 1.001])
def test_a_clock_that_is_being_set_right_slowly_is_followed(clocks: Clocks, rate: float) -> None:
    keeper = Timekeeper()
    for _ in range(1_000):
        clocks.pass_(600, 600 * rate)
        assert keeper.now_us() == clocks.wall


def test_a_small_step_is_caught_up_with(clocks: Clocks) -> None:
    keeper = Timekeeper()
    clocks.pass_(0, 0.5)
    assert keeper.now_us() == START
    assert keeper.leap_us == SECOND // 2
    clocks.pass_(10)
    assert keeper.now_us() == START + 10 * SECOND + SECOND // 10
    clocks.pass_(41)
    assert keeper.now_us() == clocks.wall


def test_a_leap_is_not_followed_until_it_is_believed(clocks: Clocks) -> None:
    keeper = Timekeeper()
    clocks.pass_(1, 365 * 86_400)
    for _ in range(100):
        clocks.pass_(0.01)
        keeper.now_us()
    assert keeper.now_us() - START < 3 * SECOND
    assert keeper.leap_us > 364 * 24 * HOUR
    keeper.believe()
    assert keeper.now_us() == clocks.wall
    assert keeper.leap_us == 0


def test_a_leap_that_is_taken_back_leaves_nothing(clocks: Clocks) -> None:
    keeper = Timekeeper()
    clocks.pass_(0, 86_400)
    keeper.now_us()
    clocks.pass_(0, -86_400)
    clocks.pass_(60)
    assert keeper.now_us() == clocks.wall == START + 60 * SECOND
    assert keeper.leap_us == 0


def test_a_clock_that_went_back_may_come_forward_again(clocks: Clocks) -> None:
    keeper = Timekeeper()
    clocks.pass_(10, -3_600)
    assert keeper.now_us() == clocks.wall
    clocks.pass_(10, 3_620)
    keeper.now_us()
    assert keeper.leap_us == 0
    assert clocks.wall == START + 20 * SECOND
