"""The vectors that every implementation runs, and that the file holds what we make today."""

import json
from typing import Any, Final

import pytest
from tests.offline import make_vectors

from tikiwallet.offline.wire import cbor, chain, frames
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import Pay, read
from tikiwallet.offline.wire.phones import commitment

VECTORS: Final[dict[str, Any]] = json.loads(make_vectors.FILE.read_text(encoding="utf-8"))


def named(kind: str, **only: str) -> pytest.MarkDecorator:
    chosen = [one for one in VECTORS[kind] if all(one[key] == value for key, value in only.items())]
    return pytest.mark.parametrize("vector", chosen, ids=[one["name"] for one in chosen])


def test_the_file_holds_what_we_make() -> None:
    assert json.loads(json.dumps(make_vectors.vectors())) == VECTORS


def test_keys_and_phones() -> None:
    for key in VECTORS["keys"].values():
        assert PrivateKey.from_bytes(bytes.fromhex(key["private"])).public.hex() == key["public"]
    for phone in VECTORS["phones"]:
        made = commitment(bytes.fromhex(phone["salt"]), phone["phone"])
        assert made.hex() == phone["commitment"]


@pytest.mark.parametrize("vector", VECTORS["cbor"], ids=lambda vector: vector["bytes"][:16])
def test_each_value_has_one_encoding(vector: dict[str, Any]) -> None:
    value = _value(vector["value"])
    assert cbor.encode(value).hex() == vector["bytes"]
    assert cbor.decode(bytes.fromhex(vector["bytes"])) == value


def _value(plain: Any) -> cbor.Value:
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if isinstance(plain, dict):
        if "hex" in plain:
            return bytes.fromhex(plain["hex"])
        return {key: _value(item) for key, item in plain["map"]}
    return plain  # type: ignore[no-any-return]


@named("messages")
def test_a_message_reads_and_its_signature_holds(vector: dict[str, Any]) -> None:
    message = read(bytes.fromhex(vector["message"]))
    assert message.KIND.name.lower() == vector["kind"]
    assert message.hash.hex() == vector["hash"]
    assert message.raw.hex() == vector["message"]
    signer = VECTORS["keys"][vector["signer"]]
    assert message.is_signed_by(PublicKey(bytes.fromhex(signer["public"])))
    unsealed = message.unsealed(bytes.fromhex(signer["public"]))
    assert unsealed.payload.hex() == vector["payload"]
    assert unsealed.to_sign.hex() == vector["signed"]
    made = message.sealed_by(PrivateKey.from_bytes(bytes.fromhex(signer["private"])))
    assert made.hex() == vector["message"]


@named("frames")
def test_frames_carry_it(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["data"])
    assert frames.texts_of(data) == vector["texts"]
    collector = frames.Collector()
    *before, last = [collector.add(text) for text in vector["texts"]]
    assert before == [None] * len(before)
    assert last == data


@named("refused", **{"as": "cbor"})
def test_refused_as_cbor(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        cbor.decode(bytes.fromhex(vector["hex"]))


@named("refused", **{"as": "message"})
def test_refused_as_a_message(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(bytes.fromhex(vector["hex"]))


@named("chains")
def test_a_chain_is_made_and_reads(vector: dict[str, Any]) -> None:
    pay = Pay.parse(bytes.fromhex(vector["pay"]))
    received = tuple(chain.read_link(bytes.fromhex(one)) for one in vector["received"])
    data = bytes.fromhex(vector["data"])
    for made in (chain.Chain(pay, received), chain.read(data)):
        assert made.raw == data
        assert (made.pay, made.hops, made.covered) == (pay, vector["hops"], vector["covered"])
        assert [one.raw for one in made.sources] == [one.raw for one in received]
        assert [one.pay.hash.hex() for one in made.links()] == vector["links"]
    assert chain.head(data) == pay
    assert [chain.head(one.raw) for one in received] == [one.pay for one in received]


@named("refused", **{"as": "chain"})
def test_refused_as_a_chain(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        chain.read(bytes.fromhex(vector["hex"]))


@named("refused", **{"as": "texts"})
def test_refused_from_a_camera(vector: dict[str, Any]) -> None:
    collector = frames.Collector()
    *before, last = vector["texts"]
    assert [collector.add(text) for text in before] == [None] * len(before)
    with pytest.raises(Malformed):
        collector.add(last)


@named("unverified")
def test_a_signature_that_does_not_hold(vector: dict[str, Any]) -> None:
    message = read(bytes.fromhex(vector["message"]))
    assert not message.is_signed_by(PublicKey(bytes.fromhex(vector["key"])))
