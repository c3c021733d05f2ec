"""What a payer and a payee check before they sign or accept, without a network. Pure.

Each check gives a `Refusal`, or None when there is nothing against it. The order is the order in
which a person should hear of things: first what concerns this device, then whose message it is.
"""

from collections.abc import Iterable
from typing import Final

from tikiwallet.offline.exchange.purse import Doubt, Purse
from tikiwallet.offline.exchange.till import Request, Taken, Till
from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.chain import Chain, Link, Paid, all_of
from tikiwallet.offline.wire.messages import Invite, Pass, Pay

LIST_OLDEST: Final = 96 * 3_600  # seconds; also how long a pass lives
# A request's life is counted on the payer's own clock. Two clocks may differ by this much before
# it counts as old at first sight; that it is fresh for its payee follows from its random id.
CLOCKS_APART: Final = 24 * 3_600


def check_own(known: Known, purse: Purse) -> Refusal | None:
    """May this device sign with its pass at all?"""
    own = purse.holder
    if purse.doubt is Doubt.LOST:
        return Refusal.PASS_LOST
    if purse.doubt is Doubt.BEHIND:
        return Refusal.SYNC_FIRST
    if purse.close:
        return Refusal.OWN_CLOSED
    if known.now >= own.expiry:
        return Refusal.OWN_EXPIRED
    if known.has_revoked(own):
        return Refusal.OWN_REVOKED
    return None


def check_invite(known: Known, purse: Purse, invite: Invite) -> Refusal | None:
    """May this device pay what `invite` asks for? The payee's number is `check_number`'s."""
    own, payee = purse.holder, invite.payee
    if refusal := check_own(known, purse):
        return refusal
    if refusal := _check_signed(known, invite, payee):
        return refusal
    if known.now > invite.made_at + invite.life + CLOCKS_APART:
        return Refusal.INVITE_OLD
    if not own.currency == payee.currency == invite.currency:
        return Refusal.WRONG_CURRENCY
    if own.key == payee.key:
        return Refusal.SELF
    if own.payee_lock not in (None, payee.pseudonym):
        return Refusal.OTHER_PAYEE
    if invite.amount > own.limits.most_per_payment:
        return Refusal.OVER_LIMIT
    if purse.made >= own.limits.payments:
        return Refusal.TOO_MANY
    # The payee would refuse a source that holds no more, when the PAY is signed already.
    sources = all_of(purse.sources_for(invite.amount))
    over = any(_check_holds(known, one.pay.payer) for one in sources)
    return Refusal.NOT_ENOUGH if over or invite.amount > purse.left else None


def check_number(holder: Pass, phone: str) -> Refusal | None:
    """Does the pass belong to who has this number?"""
    try:
        return None if holder.is_of(phone) else Refusal.WRONG_NUMBER
    except ValueError:
        return Refusal.NUMBER_FORM


def check_ask(known: Known, till: Till, request: Request) -> Refusal | None:
    """May this device ask for `request`?"""
    own = till.holder
    if known.now >= own.expiry:
        return Refusal.OWN_EXPIRED
    if known.has_revoked(own):
        return Refusal.OWN_REVOKED
    if till.request(request.id):
        return Refusal.ASKED_ALREADY
    refusal = check_number(own, request.phone)
    return refusal if refusal is Refusal.NUMBER_FORM else None


def check_pay(known: Known, till: Till, request: Request | None, chain: Chain) -> Refusal | None:
    """May this device accept a payment, which answers its own outstanding `request`?"""
    pay = chain.pay
    if refusal := _check_signed(known, pay, pay.payer):
        return refusal
    if known.now - known.listed_at > LIST_OLDEST:
        return Refusal.STALE_LIST
    if request is None:
        return Refusal.NOT_MY_REQUEST
    return (
        _check_asked(Invite.parse(request.invite), pay)
        or check_number(pay.payer, request.phone)
        or _check_limits(chain)
        or _check_begin(pay)
        or _check_links(known, chain.links())
        or _check_seen(till, chain.pays)
    )


def _check_signed(known: Known, message: Invite | Pay, holder: Pass) -> Refusal | None:
    if not known.has_issued(holder):
        return Refusal.UNKNOWN_ISSUER
    if not message.is_signed_by(holder.key):
        return Refusal.BAD_SIGNATURE
    return _check_holds(known, holder)


