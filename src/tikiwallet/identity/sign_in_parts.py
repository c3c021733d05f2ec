"""Signing in and staying signed in, put together for `parts.Identity`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tikiwallet.identity.basis import Basis
from tikiwallet.identity.clients import Clients
from tikiwallet.identity.factor_parts import FactorParts
from tikiwallet.identity.federation import Federation, IdentityProvider
from tikiwallet.identity.keys import TokenKeys
from tikiwallet.identity.registration import Registration
from tikiwallet.identity.revocations import Connect, Revocations
from tikiwallet.identity.service_tokens import ServiceTokens
from tikiwallet.identity.sessions import Sessions
from tikiwallet.identity.sightings import Sightings
from tikiwallet.identity.tickets import Tickets
from tikiwallet.identity.tokens import TokenIssuer, TokenVerifier


@dataclass(frozen=True, slots=True)
class SignInParts:
    """Tokens, the sessions that they belong to, and the ways to a session with a password or
    through somebody else."""

    issuer: TokenIssuer
    verifier: TokenVerifier
    revocations: Revocations
    sessions: Sessions
    sightings: Sightings
    registration: Registration
    federation: Federation
    clients: Clients
    service_tokens: ServiceTokens

    @classmethod
    def build(
        cls,
        basis: Basis,
        *,
        factors: FactorParts,
        keys: TokenKeys,
        connect: Connect,
        providers: Mapping[str, IdentityProvider],
    ) -> Self:
        """The parts, wired; `connect` and `providers` as in `Identity.build`."""
        database, limits, now = basis.database, basis.limits, basis.now
        issuer = TokenIssuer(keys, basis.public_url, now)
        revocations = Revocations(connect, now)
        sessions = Sessions(
            database,
            events=basis.events,
            issuer=issuer,
            secret=basis.secret,
            revoked=revocations,
            passwords=basis.passwords,
            personal=basis.personal,
            limits=limits,
            familiar=factors.familiar,
            second_factors=factors.second_factors,
            now=now,
        )
        tickets = Tickets(database, now)
        return cls(
            issuer=issuer,
            verifier=TokenVerifier(keys, basis.public_url, revocations, now=now),
            revocations=revocations,
            sessions=sessions,
            sightings=Sightings(database, now),
            registration=Registration(
                database,
                events=basis.events,
                codes=basis.codes,
                passwords=basis.passwords,
                personal=basis.personal,
                sessions=sessions,
                tickets=tickets,
                limits=limits,
                familiar=factors.familiar,
                sender=basis.sender,
                now=now,
            ),
            federation=Federation(
                database,
                events=basis.events,
                providers=providers,
                sessions=sessions,
                tickets=tickets,
                limits=limits,
                secret=basis.secret,
                now=now,
            ),
            clients=Clients(database, issuer=issuer, revoked=revocations, limits=limits, now=now),
            service_tokens=ServiceTokens(database, issuer, now),
        )
