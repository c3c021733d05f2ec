"""A person's own affairs, put together: profile, password, PIN, number, recovery, closing."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from tikiwallet.identity.basis import Basis
from tikiwallet.identity.closure import Closure
from tikiwallet.identity.factor_parts import FactorParts
from tikiwallet.identity.password_change import PasswordChange
from tikiwallet.identity.phone_change import PhoneChange
from tikiwallet.identity.pin_reset import PinReset
from tikiwallet.identity.profile import Profile
from tikiwallet.identity.recovery import Recovery
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
        basis: Basis,
        *,
        factors: FactorParts,
        sessions: Sessions,
        step_up: StepUp,
        wait: timedelta,
    ) -> Self:
        """The parts, wired; `wait` is the waiting time of recoveries and changes of number."""
        return cls(
            profile=Profile(
                basis.database,
                events=basis.events,
                personal=basis.personal,
                pins=basis.pins,
                payers=basis.payers,
                step_up=step_up,
                now=basis.now,
            ),
            password_change=PasswordChange(
                basis.database,
                events=basis.events,
                people=basis.people,
                passwords=basis.passwords,
                factors=factors.second_factors,
                sessions=sessions,
                sender=basis.sender,
                step_up=step_up,
                limits=basis.limits,
                now=basis.now,
            ),
            pin_reset=PinReset(
                basis.database,
                events=basis.events,
                people=basis.people,
                pins=basis.pins,
                step_up=step_up,
                payers=basis.payers,
                sender=basis.sender,
                now=basis.now,
            ),
            recovery=_recovery(basis, factors, sessions, wait),
            phone_change=_phone_change(basis, step_up, wait),
            closure=Closure(
                basis.database,
                events=basis.events,
                people=basis.people,
                personal=basis.personal,
                passwords=basis.passwords,
                pins=basis.pins,
                factors=factors.second_factors,
                sessions=sessions,
                sender=basis.sender,
                now=basis.now,
            ),
        )


def _recovery(basis: Basis, factors: FactorParts, sessions: Sessions, wait: timedelta) -> Recovery:
    return Recovery(
        basis.database,
        events=basis.events,
        people=basis.people,
        personal=basis.personal,
        codes=basis.codes,
        sender=basis.sender,
        limits=basis.limits,
        familiar=factors.familiar,
        factors=factors.second_factors,
        passwords=basis.passwords,
        sessions=sessions,
        payers=basis.payers,
        public_url=basis.public_url,
        wait=wait,
        now=basis.now,
    )


def _phone_change(basis: Basis, step_up: StepUp, wait: timedelta) -> PhoneChange:
    return PhoneChange(
        basis.database,
        events=basis.events,
        people=basis.people,
        personal=basis.personal,
        codes=basis.codes,
        sender=basis.sender,
        limits=basis.limits,
        step_up=step_up,
        payers=basis.payers,
        public_url=basis.public_url,
        wait=wait,
        now=basis.now,
    )
