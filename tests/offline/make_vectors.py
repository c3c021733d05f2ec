"""Writes vectors.json: what each implementation must make, read and refuse.

    python -m tests.offline.make_vectors

Keys and signatures are deterministic (RFC 6979), so it comes out the same each time.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import cbor2
from tests.offline import chain_vectors, samples
from tests.offline.refused import REFUSED, UNVERIFIED

from tikiwallet.offline.wire import cbor, frames
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import AnyMessage, Message, bundled, read
from tikiwallet.offline.wire.phones import commitment

FILE: Final = Path(__file__).with_name("vectors.json")
_ABOUT: Final = (
    "Vectors for docs/offline.md, written by tests/offline/make_vectors.py. Bytes are hex. "
    "Messages: the fields make the payload, which makes what is signed (the Sig_structure), whose "
    "SHA-256 is the hash; the message reads back to the fields, and its signature holds under the "
    "signer's key. Signatures are RFC 6979's with a low s, but any other valid one would do. "
    "Chains: `pay` and the `received` payments that it names make the data, which reads back to "
    "them; `links` are the hashes of all that is passed on, oldest first; `covered` is the amount "
    "of its pass and of its sources. "
    "Refused: `as` says what reads it; all of it must fail. Unverified: reads, but its signature "
    "does not hold under `key`."
)


def vectors() -> dict[str, Any]:
    """The whole file."""
    return {
        "about": _ABOUT,
        "keys": {
            name: {"private": key.to_bytes().hex(), "public": key.public.hex()}
            for name, key in samples.KEYS.items()
        },
        "phones": [_phone(phone) for phone in (samples.PAYER_PHONE, samples.PAYEE_PHONE)],
        "cbor": [_cbor(value) for value in _VALUES],
        "messages": [_message(name, signer, held) for name, signer, held in messages()],
        "frames": [_frames(name, data) for name, data in _framed()],
        "chains": chain_vectors.chains(),
        "refused": [*REFUSED, *_refused_chains()],
        "unverified": UNVERIFIED,
    }


def _refused_chains() -> list[dict[str, Any]]:
    refused = chain_vectors.refused().items()
    return [{"name": name, "as": "chain", "hex": data.hex()} for name, data in refused]


def messages() -> list[tuple[str, str, AnyMessage]]:
    """Name, signer and message."""
    paid = samples.pay()
    return [
        ("a pass", "issuer", samples.issued("payer")),
        ("a pass to receive only", "issuer", samples.issued("payee", amount=0, name="Mei Ling")),
        ("a pass for one payee", "issuer", samples.issued(payee_lock=samples.octets("lock", 8))),
        ("the largest pass", "issuer", samples.largest_pass("payer")),
        ("an invite", "payee", samples.invite()),
        ("an invite without a memo", "payee", samples.invite(memo=None)),
        ("the largest invite", "payee", samples.largest_invite()),
        ("a first pay", "payer", paid),
        ("the pay after it", "payer", samples.next_pay(paid)),
        ("a pay with a source", "payer", samples.pay(sources=(samples.octets("source", 32),))),
        ("the largest pay without sources", "payer", samples.largest_pay()),
        ("a receipt", "payee", samples.receipt(paid)),
        ("a void", "payee", samples.void()),
        ("a close", "payer", samples.close(paid)),
        ("issuer keys", "root", samples.issuer_keys()),
        ("revocations", "issuer", samples.revocations()),
        ("no revocations", "issuer", samples.revocations(0)),
    ]


_VALUES: Final[tuple[cbor.Value, ...]] = (
    0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1,
    b"", b"\x00" * 24, "", "चाय ☕", [], [1, [2, [3]]], {}, {0: 1, 23: b"\x01", 9: "a"},
)  # fmt: skip


def _cbor(value: cbor.Value) -> dict[str, Any]:
    return {"value": plain(value), "bytes": cbor.encode(value).hex()}


def _phone(phone: str) -> dict[str, str]:
    salt = samples.octets(phone, 8)
    return {"phone": phone, "salt": salt.hex(), "commitment": commitment(salt, phone).hex()}


def _message(name: str, signer: str, message: AnyMessage) -> dict[str, Any]:
    assert read(message.raw) == message
    assert message.sealed is not None
    payload = cbor2.loads(message.raw[1:])[2]
    return {
        "name": name,
        "kind": message.KIND.name.lower(),
        "signer": signer,
        "fields": {
            member.name: plain(value)
            for member in dataclasses.fields(message)
            if member.name != "sealed" and (value := getattr(message, member.name)) is not None
        },
        "protected": message.sealed.protected.hex(),
        "payload": payload.hex(),
        "signed": message.sealed.signed.hex(),
        "hash": message.hash.hex(),
        "message": message.raw.hex(),
    }


def plain(value: Any) -> Any:
    """As JSON: bytes, keys and passes as hex; a map as a list of pairs."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, PublicKey | Message):
        return {"hex": value.raw.hex()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {"map": [[key, plain(item)] for key, item in sorted(value.items())]}
    return value


def _framed() -> list[tuple[str, bytes]]:
    paid = samples.pay()
    received = samples.next_pay(paid)
    return [
        ("one message", paid.raw),
        ("the largest in one code", samples.largest_pay().raw),
        ("a bundle in two frames", bundled([paid.raw, received.raw])),
        ("two full frames", bundled([b"\xd2" * (2 * frames.CHUNK - 4)])),
        ("a list in many frames", samples.revocations(300).raw),
    ]


def _frames(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "data": data.hex(), "texts": frames.texts_of(data)}


def main() -> None:
    text = json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
