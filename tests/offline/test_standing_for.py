"""Whoever passes money on stands for it: sources that turn out to be worth less, were called off or
spent twice."""

from dataclasses import replace
from itertools import permutations

import pytest
from tests.offline.passing import CREDITED, fork, one_hop, paid, state_of
from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    Phone,
    World,
    item,
    void_item,
)
from tests.offline.test_settlement import (
    DAY,
    Died,
    conflicts,
    debts,
    dying,
    frozen,
    later,
    settle,
    told,
)

from tikiwallet.offline.claims import Brought
from tikiwallet.offline.evidence import verify
from tikiwallet.offline.wire.messages import Invite, Pay, Receipt


async def test_who_spoils_a_source_afterwards_stands_for_it(world: World) -> None:
    """Ben signs a RECEIPT of a time after Ann's pass has ended, which Cem has never seen."""
    ann, ben, cem = await one_hop(world, wallet=500)
    invite = ben.invite(300)
    source = ann.pay(invite)
    _, second = paid(ben, cem, 350, source)
    world.clock.advance(PASS_SECONDS + 10)
    spoilt = item(invite, source, ben.receipt(source))
    assert told(await settle(world, ben, spoilt)) == [("rejected", 0, "receipt_late")]
    assert told(await settle(world, cem, second)) == [(CREDITED, 350, None)]
    assert (await world.holds(cem), await world.holds(ben), await world.escrow_of(ben)) == (
        350,
        250,
        0,
    )
    await world.check_conserved()


async def test_a_late_receipt_hides_no_rule_that_the_chain_shows(world: World) -> None:
    """A pass without money "pays" Ben, who dates its RECEIPT late."""
    other, cem = await world.phone(0), await world.phone(0)
    ben = await world.phone(1, hops=1)
    invite = ben.invite(900)
    source = other.pay(invite)
    late = Receipt(pay_hash=source.hash, time=other.pass_.expiry + 1).sealed_by(ben.key)
    _, second = paid(ben, cem, 900, source)
    spoilt = item(invite, source, Receipt.parse(late))
    assert told(await settle(world, ben, spoilt)) == [("rejected", 0, "over_pass")]
    assert told(await settle(world, cem, second)) == [("rejected", 0, "spent_on")]
    await world.check_conserved()


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


@pytest.mark.parametrize("naming", [True, False])
async def test_a_second_request_of_the_same_id_spoils_no_proof(world: World, naming: bool) -> None:
    """Ben brings the VOID with another INVITE than the one that was paid."""
    ann, ben, cem = await one_hop(world, wallet=500)
    invite = ben.invite(300)
    unsigned = replace(invite, amount=301)
    twin = Invite.parse(unsigned.sealed_by(ben.key))
    source = ann.pay(invite)
    _, second = paid(ben, cem, 350, source)
    taken = [item(invite, source), second] if naming else []
    receipted = item(invite, source, ben.receipt(source))
    await settle(world, cem, *(taken or [receipted]))
    await settle(world, ben, void_item(twin, ben.void(invite)))
    assert (await conflicts(world), await frozen(world, ben)) == (["void"], True)
    [conflict] = await world.reports.conflicts()
    verify(await world.reports.evidence(conflict["id"]), world.issuer.root.public)


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


async def test_what_is_not_recorded_shows_all_the_same_which_rule_it_breaks(world: World) -> None:
    """A pass without money has signed too much: what it "pays" now is passed on, twice over."""
    other, dee = await world.phone(0, payments=1), await world.phone(0)
    ben, cem = await world.phone(1, hops=1), await world.phone(1, hops=2)
    forks = [paid(other.clone(), ben, 1 + number) for number in range(101)]
    await settle(world, ben, *(brought for _, brought in forks[:60]))
    await settle(world, ben, *(brought for _, brought in forks[60:]))
    one, first = paid(other.clone(), ben, 900)
    two, second = paid(ben, cem, 900, one)
    _, third = paid(cem, dee, 900, two)
    answers = await settle(world, dee, third, second, first)
    assert [answer.why for answer in answers] == ["spent_on", "spent_on", "pass_crowded"]
    assert await world.holds(dee) == 0
    await world.check_conserved()


async def test_the_fund_pays_for_no_loss_without_a_key_that_signed_twice(world: World) -> None:
    """Ann, Ben and Cem withhold all of it until Ann has everything back."""
    fund = await world.fill_fund(10_000)
    ann, cem = await world.phone(1_000), await world.phone(0)
    world.clock.advance(DAY)
    ben = await world.phone(1, hops=1, wallet_holds=99)
    source, first = paid(ann, ben, 900)
    pay, second = paid(ben, cem, 900, source)
    await later(world, PASS_SECONDS + CLAIM_SECONDS - DAY + 120)
    answers = told(await settle(world, cem, first, second))
    assert answers == [("rejected", 0, "claim_too_late"), ("partial", 100, "uncovered")]
    # At once, as nobody has to be asked.
    assert await debts(world) == [(ben.person, cem.person, 800, 0)]
    await later(world, DAY + 10)
    assert (await world.holds(cem), await world.stack.posted(fund)) == (100, 10_000)
    assert (await world.claim(pay))["paid_fund"] == 0
    assert not await conflicts(world)
    await world.check_conserved()


async def test_what_waits_for_what_waits_itself_is_no_debt_yet(world: World) -> None:
    """Ann's payment is decided and not posted; nothing is lost along the chain from it."""
    ann, dee = await world.phone(1_000), await world.phone(0)
    ben, cem = await world.phone(10, hops=1), await world.phone(10, hops=2)
    broken = dying(world, after=False)
    one, first = paid(ann, ben, 300)
    two, second = paid(ben, cem, 310, one)
    three, third = paid(cem, dee, 320, two)
    with pytest.raises(Died):
        await settle(broken, ben, first)
    await settle(world, cem, second)
    await settle(world, dee, third)
    assert [(await world.claim(pay))["state"] for pay in (one, two, three)] == [
        "posting",
        "open",
        "open",
    ]
    assert not await debts(world)
    await later(world, 20)
    await later(world, 20)
    await later(world, DAY)
    assert await world.holds(dee) == 320
    assert not await debts(world)
    await world.check_conserved()


async def test_the_fund_pays_whoever_lacks_what_a_fork_below_took(world: World) -> None:
    """Dee's payment names nothing; but Cem's, which named what Ann forked, came before it."""
    fund = await world.fill_fund(10_000)
    ann, cem, dee = await world.phone(1_000), await world.phone(0), await world.phone(0)
    ben = await world.phone(100, hops=1, person=world.person(days_old=0))  # not insured himself
    await fork(world, ann, 1_000)
    source, first = paid(ann, ben, 300)
    _, own = paid(ben, dee, 100)
    _, second = paid(ben, cem, 300, source)
    await settle(world, cem, first, second)
    assert told(await settle(world, dee, own)) == [("partial", 0, "contested")]
    await later(world, DAY + 10)
    assert (await world.holds(cem), await world.holds(dee)) == (300, 100)
    assert await world.stack.posted(fund) == 9_700
    assert not await frozen(world, ben)
    await world.check_conserved()


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
