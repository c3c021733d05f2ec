"""Debts end when they are paid, when there is no wallet any more, or when they are written off."""

import pytest
from tests.offline.settling import Phone, World, item, void_item
from tests.offline.test_settlement import DAY, contested_at_rest, forked, later, settle

from tikiwallet import ids
from tikiwallet.clock import from_us
from tikiwallet.errors import NotFound
from tikiwallet.ledger.transactions import CloseAccount, SetLimits
from tikiwallet.offline.wire.messages import Pay


async def owing(world: World) -> tuple[Phone, Phone]:
    """A payer who owes 900 to a shop."""
    shop = await world.phone(0)
    payer, _, _ = await forked(world, shop)
    await later(world, DAY + 10)
    assert [money.amount for money in await world.debts.owed(payer.person)] == [900]
    return payer, shop


async def take(world: World, pay: Pay, share: str, amount: int) -> None:
    """As if that had been decided, and the process had died."""
    await world.stack.database.execute(
        f"UPDATE offline.claim SET state = 'posting', {share} = $2, next_check_at = $3"
        " WHERE pay_hash = $1",
        pay.hash,
        amount,
        from_us(world.clock()),
    )


@pytest.mark.parametrize("who", ["debtor", "creditor"])
async def test_a_debt_without_a_wallet_is_not_collected_for_ever(world: World, who: str) -> None:
    payer, shop = await owing(world)
    if who == "creditor":
        await world.put(payer.wallet, 100)
    gone = payer.wallet if who == "debtor" else shop.wallet
    await world.stack.ledger.post(CloseAccount(b"c" * 16, account=gone))
    await later(world, 3_700)
    [debt] = await world.reports.debts()
    assert (debt["state"], debt["amount"], debt["paid"]) == (f"{who}_closed", 900, 0)
    assert await world.stack.database.fetchval("SELECT next_check_at FROM offline.debt") is None
    assert not await world.debts.owed(payer.person)
    [fund] = await world.reports.fund()
    assert (fund["owed_to_people"], fund["not_collected"]) == (0, 900)


async def test_an_operator_writes_a_debt_off(world: World) -> None:
    payer, shop = await owing(world)
    [debt] = await world.reports.debts()
    assert (debt["state"], debt["debtor"]) == ("open", ids.write_id("p", payer.person))
    assert debt["creditor"] == ids.write_id("p", shop.person)
    await world.debts.write_off(debt["id"])
    assert (await world.reports.debts())[0]["state"] == "written_off"
    assert not await world.debts.owed(payer.person)
    with pytest.raises(NotFound):
        await world.debts.write_off(debt["id"])


async def test_a_full_wallet_is_paid_what_it_has_room_for(world: World) -> None:
    payer, shop = await owing(world)
    await world.put(payer.wallet, 1_000)
    await world.stack.ledger.post(SetLimits(b"f" * 16, account=shop.wallet, floor=0, ceiling=300))
    await later(world, 3_700)
    assert (await world.holds(shop), await world.holds(payer)) == (300, 700)
    await later(world, 3_700)
    [debt] = await world.reports.debts()
    assert (debt["state"], debt["paid"]) == ("creditor_full", 300)
    [owed], [barred] = await world.debts.owed(payer.person), await world.debts.barred(payer.person)
    assert (owed.amount, barred.amount) == (600, 600)
    await world.stack.ledger.post(SetLimits(b"g" * 16, account=shop.wallet, floor=0, ceiling=900))
    assert not await world.debts.barred(payer.person)
    await later(world, 3_700)
    assert (await world.reports.debts())[0]["state"] == "paid"
    await world.check_conserved()


async def test_what_was_forgiven_stays_so_when_the_fund_pays_more(world: World) -> None:
    await world.fill_fund(10_000)
    payer, _, pay, _ = await contested_at_rest(world)
    await take(world, pay, "taking_fund", 250)
    await later(world, 60)
    await world.put(payer.wallet, 40)
    await later(world, 3_700)
    [debt] = await world.reports.debts()
    await world.debts.write_off(debt["id"])
    await later(world, DAY)  # the fund pays the rest
    assert [money.amount for money in await world.debts.owed(payer.person)] == [650]
    [fund] = await world.reports.fund()
    assert (fund["owed_to_fund"], fund["not_collected"]) == (650, 210)
    await world.put(payer.wallet, 1_000)
    await later(world, 3_700)
    [debt] = await world.reports.debts()
    told = [debt[name] for name in ("state", "amount", "paid", "forgiven")]
    assert told == ["paid", 900, 690, 210]
    assert await world.holds(payer) == 350
    assert [kind for kind in world.events.kinds if "debt" in kind] == [
        "offline_debt_begun",
        "offline_debt_ended",
        "offline_debt_begun",
        "offline_debt_paid",
    ]
    await world.check_conserved()


async def test_what_was_about_to_be_paid_and_was_not_is_not_owed_back(world: World) -> None:
    payer, shop, pay, void = await contested_at_rest(world)
    # Decided while the payer's wallet held 50, which are spent by now.
    await take(world, pay, "taking_wallet", 50)
    await settle(world, shop, void)
    await world.put(shop.wallet, 200)
    while await world.debts.collect_due():
        pass
    assert await world.holds(shop) == 200  # not before it is known what was paid
    await later(world, 60)
    await later(world, 3_700)
    assert (await world.claim(pay))["state"] == "partial"
    assert (await world.holds(shop), await world.holds(payer)) == (200, 0)
    assert not await world.debts.owed(shop.person)
    await world.check_conserved()


async def test_what_a_closed_payee_called_off_is_not_owed_back(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    await settle(world, payer, item(invite, pay))
    await take(world, pay, "taking_escrow", 100)
    await settle(world, payer, void_item(invite, shop.void(invite)))
    await world.stack.ledger.post(CloseAccount(b"c" * 16, account=shop.wallet))
    await later(world, 60)
    assert (await world.claim(pay))["reason"] == "payee_closed"
    assert [debt["amount"] for debt in await world.reports.debts()] == [0]
