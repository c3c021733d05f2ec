"""What every part of identity stands on, put together first."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity.codes import Codes, CodeSender
from tikiwallet.identity.hashing import Hashing
from tikiwallet.identity.keys import ServerSecret, load_server_secret
from tikiwallet.identity.limits import Limits
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.payer_facts import Payers
from tikiwallet.identity.people import People
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.pins import Pins
from tikiwallet.identity.sealing import Sealing
from tikiwallet.identity.security_events import SecurityEvents


@dataclass(frozen=True, slots=True)
class Basis:
    """Of one database and one keys directory: who there is, and what they are known by. `now` tells
    microseconds since 1970."""

    database: Database
    secret: ServerSecret
    sealing: Sealing
    personal: Personal
    events: SecurityEvents
    hashing: Hashing
    passwords: Passwords
    limits: Limits
    people: People
    pins: Pins
    payers: Payers
    codes: Codes
    sender: CodeSender
    public_url: str
    now: Callable[[], int]

    @classmethod
    def build(
        cls,
        database: Database,
        *,
        keys_dir: Path,
        public_url: str,
        sender: CodeSender,
        rate_limits: bool = True,
        now: Callable[[], int] = clock.now_us,
    ) -> Self:
        """The parts, wired. Raises `KeyFileError`."""
        secret = load_server_secret(keys_dir)
        sealing = Sealing(keys_dir)
        personal = Personal.of(sealing, secret)
        events = SecurityEvents(personal)
        hashing = Hashing()
        limits = Limits(database, secret, rate_limits, now)
        return cls(
            database=database,
            secret=secret,
            sealing=sealing,
            personal=personal,
            events=events,
            hashing=hashing,
            passwords=Passwords(hashing),
            limits=limits,
            people=People(database, limits, personal),
            pins=Pins(database, hashing, secret, events, now=now),
            payers=Payers(database, now),
            codes=Codes(database, secret, now),
            sender=sender,
            public_url=public_url,
            now=now,
        )
