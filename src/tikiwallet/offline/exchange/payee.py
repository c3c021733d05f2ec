"""The payee's side of an exchange: one machine for each device, with all its requests.

Of each request: `asking → inviting* → verified* → accepted* → receipt_sent → uploaded → credited |
partial | rejected`, or `inviting → void_signed* → voided`. A PAY is kept before the RECEIPT is
signed and the RECEIPT before it is sent, so that a PAY that comes again meets the same RECEIPT.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from tikiwallet.offline.checks import check_ask, check_pay
from tikiwallet.offline.exchange.effects import (
    Asked,
    Cancelled,
    Declined,
    Effect,
    Event,
    Item,
    Outcome,
    Outcomes,
    OutOfTurn,
    Received,
    Renewed,
    Restarted,
    Seen,
    Send,
    Show,
    Sign,
    Signed,
    Store,
    Stored,
    Synced,
    Tick,
    Upload,
    View,
    items_of,
)
from tikiwallet.offline.exchange.till import Request, Stage, Taken, Till
from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.cose import Unsealed
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import (
    Close,
    Invite,
    IssuerKeys,
    Pass,
    Pay,
    Receipt,
    Revocations,
    Void,
)

LIFE = 120  # seconds in which a payer may confirm


@dataclass(frozen=True, slots=True)
class Payee:
    """`storing`: the id of the request that a `Store` under way is about; empty for one about none,
    None when there is none."""

    known: Known
    till: Till
    storing: bytes | None = None


Step: TypeAlias = tuple[Payee, tuple[Effect, ...]]

_AFTER = {
    Outcomes.RECORDED: Stage.UPLOADED,
    Outcomes.CREDITED: Stage.CREDITED,
    Outcomes.PARTIAL: Stage.PARTIAL,
    Outcomes.REJECTED: Stage.REJECTED,
    Outcomes.RETURNED: Stage.REJECTED,
    Outcomes.VOIDED: Stage.REJECTED,
    Outcomes.CONFLICT: Stage.UPLOADED,
}
_TO_UPLOAD = frozenset({Stage.VERIFIED, Stage.ACCEPTED, Stage.RECEIPT_SENT, Stage.UPLOADED})
_UNSETTLED = _TO_UPLOAD | {Stage.PARTIAL}  # what is left open of a part may still come


def step(payee: Payee, event: Event) -> Step:
    """What `event` makes of `payee`. Raises `OutOfTurn` between `Store` and its answer."""
    if isinstance(event, Restarted):
        return _restarted(payee, event)
    if (payee.storing is not None) != isinstance(event, Stored):
        raise OutOfTurn(type(event).__name__)
    payee = replace(payee, known=payee.known.at(event.now))
    match event:
        case Received():
            return _received(payee, event.data)
        case Signed():
            return _signed(payee, event)
        case Declined():
            return _declined(payee, event.hash)
        case Stored():
            return _stored(payee)
        case Outcome():
            return _outcome(payee, event)
        case Synced():
            return _synced(payee, event.now)
        case Tick():
            return payee, ()
        case _:
            return _told(payee, event)


def _told(payee: Payee, event: Event) -> Step:
    """By the person who holds the device, or, for a shop, by its other devices."""
    match event:
        case Asked():
            return _asked(payee, event)
        case Cancelled():
            return _cancelled(payee, event.request)
        case Seen():
            return _seen(payee, event.taken)
        case Renewed():
            return _renewed(payee, event.data)
        case _:
            raise OutOfTurn(type(event).__name__)


def _refused(payee: Payee, refusal: Refusal) -> Step:
    return payee, (Show(View.REFUSED, refusal),)


def _storing(payee: Payee, till: Till, what: bytes = b"") -> Step:
    return replace(payee, till=till, storing=what), (Store(),)


def _received(payee: Payee, data: bytes) -> Step:
    try:
        message = chain.message(data)
    except Malformed:
        return _refused(payee, Refusal.UNREADABLE)
    match message:
        case Pay():
            return _paid(payee, message, data)
        case IssuerKeys() | Revocations():
            known = payee.known.learn(message)
            if known == payee.known:
                return payee, ()
            return _storing(replace(payee, known=known), payee.till)
        case Pass() | Invite() | Receipt() | Void() | Close():
            return _refused(payee, Refusal.NOT_EXPECTED)
        case _:
            assert_never(message)


# Asking.


def _asked(payee: Payee, event: Asked) -> Step:
    request = Request(event.request, event.phone, event.amount, event.memo, payee.known.now)
    if refusal := check_ask(payee.known, payee.till, request):
        return _refused(payee, refusal)
    asking = replace(payee, till=payee.till.with_request(request))
    try:
        return asking, (_sign(asking, request),)
    except Malformed:
        return _refused(payee, Refusal.CANNOT_ASK)


def _cancelled(payee: Payee, id: bytes) -> Step:
    request = payee.till.request(id)
    if request is None:
        return payee, ()
    if request.stage is Stage.ASKING:
        return replace(payee, till=payee.till.without(request)), ()
    if request.pay:
        return _refused(payee, Refusal.ALREADY_PAID)
    if request.void:
        return payee, (Send(request.void), Show(View.VOIDED))
    request = replace(request, answered_at=request.answered_at or payee.known.now)
    payee = replace(payee, till=payee.till.changed(request))
    return payee, (_sign(payee, request),)


# Being paid.


def _paid(payee: Payee, pay: Pay, data: bytes) -> Step:
    request = payee.till.asked_with(pay.request_hash)
    if request and request.answered_at:
        return _answered(payee, request, pay)
    try:
        paid = chain.read(data)
    except Malformed:
        return _refused(payee, Refusal.UNREADABLE)
    if payee.known.has_issued(pay.payer):
        payee = replace(payee, known=payee.known.signed(pay.payer.not_before))
    refusal = check_pay(payee.known, payee.till, request, paid)
    if refusal or request is None:
        return _refused(payee, refusal or Refusal.NOT_MY_REQUEST)
    request = replace(request, stage=Stage.VERIFIED, pay=data, answered_at=payee.known.now)
    till = payee.till.changed(request)
    for one in paid.pays:
        till = till.taking(Taken.of(one))
    return _storing(payee, till, request.id)


def _answered(payee: Payee, request: Request, pay: Pay) -> Step:
    """The same PAY meets the same RECEIPT; any PAY for a cancelled request its VOID."""
    if request.void:
        return payee, (Send(request.void), Show(View.REFUSED, Refusal.CANCELLED))
    if not request.pay:
        return _refused(payee, Refusal.CANCELLED)  # its VOID is about to be signed
    if chain.head(request.pay).hash != pay.hash:
        return _refused(payee, Refusal.ALREADY_PAID)
    if not request.receipt:
        return payee, (_sign(payee, request),)
    return payee, (Send(request.receipt), Show(View.ACCEPTED))


# Signing. What a request's draft is follows from the request alone, so that an answer to `Sign`
# meets it again by its hash.


def _draft(payee: Payee, request: Request) -> tuple[Invite | Receipt | Void, PublicKey] | None:
    """What is to be signed for this request, and the pass's key that does."""
    if request.stage is Stage.ASKING:
        own = payee.till.holder
        invite = Invite(
            payee=own,
            request_id=request.id,
            amount=request.amount,
            currency=own.currency,
            memo=request.memo or None,
            made_at=request.made_at,
            life=LIFE,
        )
        return invite, own.key
    voiding = request.stage is Stage.INVITING and request.answered_at
    if not voiding and (not request.pay or request.receipt):
        return None
    holder, time = Invite.parse(request.invite).payee, request.answered_at
    if voiding:
        return Void(request_id=request.id, payee_pass=holder.id, time=time), holder.key
    return Receipt(pay_hash=chain.head(request.pay).hash, time=time), holder.key


