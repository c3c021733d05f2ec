"""What time it is for the log: this machine's clock, unless it leaps.

Rows are stamped, and holds run out, by this time. It never runs more than a hundredth faster than
time passes on the steady clock, so that a small step of the clock is caught up with in seconds, and
a leap ahead waits until somebody has looked at it (`term.check_clock`). Going back is no matter
here: rows never go back, whatever the clock does.
"""

from typing import Final

from tikiwallet import clock

TOLERANCE_US: Final = 60_000_000
LEAP_MAX_US: Final = 3 * 24 * 3_600 * 1_000_000  # a laptop that slept over a long weekend
_HASTE: Final = 100  # the steady clock's part by which this one may be faster


class Timekeeper:
    """One process's sense of time; it outlives the terms of a writer, as a leap does."""

    def __init__(self) -> None:
        self._at = clock.now_us()
        self._boot = clock.boot_seconds()
        self.leap_us = 0  # how far the clock was ahead of what could be believed, when last asked

    def now_us(self) -> int:
        """Microseconds since 1970."""
        wall, boot = clock.now_us(), clock.boot_seconds()
        passed = int((boot - self._boot) * 1_000_000)
        reckoned = self._at + passed
        fastest = reckoned + passed // _HASTE
        now = min(wall, fastest)
        self.leap_us = wall - now
        # A clock that went back may come forward again; only slow drift is followed downwards.
        self._at = now if now >= reckoned - TOLERANCE_US else reckoned
        self._boot = boot
        return now

    def believe(self) -> None:
        """Take over what this machine's clock says, wherever it leapt to."""
        self._at, self._boot, self.leap_us = clock.now_us(), clock.boot_seconds(), 0
