"""A terminal: its journal, its neighbours, its line, its machines, and the server when there is
one. Screen and `--headless` are two ways to work the same commands and hear the same events."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

from tikiwallet.errors import Problem
from tikiwallet.identity.phones import normalise
from tikiwallet.offline.exchange.effects import Show, View
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.till import Request
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.messages import Pay
from tikiwallet.terminal.discovery import Discovery, Peer, clean_name
from tikiwallet.terminal.framed import Conversation
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.line import Line, LineBusy
from tikiwallet.terminal.link import Certificate, LinkLost, Listener
from tikiwallet.terminal.machines import Machines
from tikiwallet.terminal.own_network import OwnNetwork
from tikiwallet.terminal.phones import Phones, near_addresses
from tikiwallet.terminal.server import Offline, Refused
from tikiwallet.terminal.shop import Shop
from tikiwallet.terminal.showing import Facts, facts_of, pass_facts, receipt_facts
from tikiwallet.terminal.sync import Sync
from tikiwallet.terminal.wifi_direct import NoWifiDirect

NAMELESS: Final = "New terminal"
_SYNC_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 5.0
_OTHER_WAYS: Final = "Let phones in over a network that both are in: its QR code stays."
_DONE: Final = frozenset({View.ACCEPTED, View.VOIDED, View.CLOSED})


class CannotDo(Exception):
    """A command that does not fit now; the text says why, for people."""


class Tell(Protocol):
    """Hears what happens, by the event's name."""

    def __call__(self, event: str, /, **facts: Any) -> None: ...


