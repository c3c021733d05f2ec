"""Messages: made, signed at once or later, read; and bundles of them."""

import re
from pathlib import Path

import pytest
from tests.offline import samples
from tests.offline.make_vectors import messages

from tikiwallet.offline.wire import cose
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import (
    Close,
    Pass,
    Pay,
    Receipt,
    Void,
    bundled,
    read,
    unbundled,
)
from tikiwallet.offline.wire.phones import commitment


def test_a_signature_may_come_later() -> None:
    made = Void(request_id=bytes(16), payee_pass=bytes(16), time=samples.NOW)
    unsealed = made.unsealed(samples.PAYEE.public)
    raw = unsealed.with_signature(samples.PAYEE.sign(unsealed.to_sign))
    assert raw == made.sealed_by(samples.PAYEE)
    assert Void.parse(raw) == made
    assert Void.parse(raw).hash == unsealed.hash
    with pytest.raises(Malformed):
        unsealed.with_signature(bytes(63))


def test_the_hash_does_not_depend_on_the_signature() -> None:
    paid = samples.pay()
    resigned = Pay.parse(paid.raw[:-64] + bytes(64))
    assert resigned.hash == paid.hash
    assert resigned == paid
    assert not resigned.is_signed_by(paid.payer.key)


def test_what_was_not_parsed_has_neither_bytes_nor_hash() -> None:
    made = Receipt(pay_hash=bytes(32), time=samples.NOW)
    with pytest.raises(ValueError, match="signed"):
        _ = made.raw
    with pytest.raises(ValueError, match="signed"):
        _ = made.hash


def test_bounds_hold_for_what_is_made_here_too() -> None:
    made = Close(pass_id=bytes(16), sequence=0, cumulative=0, time=samples.NOW)
    with pytest.raises(Malformed, match="CLOSE, sequence"):
        made.sealed_by(samples.PAYER)


def test_one_kind_is_not_taken_for_another() -> None:
    with pytest.raises(Malformed, match="VOID where PASS should be"):
        Pass.parse(samples.void().raw)


def test_the_chain_begins_with_the_pass() -> None:
    first = samples.pay()
    assert first.previous == first.payer.hash
    assert samples.next_pay(first).previous == first.hash


@pytest.mark.parametrize("kind", cose.Kind, ids=lambda kind: kind.name.lower())
def test_the_specification_has_the_keys_that_are_read(kind: cose.Kind) -> None:
    page = (Path(__file__).parents[2] / "docs" / "offline.md").read_text(encoding="utf-8")
    _, section = page.split(f"### {kind.name} ({kind.value}), ")
    keys = [int(key) for key in re.findall(r"^\| (\d+) \|", section.split("\n#")[0], re.MULTILINE)]
    largest = {message.KIND: message for _, _, message in messages()}
    largest[cose.Kind.PAY] = samples.pay(sources=(bytes(32),))
    assert [0, *keys] == list(cose.open_(largest[kind].raw).payload)


def test_domains_keep_kinds_apart() -> None:
    assert len({kind.domain for kind in cose.Kind}) == len(cose.Kind)
    assert cose.Kind.PAY.domain == b"tikiwallet/offline/1/pay"


def test_bundles() -> None:
    paid, asked = samples.pay(), samples.invite()
    bundle = bundled([asked.raw, paid.raw])
    assert [read(raw) for raw in unbundled(bundle)] == [asked, paid]
    for wrong in ([], [b""], [b"\xd1"], [paid.raw] * 101):
        with pytest.raises(Malformed):
            bundled(wrong)
    for data in (b"", b"\x80", b"\xa0", b"\x81\x00", b"\x81\x41\xd1", bundle + b"\x00", paid.raw):
        with pytest.raises(Malformed):
            unbundled(data)


def test_a_phone_number_belongs_to_its_pass() -> None:
    held = samples.issued()
    assert held.is_of(samples.PAYER_PHONE)
    assert not held.is_of(samples.PAYEE_PHONE)


@pytest.mark.parametrize(
    "phone", ["919876543210", "+0123", "+", "+91 98", "+9198765432101234", "+९१९८७६५४३२१०", "+12\n"]
)
def test_a_number_in_another_form_is_no_number(phone: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        commitment(bytes(8), phone)


def test_a_salt_has_8_bytes() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        commitment(bytes(7), samples.PAYER_PHONE)


def test_keys() -> None:
    key = PrivateKey.generate()
    again = PrivateKey.from_bytes(key.to_bytes())
    assert again.public == key.public
    public = PublicKey(key.public)
    assert public == PublicKey(key.public)
    assert len({public, PublicKey(again.public)}) == 1
    assert public != PublicKey(samples.PAYER.public)
    assert key.public.hex() in repr(public)
    assert key.to_bytes().hex() not in repr(key)
    signature = key.sign(b"data")
    assert public.verify(signature, b"data")
    assert not public.verify(signature, b"date")
    assert not public.verify(signature + b"\x00", b"data")
    for wrong in (bytes(32), bytes(31), b"\xff" * 32):
        with pytest.raises(ValueError):
            PrivateKey.from_bytes(wrong)


def test_every_signature_has_a_low_s() -> None:
    half = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2
    for number in range(50):
        signature = samples.PAYER.sign(number.to_bytes(2, "big"))
        assert int.from_bytes(signature[32:], "big") <= half
        assert PublicKey(samples.PAYER.public).verify(signature, number.to_bytes(2, "big"))
