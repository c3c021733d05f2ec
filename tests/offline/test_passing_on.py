"""Received money that is spent on before it has settled: chains in any order, again, cut short."""

import asyncio
import random
from itertools import pairwise

import pytest
from tests.offline.passing import CREDITED, one_hop, paid, state_of
from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    World,
    close_item,
    item,
)
from tests.offline.test_settlement import DAY, Died, conflicts, dying, later, settle, told

from tikiwallet.ledger.transactions import CloseAccount
from tikiwallet.money import CURRENCIES
from tikiwallet.offline.claims import Brought
from tikiwallet.offline.wire.messages import Pay


@pytest.mark.parametrize("source_first", [True, False])
@pytest.mark.parametrize("who", ["ann", "ben", "cem"])
async def test_whoever_brings_the_chain_settles_all_of_it(
    world: World, who: str, source_first: bool
) -> None:
    ann, ben, cem = await one_hop(world)
    source, first = paid(ann, ben, 300)
    invite = cem.invite(350)
    pay = ben.pay(invite, sources=[source])
    second = item(invite, pay, cem.receipt(pay))
    items = [first, second] if source_first else [second, first]
    phone = {"ann": ann, "ben": ben, "cem": cem}[who]
    for _ in range(2):
        answers = await settle(world, phone, *items)
        assert [one.state for one in answers] == [CREDITED, CREDITED]
    assert (await world.holds(cem), await world.holds(ben), await world.escrow_of(ben)) == (
        350,
        0,
        50,
    )
    claim = await world.claim(pay)
    assert (claim["hops"], claim["sources"], claim["paid_escrow"]) == (1, [source.hash], 350)
    assert (await world.claim(source))["hops"] == 0
    assert not await conflicts(world)
    await world.check_conserved()


async def test_what_a_pass_receives_is_returned_with_its_rest(world: World) -> None:
    ann, ben, _ = await one_hop(world)
    _, brought = paid(ann, ben, 300)
    assert told(await settle(world, ben, brought)) == [(CREDITED, 300, None)]
    assert (await world.holds(ben), await world.escrow_of(ben)) == (0, 400)
    [shown] = [one for one in await world.reports.passes() if one["amount"] == 100]
    assert (shown["received"], shown["settled"]) == (300, 0)
    [exposed] = (await world.reports.exposure())["passes"]
    assert exposed["outstanding"] == 1_100
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    assert (await state_of(world, ben), await world.holds(ben)) == ("returned", 400)
    await world.check_conserved()


async def test_a_pass_that_passes_nothing_on_takes_nothing_in(world: World) -> None:
    ann, ben = await world.phone(), await world.phone(100)
    poor = await world.phone(0, hops=3)
    for payee in (ben, poor):
        _, brought = paid(ann, payee, 300)
        await settle(world, payee, brought)
        assert await world.holds(payee) == 300
    assert await world.escrow_of(ben) == 100
    await world.check_conserved()


async def test_what_comes_too_late_to_be_spent_goes_into_the_wallet(world: World) -> None:
    ben = await world.phone(100, hops=1)
    world.clock.advance(DAY)
    ann = await world.phone(1_000)
    _, brought = paid(ann, ben, 300)
    _, in_time = paid(ann, ben, 200)
    assert told(await settle(world, ann, brought, in_time)) == [("recorded", 0, None)] * 2
    await settle(world, ben, in_time)
    world.clock.advance(PASS_SECONDS + CLAIM_SECONDS - DAY + 1)
    assert told(await settle(world, ben, brought)) == [(CREDITED, 300, None)]
    assert (await world.holds(ben), await world.escrow_of(ben)) == (300, 300)
    await later(world, 120)
    assert await world.holds(ben) == 600
    await world.check_conserved()