class Terminal:
    """One device. All commands raise `CannotDo`."""

    def __init__(self, journal: Journal, *, server: str | None, tell: Tell) -> None:
        self._journal = journal
        self._tell = tell
        self._certificate = Certificate.make()
        self._line = Line(
            self._certificate,
            changed=self._line_changed,
            opened=self._line_opened,
            came=self._came,
        )
        self._machines = Machines(journal, send=self._line.send, shown=self._shown, took=self._took)
        self._sync = Sync(journal, self._machines, server)
        self._shop = Shop(
            journal, self._machines, self._certificate, lambda: self._sync.phone, self
        )
        self._signed_twice: str | None = None  # words for a conflict
        self._phones = Phones(self)
        self._network = OwnNetwork(self._network_gone)
        self._sync_soon = asyncio.Event()
        self._listener: Listener | None = None
        self._discovery: Discovery | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._with = ""
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, folder: Path, *, server: str | None, recover: bool, tell: Tell
    ) -> "Terminal":
        """The terminal whose journal is in `folder`, at work. Raises `JournalDamaged`,
        `JournalInUse`."""
        journal = Journal.recover(folder) if recover else Journal.open(folder)
        try:
            terminal = cls(journal, server=server, tell=tell)
            await terminal._start()
        except BaseException:
            journal.close()
            raise
        return terminal

    async def _start(self) -> None:
        doubtful = await self._machines.start()
        await self._shop.start()
        self._listener = Listener(self._certificate, self.meet, on_till=self._shop.take)
        self._announce()
        self._tasks.append(asyncio.create_task(self._keep_in_sync()))
        self._tasks.append(asyncio.create_task(self._guarded(self._keep_open_for_phones())))
        self._tell("started", **self.status())
        if doubtful:
            self._tell("doubtful", text=f"{doubtful}. It has to sync before it pays.")

    def _announce(self) -> None:
        assert self._listener is not None
        self._discovery = Discovery(self._id(), self.name, self._listener.port, self._peers_changed)
        self._discovery.start()

    def _id(self) -> str:
        made = self._journal.read(Shelf.FACT, b"id")
        if made is None:
            made = secrets.token_hex(8).encode()
            self._journal.write(Change(Shelf.FACT, b"id", made))
        return made.decode()

    async def close(self) -> None:
        """Leave in order: whoever is talked to hears it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._line.hang_up()
        await self._shop.close()
        await self._phones.close()
        await self._network.close()
        if self._discovery:
            await self._discovery.close()
        if self._listener:
            await self._listener.close()
        self._certificate.close()
        self._journal.close()

    async def failure(self) -> None:
        """Waits, and raises what ended the terminal's work: a journal that cannot be written."""
        await asyncio.shield(self._failed)

    @property
    def name(self) -> str:
        """What others see: the name of its pass."""
        own = self._machines.own
        return (clean_name(own.name.encode()) if own else None) or NAMELESS

    # What is so.

    def status(self) -> Facts:
        """All that a screen needs to begin with."""
        own = self._machines.own
        return {
            "name": self.name,
            "phone": self._sync.phone,
            "server": self._sync.url,
            "line": self._line_facts(),
            "peers": self._peer_facts(),
            "phones": self._phones.text,
            "network": self._network_facts(),
            "pass": pass_facts(own, self._machines.payer) if own else None,
            "to_upload": len(self._machines.outbox.items),
            "tills": self._shop.count,
        }

    def _line_facts(self) -> Facts:
        line = self._line
        return {
            "phase": line.phase.value,
            "digits": line.digits,
            "agreed": line.agreed,
            "with": self._with,
        }

    def _peer_facts(self) -> list[Facts]:
        found = self._discovery.peers.values() if self._discovery else ()
        return [{"id": peer.id, "name": peer.name} for peer in found]

    def receipts(self, count: int = 20) -> list[Facts]:
        """The newest payments, with their receipts."""
        return [receipt_facts(deal, self.name) for deal in self._machines.deals()[:count]]

    def proofs(self) -> list[Facts]:
        """Of each pass whose key signed two payments in one place: the evidence."""
        return self._shop.proofs()

    # The line.

    async def call(self, peer: str) -> None:
        """Begin a conversation with a terminal that was found."""
        found = self._peer(peer)
        self._with = found.name
        with _told():
            self._line.call(found)

    def _peer(self, id: str) -> Peer:
        for peer in self._discovery.peers.values() if self._discovery else ():
            if peer.id == id:
                return peer
        raise CannotDo("There is no such terminal near.")

    async def phones_at(self, address: str = "") -> str:
        """Let phones in over the network that this terminal is in as `address`; over the first one
        where none is named. The answer is what the QR code for them says."""
        try:
            self._phones.choose(address)
        except ValueError:
            raise CannotDo(f"{address} is no address.") from None
        await self._look_for_phones()
        if not self._phones.text:
            raise CannotDo("No phone can come that way: no service was named, or no such network.")
        return self._phones.text

    async def open_network(self) -> Facts:
        """Make a Wi-Fi network of this terminal's own, and let phones in over it."""
        try:
            await self._network.open()
        except NoWifiDirect as why:
            raise CannotDo(f"No Wi-Fi Direct here. {why} {_OTHER_WAYS}") from None
        return await self._network_changed()

    async def close_network(self) -> None:
        """End that network; phones come over the others again."""
        await self._network.close()
        await self._network_changed()

    async def _network_changed(self, words: str = "") -> Facts:
        facts = self._network_facts()
        self._phones.choose("")
        self._tell("network", **facts, **({"text": words} if words else {}))
        await self._look_for_phones()
        return facts

    def _network_facts(self) -> Facts:
        group = self._network.group
        return {"name": group.ssid, "wifi": group.text} if group else {"name": "", "wifi": ""}

    async def _network_gone(self) -> None:
        await self._network_changed("The Wi-Fi network of this terminal is gone.")

    async def agree(self) -> None:
        """The digits agree."""
        with _told():
            await self._line.agree()

    async def hang_up(self) -> None:
        """End the conversation."""
        await self._line.hang_up()

    # Being paid.

    async def ask(self, phone: str, amount: int, memo: str = "") -> None:
        """Ask whoever is on the line, whose number this is, for so many minor units."""
        self._need_line()
        await self._machines.ask(_number(phone), amount, memo)

    async def cancel(self) -> None:
        """Call off what was asked for."""
        await self._machines.cancel()

    # Paying.

    async def number(self, phone: str) -> None:
        """The payee's number."""
        await self._machines.typed(_number(phone))

    async def confirm(self) -> None:
        """Pay."""
        await self._machines.confirmed()

    async def set_aside(self) -> None:
        """Do not pay, or leave a payment that is not finished."""
        await self._machines.set_aside()

    def _need_line(self) -> None:
        if self._machines.own is None:
            raise CannotDo("This terminal has no pass yet. Sign in and load one first.")
        if self._line.phase.value != "open":
            raise CannotDo("Nobody is on the line. Call a terminal, and compare the digits.")

    # The server.

    async def sign_in(self, phone: str, password: str) -> None:
        """As the wallet's owner. May ask for a code (event `code_wanted`)."""
        with _told():
            if not await self._sync.sign_in(_number(phone), password):
                self._tell("code_wanted", text="A second factor is on: type its code.")
                return
        await self.sync()

    async def code(self, code: str) -> None:
        """The code of a second factor."""
        with _told():
            await self._sync.second_factor(code)
        await self.sync()

    async def load(self, amount: int, currency: str, pin: str | None = None) -> None:
        """A pass with so many minor units; with 0 it can only be paid."""
        with _told():
            await self._sync.load(amount, currency, pin)
        await self._renamed()
        self._tell("loaded", **self.status())

    async def replace(self) -> None:
        """Set this terminal up anew, as a device in the place of the one before, whose passes pay
        no more. What is left on them returns when nothing can be claimed of them any more."""
        with _told():
            await self._sync.replace()
        self._tell("replaced", text="This terminal is set up anew. Load a pass.")

    async def end_pass(self) -> None:
        """Pay no more with the pass; the server learns it with the next sync."""
        await self._machines.end_pass()

    async def sync(self) -> None:
        """Upload what has not settled, and take what the issuer says."""
        with _told():
            complaints = await self._sync.run()
        await self._machines.hand_on()
        self._tell("synced", **self.status())
        for words in complaints:
            self._tell("not_taken", text=words)

    async def _renamed(self) -> None:
        if self._discovery and self._discovery.name != self.name:
            await self._discovery.close()
            self._announce()

    async def _keep_in_sync(self) -> None:
        while True:
            if self._sync.is_ready:
                with contextlib.suppress(CannotDo):
                    await self._guarded(self.sync())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SYNC_SECONDS):
                    await self._sync_soon.wait()
            self._sync_soon.clear()

    async def _keep_open_for_phones(self) -> None:
        while True:
            await self._look_for_phones()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look_for_phones(self) -> None:
        group = self._network.group
        if await self._phones.look(self._sync.url, group.interface if group else ""):
            self._tell("phones", address=self._phones.text, networks=near_addresses())

    # What happens.

    def _peers_changed(self, _peers: dict[str, Peer]) -> None:
        if self._discovery:
            self._shop.look(self._discovery)
        self._tell("peers", peers=self._peer_facts())

    def _line_changed(self, words: str) -> None:
        self._tell("line", **self._line_facts(), **({"text": words} if words else {}))

    async def meet(self, conversation: Conversation) -> None:
        """Somebody calls: another terminal, or a phone."""
        if self._line.phase.value == "idle":
            self._with = ""
        await self._guarded(self._line.take(conversation))

    async def _line_opened(self) -> None:
        await self._machines.greet()

    async def _came(self, message: bytes) -> None:
        await self._guarded(self._receive(message))

    async def _receive(self, message: bytes) -> None:
        self._signed_twice = self._shop.judge(message)
        await self._machines.received(message)

    def _took(self, pay: bytes) -> None:
        self._shop.took(pay)

    def _shown(self, show: Show, about: Payer | Request | None) -> None:
        facts = facts_of(show, about)
        if show.refusal is Refusal.CONFLICT and self._signed_twice:
            facts["text"] = self._signed_twice
        self._tell("show", **facts)
        if show.view in _DONE:
            self._sync_soon.set()

    def tills(self, count: int) -> None:
        """So many other tills of the shop are linked now."""
        self._tell("tills", count=count)

    def signed_twice(self, pay: Pay, words: str) -> None:
        """There is a proof against the pass that this payment is from."""
        self._tell("signed_twice", **{"pass": pay.payer.id.hex()}, name=pay.payer.name, text=words)
        self._sync_soon.set()

    def failed(self, error: Exception) -> None:
        """What ends the terminal: `failure` raises it."""
        if not self._failed.done():
            self._failed.set_exception(error)

    async def _guarded(self, work: Coroutine[Any, Any, None] | Awaitable[None]) -> None:
        """A failure that nobody awaits ends the terminal."""
        try:
            await work
        except (CannotDo, asyncio.CancelledError):
            raise
        except Exception as error:
            self.failed(error)
            raise


def _number(phone: str) -> str:
    try:
        return normalise(phone)
    except Problem as problem:
        raise CannotDo(problem.detail) from None


class _told(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a verb
    """What goes wrong in here is for people to hear."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, LineBusy | LinkLost | Offline | Refused):
            raise CannotDo(str(error)) from None
