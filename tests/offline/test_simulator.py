"""Payers, payees and a model of the server, with everything that can go wrong between them.

TIKIWALLET_SOAK_SECONDS plays other games for so long; TIKIWALLET_SIMULATOR_SEED plays one again.
"""

import os
import random
import time
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.offline.samples import NOW
from tests.offline.settlement_model import CAP_OF_A_PASS, FUND
from tests.offline.simulator import Device, Mark, World, spoilt

from tikiwallet.offline.exchange.effects import Cancelled, Closing, SetAside
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.till import Stage
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.messages import Pay, Receipt

SOAK_SECONDS: Final = float(os.environ.get("TIKIWALLET_SOAK_SECONDS", "0"))
SEED: Final = int(os.environ.get("TIKIWALLET_SIMULATOR_SEED", "0"))
HOUR: Final = 3_600
_LAST: Final = 7 * 24 * HOUR  # how far time goes; every claim can still be made then
PAYERS_MOST: Final = 9  # devices that pay, with clones and new passes
TROUBLES: Final = (
    "crashes",
    "store_goes_back",
    "store_goes_back_noticed",
    "store_goes_back_noticed",
    "journal_is_lost",
    "time_goes_by",
    "time_goes_by",
    "clock_jumps",
    "sets_aside",
    "closes",
    "calls_off",
    "a_shop_talks",
    "gets_a_new_pass",
)
picks = st.integers(0, 1_000)
# Mostly nothing goes wrong, so that games get far.
faults = st.lists(st.sampled_from([0] * 24 + [1, 2, 3, 4, 5, 6, 6, 7, 8, 8]), max_size=30)
amounts = st.sampled_from([1, 100, 400, 1_000, 1_000, 1_001])


