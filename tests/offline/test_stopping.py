"""Who has a device that signed twice is stopped with all others, until an operator decides."""

import pytest
from tests.offline.bank import Bank, Handset
from tests.offline.test_freezing import kinds, sign_twice

from tikiwallet.errors import NotFound
from tikiwallet.offline.conflicts import Thawing
from tikiwallet.offline.devices import DeviceFrozen
from tikiwallet.offline.records import Reason


async def stopped(bank: Bank, handset: Handset) -> None:
    """Neither `handset` gets a pass, nor Ana another device."""
    for amount in (5_00, 0):
        with pytest.raises(DeviceFrozen):
            await bank.issue(handset, amount)
    with pytest.raises(DeviceFrozen):
        await bank.handset()


def thawing(bank: Bank) -> Thawing:
    return Thawing(bank.stack.database, bank.identity.events, bank.clock)


async def test_all_devices_of_the_person_are_stopped_and_nobody_elses(bank: Bank) -> None:
    other = await bank.handset()
    await sign_twice(bank)
    await stopped(bank, other)
    assert await bank.holds(bank.ana) > 0
    await bank.issue(await bank.handset(bank.ben), 0)


async def test_revoking_the_device_that_signed_twice_frees_nobody(bank: Bank) -> None:
    other = await bank.handset()
    frozen, _, _ = await sign_twice(bank)
    await bank.offline.devices.revoke(bank.ana, frozen.device.id, Reason.REPLACED)
    await stopped(bank, other)
    await thawing(bank).thaw(frozen.device.id)
    await bank.issue(other)
    await bank.handset()


async def test_all_of_a_person_are_thawed_at_once(bank: Bank) -> None:
    first, _, _ = await sign_twice(bank)
    other = await bank.handset(bank.ben)
    await bank.stack.database.execute(
        "UPDATE offline.device SET frozen_at = now(), person = $2 WHERE id = $1",
        other.device.id,
        bank.ana,
    )
    assert await thawing(bank).thaw(other.device.id) == 1
    await stopped(bank, first)
    assert await thawing(bank).thaw_all(bank.ana) == 1
    await bank.issue(first)
    assert (await kinds(bank)).count("offline_device_thawed") == 2
    with pytest.raises(NotFound, match="p_"):
        await thawing(bank).thaw_all(bank.ana)
