from tikiwallet.terminal.short_string import commitment, digits

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
