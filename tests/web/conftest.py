"""The HTTP application over real parts, spoken to through ASGI."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial

import httpx
import pytest
from tests.identity.sign_up import PASSWORD, code_for
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack

from tikiwallet import ids
from tikiwallet.config import Settings
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import connect
from tikiwallet.identity.federation import IdentityProvider
from tikiwallet.identity.keys import load_server_secret
from tikiwallet.identity.parts import Identity
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.notify.notices import Notices
from tikiwallet.offline.parts import Offline
from tikiwallet.payments.activity import Activity
from tikiwallet.payments.contacts import Contacts
from tikiwallet.payments.memos import Memos
from tikiwallet.payments.notes import Notes
from tikiwallet.payments.pay import PaymentRequest, Payments, PaymentTold
from tikiwallet.payments.topups import TopUps
from tikiwallet.providers.sandbox import SandboxGateway
from tikiwallet.wallets.closing import Closing
from tikiwallet.web.app_files import AppFiles
from tikiwallet.web.application import build_application
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.metrics import Latencies, build_registry
from tikiwallet.web.parts import LedgerStanding, Parts


@dataclass(frozen=True)
class Web:
    """A client of the application, and the parts behind it."""

    http: httpx.AsyncClient
    parts: Parts
    stack: Stack

    async def sign_up(self, phone: str, username: str) -> "Caller":
        """A new person, registered as the app does it."""
        registered = await self.http.post(
            "/v1/auth/register",
            json={"phone": phone, "username": username, "password": PASSWORD},
        )
        assert registered.status_code == 202, registered.text
        assert self.parts.inbox is not None
        code = await code_for(self.parts.inbox, phone)
        verified = await self.http.post("/v1/auth/verify", json={**registered.json(), "code": code})
        assert verified.status_code == 201, verified.text
        return Caller(self.http, verified.json())

    async def pay(
        self, caller: "Caller", key: str, request: PaymentRequest
    ) -> tuple[PaymentTold, bool]:
        """A payment, which is the fast lane's, in front of this application."""
        payments = self.parts.payments
        return await payments.carry_out(payments.asked(caller.person, key, request))


@dataclass(frozen=True)
class Caller:
    """Someone who is signed in."""

    http: httpx.AsyncClient
    tokens: dict[str, str]

    @property
    def person(self) -> int:
        id = ids.read_id("p", self.tokens["person_id"])
        assert id is not None
        return id

    async def call(
        self, method: str, path: str, json: object = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(
            method,
            path,
            json=json,
            headers={"authorization": f"Bearer {self.tokens['access_token']}", **named},
        )

    async def wallet(self, currency: str = "SGD") -> str:
        answer = await self.call("POST", "/v1/wallets", {"currency": currency})
        id: str = answer.json()["id"]
        return id


def build_parts(stack: Stack, identity: Identity, settings: Settings) -> Parts:
    """The services of one API process."""
    latencies = Latencies()
    gateway = SandboxGateway(stack.database, settings.public_url)
    memos = Memos(identity.sealing)
    activity = Activity(stack.database, stack.ledger, stack.directory, identity.people, memos)
    offline = Offline.build(
        stack.database,
        ledger=stack.ledger,
        wallets=stack.wallets,
        identity=identity,
        keys_dir=settings.keys_dir,
    )
    return Parts(
        settings=settings,
        database=stack.database,
        ledger=stack.ledger,
        identity=identity,
        cookies=BrowserCookies(load_server_secret(settings.keys_dir), settings.public_url),
        wallets=stack.wallets,
        directory=stack.directory,
        topups=TopUps(
            stack.database,
            ledger=stack.ledger,
            wallets=stack.wallets,
            chart=stack.chart,
            gateway=gateway,
        ),
        payments=Payments(
            stack.ledger,
            stack.directory,
            stack.wallets,
            identity.people,
            identity.pins,
            identity.confirmations,
            identity.payers,
            memos,
            b"digest key of tests",
        ),
        activity=activity,
        notes=Notes(
            stack.database,
            activity=activity,
            keys=identity.note_keys,
            people=identity.people,
            wallets=stack.wallets,
            ledger=stack.ledger,
        ),
        offline=offline,
        contacts=Contacts(
            stack.database,
            people=identity.people,
            wallets=stack.wallets,
            activity=activity,
            limits=identity.limits,
        ),
        closing=Closing(
            stack.database,
            events=identity.events,
            ledger=stack.ledger,
            wallets=stack.wallets,
            closure=identity.account.closure,
            elsewhere=[offline.departure],
        ),
        notices=Notices(stack.database, identity.events),
        latencies=latencies,
        registry=build_registry(latencies),
        ledger_standing=lambda: LedgerStanding("writer", stack.ledger.durability()),
        inbox=SandboxInbox(stack.database),
        card_sandbox=gateway,
    )


@cache
def app_files(*, sandbox: bool) -> AppFiles:
    """The phone app, read and compressed once for all tests."""
    return AppFiles.read(sandbox=sandbox)


@asynccontextmanager
async def running_web(
    database_urls: DatabaseUrls,
    settings: Settings,
    providers: Mapping[str, IdentityProvider] | None = None,
) -> AsyncIterator[Web]:
    """The application over a fresh database; people may sign in through `providers`."""
    async with running_stack(database_urls) as stack:
        identity = Identity.build(
            stack.database,
            connect=partial(connect, database_urls.app, APP),
            keys_dir=settings.keys_dir,
            issuer=settings.public_url,
            sender=SandboxInbox(stack.database),
            rate_limits=False,
            providers=providers,
        )
        await identity.start()
        try:
            parts = build_parts(stack, identity, settings)
            application = build_application(parts, app_files=app_files(sandbox=settings.sandbox))
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as http:
                yield Web(http, parts, stack)
        finally:
            await identity.stop()


@pytest.fixture
async def web(database_urls: DatabaseUrls, settings: Settings) -> AsyncIterator[Web]:
    async with running_web(database_urls, settings) as running:
        yield running
