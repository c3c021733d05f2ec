"""Messages and codes just inside and outside of their bounds: where two implementations of one
format may see different things."""

from random import Random
from typing import Any, Final

import cbor2
from tests.offline.mutations import spoilt_bytes

_INTEGERS: Final = (
    0, 1, 2, 3, 4, 23, 24, 255, 256, 3_600, 3_601, 65_535, 65_536, 2**32 - 1, 2**32,
)  # fmt: skip
# First and last of where the letters are that a name may hold or must not.
_LETTERS: Final = [
    chr(code)
    for first, last in (
        (0x00, 0xFF),
        (0x600, 0x61F),
        (0x900, 0x94F),
        (0x1800, 0x180F),
        (0x2000, 0x206F),
        (0xFEF0, 0xFF10),
        (0xFFF0, 0xFFFF),
        (0x1_F600, 0x1_F60F),
    )
    for code in range(first, last + 1)
]
_SEEN: Final = "09AZ $%*+-./:aé\n😀"


def near_message(raw: bytes, chance: Random) -> bytes:
    """`raw` with another value of about the right size in one member; the rest of it, also the
    signature, mostly as it was."""
    protected, unprotected, payload, signature = cbor2.loads(raw[1:])
    members = cbor2.loads(payload)
    key = chance.choice([*members, chance.randint(0, 24)])
    members[key] = _near(members.get(key), chance)
    if chance.random() < 0.1:
        del members[chance.choice(list(members))]
    if chance.random() < 0.2:
        signature = spoilt_bytes(signature, chance)[:64]
    payload = cbor2.dumps(members, canonical=True)
    return b"\xd2" + cbor2.dumps([protected, unprotected, payload, signature])


def _near(value: Any, chance: Random) -> Any:
    match value:
        case int():
            return chance.choice((chance.choice(_INTEGERS), value + chance.randint(-2, 2)))
        case bytes() if value[:1] == b"\xd2" and chance.random() < 0.7:
            return near_message(value, chance)
        case bytes():
            return spoilt_bytes(value, chance)
        case str():
            return "".join(chance.choices(_LETTERS, k=chance.randint(0, 12)))
        case [*items]:
            kept = [item for item in items if chance.random() < 0.8]
            at = chance.randint(0, len(kept))
            return [_near(item, chance) if n == at else item for n, item in enumerate(kept)]
        case _:
            return near_value(chance)


def near_value(chance: Random, depth: int = 0) -> Any:
    """A value of CBOR, mostly one that we use, and about as deep as may be."""
    match chance.randint(0, 9 if depth < 7 else 5):
        case 0 | 1:
            return chance.choice((*_INTEGERS, 2**53 - 1, 2**53, 2**64 - 1, 2**64, -1))
        case 2 | 3:
            return chance.randbytes(chance.choice((0, 1, 23, 24, 255, 256)))
        case 4:
            return "".join(chance.choices(_LETTERS, k=chance.randint(0, 8)))
        case 5:
            return chance.choice((None, True, False, 1.5, 2.0, cbor2.CBORTag(1, 0)))
        case 6 | 7:
            return [near_value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
        case _:
            keys = (chance.randint(0, 24) for _ in range(chance.randint(0, 4)))
            return {key: near_value(chance, depth + 1) for key in keys}


def seen_text(text: str, chance: Random) -> str:
    """What a camera made of a code: mostly what it says."""
    if chance.random() < 0.7:
        return text
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(_SEEN) + text[at + chance.randint(0, 3) :]