def _sign(payee: Payee, request: Request) -> Sign:
    draft = _draft(payee, request)
    assert draft is not None
    message, key = draft
    unsealed = message.unsealed(key.raw)
    return Sign(unsealed.hash, unsealed.to_sign, key.raw)


def _waiting(payee: Payee, hash: bytes) -> tuple[Request, Unsealed, PublicKey] | None:
    """The request whose draft has this hash."""
    for request in payee.till.requests:
        if draft := _draft(payee, request):
            message, key = draft
            unsealed = message.unsealed(key.raw)
            if unsealed.hash == hash:
                return request, unsealed, key
    return None


def _signed(payee: Payee, event: Signed) -> Step:
    waiting = _waiting(payee, event.hash)
    if waiting is None:
        return payee, ()
    request, unsealed, key = waiting
    if not key.verify(event.signature, unsealed.to_sign):
        return _declined(payee, event.hash)
    raw = unsealed.with_signature(event.signature)
    match request.stage:
        case Stage.ASKING:
            request = replace(request, stage=Stage.INVITING, invite=raw, hash=unsealed.hash)
        case Stage.INVITING:
            request = replace(request, stage=Stage.VOID_SIGNED, void=raw)
        case _:  # VERIFIED, or what the server said before there was a RECEIPT; it says it again
            request = replace(request, stage=Stage.ACCEPTED, receipt=raw)
    return _storing(payee, payee.till.changed(request), request.id)


