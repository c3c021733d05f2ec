"""Recovery codes: ten to a person, for the day the phone is lost. Each works once.

Sixty random bits, kept as keyed hashes: neither guessed online nor read out of a stolen database.
"""

import hmac
import re
import secrets
from typing import Final

from tikiwallet.database.pool import AnyConnection
from tikiwallet.identity.keys import ServerSecret

COUNT: Final = 10
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 12
_FORM: Final = re.compile(f"[{_LETTERS}]{{{_LENGTH}}}", re.ASCII)
# Crockford's base 32 reads what people confuse as what was meant.
_MEANT: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "-": "", " ": ""})


class RecoveryCodes:
    """Makes and takes recovery codes, always in the caller's database transaction."""

    def __init__(self, secret: ServerSecret) -> None:
        self._key = secret.subkey("recovery codes")

    async def renew(self, connection: AnyConnection, person: int) -> list[str]:
        """Ten new codes (`k7md-9x2p-4qwz`), to be shown once; the former stop to work."""
        codes = ["".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(COUNT)]
        await self.forget(connection, person)
        await connection.execute(
            "INSERT INTO identity.recovery_code (person, hash) SELECT $1, unnest($2::bytea[])",
            person,
            [self._hash(person, code) for code in codes],
        )
        return ["-".join((code[:4], code[4:8], code[8:])) for code in codes]

    async def use(self, connection: AnyConnection, person: int, written: str) -> bool:
        """Whether `written`, however it was typed, is a code of `person`; it is gone then."""
        code = written.lower().translate(_MEANT)
        if not _FORM.fullmatch(code):
            return False
        used = await connection.fetchval(
            "DELETE FROM identity.recovery_code WHERE person = $1 AND hash = $2 RETURNING 1",
            person,
            self._hash(person, code),
        )
        return used is not None

    async def forget(self, connection: AnyConnection, person: int) -> None:
        """None of the codes of `person` works any longer."""
        await connection.execute("DELETE FROM identity.recovery_code WHERE person = $1", person)

    def _hash(self, person: int, code: str) -> bytes:
        return hmac.digest(self._key, f"{person} {code}".encode(), "sha256")
