"""The link in a text message by which whoever did not ask for something stops it.

It leads to a page of the app, which posts the secret behind the `#`: programs that only look at
links, as many phones' do, stop nothing.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

PATH: Final = "/recovery/cancel"
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class CancelLink:
    """A new secret: its hash to keep, and the link to send."""

    hash: bytes
    link: str = field(repr=False)

    @classmethod
    def new(cls, public_url: str) -> "CancelLink":
        """Under the address that people reach the service by."""
        secret = secrets.token_urlsafe(18)  # 144 bits, and short enough for a text message
        return cls(hash_of(secret), f"{public_url}{PATH}#{secret}")


def hash_of(secret: str) -> bytes:
    """What is kept of a random secret; it needs no slow hash."""
    return hashlib.sha256(secret[:_LONGEST].encode(errors="replace")).digest()
