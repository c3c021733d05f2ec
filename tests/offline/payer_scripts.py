"""What happens to payers."""

from collections.abc import Callable
from dataclasses import replace

from tests.offline import samples
from tests.offline.samples import DAY, NOW, PAYEE_PHONE, PAYER_PHONE
from tests.offline.scripts import Script, pass_of, payer

from tikiwallet.offline.exchange.effects import (
    Closing,
    Confirmed,
    Declined,
    Item,
    Outcome,
    Outcomes,
    Received,
    Restarted,
    SetAside,
    Store,
    Stored,
    Synced,
    Tick,
    Typed,
    Upload,
    View,
)
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.purse import Doubt, Stage
from tikiwallet.offline.known import LISTS_MOST
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.chain import head
from tikiwallet.offline.wire.messages import (
    Close,
    Invite,
    IssuerKeys,
    Pass,
    Pay,
    Receipt,
    Revocations,
)


def receive(script: Script[Payer], data: bytes) -> None:
    script.do(lambda now: Received(now, data))


def is_at(script: Script[Payer], stage: Stage) -> None:
    assert script.state.stage is stage


def doubts(script: Script[Payer], doubt: Doubt) -> None:
    assert script.state.purse.doubt is doubt


def typed(script: Script[Payer], phone: str = PAYEE_PHONE) -> None:
    script.do(lambda now: Typed(now, phone))


def review(script: Script[Payer], asked: Invite | None = None) -> None:
    receive(script, (asked or samples.invite()).raw)
    script.shows(View.TYPE_NUMBER)
    typed(script)
    script.shows(View.REVIEW)


def pay(script: Script[Payer], asked: Invite | None = None) -> Pay:
    """From INVITE to PAY sent."""
    review(script, asked)
    script.do(Confirmed)
    script.sign()
    script.store()
    script.shows(View.SENDING)
    return head(script.sent)


def request(number: int, **changed: object) -> Invite:
    """One more request of the sample's payee."""
    fresh = replace(samples.invite(), request_id=samples.octets(f"request {number}"))
    return Invite.parse(replace(fresh, **changed).sealed_by(samples.PAYEE))  # type: ignore[arg-type]


def from_payee(**changed: object) -> bytes:
    """The sample's INVITE, with a pass of its payee that is `changed`."""
    return replace(samples.invite(), payee=pass_of("payee", **changed)).sealed_by(samples.PAYEE)


def pays() -> Script[Payer]:
    script = payer()
    paid = pay(script)
    assert (paid.sequence, paid.cumulative, paid.previous) == (1, 150, paid.payer.hash)
    receive(script, samples.receipt(paid).raw)
    script.store()
    script.shows(View.ACCEPTED)
    item = Item(samples.invite().raw, paid.raw, samples.receipt(paid).raw)
    assert script.uploaded == Upload((item,))
    is_at(script, Stage.RECEIPTED)
    script.do(lambda now: Outcome(now, paid.hash, Outcomes.RECORDED))
    script.nothing()
    script.do(lambda now: Outcome(now, paid.hash, Outcomes.CREDITED))
    script.store()
    script.shows(View.SETTLED)
    script.do(lambda now: Outcome(now, paid.hash, Outcomes.CREDITED))
    script.nothing()
    second = pay(script, request(2))
    assert (second.sequence, second.cumulative, second.previous) == (2, 300, paid.hash)
    assert script.state.purse.left == 4_700
    return script


def answers_one_request_once() -> Script[Payer]:
    """The same INVITE again: the same bytes, whatever stage; with another content: nothing."""
    script = payer()
    review(script)
    receive(script, samples.invite().raw)
    script.shows(View.REVIEW)
    script.do(Confirmed)
    receive(script, samples.invite().raw)
    script.refuses(Refusal.UNFINISHED)
    script.sign()
    script.do_out_of_turn(lambda now: Received(now, samples.invite().raw))
    script.store()
    first = script.sent
    receive(script, samples.invite().raw)
    assert script.sent == first
    receive(script, samples.receipt(Pay.parse(first)).raw)
    script.store()
    receive(script, samples.invite().raw)
    assert script.sent == first
    script.shows(View.ACCEPTED)
    receive(script, replace(samples.invite(), amount=151).sealed_by(samples.PAYEE))
    script.refuses(Refusal.REQUEST_CHANGED)
    return script


