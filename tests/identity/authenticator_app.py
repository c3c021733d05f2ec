"""An authenticator app, written from RFC 4226 and RFC 6238."""

import base64
import hmac
import struct
from urllib.parse import parse_qs, urlsplit


class AuthenticatorApp:
    """Shows codes for a secret in base 32."""

    def __init__(self, secret: str) -> None:
        self.key = base64.b32decode(secret)

    @classmethod
    def scan(cls, uri: str) -> "AuthenticatorApp":
        """From the address in a QR code."""
        return cls(parse_qs(urlsplit(uri).query)["secret"][0])

    def code(self, seconds: float, digits: int = 6) -> str:
        """What it shows so many seconds after 1970."""
        digest = hmac.digest(self.key, struct.pack(">Q", int(seconds) // 30), "sha1")
        offset = digest[-1] & 0x0F
        (number,) = struct.unpack_from(">I", digest, offset)
        return f"{(number & 0x7FFF_FFFF) % 10**digits:0{digits}d}"
