"""The full-screen interface: two people pay each other with the keyboard."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.terminal.shops import BUDI, SARI, Issuer, set_up
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from tikiwallet.terminal.device import Terminal
from tikiwallet.terminal.discovery import Peer
from tikiwallet.terminal.journal_file import FILE, JournalDamaged
from tikiwallet.terminal.screen import TerminalApp


class Person:
    """Somebody before a terminal's screen."""

    def __init__(self, folder: Path, server: str | None = None) -> None:
        async def open_(tell: Any) -> Terminal:
            self.terminal = await Terminal.open(folder, server=server, recover=False, tell=tell)
            return self.terminal

        self.app = TerminalApp(open_)
        self.pilot: Pilot[None]

    async def sits_down(self, stack: AsyncExitStack) -> None:
        self.pilot = await stack.enter_async_context(self.app.run_test(size=(100, 40)))
        await self.sees("near")

    async def sees(self, page: str) -> None:
        """Wait for a page."""
        await self._until(lambda: self.app._page.name == page, f"{page}, not {self.app._page}")

    async def _until(self, so: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 20
        while not so():
            assert time.monotonic() < end, what
            await self.pilot.pause(0.01)

    async def chooses(self, label: str) -> None:
        """Moves to what begins with these words, and presses Enter."""
        actions = self.app.query_one("#actions", OptionList)

        def place() -> int | None:
            labels = [str(one.prompt) for one in actions.options]
            return next((n for n, one in enumerate(labels) if one.startswith(label)), None)

        await self._until(lambda: place() is not None, label)
        actions.focus()
        actions.highlighted = place()
        await self.pilot.press("enter")

    async def types(self, *words: str) -> None:
        """Fills in the fields, and presses Enter after each."""
        await self._until(lambda: len(self.app.query(Input)) == len(words), "fields")
        self.app.query(Input).first().focus()
        for word in words:
            await self.pilot.press(*word, "enter")

    def reads(self, where: str = "title") -> str:
        return str(self.app.query_one(f"#{where}", Static).render())


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[tuple[Person, Person]]:
    issuer = Issuer(int(time.time()))
    await set_up(tmp_path / "sari", issuer, SARI, "Toko Sari", 5_000)
    await set_up(tmp_path / "budi", issuer, BUDI, "Budi", 5_000)
    async with AsyncExitStack() as stack:
        sari, budi = Person(tmp_path / "sari"), Person(tmp_path / "budi")
        for person in (sari, budi):
            await person.sits_down(stack)
        listener, found = budi.terminal._listener, sari.terminal._discovery
        assert listener is not None
        assert found is not None
        # Both are on one machine, whose networks may not pass on multicasts.
        found.peers["budi"] = Peer("budi", "Budi", ("127.0.0.1",), listener.port)
        sari.terminal._peers_changed(found.peers)
        yield sari, budi


async def meet(sari: Person, budi: Person) -> None:
    await sari.chooses("Call Budi")
    for person in (sari, budi):
        await person.sees("compare")
    assert sari.reads() == budi.reads()
    for person in (sari, budi):
        await person.chooses("Yes, the same")
    for person in (sari, budi):
        await person.sees("open")


async def test_two_people_pay(people: tuple[Person, Person]) -> None:
    sari, budi = people
    await meet(sari, budi)
    await sari.chooses("Ask for money")
    await sari.sees("ask")
    await sari.types(BUDI, "12.50", "nasi")
    await sari.sees("asking")
    await budi.sees("number")
    assert budi.reads() == "They ask for INR 12.50"
    await budi.types(BUDI)
    await budi._until(lambda: "not this person's number" in budi.reads("notice"), "notice")
    await budi.chooses("Do not pay")
    await budi.sees("open")

    await sari.chooses("Call off")
    await sari.sees("over voided")
    await sari.chooses("OK")
    await sari.chooses("Ask for money")
    await sari.types(BUDI, "12.50", "nasi")
    await budi.sees("number")
    await budi.types(SARI)
    await budi.sees("review")
    assert budi.reads() == "Pay INR 12.50 to Toko Sari?"
    await budi.chooses("Pay INR 12.50")
    for person in (sari, budi):
        await person.sees("over accepted")
        assert person.reads() == "Accepted: INR 12.50"
        await person.chooses("OK")
    assert "INR 37.50 left, 19 payments" in budi.reads("summary")
    await sari.chooses("Receipts")
    await sari.sees("receipts")
    assert "nasi" in sari.reads("text")
    await sari.pilot.press("escape")
    await sari.chooses("Hang up")
    for person in (sari, budi):
        await person.sees("near")


async def test_mistakes_are_told(people: tuple[Person, Person]) -> None:
    sari, budi = people
    await meet(sari, budi)
    await sari.chooses("Ask for money")
    await sari.types("12345", "12.50", "nasi")
    await sari._until(lambda: "starts with +" in sari.reads("notice"), sari.reads("notice"))
    assert [one.value for one in sari.app.query(Input)] == ["12345", "12.50", "nasi"]
    await sari.chooses("Back")
    await sari.chooses("Ask for money")
    await sari.types(BUDI, "12.505", "nasi")
    await sari._until(lambda: "2 decimal places" in sari.reads("notice"), sari.reads("notice"))


async def test_without_a_server_it_says_so(people: tuple[Person, Person]) -> None:
    sari, _ = people
    await sari.chooses("Service")
    await sari.sees("service")
    assert "start with --server URL" in sari.reads("text")
    await sari.chooses("Sign in")
    await sari.types(SARI, "secret")
    await sari._until(lambda: "No server" in sari.reads("notice"), sari.reads("notice"))


async def test_a_damaged_journal_ends_it(tmp_path: Path) -> None:
    await set_up(tmp_path, Issuer(int(time.time())), SARI, "Toko Sari", 5_000)
    (tmp_path / FILE).write_bytes(b"")
    person = Person(tmp_path)
    async with person.app.run_test():
        await asyncio.sleep(0)
    assert isinstance(person.app.failure, JournalDamaged)
