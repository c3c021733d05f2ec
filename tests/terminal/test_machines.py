"""Two terminals' machines over a wire that the test holds, with restarts in between."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.terminal.shops import BUDI, SARI, Issuer, Shop, asked, paid, provide

from tikiwallet.offline.exchange.effects import Outcomes, View
from tikiwallet.offline.exchange.purse import Doubt
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.cose import Kind, open_
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import Pay
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.machines import Machines
from tikiwallet.terminal.receipt import Deal, text

NOW = 1_800_000_000
TOMO = "+819012345678"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(NOW)


@pytest.fixture
async def shops(tmp_path: Path, issuer: Issuer) -> AsyncIterator[tuple[Shop, Shop]]:
    """Sari, who is paid, and Budi, who pays; both have 50.00."""
    both = []
    for phone, name in ((SARI, "Toko Sari"), (BUDI, "Budi")):
        shop = Shop(tmp_path / name, phone, lambda: NOW)
        await provide(shop.journal, issuer, phone, name, 5_000)
        await shop.restart()
        both.append(shop)
    yield both[0], both[1]
    for shop in both:
        shop.journal.close()


async def test_a_payment(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await paid(sari, budi)
    assert sari.views == [View.ASKING, View.ACCEPTED]
    assert budi.views == [View.TYPE_NUMBER, View.REVIEW, View.SENDING, View.ACCEPTED]
    assert budi.left == 3_750
    assert len(sari.machines.outbox.items) == len(budi.machines.outbox.items) == 1


async def test_receipts_tell_what_was_paid(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await paid(sari, budi)
    [taken], [made] = sari.machines.deals(), budi.machines.deals()
    assert taken.hash == made.hash
    assert text(taken, "Toko Sari").splitlines()[:7] == [
        "               Toko Sari",
        "                RECEIPT",
        "-" * 40,
        "From                                Budi",
        "Amount                         INR 12.50",
        "For                          nasi goreng",
        "Time                2027-01-15 08:00 UTC",
    ]
    assert "To                             Toko Sari" in text(made, "Budi")


async def test_back_the_other_way(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await paid(sari, budi)
    await paid(budi, sari, 400)
    assert (sari.left, budi.left) == (4_600, 3_750)
    assert len(sari.machines.deals()) == 2


async def test_restarts_anywhere_forget_nothing(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await asked(sari, budi)
    await budi.machines.confirmed()
    pay = budi.takes(Kind.PAY)
    await budi.restart()
    assert budi.takes(Kind.PAY) == pay
    assert budi.left == 3_750

    await sari.restart()
    await sari.machines.received(pay)
    receipt = sari.takes(Kind.RECEIPT)
    await sari.restart()
    await sari.machines.received(pay)
    assert sari.takes(Kind.RECEIPT) == receipt

    await budi.machines.received(receipt)
    await budi.restart()
    assert not budi.sent
    [deal] = budi.machines.deals()
    assert deal.state == "receipted"


async def test_a_line_that_opens_again_brings_the_same_bytes(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await sari.machines.ask(budi.phone, 1_250)
    invite = sari.takes(Kind.INVITE)
    await sari.machines.greet()
    assert invite in sari.sent
    await budi.machines.received(invite)
    await budi.machines.typed(sari.phone)
    await budi.machines.confirmed()
    pay = budi.takes(Kind.PAY)
    await budi.machines.greet()
    assert budi.sent.pop() == pay
    assert [open_(one).kind for one in budi.sent] == [Kind.KEYS, Kind.REVOCATIONS]


@pytest.fixture
async def tomo(tmp_path: Path, issuer: Issuer) -> AsyncIterator[Shop]:
    """Who has 50.00 and may pass on what he is paid with."""
    shop = Shop(tmp_path / "Tomo", TOMO, lambda: NOW)
    await provide(shop.journal, issuer, TOMO, "Tomo", 5_000, hops=1)
    await shop.restart()
    yield shop
    shop.journal.close()


async def test_what_was_received_is_spent_on(shops: tuple[Shop, Shop], tomo: Shop) -> None:
    sari, budi = shops
    await paid(tomo, budi, 2_000)
    assert tomo.left == 7_000
    await tomo.restart()
    assert tomo.left == 7_000
    await asked(sari, tomo, 6_000)
    await tomo.machines.confirmed()
    passed = tomo.takes(Kind.PAY)
    await tomo.machines.greet()
    assert passed in tomo.sent
    await tomo.restart()
    assert tomo.takes(Kind.PAY) == passed
    await sari.machines.received(passed)
    await tomo.machines.received(sari.takes(Kind.RECEIPT))
    assert (tomo.left, tomo.views[-1]) == (1_000, View.ACCEPTED)
    for shop in (sari, tomo):
        uploaded = [Pay.parse(one.pay) for one in shop.machines.outbox.items.values()]
        assert [pay.amount for pay in uploaded] == [2_000, 6_000]
    assert [deal.amount for deal in sari.machines.deals()] == [6_000]
    await sari.restart()
    assert [deal.amount for deal in sari.machines.deals()] == [6_000]
    assert sari.left == 5_000  # its pass has no hops


async def test_power_is_lost_before_the_purse_heard_of_it(
    shops: tuple[Shop, Shop], tomo: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unheard(_machines: Machines, _request: object) -> None:
        pass

    with monkeypatch.context() as patch:
        patch.setattr(Machines, "_gain", unheard)
        await paid(tomo, shops[1], 2_000)
    assert tomo.left == 5_000
    await tomo.restart()
    assert tomo.left == 7_000


@pytest.mark.parametrize("word", [Outcomes.PARTIAL, Outcomes.REJECTED, Outcomes.VOIDED])
async def test_what_turned_out_to_be_worth_less_is_not_spent_on(
    shops: tuple[Shop, Shop], tomo: Shop, word: Outcomes
) -> None:
    await paid(tomo, shops[1], 2_000)
    [deal] = tomo.machines.deals()
    await tomo.machines.outcome(deal.hash, word)
    assert tomo.left == 5_000
    await tomo.restart()
    assert tomo.left == 5_000


async def test_revocations_spread_when_terminals_meet(
    shops: tuple[Shop, Shop], issuer: Issuer
) -> None:
    sari, budi = shops
    own = budi.machines.own
    assert own is not None
    for message in issuer.known(revoked=(own.id,)).lists:
        await sari.machines.received(message)
    await asked(sari, budi)
    await budi.machines.confirmed()
    await sari.machines.received(budi.takes(Kind.PAY))
    assert sari.refusals == [Refusal.REVOKED]
    await sari.restart()
    assert sari.machines.known is not None
    assert sari.machines.known.revoked == (own.id,)


@pytest.mark.parametrize(
    ("amount", "phone", "refusal"),
    [(6_000, SARI, Refusal.NOT_ENOUGH), (100, BUDI, Refusal.WRONG_NUMBER)],
)
async def test_refusals_are_shown(
    shops: tuple[Shop, Shop], amount: int, phone: str, refusal: Refusal
) -> None:
    sari, budi = shops
    await sari.machines.ask(budi.phone, amount)
    await budi.machines.received(sari.takes(Kind.INVITE))
    await budi.machines.typed(phone)
    assert refusal in budi.refusals
    assert budi.left == 5_000


async def test_without_its_key_nothing_is_signed(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await asked(sari, budi)
    for key, _ in budi.journal.all(Shelf.KEY):
        budi.journal.write(Change(Shelf.KEY, key, None))
    await budi.machines.confirmed()
    assert budi.refusals == [Refusal.KEY_FAILED]
    assert not budi.sent


async def test_what_is_no_message_is_told(shops: tuple[Shop, Shop]) -> None:
    sari, _ = shops
    for data in (b"", b"\xd2", bytes(16_000), b"hello"):
        await sari.machines.received(data)
    assert sari.refusals == [Refusal.UNREADABLE] * 4


async def test_a_recovered_journal_pays_no_more(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await paid(sari, budi)
    budi.journal.close()
    path = budi.folder / "journal.sqlite"
    path.write_bytes(path.read_bytes()[:-4_096])
    budi.journal = Journal.recover(budi.folder)
    budi.machines = Machines(budi.journal, send=budi._send, shown=budi._shown, clock=lambda: NOW)
    assert await budi.machines.start()
    for _ in range(2):
        payer = budi.machines.payer
        assert payer is None or payer.purse.doubt is Doubt.LOST
        await budi.restart()


async def test_the_servers_word_is_kept(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await paid(sari, budi)
    [deal] = sari.machines.deals()
    for shop in shops:
        await shop.machines.outcome(deal.hash, Outcomes.CREDITED)
        await shop.restart()
    assert [one.state for one in sari.machines.deals()] == ["credited"]
    assert [one.state for one in budi.machines.deals()] == ["settled"]


async def test_a_new_pass_leaves_the_old_ones_payments(
    shops: tuple[Shop, Shop], issuer: Issuer
) -> None:
    sari, budi = shops
    await paid(sari, budi)
    key = PrivateKey.generate()
    budi.journal.write(Change(Shelf.KEY, key.public, key.to_bytes()))
    own = issuer.issue(PublicKey(key.public), BUDI, "Budi", 900)
    assert budi.machines.known is not None
    await budi.machines.take_pass(budi.machines.known, own)
    assert budi.left == 900
    await paid(sari, budi, 100)
    await budi.restart()
    assert budi.left == 800
    assert {deal.amount for deal in budi.machines.deals()} == {1_250, 100}
    assert len(budi.machines.outbox.items) == 2


async def test_old_requests_become_receipts(shops: tuple[Shop, Shop]) -> None:
    sari, budi = shops
    await paid(sari, budi)
    [deal] = sari.machines.deals()
    await sari.machines.outcome(deal.hash, Outcomes.CREDITED)
    await sari.machines.synced(NOW + 40 * 86_400)
    assert sari.journal.all(Shelf.REQUEST) == []
    assert sari.journal.all(Shelf.SEEN) == []
    await sari.restart()
    assert [one.hash for one in sari.machines.deals()] == [deal.hash]
    assert isinstance(sari.machines.deals()[0], Deal)
