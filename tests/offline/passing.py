"""Payments that pass received money on, for tests of settlement."""

from uuid import UUID

from tests.offline.settling import Phone, World, item
from tests.offline.test_settlement import settle

from tikiwallet.offline.claims import Brought
from tikiwallet.offline.wire.messages import Pay

CREDITED = "credited"


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


async def fork(world: World, ann: Phone, amount: int) -> Phone:
    """Ann's clone has spent `amount` on another shop, which has claimed it. The clone."""
    clone, other = ann.clone(), await world.phone(0)
    _, brought = paid(clone, other, amount)
    await settle(world, other, brought)
    return clone