class Game(RuleBasedStateMachine):
    """One world. Rules pick devices and messages by number."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.world.populate(payers=3, payees=2, traders=3)
        self.money = self.world.server.total

    def payer(self, pick: int) -> Device[Payer]:
        return self.world.payers[pick % len(self.world.payers)]

    def payee(self, pick: int) -> Device[Payee]:
        return self.world.payees[pick % len(self.world.payees)]

    def any_device(self, pick: int) -> Device[Any]:
        return self.world.devices[pick % len(self.world.devices)]

    @rule(payer=picks, payee=picks, amount=amounts, faults=faults)
    def meet(self, payer: int, payee: int, amount: int, faults: list[int]) -> None:
        self.world.meet(self.payer(payer), self.payee(payee), amount, faults)

    @rule(payer=picks, amount=amounts, faults=faults)
    def goes_shopping(self, payer: int, amount: int, faults: list[int]) -> None:
        for payee in self.world.payees:
            self.world.meet(self.payer(payer), payee, amount, faults)

    @rule(payer=picks, first=picks, payee=picks, faults=faults)
    def goes_from_hand_to_hand(self, payer: int, first: int, payee: int, faults: list[int]) -> None:
        """Through the traders, each of whom pays the next one with all that is left."""
        traders = [one for one in self.world.payees if one.purse]
        way = traders[first % len(traders) :]
        self.world.meet(self.payer(payer), way[0], 400, [])
        for trader, other in pairwise([*way, self.payee(payee)]):
            assert trader.purse is not None
            amount = min(trader.purse.state.purse.left, 1_000)
            self.world.meet(trader.purse, other, amount, faults)

    @rule(payer=picks, twice=st.booleans())
    def spends_double(self, payer: int, twice: bool) -> None:
        """A clone and its original, each in other shops."""
        if len(self.world.payers) == PAYERS_MOST:
            return
        device = self.payer(payer)
        twin = self.world.clone(device)
        for _ in range(1 + twice):
            self.world.meet(device, self.payee(payer), 1_000, [])
            self.world.meet(twin, self.payee(payer + 1), 1_000, [])

    @rule(message=picks, device=picks, bent=st.booleans())
    def arrives_late(self, message: int, device: int, bent: bool) -> None:
        """Any message there ever was, at anybody's, perhaps spoilt."""
        if self.world.air:
            _, data = self.world.air[-1 - message % len(self.world.air)]
            receiver = self.any_device(device)
            self.world.delivers(receiver, spoilt(data, message) if bent else data)
            receiver.finishes()

    @rule(payer=picks, answered=st.booleans())
    def a_payer_connects(self, payer: int, answered: bool) -> None:
        self.payer(payer).connects(answered=answered)

    @rule(payee=picks, answered=st.booleans())
    def a_payee_connects(self, payee: int, answered: bool) -> None:
        self.payee(payee).connects(answered=answered)

    @rule(trouble=st.sampled_from(TROUBLES), device=picks, number=st.integers(0, 12))
    def something_happens(self, trouble: str, device: int, number: int) -> None:
        """What is rarer, chosen once for all, so that games get far."""
        getattr(self, trouble)(device, number)

    def crashes(self, pick: int, steps: int) -> None:
        device = self.any_device(pick)
        for _ in range(steps):
            device.works()
        device.crashes()

    def store_goes_back(self, pick: int, back: int) -> None:
        self._restore(pick, back, Mark.OLD)

    def store_goes_back_noticed(self, pick: int, back: int) -> None:
        self._restore(pick, back, Mark.RIGHT)

    def journal_is_lost(self, pick: int, back: int) -> None:
        self._restore(pick, back, Mark.GONE)

    def _restore(self, pick: int, back: int, mark: Mark) -> None:
        """The person notices nothing and goes on, once the device was started again, or online."""
        device = self.any_device(pick)
        self.world.restore(device, back, mark)
        if back % 3:
            device.finishes()
            device.crashes()
        if back % 2:
            device.connects()
        if isinstance(device.state, Payer):
            device.happens(SetAside)
            self.world.meet(device, self.payee(pick), 100, [])
            self.world.meet(device, self.payee(pick + 1), 100, [])

    def time_goes_by(self, _: int, steps: int) -> None:
        self.world.now = min(self.world.now + steps * 4 * HOUR, NOW + _LAST)

    def clock_jumps(self, pick: int, steps: int) -> None:
        self.any_device(pick).skew = (steps - 6) * 12 * HOUR

    def sets_aside(self, pick: int, _: int) -> None:
        self.payer(pick).happens(SetAside)

    def closes(self, pick: int, steps: int) -> None:
        device = self.payer(pick)
        device.happens(Closing)
        for _ in range(steps):
            device.works()

    def calls_off(self, pick: int, back: int) -> None:
        device = self.payee(pick)
        if requests := device.state.till.requests:
            id = requests[-1 - back % len(requests)].id
            device.happens(lambda now: Cancelled(now, id))
            device.finishes()

    def a_shop_talks(self, pick: int, other: int) -> None:
        self.world.gossip(self.payee(pick), self.payee(other))

    def gets_a_new_pass(self, pick: int, _: int) -> None:
        old = self.payer(pick)
        if len(self.world.payers) < PAYERS_MOST:
            self.world.add_payer(old.owner, old.phone)

    @invariant()
    def money_is_conserved(self) -> None:
        server = self.world.server
        assert server.total == self.money
        assert min(*server.wallets.values(), *server.escrow.values(), server.fund) >= 0

    @invariant()
    def the_honest_are_not_frozen(self) -> None:
        server = self.world.server
        assert {server.owners[one] for one in server.frozen} <= self.world.dishonest

    def the_honest_sign_once(self) -> None:
        """Of what ever left an honest device: one message for each sequence number, and one RECEIPT
        for each PAY."""
        said: defaultdict[tuple[object, object], set[bytes]] = defaultdict(set)
        for sender, data in self.world.air:
            if sender.owner in self.world.dishonest:
                continue
            match chain.message(data):
                case Pay() as pay:
                    said[pay.payer.id, pay.sequence].add(data)
                    said[pay.payer.id, pay.request_hash].add(data)
                case Receipt() as receipt:
                    said[sender.owner, receipt.pay_hash].add(data)
                case _:
                    pass
        for close in self.world.server.closes.values():
            if self.world.server.owners[close.pass_id] not in self.world.dishonest:
                said[close.pass_id, close.sequence].add(close.raw)
        assert all(len(ones) == 1 for ones in said.values())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.ends()
        self.money_is_conserved()
        self.the_honest_are_not_frozen()
        self.the_honest_sign_once()
        self.nobody_is_credited_twice()
        self.payees_lose_what_the_caps_leave_open_at_most()
        self.payers_pay_what_they_signed()
        self.forks_are_proven()

    def nobody_is_credited_twice(self) -> None:
        credited: Counter[bytes] = Counter()
        for claim in self.world.server.claims.values():
            assert claim.credited + claim.open <= claim.pay.amount
            credited[claim.invite.hash] += claim.credited
            if claim.invite.hash in credited:
                assert credited[claim.invite.hash] <= claim.invite.amount

    def payees_lose_what_the_caps_leave_open_at_most(self) -> None:
        server = self.world.server
        for device in self.world.payees:
            if device.owner in self.world.dishonest:
                continue
            for request in device.state.till.requests:
                if not request.pay:
                    continue
                pay = chain.head(request.pay)
                claim = server.claims[pay.hash]
                assert claim.credited + claim.open == request.amount
                if claim.open:
                    assert server.is_forked(pay.payer.id)
                    used_up = server.fund_used[pay.payer.id] == CAP_OF_A_PASS or server.fund == 0
                    assert used_up
                    assert request.stage is Stage.PARTIAL
                else:
                    assert request.stage is Stage.CREDITED
        assert sum(server.fund_used.values()) == FUND - server.fund

    def payers_pay_what_they_signed(self) -> None:
        """And nothing for what was called off."""
        server = self.world.server
        signed = {one.hash for device in self.world.payers for one in device.state.purse.payments}
        for hash, claim in server.claims.items():
            owner = server.owners[claim.pay.payer.id]
            if claim.credited and owner not in self.world.dishonest:
                payee = server.owners[claim.invite.payee.id]
                assert payee in self.world.dishonest or claim.invite.hash not in server.voids
                assert hash in signed or self._went_back(claim.pay)

    def _went_back(self, pay: Pay) -> bool:
        """Noticed, that is: its store is older than the payment."""
        own = pay.payer.raw
        return any(
            device.state.purse.own == own and device.state.purse.payment(pay.hash) is None
            for device in self.world.payers
        )

    def forks_are_proven(self) -> None:
        server = self.world.server
        said = defaultdict(list)
        for claim in server.claims.values():
            said[claim.pay.payer.id].append((claim.pay.sequence, claim.pay.hash))
        for close in server.closes.values():
            said[close.pass_id].append((close.sequence, close.hash))
        for pass_id, ones in said.items():
            forked = any(a[0] == b[0] and a[1] != b[1] for a, b in combinations(ones, 2))
            if forked:
                assert pass_id in server.frozen


_SETTINGS: Final = settings(
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


def play(number: int, games: int, *, shrink: bool = True) -> None:
    """So many games, all following from `number`."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        seed(number)(Game), settings=settings(_SETTINGS, max_examples=games, phases=phases)
    )


@pytest.mark.timeout(SOAK_SECONDS + 300)
def test_games() -> None:
    """A few dozen, the same each time; in a soak others until its time is over."""
    began = time.monotonic()
    play(SEED or 1, 50)
    while time.monotonic() - began < SOAK_SECONDS:
        number = random.SystemRandom().getrandbits(30)
        print(f"\nTIKIWALLET_SIMULATOR_SEED={number}", flush=True)  # noqa: T201
        play(number, 50)
