"""The writer against plain dictionaries: random commands, replays, crashes, new writers.

THOROUGH=1 in the environment plays many more and longer games, each run other ones.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.ledger.model import Account, Model
from tests.ledger.writers import (
    PATIENCE,
    SGD,
    Blockade,
    crash,
    end_backends,
    leading,
    log_is_whole,
    new_id,
    options,
    soon,
)
from tests.servers import DatabaseUrls, run_apart

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.ledger import history
from tikiwallet.ledger.batch import Batch
from tikiwallet.ledger.rules import accounts_of
from tikiwallet.ledger.term import Term
from tikiwallet.ledger.transactions import (
    TOTAL_MAX,
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
    Command,
    Freeze,
    Hold,
    OpenAccount,
    Outcome,
    Posting,
    Result,
    Reverse,
    SetLimits,
    Transaction,
    Void,
    digest_of,
)
from tikiwallet.ledger.writer import Writer

EUR = 978
HOUR = 3_600_000_000  # microseconds
SOON = 30_000
THOROUGH = os.environ.get("THOROUGH") == "1"
T = TypeVar("T")
Legs: TypeAlias = list[tuple[int, int, int, int]]  # payer, payee, amount, currency

# Places 0 and 1 are banks, 1 and 7 are in euros, 7 is not opened at the start.
PLACES = 8
places = st.integers(0, PLACES - 1)
people = st.sampled_from([2, 3, 4, 5, 6])
few = st.integers(1, 60)
amounts = st.sampled_from([1, 5, 10, 20, 50, 100, 2**53 - 1])
likely_leg = st.builds(
    lambda sides, amount: (*sides, amount, SGD),
    st.permutations([0, 2, 3, 4, 5, 6]).map(lambda order: order[:2]),
    few,
)
euro_leg = st.tuples(st.just(1), st.just(7), few, st.just(EUR))
wild_leg = st.tuples(places, places, amounts, st.sampled_from([SGD, EUR]))
leg = st.integers(0, 9).flatmap(
    lambda dice: wild_leg if dice == 9 else euro_leg if dice == 8 else likely_leg
)
legs = st.lists(leg, min_size=1, max_size=4)
parts = st.one_of(st.none(), st.lists(st.integers(0, 30), min_size=1, max_size=3).filter(any))
floors = st.sampled_from([0, 0, 50, TOTAL_MAX])
ceilings = st.sampled_from([None, None, 0, 120, TOTAL_MAX])
picks = st.integers(0, 10_000)
lives = st.sampled_from([HOUR, HOUR, HOUR, SOON, -HOUR])

# What a command is made from: a name and arguments; accounts and ids follow when it is played.
PLANS = {
    "pay": (5, st.tuples(st.just("pay"), legs)),
    "hold": (5, st.tuples(st.just("hold"), legs, lives)),
    "capture": (6, st.tuples(st.just("capture"), picks, parts, st.booleans())),
    "void": (1, st.tuples(st.just("void"), picks)),
    "reverse": (4, st.tuples(st.just("reverse"), picks, parts)),
    "open": (1, st.tuples(st.just("open"), places, floors, ceilings)),
    "limits": (1, st.tuples(st.just("limits"), places, floors, ceilings)),
    "freeze": (1, st.tuples(st.just("freeze"), people, st.booleans())),
    "close": (1, st.tuples(st.just("close"), places)),
    "again": (2, st.tuples(st.just("again"), picks)),
    "altered": (1, st.tuples(st.just("altered"), picks)),
    "abandon": (1, st.tuples(st.just("abandon"), picks, st.booleans())),
}
plans = st.sampled_from(
    [name for name, (weight, _) in PLANS.items() for _ in range(weight)]
).flatmap(lambda name: PLANS[name][1])


class FrailWriter(Writer):
    """A writer that can be made to fail after a commit and before the answers; it forgets
    originals as quickly as accounts."""

    dies: str = ""

    async def _reign(self, term: Term) -> None:
        term.memory._originals_capacity = 2
        await super()._reign(term)

    def _answer(self, work: Batch) -> None:
        if self.dies:
            if self.dies == "for good" and self._task is not None:
                self._task.cancel()
            self.dies = ""
            raise ConnectionResetError("as if the answer had not arrived")
        super()._answer(work)


class Games(RuleBasedStateMachine):
    """One game: some accounts in a ledger that earlier games have used as well."""

    urls: ClassVar[DatabaseUrls]
    played: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).played += 1
        self.runner = asyncio.Runner()
        self.model = Model()
        self.commands: list[AnyCommand] = []
        self.unknown: list[bytes] = [new_id()]
        self.snapshots: dict[int, dict[int, Account]] = {}
        self.last_n = 0
        self.expires_at = 0
        self.writer = self.run(self._new_writer())

    def run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.runner.run(wait())

    async def _new_writer(self) -> FrailWriter:
        writer = FrailWriter(options(self.urls, hot_accounts=3, lease_seconds=0.05), patient=True)
        await writer.start()
        await leading(writer)
        return writer

    def account(self, place: int) -> int:
        return self.played * 1_000 + place

    # -- commands

    def command(self, plan: tuple[Any, ...]) -> AnyCommand:
        """What the method of the plan's name makes of it."""
        name, *arguments = plan
        make: Callable[..., AnyCommand] = getattr(self, f"_{name}")
        return make(*arguments)

    def _pay(self, wanted: Legs) -> Transaction:
        return Transaction(new_id(), postings=self._postings(wanted), reference="a → b")

    def _hold(self, wanted: Legs, life: int) -> Hold:
        until = clock.now_us() + life
        if life == SOON:
            self.expires_at = until
        return Hold(new_id(), postings=self._postings(wanted), expires_at=until)

    def _capture(self, pick: int, amounts: list[int] | None, final: bool) -> Capture:
        taken = None if amounts is None else tuple(amounts)
        return Capture(new_id(), hold=self._id(pick, Hold), amounts=taken, final=final)

    def _void(self, pick: int) -> Void:
        return Void(new_id(), hold=self._id(pick, Hold))

    def _reverse(self, pick: int, amounts: list[int] | None) -> Reverse:
        taken = None if amounts is None else tuple(amounts)
        return Reverse(new_id(), original=self._id(pick, Transaction, Capture), amounts=taken)

    def _limits(self, place: int, floor: int, ceiling: int | None) -> SetLimits:
        return SetLimits(new_id(), account=self.account(place), floor=floor, ceiling=ceiling)

    def _freeze(self, place: int, frozen: bool) -> Freeze:
        return Freeze(new_id(), account=self.account(place), frozen=frozen)

    def _close(self, place: int) -> CloseAccount:
        return CloseAccount(new_id(), account=self.account(place))

    def _again(self, pick: int) -> AnyCommand:
        return self.commands[pick % len(self.commands)]

    def _altered(self, pick: int) -> AnyCommand:
        known = self._again(pick)
        return msgspec.structs.replace(known, person=known.person + 1)

    def _abandon(self, pick: int, known: bool) -> Abandon:
        return Abandon(self._id(pick, Command) if known else new_id())

    def _open(self, place: int, floor: int, ceiling: int | None) -> OpenAccount:
        return OpenAccount(
            new_id(),
            account=self.account(place),
            currency=EUR if place in (1, 7) else SGD,
            floor=floor,
            ceiling=ceiling,
        )

    def _postings(self, wanted: Legs) -> tuple[Posting, ...]:
        return tuple(
            Posting(self.account(debit), self.account(credit), amount, currency)
            for debit, credit, amount, currency in wanted
        )

    def _id(self, pick: int, *kinds: type[Command]) -> bytes:
        """The id of an earlier command, a recent one that was posted and of one of these kinds if
        there is any; now and then one of another kind, and one that nobody used."""
        if pick % 16 == 15 or not self.commands:
            return self.unknown[0]
        ids = [command.id for command in self.commands]
        if pick % 16 < 13:
            posted = [c for c in self.commands if self.model.told[c.id][1] == Result.POSTED]
            ids = [c.id for c in posted if isinstance(c, kinds)] or ids
        return ids[-1 - pick // 16 % min(len(ids), 6)]

    # -- what is compared

    def absorb(self, commands: Sequence[AnyCommand], outcomes: Sequence[Outcome]) -> None:
        """Let the model carry out, in the order of the log, what the writer says it has written
        since; then compare every answer."""
        first: dict[bytes, tuple[AnyCommand, Outcome]] = {}
        for command, outcome in zip(commands, outcomes, strict=True):
            wrote = isinstance(command, Abandon) == (outcome.result == Result.ABANDONED)
            if outcome.n and wrote and command.id not in self.model.told:
                known = first.get(command.id)
                assert known is None or known[1].n == outcome.n
                first.setdefault(command.id, (command, outcome))
        for command, outcome in sorted(first.values(), key=lambda pair: pair[1].n):
            assert outcome.n > self.last_n, "the log does not grow"
            self.last_n = outcome.n
            expected = self.model.carry_out(command, outcome.at)
            assert Result(outcome.result) == expected, command
            self.snapshots[outcome.at] = dict(self.model.accounts)
            self._compare_payer(command, outcome)
        for command, outcome in zip(commands, outcomes, strict=True):
            if outcome.result == Result.OVERLOADED:
                assert outcome.n == 0
                continue
            assert Result(outcome.result) == self.model.again(command), command
        self.commands += [pair[0] for pair in first.values()]

    def _compare_payer(self, command: AnyCommand, outcome: Outcome) -> None:
        if outcome.result != Result.POSTED:
            assert outcome.payer is None
            return
        assert outcome.payer is not None
        named: Sequence[int] = accounts_of(command)
        if isinstance(command, Transaction | Hold):
            named = [command.postings[0].debit]
        candidates = [self.model.accounts[account] for account in named or self.model.accounts]
        assert any(account.agrees(outcome.payer) for account in candidates)

    # -- steps

    @initialize(balances=st.lists(st.integers(0, 200), min_size=5, max_size=5))
    def furnish(self, balances: list[int]) -> None:
        commands: list[AnyCommand] = [self._open(place, TOTAL_MAX, None) for place in (0, 1)]
        commands += [self._open(2 + place, 0, None) for place in range(len(balances))]
        commands += [
            Transaction(new_id(), postings=self._postings([(0, 2 + place, balance, SGD)]))
            for place, balance in enumerate(balances)
            if balance
        ]
        self.absorb(commands, self.run(self.writer.post_many(commands)))

    @rule(wanted=st.lists(plans, min_size=1, max_size=8))
    def one_after_the_other(self, wanted: list[tuple[Any, ...]]) -> None:
        for plan in wanted:
            command = self.command(plan)
            self.absorb([command], [self.run(self.writer.post(command))])

    @rule(wanted=st.lists(plans, min_size=2, max_size=12))
    def several_at_once(self, wanted: list[tuple[Any, ...]]) -> None:
        commands = [self.command(plan) for plan in wanted]
        self.absorb(commands, self.run(_gather(self.writer, commands)))

    @rule(pick=picks)
    def expire(self, pick: int) -> None:
        command = Void(new_id(), hold=self._id(pick, Hold), expiry=True)
        outcome = self.run(self.writer.post(command))
        if outcome.result == Result.OVERLOADED:
            assert self.model.carry_out(command, clock.now_us()) == Result.OVERLOADED
        else:
            self.absorb([command], [outcome])

    @rule()
    def holds_expire(self) -> None:
        """Those that were made to last a moment."""
        while self.expires_at > clock.now_us():
            self.run(asyncio.sleep(0.005))

    @rule(pick=picks, same=st.booleans())
    def look_up(self, pick: int, same: bool) -> None:
        command = self.command(("again", pick))
        digest = digest_of(command) if same else b"?" * 32
        outcome = self.run(self.writer.look_up(command.id, digest))
        _, result = self.model.told[command.id]
        assert outcome is not None
        whatever = same or result == Result.ABANDONED
        assert Result(outcome.result) == (result if whatever else Result.ID_REUSED)
        assert self.run(self.writer.look_up(self.unknown[0], digest)) is None or (
            self.unknown[0] in self.model.told
        )

    # -- crashes

    @rule(wanted=st.lists(plans, max_size=5), committed=st.booleans())
    def the_connection_dies(self, wanted: list[tuple[Any, ...]], committed: bool) -> None:
        """The same writer leads again and answers everybody."""
        commands = self._with_a_fresh_one(wanted)
        if committed:
            self.writer.dies = "once"
            outcomes = self.run(_gather(self.writer, commands))
            assert not self.writer.dies
        else:
            outcomes = self.run(self._cut(commands))
        self.absorb(commands, outcomes)

    @rule(wanted=st.lists(plans, max_size=5), committed=st.booleans(), recovery=picks)
    def the_process_dies(
        self, wanted: list[tuple[Any, ...]], committed: bool, recovery: int
    ) -> None:
        """Nobody is answered; another writer leads; each outcome is found out by its id."""
        commands = self._with_a_fresh_one(wanted)
        answered = self.run(self._die(commands, committed))
        self.writer = self.run(self._new_writer())
        kept = [pair for pair in answered if not Result(pair[1].result).retryable]
        lost = [pair[0] for pair in answered if Result(pair[1].result).retryable]
        for ours in lost:
            command = ours
            found = self.run(self.writer.look_up(command.id, digest_of(command)))
            if found is None or found.result == Result.ID_REUSED:
                recovery //= 2
                if recovery % 2:  # recovery gives it up, or carries on
                    command = Abandon(command.id)
                found = self.run(self.writer.post(command))
            kept.append((command, found))
        self.absorb([pair[0] for pair in kept], [pair[1] for pair in kept])

    @rule()
    def another_writer_in_order(self) -> None:
        self.run(self.writer.stop())
        self.writer = self.run(self._new_writer())

    def _with_a_fresh_one(self, wanted: list[tuple[Any, ...]]) -> list[AnyCommand]:
        """Something that has to be written in any case."""
        return [self.command(("pay", [(0, 2, 1, SGD)])), *map(self.command, wanted)]

    async def _cut(self, commands: list[AnyCommand]) -> list[Outcome]:
        async with Blockade(self.urls) as blockade:
            working = asyncio.ensure_future(_gather(self.writer, commands))
            await blockade.met()
            await end_backends(self.urls, "application_name = 'tikiwallet writer'")
        return await working

    async def _die(
        self, commands: list[AnyCommand], committed: bool
    ) -> list[tuple[AnyCommand, Outcome]]:
        if committed:
            self.writer.dies = "for good"
            task = self.writer._task
            assert task is not None
            outcomes = await _gather(self.writer, commands)
            await asyncio.gather(task, return_exceptions=True)
        else:
            async with Blockade(self.urls) as blockade:
                working = asyncio.ensure_future(_gather(self.writer, commands))
                await blockade.met()
                await crash(self.writer)
            outcomes = await working
        return list(zip(commands, outcomes, strict=True))

    # -- always

    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        numbers = [self.account(place) for place in range(PLACES)]
        states = self.run(self.writer.states(numbers))
        for number, state in zip(numbers, states, strict=True):
            expected = self.model.accounts.get(number)
            assert (state is None) == (expected is None)
            assert state is None or (expected is not None and expected.agrees(state))

    def teardown(self) -> None:
        try:
            self.run(self.writer.stop())
            self.run(self._compare_history())
        finally:
            self.runner.close()

    async def _compare_history(self) -> None:
        database = await Database.connect(self.urls.app, "tikiwallet_app")
        try:
            for at, accounts in list(self.snapshots.items())[::4]:
                for place in range(PLACES):
                    state = await history.state_at(
                        database, self.account(place), at, self.last_n + 100
                    )
                    expected = accounts.get(self.account(place))
                    assert (state is None) == (expected is None)
                    assert state is None or (expected is not None and expected.agrees(state))
        finally:
            await database.close()


async def _gather(writer: Writer, commands: Sequence[AnyCommand]) -> list[Outcome]:
    posting = [writer.post(command) for command in commands]
    outcomes: list[Outcome] = await soon(asyncio.gather(*posting))
    return outcomes


@pytest.mark.alone  # a lease of 50 ms, which a busy machine misses
@pytest.mark.timeout(0 if THOROUGH else 120)
def test_games(database_urls: DatabaseUrls) -> None:
    here = type("Here", (Games,), {"urls": database_urls, "played": 0})
    run_state_machine_as_test(
        here,
        settings=settings(
            max_examples=500 if THOROUGH else 20,
            stateful_step_count=60 if THOROUGH else 30,
            derandomize=not THOROUGH,
            deadline=None,
            # Shrinking plays the game hundreds of times again: for those who have the patience.
            phases=list(Phase) if THOROUGH else [Phase.generate],
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert run_apart(log_is_whole(database_urls)) > 100
