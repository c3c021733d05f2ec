"""Who owes money for offline payments stays until it is paid."""

import pytest
from tests.offline.bank import SGD, Bank
from tests.offline.settling import item
from tests.offline.test_freezing import phone_of

from tikiwallet import ids
from tikiwallet.ledger.transactions import Kind, Posting, Result, SetLimits, Transaction
from tikiwallet.offline.departure import DebtOpen
from tikiwallet.wallets.chart import Purpose, house_account
from tikiwallet.wallets.closing import Closing
from tikiwallet.wallets.refusals import BalanceNotZero

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


def closing_of(bank: Bank) -> Closing:
    return Closing(
        bank.stack.database,
        events=bank.identity.events,
        ledger=bank.stack.ledger,
        wallets=bank.stack.wallets,
        closure=bank.identity.account.closure,
        elsewhere=[bank.offline.departure],
        now=bank.clock,
    )


async def owing(bank: Bank) -> int:
    """Ana owes Ben 5, and her pass is over; her wallet."""
    wallet = await owe(bank)
    for seconds in (DAY + 10, 4 * DAY, 7 * DAY):
        await work(bank, seconds)
    return wallet


async def test_who_owes_stays_until_it_is_paid(bank: Bank) -> None:
    await owing(bank)
    closing = closing_of(bank)
    with pytest.raises(DebtOpen, match=r"You owe SGD 5\.00") as told:
        await closing.close(bank.ana)
    assert told.value.extra == {"owed": "SGD 5.00"}
    events, _ = await bank.identity.events.page(bank.stack.database, bank.ana)
    assert (events[0].kind, events[0].detail) == ("closing_failed", {"why": "debt_open"})
    await bank.give(bank.ana, 5_00)
    await closing.close(bank.ana)  # which pays it first
    assert await bank.identity.people.person(bank.ana) is None
    assert await heard(bank) == [
        ("offline_debt_begun", {"amount": "SGD 5.00"}),
        ("offline_debt_paid", {"amount": "SGD 5.00"}),
    ]


async def heard(bank: Bank) -> list[tuple[str, dict[str, object]]]:
    """What Ana was told of debts."""
    events, _ = await bank.identity.events.page(bank.stack.database, bank.ana)
    return [(one.kind, one.detail) for one in reversed(events) if "debt" in one.kind]


async def test_a_full_creditor_holds_nobody_for_good(bank: Bank) -> None:
    await owing(bank)
    wallet, _ = await bank.stack.wallets.open_wallet(bank.ben, SGD)
    await bank.stack.ledger.post(SetLimits(b"f" * 16, account=wallet.id, floor=0, ceiling=0))
    closing = closing_of(bank)
    with pytest.raises(DebtOpen, match=r"SGD 5\.00 of it waits .* ask the service"):
        await closing.close(bank.ana)
    debts = bank.offline.settling.debts
    [debt] = await bank.offline.settling.reports.debts()
    assert debt["state"] == "creditor_full"
    await debts.write_off(debt["id"])
    assert (await heard(bank))[-1] == ("offline_debt_ended", {"amount": "SGD 5.00"})
    await closing.close(bank.ana)
    assert await bank.identity.people.person(bank.ana) is None


async def test_what_is_still_contested_is_owed_too(bank: Bank) -> None:
    await owe(bank)
    assert [money.written for money in await bank.offline.settling.debts.owed(bank.ana)] == [
        "SGD 5.00"
    ]
    assert await bank.offline.settling.debts.owed(bank.ben) == []


async def test_a_full_payee_holds_no_payer_for_good(bank: Bank) -> None:
    ana = await phone_of(bank, await bank.handset(), 7_00)
    ben = await phone_of(bank, await bank.handset(bank.ben), 0)
    await bank.stack.ledger.post(SetLimits(b"f" * 16, account=ben.wallet, floor=0, ceiling=0))
    invite = ben.invite(6_00)
    pay = ana.pay(invite)
    settling, closing = bank.offline.settling, closing_of(bank)
    await settling.settlement.settle(bank.ben, [item(invite, pay)])
    for days in (4, 7, 1):
        await work(bank, days * DAY)
    await spend(bank, ana.wallet, 494_00)
    with pytest.raises(BalanceNotZero, match=r"SGD 6\.00 that you paid .* ask the service"):
        await closing.close(bank.ana)
    await settling.waiting.let_go(pay.hash)
    await work(bank, 120)
    await spend(bank, ana.wallet, 6_00)
    await closing.close(bank.ana)
    assert await bank.identity.people.person(bank.ana) is None
