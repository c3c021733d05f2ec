"""Orderly devices and clones pay each other at random with what they have and received."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from tests.offline.passing import CREDITED
from tests.offline.settling import CLAIM_SECONDS, PASS_SECONDS, Phone, World, item
from tests.offline.test_settlement import DAY, frozen, later, settle

from tikiwallet.offline.claims import Brought
from tikiwallet.offline.wire.messages import Pay


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
