"""What travels between the writer and other processes: a length of four bytes, then msgpack.

Frames only ever grow: a tag that was used is never given another meaning.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import msgspec

from tikiwallet.ledger.transactions import AnyCommand, Outcome, State

FRAME_MAX = 8 * 1024 * 1024
_WEIGHT_MAX = 20_000  # states, outcomes or postings in one frame


class Frame(msgspec.Struct, frozen=True, array_like=True, tag_field="frame", gc=False):
    """Base of all frames."""


class PostItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command; `ttl_ms` is how long it may wait before the rules."""

    seq: int
    ttl_ms: int
    command: AnyCommand


class Post(Frame, frozen=True, tag=1):
    """Carry out these commands."""

    items: list[PostItem]


class ReadItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Accounts whose states are wanted."""

    seq: int
    accounts: list[int]


class Read(Frame, frozen=True, tag=2):
    """Answer these reads."""

    items: list[ReadItem]


class LookUp(Frame, frozen=True, tag=3):
    """Has this id an outcome?"""

    seq: int
    id: bytes
    digest: bytes


class Stable(Frame, frozen=True, tag=4):
    """How far may the log be read?"""

    seq: int


class OutcomeItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The outcome of a command; None: it was malformed, or, to a look-up, none yet."""

    seq: int
    outcome: Outcome | None
    error: str = ""


class Outcomes(Frame, frozen=True, tag=11):
    """Outcomes of commands and look-ups."""

    items: list[OutcomeItem]


class StatesItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The states asked for; None as a whole: they cannot be told now."""

    seq: int
    states: list[State | None] | None


class States(Frame, frozen=True, tag=12):
    """Answers to reads."""

    items: list[StatesItem]


class StableN(Frame, frozen=True, tag=13):
    """The highest log number that may be relied on; None: cannot be told now."""

    seq: int
    n: int | None


class Beat(Frame, frozen=True, tag=14):
    """The writer lives and leads; sent several times per lease."""

    epoch: int


Request: TypeAlias = Post | Read | LookUp | Stable
Answer: TypeAlias = Outcomes | States | StableN | Beat

encoder = msgspec.msgpack.Encoder()
request_decoder = msgspec.msgpack.Decoder(Request)
answer_decoder = msgspec.msgpack.Decoder(Answer)


def pack(frame: Frame) -> bytes:
    """A frame with its length before it."""
    body = encoder.encode(frame)
    return len(body).to_bytes(4, "big") + body


class Reassembly:
    """Bytes in, whole frame bodies out. Raises ValueError for a frame beyond FRAME_MAX."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that `data` completes."""
        buffer = self._buffer
        buffer += data
        bodies = []
        start = 0
        while len(buffer) - start >= 4:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if length > FRAME_MAX:
                raise ValueError(f"a frame of {length} bytes")
            if len(buffer) - start - 4 < length:
                break
            bodies.append(bytes(buffer[start + 4 : start + 4 + length]))
            start += 4 + length
        del buffer[:start]
        return bodies


_Item = TypeVar("_Item")


def parts(items: list[_Item], weight: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """`items` in runs that make a frame of a megabyte or two."""
    part: list[_Item] = []
    total = 0
    for item in items:
        part.append(item)
        total += weight(item)
        if total >= _WEIGHT_MAX:
            yield part
            part, total = [], 0
    if part:
        yield part


def weight(item: PostItem) -> int:
    """How much of a frame a command takes."""
    # A command's text may be as long as many postings.
    command = item.command
    return 16 + len(getattr(command, "postings", ())) + len(getattr(command, "amounts", ()) or ())
