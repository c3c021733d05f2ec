"""A payee whose wallet is full is paid what it has room for, and keeps nobody for good."""

import os
from collections.abc import AsyncIterator

import pytest
from tests.offline.passing import CREDITED, paid, state_of
from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    Phone,
    World,
    running_world,
)
from tests.offline.test_settlement import DAY, debts, later, settle, told
from tests.servers import DatabaseUrls

from tikiwallet.ledger.transactions import SetLimits


@pytest.fixture
async def world(database_urls: DatabaseUrls) -> AsyncIterator[World]:
    async with running_world(database_urls) as running:
        yield running


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
