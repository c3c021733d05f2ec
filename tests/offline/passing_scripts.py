"""What happens to payers and payees of money that is passed on."""

from collections.abc import Callable
from dataclasses import replace

from tests.offline import samples
from tests.offline.chained import PASSING, asks, chain, given, holder, passed_on, pays
from tests.offline.payee_scripts import REQUEST, accept, invite, paid, stage
from tests.offline.payee_scripts import receive as receive_payment
from tests.offline.payer_scripts import pay, receive, request, review
from tests.offline.samples import DAY, NOW, octets
from tests.offline.scripts import Script, payee, payer

from tikiwallet.offline.exchange.effects import (
    Closing,
    Confirmed,
    Gained,
    Item,
    Outcome,
    Outcomes,
    Restarted,
    Seen,
    SetAside,
    Stored,
    Synced,
    Upload,
    View,
)
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.till import Stage, Taken
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.chain import Link, read
from tikiwallet.offline.wire.messages import Invite, Pass, Pay, Receipt, Revocations


def gain(script: Script[Payer], link: Link) -> None:
    script.do(lambda now: Gained(now, link.raw))


def gains(script: Script[Payer], *links: Link) -> None:
    """It takes each of these."""
    for link in links:
        gain(script, link)
        script.store()
        script.nothing()


def item_of(link: Link) -> Item:
    return Item(link.invite.raw, link.pay.raw)


def passes_on() -> Script[Payer]:
    """100 of its own and 80 that it received; what it sends is always the whole chain."""
    own = holder("payer")
    script = payer(own)
    receive(script, samples.invite().raw)
    script.refuses(Refusal.NOT_ENOUGH)
    link = given(holder("ann"), own, 80)
    gains(script, link)
    assert script.state.purse.left == 180
    first = pay(script)
    sent = script.sent
    assert first.sources == (link.pay.hash,)
    assert (read(sent).hops, read(sent).covered) == (1, 180)
    receive(script, samples.invite().raw)
    assert script.sent == sent
    script.do(lambda now: Restarted(now, 1))
    assert script.sent == sent
    assert script.uploaded == Upload((item_of(link), Item(samples.invite().raw, first.raw)))
    receive(script, samples.receipt(first).raw)
    script.store()
    own_item = Item(samples.invite().raw, first.raw, samples.receipt(first).raw)
    assert script.uploaded == Upload((item_of(link), own_item))
    second = pay(script, request(2, amount=30))
    assert (second.sources, second.cumulative) == ((link.pay.hash,), 180)
    script.do(Synced)
    second_item = Item(request(2, amount=30).raw, second.raw)
    assert script.uploaded == Upload((item_of(link), own_item, second_item))
    script.store()
    receive(script, request(3, amount=1).raw)
    script.refuses(Refusal.UNFINISHED)
    script.do(SetAside)
    assert script.uploaded == Upload((item_of(link), second_item))
    receive(script, request(3, amount=1).raw)
    script.refuses(Refusal.NOT_ENOUGH)
    return script


def names_the_fewest() -> Script[Payer]:
    """The first of those it received, as many as are needed, in the order in which they came; what
    they have in common travels once."""
    own = holder("payer")
    ann, ben = holder("ann", amount=5_000), holder("ben")
    source = given(ann, ben, 300)
    one = given(ben, own, 50, source)
    two = given(ben, own, 51, source, after=one.pay, number=2)
    three = given(ann, own, 52, after=source.pay, number=3)
    script = payer(own)
    gains(script, one, two, three)
    for number, (amount, sources, hops) in enumerate(
        ((100, (), 0), (50, (one,), 2), (1, (one, two), 2), (102, (one, two, three), 2))
    ):
        made = pay(script, request(number, amount=amount))
        assert made.sources == (tuple(link.pay.hash for link in sources) or None)
        assert script.sent == chain(made, *sources)
        assert read(script.sent).hops == hops
        script.do(SetAside)
    assert [item.pay for item in script.uploaded.items] == [
        link.pay.raw for link in (source, one, two, three)
    ] + [made.raw]
    assert script.state.purse.left == 0
    return script


