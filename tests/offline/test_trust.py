"""Whose signatures hold: root, issuer keys, passes, and the messages of their devices."""

import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from tests.offline import samples

from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.cose import kid_of
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import Invite, IssuerKey, IssuerKeys, Pass, Pay
from tikiwallet.offline.wire.trust import Trust

STRANGER = samples.key("stranger")
_MOST = 2.0  # times what the signature alone takes
_TRIES = 10


@pytest.fixture
def trust() -> Trust:
    return Trust(samples.ROOT.public, samples.issuer_keys())


def keys(serial: int, *holders: bytes, not_before: int, not_after: int) -> IssuerKeys:
    """A list with other keys, or other times."""
    listed = tuple(
        IssuerKey(kid_of(public), PublicKey(public), not_before, not_after) for public in holders
    )
    made = IssuerKeys(serial=serial, time=samples.NOW, keys=listed)
    return IssuerKeys.parse(made.sealed_by(samples.ROOT))


def test_what_the_issuer_and_its_passes_sign_holds(trust: Trust) -> None:
    asked = samples.invite()
    paid = samples.pay(asked)
    assert trust.has_issued(samples.issued())
    assert trust.has_issued(samples.revocations())
    assert trust.holds(asked)
    assert trust.holds(paid)
    assert trust.holds(samples.next_pay(paid))


def test_keys_of_another_root_are_not_learnt(trust: Trust) -> None:
    with pytest.raises(Malformed):
        Trust(STRANGER.public, samples.issuer_keys())
    assert not trust.learn(samples.issuer_keys(serial=9, signer=STRANGER))
    assert not trust.learn(samples.issuer_keys(serial=9, signer=samples.ISSUER))
    assert trust.learn(samples.issuer_keys(serial=9))


def test_nothing_holds_before_keys_are_learnt() -> None:
    trust = Trust(samples.ROOT.public)
    assert not trust.has_issued(samples.issued())
    assert trust.learn(samples.issuer_keys())
    assert trust.has_issued(samples.issued())


def test_a_forged_issuer(trust: Trust) -> None:
    forged = samples.issued(signer=STRANGER)
    assert not trust.has_issued(forged)
    paid = Pay.parse(_of(samples.pay(), payer=forged).sealed_by(samples.PAYER))
    assert not trust.holds(paid)


def test_a_forged_issuer_under_a_true_key_s_id(trust: Trust) -> None:
    forged = samples.issued(signer=STRANGER)
    sealed = samples.issued().unsealed(samples.ISSUER.public)
    under_its_id = Pass.parse(sealed.with_signature(forged.raw[-64:]))
    assert under_its_id.kid == samples.issued().kid
    assert not trust.has_issued(under_its_id)


def test_a_message_signed_with_another_key_than_its_pass_s(trust: Trust) -> None:
    assert not trust.holds(Pay.parse(samples.pay().sealed_by(STRANGER)))
    assert not trust.holds(Invite.parse(samples.invite().sealed_by(samples.PAYER)))


def test_a_pass_with_a_spoilt_signature_is_not_mistaken_for_one_that_is_remembered(
    trust: Trust,
) -> None:
    held = samples.issued()
    spoilt = Pass.parse(held.raw[:-1] + bytes([held.raw[-1] ^ 1]))
    assert spoilt.hash == held.hash
    assert trust.has_issued(held)
    assert not trust.has_issued(spoilt)


def test_a_key_signs_only_what_is_dated_in_its_time(trust: Trust) -> None:
    issuer, now = samples.ISSUER.public, samples.NOW
    for serial, not_before, not_after, holds in (
        (11, now, now, True),
        (12, now + 1, now + 9, False),
        (13, now - 9, now - 1, False),
    ):
        assert trust.learn(keys(serial, issuer, not_before=not_before, not_after=not_after))
        assert trust.has_issued(samples.issued()) == holds


def test_newer_keys_replace_all_older_ones_and_older_ones_come_too_late(trust: Trust) -> None:
    held = samples.issued()
    assert trust.has_issued(held)
    other = samples.key("next issuer").public
    assert trust.learn(keys(10, other, not_before=0, not_after=2**32 - 1))
    assert not trust.has_issued(held)
    assert not trust.learn(samples.issuer_keys(serial=10))
    assert not trust.learn(samples.issuer_keys())
    assert not trust.has_issued(held)


def _of(paid: Pay, *, payer: Pass, **changes: int) -> Pay:
    """The same payment with another pass, say."""
    return Pay(
        payer=payer,
        sequence=changes.get("sequence", paid.sequence),
        previous=paid.previous,
        amount=paid.amount,
        cumulative=paid.cumulative,
        payee_pass=paid.payee_pass,
        request_hash=paid.request_hash,
        time=paid.time,
    )


@pytest.mark.alone
def test_a_payment_is_verified_in_little_more_than_its_signature_takes(trust: Trust) -> None:
    first = samples.pay()
    raws = [
        _of(first, payer=first.payer, sequence=number).sealed_by(samples.PAYER)
        for number in range(1, 501)
    ]
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), samples.PAYER.public)
    bare = [
        (_der(paid.raw[-64:]), paid.sealed.signed)
        for raw in raws
        if (paid := Pay.parse(raw)).sealed
    ]
    algorithm = ec.ECDSA(hashes.SHA256())

    def alone() -> None:
        for signature, signed in bare:
            point.verify(signature, signed, algorithm)

    def whole() -> None:
        assert all(trust.holds(Pay.parse(raw)) for raw in raws)

    whole()  # from here on its pass is remembered
    best, least = float("inf"), float("inf")
    for _ in range(_TRIES):
        floor, took = _seconds(alone), _seconds(whole)
        best, least = min(best, took), min(least, floor)
        if best / least <= _MOST:
            break
    print(f"{len(raws) / best:,.0f} payments/s, {best / least:.2f} times the signature's time")  # noqa: T201
    assert best / least <= _MOST


def _seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _der(signature: bytes) -> bytes:
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return utils.encode_dss_signature(r, s)