def types_numbers() -> Script[Payer]:
    script = payer()
    typed(script)
    script.nothing()
    receive(script, samples.invite().raw)
    script.do(Confirmed)
    script.nothing()
    for phone, refusal in (
        (PAYER_PHONE, Refusal.WRONG_NUMBER),
        ("91234567", Refusal.NUMBER_FORM),
        ("", Refusal.NUMBER_FORM),
    ):
        typed(script, phone)
        script.refuses(refusal)
    typed(script)
    script.shows(View.REVIEW)
    typed(script, PAYER_PHONE)
    script.refuses(Refusal.WRONG_NUMBER)
    script.do(Confirmed)
    script.nothing()
    return script


def confirms_too_late() -> Script[Payer]:
    script = payer()
    review(script)
    script.clock += 120
    script.do(Confirmed)
    script.refuses(Refusal.INVITE_OLD)
    is_at(script, Stage.IDLE)
    return script


def sets_aside() -> Script[Payer]:
    """A torn payment stays spent; the next follows it; its RECEIPT may come later."""
    script = payer()
    first = pay(script)
    receive(script, request(2).raw)
    script.refuses(Refusal.UNFINISHED)
    script.do(SetAside)
    assert script.uploaded == Upload((Item(samples.invite().raw, first.raw),))
    second = pay(script, request(2))
    assert (second.sequence, second.previous, second.cumulative) == (2, first.hash, 300)
    receive(script, samples.receipt(first).raw)
    script.store()
    item = Item(samples.invite().raw, first.raw, samples.receipt(first).raw)
    assert script.last == (Upload((item,)),)
    is_at(script, Stage.SENT)
    script.do(SetAside)
    script.do(SetAside)
    script.nothing()
    receive(script, samples.invite().raw)
    assert script.sent == first.raw
    return script


def does_not_unlock() -> Script[Payer]:
    script = payer()
    review(script)
    script.do(Confirmed)
    script.do(lambda now: Declined(now, samples.octets("another hash", 32)))
    script.nothing()
    script.decline()
    script.refuses(Refusal.KEY_FAILED)
    is_at(script, Stage.REVIEW)
    script.do(Confirmed)
    script.sign(samples.PAYEE)
    script.refuses(Refusal.KEY_FAILED)
    script.do(Confirmed)
    script.sign()
    script.store()
    return script


def leaves_before_the_signature() -> Script[Payer]:
    """A signature that comes after the person left is dropped."""
    script = payer()
    review(script)
    script.do(Confirmed)
    script.do(SetAside)
    script.nothing()
    script.sign()
    script.nothing()
    assert script.state.purse.made == 0
    return script


def refuses_invites() -> Script[Payer]:
    script = payer()
    for data, refusal in (
        (b"", Refusal.UNREADABLE),
        (samples.invite().raw[:-1], Refusal.UNREADABLE),
        (samples.issued("payee", amount=0).raw, Refusal.NOT_EXPECTED),
        (samples.pay().raw, Refusal.NOT_EXPECTED),
        (samples.close().raw, Refusal.NOT_EXPECTED),
        (samples.receipt().raw, Refusal.NOT_EXPECTED),
        (samples.void().raw, Refusal.NOT_EXPECTED),
        (_strangers_invite(), Refusal.UNKNOWN_ISSUER),
        (samples.invite().sealed_by(samples.PAYER), Refusal.BAD_SIGNATURE),
        (from_payee(not_before=NOW - DAY, expiry=NOW + 50), Refusal.EXPIRED),
        (from_payee(id=samples.revocations().passes[0]), Refusal.REVOKED),
        (request(2, made_at=NOW - DAY - 60).raw, Refusal.INVITE_OLD),
        (request(2, currency=702).raw, Refusal.WRONG_CURRENCY),
        (from_payee(currency=702), Refusal.WRONG_CURRENCY),
        (request(2, amount=1_001).raw, Refusal.OVER_LIMIT),
    ):
        receive(script, data)
        script.refuses(refusal)
    is_at(script, Stage.IDLE)
    return script


def _strangers_invite() -> bytes:
    made = samples.issued("payee", amount=0)
    own = Pass.parse(made.sealed_by(samples.PAYEE))
    return replace(samples.invite(), payee=own).sealed_by(samples.PAYEE)


