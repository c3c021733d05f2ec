"""One conflict as a document that proves itself: whoever knows the root key checks it with this
module alone, without us, our database or a network.

The root signed the list of issuer keys, one of those the pass, and the key in the pass two messages
that an orderly store never signs both. The document shows that, and nothing about why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tikiwallet import base64url, clock, ids
from tikiwallet.offline.deciding import (
    Closing,
    Contradiction,
    Signed,
    contradiction,
    denies,
    denies_close,
)
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.messages import (
    AnyMessage,
    Close,
    Invite,
    IssuerKeys,
    Pass,
    Pay,
    Receipt,
    Void,
    read,
)
from tikiwallet.offline.wire.trust import Trust

FORMAT: Final = "tikiwallet/offline/evidence/1"
SENTENCES: Final[Mapping[Contradiction, str]] = {
    Contradiction.SEQUENCE: "signed twice: two different payments have the same sequence number",
    Contradiction.SUM: "signed twice: the sums in two payments do not fit into one chain",
    Contradiction.CHAIN: "signed twice: a payment names another one as the one before it",
    Contradiction.CLOSE: "signed twice: a CLOSE is contradicted by what else the key signed",
    Contradiction.VOID: "signed twice: a request was called off, and its payment taken",
}


class DoesNotProve(ValueError):
    """The document is no proof; says why."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a document proves: `sentence` about the key of `pass_`, by these messages."""

    kind: Contradiction
    sentence: str
    pass_: Pass
    messages: tuple[AnyMessage, ...]


def document(
    kind: Contradiction, root: bytes, keys: bytes, pass_: bytes, messages: Sequence[bytes]
) -> dict[str, Any]:
    """The document of a conflict, for JSON."""
    held = Pass.parse(pass_)
    return {
        "format": FORMAT,
        "conflict": kind.value,
        "statement": SENTENCES[kind],
        "about": {
            "pass": ids.write_uuid(held.id),
            "name": held.name,
            "issued_at": clock.rfc3339(held.not_before * 1_000_000),
        },
        "root": root.hex(),
        "keys": base64url.write(keys),
        "pass": base64url.write(pass_),
        "messages": [base64url.write(message) for message in messages],
    }


def of_payments(root: bytes, keys: bytes, one: Pay, other: Pay) -> dict[str, Any] | None:
    """The document of two payments from one pass; None where they do not contradict each other."""
    kind = contradiction(_signed(one), _signed(other))
    return document(kind, root, keys, one.payer.raw, (one.raw, other.raw)) if kind else None


def verify(told: Any, root: bytes | None = None) -> Proven:
    """Check a document against the `root` key (None: the one that it names, which then has to be
    compared with a root known from elsewhere). Raises DoesNotProve."""
    try:
        return _verify(told, root)
    except Malformed as error:
        raise DoesNotProve(f"a message in it cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DoesNotProve):
            raise
        raise DoesNotProve("it is not a document of this kind") from None


def _verify(told: Any, root: bytes | None) -> Proven:
    if told["format"] != FORMAT:
        raise DoesNotProve("it is not a document of this kind")
    kind = Contradiction(told["conflict"])
    pass_ = Pass.parse(base64url.read(told["pass"]))
    messages = tuple(read(base64url.read(one)) for one in told["messages"])
    trust = Trust(root or bytes.fromhex(told["root"]))
    if not trust.learn(IssuerKeys.parse(base64url.read(told["keys"]))):
        raise DoesNotProve("the list of issuer keys is not signed by this root")
    if not trust.has_issued(pass_):
        raise DoesNotProve("the pass is not signed by one of these issuer keys")
    # An INVITE and a PAY that were called off are only looked at by their hashes.
    signed = messages[:1] + messages[3:] if kind is Contradiction.VOID else messages
    for message in signed:
        if not message.is_signed_by(pass_.key):
            raise DoesNotProve(f"the key in the pass did not sign the {message.KIND.name}")
    if not _contradict(kind, pass_, messages):
        raise DoesNotProve("the messages do not contradict each other in the way that it says")
    return Proven(kind, SENTENCES[kind], pass_, messages)


def _contradict(kind: Contradiction, pass_: Pass, messages: tuple[AnyMessage, ...]) -> bool:
    match kind, messages:
        case Contradiction.VOID, (
            Void() as void,
            Invite() as invite,
            Pay() as pay,
            (Receipt() | Pay()) as taken,
        ):
            return (
                void.payee_pass == pass_.id == invite.payee.id
                and void.request_id == invite.request_id
                and pay.request_hash == invite.hash
                and _takes(taken, pay, pass_)
            )
        case Contradiction.CLOSE, (Close() as one, Close() as other):
            same = one.pass_id == other.pass_id == pass_.id
            return same and denies_close(_closing(one), _closing(other))
        case Contradiction.CLOSE, (
            (Close() as close, Pay() as pay) | (Pay() as pay, Close() as close)
        ):
            same = close.pass_id == pay.payer.id == pass_.id
            return same and denies(_closing(close), _signed(pay))
        case (
            Contradiction.SEQUENCE | Contradiction.SUM | Contradiction.CHAIN,
            (Pay() as first, Pay() as second),
        ):
            same = first.payer.hash == second.payer.hash == pass_.hash
            return same and contradiction(_signed(first), _signed(second)) is kind
        case _:
            return False


def _takes(taken: Receipt | Pay, pay: Pay, pass_: Pass) -> bool:
    """Whether the pass's RECEIPT or PAY is over, or passes on, what `pay` paid."""
    if isinstance(taken, Receipt):
        return taken.pay_hash == pay.hash
    return taken.payer.hash == pass_.hash and pay.hash in (taken.sources or ())


def _signed(pay: Pay) -> Signed:
    return Signed(pay.hash, pay.previous, pay.sequence, pay.amount, pay.cumulative)


def _closing(close: Close) -> Closing:
    return Closing(close.hash, close.sequence, close.cumulative)
