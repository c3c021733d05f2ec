"""Receipts in plain text, for a screen or a 40-column printer."""

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from rich.cells import cell_len

from tikiwallet.money import BY_NUMBER
from tikiwallet.offline.exchange.purse import Payment
from tikiwallet.offline.exchange.till import Request
from tikiwallet.offline.wire.chain import head
from tikiwallet.offline.wire.messages import Invite
from tikiwallet.terminal.amounts import write_amount

WIDTH: Final = 40
_STATES: Final = {
    # One payer's word and one payee's may be the same: it means the same to both.
    "signed": "signed, not handed over yet",
    "sent": "sent, no receipt yet",
    "receipted": "accepted, settles once online",
    "settled": "settled",
    "voided": "called off by the payee",
    "returned": "returned to the payer",
    "conflict": "in dispute: ask the service",
    "verified": "accepted, receipt not signed yet",
    "accepted": "accepted, settles once online",
    "receipt_sent": "accepted, settles once online",
    "uploaded": "known to the service, not settled",
    "credited": "settled",
    "partial": "settled in part: ask the service",
    "rejected": "rejected: ask the service",
}


class Direction(StrEnum):
    """Whether this terminal paid or was paid."""

    PAID = "paid"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Deal:
    """A payment as this terminal knows it. `time` is when it was signed, by the payer's clock."""

    direction: Direction
    hash: bytes
    name: str
    amount: int
    currency: int
    memo: str
    time: int
    state: str
    receipted: bool

    @classmethod
    def of_payment(cls, payment: Payment) -> Self:
        """One that this terminal made."""
        invite = Invite.parse(payment.invite)
        return cls._of(Direction.PAID, invite, payment.pay, payment.receipt, payment.stage)

    @classmethod
    def of_request(cls, request: Request) -> Self | None:
        """One that this terminal was paid with; None while the request is not paid."""
        if not request.pay:
            return None
        invite = Invite.parse(request.invite)
        return cls._of(Direction.RECEIVED, invite, request.pay, request.receipt, request.stage)

    @classmethod
    def _of(
        cls, direction: Direction, invite: Invite, raw: bytes, receipt: bytes, stage: str
    ) -> Self:
        pay = head(raw)
        other = invite.payee if direction is Direction.PAID else pay.payer
        return cls(
            direction=direction,
            hash=pay.hash,
            name=other.name,
            amount=pay.amount,
            currency=invite.currency,
            memo=invite.memo or "",
            time=pay.time,
            state=str(stage),
            receipted=bool(receipt),
        )

    @property
    def price(self) -> str:
        """The amount, as people write it."""
        known = BY_NUMBER.get(self.currency)
        return write_amount(self.amount, known) if known else f"{self.amount} of {self.currency}"

    @property
    def words(self) -> str:
        """What became of it."""
        return _STATES.get(self.state, self.state)


def text(deal: Deal, shop: str) -> str:
    """The receipt that a shop called `shop` hands out."""
    at = datetime.fromtimestamp(deal.time, UTC)
    who = "To" if deal.direction is Direction.PAID else "From"
    lines = [
        _centred(shop),
        _centred("PAYMENT" if deal.direction is Direction.PAID else "RECEIPT"),
        "-" * WIDTH,
        _pair(who, deal.name),
        _pair("Amount", deal.price),
        *([_pair("For", deal.memo)] if deal.memo else []),
        _pair("Time", f"{at:%Y-%m-%d %H:%M} UTC"),
        "-" * WIDTH,
        *textwrap.wrap(deal.words, WIDTH),
        *textwrap.wrap(deal.hash.hex(), WIDTH),
    ]
    return "\n".join(lines) + "\n"


def _centred(words: str) -> str:
    return " " * max(0, (WIDTH - cell_len(words)) // 2) + words


def _pair(name: str, value: str) -> str:
    room = WIDTH - len(name) - cell_len(value)
    return f"{name}{' ' * room}{value}" if room > 0 else f"{name}\n{value:>{WIDTH}}"
