"""What must be refused, each for one reason: nothing else is wrong with it."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import base45  # type: ignore[import-untyped]
import cbor2
from tests.offline import samples

from tikiwallet.offline.wire import frames
from tikiwallet.offline.wire.cose import Kind, kid_of
from tikiwallet.offline.wire.keys import PrivateKey

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# As CBOR: name and hex.
_CBOR: Final = {
    "nothing": "",
    "an integer in more bytes than it needs": "1817",
    "an integer in two bytes that needs one": "1900ff",
    "an integer in four bytes that needs two": "1a0000ffff",
    "an integer in eight bytes that needs four": "1b00000000ffffffff",
    "the integer 2^53": "1b0020000000000000",
    "the integer 2^64 - 1": "1bffffffffffffffff",
    "an integer cut short": "1901",
    "a reserved length": "1c",
    "a negative integer": "20",
    "a length in more bytes than it needs": "580161",
    "bytes cut short": "4401",
    "bytes of a length that cannot be": "5b7fffffffffffffff00",
    "bytes of indefinite length": "5f4101ff",
    "text of indefinite length": "7f6161ff",
    "an array of indefinite length": "9f01ff",
    "a map of indefinite length": "bf0001ff",
    "a break": "ff",
    "text that is no UTF-8": "62c328",
    "text with half a surrogate pair": "63eda080",
    "text in overlong UTF-8": "62c0af",
    "text beyond Unicode": "64f4908080",
    "an array cut short": "8201",
    "an array of 2^62 items": "9b4000000000000000",
    "a map cut short": "a100",
    "a key twice": "a200010002",
    "keys out of order": "a201000000",
    "key 24": "a1181800",
    "a text as a key": "a1616100",
    "bytes as a key": "a1416100",
    "a negative key": "a12000",
    "false": "f4",
    "true": "f5",
    "null": "f6",
    "undefined": "f7",
    "a simple value": "f0",
    "a half-precision number": "f93c00",
    "a double-precision number": "fb3ff0000000000000",
    "a tag": "c000",
    "a tagged big number": "c24101",
    "the tag that says it is CBOR": "d9d9f700",
    "a byte too many": "0000",
    "seven arrays inside each other": "81818181818180",
    "16,385 bytes": "593ffe" + "00" * 16_382,
}


def _sealed(
    payload: Any,
    *,
    signer: PrivateKey = samples.PAYEE,
    protected: bytes | None = None,
    unprotected: Any = None,
    domain: bytes = b"tikiwallet/offline/1/receipt",
) -> bytes:
    """A message made without our own encoder, so that it can be wrong."""
    header = bytes.fromhex("a10126") if protected is None else protected
    encoded = payload if isinstance(payload, bytes) else cbor2.dumps(payload)
    signature = signer.sign(cbor2.dumps(["Signature1", header, domain, encoded]))
    return b"\xd2" + cbor2.dumps([header, unprotected or {}, encoded, signature])


def _receipt(**changes: Any) -> bytes:
    return _sealed({0: 4, 1: samples.octets("pay", 32), 2: 1, 3: samples.NOW}, **changes)


def _changed(raw: bytes, change: Callable[[dict[int, Any]], object], signer: PrivateKey) -> bytes:
    """A message whose payload is changed and signed anew."""
    protected, _, encoded, _ = cbor2.loads(raw[1:])
    payload = cbor2.loads(encoded)
    change(payload)
    domain = Kind(payload[0]).domain
    return _sealed(
        cbor2.dumps(payload, canonical=True), signer=signer, protected=protected, domain=domain
    )


def _set(raw: bytes, key: int, value: Any, signer: PrivateKey) -> bytes:
    return _changed(raw, lambda payload: payload.__setitem__(key, value), signer)


def _without(raw: bytes, key: int, signer: PrivateKey) -> bytes:
    return _changed(raw, lambda payload: payload.pop(key), signer)


def _messages() -> dict[str, bytes]:
    whole = _receipt()
    parts = cbor2.loads(whole[1:])
    payload = parts[2]
    kid = b"\xa2\x01\x26\x04\x44" + kid_of(samples.PAYEE.public)
    return {
        "no message": b"\xd2",
        "no tag": whole[1:],
        "another tag": b"\xd1" + whole[1:],
        "the tag in two bytes": b"\xd8\x12" + whole[1:],
        "a byte too many": whole + b"\x00",
        "a byte too few": whole[:-1],
        "three parts": b"\xd2" + cbor2.dumps(parts[:3]),
        "five parts": b"\xd2" + cbor2.dumps([*parts, b""]),
        "a payload that is elsewhere": b"\xd2" + cbor2.dumps([parts[0], {}, None, parts[3]]),
        "a signature of 63 bytes": b"\xd2" + cbor2.dumps([*parts[:3], parts[3][:63]]),
        "a signature of 65 bytes": b"\xd2" + cbor2.dumps([*parts[:3], parts[3] + b"\x00"]),
        "an unprotected header": _receipt(unprotected={4: b"kid1"}),
        "no header": _receipt(protected=b""),
        "an empty header": _receipt(protected=b"\xa0"),
        "another algorithm": _receipt(protected=b"\xa1\x01\x27"),
        "a critical header": _receipt(protected=bytes.fromhex("a20126028101")),
        "a header in another encoding": _receipt(protected=bytes.fromhex("a1013806")),
        "a key's id where a pass names the signer": _receipt(protected=kid),
        "no key's id where the issuer signs": _sealed(
            cbor2.loads(samples.issued().raw[1:])[2],
            signer=samples.ISSUER,
            domain=Kind.PASS.domain,
        ),
        "a payload that is an array": _sealed([4]),
        "a payload that is not one item": _sealed(payload + b"\x00"),
        "a payload with keys out of order": _sealed(cbor2.dumps({1: 2, 0: 4})),
        "an empty payload": _sealed({}),
        "kind 0": _sealed({0: 0}),
        "kind 9": _sealed({0: 9}),
        "a text as its kind": _sealed({0: "receipt"}),
        **_fields(whole),
    }


def _fields(receipt: bytes) -> dict[str, bytes]:
    held, asked, paid = samples.issued(), samples.invite(), samples.pay()
    keys, revoked = samples.issuer_keys(), samples.revocations()
    issuer, payee, payer, root = samples.ISSUER, samples.PAYEE, samples.PAYER, samples.ROOT
    entries = cbor2.loads(cbor2.loads(keys.raw[1:])[2])[3]
    ids = list(revoked.passes)
    return {
        "a receipt without its status": _without(receipt, 2, payee),
        "a receipt without its time": _without(receipt, 3, payee),
        "a receipt with key 4": _set(receipt, 4, 0, payee),
        "a receipt with status 2": _set(receipt, 2, 2, payee),
        "a receipt with a hash of 31 bytes": _set(receipt, 1, bytes(31), payee),
        "a receipt with a text as its hash": _set(receipt, 1, "a" * 32, payee),
        "a receipt after 2106": _set(receipt, 3, 2**32, payee),
        "a pass with an id of 15 bytes": _set(held.raw, 1, bytes(15), issuer),
        "a pass with a key of 32 bytes": _set(held.raw, 2, bytes(32), issuer),
        "a pass with a key that is no point": _set(held.raw, 2, b"\x02" + b"\xff" * 32, issuer),
        "a pass with the point at infinity": _set(held.raw, 2, bytes(33), issuer),
        "a pass with a hybrid point": _set(held.raw, 2, b"\x06" + held.key.raw[1:], issuer),
        "a pass without a name": _without(held.raw, 6, issuer),
        "a pass with an empty name": _set(held.raw, 6, "", issuer),
        "a pass with a name of 21 bytes": _set(held.raw, 6, "अमित सार", issuer),
        "a pass with a name that turns the text": _set(held.raw, 6, "Amit\u202e", issuer),
        "a pass with a line end in its name": _set(held.raw, 6, "Amit\nRai", issuer),
        "a pass with an invisible space": _set(held.raw, 6, "Amit\u200b", issuer),
        "a pass of tier 24": _set(held.raw, 7, 24, issuer),
        "a pass in currency 0": _set(held.raw, 8, 0, issuer),
        "a pass in currency 65,536": _set(held.raw, 8, 65_536, issuer),
        "a pass over 2^32": _set(held.raw, 9, 2**32, issuer),
        "a pass that starts at 0": _set(held.raw, 10, 0, issuer),
        "a pass that ends as it begins": _set(held.raw, 12, held.not_before, issuer),
        "a pass with two limits": _set(held.raw, 13, [1_000, 20], issuer),
        "a pass for 256 payments": _set(held.raw, 13, [1_000, 256, 0], issuer),
        "a pass with 4 hops": _set(held.raw, 13, [1_000, 20, 4], issuer),
        "a pass with a lock of 7 bytes": _set(held.raw, 15, bytes(7), issuer),
        "a pass with an empty lock": _set(held.raw, 15, b"", issuer),
        "a pass with null as its lock": _set(held.raw, 15, None, issuer),
        "an invite with another message as its pass": _set(asked.raw, 1, receipt, payee),
        "an invite with a spoilt pass": _set(asked.raw, 1, asked.payee.raw[:-1], payee),
        "an invite for nothing": _set(asked.raw, 3, 0, payee),
        "an invite with an empty memo": _set(asked.raw, 5, "", payee),
        "an invite with a memo of 25 bytes": _set(asked.raw, 5, "a" * 25, payee),
        "an invite that does not live": _set(asked.raw, 7, 0, payee),
        "an invite for more than an hour": _set(asked.raw, 7, 3_601, payee),
        "a pay without a pass": _without(paid.raw, 1, payer),
        "a pay with sequence 0": _set(paid.raw, 2, 0, payer),
        "a pay with sequence 65,536": _set(paid.raw, 2, 65_536, payer),
        "a pay of nothing": _set(paid.raw, 4, 0, payer),
        "a pay over its cumulative amount": _set(paid.raw, 5, paid.amount - 1, payer),
        "a pay with no source named": _set(paid.raw, 9, [], payer),
        "a pay with five sources": _set(paid.raw, 9, [bytes([n]) * 32 for n in range(5)], payer),
        "a pay with one source twice": _set(paid.raw, 9, [bytes(32), bytes(32)], payer),
        "a pay with a source in arrays too deep": _set(paid.raw, 9, [[[[[[0]]]]]], payer),
        "no issuer keys": _set(keys.raw, 3, [], root),
        "an issuer key under another's id": _set(keys.raw, 3, [[bytes(4), *entries[0][1:]]], root),
        "an issuer key twice": _set(keys.raw, 3, [entries[0], entries[0]], root),
        "an issuer key that ends before it begins": _set(
            keys.raw, 3, [[*entries[0][:2], 2, 1]], root
        ),
        "revocations out of order": _set(revoked.raw, 4, ids[::-1], issuer),
        "a revocation twice": _set(revoked.raw, 4, [ids[0], ids[0]], issuer),
        "revocations that end before they begin": _set(revoked.raw, 2, revoked.epoch + 1, issuer),
        "901 revocations": _set(
            revoked.raw, 4, [number.to_bytes(16, "big") for number in range(901)], issuer
        ),
    }


def _text(data: bytes) -> str:
    return str(base45.b45encode(data), "ascii")


def _texts() -> dict[str, list[str]]:
    """What a camera sees, one QR code after the other; none of it is a whole."""
    first, second = frames.texts_of(samples.largest_pay().raw + bytes(100))
    head = frames.bytes_of(first)[:7]
    full = bytes(frames.CHUNK)
    return {
        "nothing": [""],
        "lower case": [first.lower()],
        "a letter Base45 does not have": ["AB!"],
        "one letter": ["A"],
        "four letters": ["6BW8"],
        "three letters that are more than two bytes": [":::"],
        "two letters that are more than one byte": ["::"],
        "a line end": ["6BW\n"],
        "more than one QR code holds": [_text(bytes(445))],
        "a frame without a chunk": [_text(head)],
        "a frame cut in its head": [_text(head[:5])],
        "one frame of one": [_text(b"\xf0\x00\x01" + head[3:] + full)],
        "one frame of 33": [_text(b"\xf0\x00\x21" + head[3:] + full)],
        "a frame whose number is too high": [_text(b"\xf0\x02\x02" + head[3:] + full)],
        "a first frame that is not full": [_text(head + full[:-1])],
        "frames that do not make a whole": [_text(head + full), second],
        "frames of what one code holds": _cut(bytes(438)),
        "frames of what begins as a frame does": _cut(b"\xf0" + bytes(500)),
    }


def _cut(data: bytes) -> list[str]:
    """Two frames, whether there should be frames or not."""
    head = hashlib.sha256(data).digest()[:4]
    chunks = (data[: frames.CHUNK], data[frames.CHUNK :])
    return [_text(bytes((0xF0, index, 2)) + head + chunk) for index, chunk in enumerate(chunks)]


def _high_s(raw: bytes) -> bytes:
    s = _ORDER - int.from_bytes(raw[-32:], "big")
    return raw[:-32] + s.to_bytes(32, "big")


def _unverified() -> list[tuple[str, bytes, PrivateKey]]:
    whole = _receipt()
    zero, order = bytes(32), _ORDER.to_bytes(32, "big")
    payee = samples.PAYEE
    return [
        ("a high s", _high_s(whole), payee),
        ("a bit of the signature", whole[:-1] + bytes([whole[-1] ^ 1]), payee),
        ("r is 0", whole[:-64] + zero + whole[-32:], payee),
        ("s is 0", whole[:-32] + zero, payee),
        ("r is the order", whole[:-64] + order + whole[-32:], payee),
        ("all zeros", whole[:-64] + zero + zero, payee),
        ("another key", whole, samples.PAYER),
        ("another domain", _receipt(domain=Kind.VOID.domain), payee),
        ("no domain", _receipt(domain=b""), payee),
        ("another version", _receipt(domain=b"tikiwallet/offline/2/receipt"), payee),
        ("a changed payload", whole[:60] + bytes([whole[60] ^ 1]) + whole[61:], payee),
    ]


REFUSED: Final = [
    *({"name": name, "as": "cbor", "hex": data} for name, data in _CBOR.items()),
    *({"name": name, "as": "message", "hex": raw.hex()} for name, raw in _messages().items()),
    *({"name": name, "as": "texts", "texts": texts} for name, texts in _texts().items()),
]
UNVERIFIED: Final = [
    {"name": name, "message": raw.hex(), "key": key.public.hex()}
    for name, raw, key in _unverified()
]