def refuses_itself() -> Script[Payer]:
    script = payer()
    made = replace(samples.invite(), payee=script.state.purse.holder)
    receive(script, made.sealed_by(samples.PAYER))
    script.refuses(Refusal.SELF)
    return script


def pays_one_payee_only() -> Script[Payer]:
    script = payer(pass_of("payer", payee_lock=samples.octets("lock", 8)))
    receive(script, samples.invite().raw)
    script.refuses(Refusal.OTHER_PAYEE)
    receive(script, from_payee(pseudonym=samples.octets("lock", 8)))
    script.shows(View.TYPE_NUMBER)
    return script


def spends_all_there_is() -> Script[Payer]:
    script = payer(pass_of("payer", amount=1_100))
    pay(script, request(1, amount=1_000))
    script.do(SetAside)
    receive(script, request(2, amount=101).raw)
    script.refuses(Refusal.NOT_ENOUGH)
    pay(script, request(3, amount=100))
    assert script.state.purse.left == 0
    return script


def makes_all_payments_it_may() -> Script[Payer]:
    script = payer(pass_of("payer", limits=samples.LIMITS._replace(payments=1), start_sequence=40))
    assert pay(script).sequence == 40
    script.do(SetAside)
    receive(script, request(2).raw)
    script.refuses(Refusal.TOO_MANY)
    return script


def starts_again_in_the_middle() -> Script[Payer]:
    """Before the write there was no payment; after it, it is sent."""
    script = payer()
    review(script)
    script.do(Confirmed)
    script.do(Restarted)
    script.nothing()
    is_at(script, Stage.IDLE)
    script.sign()
    script.nothing()
    review(script)
    script.do(Confirmed)
    script.sign()
    written = script.state
    script.do(lambda now: Restarted(now, 1))
    script.shows(View.SENDING)
    first = script.sent
    assert first == written.purse.payments[0].pay
    script.do(lambda now: Restarted(now, 1))
    assert script.sent == first
    assert script.uploaded == Upload((Item(samples.invite().raw, first),))
    receive(script, samples.receipt(Pay.parse(first)).raw)
    script.do(lambda now: Restarted(now, 1))
    (item,) = script.uploaded.items
    assert item.receipt
    is_at(script, Stage.RECEIPTED)
    return script


def lost_its_journal() -> Script[Payer]:
    script = payer()
    script.do(lambda now: Restarted(now, None))
    script.shows(View.SYNC_FIRST)
    script.do(Stored)
    script.do(lambda now: Restarted(now, 0))
    script.shows(View.SYNC_FIRST)
    receive(script, samples.invite().raw)
    script.refuses(Refusal.PASS_LOST)
    script.do(lambda now: Synced(now, 0))
    script.store()
    receive(script, samples.invite().raw)
    script.refuses(Refusal.PASS_LOST)
    script.do(Closing)
    script.refuses(Refusal.PASS_LOST)
    return script


def is_behind() -> Script[Payer]:
    """The server fills in exactly what is missing, or the pass is lost."""
    script = payer()
    paid = samples.pay()
    later = samples.next_pay(paid)
    script.do(lambda now: Restarted(now, 2))
    script.shows(View.SYNC_FIRST)
    script.do(Stored)
    receive(script, samples.invite().raw)
    script.refuses(Refusal.SYNC_FIRST)
    script.do(lambda now: Synced(now, 1, paid.hash, paid.cumulative))
    script.store()
    doubts(script, Doubt.BEHIND)
    script.do(lambda now: Synced(now, 2, later.hash, later.cumulative))
    script.store()
    doubts(script, Doubt.NONE)
    third = pay(script, request(3))
    assert (third.sequence, third.previous) == (3, later.hash)
    return script


def is_behind_its_close() -> Script[Payer]:
    """What is missing is the CLOSE. A device that took it for a payment would go on after it."""
    script = payer()
    close = samples.close()
    script.do(lambda now: Restarted(now, close.sequence))
    script.do(Stored)
    script.do(lambda now: Synced(now, close.sequence, close.hash, close.cumulative, ended=True))
    script.store()
    doubts(script, Doubt.BEHIND)
    receive(script, samples.invite().raw)
    script.refuses(Refusal.SYNC_FIRST)
    script.do(Closing)
    script.refuses(Refusal.SYNC_FIRST)
    later = close.sequence + 1
    script.do(lambda now: Synced(now, later, close.hash, close.cumulative, ended=True))
    script.store()
    doubts(script, Doubt.LOST)
    return script