def gains_while_it_signs() -> Script[Payer]:
    own = holder("payer")
    script = payer(own)
    review(script, request(1, amount=90))
    script.do(Confirmed)
    gains(script, given(holder("ann"), own, 80))
    script.sign()
    script.store()
    script.shows(View.SENDING)
    assert Pay.parse(script.sent).sources is None
    assert script.state.purse.left == 90
    return script


def gains_what_it_may_pass_on() -> Script[Payer]:
    own = holder("payer", limits=PASSING._replace(hops=2))
    script = payer(own)
    ann = holder("ann", amount=5_000)
    link = given(ann, own, 80)
    other = holder("payer", limits=PASSING._replace(payments=21))  # another pass with the same id
    for foreign in (
        passed_on("ben", "cem", "ann"),
        given(ann, holder("payer", id=octets("another pass")), 80),
        given(ann, other, 80),
    ):
        gain(script, foreign)
        script.nothing()
    for data in (b"", link.pay.raw, link.raw + b"\x00", chain(link.pay)):
        script.do(lambda now, data=data: Gained(now, data))  # type: ignore[misc]
        script.nothing()
    twice = given(holder("cem"), own, 50, passed_on("ann", "ben", "cem"))
    gain(script, twice)
    script.nothing()
    links = [link]
    for number in (2, 3, 4, 5):
        links.append(given(ann, own, 80, after=links[-1].pay, number=number))
    gains(script, *links[:4])
    for known in (link, links[3], links[4]):  # the fifth is one too many
        gain(script, known)
        script.nothing()
    assert script.state.purse.received == tuple(one.raw for one in links[:4])
    return script


def gains_nothing() -> Script[Payer]:
    """A pass whose limits say so."""
    own = holder("payer", limits=PASSING._replace(hops=0))
    script = payer(own)
    gain(script, given(holder("ann"), own, 80))
    script.nothing()
    return script


def gains_nothing_without_an_amount() -> Script[Payer]:
    own = holder("payer", amount=0)
    script = payer(own)
    gain(script, given(holder("ann"), own, 80))
    script.nothing()
    return script


def gains_nothing_that_could_not_travel() -> Script[Payer]:
    """Each of the large ones came out of five hands."""
    own = holder("payer")
    links = []
    for name in ("ben", "cem", "dan", "eve"):
        before = [
            given(holder(f"{name}'s {number}"), holder(name), 50, number=number)
            for number in range(4)
        ]
        links.append(given(holder(name), own, 250, *before))
    script = payer(own)
    gains(script, *links[:3])
    gain(script, links[3])
    script.nothing()
    gains(script, given(holder("ann"), own, 10))
    assert script.state.purse.left == 860
    return script


def gains_nothing_once_it_has_ended() -> Script[Payer]:
    own = holder("payer")
    script = payer(own)
    link = given(holder("ann"), own, 80)
    script.do(Closing)
    script.sign()
    script.store()
    gain(script, link)
    script.nothing()
    return script


def gains_nothing_once_it_is_lost() -> Script[Payer]:
    own = holder("payer")
    script = payer(own)
    script.do(lambda now: Restarted(now, None))
    script.do(Stored)
    gain(script, given(holder("ann"), own, 80))
    script.nothing()
    return script


def keeps_sources_that_hold_no_more() -> Script[Payer]:
    """The payee would refuse them, and the PAY would be signed already."""
    own = holder("payer")
    ann = holder("ann", expiry=NOW + DAY)
    link = given(holder("ben"), own, 80, given(ann, holder("ben"), 50))
    script = payer(own)
    gains(script, link)
    review(script)
    script.do(SetAside)
    script.clock = NOW + DAY
    receive(script, samples.invite().raw)
    script.refuses(Refusal.NOT_ENOUGH)
    pay(script, request(2, amount=100))
    script.do(SetAside)
    return script


def keeps_sources_that_were_called_back() -> Script[Payer]:
    own, ann = holder("payer"), holder("ann")
    script = payer(own)
    gains(script, given(ann, own, 80))
    review(script)
    script.do(SetAside)
    news = Revocations(epoch=8, since=7, time=NOW + 40, passes=(ann.id,))
    receive(script, news.sealed_by(samples.ISSUER))
    script.store()
    receive(script, samples.invite().raw)
    script.refuses(Refusal.NOT_ENOUGH)
    return script


