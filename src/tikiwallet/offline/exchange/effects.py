"""What happens to a machine (events) and what it wants done (effects).

Two effects are answered: `Store` by `Stored`, before any other event but `Restarted`, and `Sign` by
`Signed` or, when the person did not unlock the key, by `Declined`. Nothing that a `*` state says
leaves the device before its `Stored`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TypeAlias

from tikiwallet.offline.exchange.till import Taken
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.chain import Link


class OutOfTurn(Exception):
    """An event that this state cannot meet: a bug in whoever runs the machine."""


# Events. `now` is what the device's clock shows, in seconds since 1970.


@dataclass(frozen=True, slots=True)
class Event:
    now: int


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """Time went by."""


@dataclass(frozen=True, slots=True)
class Received(Event):
    """Bytes from another device, or from the server: any message there is."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Stored(Event):
    """The state that came with `Store` survives a loss of power."""


@dataclass(frozen=True, slots=True)
class Signed(Event):
    """The answer to `Sign`, whose `hash` it repeats: 64 bytes."""

    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Declined(Event):
    """The answer to `Sign` when the key was not unlocked."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class Typed(Event):
    """Payer: the payee's number, as E.164, typed by the payer."""

    phone: str


@dataclass(frozen=True, slots=True)
class Confirmed(Event):
    """Payer: yes, pay what the review shows."""


@dataclass(frozen=True, slots=True)
class SetAside(Event):
    """Payer: leave this payment. A signed one stays spent, and stays to be sent again."""


@dataclass(frozen=True, slots=True)
class Closing(Event):
    """Payer: end spending from this pass."""


@dataclass(frozen=True, slots=True)
class Gained(Event):
    """Payer: this device's till has accepted a payment to this very pass, which may pass it on.
    `chain`: as `Link.raw` gives it."""

    chain: bytes


@dataclass(frozen=True, slots=True)
class Asked(Event):
    """Payee: ask the person with the number `phone` for `amount`. `request` is 16 fresh random
    bytes."""

    request: bytes
    phone: str
    amount: int
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """Payee: this request is off."""

    request: bytes


@dataclass(frozen=True, slots=True)
class Renewed(Event):
    """Payee: a new pass of this device's own."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Seen(Event):
    """Payee: a payment that another device of the shop took. What a device takes itself is the last
    of its till's `taken`; that is what it tells the others."""

    taken: Taken


@unique
class Outcomes(StrEnum):
    """What the server may say of a payment; of a VOID, too, and `CLOSED` of a CLOSE."""

    RECORDED = "recorded"
    CREDITED = "credited"
    PARTIAL = "partial"
    VOIDED = "voided"
    RETURNED = "returned"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Outcome(Event):
    """The server's word on the payment, VOID or CLOSE `hash`."""

    hash: bytes
    outcome: Outcomes


@dataclass(frozen=True, slots=True)
class Synced(Event):
    """The server itself answered, so `now` is its time. For payers: how far it knows this pass's
    chain (sequence 0: nothing of it), and whether it holds the pass for `ended`, so that the chain
    may end in a CLOSE."""

    sequence: int = 0
    hash: bytes = b""
    cumulative: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Restarted(Event):
    """The device starts with the state it stored last. `sequence_seen`: the highest sequence that
    anything outside this state shows as used (0: none, None: nobody can tell, because the journal
    or the mark of this installation is missing)."""

    sequence_seen: int | None = 0


# Effects.


@dataclass(frozen=True, slots=True)
class Store:
    """Make the state that came with this durable."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign `to_sign` with the key whose compressed public key is `key`. `hash`, the message's, is
    SHA-256 of `to_sign`."""

    hash: bytes
    to_sign: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Show or send this message to the other device."""

    data: bytes


@unique
class View(StrEnum):
    """What the screen turns to."""

    TYPE_NUMBER = "type_number"
    REVIEW = "review"
    SENDING = "sending"
    ASKING = "asking"
    ACCEPTED = "accepted"
    VOIDED = "voided"
    CLOSED = "closed"
    SETTLED = "settled"
    RETURNED = "returned"
    CONFLICT = "conflict"
    SYNC_FIRST = "sync_first"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Show:
    """Turn the screen to `view`; the state holds what it shows. `refusal` says why not."""

    view: View
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What goes to the server as one: `invite` with `pay` (and `receipt`), or with `void`; or
    `close` alone."""

    invite: bytes = b""
    pay: bytes = b""
    receipt: bytes = b""
    void: bytes = b""
    close: bytes = b""


@dataclass(frozen=True, slots=True)
class Upload:
    """Bring this to the server as soon as there is one, and tell its `Outcome`."""

    items: tuple[Item, ...]

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Upload":
        """Of these, each once."""
        return cls(tuple(dict.fromkeys(items)))


def items_of(links: Iterable[Link]) -> tuple[Item, ...]:
    """What a payment passes on, which goes before it."""
    return tuple(Item(invite=one.invite.raw, pay=one.pay.raw) for one in links)


Effect: TypeAlias = Store | Sign | Send | Show | Upload
