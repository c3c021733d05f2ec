"""A person's own affairs, put together: profile, password, PIN, number, recovery, closing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity.closure import Closure
from tikiwallet.identity.codes import Codes, CodeSender
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.limits import Limits
from tikiwallet.identity.password_change import PasswordChange
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.payer_facts import Payers
from tikiwallet.identity.people import People
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.phone_change import PhoneChange
from tikiwallet.identity.pin_reset import PinReset
from tikiwallet.identity.pins import Pins
from tikiwallet.identity.profile import Profile
from tikiwallet.identity.recovery import Recovery
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.security_events import SecurityEvents
from tikiwallet.identity.sessions import Sessions
from tikiwallet.identity.step_up import StepUp


@dataclass(frozen=True, slots=True)
class AccountParts:
    """What people do with their account beside signing in and paying."""

    profile: Profile
    password_change: PasswordChange
    pin_reset: PinReset
    recovery: Recovery
    phone_change: PhoneChange
    closure: Closure

    @classmethod
    def build(
        cls,
        database: Database,
        *,
        events: SecurityEvents,
        people: People,
        personal: Personal,
        passwords: Passwords,
        pins: Pins,
        codes: Codes,
        sender: CodeSender,
        sessions: Sessions,
        limits: Limits,
        payers: Payers,
        familiar: FamiliarPlaces,
        factors: SecondFactors,
        step_up: StepUp,
        public_url: str,
        wait: timedelta,
        now: Callable[[], int] = clock.now_us,
    ) -> Self:
        """The parts, wired; `wait` is the waiting time of recoveries and changes of number."""
        return cls(
            profile=Profile(
                database,
                events=events,
                personal=personal,
                pins=pins,
                payers=payers,
                step_up=step_up,
                now=now,
            ),
            password_change=PasswordChange(
                database,
                events=events,
                people=people,
                passwords=passwords,
                factors=factors,
                sessions=sessions,
                sender=sender,
                step_up=step_up,
                limits=limits,
                now=now,
            ),
            pin_reset=PinReset(
                database,
                events=events,
                people=people,
                pins=pins,
                step_up=step_up,
                payers=payers,
                sender=sender,
                now=now,
            ),
            recovery=Recovery(
                database,
                events=events,
                people=people,
                personal=personal,
                codes=codes,
                sender=sender,
                limits=limits,
                familiar=familiar,
                factors=factors,
                passwords=passwords,
                sessions=sessions,
                payers=payers,
                public_url=public_url,
                wait=wait,
                now=now,
            ),
            phone_change=PhoneChange(
                database,
                events=events,
                people=people,
                personal=personal,
                codes=codes,
                sender=sender,
                limits=limits,
                step_up=step_up,
                payers=payers,
                public_url=public_url,
                wait=wait,
                now=now,
            ),
            closure=Closure(
                database,
                events=events,
                people=people,
                personal=personal,
                passwords=passwords,
                pins=pins,
                factors=factors,
                sessions=sessions,
                sender=sender,
                now=now,
            ),
        )
