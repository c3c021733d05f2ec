"""What happens to payees."""

from collections.abc import Callable
from dataclasses import replace

from tests.offline import samples
from tests.offline.samples import DAY, NOW, PAYER_PHONE, octets
from tests.offline.scripts import Script, pass_of, payee

from tikiwallet.offline.exchange.effects import (
    Asked,
    Cancelled,
    Closing,
    Item,
    Outcome,
    Outcomes,
    Received,
    Renewed,
    Restarted,
    Seen,
    Sign,
    Synced,
    Tick,
    Upload,
    View,
)
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.till import Stage, Taken
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.messages import Invite, Pass, Pay, Receipt, Revocations, Void

REQUEST = octets("request")


def receive(script: Script[Payee], data: bytes) -> None:
    script.do(lambda now: Received(now, data))


def ask(
    script: Script[Payee], request: bytes = REQUEST, amount: int = 150, phone: str = PAYER_PHONE
) -> None:
    script.do(lambda now: Asked(now, request, phone, amount, "चाय"))


def invite(script: Script[Payee], request: bytes = REQUEST, amount: int = 150) -> Invite:
    """From the wish to the INVITE shown."""
    ask(script, request, amount)
    script.sign()
    script.store()
    script.shows(View.ASKING)
    return Invite.parse(script.sent)


def paid(asked: Invite, **changed: object) -> Pay:
    """The sample's payer pays what was asked: a first payment, with members that are `changed`."""
    made = replace(samples.pay(asked), **changed)  # type: ignore[arg-type]
    return Pay.parse(made.sealed_by(samples.PAYER))


def accept(script: Script[Payee], pay: Pay) -> None:
    receive(script, pay.raw)
    script.store()
    script.sign()
    script.store()
    script.shows(View.ACCEPTED)


def stage(script: Script[Payee], request: bytes = REQUEST) -> Stage:
    found = script.state.till.request(request)
    assert found is not None
    return found.stage


def is_paid() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    pay = paid(asked)
    receive(script, pay.raw)
    assert stage(script) is Stage.VERIFIED
    script.do_out_of_turn(lambda now: Received(now, pay.raw))
    script.store()
    script.sign()
    assert stage(script) is Stage.ACCEPTED
    script.store()
    receipt = Receipt.parse(script.sent)
    assert receipt.pay_hash == pay.hash
    assert script.uploaded == Upload((Item(asked.raw, pay.raw, receipt.raw),))
    assert stage(script) is Stage.RECEIPT_SENT
    for outcome, after in (
        (Outcomes.RECORDED, Stage.UPLOADED),
        (Outcomes.PARTIAL, Stage.PARTIAL),
        (Outcomes.CREDITED, Stage.CREDITED),
    ):
        script.do(lambda now, outcome=outcome: Outcome(now, pay.hash, outcome))  # type: ignore[misc]
        script.store()
        assert stage(script) is after
        if after is Stage.UPLOADED:  # a conflict is no word yet on who bears it
            script.do(lambda now: Outcome(now, pay.hash, Outcomes.CONFLICT))
            script.nothing()
    script.do(lambda now: Outcome(now, pay.hash, Outcomes.REJECTED))
    script.nothing()
    script.do(lambda now: Outcome(now, octets("no payment", 32), Outcomes.CREDITED))
    script.nothing()
    return script


def answers_one_pay_with_one_receipt() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    pay = paid(asked)
    receive(script, pay.raw)
    script.store()
    first = script.asked[-1]
    script.decline()
    script.refuses(Refusal.KEY_FAILED)
    receive(script, pay.raw)
    assert script.last == (first,)
    script.sign()
    script.store()
    receipt = script.sent
    script.clock += 100 * DAY
    receive(script, pay.raw)
    assert script.sent == receipt
    script.shows(View.ACCEPTED)
    receive(script, paid(asked, time=NOW + 76).raw)
    script.refuses(Refusal.ALREADY_PAID)
    script.do(lambda now: Cancelled(now, REQUEST))
    script.refuses(Refusal.ALREADY_PAID)
    return script


def signs_for_it_after_the_server_spoke() -> Script[Payee]:
    """The key was locked when the PAY came, and the PAY was uploaded without a RECEIPT."""
    script = payee()
    asked = invite(script)
    pay = paid(asked)
    receive(script, pay.raw)
    script.store()
    script.decline()
    script.do(Synced)
    assert script.uploaded == Upload((Item(asked.raw, pay.raw),))
    script.store()
    script.do(lambda now: Outcome(now, pay.hash, Outcomes.CREDITED))
    script.store()
    receive(script, pay.raw)
    script.sign()
    script.store()
    script.shows(View.ACCEPTED)
    assert Receipt.parse(script.sent).pay_hash == pay.hash
    script.do(lambda now: Outcome(now, pay.hash, Outcomes.CREDITED))
    script.store()
    assert stage(script) is Stage.CREDITED
    return script


