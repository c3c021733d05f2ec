"""The payer's side of an exchange: one machine for each pass, for as long as its payments matter.

`idle → review → confirmed → signed* → sent → receipted → settled | voided | returned | conflict`,
and `idle → closing → idle` for the CLOSE. A PAY is signed once for one request and stays in the
purse; whatever happens then, the same bytes are sent again.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from tikiwallet.offline.checks import check_invite, check_number, check_own
from tikiwallet.offline.exchange.effects import (
    Closing,
    Confirmed,
    Declined,
    Effect,
    Event,
    Gained,
    Item,
    Outcome,
    Outcomes,
    OutOfTurn,
    Received,
    Restarted,
    Send,
    SetAside,
    Show,
    Sign,
    Signed,
    Store,
    Stored,
    Synced,
    Tick,
    Typed,
    Upload,
    View,
    items_of,
)
from tikiwallet.offline.exchange.purse import Doubt, Payment, Purse, Stage, Tip
from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.chain import read_link
from tikiwallet.offline.wire.messages import (
    Close,
    Invite,
    IssuerKeys,
    Pass,
    Pay,
    Receipt,
    Revocations,
    Void,
    read,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """The INVITE on the screen, since when, whether its payee's number was typed, and when the
    person confirmed it (0: not yet)."""

    invite: bytes
    received_at: int
    matched: bool = False
    confirmed_at: int = 0


@dataclass(frozen=True, slots=True)
class Payer:
    """`front` is the stage before a payment is signed, `at_hand` the hash of the signed payment on
    the screen. `storing`: the hash of the message that a `Store` under way is about; empty for one
    about none, None when there is none. `closing_at`: when the person chose to close."""

    known: Known
    purse: Purse
    front: Stage = Stage.IDLE
    offer: Offer | None = None
    at_hand: bytes = b""
    closing_at: int = 0
    storing: bytes | None = None

    @property
    def stage(self) -> Stage:
        """Where the payment on the screen is."""
        payment = self.purse.payment(self.at_hand)
        return payment.stage if payment else self.front


Step: TypeAlias = tuple[Payer, tuple[Effect, ...]]

_UNFINISHED = frozenset({Stage.CONFIRMED, Stage.CLOSING, Stage.SIGNED, Stage.SENT})
_OPEN = frozenset({Stage.SIGNED, Stage.SENT, Stage.RECEIPTED})
_VIEWS = {
    Stage.RECEIPTED: View.ACCEPTED,
    Stage.SETTLED: View.SETTLED,
    Stage.VOIDED: View.VOIDED,
    Stage.RETURNED: View.RETURNED,
    Stage.CONFLICT: View.CONFLICT,
}
_AFTER = {
    Outcomes.CREDITED: Stage.SETTLED,
    Outcomes.PARTIAL: Stage.SETTLED,
    Outcomes.VOIDED: Stage.VOIDED,
    Outcomes.RETURNED: Stage.RETURNED,
    Outcomes.REJECTED: Stage.RETURNED,
    Outcomes.CONFLICT: Stage.CONFLICT,
}
# Of a payment to this pass: who passes it on would stand for what it lacks.
_WORTH_LESS = frozenset({Outcomes.PARTIAL, Outcomes.VOIDED, Outcomes.RETURNED, Outcomes.REJECTED})


def step(payer: Payer, event: Event) -> Step:
    """What `event` makes of `payer`. Raises `OutOfTurn` between `Store` and its answer."""
    if isinstance(event, Restarted):
        return _restarted(payer, event)
    if (payer.storing is not None) != isinstance(event, Stored):
        raise OutOfTurn(type(event).__name__)
    payer = replace(payer, known=payer.known.at(event.now))
    match event:
        case Received():
            return _received(payer, event.data)
        case Signed():
            return _signed(payer, event)
        case Declined():
            return _declined(payer, event)
        case Stored():
            return _stored(payer)
        case Outcome():
            return _outcome(payer, event)
        case Synced():
            return _synced(payer, event)
        case Tick():
            return payer, ()
        case _:
            return _told(payer, event)


def _told(payer: Payer, event: Event) -> Step:
    """By the person who holds the device, or by its till."""
    match event:
        case Typed():
            return _typed(payer, event.phone)
        case Confirmed():
            return _confirmed(payer)
        case SetAside():
            return _set_aside(payer)
        case Closing():
            return _closing(payer)
        case Gained():
            return _gained(payer, event.chain)
        case _:
            raise OutOfTurn(type(event).__name__)


def _refused(payer: Payer, refusal: Refusal) -> Step:
    return payer, (Show(View.REFUSED, refusal),)


def _storing(payer: Payer, what: bytes = b"") -> Step:
    return replace(payer, storing=what), (Store(),)


def _received(payer: Payer, data: bytes) -> Step:
    try:
        message = read(data)
    except Malformed:
        return _refused(payer, Refusal.UNREADABLE)
    match message:
        case Invite():
            return _invited(payer, message)
        case Receipt():
            return _receipted(payer, message)
        case Void():
            return _voided(payer, message)
        case IssuerKeys() | Revocations():
            known = payer.known.learn(message)
            if known == payer.known:
                return payer, ()
            return _storing(replace(payer, known=known))
        case Pass() | Pay() | Close():
            return _refused(payer, Refusal.NOT_EXPECTED)
        case _:
            assert_never(message)


def _invited(payer: Payer, invite: Invite) -> Step:
    if payment := payer.purse.answer_to(invite.request_id):
        return _invited_again(payer, payment, invite)
    if payer.stage in _UNFINISHED:
        return _refused(payer, Refusal.UNFINISHED)
    if payer.offer and payer.offer.invite == invite.raw:
        return payer, (_review(payer.offer),)
    if payer.known.has_issued(invite.payee):
        payer = replace(payer, known=payer.known.signed(invite.payee.not_before))
    if refusal := check_invite(payer.known, payer.purse, invite):
        return _refused(payer, refusal)
    offer = Offer(invite.raw, payer.known.now)
    return replace(payer, front=Stage.REVIEW, offer=offer, at_hand=b""), (_review(offer),)


def _invited_again(payer: Payer, payment: Payment, invite: Invite) -> Step:
    """Never sign twice for one request."""
    if Invite.parse(payment.invite).hash != invite.hash:
        return _refused(payer, Refusal.REQUEST_CHANGED)
    if payer.stage in (Stage.CONFIRMED, Stage.CLOSING):
        return _refused(payer, Refusal.UNFINISHED)
    if payment.stage is Stage.VOIDED:
        return _refused(payer, Refusal.CANCELLED)
    payer = replace(payer, front=Stage.IDLE, offer=None, at_hand=payment.hash)
    return payer, (Send(payer.purse.chain_of(payment).raw), Show(_view(payment)))


def _typed(payer: Payer, phone: str) -> Step:
    if payer.stage is not Stage.REVIEW or payer.offer is None:
        return payer, ()
    if refusal := check_number(Invite.parse(payer.offer.invite).payee, phone):
        return _refused(replace(payer, offer=replace(payer.offer, matched=False)), refusal)
    offer = replace(payer.offer, matched=True)
    return replace(payer, offer=offer), (_review(offer),)


def _review(offer: Offer) -> Show:
    return Show(View.REVIEW if offer.matched else View.TYPE_NUMBER)


def _confirmed(payer: Payer) -> Step:
    offer = payer.offer
    if payer.stage is not Stage.REVIEW or offer is None or not offer.matched:
        return payer, ()
    invite = Invite.parse(offer.invite)
    refusal = check_invite(payer.known, payer.purse, invite)
    if payer.known.now > offer.received_at + invite.life:
        refusal = refusal or Refusal.INVITE_OLD
    if refusal:
        return _refused(replace(payer, front=Stage.IDLE, offer=None), refusal)
    offer = replace(offer, confirmed_at=payer.known.now)
    payer = replace(payer, front=Stage.CONFIRMED, offer=offer)
    return payer, (_sign(payer),)


def _draft(payer: Payer) -> Pay | Close | None:
    """What is to be signed."""
    if payer.front is Stage.CONFIRMED and payer.offer:
        return payer.purse.draft(Invite.parse(payer.offer.invite), payer.offer.confirmed_at)
    if payer.front is Stage.CLOSING:
        return payer.purse.draft_of_close(payer.closing_at)
    return None


def _sign(payer: Payer) -> Sign:
    draft = _draft(payer)
    assert draft is not None
    key = payer.purse.holder.key.raw
    unsealed = draft.unsealed(key)
    return Sign(unsealed.hash, unsealed.to_sign, key)


def _signed(payer: Payer, event: Signed) -> Step:
    draft = _draft(payer)
    key = payer.purse.holder.key
    if draft is None or draft.unsealed(key.raw).hash != event.hash:
        return payer, ()
    try:
        message = type(draft).parse(draft.unsealed(key.raw).with_signature(event.signature))
    except Malformed:
        return _key_failed(payer)
    if not message.is_signed_by(key):
        return _key_failed(payer)
    front = replace(payer, front=Stage.IDLE, offer=None)
    if refusal := check_own(payer.known, payer.purse):
        return _refused(front, refusal)
    if isinstance(message, Close):
        return _storing(replace(front, purse=payer.purse.closed(message)), message.hash)
    assert payer.offer is not None
    purse = payer.purse.with_payment(message, Invite.parse(payer.offer.invite))
    return _storing(replace(front, purse=purse, at_hand=message.hash), message.hash)


def _declined(payer: Payer, event: Declined) -> Step:
    draft = _draft(payer)
    if draft is None or draft.unsealed(payer.purse.holder.key.raw).hash != event.hash:
        return payer, ()
    return _key_failed(payer)


def _key_failed(payer: Payer) -> Step:
    front = Stage.REVIEW if payer.front is Stage.CONFIRMED else Stage.IDLE
    return _refused(replace(payer, front=front), Refusal.KEY_FAILED)


def _stored(payer: Payer) -> Step:
    hash, payer = payer.storing, replace(payer, storing=None)
    assert hash is not None
    payment = payer.purse.payment(hash)
    if payment is None:
        if hash and payer.purse.close:
            return payer, (Show(View.CLOSED), Upload((Item(close=payer.purse.close),)))
        return payer, ()
    if payment.stage is Stage.SIGNED:
        return _sent(payer, payment)
    shown = (Show(_view(payment)),) if hash == payer.at_hand else ()
    if payment.stage is Stage.RECEIPTED or payment.void:
        return payer, (*shown, Upload.of(_items(payer.purse, payment)))
    return payer, shown


def _sent(payer: Payer, payment: Payment) -> Step:
    sent = replace(payment, stage=Stage.SENT)
    payer = replace(payer, purse=payer.purse.changed(sent))
    return payer, (Send(payer.purse.chain_of(sent).raw), Show(View.SENDING))


def _receipted(payer: Payer, receipt: Receipt) -> Step:
    payment = payer.purse.payment(receipt.pay_hash)
    if payment is None:
        return _refused(payer, Refusal.NOT_EXPECTED)
    if not receipt.is_signed_by(Invite.parse(payment.invite).payee.key):
        return _refused(payer, Refusal.BAD_SIGNATURE)
    return _replied(payer, replace(payment, stage=Stage.RECEIPTED, receipt=receipt.raw))


def _voided(payer: Payer, void: Void) -> Step:
    payment = payer.purse.answer_to(void.request_id)
    if payment is None:
        return _called_off(payer, void)
    payee = Invite.parse(payment.invite).payee
    if void.payee_pass != payee.id or not void.is_signed_by(payee.key):
        return _refused(payer, Refusal.BAD_SIGNATURE)
    return _replied(payer, replace(payment, stage=Stage.VOIDED, void=void.raw))


def _called_off(payer: Payer, void: Void) -> Step:
    """Nothing was signed for this request; at most it is on the screen."""
    if payer.offer is None:
        return _refused(payer, Refusal.NOT_EXPECTED)
    invite = Invite.parse(payer.offer.invite)
    if (void.request_id, void.payee_pass) != (invite.request_id, invite.payee.id):
        return _refused(payer, Refusal.NOT_EXPECTED)
    if not void.is_signed_by(invite.payee.key):
        return _refused(payer, Refusal.BAD_SIGNATURE)
    return _refused(replace(payer, front=Stage.IDLE, offer=None), Refusal.CANCELLED)


def _replied(payer: Payer, payment: Payment) -> Step:
    earlier = payer.purse.payment(payment.hash)
    if earlier is None or earlier.stage not in (Stage.SIGNED, Stage.SENT):
        return payer, ()  # the first word stands; what contradicts it is the payee's own fork
    return _storing(replace(payer, purse=payer.purse.changed(payment)), payment.hash)


def _set_aside(payer: Payer) -> Step:
    payment = payer.purse.payment(payer.at_hand)
    payer = replace(payer, front=Stage.IDLE, offer=None, at_hand=b"")
    if payment and payment.stage in _OPEN:
        return payer, (Upload.of(_items(payer.purse, payment)),)
    return payer, ()


def _closing(payer: Payer) -> Step:
    if payer.stage in _UNFINISHED:
        return _refused(payer, Refusal.UNFINISHED)
    if refusal := check_own(payer.known, payer.purse):
        return _refused(payer, refusal)
    payer = replace(payer, front=Stage.CLOSING, offer=None, at_hand=b"", closing_at=payer.known.now)
    return payer, (_sign(payer),)


def _gained(payer: Payer, data: bytes) -> Step:
    try:
        purse = payer.purse.gaining(read_link(data))
    except Malformed:
        return payer, ()
    return (payer, ()) if purse is payer.purse else _storing(replace(payer, purse=purse))


def _outcome(payer: Payer, event: Outcome) -> Step:
    """The hash is that of the PAY, the VOID or the CLOSE, or of a received payment."""
    payment = payer.purse.payment(event.hash)
    if payment is None and event.outcome in _WORTH_LESS:
        return _lost(payer, event.hash)
    if payment is None:
        return _taken(payer, event.hash)
    stage = _AFTER.get(event.outcome, payment.stage)
    if payment.stage is stage:
        return payer, ()
    purse = payer.purse.changed(replace(payment, stage=stage))
    if stage is Stage.CONFLICT:
        purse = purse.lost()
    return _storing(replace(payer, purse=purse), payment.hash)


def _lost(payer: Payer, hash: bytes) -> Step:
    """A received payment is passed on no more; a PAY that waits for its signature might name it."""
    purse = payer.purse.losing(hash)
    if purse is payer.purse:
        return _taken(payer, hash)
    front = Stage.REVIEW if payer.front is Stage.CONFIRMED else payer.front
    return _storing(replace(payer, purse=purse, front=front))


def _taken(payer: Payer, hash: bytes) -> Step:
    """The server has the VOID or the CLOSE with this hash."""
    if _is_close_unknown(payer.purse) and Close.parse(payer.purse.close).hash == hash:
        return _storing(replace(payer, purse=replace(payer.purse, close_known=True)))
    for one in payer.purse.payments:
        if _is_void_unknown(one) and Void.parse(one.void).hash == hash:
            return _storing(
                replace(payer, purse=payer.purse.changed(replace(one, void_known=True)))
            )
    return payer, ()


def _synced(payer: Payer, event: Synced) -> Step:
    purse = payer.purse
    if event.sequence:
        tip = Tip(event.sequence, event.hash, event.cumulative)
        purse = purse.synced(tip, ended=event.ended)
    if purse != payer.purse:
        payer = replace(payer, purse=purse, front=Stage.IDLE, offer=None)
    payer = replace(payer, known=payer.known.at_server(event.now))
    payer, effects = _storing(payer)
    return payer, (*effects, *_uploads(payer))


def _restarted(payer: Payer, event: Restarted) -> Step:
    """Go on from what was stored. What was not signed yet is forgotten; a doubt is written down."""
    purse = payer.purse.restarted(event.sequence_seen)
    doubts = purse != payer.purse
    payer = replace(
        payer,
        known=payer.known.at(event.now),
        purse=purse,
        front=Stage.IDLE,
        offer=None,
        storing=b"" if doubts else None,
    )
    effects: tuple[Effect, ...] = (Store(),) if doubts else ()
    uploads = _uploads(payer)
    payment = purse.payment(payer.at_hand)
    if payment and payment.stage in (Stage.SIGNED, Stage.SENT):
        payer, sending = _sent(payer, payment)
        return payer, (*effects, *sending, *uploads)
    if purse.doubt is not Doubt.NONE:
        effects = (*effects, Show(View.SYNC_FIRST))
    return payer, (*effects, *uploads)


def _uploads(payer: Payer) -> tuple[Effect, ...]:
    """All that the server may not know yet."""
    items = [
        item
        for one in payer.purse.payments
        if one.stage in _OPEN or _is_void_unknown(one)
        for item in _items(payer.purse, one)
    ]
    if _is_close_unknown(payer.purse):
        items.append(Item(close=payer.purse.close))
    return (Upload.of(items),) if items else ()


def _is_void_unknown(payment: Payment) -> bool:
    return bool(payment.void) and not payment.void_known


def _is_close_unknown(purse: Purse) -> bool:
    return bool(purse.close) and not purse.close_known


def _items(purse: Purse, payment: Payment) -> tuple[Item, ...]:
    if payment.void:
        return (Item(invite=payment.invite, void=payment.void),)
    item = Item(invite=payment.invite, pay=payment.pay, receipt=payment.receipt)
    return (*items_of(purse.chain_of(payment).links()), item)


def _view(payment: Payment) -> View:
    return _VIEWS.get(payment.stage, View.SENDING)
