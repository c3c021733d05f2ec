"""Scripted exchanges: what happens to one machine, step by step, and what must come of it.

Each is a test by itself, and is written into traces.json for whoever implements the machines too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar

from tests.offline import samples
from tests.offline.samples import NOW

from tikiwallet.offline.exchange import payee as payee_machine
from tikiwallet.offline.exchange import payer as payer_machine
from tikiwallet.offline.exchange.effects import (
    Declined,
    Effect,
    Event,
    OutOfTurn,
    Restarted,
    Send,
    Show,
    Sign,
    Signed,
    Store,
    Stored,
    Upload,
    View,
)
from tikiwallet.offline.exchange.keeping import kept, written
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.purse import Purse
from tikiwallet.offline.exchange.till import Till
from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import Pass

S = TypeVar("S", Payer, Payee)

_Machine: TypeAlias = Callable[[Any, Event], tuple[Any, tuple[Effect, ...]]]
_KEYS: Final = {key.public: key for key in samples.KEYS.values()}


def machine_of(state: Payer | Payee) -> _Machine:
    """The machine that steps this state."""
    return payer_machine.step if isinstance(state, Payer) else payee_machine.step


@dataclass(frozen=True)
class Done(Generic[S]):
    """One step: the event, the state and the effects that came of it; None when it was out of
    turn."""

    event: Event
    state: S
    effects: tuple[Effect, ...] | None


@dataclass
class Script(Generic[S]):
    """A machine under way. `clock` goes on by a second with each event."""

    state: S
    clock: int = NOW + 61
    done: list[Done[S]] = field(default_factory=list)
    first: S = field(init=False)
    stored: S = field(init=False)
    asked: list[Sign] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = self.stored = self.state

    def do(self, event: Callable[[int], Event]) -> tuple[Effect, ...]:
        """One event, `event(now)`. What was stored is what a restart finds."""
        happened = event(self.clock)
        if isinstance(happened, Restarted):
            self.state = kept(type(self.state), written(self.stored))
        self.state, effects = machine_of(self.state)(self.state, happened)
        if Store() in effects:
            self.stored = self.state
        self.asked += [one for one in effects if isinstance(one, Sign)]
        self.done.append(Done(happened, self.state, effects))
        self.clock += 1
        return effects

    def do_out_of_turn(self, event: Callable[[int], Event]) -> None:
        """One event that must not come now."""
        happened = event(self.clock)
        try:
            machine_of(self.state)(self.state, happened)
        except OutOfTurn:
            self.done.append(Done(happened, self.state, None))
        else:
            raise AssertionError("it was not out of turn")

    def store(self) -> tuple[Effect, ...]:
        """Answer the last step's `Store`, beside which nothing was shown or sent."""
        assert self.last[0] == Store()
        assert all(isinstance(one, Upload) for one in self.last[1:]), self.last
        return self.do(Stored)

    def sign(self, by: PrivateKey | None = None) -> tuple[Effect, ...]:
        """Answer the latest `Sign`, with the key it names or another."""
        asked = self.asked[-1]
        signature = (by or _KEYS[asked.key]).sign(asked.to_sign)
        return self.do(lambda now: Signed(now, asked.hash, signature))

    def decline(self) -> tuple[Effect, ...]:
        """Answer the latest `Sign` with nothing."""
        return self.do(lambda now: Declined(now, self.asked[-1].hash))

    @property
    def last(self) -> tuple[Effect, ...]:
        """What came of the last step that was in turn."""
        return next(one.effects for one in reversed(self.done) if one.effects is not None)

    @property
    def sent(self) -> bytes:
        """What the last step sent."""
        (send,) = (one for one in self.last if isinstance(one, Send))
        return send.data

    @property
    def uploaded(self) -> Upload:
        """What the last step uploads."""
        (upload,) = (one for one in self.last if isinstance(one, Upload))
        return upload

    def shows(self, view: View, refusal: Refusal | None = None) -> None:
        """The last step turned the screen to this."""
        assert Show(view, refusal) in self.last, self.last

    def refuses(self, refusal: Refusal) -> None:
        """The last step did nothing else than to say this."""
        assert self.last == (Show(View.REFUSED, refusal),), self.last

    def nothing(self) -> None:
        """The last step had no effects."""
        assert self.last == (), self.last


def known(*, listed: bool = True) -> Known:
    """What a device knows that was online a minute ago, or never got a list."""
    fresh = Known(samples.ROOT.public, samples.issuer_keys().raw).signed(NOW - samples.DAY)
    return fresh.learn(samples.revocations()) if listed else fresh


def payer(own: Pass | None = None) -> Script[Payer]:
    """A payer with an unused pass of 5,000, at most 1,000 a payment."""
    return Script(Payer(known(), Purse.of(own or samples.issued("payer"))))


def payee(own: Pass | None = None, *, listed: bool = True) -> Script[Payee]:
    """A payee who asked nobody yet."""
    own = own or samples.issued("payee", amount=0, name="Mei Ling")
    return Script(Payee(known(listed=listed), Till(own.raw)))


def pass_of(whose: str, **changed: object) -> Pass:
    """The sample's pass with other members, issued."""
    amount = 0 if whose == "payee" else 5_000
    name = "Mei Ling" if whose == "payee" else samples.HINDI
    made = replace(samples.issued(whose, amount=amount, name=name), **changed)  # type: ignore[arg-type]
    return Pass.parse(made.sealed_by(samples.ISSUER))
