"""Top-ups through every card and every crash: the card and the wallet always agree."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from tests.identity.hand_clock import HandClock
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack

from tikiwallet import ids
from tikiwallet.errors import InvalidRequest, NotFound, Problem
from tikiwallet.ledger.transactions import AnyCommand, Outcome, Result
from tikiwallet.money import CURRENCIES, Money
from tikiwallet.payments.gateway import (
    ChargeResult,
    ChargeStatus,
    GatewayUnavailableError,
    UnknownMethod,
)
from tikiwallet.payments.topups import CLAIM_US, TopUp, TopUpRequest, TopUps
from tikiwallet.providers.sandbox import SandboxGateway
from tikiwallet.wallets.chart import Purpose, house_account
from tikiwallet.wallets.refusals import CurrencyMismatch, IdempotencyKeyReused
from tikiwallet.wallets.wallets import CEILING_SGD, Wallet

SGD = CURRENCIES["SGD"]
MEI, RAVI = 1001, 1002
SUCCEEDED, FAILED = ChargeStatus.SUCCEEDED, ChargeStatus.FAILED
PROCESSING, ACTION = ChargeStatus.PROCESSING, ChargeStatus.REQUIRES_ACTION


class Died(Exception):
    """The process that was working is gone."""


class Interrupted:
    """Stands before a part and lets the process die at one of its calls, before or after it."""

    def __init__(self, part: object, call: str, *, after: bool) -> None:
        self._part, self._call, self._after = part, call, after

    def __getattr__(self, name: str) -> object:
        real = getattr(self._part, name)
        if name != self._call:
            return real

        async def dying(*args: object) -> object:
            if self._after:
                await real(*args)
            raise Died

        return dying


class AbsentGateway:
    """A provider that gives no answer while it is away."""

    def __init__(self, gateway: SandboxGateway, *calls: str) -> None:
        self._gateway = gateway
        self.calls = set(calls)

    def __getattr__(self, name: str) -> object:
        if name in self.calls:
            raise GatewayUnavailableError
        return getattr(self._gateway, name)


@dataclass(frozen=True)
class Bench:
    stack: Stack
    clock: HandClock
    gateway: SandboxGateway
    topups: TopUps
    wallet: Wallet

    def over(self, ledger: object = None, gateway: object = None) -> TopUps:
        """Top-ups over other parts, in another process as it were."""
        return TopUps(
            self.stack.database,
            ledger=ledger or self.stack.ledger,  # type: ignore[arg-type]
            wallets=self.stack.wallets,
            chart=self.stack.chart,
            gateway=gateway or self.gateway,  # type: ignore[arg-type]
            now=self.clock,
        )

    def request(
        self,
        method: str = "pm_card_visa",
        amount: int = 2_500,
        key: str = "k1",
        digest: bytes = b"d" * 32,
    ) -> TopUpRequest:
        return TopUpRequest(MEI, self.wallet.id, Money(amount, SGD), method, key, digest)

    async def now(self, topup: TopUp) -> TopUp:
        return await self.topups.get(topup.id, MEI)

    async def balance(self) -> int:
        """The wallet's, after checking that the clearing account says the same."""
        posted = await self.stack.posted(self.wallet.id)
        clearing = house_account(Purpose.CARD_CLEARING, SGD.number)
        [state] = await self.stack.ledger.states([clearing])
        assert (state.posted if state else 0) == -posted
        return posted

    async def charged(self) -> int:
        """What the sandbox's cards have paid and not got back."""
        total: int = await self.stack.database.fetchval(
            "SELECT coalesce(sum(amount), 0)::bigint FROM sandbox.charge"
            " WHERE status = 'succeeded' AND refunded_at IS NULL"
        )
        return total


@pytest.fixture
async def bench(database_urls: DatabaseUrls) -> AsyncIterator[Bench]:
    async with running_stack(database_urls) as stack:
        clock = HandClock()
        gateway = SandboxGateway(stack.database, "http://localhost:8000", clock)
        wallet, _ = await stack.wallets.open_wallet(MEI, SGD)
        topups = TopUps(
            stack.database,
            ledger=stack.ledger,
            wallets=stack.wallets,
            chart=stack.chart,
            gateway=gateway,
            now=clock,
        )
        yield Bench(stack, clock, gateway, topups, wallet)