def calls_off() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    script.do(lambda now: Cancelled(now, REQUEST))
    receive(script, paid(asked).raw)
    script.refuses(Refusal.CANCELLED)
    script.sign()
    script.store()
    script.shows(View.VOIDED)
    void = Void.parse(script.sent)
    assert (void.request_id, void.payee_pass) == (REQUEST, asked.payee.id)
    assert script.uploaded == Upload((Item(asked.raw, void=void.raw),))
    receive(script, paid(asked).raw)
    assert script.sent == void.raw
    script.shows(View.REFUSED, Refusal.CANCELLED)
    script.do(lambda now: Cancelled(now, REQUEST))
    assert script.sent == void.raw
    script.do(Synced)
    assert script.uploaded == Upload((Item(asked.raw, void=void.raw),))
    script.store()
    script.do(lambda now: Outcome(now, void.hash, Outcomes.VOIDED))
    script.store()
    assert stage(script) is Stage.VOIDED
    script.do(lambda now: Cancelled(now, octets("no request")))
    script.nothing()
    return script


def thinks_better_of_calling_off() -> Script[Payee]:
    """No VOID was signed, so the request stands."""
    script = payee()
    asked = invite(script)
    script.do(lambda now: Cancelled(now, REQUEST))
    script.decline()
    script.refuses(Refusal.KEY_FAILED)
    script.do(lambda now: Cancelled(now, REQUEST))
    script.do(Restarted)
    script.sign()
    script.nothing()
    accept(script, paid(asked))
    return script


def asks() -> Script[Payee]:
    script = payee()
    ask(script)
    ask(script)
    script.refuses(Refusal.ASKED_ALREADY)
    script.do(lambda now: Cancelled(now, REQUEST))
    script.nothing()
    script.sign()
    script.nothing()
    ask(script)
    script.decline()
    script.refuses(Refusal.KEY_FAILED)
    for amount, phone, refusal in (
        (0, PAYER_PHONE, Refusal.CANNOT_ASK),
        (2**32, PAYER_PHONE, Refusal.CANNOT_ASK),
        (150, "98765", Refusal.NUMBER_FORM),
    ):
        ask(script, amount=amount, phone=phone)
        script.refuses(refusal)
    script.do(lambda now: Asked(now, REQUEST, PAYER_PHONE, 150, "चाय" * 3))
    script.refuses(Refusal.CANNOT_ASK)
    script.do_out_of_turn(Closing)
    invite(script)
    script.clock = NOW + 4 * DAY
    ask(script, octets("request 2"))
    script.refuses(Refusal.OWN_EXPIRED)
    return script


def has_lost_its_pass() -> Script[Payee]:
    script = payee()
    own = script.state.till.holder.id
    news = Revocations(epoch=8, since=7, time=NOW + 40, passes=(own,))
    receive(script, news.sealed_by(samples.ISSUER))
    script.store()
    ask(script)
    script.refuses(Refusal.OWN_REVOKED)
    return script


def refuses_payments() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    invite(script, octets("large"), 1_001)
    large = Invite.parse(script.sent)
    stranger = Pass.parse(samples.issued("payer").sealed_by(samples.PAYEE))
    locked = pass_of("payer", payee_lock=octets("lock", 8))
    for data, refusal in (
        (b"\xd2", Refusal.UNREADABLE),
        (asked.raw, Refusal.NOT_EXPECTED),
        (samples.receipt().raw, Refusal.NOT_EXPECTED),
        (paid(asked, payer=stranger).raw, Refusal.UNKNOWN_ISSUER),
        (paid(asked).sealed_by(samples.PAYEE), Refusal.BAD_SIGNATURE),
        (_from(asked, not_before=NOW - DAY, expiry=NOW + 50), Refusal.EXPIRED),
        (_from(asked, id=samples.revocations().passes[1]), Refusal.REVOKED),
        (paid(asked, request_hash=octets("none", 32)).raw, Refusal.NOT_MY_REQUEST),
        (paid(asked, payee_pass=octets("somebody")).raw, Refusal.WRONG_PAYEE),
        (paid(asked, amount=149).raw, Refusal.WRONG_AMOUNT),
        (_from(asked, currency=702), Refusal.WRONG_CURRENCY),
        (_from_itself(script, asked), Refusal.SELF),
        (_from_pass(asked, locked), Refusal.OTHER_PAYEE),
        (_from(asked, salt=octets("salt", 8)), Refusal.WRONG_NUMBER),
        (paid(asked, sources=(octets("source", 32),)).raw, Refusal.UNREADABLE),
        (paid(large).raw, Refusal.OVER_LIMIT),
        (paid(asked, sequence=21, cumulative=4_000).raw, Refusal.TOO_MANY),
        (paid(asked, sequence=2, cumulative=5_001).raw, Refusal.OVER_PASS),
        (_from(asked, start_sequence=2), Refusal.BROKEN_CHAIN),
        (paid(asked, previous=octets("other", 32)).raw, Refusal.BROKEN_CHAIN),
        (paid(asked, cumulative=151).raw, Refusal.BROKEN_CHAIN),
    ):
        receive(script, data)
        script.refuses(refusal)
        assert stage(script) is Stage.INVITING
    accept(script, paid(asked))
    return script


