"""Devices: registered, named, revoked, and what the others of their owner are told."""

import asyncio
from typing import Any

import pytest
from tests.identity.authenticator import Authenticator
from tests.identity.factors import add
from tests.offline.bank import SGD, Bank

from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity.passkeys import NoPasskey
from tikiwallet.identity.resealing import reseal
from tikiwallet.identity.sealing import Sealing, add_key
from tikiwallet.notify.notices import Notices
from tikiwallet.offline.devices import DEVICES_MAX, DeviceRevoked, DevicesFull
from tikiwallet.offline.records import Kind, PassRecord, PassState, Protection, Reason
from tikiwallet.offline.sealed import DEVICE_NAME
from tikiwallet.offline.wire.messages import Pass, Revocations


async def revoked(bank: Bank, since: int = 0) -> Revocations:
    return Revocations.parse((await bank.offline.revocations.since(since)).message)


async def test_what_keeps_the_keys_decides_the_tier(bank: Bank) -> None:
    phone = (await bank.handset()).device
    assert (phone.tier, phone.pseudonym, phone.last_sync_at) == (0, None, phone.created_at)
    shop = (await bank.handset(kind=Kind.TERMINAL, protection=Protection.FILE)).device
    assert (shop.tier, len(shop.pseudonym or b"")) == (2, 8)
    with pytest.raises(NoPasskey):
        await bank.handset(protection=Protection.PASSKEY)
    ana = await bank.identity.people.person(bank.ana)
    assert ana is not None
    await add(bank.identity, ana, Authenticator("http://localhost:8000"))
    assert (await bank.handset(protection=Protection.PASSKEY)).device.tier == 1
    limits = [await bank.offline.limits.of(SGD, tier) for tier in (0, 1, 2)]
    assert limits[0].most_per_pass < limits[1].most_per_pass
    assert limits[1] == limits[2]


@pytest.mark.parametrize(
    ("kind", "protection"),
    [
        (Kind.PHONE, Protection.FILE),
        (Kind.TERMINAL, Protection.PIN),
        (Kind.TERMINAL, Protection.PASSKEY),
    ],
)
async def test_not_every_protection_fits(bank: Bank, kind: Kind, protection: Protection) -> None:
    with pytest.raises(InvalidRequest, match="are kept by"):
        await bank.handset(kind=kind, protection=protection)


async def test_there_are_not_too_many(bank: Bank) -> None:
    phones = [await bank.handset() for _ in range(DEVICES_MAX)]
    with pytest.raises(DevicesFull):
        await bank.handset()
    await bank.handset(bank.ben)
    await bank.offline.devices.revoke(bank.ana, phones[0].device.id, Reason.REPLACED)
    await bank.handset()
    assert len(await bank.offline.devices.of_person(bank.ana)) == DEVICES_MAX + 1


async def test_nor_when_they_come_at_once(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(DEVICES_MAX - 1):
        await bank.handset()
    record = bank.identity.events.record

    async def slowly(*arguments: Any, **facts: Any) -> int:
        await asyncio.sleep(0.2)  # each would be added before the other commits
        return await record(*arguments, **facts)

    monkeypatch.setattr(bank.identity.events, "record", slowly)
    made = await asyncio.gather(bank.handset(), bank.handset(), return_exceptions=True)
    assert sum(isinstance(one, DevicesFull) for one in made) == 1
    assert len(await bank.offline.devices.of_person(bank.ana)) == DEVICES_MAX


async def test_names_are_sealed_and_ones_own(bank: Bank) -> None:
    phone = (await bank.handset()).device
    assert (await bank.offline.devices.rename(bank.ana, phone.id, "Old one")).name == "Old one"
    for change in (
        bank.offline.devices.rename(bank.ben, phone.id, "Mine"),
        bank.offline.devices.revoke(bank.ben, phone.id, Reason.LOST),
        bank.offline.devices.get(bank.ben, phone.id),
    ):
        with pytest.raises(NotFound):
            await change
    row = await bank.stack.database.fetchrow("SELECT * FROM offline.device")
    assert row is not None
    assert b"Old one" not in row["name_sealed"]
    add_key(bank.keys_dir)
    sealing = Sealing(bank.keys_dir)
    assert await reseal(bank.stack.database, sealing, [DEVICE_NAME], _silent) == 1
    assert [one.name for one in await bank.offline.devices.of_person(bank.ana)] == ["Old one"]


def _silent(done: int, total: int) -> None:
    """Nobody watches the progress."""


async def test_a_lost_device_is_revoked_with_its_passes(bank: Bank) -> None:
    lost, kept = await bank.handset(), await bank.handset()
    passes = [await bank.issue(lost), await bank.issue(lost, 0)]
    await bank.issue(kept)
    device = await bank.offline.devices.revoke(bank.ana, lost.device.id, Reason.STOLEN)
    assert (device.reason, device.revoked_at is not None) == (Reason.STOLEN, True)
    found = await revoked(bank)
    assert found.passes == tuple(sorted(record.id for record in passes))
    again = await bank.offline.devices.revoke(bank.ana, lost.device.id, Reason.LOST)
    assert again == device
    assert (await revoked(bank)).epoch == found.epoch
    # The money waits for those who were paid before.
    assert await bank.left(passes[0]) == 20_00
    assert (await bank.now(passes[0])).state is PassState.OPEN


async def test_the_owner_is_told(bank: Bank) -> None:
    phone = await bank.handset()
    await bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST)
    events, _ = await bank.identity.events.page(bank.stack.database, bank.ana)
    assert [(event.kind, event.detail) for event in events[:2]] == [
        ("offline_device_revoked", {"what": "phone", "reason": "lost"}),
        ("offline_device_added", {"what": "phone"}),
    ]
    notices = Notices(bank.stack.database, bank.identity.events, bank.clock)
    while await notices.follow():
        pass
    told = (await notices.page(bank.ana, "en")).items
    assert [one.title for one in told[:2]] == [
        "Device for offline money revoked",
        "Device for offline money added",
    ]


