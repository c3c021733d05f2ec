"""What a terminal hands in at once."""

from tests.offline.chained import given, holder, passed_on

from tikiwallet.offline.exchange.effects import Item
from tikiwallet.offline.wire.chain import Link
from tikiwallet.terminal.sync import uploads


def waiting(links: list[Link]) -> dict[bytes, Item]:
    items = [Item(invite=one.invite.raw, pay=one.pay.raw) for one in links]
    return {item.pay: item for item in items}


def test_a_payment_goes_with_all_that_it_passes_on() -> None:
    last = passed_on("ann", "ben", "cem", "payer")
    other = [given(holder(f"holder {number}"), holder("payer"), 50) for number in range(98)]
    all_of_it = waiting([*last.links()[:1], *other, *last.links()[1:], last])
    parts = list(uploads(all_of_it))
    assert [len(part) for part in parts] == [100, 3]
    assert list(parts[1]) == [one.pay.raw for one in (*last.links(), last)]
    assert {place: item for part in parts for place, item in part.items()} == all_of_it


def test_hundred_go_at_once() -> None:
    items = [Item(close=bytes([number])) for number in range(150)]
    parts = list(uploads({item.close: item for item in items}))
    assert [item for part in parts for item in part.values()] == items
    assert [len(part) for part in parts] == [100, 50]
    assert not list(uploads({}))