def outcome(script: Script[Payer], link: Link, word: Outcomes) -> None:
    script.do(lambda now: Outcome(now, link.pay.hash, word))


def loses_what_turned_out_to_be_worth_less() -> Script[Payer]:
    """But nothing that its own payments have named, which go on naming it."""
    own, ann = holder("payer"), holder("ann", amount=5_000)
    links = [given(ann, own, 80)]
    for number in (2, 3, 4):
        links.append(given(ann, own, 80, after=links[-1].pay, number=number))
    first, second, third, fourth = links
    script = payer(own)
    gains(script, *links)
    pay(script, request(1, amount=150))
    script.do(SetAside)
    for link, word in ((first, Outcomes.REJECTED), (second, Outcomes.CREDITED)):
        outcome(script, link, word)
        script.nothing()
    assert script.state.purse.left == 270
    for link, word in ((third, Outcomes.PARTIAL), (fourth, Outcomes.VOIDED)):
        outcome(script, link, word)
        script.store()
        script.nothing()
        outcome(script, link, word)
        script.nothing()
    assert script.state.purse.left == 110
    fifth = given(ann, own, 90, after=fourth.pay, number=5)
    gains(script, fifth)
    made = pay(script, request(2, amount=200))
    assert made.sources == (first.pay.hash, second.pay.hash, fifth.pay.hash)
    assert script.sent == chain(made, first, second, fifth)
    return script


def loses_it_while_it_signs() -> Script[Payer]:
    """What is signed then names it, and goes nowhere."""
    own = holder("payer")
    script = payer(own)
    link = given(holder("ann"), own, 80)
    gains(script, link)
    review(script)
    script.do(Confirmed)
    outcome(script, link, Outcomes.RETURNED)
    script.store()
    script.sign()
    script.nothing()
    script.do(Confirmed)
    script.refuses(Refusal.NOT_ENOUGH)
    assert script.state.purse.left == 100
    return script


def loses_nothing_in_doubt() -> Script[Payer]:
    """A payment that is missing here may have named it."""
    own = holder("payer")
    script = payer(own)
    link = given(holder("ann"), own, 80)
    gains(script, link)
    script.do(lambda now: Restarted(now, own.start_sequence))
    script.do(Stored)
    outcome(script, link, Outcomes.PARTIAL)
    script.nothing()
    assert script.state.purse.received == (link.raw,)
    return script


# Payees.


def is_paid_with_what_others_paid() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    link = passed_on("ann", "ben", "payer", amount=80)
    made = pays(holder("payer"), asked, link)
    data = chain(made, link)
    receive_payment(script, data)
    assert stage(script) is Stage.VERIFIED
    (source,) = link.sources
    took = (source.pay, link.pay, made)
    assert script.state.till.taken == tuple(map(Taken.of, took))
    script.store()
    script.do(Restarted)
    items = (item_of(source), item_of(link), Item(asked.raw, made.raw))
    assert script.uploaded == Upload(items)
    script.sign()
    script.store()
    receipt = script.sent
    assert script.uploaded == Upload((*items[:2], Item(asked.raw, made.raw, receipt)))
    request = script.state.till.request(REQUEST)
    assert request is not None
    assert (request.pay, Receipt.parse(receipt).pay_hash) == (data, made.hash)
    for again in (data, made.raw):  # however it is wrapped
        receive_payment(script, again)
        assert script.sent == receipt
    another = pays(holder("payer"), asked, link, time=NOW + 31)
    receive_payment(script, chain(another, link))
    script.refuses(Refusal.ALREADY_PAID)
    return script


def is_paid_by_one_pass_with_what_came_back() -> Script[Payee]:
    """Ann pays Ben, who pays her back; then she has it to spend again."""
    script = payee()
    asked = invite(script)
    own, ben = holder("payer"), holder("ben")
    there = given(own, ben, 100)
    back = given(ben, own, 200, there)
    made = pays(own, asked, back, after=there.pay)
    receive_payment(script, chain(made, back))
    script.store()
    script.sign()
    script.store()
    script.shows(View.ACCEPTED)
    return script


