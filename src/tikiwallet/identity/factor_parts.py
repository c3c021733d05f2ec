"""Second factors and passkeys, put together for `parts.Identity`: first what people have, then,
once there are sessions, what is done with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity.ceremonies import Ceremonies
from tikiwallet.identity.codes import Codes, CodeSender
from tikiwallet.identity.confirmations import Confirmations
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.known_browsers import KnownBrowsers
from tikiwallet.identity.limits import Limits
from tikiwallet.identity.passkey_sign_in import PasskeySignIn
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.people import People
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.recovery_codes import RecoveryCodes
from tikiwallet.identity.relying_party import RelyingParty
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.second_step import SecondStep
from tikiwallet.identity.security_events import SecurityEvents
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
    def build(
        cls,
        database: Database,
        *,
        events: SecurityEvents,
        secret: ServerSecret,
        personal: Personal,
        limits: Limits,
        public_url: str,
        now: Callable[[], int] = clock.now_us,
    ) -> Self:
        """The parts, wired; passkeys answer to `public_url` alone."""
        ceremonies = Ceremonies(database, limits, now)
        passkeys = Passkeys(database, ceremonies, RelyingParty.of(public_url), secret, events, now)
        totp = Totp(database, personal.sealing, now)
        known_browsers = KnownBrowsers(secret, now)
        return cls(
            totp=totp,
            passkeys=passkeys,
            second_factors=SecondFactors(
                database,
                events=events,
                totp=totp,
                recovery_codes=RecoveryCodes(secret),
                passkeys=passkeys,
                now=now,
            ),
            ceremonies=ceremonies,
            familiar=FamiliarPlaces(database, secret, personal, known_browsers, now),
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
    def build(
        cls,
        database: Database,
        *,
        events: SecurityEvents,
        factors: FactorParts,
        people: People,
        passwords: Passwords,
        sessions: Sessions,
        codes: Codes,
        sender: CodeSender,
        limits: Limits,
        now: Callable[[], int] = clock.now_us,
    ) -> Self:
        """The parts, wired."""
        return cls(
            second_step=SecondStep(
                database,
                events=events,
                people=people,
                factors=factors.second_factors,
                sessions=sessions,
                passkeys=factors.passkeys,
                ceremonies=factors.ceremonies,
                codes=codes,
                sender=sender,
                limits=limits,
                familiar=factors.familiar,
                now=now,
            ),
            passkey_sign_in=PasskeySignIn(
                database,
                people=people,
                sessions=sessions,
                passkeys=factors.passkeys,
                ceremonies=factors.ceremonies,
                limits=limits,
                familiar=factors.familiar,
            ),
            step_up=StepUp(
                database,
                events=events,
                passwords=passwords,
                factors=factors.second_factors,
                people=people,
                codes=codes,
                sender=sender,
                passkeys=factors.passkeys,
                ceremonies=factors.ceremonies,
                limits=limits,
                now=now,
            ),
        )
