"""Settlement over a real ledger: either side first, again, at once, after forks and crashes."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest
from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    SGD,
    Phone,
    World,
    close_item,
    item,
    void_item,
)

from tikiwallet.database.pool import AnyConnection
from tikiwallet.ledger.transactions import (
    AnyCommand,
    CloseAccount,
    Freeze,
    Outcome,
    SetLimits,
    Transaction,
)
from tikiwallet.offline import settlement
from tikiwallet.offline.claims import Brought
from tikiwallet.offline.conflicts import owe_back
from tikiwallet.offline.deciding import Scope
from tikiwallet.offline.desk import Owed
from tikiwallet.offline.telling import Answer
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import Pass, Pay

DAY = 24 * 3_600


async def settle(world: World, phone: Phone, *items: Brought) -> list[Answer]:
    return await world.settlement.settle(phone.person, items)


def told(answers: Sequence[Answer]) -> list[tuple[str, int | None, object]]:
    return [
        (one.state, None if one.credited is None else one.credited.amount, one.why)
        for one in answers
    ]


async def conflicts(world: World) -> list[str]:
    rows = await world.stack.database.fetch("SELECT kind FROM offline.conflict ORDER BY id")
    return [row["kind"] for row in rows]


async def frozen(world: World, phone: Phone) -> bool:
    frozen_at = await world.stack.database.fetchval(
        "SELECT frozen_at FROM offline.device WHERE id = $1", phone.device
    )
    return frozen_at is not None


async def later(world: World, seconds: float) -> None:
    """Time passes, and the worker does what is due."""
    world.clock.advance(seconds)
    while await world.posting.recover_due():
        pass
    while await world.returns.return_due():
        pass
    while await world.debts.collect_due():
        pass


@pytest.mark.parametrize("first", ["payee", "payer", "both"])
async def test_whoever_comes_first_the_payee_is_credited_once(world: World, first: str) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(700)
    pay = payer.pay(invite)
    brought = item(invite, pay, shop.receipt(pay))
    sides = {"payee": [shop, payer], "payer": [payer, shop], "both": [payer, shop]}[first]
    if first == "both":
        answers = await asyncio.gather(*(settle(world, side, brought) for side in sides * 3))
    else:
        answers = [await settle(world, side, brought) for side in sides]
    assert all(told(answer) == [("credited", 700, None)] for answer in answers)
    assert (await world.holds(shop), await world.escrow_of(payer)) == (700, 4_300)
    await world.check_conserved()


async def test_what_the_payer_brings_without_a_receipt_waits_for_the_payee(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(700)
    pay = payer.pay(invite)
    assert told(await settle(world, payer, item(invite, pay))) == [("recorded", 0, None)]
    assert await world.holds(shop) == 0
    assert told(await settle(world, shop, item(invite, pay))) == [("credited", 700, None)]
    assert told(await settle(world, payer, item(invite, pay))) == [("credited", 700, None)]
    assert await world.holds(shop) == 700


async def test_a_receipt_in_the_same_upload_counts(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(700)
    pay = payer.pay(invite)
    both = (item(invite, pay), item(invite, pay, shop.receipt(pay)))
    assert told(await settle(world, payer, *both)) == [("credited", 700, None)] * 2
    assert await world.holds(shop) == 700


async def test_what_nobody_claimed_goes_back_with_the_rest(world: World) -> None:
    payer, shop = await world.phone(wallet_holds=50), await world.phone(0)
    invites = [shop.invite(amount) for amount in (700, 300)]
    pays = [payer.pay(invite) for invite in invites]
    await settle(world, payer, *map(item, invites, pays))
    await settle(world, shop, item(invites[0], pays[0]))
    await later(world, PASS_SECONDS + 1)
    assert await world.holds(payer) == 50
    await later(world, CLAIM_SECONDS + 120)
    state = "SELECT state FROM offline.pass ORDER BY amount DESC LIMIT 1"
    assert await world.stack.database.fetchval(state) == "returned"
    assert (await world.holds(payer), await world.holds(shop)) == (4_350, 700)
    assert told(await settle(world, shop, item(invites[1], pays[1]))) == [("returned", 0, None)]
    invite = shop.invite(10, made_at=shop.pass_.not_before)
    late = await settle(world, shop, item(invite, payer.pay(invite)))
    assert told(late) == [("rejected", 0, "claim_too_late")]
    await world.check_conserved()


async def test_a_thousand_in_parallel_uploads_each_brought_twice(world: World) -> None:
    shop = await world.phone(0)
    payers = [await world.phone(most=100) for _ in range(50)]
    brought = []
    for _ in range(20):
        for payer in payers:
            invite = shop.invite(7)
            brought.append(item(invite, payer.pay(invite)))
    uploads = [brought[start : start + 100] for start in range(0, 1_000, 100)]
    answers = await asyncio.gather(*(settle(world, shop, *part) for part in uploads * 2))
    assert all(one.state == "credited" for answer in answers for one in answer)
    assert await world.holds(shop) == 7_000
    assert not await conflicts(world)
    await world.check_conserved()


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_clone_that_pays_two_is_proven_and_both_are_paid(
    world: World, order: tuple[int, ...]
) -> None:
    payer = await world.phone(1_000, wallet_holds=300)
    shops = [await world.phone(0) for _ in range(3)]
    clone = payer.clone()
    first, second, other = (
        shop.invite(amount) for shop, amount in zip(shops, (600, 400, 300), strict=True)
    )
    items = [
        (shops[0], item(first, payer.pay(first))),
        (shops[1], item(second, payer.pay(second))),
        (shops[2], item(other, clone.pay(other))),
    ]
    for place in order:
        shop, brought = items[place]
        [answer] = await settle(world, shop, brought)
        assert answer.state == "credited"
    assert [await world.holds(shop) for shop in shops] == [600, 400, 300]
    assert await world.holds(payer) == 0
    assert len(await conflicts(world)) >= 1
    assert await frozen(world, payer)
    assert not await frozen(world, shops[0])
    revoked = await world.stack.database.fetch("SELECT pass, reason FROM offline.revocation")
    assert [(row["pass"].bytes, row["reason"]) for row in revoked] == [
        (payer.pass_.id, "signed_twice")
    ]
    await world.check_conserved()


async def forked(world: World, shop: Phone, *, wallet: int = 0) -> tuple[Phone, Phone, Pay]:
    """A pass over 1,000 that is used up, and a second half of 900 that `shop` has claimed."""
    payer, other = await world.phone(1_000, wallet_holds=wallet), await world.phone(0)
    clone = payer.clone()
    invite, contested = other.invite(1_000), shop.invite(900)
    await settle(world, other, item(invite, payer.pay(invite)))
    pay = clone.pay(contested)
    [answer] = await settle(world, shop, item(contested, pay))
    assert answer.state == "partial"
    assert answer.credited is not None
    assert answer.credited.amount == wallet
    return payer, other, pay


async def debts(world: World) -> list[tuple[int, int | None, int, int]]:
    rows = await world.stack.database.fetch(
        "SELECT debtor, creditor, amount, paid FROM offline.debt ORDER BY id"
    )
    return [tuple(row) for row in rows]


async def test_the_fund_pays_after_a_day_and_the_payer_owes_it(world: World) -> None:
    fund = await world.fill_fund(10_000)
    shop = await world.phone(0)
    payer, _, pay = await forked(world, shop, wallet=100)
    await later(world, DAY - 10)
    assert await world.holds(shop) == 100
    await later(world, 20)
    assert await world.holds(shop) == 900
    claim = await world.claim(pay)
    assert (claim["state"], claim["paid_wallet"], claim["paid_fund"]) == ("credited", 100, 800)
    assert await debts(world) == [(payer.person, None, 800, 0)]
    await world.put(payer.wallet, 500)
    await later(world, 3_700)
    assert await debts(world) == [(payer.person, None, 800, 500)]
    assert (await world.holds(payer), await world.stack.posted(fund)) == (0, 9_700)
    await world.check_conserved()


@pytest.mark.parametrize("scope", list(Scope))
async def test_what_the_caps_leave_open_is_a_debt_to_the_payee(world: World, scope: Scope) -> None:
    await world.fill_fund(10_000)
    await world.fund.set_cap(SGD, scope, 250)
    shop = await world.phone(0)
    payer, _, pay = await forked(world, shop)
    await later(world, DAY + 10)
    assert await world.holds(shop) == 250
    assert (await world.claim(pay))["state"] == "partial"
    owed = await debts(world)
    assert sorted(owed, key=lambda one: one[2]) == [
        (payer.person, None, 250, 0),
        (payer.person, shop.person, 650, 0),
    ]
    await world.put(payer.wallet, 2_000)
    await later(world, 3_700)
    assert (await world.holds(shop), await world.holds(payer)) == (900, 1_100)
    await world.check_conserved()


async def test_caps_hold_over_several_payments(world: World) -> None:
    await world.fill_fund(10_000)
    await world.fund.set_cap(SGD, Scope.PAYEE, 1_000)
    shop = await world.phone(0)
    for _ in range(3):
        await forked(world, shop)
    await later(world, DAY + 10)
    assert await world.holds(shop) == 1_000
    await world.check_conserved()


async def test_new_accounts_get_nothing_from_the_fund(world: World) -> None:
    await world.fill_fund(10_000)
    shop = await world.phone(0, person=world.person(days_old=29))
    payer, _, pay = await forked(world, shop)
    await later(world, DAY + 10)
    assert await world.holds(shop) == 0
    assert (await world.claim(pay))["state"] == "partial"
    assert await debts(world) == [(payer.person, shop.person, 900, 0)]


async def test_a_frozen_wallet_pays_nothing(world: World) -> None:
    shop, other = await world.phone(0), await world.phone(0)
    payer = await world.phone(1_000, wallet_holds=900)
    clone = payer.clone()
    invite, contested = other.invite(1_000), shop.invite(900)
    await settle(world, other, item(invite, payer.pay(invite)))
    await world.stack.ledger.post(Freeze(b"f" * 16, account=payer.wallet))
    answer = await settle(world, shop, item(contested, clone.pay(contested)))
    assert told(answer) == [("partial", 0, "contested")]
    await world.stack.ledger.post(Freeze(b"t" * 16, account=payer.wallet, frozen=False))
    await later(world, DAY + 10)
    assert await world.holds(shop) == 900


async def test_a_request_is_paid_once(world: World) -> None:
    payer, other, shop = await world.phone(), await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    first, second = payer.pay(invite), other.pay(invite)
    # Somebody else's payment for it, which the shop has not accepted, keeps nobody out.
    assert told(await settle(world, other, item(invite, second))) == [("recorded", 0, None)]
    assert told(await settle(world, shop, item(invite, first))) == [("credited", 100, None)]
    again = await settle(world, shop, item(invite, second))
    assert told(again) == [("rejected", 0, "request_used")]
    assert not await conflicts(world)


async def test_broken_rules_are_told(world: World) -> None:
    payer, shop = await world.phone(most=1_000), await world.phone(0)
    locked = await world.phone(payee_lock=b"somebody")
    invites = [shop.invite(1_001), shop.invite(10), shop.invite(10)]
    items = [
        item(invites[0], payer.pay(invites[0])),
        item(invites[1], payer.pay(invites[1], amount=20)),
        item(invites[2], locked.pay(invites[2])),
    ]
    answers = await settle(world, shop, *items)
    assert told(answers) == [
        ("rejected", 0, "over_payment_limit"),
        ("rejected", 0, "other_request"),
        ("rejected", 0, "other_payee"),
    ]
    assert await world.holds(shop) == 0


async def test_what_does_not_hold_together_is_not_recorded(world: World) -> None:
    payer, shop, stranger = await world.phone(), await world.phone(0), await world.phone(0)
    invite, other = shop.invite(10), shop.invite(10)
    pay = payer.pay(invite)
    forged = pay.raw[:-64] + stranger.pay(invite).raw[-64:]
    stranger.pass_ = Pass.parse(replace(stranger.pass_, salt=bytes(8)).sealed_by(stranger.key))
    not_ours = stranger.invite(10)
    answers = await settle(
        world,
        shop,
        Brought(pay=b"junk", invite=invite.raw),
        Brought(pay=pay.raw),
        item(other, pay),
        Brought(pay=forged, invite=invite.raw),
        item(invite, pay, shop.receipt(payer.clone().pay(other))),
        item(not_ours, payer.clone().pay(not_ours)),
    )
    assert told(answers) == [
        ("refused", None, "message_malformed"),
        ("refused", None, "message_malformed"),
        ("refused", None, "messages_do_not_match"),
        ("refused", None, "signature_invalid"),
        ("refused", None, "messages_do_not_match"),
        ("refused", None, "pass_unknown"),
    ]
    assert await world.stack.database.fetchval("SELECT count(*) FROM offline.claim") == 0
    assert told(await settle(world, shop, item(invite, pay))) == [("credited", 10, None)]


async def test_a_voided_request_is_never_paid(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    assert told(await settle(world, payer, item(invite, pay))) == [("recorded", 0, None)]
    void = void_item(invite, shop.void(invite))
    assert told(await settle(world, shop, void)) == [("voided", None, None)]
    for _ in range(2):
        answer = await settle(world, shop, item(invite, pay))
        assert told(answer) == [("voided", 0, "request_voided")]
    assert not await conflicts(world)
    # A receipt for it is the payee's own contradiction.
    second = payer.pay(invite)
    answer = await settle(world, payer, item(invite, second, shop.receipt(second)))
    assert told(answer) == [("voided", 0, "request_voided")]
    assert await conflicts(world) == ["void"]
    assert (await frozen(world, shop), await frozen(world, payer)) == (True, False)
    assert await world.escrow_of(payer) == 5_000


async def test_a_payment_that_was_credited_and_then_called_off_is_owed_back(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0, wallet_holds=30)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    await settle(world, shop, item(invite, pay, shop.receipt(pay)))
    answer = await settle(world, payer, void_item(invite, shop.void(invite)))
    assert told(answer) == [("voided", None, "signed_twice")]
    assert await conflicts(world) == ["void"]
    assert await debts(world) == [(shop.person, payer.person, 100, 0)]
    await later(world, 1)
    assert (await world.holds(shop), await world.holds(payer)) == (30, 100)


async def test_after_a_close_what_was_paid_before_it_is_fine(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invites = [shop.invite(100), shop.invite(200)]
    pays = [payer.pay(invite) for invite in invites]
    close = close_item(payer.close())
    assert told(await settle(world, payer, close, close)) == [("closed", None, None)] * 2
    state = "SELECT state FROM offline.pass WHERE close_seq = 3 AND close_cumulative = 300"
    assert await world.stack.database.fetchval(state) == "closed"
    answers = await settle(world, shop, *map(item, invites, pays))
    assert told(answers) == [("credited", 100, None), ("credited", 200, None)]
    assert not await conflicts(world)


@pytest.mark.parametrize("close_first", [True, False])
async def test_a_payment_after_its_close_is_a_contradiction(
    world: World, close_first: bool
) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    withheld = payer.clone()
    invite = shop.invite(100)
    steps = [
        (payer, close_item(payer.close())),
        (shop, item(invite, withheld.pay(invite))),
    ]
    for phone, brought in steps if close_first else reversed(steps):
        await settle(world, phone, brought)
    assert await world.holds(shop) == 100
    assert await conflicts(world) == ["close"]
    assert await frozen(world, payer)


class Dying:
    """A ledger in front of which the process dies, before or after it has posted."""

    def __init__(self, ledger: object, *, after: bool) -> None:
        self._ledger, self._after = ledger, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def post_many(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        if any(isinstance(command, Transaction) for command in commands):
            if self._after:
                await self._ledger.post_many(commands)  # type: ignore[attr-defined]
            raise Died
        answered: list[Outcome] = await self._ledger.post_many(commands)  # type: ignore[attr-defined]
        return answered


def dying(world: World, *, after: bool) -> World:
    """The same, over a ledger that dies before or after it posts."""
    ledger = Dying(world.stack.ledger, after=after)
    return World.over(world.stack, world.keys_dir, ledger)  # type: ignore[arg-type]


class Died(Exception):
    """The process is gone."""


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_between_deciding_posting_and_recording(
    world: World, after: bool, again: bool
) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    broken = dying(world, after=after)
    invites = [shop.invite(100), shop.invite(200)]
    items = [item(invite, payer.pay(invite)) for invite in invites]
    with pytest.raises(Died):
        await settle(broken, shop, *items)
    assert await world.holds(shop) == (300 if after else 0)
    if again:
        answers = await settle(world, shop, *items)
        assert [one.state for one in answers] == ["credited", "credited"]
    else:
        await later(world, 20)
    assert await world.holds(shop) == 300
    await world.check_conserved()


async def test_a_payee_whose_wallet_takes_less_is_paid_the_rest_when_it_does(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    await world.stack.ledger.post(SetLimits(b"l" * 16, account=shop.wallet, floor=0, ceiling=50))
    invite = shop.invite(100)
    [answer] = await settle(world, shop, item(invite, payer.pay(invite)))
    assert answer.state == "settling"
    await later(world, 3_700)
    assert await world.holds(shop) == 50
    await world.stack.ledger.post(SetLimits(b"m" * 16, account=shop.wallet, floor=0, ceiling=500))
    await later(world, 3_700)
    assert await world.holds(shop) == 100
    await world.check_conserved()


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_in_whatever_order_nothing_is_lost(world: World, seed: int) -> None:
    chance = random.Random(seed)
    await world.fill_fund(1_500)
    shops = [await world.phone(0) for _ in range(3)]
    honest = await world.phone(3_000)
    forked = [await world.phone(2_000, wallet_holds=chance.randrange(1_500)) for _ in range(2)]
    uploads: list[tuple[Phone, Brought]] = []
    good: list[Pay] = []
    for payer in (honest, *forked, *(one.clone() for one in forked)):
        for _ in range(chance.randrange(2, 6)):
            shop = chance.choice(shops)
            invite = shop.invite(chance.randrange(1, 600))
            pay = payer.pay(invite)
            match chance.randrange(6) if payer is not honest else 6:
                case 0:
                    uploads.append((shop, void_item(invite, shop.void(invite))))
                    uploads.append((payer, item(invite, pay)))
                case 1:
                    uploads.append((payer, item(invite, pay)))
                case _:
                    uploads.append((shop, item(invite, pay)))
                    uploads.append((payer, item(invite, pay, shop.receipt(pay))))
                    good.append(pay)
        if chance.random() < 0.5:
            uploads.append((payer, close_item(payer.close())))
    uploads += chance.sample(uploads, len(uploads) // 2)
    chance.shuffle(uploads)
    for start in range(0, len(uploads), 5):
        part = uploads[start : start + 5]
        await asyncio.gather(*(settle(world, phone, one) for phone, one in part))
    await later(world, 1)
    await world.check_conserved()
    await later(world, DAY + 10)
    await later(world, PASS_SECONDS + CLAIM_SECONDS)
    await later(world, 3_700)
    await world.check_conserved()
    assert not await frozen(world, honest)
    for pay in good:
        claim = await world.claim(pay)
        if pay.cumulative > pay.payer.amount:  # its payee could have seen that
            assert claim["reason"] == "over_pass"
            continue
        owed = await world.stack.database.fetchval(
            "SELECT coalesce(sum(amount), 0) FROM offline.debt"
            " WHERE pay_hash = $1 AND creditor IS NOT NULL",
            pay.hash,
        )
        paid = sum(int(str(claim[f"paid_{part}"])) for part in ("escrow", "wallet", "fund"))
        # Whoever kept the rules has all of it, or a debt over the rest.
        assert paid + owed == pay.amount
        assert pay.payer.id != honest.pass_.id or paid == pay.amount
    for payer in (honest, *forked):
        assert await world.escrow_of(payer) == 0


async def test_nobody_is_insured_against_themselves(world: World) -> None:
    fund = await world.fill_fund(10_000)
    payer, other = await world.phone(1_000), await world.phone(0)
    own = await world.phone(0, person=payer.person)
    clone = payer.clone()
    invite, contested = other.invite(1_000), own.invite(900)
    await settle(world, other, item(invite, payer.pay(invite)))
    pay = clone.pay(contested)
    await settle(world, own, item(contested, pay))
    await world.put(own.wallet, 50)
    await later(world, DAY + 10)
    await later(world, DAY)
    assert (await world.holds(own), await world.stack.posted(fund)) == (50, 10_000)
    claim = await world.claim(pay)
    assert (claim["state"], claim["attempt"], await debts(world)) == ("partial", 0, [])
    await settle(world, own, void_item(contested, own.void(contested)))
    assert await debts(world) == []
    await world.check_conserved()


async def test_a_payee_whose_wallet_is_closed_is_paid_nothing_and_stops_nobody(
    world: World,
) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    await world.stack.ledger.post(CloseAccount(b"c" * 16, account=shop.wallet))
    answer = await settle(world, payer, item(invite, pay, shop.receipt(pay)))
    assert told(answer) == [("rejected", 0, "payee_closed")]
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    assert await world.holds(payer) == 5_000
    assert (
        await world.stack.database.fetchval(
            "SELECT state FROM offline.pass WHERE id = $1", UUID(bytes=payer.pass_.id)
        )
        == "returned"
    )


async def test_a_closed_wallet_ends_what_is_contested(world: World) -> None:
    await world.fill_fund(10_000)
    shop = await world.phone(0)
    _, _, pay = await forked(world, shop)
    await world.stack.ledger.post(CloseAccount(b"c" * 16, account=shop.wallet))
    await later(world, DAY + 10)
    claim = await world.claim(pay)
    assert (claim["state"], claim["reason"]) == ("rejected", "payee_closed")
    assert await world.stack.database.fetchval("SELECT count(*) FROM offline.fund_use") == 0


async def test_a_payee_whose_wallet_is_full_holds_back_their_own_share_alone(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    await world.stack.ledger.post(SetLimits(b"l" * 16, account=shop.wallet, floor=0, ceiling=50))
    invite = shop.invite(100)
    await settle(world, shop, item(invite, payer.pay(invite)))
    await later(world, PASS_SECONDS + CLAIM_SECONDS + 120)
    assert (await world.holds(payer), await world.escrow_of(payer)) == (4_900, 50)
    await world.stack.ledger.post(SetLimits(b"m" * 16, account=shop.wallet, floor=0, ceiling=500))
    await later(world, 3_700)
    await later(world, 3_700)
    assert (await world.holds(shop), await world.holds(payer)) == (100, 4_900)
    assert (
        await world.stack.database.fetchval(
            "SELECT state FROM offline.pass WHERE id = $1", UUID(bytes=payer.pass_.id)
        )
        == "returned"
    )
    await world.check_conserved()


async def test_what_is_called_off_collects_no_debt(world: World) -> None:
    shop = await world.phone(0)
    payer, other = await world.phone(1_000), await world.phone(0)
    clone = payer.clone()
    invite, contested = other.invite(1_000), shop.invite(900)
    await settle(world, other, item(invite, payer.pay(invite)))
    await settle(world, shop, item(contested, clone.pay(contested)))
    await later(world, DAY + 10)
    assert await debts(world) == [(payer.person, shop.person, 900, 0)]
    await settle(world, payer, void_item(contested, shop.void(contested)))
    await world.put(payer.wallet, 900)
    await later(world, 3_700)
    await later(world, 3_700)
    await later(world, 3_700)
    assert (await world.holds(shop), await world.holds(payer)) == (0, 900)
    await world.check_conserved()


async def contested_at_rest(world: World) -> tuple[Phone, Phone, Pay, Brought]:
    """A contested payment of which nothing is paid, and the VOID of its request."""
    shop, other, payer = await world.phone(0), await world.phone(0), await world.phone(1_000)
    clone = payer.clone()
    invite, contested = other.invite(1_000), shop.invite(900)
    await settle(world, other, item(invite, payer.pay(invite)))
    pay = clone.pay(contested)
    await settle(world, shop, item(contested, pay))
    return payer, shop, pay, void_item(contested, shop.void(contested))


async def test_who_calls_off_waits_for_who_takes(world: World) -> None:
    _, shop, pay, void = await contested_at_rest(world)
    async with world.stack.database.transaction() as connection:
        await connection.execute(
            "UPDATE offline.claim SET state = 'posting', taking_wallet = 50 WHERE pay_hash = $1",
            pay.hash,
        )
        calling_off = asyncio.create_task(settle(world, shop, void))
        await asyncio.wait([calling_off], timeout=0.5)
    await calling_off
    assert [amount for _, _, amount, _ in await debts(world)] == [50]


async def test_who_takes_waits_for_who_calls_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, shop, pay, void = await contested_at_rest(world)
    await world.put(payer.wallet, 900)
    world.clock.advance(DAY + 10)
    about_to_commit, commit = asyncio.Event(), asyncio.Event()

    async def pausing(connection: AnyConnection, owed: Sequence[Owed], now: int) -> None:
        about_to_commit.set()
        await commit.wait()
        await owe_back(connection, owed, now)

    monkeypatch.setattr(settlement, "owe_back", pausing)
    calling_off = asyncio.create_task(settle(world, shop, void))
    await about_to_commit.wait()
    taking = asyncio.create_task(world.posting.carry_out([pay.hash]))
    await asyncio.wait([taking], timeout=0.5)
    commit.set()
    await asyncio.gather(taking, calling_off)
    assert (await world.holds(shop), (await world.claim(pay))["state"]) == (0, "partial")


@pytest.mark.parametrize("order", list(permutations(("pay", "void", "receipt"))))
async def test_a_void_and_a_receipt_prove_each_other_in_any_order(
    world: World, order: tuple[str, ...]
) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    brought = {
        "pay": item(invite, pay),
        "void": void_item(invite, shop.void(invite)),
        "receipt": item(invite, pay, shop.receipt(pay)),
    }
    for one in order:
        await settle(world, shop, brought[one])
    assert await conflicts(world) == ["void"]
    assert (await frozen(world, shop), await frozen(world, payer)) == (True, False)


async def test_what_is_proven_already_stops_no_device_again(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    receipt, void = item(invite, pay, shop.receipt(pay)), void_item(invite, shop.void(invite))
    await settle(world, shop, receipt, void)
    await world.stack.database.execute("UPDATE offline.device SET frozen_at = NULL")
    await settle(world, shop, receipt, void)
    assert not await frozen(world, shop)


async def test_a_pass_that_is_about_to_be_signed_is_revoked_too(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    waiting = await world.stack.database.fetchval(
        "INSERT INTO offline.pass (id, device, person, wallet, currency, amount, public_key,"
        " pseudonym, tier, most_per_payment, payments, hops, not_before, expires_at, claim_until,"
        " state, digest, created_at, next_check_at)"
        " SELECT gen_random_uuid(), device, person, wallet, currency, 0, $2, pseudonym, tier,"
        " most_per_payment, payments, hops, not_before, expires_at, claim_until, 'reserving',"
        " digest, created_at, next_check_at FROM offline.pass WHERE id = $1 RETURNING id",
        UUID(bytes=payer.pass_.id),
        PrivateKey.generate().public,
    )
    clone = payer.clone()
    invites = [shop.invite(amount) for amount in (10, 20)]
    pays = [payer.pay(invites[0]), clone.pay(invites[1])]
    await settle(world, shop, *map(item, invites, pays))
    revoked = await world.stack.database.fetch("SELECT pass FROM offline.revocation")
    assert {row["pass"] for row in revoked} == {UUID(bytes=payer.pass_.id), waiting}


async def test_who_waits_until_the_pass_has_ended_is_too_late(world: World) -> None:
    payer, shop = await world.phone(), await world.phone(0)
    invite = shop.invite(100)
    pay = payer.pay(invite)
    async with world.stack.database.transaction() as connection:
        await connection.execute(
            "SELECT FROM offline.pass WHERE id = $1 FOR NO KEY UPDATE", UUID(bytes=payer.pass_.id)
        )
        claiming = asyncio.create_task(settle(world, shop, item(invite, pay)))
        await asyncio.wait([claiming], timeout=0.5)
        world.clock.advance(PASS_SECONDS + CLAIM_SECONDS + 120)
    assert told(await claiming) == [("rejected", 0, "claim_too_late")]