def refuses_what_is_passed_on() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    for data, refusal in (*_refused_whole(asked), *_refused_links(asked)):
        receive_payment(script, data)
        script.refuses(refusal)
        assert stage(script) is Stage.INVITING
    assert not script.state.till.taken
    link = passed_on("ann", "ben", "cem", "payer")
    receive_payment(script, chain(pays(holder("payer"), asked, link), link))
    script.store()
    script.sign()
    script.store()
    script.shows(View.ACCEPTED)
    return script


def _refused_whole(asked: Invite) -> tuple[tuple[bytes, Refusal], ...]:
    """For what the PAY itself says."""
    own = holder("payer")
    none, one = (holder("payer", limits=PASSING._replace(hops=hops)) for hops in (0, 1))
    empty = holder("payer", amount=0)
    link = passed_on("ann", "payer")
    twice = given(holder("ben"), one, 150, passed_on("ann", "ben"))
    four = passed_on("ann", "ben", "cem", "dan", "payer")
    little = given(holder("ann"), own, 49)
    to_none = given(holder("ann"), none, 80)
    to_empty = given(holder("ann", amount=150), empty, 150)
    to_other = given(holder("ann"), holder("payer", id=octets("another pass")), 80)
    late = holder("payer", expiry=NOW + 5 * DAY)
    to_late = given(holder("ann"), late, 80)
    return (
        (pays(own, asked, link).raw, Refusal.UNREADABLE),
        (chain(pays(none, asked, to_none), to_none), Refusal.PASSED_ON),
        (chain(pays(one, asked, twice), twice), Refusal.PASSED_ON),
        (chain(pays(own, asked, four), four), Refusal.PASSED_ON),
        (chain(pays(empty, asked, to_empty), to_empty), Refusal.PASSED_ON),
        (chain(pays(own, asked, little), little), Refusal.OVER_PASS),
        (chain(pays(own, asked, to_other), to_other), Refusal.WRONG_PAYEE),
        (chain(pays(own, asked, to_late), to_late), Refusal.WRONG_PAYEE),
        (chain(pays(own, asked, link, amount=149), link), Refusal.WRONG_AMOUNT),
        (
            chain(pays(own, asked, link, previous=octets("other", 32)), link),
            Refusal.BROKEN_CHAIN,
        ),
    )


def _refused_links(asked: Invite) -> tuple[tuple[bytes, Refusal], ...]:
    """For one source each, which its payee had to refuse."""
    own, ann = holder("payer"), holder("ann")
    stranger = Pass.parse(ann.sealed_by(samples.PAYEE))
    revoked = holder("ann", id=samples.revocations().passes[1])
    lent = given(holder("cem"), ann, 80)
    once = holder("ann", limits=PASSING._replace(hops=0))
    forged = Pay.parse(pays(ann, asks(own, 80)).sealed_by(samples.PAYER))
    unasked = Invite.parse(asks(own, 80).sealed_by(samples.PAYEE))
    dollars = holder("ann", currency=840)
    links = (
        (_given(stranger), Refusal.UNKNOWN_ISSUER),
        (replace(_given(ann), pay=forged), Refusal.BAD_SIGNATURE),
        (replace(_given(ann), invite=unasked), Refusal.BAD_SIGNATURE),
        (_given(holder("ann", expiry=NOW + 50)), Refusal.EXPIRED),
        (_given(revoked), Refusal.REVOKED),
        (_asked(ann, made_at=NOW + 4 * DAY + 1), Refusal.EXPIRED),
        (_asked(ann, amount=81), Refusal.WRONG_AMOUNT),
        (_asked(dollars, currency=840), Refusal.WRONG_CURRENCY),
        (_given(dollars), Refusal.WRONG_CURRENCY),
        (_given(ann, payee_pass=octets("somebody")), Refusal.WRONG_PAYEE),
        (_given(own), Refusal.SELF),
        (_given(holder("ann", payee_lock=octets("lock", 8))), Refusal.OTHER_PAYEE),
        (_given(holder("ann", limits=PASSING._replace(most_per_payment=79))), Refusal.OVER_LIMIT),
        (_given(holder("ann", limits=PASSING._replace(payments=0))), Refusal.TOO_MANY),
        (_given(holder("ann", amount=79)), Refusal.OVER_PASS),
        (_given(ann, lent, sequence=2, cumulative=181), Refusal.OVER_PASS),
        (given(once, own, 80, given(holder("cem"), once, 80)), Refusal.PASSED_ON),
        (_given(holder("ann", start_sequence=2), sequence=1), Refusal.BROKEN_CHAIN),
        (_given(ann, previous=octets("other", 32)), Refusal.BROKEN_CHAIN),
        (_given(ann, cumulative=81), Refusal.BROKEN_CHAIN),
    )
    return tuple((chain(pays(own, asked, link), link), refusal) for link, refusal in links)


