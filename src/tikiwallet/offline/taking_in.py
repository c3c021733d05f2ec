"""Escrows of passes that take in what they receive: what came in is counted once, and pays claims
that found the escrow short. Passes are locked before claims, as everywhere.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tikiwallet.clock import SECOND, to_us
from tikiwallet.database.pool import AnyConnection
from tikiwallet.offline.intents import Intent

# Of all who lock several passes.
IN_ORDER: Final = "WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LOCK: Final = f"SELECT FROM offline.pass {IN_ORDER}"
_COUNT: Final = "UPDATE offline.pass SET received = received + $2 WHERE id = $1"
# Also after `claim_until`: `Returns` leaves there what claims are short of.
_LEFT: Final = """
    SELECT id, amount + received - settled AS amount, EXISTS (
        SELECT FROM offline.claim WHERE payee_pass = pass.id AND into_escrow IS NOT NULL
            AND claim.state = 'posting'
    ) AS awaits
    FROM offline.pass
    WHERE id = ANY($1::uuid[]) AND next_check_at IS NOT NULL
"""
# A payment rests on others that were signed before it, so this has an end.
_RESTING: Final = """
    SELECT claim.pay_hash,
        max(source.next_check_at) FILTER (WHERE source.state = 'open') AS open_until
    FROM offline.claim
    JOIN offline.claim AS source ON source.pay_hash = ANY(claim.sources)
    WHERE claim.pay_hash = ANY($1::bytea[])
        AND source.into_escrow IS NOT NULL AND source.state IN ('posting', 'open')
    GROUP BY claim.pay_hash
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
            sums[intent.payee_pass] = sums.get(intent.payee_pass, 0) + intent.posting
    if sums:
        rows = [(UUID(bytes=id), amount) for id, amount in sums.items()]
        await connection.executemany(_COUNT, rows)


async def left(connection: AnyConnection, intents: Iterable[Intent]) -> dict[bytes, Left]:
    """What passes that take money in still hold for `intents`, by the pass, which stays locked."""
    ids = {intent.payer_pass for intent in intents if intent.takes_in}
    if not ids:
        return {}
    await lock(connection, ids)
    rows = await connection.fetch(_LEFT, [UUID(bytes=id) for id in ids])
    return {row["id"].bytes: Left(row["amount"], row["awaits"]) for row in rows}


async def resting(connection: AnyConnection, intents: Iterable[Intent]) -> dict[bytes, int]:
    """Those of `intents` whose sources have not all come into escrow yet as far as they will, by
    hash, and the second until which these wait; 0 where they are being posted."""
    hashes = [intent.pay_hash for intent in intents if intent.takes_in]
    rows = await connection.fetch(_RESTING, hashes) if hashes else []
    return {
        row["pay_hash"]: to_us(row["open_until"]) // SECOND if row["open_until"] else 0
        for row in rows
    }


async def take(connection: AnyConnection, intent: Intent, left: Left, amount: int) -> None:
    """Set `amount` of a locked pass aside for one of its claims."""
    left.amount -= amount
    await connection.execute(_TAKE, UUID(bytes=intent.payer_pass), amount)
