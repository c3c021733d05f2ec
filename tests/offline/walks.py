"""Exchanges that nobody wrote: a payer and a payee meet at random, lose, repeat and mistake what
they say, start again, and jump in time. All of it follows from the `Random` that is given."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from tests.offline import samples, scripts
from tests.offline.chained import given, holder
from tests.offline.mutations import spoilt_chain
from tests.offline.near import near_message
from tests.offline.samples import DAY, NOW, PAYEE_PHONE, PAYER_PHONE, octets
from tests.offline.scripts import Script

from tikiwallet.offline.exchange.effects import (
    Asked,
    Cancelled,
    Closing,
    Confirmed,
    Declined,
    Event,
    Gained,
    Outcome,
    Outcomes,
    Received,
    Renewed,
    Restarted,
    Seen,
    Send,
    SetAside,
    Sign,
    Signed,
    Stored,
    Synced,
    Tick,
    Typed,
)
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.purse import Tip
from tikiwallet.offline.exchange.till import Taken
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.messages import (
    Pass,
    Pay,
    Revocations,
    bundled,
    read,
    unbundled,
)

STEPS: Final = 120
_PHONES: Final = (PAYER_PHONE, PAYEE_PHONE, "91234567")
_JUMPS: Final = (0,) * 400 + (-60, 60, 119, 120, 121) * 2 + (DAY - 60, DAY, 30 * DAY)
_SUMS: Final = (1, 150, 150, 275, 275, 999, 1_000) * 2 + (0, 1_001)
_MEMOS: Final = ("", "चाय", "a" * 24) * 5 + ("a" * 25, "a\n")


def walk(chance: Random) -> tuple[Script[Payer], Script[Payee]]:
    """Both sides of one."""
    payments = chance.choice((1, 3, 20))
    lock = chance.choice(
        (None, None, None, None, octets("lock", 8), octets("payee's pseudonym", 8))
    )
    limits = samples.LIMITS._replace(payments=payments, hops=chance.choice((0, 1, 3)))
    amount = chance.choice((5_000, 100, 100)) if limits.hops else 5_000
    own = scripts.pass_of("payer", amount=amount, limits=limits, payee_lock=lock)
    payer = scripts.payer(own)
    payee = scripts.payee(listed=chance.random() < 0.9)
    strange = _overheard(payer)
    gifts = _gifts(own)
    sides = (_Side(payer, payee, strange, gifts), _Side(payee, payer, strange, gifts))
    for gift in gifts[: chance.choice((0, 1, 2, 3))]:
        _takes(payer, gift)
    for _ in range(STEPS - len(payer.done)):
        _go_on(chance.choice(sides), chance)
    return payer, payee


def _takes(payer: Script[Payer], gift: bytes) -> None:
    payer.do(lambda now: Gained(now, gift))
    if payer.state.storing is not None:
        payer.do(Stored)


@dataclass(frozen=True)
class _Side:
    """Who is asked to go on, whom it hears, what else is in the air, and with what others pay the
    payer."""

    script: Script[Any]
    other: Script[Any]
    strange: list[bytes]
    gifts: list[bytes]

    @property
    def heard(self) -> list[bytes]:
        """All that the other side said, the latest last."""
        every = (effect for done in self.other.done for effect in done.effects or ())
        return [one.data for one in every if isinstance(one, Send)]

    @property
    def pays(self) -> list[Pay]:
        """All payments in the air."""
        every = map(chain.message, (*self.strange, *self.heard))
        return [message for message in every if isinstance(message, Pay)]


def _go_on(side: _Side, chance: Random) -> None:
    script = side.script
    script.clock = max(NOW, script.clock + chance.choice(_JUMPS))
    event = _event(side, chance)
    is_answer = isinstance(event(0), Stored)
    if (script.state.storing is not None) != is_answer and not isinstance(event(0), Restarted):
        script.do_out_of_turn(event)
    else:
        script.do(event)


def _overheard(payer: Script[Payer]) -> list[bytes]:
    """Messages that neither side of the walk made."""
    own = payer.state.purse.holder.id
    news = Revocations(epoch=8, since=7, time=NOW + 40, passes=(own,))
    return [
        samples.invite().raw,
        samples.pay().raw,
        samples.next_pay(samples.pay()).raw,
        samples.receipt().raw,
        samples.void().raw,
        samples.issued().raw,
        samples.issuer_keys(4).raw,
        *(samples.revocations().raw, replace(news, passes=()).sealed_by(samples.ISSUER)) * 4,
        news.sealed_by(samples.ISSUER),
    ]


def _gifts(own: Pass) -> list[bytes]:
    """What others may have paid the payer with; the last of it is not for this pass, or was not to
    be taken."""
    ann, ben = holder("ann", amount=500), holder("ben")
    first = given(ann, own, 100)
    second = given(ann, own, 200, after=first.pay, number=2)
    source = given(ann, ben, 150, after=second.pay)
    third = given(ben, own, 250, source, number=3)
    revoked = holder("cem", id=samples.revocations().passes[1])
    links = [
        *(first, second, third) * 3,
        given(holder("dan", expiry=NOW + DAY), own, 90, number=4),
        given(holder("eve"), own, 80, given(holder("fay"), holder("eve"), 20), number=5),
        given(ann, own, 201, after=first.pay, number=6),  # in the place of another one
        given(revoked, own, 70, number=7),
        given(ann, ben, 100),
    ]
    return [link.raw for link in links]


def _event(side: _Side, chance: Random) -> Callable[[int], Event]:
    """What happens next, mostly what moves things on."""
    script = side.script
    if script.state.storing is not None and chance.random() < 0.9:
        return Stored
    is_asked = script.done and any(isinstance(one, Sign) for one in script.done[-1].effects or ())
    if script.asked and chance.random() < (0.8 if is_asked else 0.02):
        return _answer(script.asked[-1], chance)
    if chance.random() < 0.1:
        return _of_the_device(side, chance)
    data = _heard(side, chance)
    if chance.random() < 0.4:
        return lambda now: Received(now, data)
    return _of_payer(side, chance) if isinstance(script.state, Payer) else _of_payee(side, chance)


def _answer(asked: Sign, chance: Random) -> Callable[[int], Event]:
    if chance.random() < 0.1:
        return lambda now: Declined(now, asked.hash)
    right = next(key for key in samples.KEYS.values() if key.public == asked.key)
    signature = chance.choice((right,) * 9 + (samples.ROOT,)).sign(asked.to_sign)
    return lambda now: Signed(now, asked.hash, signature)


def _of_the_device(side: _Side, chance: Random) -> Callable[[int], Event]:
    """What happens to both: time, the server, a new start."""
    state = side.script.state
    tip = state.purse.tip if isinstance(state, Payer) else Tip(0, b"", 0)
    pays = (*side.pays, *map(chain.head, side.gifts[:5]))
    hash = chance.choice([tip.hash, octets("no payment", 32), *(pay.hash for pay in pays)])
    outcome = chance.choice(list(Outcomes))
    sequence = chance.choice((0, 0, tip.sequence, tip.sequence, tip.sequence + 1))
    ended = chance.random() < 0.3
    server = Tip(sequence, chance.choice((tip.hash, tip.hash, tip.hash, hash)), tip.cumulative)
    seen = chance.choice((0, tip.sequence, tip.sequence, tip.sequence, tip.sequence + 1, None))
    return chance.choice(
        (
            Tick,
            Stored,
            *(lambda now: Outcome(now, hash, outcome),) * 4,
            *(lambda now: Synced(now, server.sequence, server.hash, server.cumulative, ended),) * 2,
            *(lambda now: Restarted(now, seen),) * 4,
        )
    )


def _of_payer(side: _Side, chance: Random) -> Callable[[int], Event]:
    phone = chance.choice((PAYEE_PHONE,) * 5 + _PHONES)
    gift = chance.choice(side.gifts)
    if chance.random() < 0.05:
        gift = spoilt_chain(gift, chance)
    return chance.choice(
        (
            *(lambda now: Typed(now, phone),) * 6,
            *(Confirmed,) * 6,
            *(SetAside,) * 2,
            *(lambda now: Gained(now, gift),) * 3,
            Closing if chance.random() < 0.1 else Confirmed,
        )
    )


def _of_payee(side: _Side, chance: Random) -> Callable[[int], Event]:
    request = octets(f"request {chance.randint(1, 20)}")
    phone = chance.choice((PAYER_PHONE,) * 9 + _PHONES)
    amount, memo = chance.choice(_SUMS), chance.choice(_MEMOS)
    own = scripts.pass_of("payee", id=octets(f"pass {chance.randint(1, 3)}"))
    taken = Taken.of(_other(chance.choice(side.pays), chance))
    return chance.choice(
        (
            *(lambda now: Asked(now, request, phone, amount, memo),) * 9,
            *(lambda now: Cancelled(now, request),) * 2,
            lambda now: Seen(now, taken),
            lambda now: Renewed(now, own.raw),
        )
    )


def _heard(side: _Side, chance: Random) -> bytes:
    """Mostly what was said last; at times spoilt, or what a payer says whose store went back."""
    heard = side.heard
    if not heard or chance.random() < 0.1:
        return chance.choice(side.strange)
    data = heard[-1] if chance.random() < 0.8 else chance.choice(heard)
    if data[:1] != b"\xd2":
        return _heard_chain(data, chance)
    if chance.random() < 0.05:
        return near_message(data, chance)
    message = read(data)
    if isinstance(message, Pay) and chance.random() < 0.1:
        return _other(message, chance).raw
    return data


def _heard_chain(data: bytes, chance: Random) -> bytes:
    """A PAY with what it passes on, at times with something else in one place."""
    if chance.random() < 0.1:
        return spoilt_chain(data, chance)
    messages = list(unbundled(data))
    if chance.random() < 0.1:
        messages[0] = _other(chain.head(data), chance).raw
    if chance.random() < 0.1:
        place = chance.randrange(len(messages))
        messages[place] = near_message(messages[place], chance)
    return bundled(messages)


def _other(pay: Pay, chance: Random) -> Pay:
    """Another PAY for the same request."""
    sources = (pay.sources,) * 9 + ((bytes(32),),)
    made = replace(
        pay,
        sequence=chance.choice((pay.sequence, pay.sequence + 1, 1)),
        previous=chance.choice((pay.previous, pay.payer.hash, pay.hash)),
        cumulative=pay.amount + chance.choice((0, pay.cumulative - pay.amount, 150, 5_000)),
        sources=chance.choice(sources),
    )
    return Pay.parse(made.sealed_by(samples.PAYER))
