"""The services of offline money, put together for whoever starts a process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity.parts import Identity
from tikiwallet.ledger.port import Ledger
from tikiwallet.offline.admission import Admission
from tikiwallet.offline.departure import Departure
from tikiwallet.offline.devices import Devices
from tikiwallet.offline.escrow import Escrow
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.limits import LimitTable
from tikiwallet.offline.passes import Passes
from tikiwallet.offline.revocations import RevocationLog
from tikiwallet.offline.settling import Settling
from tikiwallet.payments.approval import Approval
from tikiwallet.wallets.wallets import Wallets


@dataclass(frozen=True, slots=True)
class Offline:
    """Everything that others use of offline money."""

    issuer: Issuer
    devices: Devices
    passes: Passes
    limits: LimitTable
    revocations: RevocationLog
    departure: Departure
    settling: Settling

    @classmethod
    def build(
        cls,
        database: Database,
        *,
        ledger: Ledger,
        wallets: Wallets,
        identity: Identity,
        keys_dir: Path,
        now: Callable[[], int] = clock.now_us,
    ) -> Self:
        """The parts, wired. Raises `KeyFileError`."""
        issuer = Issuer(keys_dir, now)
        revocations = RevocationLog(database, issuer, now)
        limits = LimitTable(database)
        devices = Devices(
            database,
            personal=identity.personal,
            events=identity.events,
            passkeys=identity.passkeys,
            revocations=revocations,
            now=now,
        )
        passes = Passes(
            database,
            admission=Admission(devices, limits, wallets, Approval(identity.pins, identity.payers)),
            escrow=Escrow(ledger),
            issuer=issuer,
            revocations=revocations,
            people=identity.people,
            personal=identity.personal,
            now=now,
        )
        settling = Settling.build(
            database,
            ledger=ledger,
            wallets=wallets,
            issuer=issuer,
            revocations=revocations,
            sealing=identity.sealing,
            events=identity.events,
            now=now,
        )
        return cls(
            issuer=issuer,
            devices=devices,
            passes=passes,
            limits=limits,
            revocations=revocations,
            departure=Departure(passes, devices, settling.debts, settling.waiting),
            settling=settling,
        )
