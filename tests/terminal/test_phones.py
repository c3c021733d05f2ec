"""Phones come in over WebTransport, and talk on the terminal's one line."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.faults.installation import until
from tests.terminal.phone import PhonesLink, phone_at
from tests.terminal.shops import BUDI, SARI, Issuer, set_up

from tikiwallet.offline.wire.cose import Kind as Message
from tikiwallet.offline.wire.cose import open_
from tikiwallet.terminal import device as device_module
from tikiwallet.terminal import phones as phones_module
from tikiwallet.terminal.device import Terminal
from tikiwallet.terminal.framed import Conversation
from tikiwallet.terminal.link import Kind
from tikiwallet.terminal.pages import Model, page_of, qr_code
from tikiwallet.terminal.phones import Phones, near_addresses, reachable_address

URL = "https://wallet.example"


class _Nobody:
    async def meet(self, conversation: Conversation) -> None:
        raise AssertionError("nobody comes here")


async def test_it_follows_the_address() -> None:
    here = ["127.0.0.1"]
    phones = Phones(_Nobody(), lambda: here[0])
    assert not await phones.look("")
    assert await phones.look(URL)
    first = phones.text
    assert first.startswith(f"{URL}/nearby#127.0.0.1:")
    assert not await phones.look(URL)
    here[0] = "127.0.0.2"
    assert await phones.look(URL)
    assert "#127.0.0.2:" in phones.text
    here[0] = ""
    assert await phones.look(URL)
    assert phones.text == ""
    here[0] = "203.0.113.9"  # not one of this machine's
    assert not await phones.look(URL)
    await phones.close()


def test_only_private_networks_are_told_to_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["203.0.113.9", "fd00::2", "fe80::1", "2001:db8::1", "192.168.1.2", "10.0.0.7"]
    monkeypatch.setattr(phones_module, "own_addresses", lambda _: found)
    assert near_addresses() == ["10.0.0.7", "192.168.1.2", "fd00::2"]
    found.clear()
    assert reachable_address() == ""


def test_the_other_networks_are_offered() -> None:
    model = Model(wanted="phones")
    networks = ["192.168.1.2", "fd00::2"]
    address = f"{URL}/nearby#[fd00::2]:4433/{'a' * 43}"
    model.hear("phones", {"address": address, "networks": networks})
    actions = page_of(model).actions
    assert [one.argument for one in actions if one.name == "phones_at"] == ["192.168.1.2"]


async def test_a_chosen_network_stays() -> None:
    phones = Phones(_Nobody(), lambda: "127.0.0.1")
    phones.choose("127.0.0.2")
    assert await phones.look(URL)
    assert "#127.0.0.2:" in phones.text
    phones.choose("")
    assert await phones.look(URL)
    assert "#127.0.0.1:" in phones.text
    await phones.close()


async def test_a_phone_is_asked_to_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        device_module, "Phones", lambda meeting: Phones(meeting, lambda: "127.0.0.1")
    )
    await set_up(tmp_path, Issuer(int(time.time())), SARI, "Toko Sari", 5_000)

    def unheard(_event: str, /, **_facts: Any) -> None:
        pass

    terminal = await Terminal.open(tmp_path, server=URL, recover=False, tell=unheard)
    await until(lambda: bool(terminal.status()["phones"]), 20, "an address for phones")
    server = terminal._phones._server
    assert server is not None
    async with phone_at(server._port) as phone:
        assert await phone.ask(URL) == 200
        link = PhonesLink(phone, server.certificate.hash)
        await link.agree()
        while terminal.status()["line"]["digits"] != link.digits:
            link.send(Kind.PING, b"")
            await phone.ping()
        await terminal.agree()
        link.send(Kind.CONFIRMED, b"")
        assert (await link.receive()).kind is Kind.CONFIRMED
        told = [open_((await link.receive()).body).kind for _ in range(2)]
        assert told == [Message.KEYS, Message.REVOCATIONS]
        await terminal.ask(BUDI, 1_250)
        assert open_((await link.receive()).body).kind is Message.INVITE
        link.send(Kind.HANG_UP, b"")
        while terminal.status()["line"]["phase"] != "idle":
            await phone.ping()
    await terminal.close()


def test_the_code_is_drawn() -> None:
    drawn = qr_code(f"{URL}/nearby#192.168.1.20:40123/{'a' * 43}").splitlines()
    assert len(drawn) == 21
    assert {len(line) for line in drawn} == {41}
    assert drawn[1][2:9] == "█▀▀▀▀▀█"
