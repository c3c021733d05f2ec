"""Payers, payees and a model of the server, with everything that can go wrong between them.

TIKIWALLET_SOAK_SECONDS plays other games for so long; TIKIWALLET_SIMULATOR_SEED plays one again.
"""

from collections import Counter, defaultdict
from itertools import combinations
from typing import Any, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.offline.settlement_model import CAP_OF_A_PASS, FUND
from tests.offline.simulator import Device, Mark, World, spoilt

from tikiwallet.offline.exchange.effects import Cancelled, Closing, SetAside
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.till import Stage
from tikiwallet.offline.wire.cose import Kind, open_
from tikiwallet.offline.wire.messages import Pay, Receipt

HOUR: Final = 3_600
_LAST: Final = 7 * 24 * HOUR  # how far time goes; every claim can still be made then
picks = st.integers(0, 1_000)
# Mostly nothing goes wrong, so that games get far.
faults = st.lists(st.sampled_from([0] * 24 + [1, 2, 3, 4, 5, 6, 6, 7, 8, 8]), max_size=30)
amounts = st.sampled_from([1, 100, 400, 1_000, 1_000, 1_001])


class Game(RuleBasedStateMachine):
    """One world. Rules pick devices and messages by number."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.world.populate(payers=3, payees=3)
        self.money = self.world.server.total

    def payer(self, pick: int) -> Device[Payer]:
        return self.world.payers[pick % len(self.world.payers)]

    def any_device(self, pick: int) -> Device[Any]:
        return self.world.devices[pick % len(self.world.devices)]

    @rule(payer=picks, payee=picks, amount=amounts, faults=faults)
    def meet(self, payer: int, payee: int, amount: int, faults: list[int]) -> None:
        payees = self.world.payees
        self.world.meet(self.payer(payer), payees[payee % len(payees)], amount, faults)

    @rule(first=picks, faults=faults, amount=amounts)
    def meet_all(self, first: int, amount: int, faults: list[int]) -> None:
        """One payer goes from shop to shop."""
        for payee in self.world.payees:
            self.world.meet(self.payer(first), payee, amount, faults)

    @rule(message=picks, device=picks, bent=st.booleans())
    def arrives_late(self, message: int, device: int, bent: bool) -> None:
        """Any message there ever was, at anybody's, perhaps spoilt."""
        if self.world.air:
            _, data = self.world.air[-1 - message % len(self.world.air)]
            receiver = self.any_device(device)
            self.world.delivers(receiver, spoilt(data, message) if bent else data)
            receiver.finishes()

    @rule(device=picks, steps=st.integers(0, 3))
    def crashes(self, device: int, steps: int) -> None:
        crashing = self.any_device(device)
        for _ in range(steps):
            crashing.works()
        crashing.crashes()

    @rule(device=picks, back=st.integers(0, 12), mark=st.sampled_from(Mark))
    def is_restored(self, device: int, back: int, mark: Mark) -> None:
        self.world.restore(self.any_device(device), back, mark)

    @rule(device=picks)
    def is_cloned(self, device: int) -> None:
        if len(self.world.payers) < 8:
            self.world.clone(self.payer(device))

    @rule(device=picks, answered=st.booleans())
    def connects(self, device: int, answered: bool) -> None:
        self.any_device(device).connects(answered=answered)

    @rule()
    def everybody_connects(self) -> None:
        for device in self.world.devices:
            device.connects()

    @rule(hours=st.integers(1, 30))
    def time_goes_by(self, hours: int) -> None:
        began = self.world.server.passes
        first = min(one.not_before for one in began.values())
        self.world.now = min(self.world.now + hours * HOUR, first + _LAST)

    @rule(device=picks, skew=st.integers(-72, 72))
    def a_clock_jumps(self, device: int, skew: int) -> None:
        self.any_device(device).skew = skew * HOUR

    @rule(device=picks)
    def sets_aside(self, device: int) -> None:
        self.payer(device).happens(SetAside)

    @rule(device=picks, faulty=st.booleans())
    def closes(self, device: int, faulty: bool) -> None:
        closing = self.payer(device)
        closing.happens(Closing)
        if not faulty:
            closing.finishes()

    @rule(payee=picks, request=picks)
    def calls_off(self, payee: int, request: int) -> None:
        device = self.world.payees[payee % len(self.world.payees)]
        if requests := device.state.till.requests:
            id = requests[-1 - request % len(requests)].id
            device.happens(lambda now: Cancelled(now, id))
            device.finishes()

    @rule(one=picks, other=picks)
    def a_shop_talks(self, one: int, other: int) -> None:
        payees = self.world.payees
        self.world.gossip(payees[one % len(payees)], payees[other % len(payees)])

    @rule(device=picks)
    def gets_a_new_pass(self, device: int) -> None:
        old = self.payer(device)
        if len(self.world.payers) < 8:
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

    @invariant()
    def the_honest_sign_once(self) -> None:
        """Of what ever left an honest device: one message for each sequence number, and one RECEIPT
        for each PAY."""
        said = defaultdict(set)
        for sender, data in self.world.air:
            if sender.owner in self.world.dishonest:
                continue
            match open_(data).kind:
                case Kind.PAY:
                    pay = Pay.parse(data)
                    said[pay.payer.id, pay.sequence].add(data)
                    said[pay.payer.id, pay.request_hash].add(data)
                case Kind.RECEIPT:
                    said[sender.owner, Receipt.parse(data).pay_hash].add(data)
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
                pay = Pay.parse(request.pay)
                claim = server.claims[pay.hash]
                assert claim.credited + claim.open == request.amount
                if claim.open:
                    assert pay.payer.id in server.frozen
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
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)


def play(number: int, games: int, steps: int) -> None:
    """So many games of so many steps, all following from `number`."""
    run = seed(number)(Game)
    run_state_machine_as_test(
        run, settings=settings(_SETTINGS, max_examples=games, stateful_step_count=steps)
    )


def test_a_while() -> None:
    play(1, 60, 40)
