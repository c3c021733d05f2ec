"""What the vectors do not say of chains: how much a pass may receive to pass it on."""

import pytest
from tests.offline import samples
from tests.offline.chained import asks, given, holder, passed_on, pays
from tests.offline.samples import octets

from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.chain import Chain


def test_the_longest_pay() -> None:
    sources = tuple(octets(f"source {number}", 32) for number in range(4))
    assert len(samples.largest_pay(sources=sources).raw) == chain.PAY_LONGEST


def test_what_came_is_a_link_to_what_is_paid_next() -> None:
    link = passed_on("ann", "ben", "payer")
    came = Chain(link.pay, link.sources).raw
    assert chain.received(came, link.invite.raw).raw == link.raw
    with pytest.raises(Malformed):
        chain.received(came, asks(holder("payer"), 150, 2).raw)


@pytest.mark.parametrize("data", [b"", b"\xd2", b"\x80", b"\x81\x41\xd2"])
def test_what_is_no_link(data: bytes) -> None:
    with pytest.raises(Malformed):
        chain.read_link(data)


def test_a_pay_alone_is_no_link() -> None:
    link = given(holder("ann"), holder("payer"), 50)
    with pytest.raises(Malformed):
        chain.read_link(link.pay.raw)


def test_as_much_fits_as_travels_with_the_largest_pay() -> None:
    names = [f"holder {number}" for number in range(20)]
    ways = (passed_on(*names[:number], "payer") for number in range(1, 20))
    fitting = [link for link in ways if chain.fits([link])]
    assert chain.fits([fitting[-1], *fitting[-1].sources])  # what they share counts once
    pay = pays(holder("payer"), asks(holder("payee"), 150), fitting[-1])
    longest = len(Chain(pay, (fitting[-1],)).raw) - len(pay.raw) + chain.PAY_LONGEST
    assert chain.LONGEST - 900 < longest <= chain.LONGEST
