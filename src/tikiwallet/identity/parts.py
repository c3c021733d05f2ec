"""The services of identity, put together for whoever starts a process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity.account_parts import AccountParts
from tikiwallet.identity.clients import Clients
from tikiwallet.identity.codes import Codes, CodeSender
from tikiwallet.identity.confirmations import Confirmations
from tikiwallet.identity.factor_parts import FactorParts, StrongSignIn
from tikiwallet.identity.federation import Federation, IdentityProvider
from tikiwallet.identity.hashing import Hashing
from tikiwallet.identity.keys import load_server_secret, load_token_keys
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
from tikiwallet.identity.step_up import StepUp
from tikiwallet.identity.tickets import Tickets
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
        secret = load_server_secret(keys_dir)
        sealing = Sealing(keys_dir)
        personal = Personal.of(sealing, secret)
        events = SecurityEvents(personal)
        hashing = Hashing()
        limits = Limits(database, secret, rate_limits, now)
        passwords = Passwords(hashing)
        tokens = TokenIssuer(keys, issuer, now)
        revocations = Revocations(connect, now)
        people = People(database, limits, personal)
        codes = Codes(database, secret, now)
        factors = FactorParts.build(
            database,
            events=events,
            secret=secret,
            personal=personal,
            limits=limits,
            public_url=issuer,
            now=now,
        )
        sessions = Sessions(
            database,
            events=events,
            issuer=tokens,
            secret=secret,
            revoked=revocations,
            passwords=passwords,
            personal=personal,
            limits=limits,
            familiar=factors.familiar,
            second_factors=factors.second_factors,
            now=now,
        )
        strong = StrongSignIn.build(
            database,
            events=events,
            factors=factors,
            people=people,
            passwords=passwords,
            sessions=sessions,
            codes=codes,
            sender=sender,
            limits=limits,
            now=now,
        )
        tickets = Tickets(database, now)
        pins = Pins(database, hashing, secret, events, now=now)
        payers = Payers(database, now)
        account = AccountParts.build(
            database,
            events=events,
            people=people,
            personal=personal,
            passwords=passwords,
            pins=pins,
            codes=codes,
            sender=sender,
            sessions=sessions,
            limits=limits,
            payers=payers,
            familiar=factors.familiar,
            factors=factors.second_factors,
            step_up=strong.step_up,
            public_url=issuer,
            wait=recovery_wait,
            now=now,
        )
        return cls(
            sealing=sealing,
            personal=personal,
            events=events,
            people=people,
            note_keys=NoteKeys(database, personal, now),
            registration=Registration(
                database,
                events=events,
                codes=codes,
                passwords=passwords,
                personal=personal,
                sessions=sessions,
                tickets=tickets,
                limits=limits,
                familiar=factors.familiar,
                sender=sender,
                now=now,
            ),
            sessions=sessions,
            service_tokens=ServiceTokens(database, tokens, now),
            clients=Clients(database, issuer=tokens, revoked=revocations, limits=limits, now=now),
            pins=pins,
            payers=payers,
            account=account,
            passwords=passwords,
            limits=limits,
            issuer=tokens,
            verifier=TokenVerifier(keys, issuer, revocations, now=now),
            revocations=revocations,
            sightings=Sightings(database, now),
            federation=Federation(
                database,
                events=events,
                providers=providers or {},
                sessions=sessions,
                tickets=tickets,
                limits=limits,
                secret=secret,
                now=now,
            ),
            hashing=hashing,
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
