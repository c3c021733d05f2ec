"""Base64url: one text for each value, and no other text."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet import base64url


@given(st.binary(max_size=80))
def test_what_is_written_is_read_and_is_what_everybody_writes(data: bytes) -> None:
    text = base64url.write(data)
    assert base64url.read(text) == data
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")


@given(st.text(alphabet="AQgw_-", max_size=12))
def test_a_value_has_one_text(text: str) -> None:
    try:
        data = base64url.read(text)
    except ValueError:
        return
    assert base64url.write(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AB", "AAA=", "AA+_", "AA/A", "AA A", "AAA\n", "ÄAAA", "===="]
)
def test_other_texts_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url.read(text)
