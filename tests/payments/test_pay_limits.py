"""Own PIN thresholds and lower limits, as paying meets them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.identity.sign_up import sign_up
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack

from tikiwallet import clock, ids
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import connect
from tikiwallet.errors import Overloaded, Unavailable
from tikiwallet.identity import payer_facts
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.payer_facts import LowerLimit
from tikiwallet.identity.pins import PinRequired
from tikiwallet.ledger.transactions import Kind, Outcome, Posting, Result, Transaction
from tikiwallet.money import CURRENCIES
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.payments.budget import RefusedTooOften
from tikiwallet.payments.memos import Memos
from tikiwallet.payments.pay import Asked, MoneyAsked, Payee, PaymentRequest, Payments
from tikiwallet.wallets.chart import Purpose, house_account
from tikiwallet.wallets.refusals import InsufficientFunds

PIN = "482916"


class Answered:
    """Where the ledger answers what went in straight from memory."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def settle(self, slot: int, outcome: Outcome) -> None:
        self.outcome.set_result(outcome)


@dataclass
class Payer:
    """Ana with S$1,000 and 1,000 euros, who pays Ben."""

    stack: Stack
    identity: Identity
    payments: Payments
    person: int
    session: bytes
    wallets: dict[str, str]

    def request(self, amount: int, code: str = "SGD", pin: str | None = None) -> PaymentRequest:
        return PaymentRequest(
            self.wallets[code], [Payee("@ben", MoneyAsked(amount, code))], pin=pin
        )

    async def pay(
        self, amount: int, code: str = "SGD", *, key: str = "", pin: str | None = None
    ) -> bool:
        """Pay; whether it was told before."""
        key = key or ids.write_uuid(ids.new_uuid7())
        asked = self.payments.asked(self.person, key, self.request(amount, code, pin))
        return (await self.payments.carry_out(asked))[1]

    async def restrict(self) -> None:
        async with self.stack.database.transaction() as connection:
            await payer_facts.restrict(connection, self.person, clock.from_us(clock.now_us()))
        self.identity.payers.forget(self.person)


@pytest.fixture
async def ana(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Payer]:
    async with running_stack(database_urls) as stack:
        inbox = SandboxInbox(stack.database)
        identity = Identity.build(
            stack.database,
            connect=partial(connect, database_urls.app, APP),
            keys_dir=tmp_path / "keys",
            issuer="http://localhost:8000",
            sender=inbox,
        )
        await identity.start()
        person, tokens = await sign_up(identity, inbox, "+6591234567", "ana")
        await sign_up(identity, inbox, "+6591234568", "ben")
        wallets = {}
        for code in ("SGD", "EUR"):
            wallet, _ = await stack.wallets.open_wallet(person.id, CURRENCIES[code])
            stack.directory.remember(wallet)
            await stack.chart.ready(wallet.currency)
            house = house_account(Purpose.CARD_CLEARING, wallet.currency.number)
            posting = Posting(house, wallet.id, 1_000_00, wallet.currency.number)
            await stack.ledger.post(
                Transaction(ids.new_uuid7(), kind=Kind.TOP_UP, postings=(posting,))
            )
            wallets[code] = wallet.written_id
        payments = Payments(
            stack.ledger,
            stack.directory,
            stack.wallets,
            identity.people,
            identity.pins,
            identity.confirmations,
            identity.payers,
            Memos(identity.sealing),
            b"digest key of tests",
        )
        session = identity.verifier.verify(f"Bearer {tokens.access_token}").session
        yield Payer(stack, identity, payments, person.id, session, wallets)
        await identity.stop()


async def test_ones_own_threshold(ana: Payer) -> None:
    await ana.pay(100_00)
    with pytest.raises(PinRequired):
        await ana.pay(100_01)
    await ana.identity.account.profile.change(ana.person, ana.session, {"pin_threshold": 10_00})
    await ana.pay(10_00)
    await ana.pay(6_60, "EUR")
    for amount, code in ((10_01, "SGD"), (6_61, "EUR")):
        with pytest.raises(PinRequired):
            await ana.pay(amount, code)
    await ana.identity.pins.set_pin(ana.person, PIN)
    await ana.pay(10_01, pin=PIN)
    await ana.identity.account.profile.change(ana.person, ana.session, {"pin_threshold": 0})
    with pytest.raises(PinRequired):
        await ana.pay(1)
    await ana.identity.account.profile.change(ana.person, ana.session, {"pin_threshold": 300_00})
    await ana.pay(300_00)


