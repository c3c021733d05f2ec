"""What terminals tell each other of the issuer: newer keys and lists of revoked passes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.terminal.shops import BUDI, DAY, SARI, Issuer, Shop, meet, paid, provide

from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.messages import IssuerKeys, Revocations

NOW = 1_800_000_000
REVOKED = bytes(16)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(NOW)


@pytest.fixture
async def shops(tmp_path: Path, issuer: Issuer) -> AsyncIterator[tuple[Shop, Shop]]:
    """Sari was online a week ago for the last time. Since then there is another key, which signed
    Budi's pass, and a pass was revoked."""
    issuer.now -= 7 * DAY
    old = issuer.known()
    issuer.now = NOW
    issuer.rotate()
    both = []
    for phone, name, known in (
        (SARI, "Toko Sari", old),
        (BUDI, "Budi", issuer.known(revoked=(REVOKED,))),
    ):
        shop = Shop(tmp_path / name, phone, lambda: NOW)
        await provide(shop.journal, issuer, phone, name, 5_000, known)
        await shop.restart()
        both.append(shop)
    yield both[0], both[1]
    for shop in both:
        shop.journal.close()


def known(shop: Shop) -> Known:
    found = shop.machines.known
    assert found is not None
    return found


def rows(shop: Shop) -> list[str]:
    """All that is in its journal."""
    return list(shop.journal._database.iterdump())


@pytest.mark.parametrize("is_sari_first", [True, False])
async def test_who_was_offline_for_a_week_learns_from_another(
    shops: tuple[Shop, Shop], is_sari_first: bool
) -> None:
    sari, budi = shops
    before = rows(budi)
    await meet(*(shops if is_sari_first else (budi, sari)))
    assert rows(budi) == before
    await sari.restart()
    assert known(sari).news == known(budi).news
    assert known(sari).revoked == (REVOKED,)
    await paid(sari, budi)


async def test_before_it_learns_it_believes_no_pass_of_the_new_key(
    shops: tuple[Shop, Shop],
) -> None:
    sari, budi = shops
    await budi.machines.ask(SARI, 100)
    await sari.machines.received(budi.sent.pop())
    assert sari.refusals == [Refusal.UNKNOWN_ISSUER]


async def test_a_terminal_without_a_pass_learns_too(tmp_path: Path, issuer: Issuer) -> None:
    shop = Shop(tmp_path, SARI, lambda: NOW)
    await shop.machines.take_known(issuer.known())
    for message in issuer.known(revoked=(REVOKED,)).news:
        await shop.machines.received(message)
    await shop.restart()
    assert known(shop).revoked == (REVOKED,)
    shop.journal.close()


async def test_forged_and_older_news_change_nothing(
    shops: tuple[Shop, Shop], issuer: Issuer
) -> None:
    sari, budi = shops
    await meet(sari, budi)
    forger = Issuer(NOW + 60)
    keys = IssuerKeys.parse(known(budi).keys)
    newest = Revocations(epoch=99, since=0, time=NOW + 60, passes=())
    before = rows(sari)
    for message in (
        replace(keys, serial=9).sealed_by(forger.root),
        replace(keys, serial=9).sealed_by(issuer.key),
        newest.sealed_by(forger.key),
        newest.sealed_by(issuer.root),
        newest.sealed_by(issuer.key)[:-1] + b"\0",
        replace(newest, time=NOW - DAY).sealed_by(issuer.key),
        replace(newest, since=98).sealed_by(issuer.key),
        Revocations(epoch=1, since=0, time=NOW - DAY, passes=()).sealed_by(issuer.key),
    ):
        await sari.machines.received(message)
    assert rows(sari) == before
    assert not sari.refusals
    assert known(sari).revoked == (REVOKED,)
    await paid(sari, budi)


async def test_a_flood_of_old_news_is_not_listened_to(
    shops: tuple[Shop, Shop], issuer: Issuer
) -> None:
    sari, budi = shops
    await meet(sari, budi)
    old = known(sari).news
    later = Revocations(epoch=3, since=2, time=NOW, passes=(REVOKED,)).sealed_by(issuer.key)
    before = rows(sari)
    for _ in range(500):
        for message in old:
            await sari.machines.received(message)
    await sari.machines.received(later)
    assert rows(sari) == before
    assert not sari.views
    await paid(sari, budi)

    await sari.machines.greet()  # the next line
    sari.sent.clear()
    await sari.machines.received(later)
    assert known(sari).epoch == 3


async def test_what_is_learnt_while_the_line_is_open_goes_over_once(
    shops: tuple[Shop, Shop], issuer: Issuer
) -> None:
    sari, budi = shops
    assert len(await meet(sari, budi)) == 4
    for shop in shops:
        await shop.machines.hand_on()
        assert not shop.sent
    await paid(sari, budi)
    later = Revocations(epoch=3, since=2, time=NOW, passes=(bytes(15) + b"\1",))
    await budi.machines.learn(later.sealed_by(issuer.key))
    await budi.machines.hand_on()
    [message] = budi.sent
    await sari.machines.received(message)
    assert known(sari).epoch == 3
    await sari.machines.hand_on()
    assert not sari.sent
