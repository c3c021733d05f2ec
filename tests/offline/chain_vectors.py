"""Chains for the vectors: good ones, and what must be refused, each for one reason."""

from typing import Any, Final

import cbor2
from tests.offline import samples
from tests.offline.chained import asks, given, holder, passed_on, pays

from tikiwallet.offline.wire.chain import LONGEST, Chain, Link
from tikiwallet.offline.wire.messages import Pay, bundled

_ANN, _BEN, _CEM = (holder(name, amount=5_000) for name in ("ann", "ben", "cem"))
_PAYER, _PAYEE = holder("payer"), holder("payee", amount=0)
_ASKED: Final = asks(_PAYEE, 150)


def chains() -> list[dict[str, Any]]:
    """What reads: the PAY and what its payer received make the data."""
    return [_told(name, pay, links) for name, pay, *links in _chains()]


def _told(name: str, pay: Pay, received: list[Link]) -> dict[str, Any]:
    made = Chain(pay, tuple(received))
    return {
        "name": name,
        "pay": pay.raw.hex(),
        "received": [one.raw.hex() for one in received],
        "hops": made.hops,
        "covered": made.covered,
        "links": [one.pay.hash.hex() for one in made.links()],
        "data": made.raw.hex(),
    }


def _chains() -> list[tuple[str, Pay, *tuple[Link, ...]]]:
    one, two = _two()
    shared = _shared()
    three = passed_on("ann", "ben", "cem", "payer")
    four = passed_on("ann", "dan", "ben", "cem", "payer")
    many = _four()
    return [
        ("no source", pays(_PAYER, _ASKED)),
        ("one source", _paid(one), one),
        ("two sources", _paid(one, two), one, two),
        ("four sources", _paid(*many), *many),
        ("a source of a source of a source", _paid(three), three),
        ("a source that two others name", _paid(*shared), *shared),
        ("hops by the longest way", _paid(one, three), one, three),
        ("more hops than any pass allows", _paid(four), four),
    ]


def _paid(*sources: Link) -> Pay:
    return pays(_PAYER, _ASKED, *sources)


def _two() -> tuple[Link, Link]:
    return given(_ANN, _PAYER, 70), given(_BEN, _PAYER, 80, number=2)


def _four() -> list[Link]:
    payers = (holder(name, amount=5_000) for name in ("ann", "ben", "cem", "dan"))
    return [given(payer, _PAYER, 20, number=number) for number, payer in enumerate(payers)]


def _shared() -> tuple[Link, Link]:
    """Ben pays twice with what he had from Ann."""
    ben = holder("ben", amount=10)
    source = given(_ANN, ben, 300)
    first = given(ben, _PAYER, 40, source)
    return first, given(ben, _PAYER, 50, source, after=first.pay, number=2)


def refused() -> dict[str, bytes]:
    """What no chain is."""
    one, two = _two()
    pay, both = _paid(one), _paid(one, two)
    first, second = _shared()
    (source,) = first.sources
    of_two = _paid(first, second)
    other = given(_CEM, _PAYER, 90, number=3)
    good = _raws(pay, one)
    return {
        "nothing": b"",
        "a pay alone that names a source": pay.raw,
        "a bundle of a pay without sources": bundled([pays(_PAYER, _ASKED).raw]),
        "a bundle of a pay alone that names a source": bundled([pay.raw]),
        "a source that is missing": bundled(_raws(both, one)),
        "a source's source that is missing": bundled([*_raws(of_two, first), *_raws(second)]),
        "a source without its invite": bundled(good[:-1]),
        "a source whose invite stands before it": bundled([good[0], good[2], good[1]]),
        "an invite that the source does not answer": bundled([*good[:-1], two.invite.raw]),
        "a source that nobody names": bundled(_raws(pay, one, two)),
        "an invite that nobody needs": bundled([*good, _ASKED.raw]),
        "sources in another order": bundled(_raws(both, two, one)),
        "another source": bundled(_raws(pay, other)),
        "a source at its second place": bundled(_raws(of_two, first, second, source)),
        "a source at both its places": bundled(_raws(of_two, first, source, second, source)),
        "an invite first": bundled([_ASKED.raw, *good[1:]]),
        "a receipt in place of a source": bundled([pay.raw, samples.receipt(one.pay).raw, good[2]]),
        "a pay that cannot be read": bundled([pay.raw[:-1], *good[1:]]),
        "a source that cannot be read": bundled([pay.raw, good[1][:-1], good[2]]),
        "the messages without an array": b"".join(good),
        "an array of no messages": cbor2.dumps([]),
        "a byte too many": bundled(good) + b"\x00",
        f"more than {LONGEST:,} bytes": _too_long(),
    }


def _raws(*held: Pay | Link) -> list[bytes]:
    """The messages of these alone."""
    return [
        raw
        for one in held
        for raw in ([one.raw] if isinstance(one, Pay) else [one.pay.raw, one.invite.raw])
    ]


def _too_long() -> bytes:
    link = passed_on(*(f"holder {number}" for number in range(18)), "payer")
    data = bundled([_paid(link).raw, *cbor2.loads(link.raw)])
    assert LONGEST < len(data) < LONGEST + 900
    return data
