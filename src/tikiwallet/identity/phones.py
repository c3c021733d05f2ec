"""Phone numbers in E.164, the form everything stores and compares."""

import re

import phonenumbers

from tikiwallet.errors import Problem

# Digits with the separators that people type; letters ("+1800FLOWERS") and extensions are refused.
_WRITTEN = re.compile(r"\+[0-9][0-9 ()./\u00a0\u2010\u2011-]{5,30}", re.ASCII)


class PhoneInvalid(Problem):
    code = "phone_invalid"
    title = "This is not an international phone number, such as +65 9123 4567"


def normalise(text: str) -> str:
    """The E.164 form (`+6591234567`) of an international number, whatever its separators.

    The number must be possible in its country by length. Whether it is in use shows when its code
    arrives; lists of allocated ranges age faster than software is updated. Premium-rate numbers are
    refused: messages to them are a known fraud. Raises `PhoneInvalid`.
    """
    written = text.strip()
    if not written.startswith("+"):
        raise PhoneInvalid("A phone number starts with + and the country, such as +65 9123 4567")
    if not _WRITTEN.fullmatch(written):
        raise PhoneInvalid
    try:
        number = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        raise PhoneInvalid from None
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise PhoneInvalid("This number is too short or too long for its country")
    if phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
        raise PhoneInvalid("Premium-rate numbers cannot be used")
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not 8 <= len(written) <= 16:
        raise PhoneInvalid("This number is too short or too long for its country")
    return written


def is_written_as_phone(text: str) -> bool:
    """Whether `text` means a phone rather than an @username or a wallet id."""
    return text.lstrip().startswith("+")