@pytest.mark.parametrize(
    ("method", "status", "failure", "balance"),
    [
        ("pm_card_visa", SUCCEEDED, None, 2_500),
        ("pm_card_mastercard", SUCCEEDED, None, 2_500),
        ("pm_card_bypassPending", SUCCEEDED, None, 2_500),
        ("pm_card_chargeDeclined", FAILED, "card_declined", 0),
        ("pm_card_visa_chargeDeclined", FAILED, "card_declined", 0),
        ("pm_card_chargeDeclinedInsufficientFunds", FAILED, "insufficient_funds", 0),
        ("pm_card_chargeDeclinedExpiredCard", FAILED, "expired_card", 0),
        ("pm_card_authenticationRequired", ACTION, None, 0),
        ("pm_tiki_late", PROCESSING, None, 0),
    ],
)
async def test_cards(
    bench: Bench, method: str, status: ChargeStatus, failure: str | None, balance: int
) -> None:
    topup, replayed = await bench.topups.create(bench.request(method))
    assert not replayed
    assert (topup.progress.status, topup.progress.failure_code) == (status, failure)
    assert topup.answer == topup.progress
    assert await bench.now(topup) == topup
    assert await bench.balance() == await bench.charged() == balance


async def test_a_replay_gives_the_first_answer(bench: Bench) -> None:
    first, _ = await bench.topups.create(bench.request("pm_card_authenticationRequired"))
    await bench.gateway.complete_challenge(first.id, approve=True)
    await bench.topups.advance(first.id)
    again, replayed = await bench.topups.create(bench.request("pm_card_authenticationRequired"))
    assert replayed
    assert again.answer == first.answer
    assert again.answer is not None
    assert again.answer.status is ACTION
    assert again.progress.status is SUCCEEDED
    assert await bench.balance() == 2_500


async def test_a_key_belongs_to_one_request_of_one_person(bench: Bench) -> None:
    await bench.topups.create(bench.request())
    with pytest.raises(IdempotencyKeyReused):
        await bench.topups.create(bench.request(digest=b"e" * 32))
    await bench.topups.create(bench.request(key="k2"))
    assert await bench.balance() == 5_000


async def test_duplicates_at_once_charge_once(bench: Bench) -> None:
    both = (bench.topups, bench.over())
    made = await asyncio.gather(*(both[i % 2].create(bench.request()) for i in range(10)))
    assert len({topup.id for topup, _ in made}) == 1
    assert [replayed for _, replayed in made].count(False) == 1
    assert {topup.answer.status for topup, _ in made if topup.answer} == {SUCCEEDED}
    assert await bench.balance() == await bench.charged() == 2_500


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"wallet": 5}, NotFound),
        ({"person": RAVI}, NotFound),
        ({"money": Money(5, CURRENCIES["USD"])}, CurrencyMismatch),
        ({"money": Money(0, SGD)}, InvalidRequest),
        ({"money": Money(2**53, SGD)}, InvalidRequest),
        ({"method": "pm_card_nothing"}, UnknownMethod),
    ],
)
async def test_refusals_leave_nothing_behind(
    bench: Bench, change: dict[str, object], problem: type[Problem]
) -> None:
    fields = {name: getattr(bench.request(), name) for name in TopUpRequest.__slots__}
    with pytest.raises(problem):
        await bench.topups.create(TopUpRequest(**{**fields, **change}))
    assert await bench.stack.database.fetchval("SELECT count(*) FROM payments.topup") == 0
    assert await bench.stack.database.fetchval("SELECT count(*) FROM sandbox.charge") == 0
    # The key is still free for the request put right.
    _, replayed = await bench.topups.create(bench.request())
    assert not replayed


