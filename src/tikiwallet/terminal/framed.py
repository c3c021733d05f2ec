"""What every link between two devices gives: whole messages, both ways, in order.

On the wire a message is its length in four bytes, then itself. What a message says is the business
of those who exchange them: the bytes of a QR code, or of a short string (`short_string`).
"""

import asyncio
from collections.abc import Iterator
from typing import Final, Protocol

FRAME_MAX: Final = 16 * 1024
_LENGTH: Final = 4


class LinkTrouble(Exception):
    """The link is of no more use; the text says why, for people. What was sent may have arrived:
    the same bytes go over the next link."""


class LinkEnded(LinkTrouble):
    """The other device ended the exchange, or is gone."""


class LinkStalled(LinkTrouble):
    """Nothing came in time."""


class FrameRefused(LinkTrouble):
    """The other device sent what is no frame."""


class FramedLink(Protocol):
    """One exchange with one other device."""

    @property
    def binding(self) -> bytes:
        """What both ends know of this channel, and nobody who sits between two channels can make
        alike on both; at most 255 bytes."""

    async def send(self, message: bytes) -> None:
        """Hand over 1 to `FRAME_MAX` bytes. Raises `LinkTrouble`."""

    async def receive(self) -> bytes:
        """The next message. Raises `LinkTrouble`."""

    async def close(self) -> None:
        """End the exchange in order; what was sent still arrives."""


class Meeting(Protocol):
    """Takes on exchanges that other devices begin."""

    async def meet(self, link: FramedLink) -> None:
        """One exchange. The link is closed afterwards; `LinkTrouble` may pass through."""


def frame(message: bytes) -> bytes:
    """`message` as it goes over the wire."""
    if not 1 <= len(message) <= FRAME_MAX:
        raise ValueError(f"a message has 1 to {FRAME_MAX} bytes, not {len(message)}")
    return len(message).to_bytes(_LENGTH, "big") + message


def _announced(head: bytes | bytearray) -> int:
    length = int.from_bytes(head[:_LENGTH], "big")
    if not 1 <= length <= FRAME_MAX:
        raise FrameRefused(f"The other device sent a message of {length} bytes.")
    return length


class Deframer:
    """Cuts a stream into messages. Holds at most one that is not whole."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that `data` completes. Raises `FrameRefused`, once the whole ones before
        are given."""
        self._held += data
        begin = 0
        try:
            while len(self._held) - begin >= _LENGTH:
                end = begin + _LENGTH + _announced(self._held[begin : begin + _LENGTH])
                if len(self._held) < end:
                    break
                yield bytes(self._held[begin + _LENGTH : end])
                begin = end
        finally:
            del self._held[:begin]

    @property
    def whole(self) -> bool:
        """Whether nothing is held, so that the stream may end here."""
        return not self._held


async def read_frame(stream: asyncio.StreamReader) -> bytes:
    """The next message of a stream. Raises `LinkEnded`, `FrameRefused`."""
    try:
        length = _announced(await stream.readexactly(_LENGTH))
        return await stream.readexactly(length)
    except asyncio.IncompleteReadError as error:
        within = " in the middle of a message" if error.partial else ""
        raise LinkEnded(f"The other device ended the exchange{within}.") from None
