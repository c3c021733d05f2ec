"""The server's side of offline money over one test's own database, with Ana, who has S$500, and
Ben; and devices with keys of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import session_of, sign_up
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack

from tikiwallet import ids
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import connect
from tikiwallet.identity.parts import Identity
from tikiwallet.ledger.transactions import Kind, Posting, Transaction
from tikiwallet.money import CURRENCIES, Money
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.offline.admission import PROOF_DOMAIN, PassRequest
from tikiwallet.offline.parts import Offline
from tikiwallet.offline.records import Device, PassRecord, Protection
from tikiwallet.offline.records import Kind as DeviceKind
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.wallets.chart import Purpose, house_account

ANA, BEN = "+6591234567", "+6591234568"
SGD = CURRENCIES["SGD"]


@dataclass
class Handset:
    """A registered device, which makes a key for each pass."""

    device: Device
    keys: list[PrivateKey] = field(default_factory=list)

    def request(
        self,
        amount: int = 20_00,
        *,
        code: str = "SGD",
        key: str = "",
        payee_lock: bytes | None = None,
        pin: str | None = None,
    ) -> PassRequest:
        """What it asks for, with a fresh key."""
        made = PrivateKey.generate()
        self.keys.append(made)
        return PassRequest(
            person=self.device.person,
            device=self.device.id,
            money=Money(amount, CURRENCIES[code]),
            public_key=made.public,
            proof=made.sign(PROOF_DOMAIN + self.device.written_id.encode()),
            payee_lock=payee_lock,
            pin=pin,
            key=key or ids.write_uuid(ids.new_uuid7()),
        )


@dataclass
class Bank:
    """Real parts, and a clock moved by hand."""

    stack: Stack
    identity: Identity
    inbox: SandboxInbox
    clock: HandClock
    keys_dir: Path
    offline: Offline
    ana: int
    ben: int
    ana_session: bytes

    def over(self, ledger: object) -> Offline:
        """The same parts over another ledger."""
        return Offline.build(
            self.stack.database,
            ledger=ledger,  # type: ignore[arg-type]
            wallets=self.stack.wallets,
            identity=self.identity,
            keys_dir=self.keys_dir,
            now=self.clock,
        )

    async def handset(
        self,
        person: int | None = None,
        kind: DeviceKind = DeviceKind.PHONE,
        protection: Protection = Protection.PIN,
    ) -> Handset:
        """A new device, Ana's if nobody else's."""
        device = await self.offline.devices.register(person or self.ana, "Phone", kind, protection)
        return Handset(device)

    async def issue(self, handset: Handset, amount: int = 20_00, code: str = "SGD") -> PassRecord:
        """A fresh pass."""
        return (await self.offline.passes.issue(handset.request(amount, code=code)))[0]

    async def give(self, person: int, amount: int, code: str = "SGD") -> int:
        """House money for a person; the wallet."""
        currency = CURRENCIES[code]
        wallet, _ = await self.stack.wallets.open_wallet(person, currency)
        await self.stack.chart.ready(currency)
        house = house_account(Purpose.CARD_CLEARING, currency.number)
        posting = Posting(house, wallet.id, amount, currency.number)
        await self.stack.ledger.post(
            Transaction(ids.new_uuid7(), kind=Kind.TOP_UP, postings=(posting,))
        )
        return wallet.id

    async def holds(self, person: int, code: str = "SGD") -> int:
        """What is in the person's wallet."""
        wallet = await self.stack.wallets.find(person, CURRENCIES[code])
        assert wallet is not None
        return await self.stack.posted(wallet.id)

    async def left(self, record: PassRecord) -> int:
        """What is in a pass's escrow."""
        return (await self.offline.passes.left([record]))[record.id]

    async def now(self, record: PassRecord) -> PassRecord:
        """The pass as it is now."""
        return await self.offline.passes.get(record.person, record.id)


@asynccontextmanager
async def running_bank(urls: DatabaseUrls, keys_dir: Path) -> AsyncIterator[Bank]:
    """A bank with its people."""
    clock = HandClock()
    async with running_stack(urls) as stack:
        inbox = SandboxInbox(stack.database, clock)
        identity = Identity.build(
            stack.database,
            connect=partial(connect, urls.app, APP),
            keys_dir=keys_dir,
            issuer="http://localhost:8000",
            sender=inbox,
            now=clock,
        )
        await identity.start()
        try:
            ana, tokens = await sign_up(identity, inbox, ANA, "ana")
            ben, _ = await sign_up(identity, inbox, BEN, "ben")
            offline = Offline.build(
                stack.database,
                ledger=stack.ledger,
                wallets=stack.wallets,
                identity=identity,
                keys_dir=keys_dir,
                now=clock,
            )
            session = session_of(identity, tokens)
            bank = Bank(stack, identity, inbox, clock, keys_dir, offline, ana.id, ben.id, session)
            await bank.give(ana.id, 500_00)
            yield bank
        finally:
            await identity.stop()