async def test_three_hops_in_any_order(world: World) -> None:
    chance = random.Random(1)
    ann, dee = await world.phone(500), await world.phone(0)
    ben, cem = await world.phone(10, hops=1), await world.phone(10, hops=2)
    eve = await world.phone(10, hops=3)
    one, first = paid(ann, ben, 300)
    two, second = paid(ben, cem, 310, one)
    three, third = paid(cem, eve, 320, two)
    four, fourth = paid(eve, dee, 330, three)
    items = [first, second, third, fourth]
    for _ in range(3):
        chance.shuffle(items)
        answers = await settle(world, dee, *items)
        assert [answer.state for answer in answers] == [CREDITED] * 4
    assert await world.holds(dee) == 330
    assert [(await world.claim(pay))["hops"] for pay in (one, two, three, four)] == [0, 1, 2, 3]
    assert [await world.escrow_of(phone) for phone in (ann, ben, cem, eve)] == [200, 0, 0, 0]
    await world.check_conserved()


async def test_four_sources_and_what_they_come_to(world: World) -> None:
    ben, cem = await world.phone(100, hops=1), await world.phone(0)
    made = [paid(await world.phone(500), ben, 50) for _ in range(4)]
    sources = [pay for pay, _ in made]
    clone = ben.clone()
    _, whole = paid(ben, cem, 300, *sources)
    answers = await settle(world, cem, whole, *(brought for _, brought in made))
    assert [answer.state for answer in answers] == [CREDITED] * 5
    _, over = paid(clone, cem, 301, *sources)
    assert told(await settle(world, cem, over)) == [("rejected", 0, "over_pass")]
    assert await world.escrow_of(ben) == 0
    await world.check_conserved()


async def test_each_payment_of_a_chain_by_itself(world: World) -> None:
    """Ben spends his own, then more and more of what he received; each shows what covers it."""
    ben = await world.phone(100, hops=1)
    shops = [await world.phone(0) for _ in range(3)]
    (one, first), (two, second) = [paid(await world.phone(500), ben, 200) for _ in range(2)]
    own = paid(ben, shops[0], 100)[1]
    more = paid(ben, shops[1], 200, one)[1]
    most = paid(ben, shops[2], 150, one, two)[1]
    assert told(await settle(world, shops[2], most, second, first))[0] == (CREDITED, 150, None)
    # The sources are known by now, so nobody has to bring them again.
    assert told(await settle(world, shops[1], more)) == [(CREDITED, 200, None)]
    assert told(await settle(world, shops[0], own)) == [(CREDITED, 100, None)]
    assert not await conflicts(world)
    assert await world.escrow_of(ben) == 50
    await world.check_conserved()


