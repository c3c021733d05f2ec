"""What the audit trail tells of a person."""

from tikiwallet.database.pool import Database
from tikiwallet.identity.parts import Identity


async def kinds(identity: Identity, database: Database, person: int) -> list[str]:
    """The kinds of all events of `person`, oldest first."""
    found, _ = await identity.events.page(database, person, limit=100)
    return [event.kind for event in reversed(found)]
