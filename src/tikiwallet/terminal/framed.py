"""What every link to another device gives, terminals (`link`) and phones (`webtransport`) alike,
and the cutting of a stream into frames: 4 bytes length, 1 byte kind, body.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from tikiwallet.terminal.link import BODY_MOST, Frame, Kind, LinkLost

_LENGTH: Final = 4


class FrameRefused(LinkLost):
    """The other device sent what nobody sends who follows the rules."""


class Conversation(Protocol):
    """One open exchange with another device."""

    @property
    def digits(self) -> str:
        """What both people see and compare."""

    @property
    def peer(self) -> bytes:
        """Whoever it is: the fingerprint of its certificate, or what a phone's secret comes to."""

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        """Hand over one frame. Raises `LinkLost`. That it returns does not mean that it arrived."""

    async def receive(self) -> Frame:
        """The next frame that is no ping. Raises `LinkLost`."""

    def close(self) -> None:
        """No more of this."""


class Meeting(Protocol):
    """Takes on exchanges that phones begin."""

    async def meet(self, conversation: Conversation) -> None:
        """One exchange, which is closed afterwards. `LinkLost` may pass through. A phone that was
        lost in the middle comes back with the same bytes."""


def packed(kind: Kind, body: bytes) -> bytes:
    """A frame as it goes over the wire."""
    if len(body) > BODY_MOST:
        raise ValueError(f"a frame holds {BODY_MOST} bytes, not {len(body)}")
    return (len(body) + 1).to_bytes(_LENGTH, "big") + bytes((kind,)) + body


class Deframer:
    """Cuts a stream into frames. Holds at most one that is not whole."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `FrameRefused`, after the whole ones before."""
        self._held += data
        begin = 0
        try:
            while len(self._held) - begin >= _LENGTH:
                body = begin + _LENGTH
                end = body + _length(self._held[begin:body])
                if len(self._held) < end:
                    break
                yield _frame(bytes(self._held[body:end]))
                begin = end
        finally:
            del self._held[:begin]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is held, so that the stream may end here."""
        return not self._held


def _length(head: bytearray) -> int:
    length = int.from_bytes(head, "big")
    if not 1 <= length <= BODY_MOST + 1:
        raise FrameRefused(f"the other device sent a frame of {length} bytes")
    return length


def _frame(content: bytes) -> Frame:
    try:
        return Frame(Kind(content[0]), content[1:])
    except ValueError:
        raise FrameRefused("the other device sent a frame of no known kind") from None
