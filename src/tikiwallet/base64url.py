"""Base64url without padding (RFC 4648, section 5): bytes in JSON, tokens and QR texts."""

import base64


def write(data: bytes) -> str:
    """`data` in letters, digits, - and _."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def read(text: str) -> bytes:
    """The bytes behind `text`. Raises ValueError, in words, for all but their one right form."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("base64url is cut short, or holds other letters") from None
    if write(data) != text:
        raise ValueError("base64url has bits left over")
    return data
