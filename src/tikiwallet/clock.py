"""Time: UTC microseconds for records, a clock that counts suspended time for leases."""

import time
from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000_000
"""In microseconds, as all times of records are counted."""
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def boot_seconds() -> float:
    """Seconds on a clock that never goes back and goes on while the machine or process sleeps."""
    return time.clock_gettime(_BOOT)


def from_us(us: int) -> datetime:
    """The aware UTC datetime of `us` microseconds since 1970."""
    seconds, rest = divmod(us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; exact, without passing through a float."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@lru_cache(maxsize=1_024)  # all rows of a batch bear the same time
def rfc3339(us: int) -> str:
    """`us` microseconds since 1970 as RFC 3339 in UTC, with microseconds."""
    return from_us(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write(at: datetime) -> str:
    """An aware datetime as `rfc3339` writes it."""
    return rfc3339(to_us(at))
