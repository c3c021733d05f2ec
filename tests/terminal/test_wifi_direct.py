"""Against a wpa_supplicant without a radio, in a process of its own, on a private bus."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus
from tests.terminal import fake_supplicant
from tests.terminal.buses import Process, Start

from tikiwallet.terminal import wifi_direct
from tikiwallet.terminal.wifi_direct import Group, GroupOwner, NoWifiDirect

pytestmark = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="Debian's package dbus is not installed"
)


async def calls(process: Process) -> list[str]:
    """What it was asked, all of it: it is ended for that."""
    process.kill()
    assert process.stdout is not None
    return [line.split()[0].decode() for line in (await process.stdout.read()).splitlines()]


async def test_a_group_is_made_and_removed(supplicant: Start, address: str) -> None:
    process = await supplicant("good")
    owner = await GroupOwner.create(address)
    assert owner.group == Group(
        fake_supplicant.SSID.decode(), fake_supplicant.PASSPHRASE, "p2p-wlan0-0"
    )
    assert fake_supplicant.PASSPHRASE not in repr(owner.group)
    assert not owner.ended.is_set()
    await owner.remove()
    await owner.remove()
    asked = await calls(process)
    assert [call for call in asked if call != "GetAll"] == ["GroupAdd", "Disconnect"]


def test_the_text_for_cameras() -> None:
    assert Group("DIRECT-ab", "12345678", "p").text == "WIFI:T:WPA;S:DIRECT-ab;P:12345678;;"
    text = Group('a;b,c:d"e\\f', "täglich;8", "p").text
    assert text == 'WIFI:T:WPA;S:a\\;b\\,c\\:d\\"e\\\\f;P:täglich\\;8;;'


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("without-p2p", "no Wi-Fi radio"),
        ("without-radio", "no Wi-Fi radio"),
        ("refusing", "made no Wi-Fi network: Did not receive"),
        ("forbidden", "may not use wpa_supplicant"),
        ("failing", r"could not be formed \(FREQ_CONFLICT\)"),
        ("client", "joined a group instead"),
        ("unreadable", "name or passphrase could not be read"),
        ("vanishing-early", "made no Wi-Fi network"),
    ],
)
async def test_why_there_is_no_group(
    supplicant: Start, address: str, mode: str, sentence: str
) -> None:
    await supplicant(mode)
    with pytest.raises(NoWifiDirect, match=sentence) as told:
        await GroupOwner.create(address)
    assert str(told.value).count(".") == 1


async def test_a_group_that_never_starts(
    supplicant: Start, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wifi_direct, "_START_SECONDS", 0.3)
    process = await supplicant("silent")
    with pytest.raises(NoWifiDirect, match="in time"):
        await GroupOwner.create(address)
    assert (await calls(process))[-1] == "Disconnect"


async def test_no_supplicant(bus: Process, address: str) -> None:
    with pytest.raises(NoWifiDirect, match="wpa_supplicant is not running"):
        await GroupOwner.create(address)


async def test_no_bus(data_dir: Path) -> None:
    with pytest.raises(NoWifiDirect, match="no system bus"):
        await GroupOwner.create(f"unix:path={data_dir / 'nothing'}")


@pytest.mark.parametrize("who", ["bus", "supplicant"])
async def test_what_vanishes_ends_the_group(
    bus: Process, supplicant: Start, address: str, who: str
) -> None:
    process = await supplicant("good")
    owner = await GroupOwner.create(address)
    (bus if who == "bus" else process).kill()
    async with asyncio.timeout(5):
        await owner.ended.wait()
    await owner.remove()


async def test_nobody_else_speaks_for_wpa_supplicant(supplicant: Start, address: str) -> None:
    """Another program of the same bus says, to us alone, that the group is over."""
    await supplicant("good")
    owner = await GroupOwner.create(address)
    stranger = await MessageBus(address).connect()
    about = {"interface_object": Variant("o", fake_supplicant.GROUP_INTERFACE)}
    signal = Message.new_signal(
        fake_supplicant.DEVICE, fake_supplicant.P2P, "GroupFinished", "a{sv}", [about]
    )
    signal.destination = owner._bus.unique_name
    await stranger.send(signal)
    assert await owner._properties(wifi_direct.ROOT, wifi_direct.SERVICE)
    assert not owner.ended.is_set()
    stranger.disconnect()
    await owner.remove()
    assert os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") != address
