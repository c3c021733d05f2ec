"""What the machines want shown, as plain facts: for the screen and for `--headless` alike."""

from typing import Any

from tikiwallet.money import BY_NUMBER
from tikiwallet.offline.exchange.effects import Show, View
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.purse import Doubt
from tikiwallet.offline.exchange.till import Request
from tikiwallet.offline.wire.messages import Invite, Pass
from tikiwallet.terminal.amounts import write_amount
from tikiwallet.terminal.receipt import Deal, text

Facts = dict[str, Any]


def facts_of(show: Show, about: Payer | Request | None) -> Facts:
    """`view` and, with a refusal, its code and sentence; then what it is about."""
    facts: Facts = {"view": show.view.value}
    if show.refusal is not None:
        facts |= {"refusal": show.refusal.value, "text": show.refusal.sentence}
    match about:
        case Payer():
            return facts | {"side": "payer"} | _of_payer(show.view, about)
        case Request():
            return facts | {"side": "payee"} | _of_request(about)
        case None:
            return facts


def _of_payer(view: View, payer: Payer) -> Facts:
    if payer.offer is not None:
        invite = Invite.parse(payer.offer.invite)
        facts = priced(invite.amount, invite.currency) | {"memo": invite.memo or ""}
        # Whose it is shows once their number was typed: it is not to be guessed from the name.
        return facts | ({"name": invite.payee.name} if payer.offer.matched else {})
    payment = payer.purse.payment(payer.at_hand)
    return deal_facts(Deal.of_payment(payment)) if payment else {}


def _of_request(request: Request) -> Facts:
    deal = Deal.of_request(request)
    if deal is not None:
        return deal_facts(deal)
    currency = Invite.parse(request.invite).currency if request.invite else None
    facts = {"phone": request.phone, "memo": request.memo, "amount": request.amount}
    return facts | (priced(request.amount, currency) if currency else {})


def priced(amount: int, currency: int) -> Facts:
    """An amount as a number of minor units, its currency's code, and both as people write them."""
    known = BY_NUMBER.get(currency)
    if known is None:
        return {"amount": amount, "currency": str(currency), "price": f"{amount} of {currency}"}
    return {"amount": amount, "currency": known.code, "price": write_amount(amount, known)}


def deal_facts(deal: Deal) -> Facts:
    """A payment that was signed."""
    return priced(deal.amount, deal.currency) | {
        "direction": deal.direction.value,
        "hash": deal.hash.hex(),
        "name": deal.name,
        "memo": deal.memo,
        "time": deal.time,
        "state": deal.state,
        "words": deal.words,
        "receipted": deal.receipted,
    }


def receipt_facts(deal: Deal, shop: str) -> Facts:
    """A payment with its receipt as text."""
    return deal_facts(deal) | {"receipt": text(deal, shop)}


def pass_facts(own: Pass, payer: Payer | None) -> Facts:
    """A terminal's own pass, and what is left on it."""
    left = payer.purse.left if payer else 0
    made = payer.purse.made if payer else 0
    return priced(own.amount, own.currency) | {
        "id": own.id.hex(),
        "name": own.name,
        "left": left,
        "left_price": priced(left, own.currency)["price"],
        "payments_left": max(0, own.limits.payments - made),
        "most_per_payment": own.limits.most_per_payment,
        "expires": own.expiry,
        "doubt": (payer.purse.doubt if payer else Doubt.LOST).value,
    }
