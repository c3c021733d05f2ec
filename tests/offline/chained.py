"""Payments that pass received money on, between people who all have passes of the samples' kind."""

from dataclasses import replace
from typing import Final

from tests.offline import samples
from tests.offline.samples import NOW, octets

from tikiwallet.offline.wire.chain import Chain, Link
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import HOPS_MOST, Invite, Limits, Pass, Pay

PASSING: Final = Limits(most_per_payment=1_000, payments=20, hops=HOPS_MOST)


def holder(name: str, *, amount: int = 100, limits: Limits = PASSING, **changed: object) -> Pass:
    """The pass of who has this name; of the samples' payer or payee with their keys and numbers."""
    made = replace(
        samples.issued(name if name in samples.KEYS else "payer"),
        id=octets(f"{name}'s passing pass"),
        key=PublicKey(samples.key(name).public),
        pseudonym=octets(f"{name}'s pseudonym", 8),
        name=name.title(),
        amount=amount,
        limits=limits,
    )
    return Pass.parse(replace(made, **changed).sealed_by(samples.ISSUER))  # type: ignore[arg-type]


def asks(payee: Pass, amount: int, number: int = 1, **changed: object) -> Invite:
    """A request of the pass `payee`, the `number`th."""
    made = Invite(
        payee=payee,
        request_id=octets(f"{payee.name}'s request {number}"),
        amount=amount,
        currency=payee.currency,
        made_at=NOW + 20,
        life=120,
    )
    signer = samples.key(payee.name.lower())
    return Invite.parse(replace(made, **changed).sealed_by(signer))  # type: ignore[arg-type]


def pays(
    payer: Pass, asked: Invite, *sources: Link, after: Pay | None = None, **changed: object
) -> Pay:
    """What `payer` signs for `asked`, after the payment `after`, naming `sources`."""
    made = Pay(
        payer=payer,
        sequence=after.sequence + 1 if after else payer.start_sequence,
        previous=after.hash if after else payer.hash,
        amount=asked.amount,
        cumulative=(after.cumulative if after else 0) + asked.amount,
        payee_pass=asked.payee.id,
        request_hash=asked.hash,
        time=NOW + 30,
        sources=tuple(one.pay.hash for one in sources) or None,
    )
    signer = samples.key(payer.name.lower())
    return Pay.parse(replace(made, **changed).sealed_by(signer))  # type: ignore[arg-type]


def given(
    payer: Pass,
    payee: Pass,
    amount: int,
    *sources: Link,
    after: Pay | None = None,
    number: int = 1,
    **changed: object,
) -> Link:
    """`payer` has paid `payee`; members of the PAY are `changed`."""
    asked = asks(payee, amount, number)
    pay = pays(payer, asked, *sources, after=after, **changed)
    return Link(pay=pay, invite=asked, sources=sources)


def passed_on(*names: str, amount: int = 150) -> Link:
    """The first of these pays the second, who passes it on to the third, and so on; each has 100 of
    their own, but the first, who has enough."""
    first, *others = names
    link: tuple[Link, ...] = ()
    payer = holder(first, amount=5_000)
    for name in others:
        payee = holder(name)
        link = (given(payer, payee, amount, *link),)
        payer = payee
    return link[0]


def chain(pay: Pay, *sources: Link) -> bytes:
    """As it travels."""
    return Chain(pay, sources).raw