@pytest.mark.parametrize(
    ("approve", "status", "failure", "balance"),
    [(True, SUCCEEDED, None, 2_500), (False, FAILED, "authentication_failed", 0)],
)
async def test_a_challenge(
    bench: Bench, approve: bool, status: ChargeStatus, failure: str | None, balance: int
) -> None:
    topup, _ = await bench.topups.create(bench.request("pm_card_authenticationRequired"))
    assert topup.progress.action_url == (
        f"http://localhost:8000/dev/challenges/{ids.write_uuid(topup.id)}"
    )
    await bench.gateway.complete_challenge(topup.id, approve=approve)
    await bench.gateway.complete_challenge(topup.id, approve=not approve)
    await bench.topups.advance(topup.id)
    after = (await bench.now(topup)).progress
    assert (after.status, after.failure_code, after.action_url) == (status, failure, None)
    assert await bench.balance() == await bench.charged() == balance


async def test_an_approved_challenge_may_still_be_declined(bench: Bench) -> None:
    method = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    topup, _ = await bench.topups.create(bench.request(method))
    await bench.gateway.complete_challenge(topup.id, approve=True)
    await bench.topups.advance(topup.id)
    assert (await bench.now(topup)).progress.failure_code == "insufficient_funds"


async def test_a_late_charge_arrives(bench: Bench) -> None:
    topup, _ = await bench.topups.create(bench.request("pm_tiki_late"))
    assert await bench.topups.recover_due() == 0  # not due yet
    bench.clock.advance(1.1)
    assert await bench.topups.recover_due() == 1
    assert (await bench.now(topup)).progress.status is PROCESSING
    bench.clock.advance(2.1)
    assert await bench.topups.recover_due() == 1
    assert (await bench.now(topup)).progress.status is SUCCEEDED
    assert await bench.topups.recover_due() == 0
    assert await bench.balance() == 2_500


@pytest.mark.parametrize(
    ("method", "hours"), [("pm_card_authenticationRequired", 1), ("pm_tiki_late", 72)]
)
async def test_waiting_ends(bench: Bench, method: str, hours: int) -> None:
    topup, _ = await bench.topups.create(bench.request(method))
    await bench.stack.database.execute(
        "UPDATE sandbox.charge SET arrives_at = 'infinity' WHERE status = 'processing'"
    )
    bench.clock.advance(hours * 3600 - 1)
    await bench.topups.recover_due()
    assert not (await bench.now(topup)).progress.final
    bench.clock.advance(400)
    await bench.topups.recover_due()
    after = (await bench.now(topup)).progress
    assert (after.status, after.failure_code) == (FAILED, "expired")
    # Neither the card nor the ledger can come back to it.
    await bench.gateway.complete_challenge(topup.id, approve=True)
    assert await bench.gateway.status(topup.id) == ChargeResult(FAILED, "canceled")
    outcome = await bench.stack.ledger.look_up(topup.id, topup.digest)
    assert outcome is not None
    assert outcome.result in (Result.ABANDONED, Result.ID_REUSED)
    assert await bench.balance() == await bench.charged() == 0


async def test_a_challenge_approved_at_the_last_moment_counts(bench: Bench) -> None:
    topup, _ = await bench.topups.create(bench.request("pm_card_authenticationRequired"))
    await bench.gateway.complete_challenge(topup.id, approve=True)
    bench.clock.advance(2 * 3600)
    await bench.topups.recover_due()
    assert (await bench.now(topup)).progress.status is SUCCEEDED
    assert await bench.balance() == await bench.charged() == 2_500


async def test_what_the_wallet_may_not_hold_goes_back_to_the_card(bench: Bench) -> None:
    await bench.topups.create(bench.request(amount=CEILING_SGD))
    over, _ = await bench.topups.create(bench.request(amount=1, key="k2"))
    assert (over.progress.status, over.progress.failure_code) == (FAILED, "limit_exceeded")
    assert await bench.balance() == await bench.charged() == CEILING_SGD


