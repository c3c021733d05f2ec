"""Settlement: signed offline payments become transactions of the ledger.

Whoever comes online first brings what was signed. One database transaction locks the passes in the
order of their ids, decides and commits the intents; the ledger posts them under ids that follow
from the payments; the outcomes are recorded. All of it may be repeated and come in any order.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from tikiwallet.clock import SECOND, from_us, now_us
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import Unavailable
from tikiwallet.identity.sealing import Sealing
from tikiwallet.money import BY_NUMBER, Money
from tikiwallet.offline.claims import (
    AnyRead,
    Brought,
    Checker,
    CloseRead,
    Flaw,
    Kind,
    KnownPass,
    PaymentRead,
    VoidRead,
)
from tikiwallet.offline.conflicts import Conflicts, owe_back
from tikiwallet.offline.deciding import Closing, Standing, State
from tikiwallet.offline.desk import PAID, Book, Claim, Desk, RequestKey, signed_of
from tikiwallet.offline.posting import TAKEN_UP_US, Posting
from tikiwallet.offline.sealed import CLAIM_INVITE, CLAIM_PAY, VOID_INVITE
from tikiwallet.offline.telling import Answer, Told, Why, state_told, why_told
from tikiwallet.offline.wire.messages import Close
from tikiwallet.wallets.wallets import Wallets

ITEMS_MAX: Final = 100
_TRIES: Final = 3
_LOCK: Final = """
    SELECT id, settled, close_message FROM offline.pass
    WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
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
_CLAIMED: Final = """
    UPDATE offline.claim SET state = $2, reason = $3, taking_escrow = $4, receipt = $5,
        claimed_at = $6, contested_at = $7, next_check_at = $8
    WHERE pay_hash = $1 AND state = 'recorded'
"""
_RECEIPT: Final = "UPDATE offline.claim SET receipt = $2 WHERE pay_hash = $1"
_MEMBERS: Final = (
    "pay_hash", "payer_pass", "payee_pass", "payer", "payee", "payee_account", "sequence",
    "previous", "amount", "cumulative", "currency", "request_id", "request_hash",
    "invite_sealed", "pay_sealed",
    "sent_at", "arrived_at",
    # and what changes once the payee claims what the payer brought
    "state", "reason", "taking_escrow", "receipt", "claimed_at", "contested_at", "next_check_at",
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
_ANSWERS: Final = """
    SELECT pay_hash, state, reason, currency, amount, paid_escrow + paid_wallet + paid_fund AS paid,
        payer = $2 AND payee <> $2
            AND EXISTS (SELECT FROM offline.conflict WHERE pass = payer_pass) AS accused
    FROM offline.claim WHERE pay_hash = ANY($1::bytea[])
"""


class Settlement:
    """Takes signed messages in."""

    def __init__(
        self,
        database: Database,
        *,
        wallets: Wallets,
        checker: Checker,
        sealing: Sealing,
        posting: Posting,
        conflicts: Conflicts,
        now: Callable[[], int] = now_us,
    ) -> None:
        self._database = database
        self._wallets = wallets
        self._checker = checker
        self._sealing = sealing
        self._posting = posting
        self._conflicts = conflicts
        self._now = now

    async def settle(self, person: int, items: Sequence[Brought]) -> list[Answer]:
        """Take in what `person` brings, at most `ITEMS_MAX` items: what became of each, in the
        order given. Raises Unavailable; bringing it again is safe."""
        readings, passes = await self._checker.check(person, items)
        good = [reading for reading in readings if not isinstance(reading, Flaw)]
        accounts = await self._payee_accounts(good, passes)
        desk = await self._decide(person, good, passes, accounts)
        # What somebody else has decided and not yet recorded is posted again, which moves nothing:
        # so a duplicate gets the answer of the first, and a crash is healed by bringing it again.
        brought = {reading.hash for reading in good if isinstance(reading, PaymentRead)}
        brought -= desk.crowded
        due = [one for one in brought if desk.claims[one].state in (State.POSTING, State.OPEN)]
        if due:
            await self._posting.carry_out(due)
        return await self._told(person, items, readings, desk)

    async def _payee_accounts(
        self, readings: Iterable[AnyRead], passes: dict[bytes, KnownPass]
    ) -> dict[tuple[bytes, int], int]:
        """The wallets to credit, by the payee's pass and currency; opened where there are none."""
        accounts: dict[tuple[bytes, int], int] = {}
        for reading in readings:
            if not isinstance(reading, PaymentRead):
                continue
            payer, payee = (passes[id] for id in reading.passes)
            currency = payer.terms.currency
            if (payee.id, currency) in accounts:
                continue
            account = payee.wallet
            if payee.terms.currency != currency:
                wallet, _ = await self._wallets.open_wallet(payee.person, BY_NUMBER[currency])
                account = wallet.id
            accounts[payee.id, currency] = account
        return accounts

    async def _decide(
        self,
        person: int,
        readings: Sequence[AnyRead],
        passes: dict[bytes, KnownPass],
        accounts: dict[tuple[bytes, int], int],
    ) -> Desk:
        """Judge everything under lock, and commit what was decided."""
        for _ in range(_TRIES):
            # Somebody who stops a device or issues to it may hold its row and want its passes.
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                return await self._decide_once(person, readings, passes, accounts)
        raise Unavailable

    async def _decide_once(
        self,
        person: int,
        readings: Sequence[AnyRead],
        passes: dict[bytes, KnownPass],
        accounts: dict[tuple[bytes, int], int],
    ) -> Desk:
        if not readings:
            return Desk(person, self._now(), {}, {}, {}, set())
        async with self._database.transaction() as connection:
            desk = await _open_desk(connection, person, self._now, readings, passes)
            for reading in readings:
                match reading:
                    case PaymentRead():
                        desk.payment(reading)
                    case VoidRead():
                        desk.void(reading)
                    case CloseRead():
                        desk.close(reading)
            await _write_claims(connection, desk, accounts, self._sealing)
            await _write_voids(connection, desk, self._sealing)
            if desk.receipts:
                await connection.executemany(_RECEIPT, list(desk.receipts.items()))
            await _write_passes(connection, desk)
            await owe_back(connection, desk.owed, desk.now)
            await self._conflicts.record(connection, desk.conflicts, desk.now)
        return desk

    async def _told(
        self,
        person: int,
        items: Sequence[Brought],
        readings: Sequence[AnyRead | Flaw],
        desk: Desk,
    ) -> list[Answer]:
        hashes = [reading.hash for reading in readings if isinstance(reading, PaymentRead)]
        rows = await self._database.fetch(_ANSWERS, hashes, person) if hashes else []
        claims = {row["pay_hash"]: row for row in rows}
        accused = {hash for one in desk.conflicts for hash in (one.first, one.second)}
        readings = [
            Flaw.CROWDED if not isinstance(one, Flaw) and one.hash in desk.crowded else one
            for one in readings
        ]
        return [
            _answer(item.kind, reading, claims, accused)
            for item, reading in zip(items, readings, strict=True)
        ]


def _answer(
    kind: Kind, reading: AnyRead | Flaw, claims: dict[bytes, Any], accused: Collection[bytes]
) -> Answer:
    match reading:
        case Flaw():
            return Answer(kind, None, Told.REFUSED, why=reading)
        case PaymentRead():
            return _payment_answer(reading.hash, claims[reading.hash])
        case VoidRead() | CloseRead():
            why = Why.SIGNED_TWICE if reading.hash in accused else None
            done = Told.CLOSED if isinstance(reading, CloseRead) else Told.VOIDED
            return Answer(kind, reading.hash, done, why=why)


def _payment_answer(hash: bytes, row: Any) -> Answer:
    money = BY_NUMBER[row["currency"]]
    amount, paid = Money(row["amount"], money), Money(row["paid"], money)
    if row["accused"]:
        return Answer("payment", hash, Told.CONFLICT, amount, paid, Why.SIGNED_TWICE)
    why = why_told(row["state"], row["reason"])
    return Answer("payment", hash, state_told(row["state"]), amount, paid, why)


# -- reading what is known, with the passes locked


async def _open_desk(
    connection: AnyConnection,
    person: int,
    clock: Callable[[], int],
    readings: Sequence[AnyRead],
    passes: dict[bytes, KnownPass],
) -> Desk:
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
    return Desk(person, now, books, claims, voids, used)


def _columns(readings: Sequence[PaymentRead | VoidRead]) -> tuple[list[UUID], list[bytes]]:
    """The requests of these, as SQL takes them."""
    invites = [reading.invite for reading in readings]
    return [UUID(bytes=one.payee.id) for one in invites], [one.request_id for one in invites]


def _book(known: KnownPass, row: Any) -> Book:
    closing = None
    if row["close_message"] is not None:
        close = Close.parse(row["close_message"])
        closing = Closing(close.hash, close.sequence, close.cumulative)
    standing = Standing(known.terms, row["settled"], closing)
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


# -- writing what was decided


async def _write_claims(
    connection: AnyConnection,
    desk: Desk,
    accounts: dict[tuple[bytes, int], int],
    sealing: Sealing,
) -> None:
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


async def _write_voids(connection: AnyConnection, desk: Desk, sealing: Sealing) -> None:
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
        from_us(pay.time * SECOND),
        at,
        claim.state.value,
        None if claim.reason is None else claim.reason.value,
        claim.owed if claim.state in PAID else 0,
        claim.receipt,
        None if claim.state is State.RECORDED else at,
        at if claim.state in PAID and claim.owed < pay.amount else None,
        taken_up.get(claim.state),
    )


async def _write_passes(connection: AnyConnection, desk: Desk) -> None:
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
