"""A clock that stands still until a test moves it."""

from tikiwallet import clock


class HandClock:
    """Microseconds since 1970, starting now; call it to read it."""

    def __init__(self) -> None:
        self.us = clock.now_us()

    def __call__(self) -> int:
        return self.us

    def advance(self, seconds: float) -> None:
        self.us += round(seconds * 1_000_000)
