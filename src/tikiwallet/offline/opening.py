"""Reading what is known of an upload's passes, payments and requests, with the passes locked."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from tikiwallet.database.pool import AnyConnection
from tikiwallet.offline.claims import AnyRead, KnownPass, PaymentRead, VoidRead
from tikiwallet.offline.deciding import Closing, Standing, State
from tikiwallet.offline.desk import Book, Claim, Desk, RequestKey, signed_of
from tikiwallet.offline.passing import Chains, naming
from tikiwallet.offline.taking_in import IN_ORDER
from tikiwallet.offline.wire.messages import Close

_LOCK: Final = f"SELECT id, settled, received, close_message FROM offline.pass {IN_ORDER}"  # noqa: S608
_SIGNED: Final = """
    SELECT payer_pass, pay_hash, previous, sequence, amount, cumulative,
        CASE WHEN claimed_at IS NOT NULL THEN payee END AS claimant
    FROM offline.claim WHERE payer_pass = ANY($1::uuid[])
"""
_COLUMNS: Final = """
    claim.pay_hash, payer_pass, payee_pass, claim.request_id, amount, state, receipt, paid_escrow
        + paid_wallet + paid_fund + taking_escrow + taking_wallet + taking_fund AS owed
"""
_BROUGHT: Final = f"""
    SELECT {_COLUMNS} FROM offline.claim WHERE pay_hash = ANY($1::bytea[])
"""  # noqa: S608
# Locked, so that what `Posting` takes for them meanwhile is counted as owed, or is not taken.
_OF_REQUESTS: Final = f"""
    SELECT {_COLUMNS}
    FROM unnest($1::uuid[], $2::bytea[]) AS asked (pass, request_id)
    JOIN offline.claim ON payee_pass = asked.pass AND claim.request_id = asked.request_id
    WHERE state IN ('posting', 'open', 'credited', 'partial', 'recorded')
    ORDER BY pay_hash FOR NO KEY UPDATE OF claim
"""  # noqa: S608
# What is known of the requests themselves: paid, called off; nothing of the others.
_REQUESTS: Final = """
    SELECT asked.pass, asked.request_id, used.payee_pass IS NOT NULL AS used, void.message AS void
    FROM unnest($1::uuid[], $2::bytea[]) AS asked (pass, request_id)
    LEFT JOIN offline.claim AS used
        ON used.payee_pass = asked.pass AND used.request_id = asked.request_id
        AND used.state IN ('posting', 'open', 'credited', 'partial')
    LEFT JOIN offline.void
        ON void.payee_pass = asked.pass AND void.request_id = asked.request_id
    WHERE used.payee_pass IS NOT NULL OR void.payee_pass IS NOT NULL
"""


async def open_desk(
    connection: AnyConnection,
    person: int,
    clock: Callable[[], int],
    readings: Sequence[AnyRead],
    passes: dict[bytes, KnownPass],
    chains: Chains,
) -> Desk:
    """All that deciding `readings` takes; their passes stay locked."""
    named = {id for reading in readings for id in reading.passes}
    locked = await connection.fetch(_LOCK, [UUID(bytes=id) for id in sorted(named)])
    now = clock()  # not before: a pass may have ended while its lock was waited for
    books = {row["id"].bytes: _book(passes[row["id"].bytes], row) for row in locked}
    spenders = {reading.passes[0] for reading in readings if not isinstance(reading, VoidRead)}
    for row in await connection.fetch(_SIGNED, [UUID(bytes=id) for id in spenders]):
        book = books[row["payer_pass"].bytes]
        book.standing.known[row["pay_hash"]] = signed_of(row)
        if row["claimant"] is not None:
            book.claimed[row["claimant"]] += 1
    payments = [reading for reading in readings if isinstance(reading, PaymentRead)]
    called_off = [reading for reading in readings if isinstance(reading, VoidRead)]
    known = await connection.fetch(_BROUGHT, [reading.hash for reading in payments])
    if called_off:
        known += await connection.fetch(_OF_REQUESTS, *_columns(called_off))
    claims = {row["pay_hash"]: _claim(row) for row in known}
    used: set[RequestKey] = set()
    voids: dict[RequestKey, bytes] = {}
    for row in await connection.fetch(_REQUESTS, *_columns([*payments, *called_off])):
        request = (row["pass"].bytes, row["request_id"])
        if row["used"]:
            used.add(request)
        if row["void"] is not None:
            voids[request] = row["void"]
    return Desk(
        person,
        now,
        books,
        claims,
        voids,
        used,
        chains.claimed,
        await chains.named(connection, payments, passes),
        await _naming(connection, books, called_off),
    )


async def _naming(
    connection: AnyConnection, books: dict[bytes, Book], called_off: Sequence[VoidRead]
) -> dict[tuple[bytes, bytes], list[bytes]]:
    """The payments that name one, of the passes that call a request off and may pass money on."""
    ids = {one.void.payee_pass for one in called_off}
    may = [id for id in ids if books[id].known.terms.hops]
    return await naming(connection, may) if may else {}


def _columns(readings: Sequence[PaymentRead | VoidRead]) -> tuple[list[UUID], list[bytes]]:
    """The requests of these, as SQL takes them."""
    invites = [reading.invite for reading in readings]
    return [UUID(bytes=one.payee.id) for one in invites], [one.request_id for one in invites]


def _book(known: KnownPass, row: Any) -> Book:
    closing = None
    if row["close_message"] is not None:
        close = Close.parse(row["close_message"])
        closing = Closing(close.hash, close.sequence, close.cumulative)
    standing = Standing(known.terms, row["settled"], row["received"], closing)
    return Book(known, standing, row["close_message"], settled_before=row["settled"])


def _claim(row: Any) -> Claim:
    return Claim(
        row["pay_hash"],
        row["payer_pass"].bytes,
        (row["payee_pass"].bytes, row["request_id"]),
        State(row["state"]),
        amount=row["amount"],
        owed=row["owed"],
        receipt=row["receipt"],
        stored=True,
    )
