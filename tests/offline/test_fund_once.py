"""One loss is made good once, through however many passes its money goes, and however late."""

import pytest
from tests.offline.passing import CREDITED, fork, paid, state_of
from tests.offline.settling import CLAIM_SECONDS, PASS_SECONDS, World
from tests.offline.test_settlement import DAY, debts, later, settle, told


async def test_through_two_passes_of_one_person(world: World) -> None:
    fund = await world.fill_fund(10_000)
    ann, cem = await world.phone(1_000), await world.phone(0)
    one = await world.phone(10, hops=1)
    two = await world.phone(10, hops=2, person=one.person)
    await fork(world, ann, 900)
    first, a = paid(ann, one, 300)
    own, b = paid(one, two, 310, first)
    last, c = paid(two, cem, 320, own)
    answers = told(await settle(world, cem, a, b, c))
    assert answers == [
        ("partial", 100, "contested"),
        ("partial", 110, "contested"),
        ("partial", 120, "contested"),
    ]
    await later(world, DAY + 10)
    assert [(await world.claim(pay))["state"] for pay in (first, own, last)] == [CREDITED] * 3
    assert (await world.holds(cem), await world.stack.posted(fund)) == (320, 9_800)
    assert await debts(world) == [(ann.person, None, 200, 0)]
    await world.check_conserved()
    await later(world, PASS_SECONDS + CLAIM_SECONDS)
    assert [await state_of(world, phone) for phone in (one, two)] == ["returned"] * 2
    assert await world.holds(one) == 0
    await world.check_conserved()


async def test_a_pass_paid_by_another_of_the_same_person_owes_nothing(world: World) -> None:
    """Without a fund, what came in short stays short: the debt is to who is somebody else."""
    ann, cem = await world.phone(1_000), await world.phone(0)
    one = await world.phone(10, hops=1)
    two = await world.phone(10, hops=2, person=one.person)
    await fork(world, ann, 900)
    first, a = paid(ann, one, 300)
    own, b = paid(one, two, 310, first)
    _, c = paid(two, cem, 320, own)
    await settle(world, cem, a, b, c)
    for _ in range(3):
        await later(world, DAY + 10)
    assert (await world.claim(own))["state"] == "partial"
    assert await debts(world) == [
        (ann.person, one.person, 200, 0),
        (one.person, cem.person, 200, 0),
    ]
    await later(world, PASS_SECONDS + CLAIM_SECONDS)
    assert [await state_of(world, phone) for phone in (one, two)] == ["returned"] * 2
    await world.check_conserved()


@pytest.mark.parametrize("at_once", [False, True])
async def test_after_the_claims_of_the_pass_in_between(world: World, *, at_once: bool) -> None:
    """What comes into Ben's pass while it may not return yet goes to whom it was short for, also
    where it is returned before the worker has looked into it for them."""
    fund = await world.fill_fund(10_000)
    ben, cem = await world.phone(100, hops=1), await world.phone(0)
    world.clock.advance(DAY)
    ann = await world.phone(1_000)
    await fork(world, ann, 900)
    first, a = paid(ann, ben, 300)
    pay, b = paid(ben, cem, 400, first)
    world.clock.advance(PASS_SECONDS + CLAIM_SECONDS - DAY - DAY // 2)
    assert told(await settle(world, cem, a, b))[1] == ("partial", 200, "contested")
    await later(world, DAY // 2 + 120)
    if at_once:
        await world.stack.database.execute(
            "UPDATE offline.claim SET next_check_at = next_check_at + interval '1 hour'"
            " WHERE pay_hash = $1",
            pay.hash,
        )
    await later(world, DAY // 2)
    await later(world, 3_700)
    claim = await world.claim(pay)
    assert (claim["state"], claim["paid_escrow"]) == (CREDITED, 400)
    assert (await world.holds(cem), await world.holds(ben)) == (400, 0)
    assert await world.stack.posted(fund) == 9_800
    assert await debts(world) == [(ann.person, None, 200, 0)]
    await later(world, 60)
    assert await state_of(world, ben) == "returned"
    await world.check_conserved()
