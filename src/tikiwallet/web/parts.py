"""What the routes work with, wired by `app.py`, and how a route gets at it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client.registry import CollectorRegistry

from tikiwallet.config import Settings
from tikiwallet.database.pool import Database
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.places import Places
from tikiwallet.identity.tokens import PERSON_SCOPE, Principal
from tikiwallet.ledger.port import Ledger
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.notify.notices import Notices
from tikiwallet.offline.parts import Offline
from tikiwallet.payments.activity import Activity
from tikiwallet.payments.contacts import Contacts
from tikiwallet.payments.notes import Notes
from tikiwallet.payments.pay import Payments
from tikiwallet.payments.topups import TopUps
from tikiwallet.providers.sandbox import SandboxGateway
from tikiwallet.wallets.closing import Closing
from tikiwallet.wallets.directory import WalletDirectory
from tikiwallet.wallets.wallets import Wallets
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.devices import describe
from tikiwallet.web.metrics import Latencies
from tikiwallet.web.rate_counters import RateCounters


@dataclass(frozen=True, slots=True)
class LedgerStanding:
    """For /readyz: `role` of this process's ledger (`writer`, `link`, or why it is neither) and
    where an acknowledged transaction is durable, in words."""

    role: str
    durability: str

    @property
    def answers(self) -> bool:
        """Whether it can be asked."""
        return self.role in ("writer", "link")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Services of one API process. `inbox` and `card_sandbox` are None once providers are real."""

    settings: Settings
    database: Database
    ledger: Ledger
    identity: Identity
    cookies: BrowserCookies
    wallets: Wallets
    directory: WalletDirectory
    topups: TopUps
    payments: Payments
    activity: Activity
    contacts: Contacts
    closing: Closing
    notices: Notices
    notes: Notes
    offline: Offline
    latencies: Latencies
    registry: CollectorRegistry
    ledger_standing: Callable[[], LedgerStanding]
    places: Places = field(default_factory=Places)
    rates: RateCounters | None = None  # none: limits are lifted
    inbox: SandboxInbox | None = None
    card_sandbox: SandboxGateway | None = None


async def parts_of(request: Request) -> Parts:
    """The parts of the application that serves `request`."""
    parts: Parts = request.app.state.parts
    return parts


async def person_of(request: Request) -> Principal:
    """The person who signed `request`, by header or by cookie. Raises the problems of
    `TokenVerifier.verify`, ScopeMissing for a service's token, CsrfFailed."""
    parts = await parts_of(request)
    signed = parts.cookies.authorization(request.scope["headers"], request.method)
    principal = parts.identity.verifier.verify(signed)
    principal.require(PERSON_SCOPE)
    parts.identity.sightings.note(principal.session)
    return principal


WithParts = Annotated[Parts, Depends(parts_of)]
SignedIn = Annotated[Principal, Depends(person_of)]


def address_of(request: Request) -> str | None:
    """The address that a request came from, before trusted proxies; limits count by it."""
    return None if request.client is None else request.client.host


def device_of(request: Request) -> str:
    """What the person behind a request may call their device; empty when nothing is known."""
    return describe(request.headers.get("user-agent", ""))
