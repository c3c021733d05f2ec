from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.terminal.framed import Conversation, Deframer, FrameRefused, packed
from tikiwallet.terminal.link import BODY_MOST, Frame, Kind, Link
from tikiwallet.terminal.webtransport import PhoneLink

FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=200)), max_size=8)


@given(FRAMES, st.data())
def test_frames_survive_any_cutting(frames: list[Frame], data: st.DataObject) -> None:
    wire = b"".join(packed(*frame) for frame in frames)
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=12))
    deframer = Deframer()
    found: list[Frame] = []
    for begin, end in pairwise([0, *sorted(cuts), len(wire)]):
        found += deframer.feed(wire[begin:end])
    assert found == frames
    assert deframer.is_whole


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_whatever_comes_is_cut_or_refused_and_little_is_held(parts: list[bytes]) -> None:
    deframer = Deframer()
    try:
        for part in parts:
            for frame in deframer.feed(part):
                assert len(frame.body) <= BODY_MOST
            assert len(deframer._held) < BODY_MOST + 5
    except FrameRefused:
        pass


@pytest.mark.parametrize("length", [0, BODY_MOST + 2, 0xFFFFFFFF])
def test_a_length_out_of_bounds_is_refused_after_what_was_whole(length: int) -> None:
    frames = Deframer().feed(packed(Kind.MESSAGE, b"whole") + length.to_bytes(4, "big"))
    assert next(frames) == (Kind.MESSAGE, b"whole")
    with pytest.raises(FrameRefused, match=str(length)):
        next(frames)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(FrameRefused, match="no known kind"):
        list(Deframer().feed(b"\0\0\0\2\xff\0"))


def test_no_frame_is_made_that_would_be_refused() -> None:
    assert list(Deframer().feed(packed(Kind.MESSAGE, bytes(BODY_MOST))))
    with pytest.raises(ValueError, match="16384"):
        packed(Kind.MESSAGE, bytes(BODY_MOST + 1))


def as_conversation(link: Link | PhoneLink) -> Conversation:
    """For mypy: whoever talks to a terminal can talk to a phone."""
    return link
