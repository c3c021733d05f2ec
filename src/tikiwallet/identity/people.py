"""People: who they are, and the name that a payer confirms."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tikiwallet import clock, ids
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound
from tikiwallet.identity import phones, usernames
from tikiwallet.identity.limits import NAMES_PER_PERSON, Limits

_SELECT = "SELECT id, phone, username, display_name, created_at FROM identity.person"
_BY_ID = f"{_SELECT} WHERE id = $1"
_BY_PHONE = f"{_SELECT} WHERE phone = $1"
_BY_USERNAME = f"{_SELECT} WHERE username = $1"


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `text_id` is what the outside sees; `display_name` is for others to read."""

    id: int
    phone: str
    username: str
    display_name: str
    created_at: datetime

    @property
    def text_id(self) -> str:
        """`p_...`"""
        return ids.write_id("p", self.id)


class People:
    """Finds people."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def person(self, id: int) -> Person | None:
        """The person with this id."""
        return _person_or_none(await self._database.fetchrow(_BY_ID, id))

    async def find_by_phone(self, phone: str) -> Person | None:
        """The person behind a phone, in any international form. Raises `PhoneInvalid`."""
        row = await self._database.fetchrow(_BY_PHONE, phones.normalise(phone))
        return _person_or_none(row)

    async def find_by_username(self, username: str) -> Person | None:
        """The person behind a username, without the @. Raises `UsernameInvalid`."""
        row = await self._database.fetchrow(_BY_USERNAME, usernames.normalise(username))
        return _person_or_none(row)

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


async def add_person(
    connection: AnyConnection,
    phone: str,
    username: str,
    password_hash: str | None,
    now: Callable[[], int] = clock.now_us,
) -> Person:
    """A new person, in the caller's database transaction; phone and username are normalised, and
    whoever signs in by other means has no password. Raises
    asyncpg's `UniqueViolationError` (constraint `person_phone` or `person_username`)."""
    row = await connection.fetchrow(
        """
        INSERT INTO identity.person (id, phone, username, display_name, password_hash, created_at)
        VALUES ($1, $2, $3, $3, $4, $5)
        RETURNING id, phone, username, display_name, created_at
        """,
        ids.new_id(),
        phone,
        username,
        password_hash,
        clock.from_us(now()),
    )
    assert row is not None
    return _person(row)


def _person_or_none(row: Any) -> Person | None:
    return None if row is None else _person(row)


def _person(row: Any) -> Person:
    return Person(row["id"], row["phone"], row["username"], row["display_name"], row["created_at"])
