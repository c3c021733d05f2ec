"""People's passkeys: adding, naming, removing, and checking what one has signed."""

import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tikiwallet import clock, ids, logs
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import InvalidRequest, NotFound, Problem
from tikiwallet.identity.ceremonies import Begun, Ceremonies, Ceremony
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.people import Person
from tikiwallet.identity.relying_party import (
    Json,
    Known,
    PasskeyInvalid,
    RelyingParty,
    challenge_in,
    identity_in,
)
from tikiwallet.identity.security_events import EventKind, SecurityEvents

MOST: Final = 20
NAME_MAX: Final = 60
PREFIX: Final = "k"
_log = logs.get(__name__)


class PasskeyExists(Problem):
    code = "passkey_exists"
    title = "This device has a passkey for this wallet already"


class PasskeysFull(Problem):
    code = "passkeys_full"
    title = "There are as many passkeys as there can be; remove one first"


class NoPasskey(Problem):
    code = "no_passkey"
    title = "There is no passkey yet; add one first"


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey; `synced` when its maker says that a copy is kept elsewhere."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None
    synced: bool

    @property
    def text_id(self) -> str:
        """`k_...`"""
        return ids.write_id(PREFIX, self.id)


class Passkeys:
    """Everything about passkeys but what they sign for."""

    def __init__(
        self,
        database: Database,
        ceremonies: Ceremonies,
        party: RelyingParty,
        secret: ServerSecret,
        events: SecurityEvents,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._events = events
        self._ceremonies = ceremonies
        self._party = party
        self._key = secret.subkey("passkey handles")
        self._now = now

    async def all(self, person: int) -> list[Passkey]:
        """The passkeys of `person`, oldest first."""
        rows = await self._database.fetch(
            """
            SELECT id, name, created_at, last_used_at, backed_up
            FROM identity.passkey WHERE person = $1 ORDER BY id
            """,
            person,
        )
        return [_passkey(row) for row in rows]

    async def begin_adding(self, person: Person, session: bytes) -> Json:
        """Options for a new passkey, to be made in this session. Raises `PasskeysFull`,
        `TooManyRequests`."""
        known = await self._known(person.id)
        if len(known) >= MOST:
            raise PasskeysFull
        begun = await self._ceremonies.begin(
            Ceremony.REGISTER, person.id, session, limited_by=session.hex()
        )
        return self._party.registration_options(
            begun.challenge, self._handle(person.id), person.username, person.display_name, known
        )

    async def add(self, person: int, session: bytes, name: str, credential: Json) -> Passkey:
        """Keep the passkey that was made for `begin_adding`. Raises `InvalidRequest` for a name
        that is none, `PasskeyInvalid`, `PasskeyExists`, `PasskeysFull`."""
        name = check_name(name)
        challenge = challenge_in(credential)
        if not await self._ceremonies.end(Ceremony.REGISTER, person, session, challenge):
            raise PasskeyInvalid
        made = self._party.check_registration(credential, challenge)
        async with self._database.transaction() as connection:
            # The person's row is the turnstile: of two who add the last one, only one gets in.
            await connection.execute(
                "SELECT FROM identity.person WHERE id = $1 FOR NO KEY UPDATE", person
            )
            count: int = await connection.fetchval(
                "SELECT count(*) FROM identity.passkey WHERE person = $1", person
            )
            if count >= MOST:
                raise PasskeysFull
            row = await connection.fetchrow(
                """
                INSERT INTO identity.passkey (id, person, credential_id, public_key, sign_count,
                    backup_eligible, backed_up, transports, name, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                ON CONFLICT (credential_id) DO NOTHING
                RETURNING id, name, created_at, last_used_at, backed_up
                """,
                ids.new_id(),
                person,
                made.credential_id,
                made.public_key,
                made.sign_count,
                made.backup_eligible,
                made.backed_up,
                list(made.transports),
                name,
                clock.from_us(self._now()),
            )
            if row is not None:
                await self._tell(connection, person, EventKind.PASSKEY_ADDED, session)
        if row is None:
            raise PasskeyExists
        return _passkey(row)

    async def rename(self, person: int, text_id: str, name: str) -> Passkey:
        """Give a passkey of `person` another name. Raises `NotFound`, `InvalidRequest`."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                """
                UPDATE identity.passkey SET name = $3 WHERE id = $1 AND person = $2
                RETURNING id, name, created_at, last_used_at, backed_up
                """,
                _read_id(text_id),
                person,
                check_name(name),
            )
            if row is None:
                raise NotFound("There is no such passkey")
            await self._tell(connection, person, EventKind.PASSKEY_RENAMED, None)
        return _passkey(row)

    async def _tell(
        self, connection: AnyConnection, person: int, kind: EventKind, session: bytes | None
    ) -> None:
        await self._events.record(connection, person, kind, session=session, at_us=self._now())

    async def remove(self, connection: AnyConnection, person: int, text_id: str) -> None:
        """A passkey of `person` works no longer. Raises `NotFound`."""
        gone = await connection.fetchval(
            "DELETE FROM identity.passkey WHERE id = $1 AND person = $2 RETURNING 1",
            _read_id(text_id),
            person,
        )
        if gone is None:
            raise NotFound("There is no such passkey")

    async def forget_all(self, connection: AnyConnection, person: int) -> None:
        """No passkey of `person` works any longer."""
        await connection.execute("DELETE FROM identity.passkey WHERE person = $1", person)

    async def begin_request(
        self, begun: Begun, person: int | None, *, user_verification: bool = True
    ) -> Json:
        """Options for an answer to `begun` by one of the passkeys of `person`; by any passkey
        when None. Raises `NoPasskey`."""
        known: list[Known] = []
        if person is not None:
            known = await self._known(person)
            if not known:
                raise NoPasskey
        return self._party.request_options(
            begun.challenge, known, user_verification=user_verification
        )

    async def check(
        self,
        ceremony: Ceremony,
        credential: Json,
        *,
        person: int | None,
        bound: bytes,
        id: str | None = None,
        user_verification: bool = True,
    ) -> int:
        """The person whose passkey answered a challenge that was begun for `ceremony`, `person`
        (None: whoever it is) and `bound`. Raises `PasskeyInvalid`; the challenge has ended then
        too."""
        challenge = challenge_in(credential)
        if not await self._ceremonies.end(ceremony, person or 0, bound, challenge, id):
            raise PasskeyInvalid
        credential_id, handle = identity_in(credential)
        row = await self._database.fetchrow(
            """
            SELECT id, person, public_key, backup_eligible FROM identity.passkey
            WHERE credential_id = $1 AND person = coalesce($2, person)
            """,
            credential_id,
            person,
        )
        if row is None:
            raise PasskeyInvalid
        owner: int = row["person"]
        # Who was not named before must be named by the authenticator itself.
        if handle is None:
            if person is None:
                raise PasskeyInvalid
        elif not hmac.compare_digest(handle, self._handle(owner)):
            raise PasskeyInvalid
        said = self._party.check_assertion(
            credential, challenge, row["public_key"], user_verification=user_verification
        )
        if said.backup_eligible != row["backup_eligible"]:
            raise PasskeyInvalid
        await self._count(row["id"], said.sign_count, said.backed_up)
        return owner

    async def _count(self, id: int, sign_count: int, backed_up: bool) -> None:
        """Note a use. A counter that did not rise means that there may be two of this passkey."""
        risen = await self._database.fetchval(
            """
            UPDATE identity.passkey SET sign_count = $2, backed_up = $3, last_used_at = $4
            WHERE id = $1 AND (sign_count < $2 OR sign_count = 0 AND $2 = 0) RETURNING 1
            """,
            id,
            sign_count,
            backed_up,
            clock.from_us(self._now()),
        )
        if risen is None:
            _log.warning("a passkey's counter did not rise", passkey=ids.write_id(PREFIX, id))
            raise PasskeyInvalid

    async def _known(self, person: int) -> list[Known]:
        rows = await self._database.fetch(
            "SELECT credential_id, transports FROM identity.passkey WHERE person = $1 ORDER BY id",
            person,
        )
        return [Known(row["credential_id"], tuple(row["transports"])) for row in rows]

    def _handle(self, person: int) -> bytes:
        """What authenticators know a person by: it tells them and whoever reads them nothing."""
        return hmac.digest(self._key, person.to_bytes(8, "big"), "sha256")


def check_name(name: str) -> str:
    """A passkey's name as it is kept. Raises `InvalidRequest`."""
    kept = unicodedata.normalize("NFC", name).strip()
    # Format characters could turn around what is shown beside the name; in emoji they are needed.
    odd = any(
        unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter != "\u200d"
        for letter in kept
    )
    if odd or not 1 <= len(kept) <= NAME_MAX:
        message = f"must be 1 to {NAME_MAX} letters without control characters"
        raise InvalidRequest(f"/name {message}", errors=[{"pointer": "/name", "message": message}])
    return kept


def _read_id(text: str) -> int:
    number = ids.read_id(PREFIX, text)
    if number is None:
        raise NotFound("There is no such passkey")
    return number


def _passkey(row: Any) -> Passkey:
    return Passkey(row["id"], row["name"], row["created_at"], row["last_used_at"], row["backed_up"])
