"""The offline wire format in the browser: the vectors, both ways with Python, and spoilt messages,
about all of which the two must say the same."""

import json
from dataclasses import replace
from random import Random
from typing import Any, Final

import cbor2
from tests.app.wire import Wire
from tests.offline import samples
from tests.offline.make_vectors import FILE, plain
from tests.offline.mutations import originals, spoilt_bytes, spoilt_payload
from tests.offline.near import near_message, near_value, seen_text

from tikiwallet.offline.wire import cbor, frames
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import Invite, Pass, Pay, bundled, read
from tikiwallet.offline.wire.trust import Trust

VECTORS: Final[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
SEED: Final = 20_261_121


def test_it_makes_and_reads_the_vectors(wire: Wire) -> None:
    messages, frames_of = VECTORS["messages"], VECTORS["frames"]
    keys = {name: key["public"] for name, key in VECTORS["keys"].items()}
    values, encodings = zip(*((one["value"], one["bytes"]) for one in VECTORS["cbor"]), strict=True)
    assert wire("decoded", encodings) == list(values)
    assert wire("encoded", values) == list(encodings)
    wanted = [phone["commitment"] for phone in VECTORS["phones"]]
    assert wire("commitments", VECTORS["phones"]) == wanted
    told = wire("told", [[one["message"], keys[one["signer"]]] for one in messages])
    for vector, found in zip(messages, told, strict=True):
        same = {name: vector[name] for name in ("kind", "hash", "signed", "payload", "fields")}
        assert found == {**same, "verified": True}, vector["name"]
    found = wire("chains", [one["data"] for one in VECTORS["chains"]])
    for vector, read_back in zip(VECTORS["chains"], found, strict=True):
        assert {"name": vector["name"], **read_back} == vector
        assert wire("chained", vector["pay"], vector["received"]) == vector["data"]
    for vector in frames_of:
        assert wire("textsOf", vector["data"]) == vector["texts"]
        *before, last = wire("collected", vector["texts"])
        assert before == [None] * len(before)
        assert last == vector["data"]


def test_no_upload_has_a_payment_without_what_it_passes_on(wire: Wire) -> None:
    chains = [one["data"] for one in VECTORS["chains"]]
    for most in (5, 7, 100):
        uploads = [
            [Pay.parse(bytes.fromhex(raw)) for raw in upload]
            for upload in wire("uploads", chains, most)
        ]
        assert max(map(len, uploads)) <= most
        for upload in uploads:
            before: set[bytes] = set()
            for pay in upload:
                assert before.issuperset(pay.sources or ())
                before.add(pay.hash)
            assert len(before) == len(upload)
        links = [link for one in VECTORS["chains"] for link in one["links"]]
        assert {pay.hash.hex() for upload in uploads for pay in upload} >= set(links)


def test_it_refuses_what_must_be_refused(wire: Wire) -> None:
    refused = VECTORS["refused"]
    values = [one["hex"] for one in refused if one["as"] == "cbor"]
    messages = [[one["hex"]] for one in refused if one["as"] == "message"]
    seen = [one["texts"] for one in refused if one["as"] == "texts"]
    chains = [one["hex"] for one in refused if one["as"] == "chain"]
    assert len(values) + len(messages) + len(seen) + len(chains) == len(refused)
    assert wire("decoded", values) == [None] * len(values)
    assert wire("told", messages) == [None] * len(messages)
    assert wire("chains", chains) == [None] * len(chains)
    for texts in seen:
        assert wire("collected", texts) == [None] * (len(texts) - 1) + ["refused"], texts
    unverified = [[one["message"], one["key"]] for one in VECTORS["unverified"]]
    assert [one["verified"] for one in wire("told", unverified)] == [False] * len(unverified)


def _issued(whose: str, key: str) -> Pass:
    """A pass for a key that a browser made."""
    made = replace(samples.issued(whose), key=PublicKey(bytes.fromhex(key)), sealed=None)
    return Pass.parse(made.sealed_by(samples.ISSUER))


def _hex(data: bytes) -> dict[str, str]:
    return {"hex": data.hex()}


def test_python_reads_what_the_browser_signs(wire: Wire) -> None:
    payee = _issued("payee", wire("makeKey", "payee"))
    payer = _issued("payer", wire("makeKey", "payer"))
    trust = Trust(samples.ROOT.public, samples.issuer_keys())

    def signed(kind: str, by: str, **fields: Any) -> Any:
        message = read(bytes.fromhex(wire("sealed", kind, fields, by)))
        assert message.is_signed_by((payee if by == "payee" else payer).key)
        return message

    for amount in range(1, 21):  # a key signs with a high s every other time, were it left so
        asked = signed(
            "invite",
            "payee",
            payee=_hex(payee.raw),
            request_id=_hex(samples.octets(f"request {amount}")),
            amount=amount,
            currency=356,
            memo="चाय ☕",
            made_at=samples.NOW,
            life=120,
        )
        paid = signed(
            "pay",
            "payer",
            payer=_hex(payer.raw),
            sequence=amount,
            previous=_hex(payer.hash),
            amount=amount,
            cumulative=amount,
            payee_pass=_hex(payee.id),
            request_hash=_hex(asked.hash),
            time=samples.NOW,
            sources=[_hex(samples.octets("source", 32))],
        )
        assert isinstance(asked, Invite)
        assert isinstance(paid, Pay)
        assert trust.holds(asked)
        assert trust.holds(paid)
        assert (asked.memo, paid.request_hash, paid.amount) == ("चाय ☕", asked.hash, amount)
    taken = signed("receipt", "payee", pay_hash=_hex(paid.hash), status=1, time=samples.NOW)
    assert taken.pay_hash == paid.hash
    given_up = signed(
        "void",
        "payee",
        request_id=_hex(asked.request_id),
        payee_pass=_hex(payee.id),
        time=samples.NOW,
    )
    assert given_up.request_id == asked.request_id
    closed = signed(
        "close", "payer", pass_id=_hex(payer.id), sequence=9, cumulative=20, time=samples.NOW
    )
    assert closed.cumulative == 20
    data = bundled([asked.raw, paid.raw]).hex()
    collector = frames.Collector()
    assert [collector.add(text) for text in wire("textsOf", data)][-1] == bytes.fromhex(data)


def test_it_signs_nothing_out_of_bounds(wire: Wire) -> None:
    wire("makeKey", "payee")
    fields = {"pay_hash": _hex(bytes(32)), "status": 1, "time": samples.NOW}
    assert wire("sealed", "receipt", fields, "payee")
    for wrong in ({"status": 2}, {"time": -1}, {"time": 2**32}, {"pay_hash": _hex(bytes(31))}):
        assert wire("sealed", "receipt", {**fields, **wrong}, "payee") is None
    revoked = {"epoch": 1, "since": 0, "time": 1, "passes": []}
    assert wire("sealed", "revocations", revoked, "payee") is None  # the issuer's to sign


def test_only_what_the_root_vouches_for_is_trusted(wire: Wire) -> None:
    keys = samples.issuer_keys()
    forger = samples.key("forger")
    good = [samples.issued(), samples.invite(), samples.pay(), samples.revocations()]
    forged = [samples.issued(signer=forger), _resigned(samples.pay(), samples.PAYEE)]
    raws = [one.raw.hex() for one in (*good, *forged, *good)]
    root = samples.ROOT.public.hex()
    said = wire("trusts", root, keys.raw.hex(), raws)
    assert said == [True] * 4 + [False] * 2 + [True] * 4
    assert wire("trusts", forger.public.hex(), keys.raw.hex(), []) is None
    # A spoilt signature has the same hash as the pass that was found good before.
    spoilt = good[0].raw[:-1] + bytes([good[0].raw[-1] ^ 1])
    assert wire("trusts", root, keys.raw.hex(), [raws[0], spoilt.hex()]) == [True, False]


def _resigned(paid: Pay, signer: Any) -> Pay:
    assert paid.sealed is not None
    return Pay.parse(paid.raw[:-64] + signer.sign(paid.sealed.signed))


def _python_says(raw: bytes) -> dict[str, Any] | None:
    """As the browser's `told`, without what the hash covers."""
    try:
        message = read(raw)
    except Malformed:
        return None
    held = getattr(message, "payer", None) or getattr(message, "payee", None)
    return {
        "kind": message.KIND.name.lower(),
        "hash": message.hash.hex(),
        "verified": message.is_signed_by(held.key) if held else None,
    }


def _python_decodes(data: bytes) -> Any:
    try:
        return plain(cbor.decode(data))
    except Malformed:
        return None


def test_both_say_the_same_of_spoilt_messages(wire: Wire) -> None:
    chance = Random(SEED)
    whole = originals()
    spoilt = [spoilt_bytes(chance.choice(whole).raw, chance) for _ in range(1_500)]
    spoilt += [spoilt_payload(chance.choice(whole), chance) for _ in range(1_500)]
    spoilt += [near_message(chance.choice(whole).raw, chance) for _ in range(4_000)]
    told = wire("told", [[raw.hex()] for raw in spoilt])
    read_by_both = 0
    for raw, found in zip(spoilt, told, strict=True):
        wanted = _python_says(raw)
        assert (found and {name: found[name] for name in wanted or found}) == wanted, raw.hex()
        read_by_both += wanted is not None
    assert 500 < read_by_both < 3_500  # bounds are met from both sides


def test_both_say_the_same_of_spoilt_cbor(wire: Wire) -> None:
    chance = Random(SEED)
    whole = [bytes.fromhex(one["bytes"]) for one in VECTORS["cbor"]]
    whole += [bytes.fromhex(one["hex"]) for one in VECTORS["refused"] if one["as"] == "cbor"]
    spoilt = [spoilt_bytes(chance.choice(whole), chance) for _ in range(3_000)]
    spoilt += [cbor2.dumps(near_value(chance), canonical=True) for _ in range(3_000)]
    decoded = wire("decoded", [data.hex() for data in spoilt])
    for data, found in zip(spoilt, decoded, strict=True):
        assert found == _python_decodes(data), data.hex()
    assert 500 < sum(found is not None for found in decoded) < 5_500


def test_both_say_the_same_of_codes_that_a_camera_mistook(wire: Wire) -> None:
    chance = Random(SEED)
    texts = [one["texts"] for one in VECTORS["frames"]]
    wholes = 0
    for _ in range(100):
        shown = chance.choice(texts)
        seen = [seen_text(chance.choice(shown), chance) for _ in range(20)]
        wanted = _python_collects(seen)
        assert wire("collected", seen) == wanted, seen
        wholes += any(one not in (None, "refused") for one in wanted)
    assert 20 < wholes < 100


def _python_collects(texts: list[str]) -> list[str | None]:
    collector = frames.Collector()
    said: list[str | None] = []
    for text in texts:
        try:
            whole = collector.add(text)
            said.append(None if whole is None else whole.hex())
        except Malformed:
            said.append("refused")
    return said


def test_of_keys_learnt_at_once_the_newest_stay(wire: Wire) -> None:
    first, older, newer = (samples.issuer_keys(serial).raw.hex() for serial in (3, 4, 5))
    root = samples.ROOT.public.hex()
    assert wire("learnt", root, first, [older, newer]) == [[True, True], 5]
    assert wire("learnt", root, first, [newer, older]) == [[True, False], 5]
