"""Received money that is spent on before it has settled: chains in any order, again, cut short, and
with sources that turn out to be worth less."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from uuid import UUID

import pytest
from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    Phone,
    World,
    close_item,
    item,
    running_world,
    void_item,
)
from tests.offline.test_settlement import (
    DAY,
    Died,
    Dying,
    conflicts,
    debts,
    frozen,
    later,
    settle,
    told,
)
from tests.servers import DatabaseUrls

from tikiwallet.ledger.transactions import CloseAccount
from tikiwallet.money import CURRENCIES
from tikiwallet.offline.claims import Brought
from tikiwallet.offline.evidence import verify
from tikiwallet.offline.wire.messages import Invite, Pay

CREDITED = "credited"


@pytest.fixture
async def world(database_urls: DatabaseUrls) -> AsyncIterator[World]:
    async with running_world(database_urls) as running:
        yield running


def paid(payer: Phone, payee: Phone, amount: int, *sources: Pay) -> tuple[Pay, Brought]:
    """A payment without RECEIPT, and what is brought of it."""
    invite = payee.invite(amount)
    pay = payer.pay(invite, sources=sources)
    return pay, item(invite, pay)


async def one_hop(world: World, *, wallet: int = 0) -> tuple[Phone, Phone, Phone]:
    """Ann, Ben, who has 100 and may pass on what he receives, and Cem."""
    ann, cem = await world.phone(1_000), await world.phone(0)
    return ann, await world.phone(100, hops=1, wallet_holds=wallet), cem


async def state_of(world: World, phone: Phone) -> str:
    state: str = await world.stack.database.fetchval(
        "SELECT state FROM offline.pass WHERE id = $1", UUID(bytes=phone.pass_.id)
    )
    return state


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
    assert (await world.holds(dee), await world.escrow_of(cem)) == (0, 320)
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


async def test_who_spoils_a_source_afterwards_stands_for_it(world: World) -> None:
    """Ben signs a RECEIPT of a time after Ann's pass has ended, which Cem has never seen."""
    ann, ben, cem = await one_hop(world, wallet=500)
    invite = ben.invite(300)
    source = ann.pay(invite)
    _, second = paid(ben, cem, 350, source)
    world.clock.advance(PASS_SECONDS + 10)
    spoilt = item(invite, source, ben.receipt(source))
    assert told(await settle(world, ben, spoilt)) == [("rejected", 0, "pass_expired")]
    assert told(await settle(world, cem, second)) == [(CREDITED, 350, None)]
    assert (await world.holds(cem), await world.holds(ben), await world.escrow_of(ben)) == (
        350,
        250,
        0,
    )
    await world.check_conserved()


async def fork(world: World, ann: Phone, amount: int) -> Phone:
    """Ann's clone has spent `amount` on another shop, which has claimed it. The clone."""
    clone, other = ann.clone(), await world.phone(0)
    _, brought = paid(clone, other, amount)
    await settle(world, other, brought)
    return clone


async def test_who_passes_on_stands_for_what_is_worth_less(world: World) -> None:
    fund = await world.fill_fund(10_000)
    ann, ben, cem = await one_hop(world, wallet=30)
    await fork(world, ann, 900)
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    answers = await settle(world, cem, first, second)
    # Ann's escrow gave 100; Ben's pass has 200 of the 350, and his wallet 30.
    assert told(answers) == [("partial", 100, "contested"), ("partial", 230, "contested")]
    assert (await world.holds(ben), await world.escrow_of(ben)) == (0, 0)
    assert await conflicts(world) == ["sequence"]
    assert (await frozen(world, ann), await frozen(world, ben)) == (True, False)
    await world.check_conserved()
    await later(world, DAY + 10)
    # The fund makes Ann's good into Ben's escrow first, out of which Cem is paid.
    assert (await world.holds(cem), await world.stack.posted(fund)) == (350, 9_800)
    claim = await world.claim(pay)
    assert (claim["paid_escrow"], claim["paid_wallet"], claim["paid_fund"]) == (320, 30, 0)
    assert await debts(world) == [(ann.person, None, 200, 0)]
    assert await world.escrow_of(ben) == 80
    await later(world, PASS_SECONDS + CLAIM_SECONDS)
    assert (await world.holds(ben), await state_of(world, ben)) == (80, "returned")
    await world.check_conserved()