async def test_a_refund_that_finds_nobody_is_repeated(bench: Bench) -> None:
    await bench.topups.create(bench.request(amount=CEILING_SGD))
    away = AbsentGateway(bench.gateway, "refund")
    topup, _ = await bench.over(gateway=away).create(bench.request(amount=1, key="k2"))
    assert topup.progress.status is PROCESSING
    bench.clock.advance(2)
    await bench.topups.recover_due()
    after = (await bench.now(topup)).progress
    assert (after.status, after.failure_code) == (FAILED, "limit_exceeded")
    assert await bench.balance() == await bench.charged() == CEILING_SGD


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", ["charge", "post", "record"])
async def test_a_crash_anywhere_is_healed(bench: Bench, call: str, after: bool) -> None:
    ledger: object = bench.stack.ledger
    gateway: object = bench.gateway
    if call == "charge":
        gateway = Interrupted(gateway, "charge", after=after)
    elif call == "post":
        ledger = Interrupted(ledger, "post", after=after)
    dying = bench.over(ledger, gateway)
    if call == "record":
        dying._record = Interrupted(dying, "_record", after=after)._record  # type: ignore[assignment,method-assign]
    with pytest.raises(Died):
        await dying.create(bench.request())
    assert await bench.topups.recover_due() == 0 or call == "record"
    bench.clock.advance(CLAIM_US / 1_000_000 + 1)
    await bench.topups.recover_due()
    topup, replayed = await bench.topups.create(bench.request())
    assert replayed
    assert topup.answer is not None
    assert topup.progress.status is topup.answer.status is SUCCEEDED
    assert await bench.balance() == await bench.charged() == 2_500


async def test_a_gateway_that_is_away_leaves_it_processing(bench: Bench) -> None:
    away = AbsentGateway(bench.gateway, "charge", "status")
    topup, _ = await bench.over(gateway=away).create(bench.request())
    assert topup.progress.status is PROCESSING
    bench.clock.advance(2)
    assert await bench.over(gateway=away).recover_due() == 1
    bench.clock.advance(10)
    assert await bench.topups.recover_due() == 1
    assert (await bench.now(topup)).progress.status is SUCCEEDED
    assert await bench.balance() == await bench.charged() == 2_500


class DeafLedger:
    """A ledger that posts but whose answers get lost."""

    def __init__(self, ledger: object) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        await self._ledger.post(command, deadline)  # type: ignore[attr-defined]
        return Outcome(Result.UNAVAILABLE)


async def test_an_unknown_outcome_is_asked_for_again(bench: Bench) -> None:
    topup, _ = await bench.over(ledger=DeafLedger(bench.stack.ledger)).create(bench.request())
    assert topup.progress.status is PROCESSING
    bench.clock.advance(2)
    await bench.topups.recover_due()
    assert (await bench.now(topup)).progress.status is SUCCEEDED
    assert await bench.balance() == 2_500


async def test_two_recoverers_share_the_work(bench: Bench) -> None:
    for number in range(10):
        await bench.topups.create(bench.request("pm_tiki_late", amount=10, key=f"k{number}"))
    bench.clock.advance(5)
    first, second = await asyncio.gather(
        bench.topups.recover_due(limit=6), bench.over().recover_due(limit=6)
    )
    assert first + second == 10
    assert await bench.balance() == await bench.charged() == 100


async def test_others_do_not_see_it(bench: Bench) -> None:
    topup, _ = await bench.topups.create(bench.request())
    with pytest.raises(NotFound):
        await bench.topups.get(topup.id, RAVI)
    with pytest.raises(NotFound):
        await bench.topups.get(ids.new_uuid7(), MEI)


async def test_what_is_final_stays_so_in_sql_too(bench: Bench) -> None:
    topup, _ = await bench.topups.create(bench.request())
    for change in ("status = 'failed', failure_code = 'x'", "amount = 1", "attempts = 9"):
        with pytest.raises(Exception, match="is decided"):
            await bench.stack.database.execute(
                f"UPDATE payments.topup SET {change} WHERE id = $1", UUID(bytes=topup.id)
            )
