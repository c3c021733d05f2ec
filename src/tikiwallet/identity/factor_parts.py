"""Second factors and passkeys, put together for `parts.Identity`: first what people have, then,
once there are sessions, what is done with it."""

from dataclasses import dataclass
from typing import Self

from tikiwallet.identity.basis import Basis
from tikiwallet.identity.ceremonies import Ceremonies
from tikiwallet.identity.confirmations import Confirmations
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.known_browsers import KnownBrowsers
from tikiwallet.identity.passkey_sign_in import PasskeySignIn
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.recovery_codes import RecoveryCodes
from tikiwallet.identity.relying_party import RelyingParty
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.second_step import SecondStep
from tikiwallet.identity.sessions import Sessions
from tikiwallet.identity.step_up import StepUp
from tikiwallet.identity.totp import Totp


@dataclass(frozen=True, slots=True)
class FactorParts:
    """What people have beside the password."""

    totp: Totp
    passkeys: Passkeys
    second_factors: SecondFactors
    ceremonies: Ceremonies
    familiar: FamiliarPlaces
    known_browsers: KnownBrowsers
    confirmations: Confirmations

    @classmethod
    def build(cls, basis: Basis) -> Self:
        """The parts, wired; passkeys answer to the public URL alone."""
        database, secret, now = basis.database, basis.secret, basis.now
        ceremonies = Ceremonies(database, basis.limits, now)
        relying_party = RelyingParty.of(basis.public_url)
        passkeys = Passkeys(database, ceremonies, relying_party, secret, basis.events, now)
        totp = Totp(database, basis.sealing, now)
        known_browsers = KnownBrowsers(secret, now)
        return cls(
            totp=totp,
            passkeys=passkeys,
            second_factors=SecondFactors(
                database,
                events=basis.events,
                totp=totp,
                recovery_codes=RecoveryCodes(secret),
                passkeys=passkeys,
                now=now,
            ),
            ceremonies=ceremonies,
            familiar=FamiliarPlaces(database, secret, basis.personal, known_browsers, now),
            known_browsers=known_browsers,
            confirmations=Confirmations(passkeys, ceremonies),
        )


@dataclass(frozen=True, slots=True)
class StrongSignIn:
    """Signing in, and confirming a sign-in, with more than the password."""

    second_step: SecondStep
    passkey_sign_in: PasskeySignIn
    step_up: StepUp

    @classmethod
    def build(cls, basis: Basis, factors: FactorParts, sessions: Sessions) -> Self:
        """The parts, wired."""
        return cls(
            second_step=SecondStep(
                basis.database,
                events=basis.events,
                people=basis.people,
                factors=factors.second_factors,
                sessions=sessions,
                passkeys=factors.passkeys,
                ceremonies=factors.ceremonies,
                codes=basis.codes,
                sender=basis.sender,
                limits=basis.limits,
                familiar=factors.familiar,
                now=basis.now,
            ),
            passkey_sign_in=PasskeySignIn(
                basis.database,
                people=basis.people,
                sessions=sessions,
                passkeys=factors.passkeys,
                ceremonies=factors.ceremonies,
                limits=basis.limits,
                familiar=factors.familiar,
            ),
            step_up=StepUp(
                basis.database,
                events=basis.events,
                passwords=basis.passwords,
                factors=factors.second_factors,
                people=basis.people,
                codes=basis.codes,
                sender=basis.sender,
                passkeys=factors.passkeys,
                ceremonies=factors.ceremonies,
                limits=basis.limits,
                now=basis.now,
            ),
        )
