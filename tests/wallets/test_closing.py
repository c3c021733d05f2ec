"""Closing an account: only when nothing is left, whole or not at all; free after thirty days."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import PASSWORD, code_for, sign_up
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack

from tikiwallet import ids
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import connect
from tikiwallet.errors import Unavailable
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.sessions import InvalidCredentials
from tikiwallet.identity.tokens import TokenRevoked
from tikiwallet.ledger.transactions import (
    Flag,
    Hold,
    Kind,
    Posting,
    Result,
    Transaction,
)
from tikiwallet.money import CURRENCIES
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.wallets.chart import Purpose, house_account
from tikiwallet.wallets.closing import Closing
from tikiwallet.wallets.refusals import BalanceNotZero
from tikiwallet.wallets.wallets import CEILING_SGD

ANA, BEN = "+6591234567", "+6591234568"
SGD, EUR = CURRENCIES["SGD"], CURRENCIES["EUR"]
DAY = 86_400


@dataclass
class Town:
    """Ana and Ben, with wallets, over a running ledger."""

    stack: Stack
    identity: Identity
    inbox: SandboxInbox
    closing: Closing
    clock: HandClock
    ana: int
    ben: int
    token: str

    async def wallet(self, person: int, code: str = "SGD") -> int:
        opened, _ = await self.stack.wallets.open_wallet(person, CURRENCIES[code])
        return opened.id

    async def give(self, wallet: int, amount: int, code: str = "SGD") -> int:
        """House money for a wallet, or back with a negative amount; the ledger's result."""
        currency = CURRENCIES[code]
        await self.stack.chart.ready(currency)
        house = house_account(Purpose.CARD_CLEARING, currency.number)
        debit, credit = (house, wallet) if amount > 0 else (wallet, house)
        posting = Posting(debit, credit, abs(amount), currency.number)
        outcome = await self.stack.ledger.post(
            Transaction(ids.new_uuid7(), kind=Kind.TOP_UP, postings=(posting,))
        )
        return outcome.result

    async def kinds(self) -> list[str]:
        found, _ = await self.identity.events.page(self.stack.database, self.ana, limit=100)
        return [event.kind for event in reversed(found)]


@pytest.fixture
async def town(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Town]:
    clock = HandClock()
    async with running_stack(database_urls) as stack:
        inbox = SandboxInbox(stack.database, clock)
        identity = Identity.build(
            stack.database,
            connect=partial(connect, database_urls.app, APP),
            keys_dir=tmp_path / "keys",
            issuer="http://localhost:8000",
            sender=inbox,
            now=clock,
        )
        await identity.start()
        ana, tokens = await sign_up(identity, inbox, ANA, "ana")
        ben, _ = await sign_up(identity, inbox, BEN, "ben")
        closing = Closing(
            stack.database,
            events=identity.events,
            ledger=stack.ledger,
            wallets=stack.wallets,
            closure=identity.account.closure,
            now=clock,
        )
        yield Town(
            stack, identity, inbox, closing, clock, ana.id, ben.id, f"Bearer {tokens.access_token}"
        )
        await identity.stop()


async def test_an_account_without_wallets(town: Town) -> None:
    await town.closing.close(town.ana)
    with pytest.raises(TokenRevoked):
        town.identity.verifier.verify(town.token)
    with pytest.raises(InvalidCredentials):
        await town.identity.sessions.login(ANA, PASSWORD)
    assert await town.identity.people.person(town.ana) is None
    assert await town.identity.people.find("@ana") is None
    assert "closed" in (await town.inbox.messages(ANA))[0]["text"]
    assert "closed" in await town.kinds()
    await town.closing.close(town.ana)
    assert (await town.kinds()).count("closed") == 1


async def test_money_is_left(town: Town) -> None:
    empty, full = await town.wallet(town.ana, "EUR"), await town.wallet(town.ana)
    await town.give(full, 1)
    with pytest.raises(BalanceNotZero):
        await town.closing.close(town.ana)
    town.identity.verifier.verify(town.token)
    for wallet in (empty, full):
        state = await town.stack.state(wallet)
        assert not state.flags
        assert state.ceiling
    assert (await town.kinds())[-1] == "closing_failed"
    await town.give(full, -1)
    await town.closing.close(town.ana)
    for wallet in (empty, full):
        assert (await town.stack.state(wallet)).flags == Flag.CLOSED
        assert await town.give(wallet, 5, "SGD" if wallet == full else "EUR") == (
            Result.ACCOUNT_CLOSED
        )


