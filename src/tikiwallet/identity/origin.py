"""Where a request came from, known to whatever it calls: the audit trail says it of every event.

The edge sets it once per request. Outside of requests (the worker, the command line) there is none.
"""

from contextvars import ContextVar
from typing import Final, NamedTuple

DEVICE_LONGEST: Final = 120
ADDRESS_LONGEST: Final = 64


class Origin(NamedTuple):
    """`device` in words (`Firefox on Linux`), `address` an IP address, `browser` what its cookie of
    a known browser says; None where nobody knows."""

    device: str | None = None
    address: str | None = None
    browser: str | None = None


_CURRENT: Final[ContextVar[Origin]] = ContextVar("origin", default=Origin())  # noqa: B039 - frozen


def set_origin(device: str | None, address: str | None, browser: str | None = None) -> None:
    """What follows in this task comes from there. Too long a text is cut, control characters go."""
    _CURRENT.set(Origin(_clean(device, DEVICE_LONGEST), _clean(address, ADDRESS_LONGEST), browser))


def current() -> Origin:
    """Where the request being served came from."""
    return _CURRENT.get()


def _clean(text: str | None, longest: int) -> str | None:
    if text is None:
        return None
    return "".join(letter for letter in text if letter.isprintable())[:longest] or None
