"""A world in which offline payments are settled: people with wallets, passes over real escrow,
devices that sign. Real PostgreSQL, real ledger, real signatures.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from tests.identity.hand_clock import HandClock
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack

from tikiwallet import ids
from tikiwallet.clock import from_us, now_us
from tikiwallet.database.pool import AnyConnection
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.security_events import Executes, SecurityEvents
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    AccountType,
    Kind,
    OpenAccount,
    Result,
    Transaction,
)
from tikiwallet.ledger.transactions import (
    Posting as Leg,
)
from tikiwallet.money import CURRENCIES, Currency
from tikiwallet.offline.claims import Brought, Checker, KnownPasses
from tikiwallet.offline.conflicts import Conflicts
from tikiwallet.offline.debts import Debts
from tikiwallet.offline.fund import Fund
from tikiwallet.offline.posting import Posting
from tikiwallet.offline.reports import Reports
from tikiwallet.offline.returns import Returns
from tikiwallet.offline.sealed import PASS
from tikiwallet.offline.settlement import Settlement
from tikiwallet.offline.waiting import Waiting
from tikiwallet.offline.wire.cose import kid_of
from tikiwallet.offline.wire.keys import PrivateKey, PublicKey
from tikiwallet.offline.wire.messages import (
    Close,
    Invite,
    IssuerKey,
    IssuerKeys,
    Limits,
    Pass,
    Pay,
    Receipt,
    Void,
)
from tikiwallet.wallets.chart import Purpose, house_account

SGD = CURRENCIES["SGD"]
SECOND = 1_000_000
PASS_SECONDS, CLAIM_SECONDS = 345_600, 604_800


class TestIssuer:
    """A root and one issuer key."""

    __test__ = False

    def __init__(self) -> None:
        self.root, self.key = PrivateKey.generate(), PrivateKey.generate()

    def key_list(self) -> bytes:
        public = self.key.public
        entry = IssuerKey(kid_of(public), PublicKey(public), 1, 2**32 - 1)
        return IssuerKeys(serial=1, time=1, keys=(entry,)).sealed_by(self.root)


class TestRevocations:
    """Adds to the list."""

    __test__ = False

    async def add(
        self, connection: AnyConnection, passes: Sequence[bytes], reason: str, at: datetime
    ) -> None:
        for id in passes:
            await connection.execute(
                "INSERT INTO offline.revocation (pass, reason, at) VALUES ($1, $2, $3)"
                " ON CONFLICT (pass) DO NOTHING",
                UUID(bytes=id),
                reason,
                at,
            )


class TestEvents(SecurityEvents):
    """Keeps the kinds only: the people of this world have no accounts, to which events belong."""

    __test__ = False

    def __init__(self, personal: Personal) -> None:
        super().__init__(personal)
        self.kinds: list[str] = []

    async def record(self, connection: Executes, *arguments: Any, **facts: object) -> int:
        self.kinds.append(arguments[1].value)
        return len(self.kinds)


@dataclass
class Phone:
    """A device with one pass; `replace(phone)` is its clone, which goes on from the same store."""

    person: int
    device: int
    wallet: int
    key: PrivateKey
    pass_: Pass
    clock: HandClock
    sequence: int = 1
    cumulative: int = 0
    previous: bytes = b""

    def now(self) -> int:
        return self.clock() // SECOND

    def clone(self) -> "Phone":
        return replace(self)

    def invite(self, amount: int, currency: Currency = SGD, made_at: int | None = None) -> Invite:
        made = Invite(
            payee=self.pass_,
            request_id=os.urandom(16),
            amount=amount,
            currency=currency.number,
            memo="कॉफ़ी",
            made_at=self.now() if made_at is None else made_at,
            life=120,
        )
        return Invite.parse(made.sealed_by(self.key))

    def pay(self, invite: Invite, amount: int | None = None, sources: Sequence[Pay] = ()) -> Pay:
        paid = invite.amount if amount is None else amount
        self.cumulative += paid
        made = Pay(
            payer=self.pass_,
            sequence=self.sequence,
            previous=self.previous or self.pass_.hash,
            amount=paid,
            cumulative=self.cumulative,
            payee_pass=invite.payee.id,
            request_hash=invite.hash,
            time=self.now(),
            sources=tuple(one.hash for one in sources) or None,
        )
        signed = Pay.parse(made.sealed_by(self.key))
        self.sequence += 1
        self.previous = signed.hash
        return signed

    def receipt(self, pay: Pay) -> Receipt:
        made = Receipt(pay_hash=pay.hash, time=self.now())
        return Receipt.parse(made.sealed_by(self.key))

    def void(self, invite: Invite) -> Void:
        made = Void(request_id=invite.request_id, payee_pass=self.pass_.id, time=self.now())
        return Void.parse(made.sealed_by(self.key))

    def close(self) -> Close:
        made = Close(
            pass_id=self.pass_.id,
            sequence=self.sequence,
            cumulative=self.cumulative,
            time=self.now(),
        )
        self.sequence += 1
        return Close.parse(made.sealed_by(self.key))


def item(invite: Invite, pay: Pay, receipt: Receipt | None = None) -> Brought:
    return Brought(pay=pay.raw, invite=invite.raw, receipt=None if receipt is None else receipt.raw)


def void_item(invite: Invite, void: Void) -> Brought:
    return Brought(void=void.raw, invite=invite.raw)


def close_item(close: Close) -> Brought:
    return Brought(close=close.raw)


@dataclass
class World:
    stack: Stack
    clock: HandClock
    settlement: Settlement
    posting: Posting
    returns: Returns
    debts: Debts
    fund: Fund
    issuer: TestIssuer
    reports: Reports
    keys_dir: Path
    personal: Personal
    events: TestEvents
    waiting: Waiting
    people: int = 0
    put_in: int = 0
    accounts: set[int] = field(default_factory=set)

    @classmethod
    def over(cls, stack: Stack, keys_dir: Path, ledger: Ledger | None = None) -> "World":
        clock, issuer = HandClock(), TestIssuer()
        personal = Personal.load(keys_dir)
        events = TestEvents(personal)
        chosen = ledger or stack.ledger
        fund = Fund(stack.database, chosen, stack.chart)
        posting = Posting(stack.database, ledger=chosen, fund=fund, now=clock)
        settlement = Settlement(
            stack.database,
            wallets=stack.wallets,
            checker=Checker(KnownPasses(stack.database)),
            posting=posting,
            sealing=personal.sealing,
            conflicts=Conflicts(TestRevocations(), issuer, personal.sealing, events),
            now=clock,
        )
        return cls(
            stack,
            clock,
            settlement,
            posting,
            Returns(stack.database, chosen, clock),
            Debts(stack.database, chosen, events, clock),
            fund,
            issuer,
            Reports(stack.database, chosen, personal.sealing, lambda: issuer.root.public, clock),
            keys_dir,
            personal,
            events,
            Waiting(stack.database, chosen, clock),
        )

    def person(self, days_old: float = 365) -> int:
        """A fresh person's id, made so long ago."""
        self.people += 1
        ms = now_us() // 1_000 - 1_704_067_200_000 - round(days_old * 86_400_000)
        return (ms << 22) + self.people

    async def phone(
        self,
        amount: int = 5_000,
        *,
        person: int | None = None,
        wallet_holds: int = 0,
        most: int = 1_000,
        payments: int = 20,
        payee_lock: bytes | None = None,
        pseudonym: bytes | None = None,
        currency: Currency = SGD,
        hops: int = 0,
    ) -> Phone:
        """A new person's device with an open pass over `amount`, and `wallet_holds` beside it."""
        person = person or self.person()
        wallet, _ = await self.stack.wallets.open_wallet(person, currency)
        await self.put(wallet.id, amount + wallet_holds, currency)
        key, device, id = PrivateKey.generate(), ids.new_id(), os.urandom(16)
        not_before = self.clock() // SECOND
        pass_ = Pass.parse(
            Pass(
                id=id,
                key=PublicKey(key.public),
                pseudonym=pseudonym or os.urandom(8),
                phone=os.urandom(16),
                salt=os.urandom(8),
                name="आशा",
                tier=1,
                currency=currency.number,
                amount=amount,
                start_sequence=1,
                not_before=not_before,
                expiry=not_before + PASS_SECONDS,
                limits=Limits(most, payments, hops),
                epoch=0,
                payee_lock=payee_lock,
            ).sealed_by(self.issuer.key)
        )
        escrow = await self._escrow(id, person, wallet.id, amount, currency) if amount else None
        await self._insert(pass_, person, device, wallet.id, escrow)
        self.accounts |= {wallet.id} | ({escrow} if escrow else set())
        return Phone(person, device, wallet.id, key, pass_, self.clock)

    async def put(self, account: int, amount: int, currency: Currency = SGD) -> None:
        """Money from outside."""
        if amount:
            await self.stack.chart.ready(currency)
            clearing = house_account(Purpose.CARD_CLEARING, currency.number)
            await self._post(os.urandom(16), clearing, account, amount, currency, Kind.TOP_UP)
            self.put_in += amount

    async def fill_fund(self, amount: int) -> int:
        account = house_account(Purpose.GUARANTEE, SGD.number)
        await self.put(account, amount)
        self.accounts.add(account)
        return account

    async def holds(self, phone: Phone) -> int:
        return await self.stack.posted(phone.wallet)

    async def escrow_of(self, phone: Phone) -> int:
        account = await self.stack.database.fetchval(
            "SELECT escrow FROM offline.pass WHERE id = $1", UUID(bytes=phone.pass_.id)
        )
        return await self.stack.posted(account)

    async def check_conserved(self) -> None:
        """Wallets, escrow and fund hold to the unit what was put in, and rows say the same."""
        assert sum([await self.stack.posted(one) for one in self.accounts]) == self.put_in
        for row in await self.stack.database.fetch(
            "SELECT escrow, amount + received - settled AS left, state FROM offline.pass"
            " WHERE escrow IS NOT NULL"
        ):
            expected = 0 if row["state"] == "returned" else row["left"]
            assert await self.stack.posted(row["escrow"]) == expected

    async def claim(self, pay: Pay) -> dict[str, object]:
        row = await self.stack.database.fetchrow(
            "SELECT * FROM offline.claim WHERE pay_hash = $1", pay.hash
        )
        assert row is not None
        return dict(row)

    async def _escrow(
        self, id: bytes, person: int, wallet: int, amount: int, currency: Currency
    ) -> int:
        escrow = ids.new_id()
        opened = await self.stack.ledger.post(
            OpenAccount(
                ids.derived_id("open", escrow),
                person,
                account=escrow,
                type=AccountType.ESCROW,
                currency=currency.number,
            )
        )
        assert opened.result == Result.POSTED
        await self._post(id, wallet, escrow, amount, currency, Kind.ESCROW)
        return escrow

    async def _post(
        self, id: bytes, debit: int, credit: int, amount: int, currency: Currency, kind: Kind
    ) -> None:
        leg = Leg(debit, credit, amount, currency.number)
        outcome = await self.stack.ledger.post(Transaction(id, kind=kind, postings=(leg,)))
        assert outcome.result == Result.POSTED

    async def _insert(
        self, pass_: Pass, person: int, device: int, wallet: int, escrow: int | None
    ) -> None:
        at = from_us(self.clock())
        async with self.stack.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO offline.device"
                " (id, person, name_sealed, kind, protection, tier, created_at)"
                " VALUES ($1, $2, 'x', 'phone', 'passkey', 1, $3)",
                device,
                person,
                at,
            )
            expires = from_us(pass_.expiry * SECOND)
            await connection.execute(
                "INSERT INTO offline.pass (id, device, person, wallet, currency, escrow, amount,"
                " public_key, pseudonym, message_sealed, hash, start_seq, tier, most_per_payment,"
                " payments, hops, payee_lock, not_before, expires_at, claim_until, state, digest,"
                " created_at, next_check_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
                " $12, 1, $13, $14, $21, $15, $16, $17, $18, 'open', $19, $20, $17)",
                UUID(bytes=pass_.id),
                device,
                person,
                wallet,
                pass_.currency,
                escrow,
                pass_.amount,
                pass_.key.raw,
                pass_.pseudonym,
                PASS.seal_bytes(self.personal.sealing, UUID(bytes=pass_.id), pass_.raw),
                pass_.hash,
                pass_.start_sequence,
                pass_.limits.most_per_payment,
                pass_.limits.payments,
                pass_.payee_lock,
                from_us(pass_.not_before * SECOND),
                expires,
                from_us((pass_.expiry + CLAIM_SECONDS) * SECOND),
                bytes(32),
                at,
                pass_.limits.hops,
            )


@asynccontextmanager
async def running_world(urls: DatabaseUrls) -> AsyncIterator[World]:
    async with running_stack(urls) as stack:
        with TemporaryDirectory() as folder:
            yield World.over(stack, Path(folder) / "keys")
