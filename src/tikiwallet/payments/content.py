"""What a payment is about, as bytes: the same for who confirms it and for what carries it out."""

from collections.abc import Iterable

import msgspec

_ENCODER = msgspec.json.Encoder()


def payment_content(
    from_wallet: str, payees: Iterable[tuple[str, int, str]], memo: str | None
) -> bytes:
    """The bytes that a passkey confirms: everything of the request but PIN and confirmation, as it
    was written. A payee is (to, amount in minor units, currency code); their order counts."""
    return _ENCODER.encode((from_wallet, list(payees), memo))
