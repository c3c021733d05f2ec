"""A person's offline payments, on both sides, as they are shown in the app."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tikiwallet.clock import from_us, to_us
from tikiwallet.database.pool import Database
from tikiwallet.identity.sealing import Sealing
from tikiwallet.ledger.history import BadCursor
from tikiwallet.money import BY_NUMBER, Money
from tikiwallet.offline.sealed import CLAIM_INVITE, CLAIM_PAY
from tikiwallet.offline.telling import Told, Why, state_told, why_told
from tikiwallet.offline.wire.messages import Invite, Pay

PAGE: Final = 20
# Each side by its own index; a payment to oneself comes once, as paid.
_PAGE: Final = """
    SELECT claim.*, EXISTS (
        SELECT FROM offline.conflict WHERE conflict.pass = claim.payer_pass
    ) AS accused
    FROM (
        (SELECT * FROM offline.claim
            WHERE payer = $1 AND (arrived_at, pay_hash) < ($2, $3)
            ORDER BY arrived_at DESC, pay_hash DESC LIMIT $4)
        UNION ALL
        (SELECT * FROM offline.claim
            WHERE payee = $1 AND payer <> $1 AND (arrived_at, pay_hash) < ($2, $3)
            ORDER BY arrived_at DESC, pay_hash DESC LIMIT $4)
    ) AS claim
    ORDER BY arrived_at DESC, pay_hash DESC LIMIT $4
"""
_NEWEST: Final = (from_us(4_102_444_800_000_000), b"\xff" * 32)


@dataclass(frozen=True, slots=True)
class OfflinePayment:
    """One payment as one side sees it. `name` is what the other side's pass said; `credited` is
    what has reached the payee."""

    hash: bytes
    outgoing: bool
    amount: Money
    credited: Money
    state: Told
    why: str | None
    name: str
    memo: str | None
    sent_at: datetime
    arrived_at: datetime
    settled_at: datetime | None


class History:
    """Lists offline payments."""

    def __init__(self, database: Database, sealing: Sealing) -> None:
        self._database = database
        self._sealing = sealing

    async def page(
        self, person: int, cursor: str | None = None, limit: int = PAGE
    ) -> tuple[list[OfflinePayment], str | None]:
        """Newest first, and the cursor of the next page. Raises BadCursor."""
        at, hash = _NEWEST if cursor is None else _read_cursor(cursor)
        rows: Sequence[Any] = await self._database.fetch(_PAGE, person, at, hash, limit + 1)
        shown = rows[:limit]
        more = len(rows) > limit
        return [self._payment(row, person) for row in shown], _cursor(shown[-1]) if more else None

    def _payment(self, row: Any, person: int) -> OfflinePayment:
        outgoing = row["payer"] == person
        money = BY_NUMBER[row["currency"]]
        hash, sealing = row["pay_hash"], self._sealing
        invite = Invite.parse(CLAIM_INVITE.open_bytes(sealing, hash, row["invite_sealed"]))
        pay = Pay.parse(CLAIM_PAY.open_bytes(sealing, hash, row["pay_sealed"]))
        accused = outgoing and row["accused"]
        state = Told.CONFLICT if accused else state_told(row["state"])
        why = Why.SIGNED_TWICE if accused else why_told(row["state"], row["reason"])
        paid = row["paid_escrow"] + row["paid_wallet"] + row["paid_fund"]
        return OfflinePayment(
            hash=hash,
            outgoing=outgoing,
            amount=Money(row["amount"], money),
            credited=Money(paid, money),
            state=state,
            why=why,
            name=invite.payee.name if outgoing else pay.payer.name,
            memo=invite.memo,
            sent_at=row["sent_at"],
            arrived_at=row["arrived_at"],
            settled_at=row["settled_at"],
        )


def _cursor(row: Any) -> str:
    return f"{to_us(row['arrived_at']):x}.{row['pay_hash'].hex()}"


def _read_cursor(text: str) -> tuple[datetime, bytes]:
    at, _, hash = text.partition(".")
    try:
        found = from_us(int(at, 16)), bytes.fromhex(hash)
    except (ValueError, OverflowError):
        raise BadCursor from None
    if len(found[1]) != 32:
        raise BadCursor
    return found
