"""Ways to spoil bytes: what a fuzzer does to messages that were in order."""

from contextlib import suppress
from random import Random
from typing import Any, Final

import cbor2
from tests.offline import chain_vectors, samples

from tikiwallet.offline.wire import chain, cose
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.messages import AnyMessage, bundled, read, unbundled

# What stands where something else should: each type of CBOR, at its bounds.
_ODD: Final[tuple[Any, ...]] = (
    0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**64, -1, -(2**70),
    0.0, 1.5, True, False, None, cbor2.undefined, "", "a", "a" * 20, "a" * 24, "a\u202eb", "\x00",
    b"", bytes(4), bytes(8), bytes(16), bytes(32), bytes(33), bytes(64), bytes(256), [], [0],
    [bytes(32)] * 5, {}, {0: 0}, {"a": 0}, [[[[[[[0]]]]]]], cbor2.CBORTag(24, b""),
)  # fmt: skip


def originals() -> list[AnyMessage]:
    """One of each kind, and some with all there can be."""
    return [
        samples.issued(), samples.largest_pass("payer"), samples.invite(), samples.largest_invite(),
        samples.pay(), samples.largest_pay(sources=(bytes(32), bytes([1]) * 32)), samples.receipt(),
        samples.void(), samples.close(), samples.issuer_keys(), samples.revocations(),
    ]  # fmt: skip


def spoilt_bytes(data: bytes, chance: Random) -> bytes:
    """`data` with a few bytes changed, taken out, put in, repeated or cut off."""
    spoilt = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(spoilt) + 1)
        length = chance.choice((1, 1, 1, 2, 4, 16))
        match chance.randrange(5):
            case 0 if at < len(spoilt):
                spoilt[at] ^= 1 << chance.randrange(8)
            case 1:
                del spoilt[at : at + length]
            case 2:
                spoilt[at:at] = chance.randbytes(length)
            case 3:
                spoilt[at:at] = spoilt[at : at + length]
            case _:
                del spoilt[at:]
    return bytes(spoilt)


def spoilt_payload(message: AnyMessage, chance: Random) -> bytes:
    """The message with one of its values, keys or parts replaced, in good CBOR of any kind."""
    parts = cbor2.loads(message.raw[1:])
    payload = cbor2.loads(parts[2])
    key = chance.choice([*payload, chance.randrange(26)])
    match chance.randrange(4):
        case 0:
            payload.pop(key, None)
        case 1:
            payload[chance.choice(_ODD[:20])] = payload.pop(key, 0)
        case 2 if isinstance(payload.get(key), list) and payload[key]:
            payload[key][chance.randrange(len(payload[key]))] = chance.choice(_ODD)
        case _:
            payload[key] = chance.choice(_ODD)
    parts[2] = cbor2.dumps(payload, canonical=chance.random() < 0.9)
    if chance.random() < 0.05:
        parts[chance.randrange(4)] = chance.choice(_ODD)
    return b"\xd2" + cbor2.dumps(parts)


def chains() -> list[bytes]:
    """Payments with what they pass on."""
    return [bytes.fromhex(one["data"]) for one in chain_vectors.chains() if one["hops"]]


def spoilt_chain(data: bytes, chance: Random) -> bytes:
    """The bundle with one of its messages spoilt, gone, twice, elsewhere or another one."""
    messages = cbor2.loads(data)
    at, to = chance.randrange(len(messages)), chance.randrange(len(messages))
    match chance.randrange(5):
        case 0:
            messages[at] = spoilt_bytes(messages[at], chance)
        case 1:
            del messages[at]
        case 2:
            messages.insert(to, messages[at])
        case 3:
            messages[at], messages[to] = messages[to], messages[at]
        case _:
            messages[at] = chance.choice([*_ODD, samples.pay().raw, samples.invite().raw])
    return cbor2.dumps(messages)


def check_chain(data: bytes) -> bool:
    """Read it as a chain and as a link: refused, or it was the one encoding of what it says. Was
    it a chain?"""
    with suppress(Malformed):
        assert chain.read_link(data).raw == data
    try:
        paid = chain.read(data)
    except Malformed:
        return False
    assert paid.raw == data
    named = {hash for pay in paid.pays for hash in pay.sources or ()}
    assert {one.pay.hash for one in paid.links()} == named
    assert all(one.invite.hash == one.pay.request_hash for one in paid.links())
    return True


def check_reading(data: bytes) -> bool:
    """Read it as a message and as a bundle: refused, or it was the one encoding of what it says.
    Was it a message?"""
    with suppress(Malformed):
        assert bundled(unbundled(data)) == data
    try:
        message = read(data)
    except Malformed:
        return False
    assert message.raw == data
    signer = samples.ISSUER  # another's key id, where there is one, stands in the header only
    made = message.unsealed(signer.public)
    sealed = cose.open_(data)
    assert made.payload == cbor2.loads(data[1:])[2]
    again = cose.Unsealed(sealed.protected, made.payload, b"").with_signature(sealed.signature)
    assert again == data
    return True
