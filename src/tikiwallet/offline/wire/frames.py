"""Messages in QR codes: Base45 (RFC 9285), whose letters a QR code packs best.

Up to 444 bytes make one code (version 14, level L). More are cut into numbered frames, shown in
turn, whichever comes first: 0xF0, number from 0, how many, 4 bytes of the whole's SHA-256, chunk.
"""

import hashlib
from typing import Final

import base45  # type: ignore[import-untyped]

from tikiwallet.offline.wire.cbor import Malformed

ONE_CODE: Final = 444  # bytes
_MARK: Final = 0xF0  # begins no message and no bundle
_HEAD: Final = 7
_DIGEST: Final = 4
CHUNK: Final = ONE_CODE - _HEAD
FRAMES_MOST: Final = 32
LONGEST: Final = CHUNK * FRAMES_MOST
_TEXT_LONGEST: Final = ONE_CODE // 2 * 3


def texts_of(data: bytes) -> list[str]:
    """What the QR codes say that together carry `data`. Raises ValueError when it is too long."""
    if not data or data[0] == _MARK:
        raise ValueError("nothing that can be told from a frame")
    if len(data) <= ONE_CODE:
        return [_write(data)]
    if len(data) > LONGEST:
        raise ValueError(f"{len(data)} bytes, QR codes carry at most {LONGEST}")
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    digest = _digest(data)
    return [
        _write(bytes((_MARK, index, len(chunks))) + digest + chunk)
        for index, chunk in enumerate(chunks)
    ]


def bytes_of(text: str) -> bytes:
    """The bytes in one QR code: a whole message, or a frame. Raises `Malformed`."""
    if len(text) > _TEXT_LONGEST or not text or text.endswith("\n"):  # base45 forgives line ends
        raise Malformed("not what one QR code of ours says")
    try:
        return bytes(base45.b45decode(text))
    except ValueError:
        raise Malformed("not Base45") from None


class Collector:
    """Puts together what a camera sees, one QR code after the other, in any order and again and
    again. Holds one message at a time: a frame of another one begins anew."""

    def __init__(self) -> None:
        self._begin(b"", 0)

    @property
    def missing(self) -> int:
        """How many frames are still to be seen; 0 before the first."""
        return self._total - len(self._chunks)

    @property
    def total(self) -> int:
        """How many frames there are; 0 before the first."""
        return self._total

    def add(self, text: str) -> bytes | None:
        """Take in one QR code; the whole once it is there, else None. Raises `Malformed` for
        what is none of ours, which changes nothing, and for frames that do not make a whole,
        which are then forgotten."""
        data = bytes_of(text)
        if data[0] != _MARK:
            return data
        index, total, digest, chunk = _frame(data)
        if digest != self._digest or total != self._total:
            self._begin(digest, total)
        self._chunks[index] = chunk
        if self.missing:
            return None
        whole = b"".join(self._chunks[number] for number in range(total))
        self._begin(b"", 0)
        if _digest(whole) != digest or len(whole) <= ONE_CODE or whole[0] == _MARK:
            raise Malformed("frames that do not make a whole")
        return whole

    def _begin(self, digest: bytes, total: int) -> None:
        self._digest, self._total = digest, total
        self._chunks: dict[int, bytes] = {}


def _frame(data: bytes) -> tuple[int, int, bytes, bytes]:
    """Number, how many, digest and chunk; all chunks are full but the last."""
    if len(data) <= _HEAD:
        raise Malformed("an empty frame")
    index, total, chunk = data[1], data[2], data[_HEAD:]
    if not 2 <= total <= FRAMES_MOST or index >= total:
        raise Malformed("a frame whose number cannot be")
    if len(chunk) > CHUNK or (index < total - 1 and len(chunk) < CHUNK):
        raise Malformed("a frame that is not full")
    return index, total, data[3:_HEAD], chunk


def _write(data: bytes) -> str:
    return str(base45.b45encode(data), "ascii")


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_DIGEST]
