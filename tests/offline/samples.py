"""Fixed keys and messages, so that each run, and each implementation, makes the same bytes."""

import hashlib
from typing import Final

from tikiwallet.offline.wire.cose import kid_of
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import (
    Close,
    Invite,
    IssuerKey,
    IssuerKeys,
    Limits,
    Pass,
    Pay,
    Receipt,
    Revocations,
    Void,
)
from tikiwallet.offline.wire.phones import commitment

NOW: Final = 1_800_000_000  # 2027-01-15
DAY: Final = 86_400
PAYER_PHONE: Final = "+919876543210"
PAYEE_PHONE: Final = "+6591234567"
HINDI: Final = "अमित सा"  # 19 bytes; a letter more would be 22
LONGEST_NAME: Final = HINDI + "a"


def octets(what: str, length: int = 16) -> bytes:
    """Bytes that look random and are not."""
    return hashlib.sha256(what.encode()).digest()[:length]


def key(whose: str) -> PrivateKey:
    return PrivateKey.from_bytes(octets(f"{whose}'s private key", 32))


LIMITS: Final = Limits(most_per_payment=1_000, payments=20, hops=0)
ROOT, ISSUER, PAYER, PAYEE = key("root"), key("issuer"), key("payer"), key("payee")
KEYS: Final = {"root": ROOT, "issuer": ISSUER, "payer": PAYER, "payee": PAYEE}


def issued(
    whose: str = "payer",
    *,
    amount: int = 5_000,
    name: str = HINDI,
    payee_lock: bytes | None = None,
    limits: Limits = LIMITS,
    signer: PrivateKey = ISSUER,
) -> Pass:
    """A pass of the payer or the payee, in INR."""
    salt = octets(f"{whose}'s salt", 8)
    made = Pass(
        id=octets(f"{whose}'s pass"),
        key=PublicKey(KEYS[whose].public),
        pseudonym=octets(f"{whose}'s pseudonym", 8),
        phone=commitment(salt, {"payer": PAYER_PHONE, "payee": PAYEE_PHONE}[whose]),
        salt=salt,
        name=name,
        tier=1,
        currency=356,
        amount=amount,
        start_sequence=1,
        not_before=NOW,
        expiry=NOW + 4 * DAY,
        limits=limits,
        epoch=7,
        payee_lock=payee_lock,
    )
    return Pass.parse(made.sealed_by(signer))


def largest_pass(whose: str) -> Pass:
    """Every field as long as it can be."""
    salt = octets(f"{whose}'s salt", 8)
    most = 2**32 - 1
    made = Pass(
        id=octets(f"{whose}'s largest pass"),
        key=PublicKey(KEYS[whose].public),
        pseudonym=octets(f"{whose}'s pseudonym", 8),
        phone=commitment(salt, "+999999999999999"),
        salt=salt,
        name=LONGEST_NAME,
        tier=23,
        currency=65_535,
        amount=most,
        start_sequence=65_535,
        not_before=most - 1,
        expiry=most,
        limits=Limits(most, 255, 3),
        epoch=most,
        payee_lock=octets("lock", 8),
    )
    return Pass.parse(made.sealed_by(ISSUER))


def invite(payee: Pass | None = None, *, memo: str | None = "चाय", amount: int = 150) -> Invite:
    """The payee's request."""
    made = Invite(
        payee=payee or issued("payee", amount=0, name="Mei Ling"),
        request_id=octets("request"),
        amount=amount,
        currency=356,
        memo=memo,
        made_at=NOW + 60,
        life=120,
    )
    return Invite.parse(made.sealed_by(PAYEE))


def largest_invite() -> Invite:
    most = 2**32 - 1
    made = Invite(
        payee=largest_pass("payee"),
        request_id=octets("largest request"),
        amount=most,
        currency=65_535,
        memo="दो किलो" + " rice",
        made_at=most,
        life=3_600,
    )
    return Invite.parse(made.sealed_by(PAYEE))


def pay(asked: Invite | None = None, *, sources: tuple[bytes, ...] | None = None) -> Pay:
    """The payer's first payment, for what was asked."""
    asked = asked or invite()
    payer = issued("payer")
    made = Pay(
        payer=payer,
        sequence=1,
        previous=payer.hash,
        amount=asked.amount,
        cumulative=asked.amount,
        payee_pass=asked.payee.id,
        request_hash=asked.hash,
        time=NOW + 75,
        sources=sources,
    )
    return Pay.parse(made.sealed_by(PAYER))


def next_pay(before: Pay) -> Pay:
    """The payment after `before`, for another request."""
    asked = invite(memo=None, amount=275)
    made = Pay(
        payer=before.payer,
        sequence=before.sequence + 1,
        previous=before.hash,
        amount=asked.amount,
        cumulative=before.cumulative + asked.amount,
        payee_pass=asked.payee.id,
        request_hash=asked.hash,
        time=NOW + 130,
    )
    return Pay.parse(made.sealed_by(PAYER))


def largest_pay(*, sources: tuple[bytes, ...] | None = None) -> Pay:
    most = 2**32 - 1
    asked = largest_invite()
    made = Pay(
        payer=largest_pass("payer"),
        sequence=65_535,
        previous=octets("previous", 32),
        amount=most,
        cumulative=most,
        payee_pass=asked.payee.id,
        request_hash=asked.hash,
        time=most,
        sources=sources,
    )
    return Pay.parse(made.sealed_by(PAYER))


def receipt(paid: Pay | None = None, *, time: int = NOW + 80) -> Receipt:
    paid = paid or pay()
    return Receipt.parse(Receipt(pay_hash=paid.hash, time=time).sealed_by(PAYEE))


def void() -> Void:
    asked = invite()
    made = Void(request_id=asked.request_id, payee_pass=asked.payee.id, time=NOW + 200)
    return Void.parse(made.sealed_by(PAYEE))


def close(after: Pay | None = None) -> Close:
    after = after or pay()
    made = Close(
        pass_id=after.payer.id,
        sequence=after.sequence + 1,
        cumulative=after.cumulative,
        time=NOW + 300,
    )
    return Close.parse(made.sealed_by(PAYER))


def issuer_keys(serial: int = 3, *, signer: PrivateKey = ROOT) -> IssuerKeys:
    entries = tuple(
        IssuerKey(
            kid_of(holder.public),
            PublicKey(holder.public),
            NOW - start * DAY,
            NOW + 90 * DAY,
        )
        for holder, start in ((ISSUER, 30), (key("next issuer"), 0))
    )
    made = IssuerKeys(serial=serial, time=NOW - DAY, keys=entries)
    return IssuerKeys.parse(made.sealed_by(signer))


def revocations(count: int = 3, *, since: int = 0) -> Revocations:
    made = Revocations(
        epoch=since + max(count, 7),
        since=since,
        time=NOW + 30,
        passes=tuple(sorted(octets(f"revoked {number}") for number in range(count))),
    )
    return Revocations.parse(made.sealed_by(ISSUER))