def _from(asked: Invite, **changed: object) -> bytes:
    return _from_pass(asked, pass_of("payer", **changed))


def _from_pass(asked: Invite, payer: Pass) -> bytes:
    return paid(asked, payer=payer, previous=payer.hash).raw


def _from_itself(script: Script[Payee], asked: Invite) -> bytes:
    made = replace(samples.pay(asked), payer=script.state.till.holder)
    return made.sealed_by(samples.PAYEE)


def asked_with_a_clock_ahead() -> Script[Payee]:
    """The server would refuse what was asked for after the payer's pass has expired."""
    script = payee(pass_of("payee", expiry=NOW + 30 * DAY))
    script.clock = samples.issued("payer").expiry
    first = invite(script)
    script.clock += 1
    late = invite(script, octets("request 2"))
    script.clock = NOW + 100
    script.do(Synced)
    script.store()
    receive(script, paid(late).raw)
    script.refuses(Refusal.EXPIRED)
    receive(script, paid(first).raw)
    script.store()
    script.sign()
    script.store()
    script.shows(View.ACCEPTED)
    return script


def takes_the_lock_that_is_its_own() -> Script[Payee]:
    script = payee()
    asked = invite(script)
    lock = script.state.till.holder.pseudonym
    accept(script, Pay.parse(_from_pass(asked, pass_of("payer", payee_lock=lock))))
    return script


def has_no_fresh_list() -> Script[Payee]:
    """The payer may bring one along."""
    script = payee(listed=False)
    asked = invite(script)
    receive(script, paid(asked).raw)
    script.refuses(Refusal.STALE_LIST)
    receive(script, samples.revocations().raw)
    script.store()
    receive(script, samples.revocations(1, since=7).raw)
    script.store()
    assert len(script.state.known.lists) == 2
    script.clock = NOW + 30 + 4 * DAY
    longer = pass_of("payer", expiry=NOW + 5 * DAY)
    script.do(Tick)
    script.clock += 1
    receive(script, _from_pass(asked, longer))
    script.refuses(Refusal.STALE_LIST)
    return script


def has_half_a_list() -> Script[Payee]:
    """A full list may go on in another, which a payer with a revoked pass would not bring."""
    script = payee(listed=False)
    asked = invite(script)
    half = samples.revocations(900)
    receive(script, half.raw)
    script.store()
    receive(script, paid(asked).raw)
    script.refuses(Refusal.STALE_LIST)
    receive(script, half.raw)
    script.nothing()
    rest = Revocations(epoch=901, since=900, time=NOW + 30, passes=(paid(asked).payer.id,))
    receive(script, rest.sealed_by(samples.ISSUER))
    script.store()
    receive(script, paid(asked).raw)
    script.refuses(Refusal.REVOKED)
    assert len(script.state.known.lists) == 2
    return script


def hears_of_a_restored_service() -> Script[Payee]:
    """It counts from an earlier epoch on; what was revoked stays so."""
    script = payee()
    asked = invite(script)
    own = paid(asked).payer
    for news, adopted, lists in (
        (Revocations(epoch=9, since=7, time=NOW + 40, passes=(own.id,)), True, 2),
        (Revocations(epoch=8, since=0, time=NOW + 40, passes=()), False, 2),
        (Revocations(epoch=8, since=7, time=NOW + 50, passes=()), False, 2),
        (Revocations(epoch=8, since=0, time=NOW + 50, passes=()), True, 1),
        (Revocations(epoch=9, since=8, time=NOW + 60, passes=(octets("one"),)), True, 2),
    ):
        receive(script, news.sealed_by(samples.ISSUER))
        if adopted:
            script.store()
        script.nothing()
        assert len(script.state.known.lists) == lists
    receive(script, paid(asked).raw)
    script.refuses(Refusal.REVOKED)
    return script