async def test_the_short_way_keeps_to_it(ana: Payer) -> None:
    """Straight from memory into the ledger, only what needs no PIN and no counting."""
    await ana.pay(1)  # names and wallets are known from here on

    def enter(amount: int) -> bool:
        asked = ana.payments.asked(ana.person, f"e{amount}", ana.request(amount))
        return ana.payments.enter(asked, Answered())

    assert enter(50_00)
    await ana.identity.account.profile.change(ana.person, ana.session, {"pin_threshold": 20_00})
    assert not enter(20_00)  # forgotten, so it has to be looked up
    await ana.pay(20_00)
    assert enter(19_99)
    assert not enter(20_01)
    await ana.restrict()
    await ana.pay(1)
    assert not enter(2)


async def test_lower_limits_hold_for_the_sum_over_all_wallets(ana: Payer) -> None:
    await ana.restrict()
    await ana.identity.pins.set_pin(ana.person, PIN)
    await ana.pay(60_00, key="a")
    await ana.pay(13_20, "EUR")  # S$20
    with pytest.raises(LowerLimit) as problem:
        await ana.pay(20_01, pin=PIN)
    assert problem.value.extra["left"] == 20_00
    # The answer to an earlier request is no payment, whatever the limits are by now.
    assert await ana.pay(60_00, key="a")
    await ana.pay(20_00)
    with pytest.raises(LowerLimit):
        await ana.pay(1)
    assert await ana.pay(60_00, key="a")


async def test_what_the_ledger_refuses_does_not_count(ana: Payer) -> None:
    await ana.pay(100_00)
    await ana.identity.pins.set_pin(ana.person, PIN)
    await ana.pay(850_00, pin=PIN)
    await ana.restrict()
    with pytest.raises(InsufficientFunds):
        await ana.pay(90_00, key="b")
    with pytest.raises(InsufficientFunds):
        await ana.pay(90_00, key="b")
    await ana.pay(50_00)
    assert (
        await ana.stack.database.fetchval("SELECT sum(amount_sgd) FROM identity.restricted_pay")
        == 50_00
    )


async def test_payments_at_once_do_not_pass_together(ana: Payer) -> None:
    await ana.restrict()
    answers = await asyncio.gather(*(ana.pay(30_00) for _ in range(8)), return_exceptions=True)
    assert sum(answer is False for answer in answers) == 3
    assert sum(isinstance(answer, LowerLimit) for answer in answers) == 5
    wallet = ids.read_id("w", ana.wallets["SGD"])
    assert wallet is not None
    assert await ana.stack.posted(wallet) == 1_000_00 - 90_00


async def test_one_persons_look_ups_are_bounded(ana: Payer) -> None:
    """What is refused for want of room is nobody's fault: it costs the payer nothing."""
    answers = await asyncio.gather(*(ana.pay(1) for _ in range(200)), return_exceptions=True)
    shed = sum(isinstance(answer, Overloaded) for answer in answers)
    assert shed == 200 - 32
    assert answers.count(False) == 32
    answers = await asyncio.gather(*(ana.pay(1) for _ in range(32)), return_exceptions=True)
    assert answers == [False] * 32


async def test_a_wallet_whose_account_is_not_open_yet_is_opened(ana: Payer) -> None:
    """Between its row and its account, or where somebody died there."""
    database = ana.stack.database
    ben = await database.fetchval("SELECT id FROM identity.person WHERE username = 'ben'")
    wallet = ids.new_id()
    await database.execute(
        "INSERT INTO wallets.wallet (id, person, currency, created_at) VALUES ($1, $2, $3, now())",
        wallet,
        ben,
        CURRENCIES["SGD"].number,
    )
    assert await ana.pay(7) is False
    (state,) = await ana.stack.ledger.states((wallet,))
    assert state is not None
    assert state.posted == 7


async def test_refusals_cost_the_payer_and_want_of_room_does_not(ana: Payer) -> None:
    def ask() -> Asked:
        return ana.payments.asked(ana.person, "key", ana.request(1))

    asked = ask()
    for result in (Result.OVERLOADED, Result.UNAVAILABLE):
        for _ in range(200):
            with pytest.raises((Overloaded, Unavailable)):
                ana.payments.told(asked, Outcome(result))
    ask()
    for _ in range(130):  # some come back while they are counted
        with pytest.raises(InsufficientFunds):
            ana.payments.told(asked, Outcome(Result.INSUFFICIENT_FUNDS))
    with pytest.raises(RefusedTooOften):
        ask()
