"""The Idempotency-Key header and request digests."""

import pytest

from tikiwallet.web.idempotency import (
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    key_of,
    parse_key,
    request_digest,
)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (b"abc", "abc"),
        (b'"abc"', "abc"),
        (b"  abc\t", "abc"),
        (b' "abc" ', "abc"),
        (b"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (b'"a\\"b\\\\c"', 'a"b\\c'),
        (b'a"b', 'a"b'),
        (b"!~", "!~"),
        (b"k" * 255, "k" * 255),
        (b'"' + b"k" * 255 + b'"', "k" * 255),
    ],
)
def test_keys(header: bytes, key: str) -> None:
    assert parse_key(header) == key


@pytest.mark.parametrize(
    "header",
    [
        b"", b" ", b'""', b'"', b'"abc', b'"a"b"', b"a b", b'"a b"', b"k" * 256, b"a\x7f", b"a\x1f",
        "schlüssel".encode(), b"a\tb", b'"a\\b"', b'"a\\"', b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_key(header: bytes) -> None:
    with pytest.raises(IdempotencyKeyInvalid):
        parse_key(header)


def test_a_missing_key() -> None:
    with pytest.raises(IdempotencyKeyMissing):
        parse_key(None)
    with pytest.raises(IdempotencyKeyMissing):
        key_of([(b"host", b"here")])


def test_the_key_among_headers() -> None:
    key = (b"idempotency-key", b"k")
    assert key_of([(b"host", b"here"), key, key]) == "k"
    with pytest.raises(IdempotencyKeyInvalid):
        key_of([key, (b"idempotency-key", b"other")])


def test_a_digest_sees_content_and_route_but_no_order_and_no_pin() -> None:
    first = request_digest("POST /a", {"x": 1, "y": {"b": 1, "a": 2}})
    assert len(first) == 32
    assert first == request_digest("POST /a", {"y": {"a": 2, "b": 1}, "x": 1, "pin": "123654"})
    assert first != request_digest("POST /b", {"x": 1, "y": {"b": 1, "a": 2}})
    assert first != request_digest("POST /a", {"x": 2, "y": {"b": 1, "a": 2}})
    assert first != request_digest("POST /a", {"x": "1", "y": {"b": 1, "a": 2}})
