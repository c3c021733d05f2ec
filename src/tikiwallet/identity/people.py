"""People: who they are, and the name that a payer confirms."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound
from tikiwallet.identity import phones, usernames
from tikiwallet.identity.limits import NAMES_PER_PERSON, Limits
from tikiwallet.identity.personal import PERSON_NAME, PERSON_PHONE, Personal
from tikiwallet.languages import DEFAULT

_COLUMNS = (
    "id, phone_sealed, username, display_name_sealed, created_at, language, home_currency, "
    "pin_threshold, notice_payments, notice_news, restricted_until"
)
# A closed account is nobody any more, although its name and phone are kept for a while.
_SELECT = f"SELECT {_COLUMNS} FROM identity.person WHERE closed_at IS NULL"  # noqa: S608
_BY_ID = f"{_SELECT} AND id = $1"
_BY_PHONE = f"{_SELECT} AND phone_index = $1"
_BY_USERNAME = f"{_SELECT} AND username = $1"


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `text_id` is what the outside sees; `display_name` is for others to read.
    `home_currency` is a currency's number, `pin_threshold` in cents of Singapore (None: the
    default), `restricted_until` the end of lower limits after a recovery, if there were any."""

    id: int
    phone: str
    username: str
    display_name: str
    created_at: datetime
    language: str | None
    home_currency: int
    pin_threshold: int | None
    notice_payments: bool
    notice_news: bool
    restricted_until: datetime | None

    @property
    def text_id(self) -> str:
        """`p_...`"""
        return ids.write_id("p", self.id)

    @property
    def message_language(self) -> str:
        """What messages to them are in."""
        return message_language(self.language)


def message_language(chosen: str | None) -> str:
    """What messages to somebody are in who chose this language, or none: never what a request asks
    for, or whoever tries to get at a wallet could have its owner warned in words that they do not
    read."""
    return chosen or DEFAULT


@dataclass(frozen=True, slots=True)
class PublicName:
    """What everybody may read of a person; a closed account has no username."""

    username: str | None
    display_name: str


class People:
    """Finds people."""

    def __init__(self, database: Database, limits: Limits, personal: Personal) -> None:
        self._database = database
        self._limits = limits
        self._personal = personal

    async def person(self, id: int) -> Person | None:
        """The person with this id."""
        return self._person_or_none(await self._database.fetchrow(_BY_ID, id))

    async def names(self, ids: Collection[int]) -> dict[int, PublicName]:
        """The names of those of `ids` that exist, closed accounts among them."""
        rows = await self._database.fetch(
            """
            SELECT id, CASE WHEN closed_at IS NULL THEN username END AS username,
                display_name_sealed
            FROM identity.person WHERE id = ANY($1::bigint[])
            """,
            list(ids),
        )
        return {
            row["id"]: PublicName(
                row["username"],
                self._personal.open(PERSON_NAME, row["id"], row["display_name_sealed"]),
            )
            for row in rows
        }

    async def find_by_phone(self, phone: str) -> Person | None:
        """The person behind a phone, in any international form. Raises `PhoneInvalid`."""
        index = self._personal.phone_index(phones.normalise(phone))
        return self._person_or_none(await self._database.fetchrow(_BY_PHONE, index))

    async def find_by_username(self, username: str) -> Person | None:
        """The person behind a username, without the @. Raises `UsernameInvalid`."""
        row = await self._database.fetchrow(_BY_USERNAME, usernames.normalise(username))
        return self._person_or_none(row)

    async def find(self, to: str) -> Person | None:
        """The person that `to`, a phone or an @username, means. Raises `PhoneInvalid`; what is
        neither means nobody."""
        if phones.is_written_as_phone(to):
            return await self.find_by_phone(to)
        name = usernames.parse_mention(to)
        return None if name is None else await self.find_by_username(name)

    async def name_to_confirm(self, asker: int, to: str) -> str:
        """The display name behind `to`, for `asker` to confirm. Counted per day, found or not, so
        that nobody reads out the list of customers. Raises `TooManyRequests`, `NotFound`,
        `PhoneInvalid`."""
        await self._limits.take(NAMES_PER_PERSON, str(asker))
        found = await self.find(to)
        if found is None:
            raise NotFound("Nobody is registered under this name or number")
        return found.display_name

    def _person_or_none(self, row: Any) -> Person | None:
        return None if row is None else _person(row, self._personal)


async def add_person(
    connection: AnyConnection,
    personal: Personal,
    phone: str,
    username: str,
    password_hash: str | None,
    now: Callable[[], int] = clock.now_us,
    language: str | None = None,
) -> Person:
    """A new person, in the caller's database transaction; phone and username are normalised, and
    whoever signs in by other means has no password. `language` is one of ours, if known. Raises
    asyncpg's `UniqueViolationError` (constraint `person_phone` or `person_username`)."""
    id = ids.new_id()
    row = await connection.fetchrow(
        f"""
        INSERT INTO identity.person (id, phone_sealed, phone_index, username,
            display_name_sealed, password_hash, created_at, language)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - only constants
        id,
        personal.seal(PERSON_PHONE, id, phone),
        personal.phone_index(phone),
        username,
        personal.seal(PERSON_NAME, id, username),
        password_hash,
        clock.from_us(now()),
        language,
    )
    assert row is not None
    return _person(row, personal)


def _person(row: Any, personal: Personal) -> Person:
    id = row["id"]
    return Person(
        id,
        personal.open(PERSON_PHONE, id, row["phone_sealed"]),
        row["username"],
        personal.open(PERSON_NAME, id, row["display_name_sealed"]),
        *row[4:],
    )