def learns_that_it_went_back() -> Script[Payer]:
    script = payer()
    paid = samples.pay()
    review(script)
    script.do(Confirmed)
    script.do(lambda now: Synced(now, 1, paid.hash, paid.cumulative))
    script.store()
    doubts(script, Doubt.LOST)
    script.sign()
    script.nothing()
    receive(script, samples.invite().raw)
    script.refuses(Refusal.PASS_LOST)
    return script


def meets_its_own_fork() -> Script[Payer]:
    """The server knows another payment with a sequence that was used here."""
    script = payer()
    pay(script, request(2))
    other = samples.pay()
    script.do(lambda now: Synced(now, 1, other.hash, other.cumulative))
    doubts(script, Doubt.LOST)
    script.do(Stored)
    script.do(lambda now: Outcome(now, script.state.at_hand, Outcomes.CONFLICT))
    script.store()
    script.shows(View.CONFLICT)
    return script


def is_told_of_its_fork() -> Script[Payer]:
    """The server alone has both halves."""
    script = payer()
    paid = pay(script)
    script.do(lambda now: Outcome(now, paid.hash, Outcomes.CONFLICT))
    script.store()
    script.shows(View.CONFLICT)
    receive(script, request(2).raw)
    script.refuses(Refusal.PASS_LOST)
    return script


def is_called_off() -> Script[Payer]:
    """A VOID before the person confirmed, and after."""
    script = payer()
    review(script)
    receive(script, samples.void().sealed_by(samples.PAYER))
    script.refuses(Refusal.BAD_SIGNATURE)
    receive(
        script,
        replace(samples.void(), request_id=samples.octets("no request")).sealed_by(samples.PAYEE),
    )
    script.refuses(Refusal.NOT_EXPECTED)
    receive(script, samples.void().raw)
    script.refuses(Refusal.CANCELLED)
    is_at(script, Stage.IDLE)
    return script


def is_voided() -> Script[Payer]:
    script = payer()
    paid = pay(script)
    receive(script, samples.void().sealed_by(samples.PAYER))
    script.refuses(Refusal.BAD_SIGNATURE)
    receive(script, samples.void().raw)
    script.store()
    script.shows(View.VOIDED)
    assert script.uploaded == Upload((Item(samples.invite().raw, void=samples.void().raw),))
    receive(script, samples.receipt(paid).raw)
    script.nothing()
    receive(script, samples.invite().raw)
    script.refuses(Refusal.CANCELLED)
    assert script.state.purse.left == 4_850  # until it has settled
    script.do(Synced)
    assert script.uploaded == Upload((Item(samples.invite().raw, void=samples.void().raw),))
    script.store()
    script.do(lambda now: Outcome(now, samples.void().hash, Outcomes.VOIDED))
    script.store()
    script.nothing()
    script.do(lambda now: Outcome(now, samples.void().hash, Outcomes.VOIDED))
    script.nothing()
    script.do(Synced)
    assert script.last == (Store(),)  # the server has it: it is not told again
    script.store()
    is_at(script, Stage.VOIDED)
    return script


def gets_receipts() -> Script[Payer]:
    script = payer()
    paid = pay(script)
    receive(script, samples.receipt(samples.next_pay(paid)).raw)
    script.refuses(Refusal.NOT_EXPECTED)
    receive(script, Receipt(pay_hash=paid.hash, time=NOW).sealed_by(samples.PAYER))
    script.refuses(Refusal.BAD_SIGNATURE)
    receive(script, samples.receipt(paid).raw)
    script.store()
    receive(script, samples.receipt(paid, time=NOW + 99).raw)
    script.nothing()
    receive(script, samples.void().raw)
    script.nothing()
    return script


