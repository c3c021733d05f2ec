"""One-time codes: six digits, kept as keyed hashes, five minutes, five tries."""

import hmac
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Problem
from tikiwallet.identity.keys import ServerSecret

TRIES = 5
LIFETIME = timedelta(minutes=5)

_FORM = re.compile(r"[0-9]{6}", re.ASCII)
_USE = "UPDATE identity.code SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING 1"
_USE_UP = "DELETE FROM identity.code WHERE id = $1 AND used_at IS NULL RETURNING 1"


class Purpose(StrEnum):
    """What a message is for; decides its words. Those in `WITHOUT_CODE` have no code."""

    REGISTER = "register"
    SECOND_FACTOR = "second_factor"
    STEP_UP = "step_up"
    ALREADY_REGISTERED = "already_registered"
    RECOVER = "recover"
    RECOVER_UNKNOWN = "recover_unknown"
    RECOVERY_BEGUN = "recovery_begun"
    RECOVERED = "recovered"
    CHANGE_PHONE = "change_phone"
    CHANGE_PHONE_TAKEN = "change_phone_taken"
    LEAVE_PHONE = "leave_phone"
    PHONE_CHANGED = "phone_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of a message
    PIN_RESET = "pin_reset"
    CLOSED = "closed"


# Some only tell. Two are sent where a code was expected, and look the same to whoever asked.
WITHOUT_CODE: Final = frozenset(
    {
        Purpose.ALREADY_REGISTERED,
        Purpose.RECOVER_UNKNOWN,
        Purpose.RECOVERY_BEGUN,
        Purpose.RECOVERED,
        Purpose.CHANGE_PHONE_TAKEN,
        Purpose.PHONE_CHANGED,
        Purpose.PASSWORD_CHANGED,
        Purpose.PIN_RESET,
        Purpose.CLOSED,
    }
)


class Delivery(StrEnum):
    """How far a message has come."""

    SENT = "sent"  # the provider has taken it
    ON_ITS_WAY = "on_its_way"  # the provider is slow or away; it is sent while it means something


class CodeSender(Protocol):
    """Brings a message to a phone: the sandbox's inbox, or an SMS provider."""

    async def send_code(
        self,
        phone: str,
        code: str | None,
        purpose: Purpose,
        *,
        language: str,
        link: str | None = None,
    ) -> Delivery:
        """Send the words of `purpose` in `language`, with `code` where it has one, to the E.164
        `phone`, after the commit that makes them true; `link` is where whoever did not ask can stop
        what they are about. Returns within seconds. Raises `PhoneUnreachable` and `CodeNotSent`
        when the provider will not take it."""
        ...

    async def queue_notice(
        self,
        connection: AnyConnection,
        phone: str,
        purpose: Purpose,
        *,
        language: str,
        link: str | None = None,
    ) -> None:
        """Have the words of `purpose`, which has no code, sent when the caller's database
        transaction has committed: whoever reads them need not be waited for. Calls no provider."""
        ...


class PhoneUnreachable(Problem):
    code = "phone_unreachable"
    title = "Text messages cannot be sent to this number; use another one"


class CodeNotSent(Problem):
    code = "code_not_sent"
    title = "The message could not be sent; try again in a moment"


class CodeWrong(Problem):
    """`tries_left` says how many more may follow."""

    code = "code_wrong"
    title = "This code is wrong"


class CodeExpired(Problem):
    code = "code_expired"
    title = "This code no longer works; ask for a new one"


class Codes:
    """Makes and checks one-time codes. The id of a code is that of what it confirms."""

    def __init__(
        self,
        database: Database,
        secret: ServerSecret,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._key = secret.subkey("codes")
        self._now = now

    async def issue(self, connection: AnyConnection, id: str, purpose: Purpose) -> str:
        """Keep a new code under the UUID `id`, in place of the one before if there is one, and
        return it, to be sent after the commit. A code that was used stays used.

        For a purpose without a code what is kept looks the same and no code matches it.
        """
        code = f"{secrets.randbelow(1_000_000):06d}"
        kept = self._hash(id, code)
        if purpose in WITHOUT_CODE:
            kept = secrets.token_bytes(len(kept))
        await connection.execute(
            """
            INSERT INTO identity.code (id, purpose, hash, expires_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET purpose = $2, hash = $3, expires_at = $4, tries = 0
            WHERE code.used_at IS NULL
            """,
            id,
            purpose.value,
            kept,
            clock.from_us(self._now()) + LIFETIME,
        )
        return code

    async def check(self, id: str, code: str) -> None:
        """Count a try and return when `code` is the one under `id`; `use` then ends it.

        Raises `CodeWrong`; `CodeExpired` when it is too old, used, tried too often or unknown.
        """
        if not _FORM.fullmatch(code):
            raise CodeWrong("A code has six digits")
        row = await self._database.fetchrow(
            """
            UPDATE identity.code SET tries = tries + 1
            WHERE id = $1 AND used_at IS NULL AND tries < $2 AND expires_at > $3
            RETURNING hash, tries
            """,
            id,
            TRIES,
            clock.from_us(self._now()),
        )
        if row is None:
            raise CodeExpired
        if not hmac.compare_digest(bytes(row["hash"]), self._hash(id, code)):
            raise CodeWrong(tries_left=TRIES - int(row["tries"]))

    async def matches(self, id: str, code: str, *, strict: bool) -> bool:
        """Whether `code` is the one under `id`, where it may be one of another kind; as `check`
        counts. Raises `CodeExpired` when `strict`."""
        try:
            await self.check(id, code)
        except CodeWrong:
            return False
        except CodeExpired:
            if strict:
                raise
            return False
        return True

    async def use(self, connection: AnyConnection, id: str) -> None:
        """End the code under `id`, once, in the caller's database transaction. Raises
        `CodeExpired` when somebody else did."""
        await _end(connection, _USE, id, clock.from_us(self._now()))

    async def use_up(self, connection: AnyConnection, id: str) -> None:
        """As `use`, and forget the code: another may be issued under `id`, for what is confirmed
        more than once. Raises `CodeExpired` when somebody else used it."""
        await _end(connection, _USE_UP, id)

    def _hash(self, id: str, code: str) -> bytes:
        return hmac.digest(self._key, f"{id} {code}".encode(), "sha256")


async def _end(connection: AnyConnection, statement: str, *args: object) -> None:
    if await connection.fetchval(statement, *args) is None:
        raise CodeExpired
