"""A fuzzer on what devices send each other: messages, bundles and frames."""

from random import Random

import base45  # type: ignore[import-untyped]
from tests.faults.conftest import Rounds
from tests.offline.mutations import check_reading, originals, spoilt_bytes, spoilt_payload

from tikiwallet.offline.wire import frames
from tikiwallet.offline.wire.cbor import Malformed

_ROUNDS = 5_000


def test_only_the_one_encoding_of_a_message_is_read(rounds: Rounds, chance: Random) -> None:
    messages = originals()
    read = 0
    for _ in rounds(_ROUNDS):
        message = chance.choice(messages)
        read += check_reading(spoilt_bytes(message.raw, chance))
        read += check_reading(spoilt_payload(message, chance))
    assert read > 0  # some changes leave a message in order, but for its signature


def test_only_the_one_encoding_of_a_frame_is_read(rounds: Rounds, chance: Random) -> None:
    collector = frames.Collector()
    texts = frames.texts_of(b"\xd2" + chance.randbytes(1_500))
    for _ in rounds(_ROUNDS):
        data = spoilt_bytes(frames.bytes_of(chance.choice(texts)), chance)
        text = str(base45.b45encode(data), "ascii")
        try:
            found = collector.add(text)
        except Malformed:
            continue
        assert collector.missing <= collector.total <= frames.FRAMES_MOST
        assert found is None or text in frames.texts_of(found)
