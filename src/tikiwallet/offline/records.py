"""What the server knows of devices and passes: the rows of `offline.device` and `offline.pass`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tikiwallet import clock, ids
from tikiwallet.identity.personal import Personal
from tikiwallet.money import BY_NUMBER, Currency, Money
from tikiwallet.offline.sealed import DEVICE_NAME, PASS

DEVICE_PREFIX: Final = "d"


class Kind(StrEnum):
    """What a device is."""

    PHONE = "phone"
    TERMINAL = "terminal"


class Protection(StrEnum):
    """What keeps a device's private keys: its tier, and so its limits, follow from it."""

    PIN = "pin"
    PASSKEY = "passkey"
    FILE = "file"


class Reason(StrEnum):
    """Why a device was revoked."""

    LOST = "lost"
    STOLEN = "stolen"
    REPLACED = "replaced"
    CLOSED = "closed"  # with its owner's account


class PassState(StrEnum):
    """
    reserving ──► open ──► closed | expired ──► returned
        └───────► refused
    """

    RESERVING = "reserving"  # the intent; its money may or may not have moved yet
    REFUSED = "refused"  # no money moved and none will
    OPEN = "open"
    CLOSED = "closed"  # ended by a CLOSE, by thawing its device, or by the next that only receives
    EXPIRED = "expired"  # ended by time
    RETURNED = "returned"  # what was left is back in the wallet


@dataclass(frozen=True, slots=True)
class Device:
    """A device of `person`. `pseudonym` is there when it takes payee-locked passes; `frozen_at`
    when a fork of one of its passes was proven."""

    id: int
    person: int
    name: str
    kind: Kind
    protection: Protection
    tier: int
    pseudonym: bytes | None
    created_at: datetime
    last_sync_at: datetime | None
    revoked_at: datetime | None
    reason: Reason | None
    frozen_at: datetime | None

    @property
    def written_id(self) -> str:
        """`d_…`, what the outside calls it."""
        return ids.write_id(DEVICE_PREFIX, self.id)


@dataclass(frozen=True, slots=True)
class PassRecord:
    """A pass as the server keeps it. `message` and `hash` are there once it is signed; `settled`
    minor units have left its escrow to payees, which has taken in `received` beside the amount; the
    `close_…` are from a CLOSE of its device."""

    id: bytes
    device: int
    person: int
    wallet: int
    currency: Currency
    escrow: int | None
    amount: int
    public_key: bytes
    pseudonym: bytes
    message: bytes | None
    hash: bytes | None
    start_seq: int
    tier: int
    most_per_payment: int
    payments: int
    hops: int
    payee_lock: bytes | None
    not_before: datetime
    expires_at: datetime
    claim_until: datetime
    state: PassState
    close_seq: int | None
    close_cumulative: int | None
    close_message: bytes | None
    settled: int
    received: int
    digest: bytes
    created_at: datetime
    next_check_at: datetime | None

    def state_at(self, now: int) -> PassState:
        """Its state at `now`, in microseconds since 1970: a pass whose time is over has expired,
        whether the worker has written that down or not."""
        over = self.state is PassState.OPEN and clock.to_us(self.expires_at) <= now
        return PassState.EXPIRED if over else self.state

    @property
    def money(self) -> Money:
        """What it was issued over."""
        return Money(self.amount, self.currency)


def device(row: Any, personal: Personal) -> Device:
    """The device of a whole row."""
    return Device(
        id=row["id"],
        person=row["person"],
        name=personal.open(DEVICE_NAME, row["id"], row["name_sealed"]),
        kind=Kind(row["kind"]),
        protection=Protection(row["protection"]),
        tier=row["tier"],
        pseudonym=row["pseudonym"],
        created_at=row["created_at"],
        last_sync_at=row["last_sync_at"],
        revoked_at=row["revoked_at"],
        reason=None if row["reason"] is None else Reason(row["reason"]),
        frozen_at=row["frozen_at"],
    )


def pass_record(row: Any, personal: Personal) -> PassRecord:
    """The pass of a whole row."""
    values = dict(row)
    sealed = values.pop("message_sealed")
    opened = None if sealed is None else PASS.open_bytes(personal.sealing, row["id"], sealed)
    values["message"] = opened
    values["id"] = row["id"].bytes
    values["currency"] = BY_NUMBER[row["currency"]]
    values["state"] = PassState(row["state"])
    return PassRecord(**values)
