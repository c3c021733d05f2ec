"""Contacts: whom a person paid or was paid by lately, from their wallets' history; favourites."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity import usernames
from tikiwallet.identity.limits import NAMES_PER_PERSON, Limits
from tikiwallet.identity.people import People
from tikiwallet.ledger.transactions import Kind
from tikiwallet.payments.activity import Activity
from tikiwallet.wallets.wallets import Wallets

SHOWN: Final = 50
FAVOURITES_MOST: Final = 200
_WALLETS_LOOKED_AT: Final = 10
_ENTRIES_LOOKED_AT: Final = 200  # of each wallet

_FAVOURITES: Final = "SELECT other FROM identity.favourite WHERE person = $1"
_ADD: Final = """
INSERT INTO identity.favourite (person, other, created_at)
SELECT $1, $2, $3
WHERE (SELECT count(*) FROM identity.favourite WHERE person = $1) < $4
ON CONFLICT (person, other) DO NOTHING
"""
_REMOVE: Final = """
DELETE FROM identity.favourite WHERE person = $1
    AND other = (SELECT id FROM identity.person WHERE username = $2)
"""
_HAS: Final = "SELECT EXISTS (SELECT FROM identity.favourite WHERE person = $1 AND other = $2)"


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to pay: `to` is what a payment names them by, `last_at` the last payment with them
    (microseconds since 1970), None for a favourite without any lately."""

    to: str
    name: str
    last_at: int | None
    favourite: bool


class Contacts:
    """Lists contacts and keeps favourites."""

    def __init__(
        self,
        database: Database,
        *,
        people: People,
        wallets: Wallets,
        activity: Activity,
        limits: Limits,
        now: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database = database
        self._people = people
        self._wallets = wallets
        self._activity = activity
        self._limits = limits
        self._now = now

    async def of(self, person: int) -> list[Contact]:
        """Favourites first, then whom the person had a payment with, the latest first; closed
        accounts are left out. Raises Unavailable."""
        lately = await self._lately(person)
        rows = await self._database.fetch(_FAVOURITES, person)
        favourites = {row["other"] for row in rows}
        names = await self._people.names(lately.keys() | favourites)
        found = [
            Contact(f"@{name.username}", name.display_name, lately.get(other), other in favourites)
            for other, name in names.items()
            if name.username is not None
        ]
        found.sort(key=lambda contact: (not contact.favourite, -(contact.last_at or 0), contact.to))
        return found[: len(favourites) + SHOWN]

    async def _lately(self, person: int) -> dict[int, int]:
        """When the person last had a payment with whom."""
        lately: dict[int, int] = {}
        wallets = await self._wallets.of_person(person)
        for wallet in wallets[:_WALLETS_LOOKED_AT]:
            page, owners = await self._activity.entries(
                wallet.id, limit=_ENTRIES_LOOKED_AT, kinds=[int(Kind.PAYMENT)]
            )
            for item in page.items:
                owner = owners.get(item.counterparty or 0)
                if owner is not None and owner.person != person:
                    lately[owner.person] = max(item.at, lately.get(owner.person, 0))
        return lately

    async def add_favourite(self, person: int, username: str) -> None:
        """Keep somebody at hand; limited per day like every look at a name. Raises `NotFound`,
        `UsernameInvalid`, `TooManyRequests`, `InvalidRequest` beyond 200."""
        await self._limits.take(NAMES_PER_PERSON, str(person))
        other = await self._people.find_by_username(username.removeprefix("@"))
        if other is None:
            raise NotFound("Nobody is registered under this name")
        if other.id == person:
            raise InvalidRequest("This is you")
        await self._database.execute(
            _ADD, person, other.id, clock.from_us(self._now()), FAVOURITES_MOST
        )
        if not await self._database.fetchval(_HAS, person, other.id):
            raise InvalidRequest(f"There is room for {FAVOURITES_MOST} favourites")

    async def remove_favourite(self, person: int, username: str) -> None:
        """No longer at hand; nothing is told of names that nobody has. Raises `UsernameInvalid`."""
        name = usernames.normalise(username.removeprefix("@"))
        await self._database.execute(_REMOVE, person, name)
