"""Six digits that two people compare, so that nobody sits between their devices (commit, reveal).

The side that opened the link commits to a nonce, hears the other's, and reveals its own. Both then
show digits made of what binds the channel and of both nonces. Who sits in the middle has another
channel on each side and had to fix a nonce before hearing the other: the digits differ but for one
chance in a million, and each try is seen by two people.
"""

import hashlib
import hmac
import secrets
from typing import Final

from tikiwallet.terminal.framed import FramedLink, FrameRefused

NONCE_BYTES: Final = 32
_DOMAIN: Final = b"tikiwallet/offline/1/short-string\x00"
_COMMIT: Final = 0xF1
_ANSWER: Final = 0xF2
_REVEAL: Final = 0xF3


def commitment(binding: bytes, nonce: bytes) -> bytes:
    """What the opening side says before it reveals `nonce`."""
    return _hash(1, binding, nonce)


def digits(binding: bytes, opener: bytes, answerer: bytes) -> str:
    """What both screens show, from the nonces of both sides: `042 917`."""
    number = int.from_bytes(_hash(2, binding, opener, answerer)[:8], "big") % 1_000_000
    return f"{number // 1000:03} {number % 1000:03}"


def _hash(purpose: int, binding: bytes, *nonces: bytes) -> bytes:
    bound = bytes((purpose, len(binding))) + binding
    return hashlib.sha256(_DOMAIN + bound + b"".join(nonces)).digest()


async def agree_as_opener(link: FramedLink) -> str:
    """The digits to show, on the side that opened the link. Raises `LinkTrouble`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    await link.send(bytes((_COMMIT,)) + commitment(link.binding, nonce))
    answer = await _expect(link, _ANSWER)
    await link.send(bytes((_REVEAL,)) + nonce)
    return digits(link.binding, nonce, answer)


async def agree_as_answerer(link: FramedLink, first: bytes | None = None) -> str:
    """The digits to show, on the other side; `first` is the opener's commitment when it was
    received already. Raises `LinkTrouble`."""
    committed = _content(first, _COMMIT) if first is not None else await _expect(link, _COMMIT)
    nonce = secrets.token_bytes(NONCE_BYTES)
    await link.send(bytes((_ANSWER,)) + nonce)
    revealed = await _expect(link, _REVEAL)
    if not hmac.compare_digest(commitment(link.binding, revealed), committed):
        raise FrameRefused("The other device changed its number: somebody may sit in between.")
    return digits(link.binding, revealed, nonce)


def begins(message: bytes) -> bool:
    """Whether `message` is how a short string begins."""
    return message[0] == _COMMIT


async def _expect(link: FramedLink, kind: int) -> bytes:
    return _content(await link.receive(), kind)


def _content(message: bytes, kind: int) -> bytes:
    if len(message) != 1 + NONCE_BYTES or message[0] != kind:
        raise FrameRefused("The other device sent something else than its number.")
    return message[1:]