def keeps_few_lists() -> Script[Payee]:
    """Those that add nothing take each other's place."""
    script = payee()
    for day in range(1, 4):
        news = Revocations(epoch=7, since=7, time=NOW + day * DAY, passes=())
        receive(script, news.sealed_by(samples.ISSUER))
        script.store()
        assert script.state.known.listed_at == news.time
    assert len(script.state.known.lists) == 2
    return script


def sees_a_second_signature() -> Script[Payee]:
    """Of one sequence number, at this device or another of the shop; and amounts that fall."""
    script = payee()
    first = invite(script)
    accept(script, paid(first))
    second = invite(script, octets("request 2"))
    one = paid(first)
    for sequence, previous, cumulative in (
        (1, one.payer.hash, 150),  # in the same place
        (2, octets("other", 32), 300),  # after another
        (2, one.hash, 301),  # something between neighbours
        (3, octets("other", 32), 299),  # fallen
    ):
        pay = paid(second, sequence=sequence, previous=previous, cumulative=cumulative)
        receive(script, pay.raw)
        script.refuses(Refusal.CONFLICT)
    elsewhere = Taken(one.payer.id, 4, octets("third", 32), octets("fourth", 32), 100, 500, NOW * 2)
    script.do(lambda now: Seen(now, elsewhere))
    script.store()
    script.do(lambda now: Seen(now, elsewhere))
    script.nothing()
    for sequence, cumulative in ((4, 500), (3, 401), (3, 300), (2, 401)):
        pay = paid(second, sequence=sequence, previous=one.hash, cumulative=cumulative)
        receive(script, pay.raw)
        script.refuses(Refusal.CONFLICT)
    accept(script, paid(second, sequence=2, previous=one.hash, cumulative=300))
    return script


def starts_again_in_the_middle() -> Script[Payee]:
    script = payee()
    ask(script)
    script.do(Restarted)
    script.nothing()
    script.sign()
    script.nothing()
    asked = invite(script)
    script.do(Restarted)
    script.nothing()
    pay = paid(asked)
    receive(script, pay.raw)
    script.do(Restarted)
    (wish,) = (one for one in script.last if isinstance(one, Sign))
    assert script.uploaded == Upload((Item(asked.raw, pay.raw),))
    script.sign()
    script.do(Restarted)
    (item,) = script.uploaded.items
    assert Receipt.parse(item.receipt).hash == wish.hash
    receive(script, pay.raw)
    assert script.sent == item.receipt
    return script


def renews_its_pass() -> Script[Payee]:
    """What was asked with the old one is taken all the same."""
    script = payee()
    asked = invite(script)
    new = pass_of("payee", id=octets("payee's new pass"), expiry=NOW + 9 * DAY)
    script.do(lambda now: Renewed(now, b"no pass"))
    script.refuses(Refusal.UNREADABLE)
    script.do(lambda now: Renewed(now, new.sealed_by(samples.PAYER)))
    script.refuses(Refusal.UNKNOWN_ISSUER)
    ask(script, octets("request 2"))
    script.do(lambda now: Renewed(now, new.raw))
    script.store()
    script.sign()
    script.nothing()
    accept(script, paid(asked))
    assert invite(script, octets("request 3")).payee.id == new.id
    return script


def tidies() -> Script[Payee]:
    """What no message can concern any more goes; a clock that ran ahead is set back."""
    script = payee()
    invite(script, octets("nobody paid"))
    asked = invite(script)
    pay = paid(asked)
    accept(script, pay)
    script.do(lambda now: Outcome(now, pay.hash, Outcomes.CREDITED))
    script.store()
    script.clock = NOW + 300 * DAY
    ask(script, octets("request 2"))
    script.refuses(Refusal.OWN_EXPIRED)
    script.clock = NOW + DAY
    script.do(Synced)
    script.store()
    assert (len(script.state.till.requests), len(script.state.till.taken)) == (2, 1)
    script.clock = NOW + 4 * DAY
    script.do(Synced)
    script.store()
    assert (len(script.state.till.requests), len(script.state.till.taken)) == (2, 0)
    script.clock = NOW + 61 + 31 * DAY
    script.do(Synced)
    script.store()
    assert not script.state.till.requests
    return script


PAYEES: tuple[Callable[[], Script[Payee]], ...] = (
    is_paid,
    answers_one_pay_with_one_receipt,
    signs_for_it_after_the_server_spoke,
    calls_off,
    thinks_better_of_calling_off,
    asks,
    has_lost_its_pass,
    refuses_payments,
    asked_with_a_clock_ahead,
    takes_the_lock_that_is_its_own,
    has_no_fresh_list,
    has_half_a_list,
    hears_of_a_restored_service,
    keeps_few_lists,
    sees_a_second_signature,
    starts_again_in_the_middle,
    renews_its_pass,
    tidies,
)
