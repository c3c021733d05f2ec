"""A device that signed twice: its person is told, and a person lets it have passes again."""

import pytest
from tests.offline.bank import Bank, Handset
from tests.offline.settling import Phone, close_item, item

from tikiwallet.errors import NotFound
from tikiwallet.identity import origin
from tikiwallet.notify.notices import Notices
from tikiwallet.offline.claims import Brought
from tikiwallet.offline.conflicts import Thawing
from tikiwallet.offline.devices import DeviceFrozen
from tikiwallet.offline.records import Device
from tikiwallet.offline.wire.messages import Pass, Revocations


async def phone_of(bank: Bank, handset: Handset, amount: int) -> Phone:
    record = await bank.issue(handset, amount)
    assert record.message is not None
    message, device = Pass.parse(record.message), handset.device
    return Phone(device.person, device.id, record.wallet, handset.keys[-1], message, bank.clock)


async def sign_twice(bank: Bank) -> tuple[Handset, Phone, list[Brought]]:
    """Ana's phone goes on from a copy of its store, three times, and closes its pass twice."""
    handset = await bank.handset()
    ana = await phone_of(bank, handset, 20_00)
    ben = await phone_of(bank, await bank.handset(bank.ben), 0)
    stores = [ana, ana.clone(), ana.clone()]
    items = []
    for store in stores:
        invite = ben.invite(3_00)
        items.append(item(invite, store.pay(invite)))
    items += [close_item(ana.close()), close_item(ana.clone().close())]
    origin.set_origin("Ben's phone", "192.0.2.9")
    for one in items:
        await bank.offline.settling.settlement.settle(bank.ben, [one])
    return handset, ana, items


async def device_of(bank: Bank, handset: Handset) -> Device:
    return await bank.offline.devices.get(bank.ana, handset.device.id)


async def kinds(bank: Bank) -> list[str]:
    events, _ = await bank.identity.events.page(bank.stack.database, bank.ana)
    return [event.kind for event in events if event.kind.startswith("offline_device_")]


async def test_its_person_is_told_once_and_not_who_brought_it(bank: Bank) -> None:
    handset, _, _ = await sign_twice(bank)
    assert (await device_of(bank, handset)).frozen_at is not None
    assert await kinds(bank) == ["offline_device_frozen", "offline_device_added"]
    events, _ = await bank.identity.events.page(bank.stack.database, bank.ana)
    frozen = next(event for event in events if event.kind == "offline_device_frozen")
    assert (frozen.device, frozen.address) == (None, None)
    assert frozen.detail == {"what": "phone", "reason": "signed_twice"}
    notices = Notices(bank.stack.database, bank.identity.events, bank.clock)
    while await notices.follow():
        pass
    [told] = [one for one in (await notices.page(bank.ana, "en")).items if one.kind == frozen.kind]
    assert told.title == "A device signed twice"
    assert "fraud" not in told.text


async def test_a_thawed_device_has_passes_again_and_the_old_ones_stay_revoked(bank: Bank) -> None:
    handset, ana, items = await sign_twice(bank)
    with pytest.raises(DeviceFrozen):
        await bank.issue(handset)
    thawing = Thawing(bank.stack.database, bank.identity.events, bank.clock)
    await thawing.thaw(handset.device.id)
    assert (await kinds(bank))[0] == "offline_device_thawed"
    fresh = await bank.issue(handset)
    # What was decided about is brought again, and freezes nothing.
    for one in items:
        await bank.offline.settling.settlement.settle(bank.ben, [one])
    assert (await device_of(bank, handset)).frozen_at is None
    told = Revocations.parse((await bank.offline.revocations.since(0)).message)
    assert ana.pass_.id in told.passes
    assert fresh.id not in told.passes
    with pytest.raises(NotFound, match="No device d_"):
        await thawing.thaw(handset.device.id)


async def test_a_new_contradiction_freezes_it_again(bank: Bank) -> None:
    handset, ana, _ = await sign_twice(bank)
    await Thawing(bank.stack.database, bank.identity.events, bank.clock).thaw(handset.device.id)
    ben = await phone_of(bank, await bank.handset(bank.ben), 0)
    invite = ben.invite(1_00)
    late = item(invite, ana.pay(invite))
    await bank.offline.settling.settlement.settle(bank.ben, [late])
    assert (await device_of(bank, handset)).frozen_at is not None
    assert (await kinds(bank))[0] == "offline_device_frozen"