def _declined(payee: Payee, hash: bytes) -> Step:
    waiting = _waiting(payee, hash)
    if waiting is None:
        return payee, ()
    return _refused(replace(payee, till=_unanswered(payee.till, waiting[0])), Refusal.KEY_FAILED)


def _unanswered(till: Till, request: Request) -> Till:
    """Without the wish for a signature. An accepted PAY stays, and is signed for when it comes
    again or the device starts again."""
    if request.stage is Stage.ASKING:
        return till.without(request)
    if request.stage is Stage.INVITING:
        return till.changed(replace(request, answered_at=0))
    return till


# After a write.


def _stored(payee: Payee) -> Step:
    id, payee = payee.storing, replace(payee, storing=None)
    request = payee.till.request(id) if id else None
    if request is None:
        return payee, ()
    match request.stage:
        case Stage.INVITING:
            return payee, (Send(request.invite), Show(View.ASKING))
        case Stage.VERIFIED:
            return payee, (_sign(payee, request),)
        case Stage.ACCEPTED:
            request = replace(request, stage=Stage.RECEIPT_SENT)
            payee = replace(payee, till=payee.till.changed(request))
            shown = Show(View.ACCEPTED)
            return payee, (Send(request.receipt), shown, Upload.of(_items(request)))
        case Stage.VOID_SIGNED:
            return payee, (Send(request.void), Show(View.VOIDED), Upload.of(_items(request)))
        case _:
            return payee, ()


def _items(request: Request) -> tuple[Item, ...]:
    if request.void:
        return (Item(invite=request.invite, void=request.void),)
    paid = chain.read(request.pay)
    item = Item(invite=request.invite, pay=paid.pay.raw, receipt=request.receipt)
    return (*items_of(paid.links()), item)


def _uploads(till: Till) -> tuple[Effect, ...]:
    items = [
        item
        for one in till.requests
        if one.stage in _TO_UPLOAD or one.stage is Stage.VOID_SIGNED
        for item in _items(one)
    ]
    return (Upload.of(items),) if items else ()


# What others say.


def _seen(payee: Payee, taken: Taken) -> Step:
    till = payee.till.taking(taken)
    return (payee, ()) if till is payee.till else _storing(payee, till)


def _renewed(payee: Payee, data: bytes) -> Step:
    try:
        own = Pass.parse(data)
    except Malformed:
        return _refused(payee, Refusal.UNREADABLE)
    if not payee.known.has_issued(own):
        return _refused(payee, Refusal.UNKNOWN_ISSUER)
    requests = tuple(one for one in payee.till.requests if one.stage is not Stage.ASKING)
    till = replace(payee.till, own=data, requests=requests)
    return _storing(replace(payee, known=payee.known.signed(own.not_before)), till)


def _outcome(payee: Payee, event: Outcome) -> Step:
    """The hash is that of the PAY, or of the VOID."""
    for request in payee.till.requests:
        if request.stage is Stage.VOID_SIGNED and Void.parse(request.void).hash == event.hash:
            stage = Stage.VOIDED
        elif request.stage in _UNSETTLED and chain.head(request.pay).hash == event.hash:
            stage = _AFTER.get(event.outcome, request.stage)
        else:
            continue
        if stage is request.stage:
            break
        return _storing(payee, payee.till.changed(replace(request, stage=stage)))
    return payee, ()


def _synced(payee: Payee, now: int) -> Step:
    known = payee.known.at_server(now)
    payee, effects = _storing(replace(payee, known=known), payee.till.tidied(known.now))
    return payee, (*effects, *_uploads(payee.till))


def _restarted(payee: Payee, event: Restarted) -> Step:
    """Go on from what was stored. What was not signed yet is forgotten, but an accepted PAY."""
    till = payee.till
    for request in till.requests:
        till = _unanswered(till, request)
    payee = replace(payee, known=payee.known.at(event.now), till=till, storing=None)
    unsigned = [one for one in till.requests if one.stage is Stage.VERIFIED]
    return payee, (*(_sign(payee, one) for one in unsigned), *_uploads(till))
