"""Opening wallets: once per person and currency, whatever comes between."""

import asyncio

import pytest
from tests.wallets.stack import Stack

from tikiwallet import ids
from tikiwallet.errors import Unavailable
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import AccountType, AnyCommand, Outcome, Result, SetLimits
from tikiwallet.money import CURRENCIES, worth_of_sgd
from tikiwallet.wallets.chart import HOUSE_ACCOUNT_MAX
from tikiwallet.wallets.wallets import CEILING_SGD, Wallets

SGD, JPY = CURRENCIES["SGD"], CURRENCIES["JPY"]
MEI, RAVI = 1001, 1002


async def test_a_wallet_is_an_empty_account_with_limits(stack: Stack) -> None:
    wallet, created = await stack.wallets.open_wallet(MEI, JPY)
    state = await stack.state(wallet.id)
    assert created
    assert wallet.id > HOUSE_ACCOUNT_MAX
    assert (state.type, state.currency) == (AccountType.WALLET, JPY.number)
    assert (state.posted, state.available, state.held, state.floor) == (0, 0, 0, 0)
    assert state.ceiling == worth_of_sgd(CEILING_SGD, "JPY")


async def test_opening_again_gives_the_same_wallet(stack: Stack) -> None:
    first, _ = await stack.wallets.open_wallet(MEI, SGD)
    again, created = await stack.wallets.open_wallet(MEI, SGD)
    assert (again, created) == (first, False)
    other, created = await stack.wallets.open_wallet(RAVI, SGD)
    assert created
    assert other.id != first.id


async def test_many_openings_at_once_make_one_wallet(stack: Stack) -> None:
    opened = await asyncio.gather(*(stack.wallets.open_wallet(MEI, SGD) for _ in range(8)))
    assert len({wallet.id for wallet, _ in opened}) == 1
    assert [created for _, created in opened].count(True) == 1


async def test_opening_again_leaves_changed_limits_alone(stack: Stack) -> None:
    wallet, _ = await stack.wallets.open_wallet(MEI, SGD)
    await stack.ledger.post(SetLimits(id=ids.new_uuid7(), account=wallet.id, floor=0, ceiling=7))
    await stack.wallets.open_wallet(MEI, SGD)
    assert (await stack.state(wallet.id)).ceiling == 7


class DeadLedger:
    """A ledger whose process is gone: every command stays without an answer."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        return Outcome(Result.UNAVAILABLE)

    async def post_many(self, commands: object) -> list[Outcome]:
        raise NotImplementedError

    async def look_up(self, id: bytes, digest: bytes) -> Outcome | None:
        raise NotImplementedError

    async def states(self, accounts: object) -> list[None]:
        raise NotImplementedError

    async def stable_n(self) -> int:
        raise NotImplementedError


async def test_an_opening_cut_in_two_is_healed_by_the_next(stack: Stack) -> None:
    dying = Wallets(stack.database, DeadLedger(stack.ledger))  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await dying.open_wallet(MEI, SGD)
    left = await stack.wallets.find(MEI, SGD)
    assert left is not None
    assert await stack.ledger.states([left.id]) == [None]
    healed, created = await stack.wallets.open_wallet(MEI, SGD)
    assert (healed.id, created) == (left.id, False)
    assert await stack.posted(left.id) == 0


async def test_finding(stack: Stack) -> None:
    sgd, _ = await stack.wallets.open_wallet(MEI, SGD)
    jpy, _ = await stack.wallets.open_wallet(MEI, JPY)
    assert await stack.wallets.of_person(MEI) == [sgd, jpy]
    assert await stack.wallets.of_person(RAVI) == []
    assert await stack.wallets.by_id(sgd.id) == sgd
    assert await stack.wallets.by_id(5) is None
    assert await stack.wallets.find(RAVI, SGD) is None
    assert {w.id for w in await stack.wallets.by_ids([sgd.id, jpy.id, 5])} == {sgd.id, jpy.id}


async def test_the_application_cannot_change_or_delete_a_wallet(stack: Stack) -> None:
    await stack.wallets.open_wallet(MEI, SGD)
    for statement in ("UPDATE wallets.wallet SET person = 1", "DELETE FROM wallets.wallet"):
        with pytest.raises(Exception, match="permission denied"):
            await stack.database.execute(statement)
