"""Latencies in bounded memory: a histogram whose buckets grow with the value.

Values are whole microseconds. Below 256 each has a bucket of its own; above, each power of two is
cut into 128, so that what is reported is never more than 0.8 % above what was recorded.
"""

from array import array
from math import ceil

_CUT = 128
_DOUBLINGS = 30
_BITS = 7
HIGHEST = (2 * _CUT << _DOUBLINGS - 2) - 1  # about 38 hours; anything longer counts as this


def bucket(us: int) -> int:
    """The bucket that counts `us` microseconds."""
    if us < _CUT:
        return max(us, 0)
    us = min(us, HIGHEST)
    shift = us.bit_length() - _BITS - 1
    return (shift << _BITS) + (us >> shift)


def highest(index: int) -> int:
    """The longest time, in microseconds, that bucket `index` counts."""
    if index < 2 * _CUT:
        return index
    shift = (index >> _BITS) - 1
    return ((index & _CUT - 1) + _CUT + 1 << shift) - 1


class Histogram:
    """Counts of latencies; `counts[bucket(us)]` may be raised directly where calls are too dear."""

    def __init__(self) -> None:
        self.counts = array("Q", bytes(8 * _CUT * _DOUBLINGS))

    def record(self, us: int) -> None:
        """Count one latency of `us` microseconds."""
        self.counts[bucket(us)] += 1

    @property
    def total(self) -> int:
        """How many latencies were counted."""
        return sum(self.counts)

    def percentile(self, share: float) -> int:
        """The time in microseconds within which `share` (0 to 1) of all lie; 0 when empty."""
        if not 0 <= share <= 1:
            raise ValueError("a share lies between 0 and 1")
        rank = max(1, ceil(self.total * share))
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if seen >= rank:
                return highest(index)
        return 0