async def test_money_on_hold_is_left_too(town: Town) -> None:
    wallet, other = await town.wallet(town.ana), await town.wallet(town.ben)
    await town.give(other, 100)
    hold = Hold(
        ids.new_uuid7(),
        postings=(Posting(other, wallet, 100, SGD.number),),
        expires_at=town.clock() + 3_600_000_000,
    )
    assert (await town.stack.ledger.post(hold)).result == Result.POSTED
    with pytest.raises(BalanceNotZero):
        await town.closing.close(town.ana)


async def test_money_that_comes_meanwhile_stops_it(town: Town) -> None:
    """Between the first look and the last nothing gets in unnoticed: all or nothing is closed."""
    wallets = [await town.wallet(town.ana, code) for code in ("SGD", "EUR", "USD")]
    for _ in range(5):
        gift = asyncio.create_task(town.give(wallets[1], 7, "EUR"))
        try:
            await town.closing.close(town.ana)
        except BalanceNotZero:
            assert await gift == Result.POSTED
            flags = {(await town.stack.state(wallet)).flags for wallet in wallets}
            assert flags == {0}
            ceilings = {(await town.stack.state(wallet)).ceiling for wallet in wallets[:1]}
            assert ceilings == {CEILING_SGD}
            await town.give(wallets[1], -7, "EUR")
            continue
        assert await gift in (Result.LIMIT_EXCEEDED, Result.ACCOUNT_CLOSED)
        break
    assert await town.stack.posted(wallets[1]) == 0


async def test_what_broke_off_is_taken_up(town: Town) -> None:
    wallet = await town.wallet(town.ana)
    attempt = ids.write_uuid(ids.new_uuid7())
    await town.stack.database.execute(
        "INSERT INTO identity.closing VALUES ($1, $2, now() + interval '1 hour')",
        town.ana,
        attempt,
    )
    with pytest.raises(Unavailable):
        await town.closing.close(town.ana)
    assert not await town.closing.close_due()
    town.clock.advance(2 * 3_600)
    assert await town.closing.close_due()
    assert (await town.stack.state(wallet)).flags == Flag.CLOSED
    assert (await town.kinds())[-1] == "closed"
    assert await town.stack.database.fetchval("SELECT count(*) FROM identity.closing") == 0


async def test_nobody_signs_in_to_it_by_any_way(town: Town) -> None:
    await town.identity.pins.set_pin(town.ana, "482916")
    await town.identity.second_factors.set_sms(town.ana, True)
    recovery = town.identity.account.recovery
    id, _ = await recovery.begin_by_phone(ANA)
    told = await recovery.prove(id, code=await code_for(town.inbox, ANA))
    await town.closing.close(town.ana)
    town.clock.advance(DAY)
    with pytest.raises(Exception, match="recovery"):
        await recovery.complete(id, told.secret, "nine pears at noon")
    assert not await town.identity.pins.is_set(town.ana)
    assert not await town.identity.second_factors.is_on(town.ana)

    async def sign_in() -> None:
        async with town.stack.database.transaction() as connection:
            await town.identity.sessions.open(connection, town.ana)

    with pytest.raises(asyncpg.RestrictViolationError):
        await sign_in()


async def test_a_sign_in_under_way_does_not_survive(town: Town) -> None:
    answers = await asyncio.gather(
        *(town.identity.sessions.login(ANA, PASSWORD) for _ in range(6)),
        town.closing.close(town.ana),
        return_exceptions=True,
    )
    assert answers[-1] is None
    assert await town.identity.sessions.of(town.ana) == []


async def test_name_and_number_are_free_after_thirty_days(town: Town) -> None:
    await town.closing.close(town.ana)
    closure = town.identity.account.closure
    town.clock.advance(30 * DAY - 1)
    assert not await closure.free_due()
    town.clock.advance(1)
    assert await closure.free_due()
    assert not await closure.free_due()
    names = await town.identity.people.names([town.ana])
    assert (names[town.ana].username, names[town.ana].display_name) == (None, "Closed wallet")
    again, _ = await sign_up(town.identity, town.inbox, ANA, "ana")
    assert again.id != town.ana
    # What happened stays on record.
    assert "registered" in await town.kinds()


async def test_until_then_they_are_not(town: Town) -> None:
    await town.closing.close(town.ana)
    names = await town.identity.people.names([town.ana])
    assert names[town.ana].username is None
    with pytest.raises(Exception, match="taken"):
        await town.identity.registration.register("+6598887777", "ana", PASSWORD)
