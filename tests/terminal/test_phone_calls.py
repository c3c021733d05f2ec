"""A phone on a terminal's line: the terminal is a process, the phone machines of its own behind
aioquic's client. A real browser is in tests/app/test_nearby.py."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.terminal.devices import Device, device
from tests.terminal.phone import PhonesLink, phone_at
from tests.terminal.shops import BUDI, SARI, Issuer, set_up

from tikiwallet.offline.exchange.effects import Show, View
from tikiwallet.terminal import memory
from tikiwallet.terminal.journal import Journal
from tikiwallet.terminal.link import Kind
from tikiwallet.terminal.machines import Machines

ORIGIN = "https://wallet.example"


class Phone:
    """Budi's: machines and a journal of his own, and a link to the terminal while there is one."""

    def __init__(self, folder: Path) -> None:
        self.link: PhonesLink | None = None
        self.sent: list[bytes] = []
        self.views: list[View] = []
        self.machines = Machines(Journal.open(folder), send=self._send, shown=self._shown)

    async def _send(self, message: bytes) -> None:
        self.sent.append(message)
        if self.link is not None:
            self.link.send(Kind.MESSAGE, message)

    def _shown(self, show: Show, _about: object) -> None:
        self.views.append(show.view)

    async def hears(self, view: View) -> None:
        """Takes in what the terminal says until this is shown."""
        assert self.link is not None
        while view not in self.views:
            frame = await self.link.receive()
            assert frame.kind is Kind.MESSAGE
            await self.machines.received(frame.body)

    @asynccontextmanager
    async def near(self, text: str, secret: bytes = b"\1" * 32) -> AsyncIterator[PhonesLink]:
        """On the line of the terminal that shows `text`."""
        where, _, digest = text.rpartition("/")
        port = int(where.rpartition(":")[2])
        async with phone_at(port) as connection:
            assert await connection.ask(ORIGIN) == 200
            link = PhonesLink(connection, base64.urlsafe_b64decode(digest + "="), secret)
            await link.agree()
            self.link = link
            try:
                yield link
            finally:
                self.link = None


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(int(time.time()))


@pytest.fixture
async def both(tmp_path: Path, issuer: Issuer) -> AsyncIterator[tuple[Phone, Device, str]]:
    """Budi's phone, Sari's terminal, and what its code says; both have 50.00."""
    await set_up(tmp_path / "sari", issuer, SARI, "Toko Sari", 5_000)
    await set_up(tmp_path / "budi", issuer, BUDI, "Budi", 5_000)
    phone = Phone(tmp_path / "budi")
    await phone.machines.start()
    with device(tmp_path / "sari", (), "--server", ORIGIN) as terminal:
        terminal.expect("started")
        text = terminal.do("phones_at", address="127.0.0.1")
        assert text.startswith(f"{ORIGIN}/nearby#127.0.0.1:")
        yield phone, terminal, text


async def agreed(phone: Phone, terminal: Device) -> None:
    """Both people have compared the digits."""
    assert phone.link is not None
    shown = await asyncio.to_thread(terminal.is_in, "comparing")
    assert shown["digits"] == phone.link.digits
    terminal.say("agree")
    phone.link.send(Kind.CONFIRMED, b"")
    assert (await phone.link.receive()).kind is Kind.CONFIRMED
    await asyncio.to_thread(terminal.is_in, "open")


async def test_a_phone_pays_and_is_paid(both: tuple[Phone, Device, str]) -> None:
    phone, terminal, text = both
    async with phone.near(text) as link:
        await agreed(phone, terminal)
        terminal.say("ask", phone=BUDI, amount=1_250)
        await phone.hears(View.TYPE_NUMBER)
        await phone.machines.typed(SARI)
        await phone.machines.confirmed()
        await phone.hears(View.ACCEPTED)
        await asyncio.to_thread(terminal.shows, "accepted")

        phone.views.clear()
        await phone.machines.ask(SARI, 300)
        await asyncio.to_thread(terminal.shows, "type_number")
        terminal.say("number", phone=BUDI)
        terminal.say("confirm")
        await phone.hears(View.ACCEPTED)
        shown = await asyncio.to_thread(terminal.shows, "accepted")
        assert (shown["name"], shown["amount"]) == ("Budi", 300)
        terminal.say("hang_up")
        assert (await link.receive()).kind is Kind.HANG_UP


async def test_each_tells_the_other_what_the_issuer_says(
    tmp_path: Path, issuer: Issuer, both: tuple[Phone, Device, str]
) -> None:
    phone, terminal, text = both
    assert phone.machines.known is not None
    there = phone.machines.known.news
    for message in issuer.known(revoked=(bytes(16),)).news:
        await phone.machines.learn(message)
    async with phone.near(text) as link:
        await agreed(phone, terminal)
        assert [(await link.receive()).body for _ in there] == list(there)
        await phone.machines.greet()
        await phone.machines.ask(SARI, 300)  # what came before it has been taken in
        await asyncio.to_thread(terminal.shows, "type_number")
        terminal.say("hang_up")
    assert await asyncio.to_thread(terminal.leave) == 0
    journal = Journal.open(tmp_path / "sari")
    learnt = memory.known(journal)
    journal.close()
    assert learnt is not None
    assert learnt.revoked == (bytes(16),)


async def test_who_comes_back_sends_the_same_bytes_and_compares_nothing(
    both: tuple[Phone, Device, str],
) -> None:
    phone, terminal, text = both
    async with phone.near(text):
        await agreed(phone, terminal)
        terminal.say("ask", phone=BUDI, amount=1_250)
        await phone.hears(View.TYPE_NUMBER)
    await asyncio.to_thread(terminal.is_in, "lost")
    await phone.machines.typed(SARI)
    await phone.machines.confirmed()
    [pay] = phone.sent

    async with phone.near(text, b"\2" * 32) as stranger:
        assert (await stranger.receive()).kind is Kind.HANG_UP  # the line is held
    async with phone.near(text) as link:
        assert (await link.receive()).kind is Kind.CONFIRMED
        link.send(Kind.CONFIRMED, b"")
        await asyncio.to_thread(terminal.is_in, "open")
        link.send(Kind.MESSAGE, pay)
        await phone.hears(View.ACCEPTED)
        await asyncio.to_thread(terminal.shows, "accepted")


async def test_no_certificates_fingerprint_passes_for_a_phone(
    both: tuple[Phone, Device, str],
) -> None:
    phone, terminal, text = both
    digest = base64.urlsafe_b64decode(text.rpartition("/")[2] + "=")
    async with phone.near(text):
        await agreed(phone, terminal)
    await asyncio.to_thread(terminal.is_in, "lost")
    async with phone.near(text, digest) as stranger:
        assert (await stranger.receive()).kind is Kind.HANG_UP


async def test_a_network_is_chosen_for_phones(tmp_path: Path) -> None:
    await set_up(tmp_path, Issuer(int(time.time())), SARI, "Toko Sari", 5_000)
    with device(tmp_path) as terminal:
        terminal.say("phones_at", address="127.0.0.1")
        assert "no service was named" in terminal.expect("problem")["text"]
        terminal.say("phones_at", address="the shop")
        assert "the shop is no address" in terminal.expect("problem")["text"]
        assert terminal.leave() == 0
