"""Chains that nobody wrote: some in order, others with one thing or two that are not, all of it
signed. All of it follows from the `Random` that is given."""

from random import Random
from typing import Any, Final

from tests.offline import samples, scripts
from tests.offline.chained import PASSING, asks, holder, pays
from tests.offline.mutations import spoilt_chain
from tests.offline.samples import DAY, NOW, PAYER_PHONE, octets
from tests.offline.scripts import Script

from tikiwallet.offline.exchange.effects import Asked, Received, Seen, Store
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.till import Taken
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.chain import Chain, Link
from tikiwallet.offline.wire.messages import Invite, Pass

SHOWN: Final = 25  # at one till
_NAMES: Final = ("ann", "ben", "cem", "dan", "payer")
_Changes = tuple[dict[str, Any], ...]
_PASS: Final[_Changes] = (
    {"amount": 0},
    {"amount": 5_000},
    {"limits": PASSING._replace(hops=0)},
    {"limits": PASSING._replace(hops=1)},
    {"limits": PASSING._replace(payments=1)},
    {"limits": PASSING._replace(most_per_payment=60)},
    {"expiry": NOW + 60},
    {"expiry": NOW + 10},
    {"start_sequence": 2},
    {"currency": 840},
    {"payee_lock": octets("lock", 8)},
    {"id": samples.revocations().passes[1]},
    {"id": octets("another pass")},
)
_INVITE: Final[_Changes] = (
    {"amount": 61},
    {"currency": 840},
    {"made_at": NOW + 5 * DAY},
    {"request_id": octets("request")},
)
_PAY: Final[_Changes] = (
    {"amount": 59},
    {"cumulative": 600},
    {"cumulative": 200},
    {"sequence": 2},
    {"sequence": 30},
    {"previous": octets("another", 32)},
    {"payee_pass": octets("somebody")},
    {"time": NOW + 31},
)


def at_a_till(chance: Random) -> Script[Payee]:
    """A till that is shown chains, and takes what it may."""
    script = scripts.payee()
    asked = _invites(script, 0)
    for number in range(SHOWN):
        data = _shown(asked, chance)
        script.do(lambda now, data=data: Received(now, data))  # type: ignore[misc]
        if Store() in script.last:
            _accepts(script)
            asked = _invites(script, number + 1)
        elif chance.random() < 0.1:
            seen = Taken.of(_links(holder("payer"), 1, chance)[0].pay)
            script.do(lambda now, seen=seen: Seen(now, seen))  # type: ignore[misc]
            if Store() in script.last:
                script.store()
    return script


def _invites(script: Script[Payee], number: int) -> Invite:
    request = octets(f"till's request {number}")
    script.do(lambda now: Asked(now, request, PAYER_PHONE, 150))
    script.sign()
    script.store()
    return Invite.parse(script.sent)


def _accepts(script: Script[Payee]) -> None:
    script.store()
    script.sign()
    script.store()


def _shown(asked: Invite, chance: Random) -> bytes:
    payer = _pass("payer", chance)
    sources = _links(payer, chance.choice((1, 1, 2, 3, 4)), chance)
    pay = pays(payer, asked, *sources, **_some(_PAY, chance, 0.05))
    try:
        data = Chain(pay, tuple(sources)).raw
    except Malformed:  # too much for a bundle
        return pay.raw
    return spoilt_chain(data, chance) if chance.random() < 0.05 else data


def _links(payee: Pass, depth: int, chance: Random) -> list[Link]:
    """What `payee` received, none of it further back than `depth`."""
    links: dict[bytes, Link] = {}
    for number in range(chance.choice((1, 1, 1, 2, 4))):
        payer = _pass(chance.choice([one for one in _NAMES if one != payee.name.lower()]), chance)
        before = _links(payer, depth - 1, chance) if depth > 1 and chance.random() < 0.7 else []
        link = _link(payer, payee, number, before, chance)
        links.setdefault(link.pay.hash, link)
    return list(links.values())


def _link(payer: Pass, payee: Pass, number: int, before: list[Link], chance: Random) -> Link:
    amount = chance.choice((60, 80, 150))
    asked = asks(payee, **{"amount": amount, "number": number, **_some(_INVITE, chance, 0.02)})
    pay = pays(payer, asked, *before, **_some(_PAY, chance, 0.02))
    return Link(pay=pay, invite=asked, sources=tuple(before))


def _pass(name: str, chance: Random) -> Pass:
    """One of many, so that its payments seldom contradict others."""
    id = octets(f"{name}'s pass {chance.randrange(50)}")
    return holder(name, **{"amount": 150, "id": id, **_some(_PASS, chance, 0.02)})


def _some(changes: _Changes, chance: Random, how_often: float) -> dict[str, Any]:
    return chance.choice(changes) if chance.random() < how_often else {}