async def test_no_pass_slips_past_a_revocation(bank: Bank) -> None:
    """Each pass is either refused or on the list."""
    phones = [await bank.handset() for _ in range(8)]
    outcomes = await asyncio.gather(
        *(bank.issue(phone, 1_00) for phone in phones),
        *(bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST) for phone in phones),
        return_exceptions=True,
    )
    made = {one.id for one in outcomes if isinstance(one, PassRecord)}
    refused = {type(one) for one in outcomes if isinstance(one, BaseException)}
    assert refused <= {DeviceRevoked}
    assert set((await revoked(bank)).passes) >= made


class TestTheList:
    async def test_it_grows_by_epochs(self, bank: Bank) -> None:
        empty = await bank.offline.revocations.since(0)
        assert (empty.epoch, empty.more, Revocations.parse(empty.message).passes) == (0, False, ())
        seen = 0
        for _ in range(3):
            phone = await bank.handset()
            record = await bank.issue(phone, 1_00)
            await bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST)
            delta = await revoked(bank, seen)
            assert (delta.since, delta.passes) == (seen, (record.id,))
            assert delta.epoch > seen
            assert delta.time == bank.clock() // 1_000_000
            seen = delta.epoch
        assert len((await revoked(bank)).passes) == 3
        assert (await revoked(bank, seen)).passes == ()
        fresh = await bank.issue(await bank.handset())
        assert Pass.parse(fresh.message or b"").epoch == seen

    async def test_who_has_heard_of_more_than_there_is(self, bank: Bank) -> None:
        phone = await bank.handset()
        await bank.issue(phone)
        await bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST)
        told = await revoked(bank, 4_000)
        assert (told.since, len(told.passes)) == (0, 1)

    async def test_what_is_over_leaves_it(self, bank: Bank) -> None:
        phone = await bank.handset()
        record = await bank.issue(phone)
        await bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST)
        bank.clock.advance((record.claim_until - record.created_at).total_seconds() + 1)
        told = await revoked(bank)
        assert told.passes == ()
        assert told.epoch > 0

    @pytest.mark.parametrize("count", [4, 5])
    async def test_a_long_one_comes_in_parts(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        """The last of which is not full: devices take no full one for the whole."""
        monkeypatch.setattr("tikiwallet.offline.revocations.REVOKED_MOST", 2)
        made = []
        for _ in range(count):
            phone = await bank.handset()
            made.append((await bank.issue(phone, 1_00)).id)
            await bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST)
        heard: list[bytes] = []
        since, more = 0, True
        while more:
            part = await bank.offline.revocations.since(since)
            heard += Revocations.parse(part.message).passes
            since, more = part.epoch, part.more
        assert sorted(heard) == sorted(made)
        assert len(Revocations.parse(part.message).passes) < 2

    async def test_epochs_come_in_the_order_of_commits(self, bank: Bank) -> None:
        """Whoever reads up to an epoch has missed nothing below it."""
        first, second = await bank.handset(), await bank.handset()
        early, late = await bank.issue(first, 1_00), await bank.issue(second, 1_00)
        database = bank.stack.database
        at = early.created_at
        async with database.transaction() as slow:
            await bank.offline.revocations.add(slow, [early.id], "lost", at)
            waiting = asyncio.create_task(_add(bank, late.id, at))
            await _until_waiting(slow)
            assert (await revoked(bank)).passes == ()
        await waiting
        rows = await database.fetch("SELECT pass FROM offline.revocation ORDER BY epoch")
        assert [row["pass"].bytes for row in rows] == [early.id, late.id]


async def _add(bank: Bank, id: bytes, at: object) -> None:
    async with bank.stack.database.transaction() as connection:
        await bank.offline.revocations.add(connection, [id], "lost", at)  # type: ignore[arg-type]


async def _until_waiting(connection: object) -> None:
    """Until somebody waits for the list's lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(10):
        while not await connection.fetchval(waiting):  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.01)
