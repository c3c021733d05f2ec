"""Times: exact microseconds and back, and how they are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet import clock

AT = datetime(2026, 3, 1, 4, 5, 6, 70, UTC)


@given(st.integers(0, 253_402_300_799_999_999))
def test_microseconds_come_back_exact(us: int) -> None:
    assert clock.to_us(clock.from_us(us)) == us


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        clock.to_us(AT.replace(tzinfo=None))


@pytest.mark.parametrize("at", [AT, AT.astimezone(timezone(timedelta(hours=8)))])
def test_times_are_written_in_utc_with_microseconds(at: datetime) -> None:
    assert clock.write(at) == "2026-03-01T04:05:06.000070Z"
    assert clock.rfc3339(clock.to_us(at)) == clock.write(at)
