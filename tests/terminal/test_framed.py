import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.terminal.framed import (
    FRAME_MAX,
    Deframer,
    FrameRefused,
    LinkEnded,
    frame,
    read_frame,
)

MESSAGES = st.lists(st.binary(min_size=1, max_size=200), max_size=8)


@given(MESSAGES, st.data())
def test_messages_survive_any_cutting(messages: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(map(frame, messages))
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=12))
    edges = [0, *sorted(cuts), len(wire)]
    deframer = Deframer()
    found: list[bytes] = []
    for begin, end in pairwise(edges):
        found += deframer.feed(wire[begin:end])
    assert found == messages
    assert deframer.whole


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_whatever_comes_is_cut_or_refused_and_little_is_held(parts: list[bytes]) -> None:
    deframer = Deframer()
    try:
        for part in parts:
            for message in deframer.feed(part):
                assert 1 <= len(message) <= FRAME_MAX
            assert len(deframer._held) < FRAME_MAX + 4
    except FrameRefused:
        pass


@pytest.mark.parametrize("length", [0, FRAME_MAX + 1, 0xFFFFFFFF])
def test_a_length_out_of_bounds_is_refused_after_what_was_whole(length: int) -> None:
    messages = Deframer().feed(frame(b"whole") + length.to_bytes(4, "big"))
    assert next(messages) == b"whole"
    with pytest.raises(FrameRefused, match=str(length)):
        next(messages)


@pytest.mark.parametrize("message", [b"", bytes(FRAME_MAX + 1)])
def test_no_frame_is_made_that_would_be_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 16384"):
        frame(message)


async def test_a_stream_is_read_frame_by_frame() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(frame(b"one") + frame(bytes(FRAME_MAX)) + b"\0\0")
    stream.feed_eof()
    assert await read_frame(stream) == b"one"
    assert len(await read_frame(stream)) == FRAME_MAX
    with pytest.raises(LinkEnded, match="in the middle"):
        await read_frame(stream)
    with pytest.raises(LinkEnded, match="ended the exchange"):
        await read_frame(stream)