def _check_holds(known: Known, holder: Pass) -> Refusal | None:
    if known.now >= holder.expiry:
        return Refusal.EXPIRED
    return Refusal.REVOKED if known.has_revoked(holder) else None


def _check_asked(invite: Invite, pay: Pay) -> Refusal | None:
    payer, payee = pay.payer, invite.payee
    if invite.made_at > payer.expiry:  # this device's clock was ahead; the server goes by it
        return Refusal.EXPIRED
    if pay.payee_pass != payee.id:
        return Refusal.WRONG_PAYEE
    if pay.amount != invite.amount:
        return Refusal.WRONG_AMOUNT
    if payer.currency != invite.currency:
        return Refusal.WRONG_CURRENCY
    if payer.key == payee.key:
        return Refusal.SELF
    return Refusal.OTHER_PAYEE if payer.payee_lock not in (None, payee.pseudonym) else None


def _check_limits(paid: Paid) -> Refusal | None:
    """Against the pass that paid, and what it passes on."""
    pay, payer = paid.pay, paid.pay.payer
    if paid.sources and not (payer.amount and paid.hops <= payer.limits.hops):
        return Refusal.PASSED_ON
    if pay.amount > payer.limits.most_per_payment:
        return Refusal.OVER_LIMIT
    if pay.sequence - payer.start_sequence >= payer.limits.payments:
        return Refusal.TOO_MANY
    if pay.cumulative > paid.covered:
        return Refusal.OVER_PASS
    return _first(_check_source(one, payer) for one in paid.sources)


def _check_source(source: Link, spender: Pass) -> Refusal | None:
    """Was it paid to the very pass that spends it?"""
    if source.pay.payee_pass != spender.id or source.invite.payee.raw != spender.raw:
        return Refusal.WRONG_PAYEE
    return Refusal.WRONG_CURRENCY if source.invite.currency != spender.currency else None


def _check_begin(pay: Pay) -> Refusal | None:
    payer = pay.payer
    if pay.sequence < payer.start_sequence:
        return Refusal.BROKEN_CHAIN
    first = pay.sequence == payer.start_sequence
    follows = not first or (pay.previous == payer.hash and pay.cumulative == pay.amount)
    return None if follows else Refusal.BROKEN_CHAIN


def _check_links(known: Known, links: Iterable[Link]) -> Refusal | None:
    """All that is passed on, as who took it had to check it."""
    answered: dict[tuple[bytes, bytes], Link] = {}
    for link in links:
        if refusal := _check_link(known, link):
            return refusal
        request = link.pay.payee_pass, link.invite.request_id
        if answered.setdefault(request, link) is not link:
            return Refusal.ALREADY_PAID
    return None


def _check_link(known: Known, link: Link) -> Refusal | None:
    pay, invite = link.pay, link.invite
    if refusal := _check_signed(known, pay, pay.payer):
        return refusal
    if not invite.is_signed_by(invite.payee.key):
        return Refusal.BAD_SIGNATURE
    return _check_asked(invite, pay) or _check_limits(link) or _check_begin(pay)


def _check_seen(till: Till, pays: Iterable[Pay]) -> Refusal | None:
    """Against each other, and against all payments that this shop has seen."""
    these = [Taken.of(pay) for pay in pays]
    payers = {one.payer for one in these}
    seen = [*(one for one in till.taken if one.payer in payers), *these]
    clash = any(contradict(this, one) for this in these for one in seen if one.payer == this.payer)
    return Refusal.CONFLICT if clash else None


def _first(refusals: Iterable[Refusal | None]) -> Refusal | None:
    return next((one for one in refusals if one), None)


def contradict(one: Taken, other: Taken) -> bool:
    """Can two payments of one pass not stand in one chain? Neighbours leave no gap between their
    sums, and no later sum falls short. The server decides alike (`deciding.contradiction`)."""
    if one.sequence == other.sequence:
        return one.hash != other.hash
    earlier, later = (one, other) if one.sequence < other.sequence else (other, one)
    between = later.cumulative - later.amount - earlier.cumulative
    if later.sequence - earlier.sequence == 1:
        return between != 0 or later.previous != earlier.hash
    return between < 0
