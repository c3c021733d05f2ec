"""Where a request came from, known to whatever it calls: the audit trail says it of every event.

The edge sets it once per request. Outside of requests (the worker, the command line) there is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from tikiwallet import languages

DEVICE_LONGEST: Final = 120
ADDRESS_LONGEST: Final = 64


class Origin(NamedTuple):
    """`device` in words (`Firefox on Linux`), `address` an IP address, `browser` what its cookie of
    a known browser says, `accept_language` the header; None where nobody knows."""

    device: str | None = None
    address: str | None = None
    browser: str | None = None
    accept_language: str | None = None

    @property
    def language(self) -> str | None:
        """The one of our languages that the request asks for, if any."""
        return None if self.accept_language is None else languages.asked_for(self.accept_language)


_CURRENT: Final[ContextVar[Origin]] = ContextVar("origin", default=Origin())  # noqa: B039 - frozen


def set_origin(
    device: str | None,
    address: str | None,
    browser: str | None = None,
    accept_language: str | None = None,
) -> None:
    """What follows in this task comes from there. Too long a text is cut, control characters go."""
    _CURRENT.set(
        Origin(
            _clean(device, DEVICE_LONGEST),
            _clean(address, ADDRESS_LONGEST),
            browser,
            accept_language,
        )
    )


def current() -> Origin:
    """Where the request being served came from."""
    return _CURRENT.get()


def asked_language() -> str:
    """The language to use where nobody has chosen one: that of the request, also for a message to a
    phone that is nobody's."""
    return current().language or languages.DEFAULT


def _clean(text: str | None, longest: int) -> str | None:
    if text is None:
        return None
    return "".join(letter for letter in text if letter.isprintable())[:longest] or None


@contextmanager
def hidden() -> Iterator[None]:
    """What is done meanwhile comes from nowhere: an event of somebody else than who asks."""
    token = _CURRENT.set(Origin())
    try:
        yield
    finally:
        _CURRENT.reset(token)
