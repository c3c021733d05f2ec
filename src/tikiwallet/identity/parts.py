"""The services of identity, put together for whoever starts a process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity.account_parts import AccountParts
from tikiwallet.identity.basis import Basis
from tikiwallet.identity.clients import Clients
from tikiwallet.identity.codes import CodeSender
from tikiwallet.identity.confirmations import Confirmations
from tikiwallet.identity.factor_parts import FactorParts, StrongSignIn
from tikiwallet.identity.federation import Federation, IdentityProvider
from tikiwallet.identity.hashing import Hashing
from tikiwallet.identity.keys import load_token_keys
from tikiwallet.identity.known_browsers import KnownBrowsers
from tikiwallet.identity.limits import Limits
from tikiwallet.identity.note_keys import NoteKeys
from tikiwallet.identity.passkey_sign_in import PasskeySignIn
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.payer_facts import Payers
from tikiwallet.identity.people import People
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.pins import Pins
from tikiwallet.identity.recovery import WAIT
from tikiwallet.identity.registration import Registration
from tikiwallet.identity.revocations import Connect, Revocations
from tikiwallet.identity.sealing import Sealing
from tikiwallet.identity.second_factors import SecondFactors
from tikiwallet.identity.second_step import SecondStep
from tikiwallet.identity.security_events import SecurityEvents
from tikiwallet.identity.service_tokens import ServiceTokens
from tikiwallet.identity.sessions import Sessions
from tikiwallet.identity.sightings import Sightings
from tikiwallet.identity.sign_in_parts import SignInParts
from tikiwallet.identity.step_up import StepUp
from tikiwallet.identity.tokens import TokenIssuer, TokenVerifier
from tikiwallet.identity.totp import Totp


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that others use of identity, made over one database and one keys directory."""

    sealing: Sealing
    personal: Personal
    events: SecurityEvents
    people: People
    note_keys: NoteKeys
    registration: Registration
    sessions: Sessions
    service_tokens: ServiceTokens
    clients: Clients
    pins: Pins
    payers: Payers
    account: AccountParts
    passwords: Passwords
    limits: Limits
    issuer: TokenIssuer
    verifier: TokenVerifier
    revocations: Revocations
    sightings: Sightings
    federation: Federation
    hashing: Hashing
    totp: Totp
    passkeys: Passkeys
    second_factors: SecondFactors
    second_step: SecondStep
    passkey_sign_in: PasskeySignIn
    step_up: StepUp
    known_browsers: KnownBrowsers
    confirmations: Confirmations

    @classmethod
    def build(
        cls,
        database: Database,
        *,
        connect: Connect,
        keys_dir: Path,
        issuer: str,
        sender: CodeSender,
        rate_limits: bool = True,
        providers: Mapping[str, IdentityProvider] | None = None,
        recovery_wait: timedelta = WAIT,
        now: Callable[[], int] = clock.now_us,
    ) -> Self:
        """The parts, wired. `connect` opens an unpooled connection as the application (for ended
        sessions), `issuer` is the public URL: the claim `iss` of tokens, and the one origin that
        passkeys answer to; people may also sign in through `providers`; `recovery_wait` is the
        waiting time of recoveries and changes of number. Call `start` before tokens are verified.
        Raises `KeyFileError`."""
        keys = load_token_keys(keys_dir)
        basis = Basis.build(
            database,
            keys_dir=keys_dir,
            public_url=issuer,
            sender=sender,
            rate_limits=rate_limits,
            now=now,
        )
        factors = FactorParts.build(basis)
        sign_in = SignInParts.build(
            basis, factors=factors, keys=keys, connect=connect, providers=providers or {}
        )
        strong = StrongSignIn.build(basis, factors, sign_in.sessions)
        account = AccountParts.build(
            basis,
            factors=factors,
            sessions=sign_in.sessions,
            step_up=strong.step_up,
            wait=recovery_wait,
        )
        return cls(
            sealing=basis.sealing,
            personal=basis.personal,
            events=basis.events,
            people=basis.people,
            note_keys=NoteKeys(database, basis.personal, now),
            registration=sign_in.registration,
            sessions=sign_in.sessions,
            service_tokens=sign_in.service_tokens,
            clients=sign_in.clients,
            pins=basis.pins,
            payers=basis.payers,
            account=account,
            passwords=basis.passwords,
            limits=basis.limits,
            issuer=sign_in.issuer,
            verifier=sign_in.verifier,
            revocations=sign_in.revocations,
            sightings=sign_in.sightings,
            federation=sign_in.federation,
            hashing=basis.hashing,
            totp=factors.totp,
            passkeys=factors.passkeys,
            second_factors=factors.second_factors,
            second_step=strong.second_step,
            passkey_sign_in=strong.passkey_sign_in,
            step_up=strong.step_up,
            known_browsers=factors.known_browsers,
            confirmations=factors.confirmations,
        )

    async def start(self) -> None:
        """Begin to follow ended sessions; until then every token is refused as unavailable."""
        await self.revocations.start()
        await self.payers.start()
        self.sightings.start()

    async def stop(self) -> None:
        """Let go of the connection and the hashing threads; write when sessions were last used."""
        await self.sightings.stop()
        await self.payers.stop()
        await self.revocations.stop()
        self.hashing.close()
