import asyncio
from collections import Counter

import pytest

from tikiwallet.terminal.framed import FramedLink, FrameRefused
from tikiwallet.terminal.short_string import (
    agree_as_answerer,
    agree_as_opener,
    begins,
    commitment,
    digits,
)

CHANNEL = b"certificate".ljust(32, b".")


class End:
    """One end of a link in memory."""

    def __init__(self, binding: bytes) -> None:
        self.binding = binding
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.other = self

    async def send(self, message: bytes) -> None:
        self.other.inbox.put_nowait(message)

    async def receive(self) -> bytes:
        return await self.inbox.get()

    async def close(self) -> None: ...


def joined(one: bytes = CHANNEL, other: bytes = CHANNEL) -> tuple[End, End]:
    near, far = End(one), End(other)
    near.other, far.other = far, near
    return near, far


async def both(opener: FramedLink, answerer: FramedLink) -> tuple[str, str]:
    return await asyncio.gather(agree_as_opener(opener), agree_as_answerer(answerer))


async def test_both_sides_show_the_same_six_digits() -> None:
    here, there = await both(*joined())
    assert here == there
    assert len(here) == 7
    assert here.replace(" ", "").isdigit()


async def test_a_commitment_that_was_received_already_counts() -> None:
    near, far = joined()
    opening = asyncio.ensure_future(agree_as_opener(near))
    first = await far.receive()
    assert begins(first)
    assert await agree_as_answerer(far, first) == await opening


async def test_who_sits_between_two_channels_is_found_out() -> None:
    """The middle relays every message as it is: the channels differ, so the reveal does not fit."""
    near, far = joined(CHANNEL, CHANNEL[::-1])
    opening = asyncio.ensure_future(agree_as_opener(near))
    with pytest.raises(FrameRefused, match="sit in between"):
        await agree_as_answerer(far)
    await opening


async def test_who_speaks_for_itself_on_both_sides_shows_other_digits() -> None:
    opener, middle_a = joined(CHANNEL)
    middle_b, answerer = joined(CHANNEL[::-1], CHANNEL[::-1])
    seen = Counter[bool]()
    for _ in range(20):
        left, right = await asyncio.gather(both(opener, middle_a), both(middle_b, answerer))
        seen[left[0] == right[1]] += 1
    assert seen[False] == 20


async def test_a_nonce_cannot_be_chosen_after_hearing_the_other() -> None:
    near, far = joined()
    await near.send(b"\xf1" + commitment(CHANNEL, bytes(32)))
    answering = asyncio.ensure_future(agree_as_answerer(far))
    await near.receive()
    await near.send(b"\xf3" + b"\1" * 32)
    with pytest.raises(FrameRefused, match="changed its number"):
        await answering


@pytest.mark.parametrize("message", [b"\xd2", b"\xf1" + bytes(31), b"\xf2" + bytes(32)])
async def test_anything_else_is_refused(message: bytes) -> None:
    near, far = joined()
    await near.send(message)
    with pytest.raises(FrameRefused, match="something else"):
        await agree_as_answerer(far)


def test_vector() -> None:
    """The browser shows the same (tests/app/test_webtransport.py)."""
    assert digits(CHANNEL, b"\1" * 32, b"\2" * 32) == "000 070"
    assert commitment(CHANNEL, b"\1" * 32).hex() == (
        "21372f60d81b7aefb97c8513a15a93e6123033322129595f9a405ec4591f7d76"
    )
