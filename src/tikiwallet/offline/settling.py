"""The services of settlement, put together for whoever starts a process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from tikiwallet.clock import now_us
from tikiwallet.database.pool import Database
from tikiwallet.identity.sealing import Sealing
from tikiwallet.identity.security_events import SecurityEvents
from tikiwallet.ledger.port import Ledger
from tikiwallet.offline.claims import Checker, KnownPasses
from tikiwallet.offline.conflicts import Conflicts, HasKeys, Revokes
from tikiwallet.offline.debts import Debts
from tikiwallet.offline.fund import Fund
from tikiwallet.offline.history import History
from tikiwallet.offline.posting import Posting
from tikiwallet.offline.reports import Reports
from tikiwallet.offline.returns import Returns
from tikiwallet.offline.settlement import Settlement
from tikiwallet.offline.waiting import Waiting
from tikiwallet.wallets.chart import Chart
from tikiwallet.wallets.wallets import Wallets


class IssuerFacts(HasKeys, Protocol):
    """What settlement needs of the issuer."""

    @property
    def root(self) -> bytes:
        """The root's public key."""


@dataclass(frozen=True, slots=True)
class Settling:
    """Everything that others use of settlement."""

    settlement: Settlement
    posting: Posting
    returns: Returns
    debts: Debts
    fund: Fund
    reports: Reports
    history: History
    waiting: Waiting

    @classmethod
    def build(
        cls,
        database: Database,
        *,
        ledger: Ledger,
        wallets: Wallets,
        issuer: IssuerFacts,
        revocations: Revokes,
        sealing: Sealing,
        events: SecurityEvents,
        now: Callable[[], int] = now_us,
    ) -> Self:
        """The parts, wired."""
        fund = Fund(database, ledger, Chart(ledger))
        posting = Posting(database, ledger=ledger, fund=fund, now=now)
        settlement = Settlement(
            database,
            wallets=wallets,
            checker=Checker(KnownPasses(database)),
            posting=posting,
            sealing=sealing,
            conflicts=Conflicts(revocations, issuer, sealing, events),
            now=now,
        )
        return cls(
            settlement=settlement,
            posting=posting,
            returns=Returns(database, ledger, now),
            debts=Debts(database, ledger, events, now),
            fund=fund,
            reports=Reports(database, ledger, sealing, lambda: issuer.root, now),
            history=History(database, sealing),
            waiting=Waiting(database, ledger, now),
        )
