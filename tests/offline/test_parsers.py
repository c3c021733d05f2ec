"""Whatever arrives, a parser either refuses it as `Malformed` or it was the one encoding of what it
says; and nothing that arrives makes it take memory for what is only announced."""

import subprocess
import sys
from random import Random

import base45  # type: ignore[import-untyped]
import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.offline.mutations import (
    chains,
    check_chain,
    check_reading,
    originals,
    spoilt_bytes,
    spoilt_chain,
    spoilt_payload,
)

from tikiwallet.offline.wire import cbor, frames
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.messages import AnyMessage

ORIGINALS = originals()
CHAINS = chains()
_LEAVES = (
    st.integers(0, cbor.INTEGER_MAX)
    | st.binary(max_size=300)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
)


def _inside(values: st.SearchStrategy[cbor.Value]) -> st.SearchStrategy[cbor.Value]:
    """Arrays and maps of what there is."""
    keys = st.integers(0, cbor.KEY_MAX)
    return st.lists(values, max_size=5) | st.dictionaries(keys, values, max_size=5)


# Up to the deepest that is read.
VALUES: st.SearchStrategy[cbor.Value] = _LEAVES
for _ in range(cbor.DEEPEST):
    VALUES = _LEAVES | _inside(VALUES)


@given(VALUES)
def test_what_was_encoded_decodes(value: cbor.Value) -> None:
    data = cbor.encode(value)
    assert cbor.decode(data) == value
    assert cbor2.loads(data) == value


@given(st.binary(max_size=80) | VALUES.map(cbor.encode), st.randoms(use_true_random=False))
def test_cbor_of_any_bytes(data: bytes, chance: Random) -> None:
    for given_ in (data, spoilt_bytes(data, chance)):
        try:
            value = cbor.decode(given_)
        except Malformed:
            continue
        assert cbor.encode(value) == given_


@given(
    st.recursive(
        st.integers()
        | st.floats()
        | st.booleans()
        | st.none()
        | st.dates()
        | st.decimals()
        | st.fractions()
        | st.uuids()
        | st.ip_addresses()
        | st.binary()
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner),
        max_leaves=8,
    )
)
def test_all_that_cbor_can_say(value: object) -> None:
    try:
        data = cbor2.dumps(value)
    except cbor2.CBOREncodeError:  # half a surrogate pair
        return
    try:
        read = cbor.decode(data)
    except Malformed:
        return
    assert cbor.encode(read) == data


@pytest.mark.parametrize("value", [True, 1.0, -1, 2**53, None, {24: 0}, {"a": 0}, (1,), "\ud800"])
def test_what_has_no_encoding(value: cbor.Value) -> None:
    with pytest.raises(Malformed):
        cbor.encode(value)


def test_no_encoding_is_longer_or_deeper_than_what_is_read() -> None:
    assert len(cbor.encode(bytes(cbor.LONGEST - 3))) == cbor.LONGEST
    with pytest.raises(Malformed):
        cbor.encode(bytes(cbor.LONGEST - 2))
    deepest: cbor.Value = 0
    for _ in range(cbor.DEEPEST):
        deepest = [deepest]
    assert cbor.decode(cbor.encode(deepest)) == deepest
    with pytest.raises(Malformed):
        cbor.encode([deepest])


@given(st.binary(max_size=300))
def test_messages_of_any_bytes(data: bytes) -> None:
    check_reading(data)
    check_reading(b"\xd2\x84" + data)


@settings(max_examples=1_000)
@given(st.sampled_from(ORIGINALS), st.randoms(use_true_random=False))
def test_spoilt_messages(message: AnyMessage, chance: Random) -> None:
    check_reading(spoilt_bytes(message.raw, chance))
    check_reading(spoilt_payload(message, chance))


@pytest.mark.parametrize("message", ORIGINALS, ids=lambda message: message.KIND.name.lower())
def test_a_message_cut_anywhere_is_refused(message: AnyMessage) -> None:
    assert check_reading(message.raw)
    for length in range(len(message.raw)):
        assert not check_reading(message.raw[:length])


@settings(max_examples=500)
@given(st.sampled_from(CHAINS), st.randoms(use_true_random=False))
def test_spoilt_chains(data: bytes, chance: Random) -> None:
    assert check_chain(data)
    check_chain(spoilt_bytes(data, chance))
    check_chain(spoilt_chain(data, chance))


