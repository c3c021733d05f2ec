"""What a payee's device remembers: its requests, and the payments the shop has taken. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from tikiwallet.offline.wire.messages import Pass, Pay

KEPT: Final = 30 * 86_400  # seconds; what the server may ask for again after a restored backup


@unique
class Stage(StrEnum):
    """Where a request is, for its payee. `ASKING` waits for the INVITE's signature."""

    ASKING = "asking"
    INVITING = "inviting"
    VERIFIED = "verified"
    ACCEPTED = "accepted"
    RECEIPT_SENT = "receipt_sent"
    UPLOADED = "uploaded"
    CREDITED = "credited"
    PARTIAL = "partial"
    REJECTED = "rejected"
    VOID_SIGNED = "void_signed"
    VOIDED = "voided"


_GOES: Final = frozenset(
    {Stage.INVITING, Stage.CREDITED, Stage.PARTIAL, Stage.REJECTED, Stage.VOIDED}
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `phone`: the payer's number as the payee typed it. `answered_at`: when the PAY
    was accepted, or, with no PAY, when the request was called off. Messages are empty until they
    are signed; `pay` is as it came, bare or with what it passes on (`wire.chain`)."""

    id: bytes
    phone: str
    amount: int
    memo: str
    made_at: int
    stage: Stage = Stage.ASKING
    hash: bytes = b""
    answered_at: int = 0
    invite: bytes = b""
    pay: bytes = b""
    receipt: bytes = b""
    void: bytes = b""


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment that this device or another of the shop accepted; `until` its pass's expiry."""

    payer: bytes
    sequence: int
    previous: bytes
    hash: bytes
    amount: int
    cumulative: int
    until: int

    @classmethod
    def of(cls, pay: Pay) -> "Taken":
        """What is remembered of a PAY."""
        payer = pay.payer
        return cls(
            payer.id,
            pay.sequence,
            pay.previous,
            pay.hash,
            pay.amount,
            pay.cumulative,
            payer.expiry,
        )


@dataclass(frozen=True, slots=True)
class Till:
    """`own`: the PASS that new requests are made with."""

    own: bytes
    requests: tuple[Request, ...] = ()
    taken: tuple[Taken, ...] = ()

    @property
    def holder(self) -> Pass:
        """The pass."""
        return Pass.parse(self.own)

    def request(self, id: bytes) -> Request | None:
        """The one with this id."""
        return next((one for one in self.requests if one.id == id), None)

    def asked_with(self, hash: bytes) -> Request | None:
        """The one whose INVITE has this hash."""
        return next((one for one in self.requests if one.hash == hash), None)

    def with_request(self, request: Request) -> "Till":
        """With one more."""
        return replace(self, requests=(*self.requests, request))

    def without(self, request: Request) -> "Till":
        """Without this one, which was never signed."""
        return replace(self, requests=tuple(one for one in self.requests if one.id != request.id))

    def changed(self, request: Request) -> "Till":
        """With `request` in place of the one with its id."""
        return replace(
            self,
            requests=tuple(request if one.id == request.id else one for one in self.requests),
        )

    def taking(self, taken: Taken) -> "Till":
        """With one more payment seen."""
        return self if taken in self.taken else replace(self, taken=(*self.taken, taken))

    def tidied(self, now: int) -> "Till":
        """Without what no message can concern any more: payments of expired passes, and requests
        older than `KEPT` that are finished or that nobody paid."""
        return replace(
            self,
            requests=tuple(
                one for one in self.requests if one.stage not in _GOES or one.made_at + KEPT > now
            ),
            taken=tuple(one for one in self.taken if one.until > now),
        )
