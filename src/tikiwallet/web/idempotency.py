"""The Idempotency-Key header and the digest that tells a repeated request from another one.

Pure functions, used by the FastAPI routes and by the fast lane.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import msgspec

from tikiwallet.errors import Problem

HEADER: Final = b"idempotency-key"
KEY_MAX: Final = 255
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_NOT_VISIBLE: Final = bytes(set(range(256)) - set(range(0x21, 0x7F)))
_SECRETS: Final = frozenset({"pin", "confirmation"})


class IdempotencyKeyMissing(Problem):
    code = "idempotency_key_missing"
    title = "This request needs an Idempotency-Key header"


class IdempotencyKeyInvalid(Problem):
    code = "idempotency_key_invalid"
    title = "The Idempotency-Key must be 1 to 255 visible ASCII characters, bare or quoted"


def parse_key(header: bytes | None) -> str:
    """The key in the value of an Idempotency-Key header: `abc` and `"abc"` are the same key.

    Inside quotes, backslash escapes a quote or a backslash, as in RFC 9651 strings. Raises
    IdempotencyKeyMissing when there is no header, IdempotencyKeyInvalid when it holds no key.
    """
    if header is None:
        raise IdempotencyKeyMissing
    key = header.strip(b" \t")
    if key.startswith(b'"'):
        key = _unquote(key)
    # Deleting what is not allowed and comparing runs in C; keys come with every payment.
    if not 1 <= len(key) <= KEY_MAX or len(key.translate(None, _NOT_VISIBLE)) != len(key):
        raise IdempotencyKeyInvalid
    return key.decode("ascii")


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key in the raw headers of a request (names in small letters, as ASGI has them). Raises
    as `parse_key` does; two different headers hold no key."""
    values = {value for name, value in headers if name == HEADER}
    if len(values) > 1:
        raise IdempotencyKeyInvalid
    return parse_key(values.pop() if values else None)


def request_digest(route: str, body: Mapping[str, object]) -> bytes:
    """SHA-256 over the route and the decoded body, whatever its spacing and order of members; the
    PIN stays outside, so that correcting it does not make it another request."""
    content = {name: value for name, value in body.items() if name not in _SECRETS}
    return sha256(route.encode() + b"\n" + _ENCODER.encode(content)).digest()


def _unquote(quoted: bytes) -> bytes:
    if len(quoted) < 2 or not quoted.endswith(b'"'):
        raise IdempotencyKeyInvalid
    inside = quoted[1:-1]
    if b"\\" not in inside and b'"' not in inside:
        return inside
    plain = bytearray()
    letters = iter(inside)
    for letter in letters:
        if letter == ord('"'):
            raise IdempotencyKeyInvalid
        if letter == ord("\\"):
            escaped = next(letters, None)
            if escaped not in (ord('"'), ord("\\")):
                raise IdempotencyKeyInvalid
            plain.append(escaped)
        else:
            plain.append(letter)
    return bytes(plain)