@given(st.binary(max_size=300))
def test_chains_of_any_bytes(data: bytes) -> None:
    for begin in (b"", b"\xd2\x84", b"\x82\x59", b"\x83\x42\xd2\x84"):
        check_chain(begin + data)


def test_a_chain_cut_anywhere_is_refused() -> None:
    shortest = min(CHAINS, key=len)
    assert not any(check_chain(shortest[:length]) for length in range(len(shortest)))


def _text(data: bytes) -> str:
    return str(base45.b45encode(data), "ascii")


@given(st.text(max_size=700) | st.binary(max_size=460).map(_text))
def test_qr_codes_that_say_anything(text: str) -> None:
    try:
        data = frames.bytes_of(text)
    except Malformed:
        return
    assert _text(data) == text


@settings(max_examples=30, deadline=None)  # base45 is slow with so much
@given(
    st.lists(st.binary(min_size=445, max_size=1_500), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_frames_in_any_order_of_any_wholes(wholes: list[bytes], chance: Random) -> None:
    wholes = [b"\xd2" + whole for whole in wholes]
    seen = [text for whole in wholes for text in frames.texts_of(whole)] * 2
    chance.shuffle(seen)
    seen += [_text(spoilt_bytes(frames.bytes_of(text), chance)) for text in seen[:4]]
    collector = frames.Collector()
    found = []
    # Shown twice: a spoilt frame among them is noticed only with the last one.
    for text in seen + frames.texts_of(wholes[0]) * 2:
        try:
            found.append(collector.add(text))
        except Malformed:
            continue
        assert collector.missing <= collector.total <= frames.FRAMES_MOST
    assert wholes[0] in found
    assert all(one in wholes for one in found if one and len(one) > frames.ONE_CODE)


@pytest.mark.parametrize("length", [1, 443, 444, 445, 874, 875, frames.LONGEST])
def test_what_comes_out_of_qr_codes_is_what_went_in(length: int) -> None:
    data = b"\xd2" + bytes(length - 1)
    texts = frames.texts_of(data)
    assert len(texts) == (1 if length <= 444 else -(-length // 437))
    collector = frames.Collector()
    found = [collector.add(text) for text in reversed(texts)]
    assert found == [None] * (len(texts) - 1) + [data]


@pytest.mark.parametrize("data", [b"", b"\xf0", b"\xd2" * (frames.LONGEST + 1)])
def test_what_no_qr_codes_carry(data: bytes) -> None:
    with pytest.raises(ValueError):
        frames.texts_of(data)


def test_a_frame_of_another_whole_begins_anew() -> None:
    first, second = (frames.texts_of(b"\xd2" + bytes([n]) * 900) for n in (1, 2))
    collector = frames.Collector()
    assert collector.add(first[0]) is None
    assert (collector.missing, collector.total) == (2, 3)
    for text in second[:2]:
        assert collector.add(text) is None
    assert collector.missing == 1
    with pytest.raises(Malformed):
        collector.add("none of ours")
    assert collector.missing == 1
    assert collector.add(second[2]) == b"\xd2" + b"\x02" * 900
    assert (collector.missing, collector.total) == (0, 0)


_ANNOUNCED = """
import resource
from tikiwallet.offline.wire import cbor, chain, messages

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

lengths = ["7fffffff", "ffffffff", "00ffffff"]
heads = [kind + "a" + length for kind in "579b" for length in lengths]
heads += [kind + "b" + length * 2 for kind in "579b" for length in lengths]
tried = [bytes.fromhex(before + head + after)
    for head in heads for before in ("", "81", "a100", "84", "9f", "c2") for after in ("", "00")]
tried += [data + bytes(cbor.LONGEST - len(data)) for data in tried]
before = peak()
for data in tried * 3:
    for parse in (
        cbor.decode, messages.read, lambda data: messages.read(b"\\xd2" + data), chain.read
    ):
        try:
            parse(data)
        except cbor.Malformed:
            continue
        raise SystemExit(f"accepted {data[:20].hex()}")
print(peak() - before)
"""


def test_no_memory_for_what_is_only_announced() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ANNOUNCED], capture_output=True, text=True, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 8 << 20