def closes() -> Script[Payer]:
    script = payer()
    paid = pay(script)
    script.do(Closing)
    script.refuses(Refusal.UNFINISHED)
    script.do(SetAside)
    script.do(Closing)
    script.decline()
    script.refuses(Refusal.KEY_FAILED)
    script.do(Closing)
    receive(script, request(2).raw)
    script.refuses(Refusal.UNFINISHED)
    script.sign()
    script.store()
    script.shows(View.CLOSED)
    (item,) = script.uploaded.items
    close = Close.parse(item.close)
    assert (close.sequence, close.cumulative, close.pass_id) == (2, 150, paid.payer.id)
    receive(script, request(2).raw)
    script.refuses(Refusal.OWN_CLOSED)
    script.do(lambda now: Restarted(now, 2))
    assert script.uploaded == Upload((Item(samples.invite().raw, paid.raw), item))
    script.do(lambda now: Outcome(now, samples.pay().payer.hash, Outcomes.CLOSED))
    script.nothing()
    script.do(lambda now: Outcome(now, paid.hash, Outcomes.CLOSED))
    script.nothing()
    script.do(lambda now: Outcome(now, close.hash, Outcomes.CLOSED))
    script.store()
    script.nothing()
    script.do(lambda now: Outcome(now, close.hash, Outcomes.CLOSED))
    script.nothing()
    script.do(lambda now: Restarted(now, 2))
    assert script.uploaded == Upload((Item(samples.invite().raw, paid.raw),))
    return script


def learns_of_revocations() -> Script[Payer]:
    script = payer()
    own = script.state.purse.holder.id
    receive(script, samples.revocations().raw)
    script.nothing()
    for news, adopted in (
        (Revocations(epoch=10, since=9, time=NOW + 40, passes=(own,)), False),  # a gap
        (Revocations(epoch=8, since=7, time=NOW + 20, passes=(own,)), False),  # an older word
        (Revocations(epoch=8, since=7, time=NOW + 40, passes=(own,)), True),
        (Revocations(epoch=8, since=0, time=NOW + 50, passes=()), True),
    ):
        receive(script, news.sealed_by(samples.PAYER))
        script.nothing()
        receive(script, news.sealed_by(samples.ISSUER))
        if adopted:
            script.store()
        script.nothing()
        script.do(SetAside)
        receive(script, samples.invite().raw)
        if own in script.state.known.revoked:
            script.refuses(Refusal.OWN_REVOKED)
        else:
            script.shows(View.TYPE_NUMBER)
    assert len(script.state.known.lists) == 1
    return script


def keeps_few_lists() -> Script[Payer]:
    script = payer()
    for epoch in range(7, 7 + LISTS_MOST):
        news = Revocations(epoch=epoch + 1, since=epoch, time=NOW + 30 + epoch, passes=())
        receive(script, news.sealed_by(samples.ISSUER))
        script.store()
    assert len(script.state.known.lists) == LISTS_MOST
    assert len(script.state.known.revoked) == 3
    return script


def learns_of_keys() -> Script[Payer]:
    script = payer()
    receive(script, samples.issuer_keys().raw)
    script.nothing()
    receive(script, samples.issuer_keys(4, signer=samples.ISSUER).raw)
    script.nothing()
    made = samples.issuer_keys(4)
    only = replace(made, keys=made.keys[1:], time=NOW + 100)
    receive(script, IssuerKeys.parse(only.sealed_by(samples.ROOT)).raw)
    script.store()
    assert script.state.known.now >= NOW + 100
    receive(script, samples.invite().raw)
    script.refuses(Refusal.UNKNOWN_ISSUER)
    return script


def turns_its_clock_back() -> Script[Payer]:
    """Time goes on only; the server alone sets it back."""
    script = payer()
    script.clock = NOW + 4 * DAY
    script.do(Tick)
    script.clock = NOW + 100
    receive(script, samples.invite().raw)
    script.refuses(Refusal.OWN_EXPIRED)
    script.do(Synced)
    script.store()
    pay(script)
    return script


PAYERS: tuple[Callable[[], Script[Payer]], ...] = (
    pays,
    answers_one_request_once,
    types_numbers,
    confirms_too_late,
    sets_aside,
    does_not_unlock,
    leaves_before_the_signature,
    refuses_invites,
    refuses_itself,
    pays_one_payee_only,
    spends_all_there_is,
    makes_all_payments_it_may,
    starts_again_in_the_middle,
    lost_its_journal,
    is_behind,
    is_behind_its_close,
    learns_that_it_went_back,
    meets_its_own_fork,
    is_told_of_its_fork,
    is_called_off,
    is_voided,
    gets_receipts,
    closes,
    learns_of_revocations,
    keeps_few_lists,
    learns_of_keys,
    turns_its_clock_back,
)
