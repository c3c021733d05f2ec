"""A notice's words, and what a language has to offer."""

from typing import NamedTuple


class Words(NamedTuple):
    """A notice in one language. `{device}` and `{address}` stand for where it happened, other names
    for what the event's detail holds."""

    title: str
    text: str
