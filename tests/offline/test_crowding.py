"""Keys that sign without end fill no table, and accomplices keep nobody out."""

from tests.offline.settling import SGD, World, item
from tests.offline.test_settlement import conflicts, settle, told

from tikiwallet.money import Money
from tikiwallet.offline.conflicts import PROOFS_MAX


async def test_a_key_that_signs_without_end_fills_no_table(world: World) -> None:
    payer, shop = await world.phone(payments=1), await world.phone(0)
    invites = [shop.invite(10 + n) for n in range(110)]
    items = [item(invite, payer.clone().pay(invite)) for invite in invites]
    for start in (0, 55):
        await settle(world, payer, *items[start : start + 55])
    assert await world.stack.database.fetchval("SELECT count(*) FROM offline.claim") == 101
    [over] = await settle(world, payer, items[-1])
    assert (over.state, over.why) == ("refused", "pass_crowded")
    assert told(await settle(world, shop, items[-1])) == [("credited", 119, None)]


async def test_what_was_too_much_at_first_is_told_as_it_was_taken_in_the_end(world: World) -> None:
    payer, shop = await world.phone(payments=1), await world.phone(0)
    invites = [shop.invite(10 + n) for n in range(101)]
    items = [item(invite, payer.clone().pay(invite)) for invite in invites]
    for start in (0, 51):
        await settle(world, payer, *items[start : start + 51])
    invite = shop.invite(500)
    pay = payer.clone().pay(invite)
    answers = await settle(
        world, payer, item(invite, pay), item(invite, pay, shop.receipt(pay)), item(invite, pay)
    )
    assert [(one.state, one.credited) for one in answers] == [("conflict", Money(500, SGD))] * 3
    assert await world.holds(shop) == 500


async def test_accomplices_add_so_many_forks_and_keep_nobody_out(world: World) -> None:
    payer, shop = await world.phone(payments=1), await world.phone(0)
    accomplice = await world.phone(0)
    invites = [accomplice.invite(1) for _ in range(110)]
    items = [item(invite, payer.clone().pay(invite)) for invite in invites]
    answers = []
    for start in (0, 55):
        answers += await settle(world, accomplice, *items[start : start + 55])
    assert [one.why for one in answers].count("pass_crowded") == 110 - 101
    # One that is recorded already is told as ever.
    assert (await settle(world, accomplice, items[0]))[0].state == "credited"
    # Proofs beyond the first prove nothing new.
    assert len(await conflicts(world)) == PROOFS_MAX
    invite = shop.invite(100)
    answer = await settle(world, shop, item(invite, payer.clone().pay(invite)))
    assert told(answer) == [("credited", 100, None)]
    assert len(await conflicts(world)) == PROOFS_MAX
    await world.check_conserved()