async def test_a_missing_source_is_asked_for(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    missing = [("refused", None, "source_missing")]
    assert told(await settle(world, cem, second)) == missing
    # What the payer alone has told of is not known to be its payee's.
    assert told(await settle(world, ann, first)) == [("recorded", 0, None)]
    assert told(await settle(world, cem, second)) == missing
    assert await world.stack.database.fetchval("SELECT count(*) FROM offline.claim") == 1
    assert told(await settle(world, cem, first, second))[1] == (CREDITED, 350, None)
    # Known by now: what it names is no matter any more.
    assert told(await settle(world, ben, second)) == [(CREDITED, 350, None)]
    assert (await world.claim(pay))["state"] == CREDITED
    await world.check_conserved()


async def test_a_source_is_verified_as_any_payment(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    invite = ben.invite(300)
    source = ann.pay(invite)
    _, second = paid(ben, cem, 350, source)
    other = ben.invite(300)
    forged_pay = Brought(pay=source.raw[:-64] + second.pay[-64:], invite=invite.raw)  # type: ignore[index]
    forged_invite = Brought(pay=source.raw, invite=invite.raw[:-64] + other.raw[-64:])
    for forged, flaw in (
        (forged_pay, "signature_invalid"),
        (forged_invite, "signature_invalid"),
        (item(other, source), "messages_do_not_match"),
        (Brought(pay=source.raw[:-1], invite=invite.raw), "message_malformed"),
    ):
        assert told(await settle(world, cem, forged, second)) == [
            ("refused", None, flaw),
            ("refused", None, "source_missing"),
        ]
    assert await world.stack.database.fetchval("SELECT count(*) FROM offline.claim") == 0
    answers = await settle(world, cem, item(invite, source), second)
    assert [answer.state for answer in answers] == [CREDITED] * 2


async def test_a_chain_that_lacks_its_beginning(world: World) -> None:
    ann, dee = await world.phone(500), await world.phone(0)
    ben, cem = await world.phone(10, hops=1), await world.phone(10, hops=2)
    one, first = paid(ann, ben, 300)
    two, second = paid(ben, cem, 310, one)
    _, third = paid(cem, dee, 320, two)
    answers = await settle(world, dee, third, second)
    assert told(answers) == [("refused", None, "source_missing")] * 2
    answers = await settle(world, dee, third, second, first)
    assert [answer.state for answer in answers] == [CREDITED] * 3
    await world.check_conserved()


async def test_too_many_hops_are_borne_by_who_took_them(world: World) -> None:
    ann, dee = await world.phone(500), await world.phone(0)
    ben, cem = await world.phone(10, hops=1), await world.phone(10, hops=1)
    one, first = paid(ann, ben, 300)
    two, second = paid(ben, cem, 310, one)
    three, third = paid(cem, dee, 320, two)
    rejected = ("rejected", 0, "spent_on")
    answers = await settle(world, dee, first, second, third)
    assert told(answers)[1:] == [(CREDITED, 310, None), rejected]
    # What is passed on although it was passed on too often is bad too, and its taker sees that.
    _, fourth = paid(dee, ben, 10, three)
    assert told(await settle(world, ben, fourth)) == [rejected]
    assert await world.holds(dee) == 0
    # What Cem's pass may not pass on any more is in the wallet.
    assert (await world.holds(cem), await world.escrow_of(cem)) == (310, 10)
    await world.check_conserved()


async def test_what_was_not_paid_to_this_pass_is_none_of_its_sources(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    someone = await world.phone(100, hops=1)
    source, first = paid(ann, someone, 300)
    _, second = paid(ben, cem, 350, source)
    answers = await settle(world, cem, first, second)
    # Naming another's payment does not claim it either.
    assert told(answers) == [("recorded", 0, None), ("rejected", 0, "spent_on")]
    await world.check_conserved()


async def test_a_source_that_breaks_a_rule_for_all_to_see(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    invite = ben.invite(400)
    source = ann.pay(invite, amount=300)
    _, second = paid(ben, cem, 350, source)
    answers = await settle(world, cem, item(invite, source), second)
    assert told(answers) == [("rejected", 0, "other_request"), ("rejected", 0, "spent_on")]


async def test_a_source_that_comes_late_and_again(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    await settle(world, ben, first)
    await settle(world, cem, second)
    for phone in (ann, ben, cem):
        assert told(await settle(world, phone, first, second)) == [
            (CREDITED, 300, None),
            (CREDITED, 350, None),
        ]
    assert (await world.claim(pay))["attempt"] == 1
    assert await world.escrow_of(ben) == 50
    await world.check_conserved()


async def test_the_same_chains_at_once_from_all_sides(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    dee = await world.phone(0)
    made = [paid(ann, ben, 10) for _ in range(4)]
    sources, firsts = [pay for pay, _ in made], [brought for _, brought in made]
    uploads = []
    for number in range(8):
        shop = (cem, dee)[number % 2]
        _, brought = paid(ben, shop, 17, *sources)
        uploads += [(ben, [brought, *firsts]), (shop, [*firsts, brought])] * 2
    answers = await asyncio.gather(*(settle(world, phone, *items) for phone, items in uploads))
    for (phone, _), answer in zip(uploads, answers, strict=True):
        assert phone is ben or {one.state for one in answer} == {CREDITED}
    assert (await world.holds(cem), await world.holds(dee)) == (68, 68)
    assert await world.escrow_of(ben) == 4
    assert not await conflicts(world)
    await world.check_conserved()


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_on_the_way(world: World, after: bool, again: bool) -> None:
    ann, ben, cem = await one_hop(world)
    broken = dying(world, after=after)
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    with pytest.raises(Died):
        await settle(broken, cem, first, second)
    assert await world.escrow_of(ben) == (400 if after else 100)
    if not again:
        await later(world, 20)
        assert await world.escrow_of(ben) == 400
    await settle(world, ben, first)
    with pytest.raises(Died):
        await settle(broken, cem, first, second)
    if again:
        assert told(await settle(world, cem, first, second))[1] == (CREDITED, 350, None)
    else:
        await later(world, 20)
    assert (await world.holds(cem), await world.escrow_of(ben)) == (350, 50)
    assert (await world.claim(pay))["state"] == CREDITED
    await world.check_conserved()


async def test_what_is_on_its_way_into_escrow_is_waited_for(world: World) -> None:
    """The source is decided and not posted: Ben's wallet does not pay for a slow ledger."""
    ann, ben, cem = await one_hop(world, wallet=500)
    broken = dying(world, after=False)
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    with pytest.raises(Died):
        await settle(broken, ben, first)
    assert told(await settle(world, cem, second)) == [("settling", 100, None)]
    await later(world, 20)
    await later(world, 20)
    claim = await world.claim(pay)
    assert (claim["state"], claim["paid_escrow"], claim["paid_wallet"]) == (CREDITED, 350, 0)
    assert (await world.holds(ben), await world.escrow_of(ben)) == (500, 50)
    await world.check_conserved()


async def test_the_device_has_spent_its_money_and_its_close_says_so(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    source, first = paid(ann, ben, 300)
    _, second = paid(ben, cem, 350, source)
    assert told(await settle(world, ben, close_item(ben.close()))) == [("closed", None, None)]
    answers = await settle(world, cem, second, first)
    assert [answer.state for answer in answers] == [CREDITED] * 2
    assert not await conflicts(world)
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    assert (await world.holds(ben), await state_of(world, ben)) == (50, "returned")
    await world.check_conserved()


async def test_what_is_received_after_the_last_payment_needs_no_escrow(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    _, own = paid(ben, cem, 60)
    _, received = paid(ann, ben, 300)
    await settle(world, ben, close_item(ben.close()))
    await settle(world, ben, received)
    assert (await world.holds(ben), await world.escrow_of(ben)) == (300, 100)
    assert told(await settle(world, cem, own)) == [(CREDITED, 60, None)]
    await world.check_conserved()


async def test_a_chain_whose_first_payee_has_closed_their_wallet(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    source, first = paid(ann, ben, 300)
    _, second = paid(ben, cem, 350, source)
    await world.stack.ledger.post(CloseAccount(b"c" * 16, account=ben.wallet))
    answers = await settle(world, cem, first, second)
    assert [answer.state for answer in answers] == [CREDITED] * 2
    assert await world.holds(cem) == 350


async def test_a_pass_that_pays_itself_pays_nothing_and_passes_nothing_on(world: World) -> None:
    fund = await world.fill_fund(10_000)
    ben, cem = await world.phone(100, hops=1), await world.phone(0)
    own, first = paid(ben, ben, 100)
    _, second = paid(ben, cem, 100, own)
    assert told(await settle(world, ben, first)) == [("rejected", 0, "other_payee")]
    assert told(await settle(world, cem, second)) == [("rejected", 0, "spent_on")]
    await later(world, DAY + 10)
    assert (await world.holds(ben), await world.escrow_of(ben)) == (0, 100)
    assert await world.stack.posted(fund) == 10_000
    await world.check_conserved()


async def test_however_long_a_chain_is(world: World) -> None:
    phones = [await world.phone(10, hops=3) for _ in range(8)]
    items: list[Brought] = []
    sources: list[Pay] = []
    for payer, payee in pairwise(phones):
        invite = payee.invite(11)
        sources = [payer.pay(invite, amount=11, sources=sources)]
        items.append(item(invite, sources[0]))
    # The first has no source for its last unit; what follows shows that, and then too many hops.
    answers = await settle(world, phones[-1], *items[::-1])
    assert [one.why for one in answers] == ["spent_on"] * 6 + ["over_pass"]
    assert await world.stack.database.fetchval("SELECT max(hops) FROM offline.claim") == 4


async def test_a_source_in_another_currency_covers_nothing(world: World) -> None:
    ann, cem = await world.phone(1_000), await world.phone(0, currency=CURRENCIES["EUR"])
    ben = await world.phone(100, hops=1, currency=CURRENCIES["EUR"])
    source, first = paid(ann, ben, 300)
    invite = cem.invite(350, CURRENCIES["EUR"])
    second = item(invite, ben.pay(invite, sources=[source]))
    answers = told(await settle(world, cem, first, second))
    assert answers == [(CREDITED, 300, None), ("rejected", 0, "spent_on")]
    assert await world.escrow_of(ben) == 100
