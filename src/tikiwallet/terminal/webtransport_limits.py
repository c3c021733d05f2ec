"""How much a phone may ask of the terminal before its connection is closed."""

from dataclasses import dataclass
from typing import Final

from aioquic.quic.events import StreamDataReceived

# A stream of an exchange begins with this (HTTP/3's frame type WEBTRANSPORT_STREAM).
_EXCHANGE: Final = b"\x40\x41"


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    sessions: int = 16  # connections at once
    exchanges: int = 4  # at once in a session
    streams: int = 64  # in a connection's whole life
    bytes: int = 1 << 20  # in a connection's whole life, read or still in pieces
    head: int = 4096  # on a stream that carries no exchange: settings, headers
    waiting: int = 8  # messages that nobody has read yet
    arrival: float = 10  # from the first packet to the session; also between two looks
    quiet: float = 150  # between two messages: a person reads, types and unlocks
    exchange: float = 600  # all of it
    idle: float = 60  # a session without an exchange
    lost: float = 30  # nothing at all is heard of the phone


class Budget:
    """Counts for one connection. HTTP/3's own streams stay small, because what unpacks headers
    makes much of little."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._heads: dict[int, int] = {}
        self._exchanges: set[int] = set()
        self._begun: set[int] = set()

    def allows(self, event: StreamDataReceived) -> bool:
        """Whether what has just come may be looked at."""
        stream_id = event.stream_id
        if stream_id in self._exchanges:
            return True
        before = self._heads.get(stream_id)
        if before is None and event.data[:2] == _EXCHANGE:
            self.note_exchange(stream_id)
        else:
            self._heads[stream_id] = (before or 0) + len(event.data)
        known = len(self._heads) + len(self._exchanges)
        return known <= self._limits.streams and self._heads.get(stream_id, 0) <= self._limits.head

    def note_exchange(self, stream_id: int) -> None:
        """This stream carries an exchange; its frames are bounded elsewhere."""
        self._heads.pop(stream_id, None)
        self._exchanges.add(stream_id)

    def begin(self, stream_id: int) -> None:
        """The exchange on this stream begins, once."""
        self._begun.add(stream_id)

    def is_known(self, stream_id: int) -> bool:
        """Whether an exchange began on this stream before."""
        return stream_id in self._begun
