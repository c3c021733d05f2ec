"""The words of text messages: whole, short, and in letters that every phone shows."""

import string

import pytest

from tikiwallet.identity.codes import WITHOUT_CODE, Purpose
from tikiwallet.notify.templates import code_text

SEVEN_BIT = set(
    string.ascii_letters + string.digits + " \n@$_!\"#%&'()*+,-./:;<=>?"  # of GSM 03.38
)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_messages_fit_into_text_messages(purpose: Purpose) -> None:
    link = "https://wallet.example.org/recovery/cancel#" + "x" * 24
    for given in (None, link):
        try:
            text = code_text(purpose, None if purpose in WITHOUT_CODE else "012345", given)
            break
        except ValueError:
            continue
    assert set(text) <= SEVEN_BIT
    assert len(text) <= 2 * 153


def test_a_message_lacks_nothing() -> None:
    for purpose, code, link in (
        (Purpose.REGISTER, None, None),
        (Purpose.ALREADY_REGISTERED, "123456", None),
        (Purpose.RECOVERY_BEGUN, None, None),
        (Purpose.REGISTER, "123456", "https://example.org"),
    ):
        with pytest.raises(ValueError):
            code_text(purpose, code, link)
