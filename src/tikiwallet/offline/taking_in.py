"""Escrows of passes that take in what they receive: what came in is counted once, and pays claims
that found the escrow short. Passes are locked before claims, as everywhere.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tikiwallet.clock import from_us
from tikiwallet.database.pool import AnyConnection
from tikiwallet.offline.intents import Intent

_LOCK: Final = "SELECT FROM offline.pass WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_COUNT: Final = "UPDATE offline.pass SET received = received + $2 WHERE id = $1"
# After `claim_until` what is left belongs to `Returns`.
_LEFT: Final = """
    SELECT id, amount + received - settled AS amount, EXISTS (
        SELECT FROM offline.claim WHERE payee_pass = pass.id AND into_escrow IS NOT NULL
            AND claim.state = 'posting'
    ) AS awaits
    FROM offline.pass
    WHERE id = ANY($1::uuid[]) AND next_check_at IS NOT NULL AND claim_until > $2
"""
_TAKE: Final = "UPDATE offline.pass SET settled = settled + $2 WHERE id = $1"


@dataclass(slots=True)
class Left:
    """What is left in a pass's escrow; `awaits`: more is about to be posted to it."""

    amount: int = 0
    awaits: bool = False


async def lock(connection: AnyConnection, passes: Iterable[bytes]) -> None:
    """Lock these passes, in the order in which everybody does."""
    if ids := sorted(set(passes)):
        await connection.execute(_LOCK, [UUID(bytes=id) for id in ids])


async def count(
    connection: AnyConnection, intents: Sequence[Intent], posted: Collection[bytes]
) -> None:
    """Count what `intents` brought into escrow, of those that the caller has just written down as
    posted; their payees' passes are locked."""
    sums: dict[bytes, int] = {}
    for intent in intents:
        if intent.pay_hash in posted:
            sums[intent.payee_pass] = sums.get(intent.payee_pass, 0) + intent.taking
    if sums:
        rows = [(UUID(bytes=id), amount) for id, amount in sums.items()]
        await connection.executemany(_COUNT, rows)


async def left(
    connection: AnyConnection, intents: Iterable[Intent], clock: Callable[[], int]
) -> dict[bytes, Left]:
    """What passes that take money in still hold for `intents`, by the pass, which stays locked."""
    ids = {intent.payer_pass for intent in intents if intent.takes_in}
    if not ids:
        return {}
    await lock(connection, ids)
    rows = await connection.fetch(_LEFT, [UUID(bytes=id) for id in ids], from_us(clock()))
    return {row["id"].bytes: Left(row["amount"], row["awaits"]) for row in rows}


async def take(connection: AnyConnection, intent: Intent, left: Left, amount: int) -> None:
    """Set `amount` of a locked pass aside for one of its claims."""
    left.amount -= amount
    await connection.execute(_TAKE, UUID(bytes=intent.payer_pass), amount)
