"""Signing in with a passkey alone: the device asks who is there, and knows for whom.

What somebody has and what they know or are, in one: no second factor follows.
"""

from datetime import timedelta
from typing import Final

from tikiwallet.database.pool import Database
from tikiwallet.identity.ceremonies import Ceremonies, Ceremony
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.limits import Limit, Limits, address_subject
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.people import People
from tikiwallet.identity.relying_party import Json, PasskeyInvalid
from tikiwallet.identity.sessions import Sessions, Tokens

# Browsers ask whenever the page to sign in opens, and many people share an address.
OPTIONS_PER_ADDRESS: Final = Limit("passkey.address", 1_000, timedelta(minutes=15))
_ANYBODY: Final = b""


class PasskeySignIn:
    """Signs in without phone and password."""

    def __init__(
        self,
        database: Database,
        *,
        people: People,
        sessions: Sessions,
        passkeys: Passkeys,
        ceremonies: Ceremonies,
        limits: Limits,
        familiar: FamiliarPlaces,
    ) -> None:
        self._database = database
        self._people = people
        self._sessions = sessions
        self._passkeys = passkeys
        self._ceremonies = ceremonies
        self._limits = limits
        self._familiar = familiar

    async def options(self, address: str | None = None) -> tuple[str, Json]:
        """(id of the challenge, options for whichever passkey there is). Raises
        `TooManyRequests`."""
        if address is not None:
            await self._limits.take(OPTIONS_PER_ADDRESS, address_subject(address))
        begun = await self._ceremonies.begin(Ceremony.SIGN_IN, 0, _ANYBODY, limited_by=None)
        return begun.id, await self._passkeys.begin_request(begun, None)

    async def sign_in(
        self,
        challenge_id: str,
        credential: Json,
        address: str | None = None,
        *,
        device: str = "",
    ) -> Tokens:
        """Sign in whoever's passkey answered. Raises `PasskeyInvalid`."""
        id = await self._passkeys.check(
            Ceremony.SIGN_IN, credential, person=None, bound=_ANYBODY, id=challenge_id
        )
        person = await self._people.person(id)
        if person is None:
            raise PasskeyInvalid
        async with self._database.transaction() as connection:
            await self._familiar.remember(connection, person.phone, address)
            return await self._sessions.open(
                connection, person.id, method="passkey", address=address, device=device
            )
