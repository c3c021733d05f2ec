"""Who owes money for offline payments stays until it is paid."""

import pytest
from tests.offline.bank import SGD, Bank
from tests.offline.settling import item
from tests.offline.test_freezing import phone_of

from tikiwallet import ids
from tikiwallet.ledger.transactions import Kind, Posting, Result, Transaction
from tikiwallet.offline.departure import DebtOpen
from tikiwallet.wallets.chart import Purpose, house_account
from tikiwallet.wallets.closing import Closing

DAY = 86_400


async def spend(bank: Bank, wallet: int, amount: int) -> None:
    house = house_account(Purpose.CARD_CLEARING, SGD.number)
    posting = Posting(wallet, house, amount, SGD.number)
    paid = Transaction(ids.new_uuid7(), kind=Kind.TOP_UP, postings=(posting,))
    assert (await bank.stack.ledger.post(paid)).result == Result.POSTED


async def owe(bank: Bank) -> int:
    """Ana pays 6 twice from a pass over 7, and has nothing else; her wallet."""
    handset = await bank.handset()
    ana = await phone_of(bank, handset, 7_00)
    ben = await phone_of(bank, await bank.handset(bank.ben), 0)
    await spend(bank, ana.wallet, 493_00)
    for store in (ana, ana.clone()):
        invite = ben.invite(6_00)
        brought = item(invite, store.pay(invite))
        await bank.offline.settling.settlement.settle(bank.ben, [brought])
    return ana.wallet


async def work(bank: Bank, seconds: float) -> None:
    bank.clock.advance(seconds)
    settling = bank.offline.settling
    for due in (
        bank.offline.passes.finish_due,
        settling.posting.recover_due,
        settling.returns.return_due,
        settling.debts.collect_due,
    ):
        while await due():
            pass


async def test_who_owes_stays_until_it_is_paid(bank: Bank) -> None:
    wallet = await owe(bank)
    for seconds in (DAY + 10, 4 * DAY, 7 * DAY):
        await work(bank, seconds)
    closing = Closing(
        bank.stack.database,
        events=bank.identity.events,
        ledger=bank.stack.ledger,
        wallets=bank.stack.wallets,
        closure=bank.identity.account.closure,
        elsewhere=[bank.offline.departure],
        now=bank.clock,
    )
    with pytest.raises(DebtOpen, match=r"You owe SGD 5\.00") as told:
        await closing.close(bank.ana)
    assert told.value.extra == {"owed": "SGD 5.00"}
    events, _ = await bank.identity.events.page(bank.stack.database, bank.ana)
    assert (events[0].kind, events[0].detail) == ("closing_failed", {"why": "debt_open"})
    await bank.give(bank.ana, 5_00)
    await work(bank, 3_700)
    assert await bank.stack.posted(wallet) == 0
    await closing.close(bank.ana)
    assert await bank.identity.people.person(bank.ana) is None


async def test_what_is_still_contested_is_owed_too(bank: Bank) -> None:
    await owe(bank)
    assert [money.written for money in await bank.offline.settling.debts.owed(bank.ana)] == [
        "SGD 5.00"
    ]
    assert await bank.offline.settling.debts.owed(bank.ben) == []
