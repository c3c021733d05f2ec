"""Each message but a PAY with sources fits one QR code that a cheap camera reads: version 14."""

import pytest
import segno
from tests.offline import samples

from tikiwallet.offline.wire import frames
from tikiwallet.offline.wire.messages import AnyMessage

_LATEST = 2**32 - 1
LARGEST = [
    (255, samples.largest_pass("payer")),
    (400, samples.largest_invite()),
    (444, samples.largest_pay()),
    (130, samples.receipt(time=_LATEST)),
    (130, samples.void()),
    (130, samples.close()),
]


@pytest.mark.parametrize(
    ("most", "message"), LARGEST, ids=[message.KIND.name for _, message in LARGEST]
)
def test_the_largest_of_each_kind(most: int, message: AnyMessage) -> None:
    assert len(message.raw) <= most
    (text,) = frames.texts_of(message.raw)
    assert _version(text) <= 14


def test_the_largest_have_the_longest_hindi_names() -> None:
    assert len(samples.LONGEST_NAME.encode()) == 20
    assert len((samples.largest_invite().memo or "").encode()) == 24
    assert samples.largest_pay().payer.name == samples.LONGEST_NAME
    assert samples.largest_invite().payee.payee_lock is not None


def test_a_pay_with_sources_takes_two_frames() -> None:
    sources = tuple(samples.octets(f"source {number}", 32) for number in range(4))
    texts = frames.texts_of(samples.largest_pay(sources=sources).raw)
    assert [_version(text) <= 14 for text in texts] == [True, True]


def test_444_bytes_are_the_most_of_version_14() -> None:
    (text,) = frames.texts_of(b"\xd2" * frames.ONE_CODE)
    assert _version(text) == 14
    assert _version(text + "AB") == 15


def _version(text: str) -> int:
    code = segno.make_qr(text, error="l", mode="alphanumeric", boost_error=False)
    assert isinstance(code.version, int)
    return code.version
