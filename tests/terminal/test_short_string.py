import pytest

from tikiwallet.terminal import short_string
from tikiwallet.terminal.short_string import TRIES_MOST, Tries, commitment, digits

SIDES = bytes(range(32))
A, B = b"\1" * 32, b"\2" * 32


def test_vector() -> None:
    """The browser makes the same (tests/app/test_webtransport.py)."""
    assert digits(SIDES, A, B) == "598783"
    assert commitment(SIDES, A).hex() == (
        "b340ccc9a7f742564b6d5b9fddc0bbfa77470f2a55a68283d0e4d4d76301038f"
    )


def test_everything_changes_the_digits() -> None:
    """Each of these is what somebody in the middle would have on one side."""
    others = [(SIDES[::-1], A, B), (SIDES, B, A), (SIDES, A, A), (SIDES, A, bytes(32))]
    shown = {digits(*one) for one in [(SIDES, A, B), *others]}
    assert len(shown) == 5
    assert all(len(one) == 6 and one.isdigit() for one in shown)


def test_tries_are_up_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Tries()
    for _ in range(TRIES_MOST):
        assert not tries.are_up
        with tries.one():  # one that goes well counts for nothing
            pass
        with pytest.raises(TimeoutError), tries.one():
            raise TimeoutError
    assert tries.are_up
    monkeypatch.setattr(short_string, "TRIES_SECONDS", 0)
    assert not tries.are_up
