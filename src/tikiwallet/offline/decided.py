"""Writing down what was decided of an upload, in the database transaction that holds its passes
locked."""

from typing import Final
from uuid import UUID

from tikiwallet.clock import SECOND, from_us
from tikiwallet.database.pool import AnyConnection
from tikiwallet.identity.sealing import Sealing
from tikiwallet.offline.claims import PaymentRead
from tikiwallet.offline.deciding import State
from tikiwallet.offline.desk import PAID, Claim, Desk
from tikiwallet.offline.posting import TAKEN_UP_US
from tikiwallet.offline.sealed import CLAIM_INVITE, CLAIM_PAY, VOID_INVITE

_CLAIMED: Final = """
    UPDATE offline.claim SET state = $2, reason = $3, taking_escrow = $4, receipt = $5,
        claimed_at = $6, contested_at = $7, next_check_at = $8, into_escrow = $9
    WHERE pay_hash = $1 AND state = 'recorded'
"""
_RECEIPT: Final = "UPDATE offline.claim SET receipt = $2 WHERE pay_hash = $1"
_MEMBERS: Final = (
    "pay_hash", "payer_pass", "payee_pass", "payer", "payee", "payee_account", "sequence",
    "previous", "amount", "cumulative", "currency", "request_id", "request_hash",
    "invite_sealed", "pay_sealed", "hops", "sources",
    "sent_at", "arrived_at",
    # and what changes once the payee claims what the payer brought
    "state", "reason", "taking_escrow", "receipt", "claimed_at", "contested_at", "next_check_at",
    "into_escrow",
)  # fmt: skip
_CHANGING: Final = _MEMBERS.index("state")
_CALL_OFF: Final = """
    UPDATE offline.claim SET state = 'voided', reason = 'request_voided'
    WHERE pay_hash = ANY($1::bytea[]) AND state = 'recorded'
"""
_VOID: Final = """
    INSERT INTO offline.void (hash, payee_pass, request_id, message, invite_sealed, arrived_at)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
_PASSES: Final = """
    UPDATE offline.pass SET settled = changed.settled
    FROM unnest($1::uuid[], $2::bigint[]) AS changed (id, settled)
    WHERE pass.id = changed.id AND next_check_at IS NOT NULL
"""
_CLOSE: Final = """
    UPDATE offline.pass SET close_seq = $2, close_cumulative = $3, close_message = $4,
        state = CASE state WHEN 'open' THEN 'closed' ELSE state END,
        next_check_at = claim_until
    WHERE id = $1 AND next_check_at IS NOT NULL
"""


async def write_claims(
    connection: AnyConnection,
    desk: Desk,
    accounts: dict[tuple[bytes, int], int],
    sealing: Sealing,
) -> None:
    """What was decided of claims; `accounts` are the wallets to credit."""
    rows = []
    for claim in desk.changed.values():
        if claim.reading is None:
            continue
        row = _row(claim, claim.reading, desk, accounts, sealing)
        if claim.stored:
            await connection.execute(_CLAIMED, claim.hash, *row[_CHANGING:])
        else:
            rows.append(row)
    if rows:  # no one else adds them meanwhile, as their payers' passes are locked
        await connection.copy_records_to_table(
            "claim", schema_name="offline", records=rows, columns=_MEMBERS
        )
    called_off = [claim.hash for claim in desk.changed.values() if claim.reading is None]
    if called_off:
        await connection.execute(_CALL_OFF, called_off)


async def write_voids(connection: AnyConnection, desk: Desk, sealing: Sealing) -> None:
    """What was called off."""
    for void in desk.called_off:
        await connection.execute(
            _VOID,
            void.hash,
            UUID(bytes=void.void.payee_pass),
            void.void.request_id,
            void.void.raw,
            VOID_INVITE.seal_bytes(sealing, void.hash, void.invite.raw),
            from_us(desk.now),
        )


def _row(
    claim: Claim,
    reading: PaymentRead,
    desk: Desk,
    accounts: dict[tuple[bytes, int], int],
    sealing: Sealing,
) -> tuple[object, ...]:
    pay, invite = reading.pay, reading.invite
    payer, payee = (desk.books[id].known for id in reading.passes)
    at = from_us(desk.now)
    taken_up = {State.POSTING: from_us(desk.now + TAKEN_UP_US), State.OPEN: at}
    return (
        claim.hash,
        UUID(bytes=payer.id),
        UUID(bytes=payee.id),
        payer.person,
        payee.person,
        accounts[payee.id, payer.terms.currency],
        pay.sequence,
        pay.previous,
        pay.amount,
        pay.cumulative,
        payer.terms.currency,
        invite.request_id,
        invite.hash,
        CLAIM_INVITE.seal_bytes(sealing, claim.hash, invite.raw),
        CLAIM_PAY.seal_bytes(sealing, claim.hash, pay.raw),
        claim.hops,
        pay.sources,
        from_us(pay.time * SECOND),
        at,
        claim.state.value,
        None if claim.reason is None else claim.reason.value,
        claim.owed if claim.state in PAID else 0,
        claim.receipt,
        None if claim.state is State.RECORDED else at,
        at if claim.state in PAID and claim.owed < pay.amount else None,
        taken_up.get(claim.state),
        claim.into_escrow,
    )


async def write_receipts(connection: AnyConnection, desk: Desk) -> None:
    """RECEIPTs of claims that were known without."""
    if desk.receipts:
        await connection.executemany(_RECEIPT, list(desk.receipts.items()))


async def write_passes(connection: AnyConnection, desk: Desk) -> None:
    """What is taken out of escrows, and the passes that were closed."""
    settled = [book for book in desk.books.values() if book.standing.settled > book.settled_before]
    if settled:
        await connection.execute(
            _PASSES,
            [UUID(bytes=book.known.id) for book in settled],
            [book.standing.settled for book in settled],
        )
    for book in desk.books.values():
        if book.closed_now is not None:
            close = book.closed_now.close
            await connection.execute(
                _CLOSE, UUID(bytes=book.known.id), close.sequence, close.cumulative, close.raw
            )
