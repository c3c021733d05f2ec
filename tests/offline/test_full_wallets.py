"""A payee whose wallet is full is paid what it has room for, and keeps nobody for good."""

import os

import pytest
from tests.offline.passing import CREDITED, paid, state_of
from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    Phone,
    World,
    item,
    void_item,
)
from tests.offline.test_commands import told as printed
from tests.offline.test_settlement import DAY, debts, later, settle, told

from tikiwallet import ids
from tikiwallet.errors import NotFound
from tikiwallet.ledger.transactions import Result, SetLimits
from tikiwallet.offline.intents import COLUMNS, intent_of
from tikiwallet.offline.wire.messages import Pay


async def fill(world: World, phone: Phone, ceiling: int) -> None:
    """Its wallet holds no more than that."""
    limits = SetLimits(os.urandom(16), account=phone.wallet, floor=0, ceiling=ceiling)
    await world.stack.ledger.post(limits)


async def test_what_there_is_room_for_is_paid(world: World) -> None:
    ann, cem = await world.phone(1_000), await world.phone(0)
    await fill(world, cem, 100)
    pay, brought = paid(ann, cem, 300)
    assert told(await settle(world, cem, brought)) == [("settling", 0, None)]
    await later(world, 1)
    claim = await world.claim(pay)
    shares = [claim[name] for name in ("state", "paid_escrow", "taking_escrow", "barred")]
    assert shares == ["posting", 100, 200, 0]
    assert await world.holds(cem) == 100
    await fill(world, cem, 250)
    await later(world, 3_700)
    await later(world, 1)
    assert await world.holds(cem) == 250
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    # What waits for Cem is not returned.
    assert (await world.holds(ann), await world.escrow_of(ann)) == (700, 50)
    await fill(world, cem, 1_000)
    await later(world, 3_700)
    assert ((await world.claim(pay))["state"], await world.holds(cem)) == (CREDITED, 300)
    await later(world, 60)
    assert await state_of(world, ann) == "returned"
    await world.check_conserved()


async def test_what_is_contested_does_not_wait_for_room(world: World) -> None:
    """Neither wallet nor fund pay what there is no room for; it becomes a debt."""
    fund = await world.fill_fund(10_000)
    ann, cem = await world.phone(1_000, wallet_holds=50), await world.phone(0)
    clone, dan = ann.clone(), await world.phone(0)
    _, first = paid(clone, dan, 1_000)
    await settle(world, dan, first)
    await fill(world, cem, 100)
    _, second = paid(ann, cem, 300)
    assert told(await settle(world, cem, second)) == [("partial", 50, "contested")]
    await later(world, DAY + 10)
    assert (await world.holds(cem), await world.stack.posted(fund)) == (100, 9_950)
    assert sorted(await debts(world), key=lambda one: one[2]) == [
        (ann.person, None, 50, 0),
        (ann.person, cem.person, 200, 0),
    ]
    await world.check_conserved()


async def wait(world: World) -> tuple[Phone, Phone, Pay]:
    """100 of the 300 that Ann paid Cem have arrived, and the claims of her pass are over."""
    ann, cem = await world.phone(1_000), await world.phone(0)
    await fill(world, cem, 100)
    pay, brought = paid(ann, cem, 300)
    await settle(world, cem, brought)
    assert not await world.waiting.page(9)
    with pytest.raises(NotFound):
        await world.waiting.let_go(pay.hash)  # Cem may still make room
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    assert (await world.holds(cem), await world.holds(ann)) == (100, 700)
    return ann, cem, pay


async def test_an_operator_sees_what_waits_and_lets_it_go(world: World) -> None:
    ann, cem, pay = await wait(world)
    [waiting] = (await world.reports.exposure())["waiting"]
    assert (waiting["payment"], waiting["amount"]) == (pay.hash.hex(), 200)
    assert waiting["payer"] == ids.write_id("p", ann.person)
    assert [money.amount for money in await world.waiting.of(ann.person)] == [200]
    assert await world.waiting.of(cem.person) == []
    assert waiting["payment"] in await printed(world, "exposure")
    assert "returns to the payer" in await printed(world, "let-go", waiting["payment"])
    await later(world, 120)
    assert (await world.holds(ann), await state_of(world, ann)) == (900, "returned")
    assert (await world.claim(pay))["state"] == "partial"
    await fill(world, cem, 1_000)
    await later(world, 3_700)
    assert await world.holds(cem) == 100
    assert await debts(world) == []
    with pytest.raises(NotFound):
        await world.waiting.let_go(pay.hash)
    await world.check_conserved()


async def test_who_called_off_what_waits_does_not_owe_what_is_let_go(world: World) -> None:
    ann, cem = await world.phone(1_000), await world.phone(0)
    await fill(world, cem, 0)
    invite = cem.invite(300)
    pay = ann.pay(invite)
    await settle(world, cem, item(invite, pay))
    await settle(world, ann, void_item(invite, cem.void(invite)))
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    await world.waiting.let_go(pay.hash)
    await later(world, 120)
    assert (await world.holds(ann), await world.debts.owed(cem.person)) == (1_000, [])
    assert (await world.claim(pay))["state"] == "lapsed"
    await world.check_conserved()


async def test_what_is_let_go_is_not_posted_by_who_was_at_it(world: World) -> None:
    ann, cem, pay = await wait(world)
    await fill(world, cem, 1_000)
    row = await world.stack.database.fetchrow(
        f"SELECT {COLUMNS} FROM offline.claim"
        " JOIN offline.pass AS payer ON payer.id = payer_pass WHERE pay_hash = $1",
        pay.hash,
    )
    await world.waiting.let_go(pay.hash)
    outcome = await world.stack.ledger.post(intent_of(row).command())
    assert outcome.result == Result.ABANDONED
    await later(world, 120)
    assert (await world.holds(ann), await world.holds(cem)) == (900, 100)
    await world.check_conserved()