async def test_without_a_fund_the_rest_is_a_debt_along_the_chain(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    await fork(world, ann, 900)
    source, first = paid(ann, ben, 300)
    _, second = paid(ben, cem, 350, source)
    await settle(world, cem, first, second)
    await later(world, DAY + 10)
    assert await debts(world) == [
        (ann.person, ben.person, 200, 0),
        (ben.person, cem.person, 150, 0),
    ]
    await world.put(ann.wallet, 500)
    for _ in range(3):
        await later(world, 3_700)
    # Debts are between wallets: what Ann owed went on to Cem.
    assert (await world.holds(cem), await world.holds(ben), await world.holds(ann)) == (
        350,
        50,
        300,
    )
    await world.check_conserved()


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
    dying = World.over(
        world.stack,
        world.keys_dir,
        Dying(world.stack.ledger, after=after),  # type: ignore[arg-type]
    )
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    with pytest.raises(Died):
        await settle(dying, cem, first, second)
    assert await world.escrow_of(ben) == (400 if after else 100)
    if not again:
        await later(world, 20)
        assert await world.escrow_of(ben) == 400
    await settle(world, ben, first)
    with pytest.raises(Died):
        await settle(dying, cem, first, second)
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
    dying = World.over(
        world.stack,
        world.keys_dir,
        Dying(world.stack.ledger, after=False),  # type: ignore[arg-type]
    )
    source, first = paid(ann, ben, 300)
    pay, second = paid(ben, cem, 350, source)
    with pytest.raises(Died):
        await settle(dying, ben, first)
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


async def test_a_source_that_is_called_off_is_owed_out_of_the_wallet(world: World) -> None:
    ann, ben, _ = await one_hop(world, wallet=200)
    invite = ben.invite(300)
    source = ann.pay(invite)
    await settle(world, ben, item(invite, source))
    await settle(world, ben, void_item(invite, ben.void(invite)))
    assert await debts(world) == [(ben.person, ann.person, 300, 0)]
    await later(world, 1)
    assert (await world.holds(ann), await world.holds(ben), await world.escrow_of(ben)) == (
        200,
        0,
        400,
    )
    await world.check_conserved()


def called_off(ann: Phone, ben: Phone, cem: Phone) -> tuple[dict[str, Brought], Invite, Pay]:
    """Ann's payment to Ben, its VOID by Ben, and his payment to Cem that names it."""
    invite = ben.invite(300)
    source = ann.pay(invite)
    pay, naming = paid(ben, cem, 350, source)
    brought = {
        "source": item(invite, source),
        "void": void_item(invite, ben.void(invite)),
        "naming": naming,
    }
    return brought, invite, pay


@pytest.mark.parametrize("order", list(permutations(("source", "void", "naming"))))
async def test_who_calls_a_request_off_and_passes_its_payment_on_is_proven(
    world: World, order: tuple[str, ...]
) -> None:
    ann, ben, cem = await one_hop(world, wallet=500)
    brought, _, _ = called_off(ann, ben, cem)
    for one in (*order, "source", "naming"):
        together = [brought["source"]] if one == "naming" else []
        await settle(world, cem, *together, brought[one])
    assert await conflicts(world) == ["void"]
    assert (await frozen(world, ben), await frozen(world, ann)) == (True, False)
    [conflict] = await world.reports.conflicts()
    document = await world.reports.evidence(conflict["id"])
    proven = verify(document, world.issuer.root.public)
    assert [message.KIND.name for message in proven.messages] == ["VOID", "INVITE", "PAY", "PAY"]
    # Cem, who could not know, has it all.
    await later(world, 3_700)
    assert await world.holds(cem) == 350
    await world.check_conserved()


async def test_a_void_and_its_naming_in_one_upload(world: World) -> None:
    ann, ben, cem = await one_hop(world, wallet=500)
    brought, _, _ = called_off(ann, ben, cem)
    await settle(world, cem, brought["naming"], brought["void"], brought["source"])
    assert await conflicts(world) == ["void"]
    assert await world.holds(cem) == 350
    await world.check_conserved()


async def test_ben_spends_a_source_twice_and_that_is_a_fork_as_any(world: World) -> None:
    ann, ben, cem = await one_hop(world, wallet=100)
    clone, dee = ben.clone(), await world.phone(0)
    source, first = paid(ann, ben, 300)
    _, second = paid(ben, cem, 350, source)
    _, other = paid(clone, dee, 200, source)
    await settle(world, cem, first, second)
    assert told(await settle(world, dee, first, other))[1] == ("partial", 150, "contested")
    assert await conflicts(world) == ["sequence"]
    assert (await frozen(world, ben), await frozen(world, ann)) == (True, False)
    await world.check_conserved()


async def test_a_chain_whose_first_payee_has_closed_their_wallet(world: World) -> None:
    ann, ben, cem = await one_hop(world)
    source, first = paid(ann, ben, 300)
    _, second = paid(ben, cem, 350, source)
    await world.stack.ledger.post(CloseAccount(b"c" * 16, account=ben.wallet))
    answers = await settle(world, cem, first, second)
    assert [answer.state for answer in answers] == [CREDITED] * 2
    assert await world.holds(cem) == 350


async def test_who_pays_themselves_out_of_a_pass_to_the_same_pass(world: World) -> None:
    ben = await world.phone(100, hops=1)
    _, brought = paid(ben, ben, 60)
    assert told(await settle(world, ben, brought)) == [(CREDITED, 60, None)]
    assert (await world.holds(ben), await world.escrow_of(ben)) == (60, 40)
    await world.check_conserved()


async def test_what_comes_in_after_the_return_is_returned_too(world: World) -> None:
    await world.fill_fund(10_000)
    ben = await world.phone(100, hops=1)
    world.clock.advance(PASS_SECONDS + CLAIM_SECONDS - DAY // 2)
    ann = await world.phone(1_000)
    await fork(world, ann, 900)
    _, brought = paid(ann, ben, 300)
    assert told(await settle(world, ben, brought)) == [("partial", 100, "contested")]
    await later(world, DAY // 2 + 120)
    assert (await world.holds(ben), await state_of(world, ben)) == (200, "open")
    await later(world, DAY // 2)
    await later(world, 60)
    assert (await world.holds(ben), await state_of(world, ben)) == (400, "returned")
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


async def test_a_source_that_is_one_too_many_is_worth_nothing(world: World) -> None:
    ann, ben = await world.phone(1_000, payments=1), await world.phone(100, hops=1)
    cem = await world.phone(0)
    forks = [paid(ann.clone(), ben, 1 + number) for number in range(102)]
    await settle(world, ben, *(brought for _, brought in forks[:60]))
    await settle(world, ben, *(brought for _, brought in forks[60:101]))
    source, first = forks[-1]
    _, second = paid(ben, cem, 110, source)
    answers = await settle(world, cem, second, first)
    assert (answers[0].state, answers[1].why) == (CREDITED, "pass_crowded")
    assert told(await settle(world, cem, second, first))[0] == (CREDITED, 110, None)
    await world.check_conserved()


@dataclass
class Holder:
    """A person's device as an orderly one keeps its money: with what it received, in order."""

    phone: Phone
    received: list["Link"] = field(default_factory=list)

    def clone(self) -> "Holder":
        return Holder(self.phone.clone(), list(self.received))

    def pay(self, payee: "Holder", amount: int) -> "Link | None":
        """The next payment, if there is money for it and its payee would take it."""
        own = self.phone.pass_
        need = self.phone.cumulative + amount - own.amount
        sources: list[Link] = []
        for link in self.received:
            if need <= sum(one.pay.amount for one in sources):
                break
            sources.append(link)
        if need > sum(one.pay.amount for one in sources) or self.phone.sequence > 20:
            return None
        invite = payee.phone.invite(amount)
        pay = self.phone.pay(invite, sources=[one.pay for one in sources])
        hops = 1 + max((one.hops for one in sources), default=-1)
        below = [one for source in sources for one in source.items]
        link = Link(pay, hops, [*below, item(invite, pay)], payee.phone)
        if len(payee.received) < 4 and hops < payee.phone.pass_.limits.hops:
            payee.received.append(link)
        return link


@dataclass
class Link:
    """A payment with its chain."""

    pay: Pay
    hops: int
    items: list[Brought]
    payee: Phone


async def check_all_have_theirs(world: World, links: Sequence[Link]) -> None:
    """Each payment has been paid, or its payer owes the rest."""
    for link in links:
        claim = await world.claim(link.pay)
        owed = await world.stack.database.fetchval(
            "SELECT coalesce(sum(amount), 0) FROM offline.debt"
            " WHERE pay_hash = $1 AND creditor IS NOT NULL",
            link.pay.hash,
        )
        paid = sum(int(str(claim[f"paid_{part}"])) for part in ("escrow", "wallet", "fund"))
        assert paid + owed == link.pay.amount


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("forks", [False, True])
async def test_whatever_is_passed_on_to_whomever(world: World, seed: int, forks: bool) -> None:
    chance = random.Random(seed)
    await world.fill_fund(400)
    people = [
        Holder(await world.phone(amount, hops=hops, wallet_holds=20))
        for amount, hops in ((600, 0), (600, 0), (40, 1), (30, 2), (20, 3), (10, 3))
    ]
    shops = [Holder(await world.phone(0)) for _ in range(2)]
    payers = list(people)
    links: list[Link] = []
    for step in range(90):
        if forks and step == 20:
            payers += [people[0].clone(), people[3].clone()]
        payer, payee = chance.choice(payers), chance.choice(people + shops)
        if payer.phone.person != payee.phone.person:
            made = payer.pay(payee, chance.randrange(20, 120))
            links += [] if made is None else [made]
    assert max(link.hops for link in links) >= 2
    uploads = [(link.payee, link.items) for link in links]
    uploads += [(chance.choice(people).phone, link.items) for link in chance.sample(links, 10)]
    chance.shuffle(uploads)
    for start in range(0, len(uploads), 4):
        part = [(phone, chance.sample(items, len(items))) for phone, items in uploads[start:][:4]]
        answers = await asyncio.gather(
            *(settle(world, phone, *items[:100]) for phone, items in part)
        )
        assert {one.state for told in answers for one in told} <= {
            *(CREDITED, "recorded", "settling", "partial", "conflict")
        }
    await later(world, 20)
    await world.check_conserved()
    if not forks:
        assert {(await world.claim(link.pay))["state"] for link in links} == {CREDITED}
    await later(world, DAY + 10)
    await later(world, 60)
    await check_all_have_theirs(world, links)
    await later(world, PASS_SECONDS + CLAIM_SECONDS)
    await later(world, 3_700)
    await world.check_conserved()
    guilty = {people[0].phone.person, people[3].phone.person}
    for holder in people:
        if not forks or holder.phone.person not in guilty:
            assert not await frozen(world, holder.phone)
        assert await world.escrow_of(holder.phone) == 0


@pytest.mark.parametrize("recorded", [False, True])
async def test_a_source_whose_claims_are_over_is_borne_by_who_passed_it_on(
    world: World, recorded: bool
) -> None:
    ann, cem = await world.phone(1_000), await world.phone(0)
    world.clock.advance(DAY)
    ben = await world.phone(100, hops=1, wallet_holds=400)
    source, first = paid(ann, ben, 300)
    _, second = paid(ben, cem, 350, source)
    if recorded:
        await settle(world, ann, first)
    await later(world, PASS_SECONDS + CLAIM_SECONDS - DAY + 120)
    answers = told(await settle(world, cem, second, first))
    lost = ("returned", 0, None) if recorded else ("rejected", 0, "claim_too_late")
    assert answers == [(CREDITED, 350, None), lost]
    assert (await world.holds(ann), await world.holds(ben)) == (1_000, 150)
    assert not await frozen(world, ben)
    await world.check_conserved()


async def test_a_source_in_another_currency_covers_nothing(world: World) -> None:
    ann, cem = await world.phone(1_000), await world.phone(0, currency=CURRENCIES["EUR"])
    ben = await world.phone(100, hops=1, currency=CURRENCIES["EUR"])
    source, first = paid(ann, ben, 300)
    invite = cem.invite(350, CURRENCIES["EUR"])
    second = item(invite, ben.pay(invite, sources=[source]))
    answers = told(await settle(world, cem, first, second))
    assert answers == [(CREDITED, 300, None), ("rejected", 0, "spent_on")]
    assert await world.escrow_of(ben) == 100