def _given(giver: Pass, *sources: Link, **changed: object) -> Link:
    """80 for the payer."""
    return given(giver, holder("payer"), 80, *sources, **changed)  # type: ignore[arg-type]


def _asked(giver: Pass, amount: int = 80, **changed: object) -> Link:
    """80 for the payer, who asked for something else."""
    asked = asks(holder("payer"), amount, **changed)  # type: ignore[arg-type]
    return Link(pay=pays(giver, asked, amount=80, cumulative=80), invite=asked)


def sees_a_second_signature_in_what_is_passed_on() -> Script[Payee]:
    own, ann, ben = holder("payer"), holder("ann"), holder("ben")
    script = payee()
    asked = invite(script)
    one = given(ann, own, 40)
    fork = given(ann, own, 41, number=2)
    deep = given(ben, own, 42, given(ann, ben, 60), number=2)
    again = replace(one, pay=pays(holder("cem"), one.invite))
    for sources, refusal in (
        ((one, fork), Refusal.CONFLICT),  # in the payer's own chain
        ((one, deep), Refusal.CONFLICT),  # further back
        ((one, again), Refusal.ALREADY_PAID),  # two that answer one request
    ):
        receive_payment(script, chain(pays(own, asked, *sources), *sources))
        script.refuses(refusal)
    elsewhere = Taken.of(fork.pay)
    script.do(lambda now: Seen(now, elsewhere))
    script.store()
    receive_payment(script, chain(pays(own, asked, one, again), one, again))
    script.refuses(Refusal.ALREADY_PAID)
    enough = given(holder("cem"), own, 60, number=3)
    receive_payment(script, chain(pays(own, asked, one, enough), one, enough))
    script.refuses(Refusal.CONFLICT)
    return script


def remembers_what_was_passed_on() -> Script[Payee]:
    """A payment in the place of one that another was made with."""
    script = payee()
    asked = invite(script)
    payer = samples.issued("payer")
    ben = holder("ben", salt=payer.salt, phone=payer.phone)
    request = asks(ben, 80)
    link = Link(pay=paid(request), invite=request)
    receive_payment(script, chain(pays(ben, asked, link), link))
    script.store()
    script.sign()
    script.store()
    second = invite(script, octets("request 2"), 50)
    receive_payment(script, paid(second).raw)
    script.refuses(Refusal.CONFLICT)
    accept(script, paid(second, sequence=2, previous=link.pay.hash, cumulative=130))
    return script


PASSING_PAYERS: tuple[Callable[[], Script[Payer]], ...] = (
    passes_on,
    names_the_fewest,
    gains_while_it_signs,
    gains_what_it_may_pass_on,
    gains_nothing,
    gains_nothing_without_an_amount,
    gains_nothing_that_could_not_travel,
    gains_nothing_once_it_has_ended,
    gains_nothing_once_it_is_lost,
    keeps_sources_that_hold_no_more,
    keeps_sources_that_were_called_back,
    loses_what_turned_out_to_be_worth_less,
    loses_it_while_it_signs,
    loses_nothing_in_doubt,
)
PASSING_PAYEES: tuple[Callable[[], Script[Payee]], ...] = (
    is_paid_with_what_others_paid,
    is_paid_by_one_pass_with_what_came_back,
    refuses_what_is_passed_on,
    sees_a_second_signature_in_what_is_passed_on,
    remembers_what_was_passed_on,
)
