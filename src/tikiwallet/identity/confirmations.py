"""A passkey in place of the PIN: it signs a challenge made from what is to be paid.

The challenge is a hash over the person and the content, so the signature is over them too; asked
for one payment it confirms no other. It works once, for two minutes.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Final

from tikiwallet.errors import Problem
from tikiwallet.identity.ceremonies import Ceremonies, Ceremony
from tikiwallet.identity.passkeys import Passkeys
from tikiwallet.identity.relying_party import Json, PasskeyInvalid

LIFETIME: Final = timedelta(minutes=2)


class ConfirmationInvalid(Problem):
    code = "confirmation_invalid"
    title = "This confirmation does not fit the payment, was used before, or is too old"


class Confirmations:
    """Begins confirmations and checks them."""

    def __init__(self, passkeys: Passkeys, ceremonies: Ceremonies) -> None:
        self._passkeys = passkeys
        self._ceremonies = ceremonies

    async def begin(self, person: int, content: bytes) -> tuple[str, Json]:
        """(id, options for a passkey of `person`) to confirm `content`, whatever bytes stand for
        it. Raises `NoPasskey`, `TooManyRequests`."""
        begun = await self._ceremonies.begin(
            Ceremony.PAYMENT, person, _bound(content), limited_by=str(person), lifetime=LIFETIME
        )
        return begun.id, await self._passkeys.begin_request(begun, person)

    async def check(self, person: int, id: str, credential: Json, content: bytes) -> None:
        """Returns when a passkey of `person`, asking who is there, has confirmed `content`, once.
        Raises `ConfirmationInvalid`."""
        try:
            await self._passkeys.check(
                Ceremony.PAYMENT, credential, person=person, bound=_bound(content), id=id
            )
        except PasskeyInvalid:
            raise ConfirmationInvalid from None


def _bound(content: bytes) -> bytes:
    return sha256(content).digest()
