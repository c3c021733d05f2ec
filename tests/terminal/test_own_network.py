"""The terminal's own Wi-Fi network, from the screen and `--headless`, against a wpa_supplicant
without a radio."""

import shutil
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from tests.faults import installation
from tests.terminal import fake_supplicant
from tests.terminal.buses import Process, Start
from tests.terminal.devices import device
from tests.terminal.shops import SARI, Issuer, set_up
from tests.terminal.test_screen import Person

from tikiwallet.terminal import device as device_module
from tikiwallet.terminal import phones as phones_module
from tikiwallet.terminal.device import CannotDo, Terminal
from tikiwallet.terminal.discovery import Discovery
from tikiwallet.terminal.pages import Model, page_of, qr_code, summary
from tikiwallet.terminal.wifi_direct import Group

pytestmark = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="Debian's package dbus is not installed"
)
URL = "https://wallet.example"
SSID = fake_supplicant.SSID.decode()
WIFI = Group(SSID, fake_supplicant.PASSPHRASE, "").text


@pytest.fixture(autouse=True)
def on_private_bus(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    monkeypatch.setattr(Discovery, "start", lambda self: None)  # no other terminal matters here


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    await set_up(tmp_path, Issuer(int(time.time())), SARI, "Toko Sari", 5_000)
    return tmp_path


class Heard(list[tuple[str, dict[str, Any]]]):
    def __call__(self, event: str, /, **facts: Any) -> None:
        self.append((event, facts))

    def last(self, event: str) -> dict[str, Any]:
        return next(facts for name, facts in reversed(self) if name == event)


@pytest.fixture
async def terminal(folder: Path, heard: Heard) -> AsyncIterator[Terminal]:
    made = await Terminal.open(folder, server=URL, recover=False, tell=heard)
    yield made
    await made.close()


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_phones_come_over_it_while_it_is_open(
    terminal: Terminal, heard: Heard, supplicant: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {"": ["10.9.9.9"], "p2p-wlan0-0": []}
    monkeypatch.setattr(phones_module, "own_addresses", lambda one="": addresses[one])
    monkeypatch.setattr(device_module, "_LOOK_SECONDS", 0.01)
    await supplicant("good")
    assert await terminal.open_network() == {"name": SSID, "wifi": WIFI}
    assert await terminal.open_network() == terminal.status()["network"]
    assert terminal.status()["phones"] == ""  # nobody is to go to another network's address

    addresses["p2p-wlan0-0"] = ["127.0.0.1"]
    monkeypatch.setattr(phones_module, "_NEAR", (ip_network("0.0.0.0/0"),))
    await terminal._look_for_phones()
    assert "#127.0.0.1:" in heard.last("phones")["address"]

    addresses[""] = ["127.0.0.2"]
    await terminal.close_network()
    assert heard.last("network") == {"name": "", "wifi": ""}
    assert "#127.0.0.2:" in heard.last("phones")["address"]
    await terminal.close_network()


async def test_one_that_goes_is_told(terminal: Terminal, heard: Heard, supplicant: Start) -> None:
    process = await supplicant("good")
    await terminal.open_network()
    process.kill()
    await installation.until(lambda: not heard.last("network")["wifi"], 10, "it is told")
    assert "is gone" in heard.last("network")["text"]
    assert terminal.status()["network"]["wifi"] == ""
    await supplicant("good")
    assert (await terminal.open_network())["wifi"] == WIFI


@pytest.mark.parametrize("mode", ["without-radio", "forbidden", "failing"])
async def test_without_such_a_radio_it_says_so(
    terminal: Terminal, supplicant: Start, mode: str
) -> None:
    await supplicant(mode)
    with pytest.raises(CannotDo, match=r"^No Wi-Fi Direct here\. .*network that both are in"):
        await terminal.open_network()
    assert terminal.status()["network"]["wifi"] == ""


async def test_without_a_bus_it_says_so(terminal: Terminal) -> None:
    with pytest.raises(CannotDo, match="no system bus"):
        await terminal.open_network()


async def calls(process: Process) -> list[bytes]:
    process.kill()
    assert process.stdout is not None
    lines = (await process.stdout.read()).splitlines()
    return [name for line in lines if (name := line.split()[0]) != b"GetAll"]


async def test_headless(folder: Path, supplicant: Start) -> None:
    """It is closed when the program ends."""
    process = await supplicant("good")
    with device(folder) as one:
        assert one.expect("started")["network"]["wifi"] == ""
        one.say("open_network", tag=1)
        assert one.expect("network")["wifi"] == WIFI
        assert one.expect("done")["result"] == {"name": SSID, "wifi": WIFI}
        assert one.do("status")["network"]["name"] == SSID
        assert one.leave() == 0
    assert await calls(process) == [b"GroupAdd", b"Disconnect"]


async def test_headless_without_a_radio(folder: Path, supplicant: Start) -> None:
    await supplicant("without-radio")
    with device(folder) as one:
        one.say("open_network")
        assert "No Wi-Fi Direct here." in one.expect("problem")["text"]
        assert one.do("status")["network"]["wifi"] == ""
        assert one.leave() == 0


async def test_on_the_screen(folder: Path, supplicant: Start) -> None:
    process = await supplicant("good")
    person = Person(folder, server=URL)
    async with person.app.run_test(size=(120, 60)) as person.pilot:
        await person.chooses("Let a phone in")
        await person.sees("phones")
        await person.chooses("Make a Wi-Fi network")
        await person._until(lambda: len(person.app.query(".code")) > 0, "a code")
        first = person.app.query(".code").first()
        assert str(first.render()) == f"{qr_code(WIFI)}\njoins {SSID}"
        assert f"Wi-Fi {SSID}" in person.reads("summary")
        await person.pilot.press("escape")
        await person.sees("near")
        await person._until(lambda: SSID not in person.reads("summary"), "closed")
    assert await calls(process) == [b"GroupAdd", b"Disconnect"]


async def test_on_the_screen_without_a_radio(folder: Path, supplicant: Start) -> None:
    await supplicant("without-radio")
    person = Person(folder, server=URL)
    async with person.app.run_test(size=(120, 60)) as person.pilot:
        await person.chooses("Let a phone in")
        await person.chooses("Make a Wi-Fi network")
        await person._until(lambda: "No Wi-Fi Direct" in person.reads("notice"), "why")
        await person.sees("phones")
        await person.chooses("Back")
        await person.sees("near")


def test_both_codes_stand_beside_each_other() -> None:
    model = Model(wanted="phones", status={"name": "Toko Sari"})
    address = f"{URL}/nearby#192.168.49.1:4433/{'a' * 43}"
    model.hear("network", {"name": SSID, "wifi": WIFI})
    assert len(page_of(model).codes) == 1
    assert "Nobody has given" in page_of(model).text
    model.hear("phones", {"address": address, "networks": ["192.168.49.1"]})
    page = page_of(model)
    assert page.codes == (f"{qr_code(WIFI)}\njoins {SSID}", f"{qr_code(address)}\nopens the app")
    assert [one.name for one in page.actions] == ["close_network"]
    assert f"Wi-Fi {SSID}" in summary(model)
    model.hear("network", {"name": "", "wifi": "", "text": "gone"})
    assert (page_of(model).name, model.notice) == ("phones", "gone")
    model.hear("network", {"name": SSID, "wifi": WIFI})
    model.hear("network", {"name": "", "wifi": ""})
    assert model.wanted == ""
