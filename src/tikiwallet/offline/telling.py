"""What callers are told of offline payments: states as the outside knows them, and words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tikiwallet.money import Money
from tikiwallet.offline.claims import Flaw, Kind
from tikiwallet.offline.deciding import Reason, State


class Told(StrEnum):
    """How far something that was brought is. `settling`: decided, and being posted; `refused`: not
    recorded, so that it may be brought again, whole."""

    RECORDED = "recorded"
    SETTLING = "settling"
    CREDITED = "credited"
    PARTIAL = "partial"
    REJECTED = "rejected"
    VOIDED = "voided"
    RETURNED = "returned"
    CONFLICT = "conflict"
    CLOSED = "closed"
    REFUSED = "refused"


class Why(StrEnum):
    """Why something is not as its bringer may have hoped, beside `Flaw` and `Reason`."""

    SIGNED_TWICE = "signed_twice"
    CONTESTED = "contested"
    UNCOVERED = "uncovered"


_STATES: Final = {
    State.RECORDED: Told.RECORDED,
    State.POSTING: Told.SETTLING,
    State.OPEN: Told.PARTIAL,
    State.CREDITED: Told.CREDITED,
    State.PARTIAL: Told.PARTIAL,
    State.REJECTED: Told.REJECTED,
    State.VOIDED: Told.VOIDED,
    State.LAPSED: Told.RETURNED,
}
# Code: what is so, and what to do or expect.
WORDS: Final[dict[str, tuple[str, str]]] = {
    Flaw.MALFORMED: (
        "This is not a message of ours",
        "It may have been cut off or changed on the way. Bring it as it was signed.",
    ),
    Flaw.MISMATCH: (
        "These messages do not belong together",
        "A payment is brought with the request that it answers, and with its own receipt.",
    ),
    Flaw.UNKNOWN_PASS: (
        "A pass in it is not known here",
        "Nothing is decided. Keep the messages and bring them again later.",
    ),
    Flaw.BAD_SIGNATURE: (
        "A signature is wrong",
        "It was not signed by the device that it names. Bring it as it was signed.",
    ),
    Flaw.CROWDED: (
        "Too much was signed with this pass already",
        "More contradicting payments of it prove nothing new and are not recorded.",
    ),
    Flaw.SOURCE_MISSING: (
        "It passes on money whose payments are missing",
        "Bring the payments that it passes on in the same upload, or before.",
    ),
    Reason.TOO_LATE: (
        "It came too late",
        "Payments can be claimed until seven days after their pass has expired.",
    ),
    Reason.EXPIRED: (
        "The payer's pass had expired",
        "It was asked for after the end of the pass, which stands in the pass.",
    ),
    Reason.RECEIPT_LATE: (
        "The payer's pass had expired",
        "The receipt says that it was accepted after the end of the pass, which stands in the"
        " pass.",
    ),
    Reason.NOT_OF_PASS: (
        "The payer's pass does not allow this payment",
        "It does not continue from the beginning of the pass.",
    ),
    Reason.OVER_PAYMENT: (
        "It is more than one payment from this pass may be",
        "The most of one payment stands in the pass.",
    ),
    Reason.OVER_COUNT: (
        "The pass had made all the payments it may",
        "How many there may be stands in the pass.",
    ),
    Reason.OVER_PASS: (
        "It is more than what was left on the pass",
        "All payments up to this one come to more than the pass held and took in.",
    ),
    Reason.OTHER_REQUEST: (
        "It answers another request",
        "Payee and amount of the payment are not those of the request.",
    ),
    Reason.OTHER_CURRENCY: (
        "The request was in another currency",
        "A pass pays in its own currency only.",
    ),
    Reason.OTHER_PAYEE: (
        "The pass does not pay this payee",
        "It never pays itself; and where it is locked to one payee, which stands in it, nobody"
        " else.",
    ),
    Reason.SPENT_ON: (
        "The pass may not pass this money on",
        "How often it may stands in the pass; and what it passes on has to be paid to it by the"
        " rules.",
    ),
    Reason.REQUEST_USED: (
        "This request has been paid already",
        "A request is paid once. This payment was for the same one.",
    ),
    Reason.REQUEST_VOIDED: (
        "This request was called off",
        "Its payee signed that it is void. What the payer set aside for it returns.",
    ),
    Reason.PAYEE_CLOSED: (
        "The payee has closed their account",
        "There is no wallet to credit. What the payer set aside for it returns.",
    ),
    Why.SIGNED_TWICE: (
        "The device signed twice what is signed once",
        "A phone restored from a backup may have done it. The device is stopped until somebody"
        " has looked at it.",
    ),
    Why.CONTESTED: (
        "The payer's pass does not suffice",
        "A device signed twice, or what the payer passed on turned out to be worth less. The"
        " payer's wallet pays what it holds; the guarantee fund is asked after a day if a device"
        " did.",
    ),
    Why.UNCOVERED: (
        "Not all of it is covered",
        "The payer owes the rest, which is collected as soon as there is money.",
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one item. `why` is a code of `WORDS`."""

    kind: Kind
    hash: bytes | None
    state: Told
    amount: Money | None = None
    credited: Money | None = None
    why: str | None = None


def state_told(state: str) -> Told:
    """A claim's state as the outside knows it."""
    return _STATES[State(state)]


def why_told(state: str, reason: str | None) -> str | None:
    """Why a claim in this state is not credited whole; None when it is, or still may be."""
    if reason is not None:
        return reason
    return {State.OPEN: Why.CONTESTED, State.PARTIAL: Why.UNCOVERED}.get(State(state))
