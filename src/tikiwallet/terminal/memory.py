"""The exchange machines' states as rows of the journal, one for each payment and request.

A shop's till holds thousands of requests; of a state only those rows are written that changed since
it was written last. Requests that a till lets go after their time stay as receipts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tikiwallet.offline.exchange.keeping import kept, written
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.exchange.purse import Doubt, Payment, Purse, Tip
from tikiwallet.offline.exchange.till import Request, Taken, Till
from tikiwallet.offline.known import Known
from tikiwallet.terminal.journal import Change, Journal, Shelf

KNOWN: Final = b"known"
_NOW: Final = b"now"
_TILL: Final = b"till"


@dataclass(frozen=True, slots=True)
class _Chain:
    """A purse without its payments, and which of them is on the screen."""

    own: bytes
    tip: Tip
    close: bytes
    doubt: Doubt
    seen: int
    at_hand: bytes
    close_known: bool = False
    received: tuple[bytes, ...] = ()


def known(journal: Journal) -> Known | None:
    """What this terminal knows of the issuer and the time; None before its first sync."""
    row = journal.read(Shelf.FACT, KNOWN)
    if row is None:
        return None
    now = int.from_bytes(journal.read(Shelf.FACT, _NOW) or b"", "big")
    return kept(Known, row).at(now)


def payers(journal: Journal, known: Known) -> dict[bytes, Payer]:
    """The machines of all own passes, by pass id."""
    payments: dict[bytes, list[Payment]] = {}
    for key, row in journal.all(Shelf.PAYMENT):
        payments.setdefault(key[:16], []).append(kept(Payment, row))
    found = {}
    for id, row in journal.all(Shelf.PURSE):
        chain = kept(_Chain, row)
        purse = Purse(
            chain.own,
            chain.tip,
            tuple(payments.get(id, ())),
            chain.close,
            chain.doubt,
            chain.seen,
            chain.close_known,
            chain.received,
        )
        found[id] = Payer(known, purse, at_hand=chain.at_hand)
    return found


def payee(journal: Journal, known: Known) -> Payee | None:
    """The machine of the till; None before there is a pass."""
    own = journal.read(Shelf.FACT, _TILL)
    if own is None:
        return None
    requests = [kept(Request, row) for _, row in journal.all(Shelf.REQUEST)]
    requests.sort(key=lambda one: one.made_at)
    taken = (kept(Taken, row) for _, row in journal.all(Shelf.SEEN))
    return Payee(known, Till(own, tuple(requests), tuple(taken)))


def changes_of_payer(before: Payer | None, after: Payer) -> Iterator[Change]:
    """What to write so that `payers` gives `after`."""
    yield from _changes_of_known(before.known if before else None, after.known)
    purse = after.purse
    id = purse.holder.id
    chain = _Chain(
        purse.own,
        purse.tip,
        purse.close,
        purse.doubt,
        purse.seen,
        after.at_hand,
        purse.close_known,
        purse.received,
    )
    yield Change(Shelf.PURSE, id, written(chain))
    old = before.purse.payments if before else ()
    for place, payment in enumerate(purse.payments):
        if place >= len(old) or old[place] != payment:
            yield Change(Shelf.PAYMENT, id + place.to_bytes(2, "big"), written(payment))


def changes_of_payee(before: Payee | None, after: Payee) -> Iterator[Change]:
    """What to write so that `payee` gives `after`."""
    yield from _changes_of_known(before.known if before else None, after.known)
    till, old = after.till, before.till if before else None
    if old is None or old.own != till.own:
        yield Change(Shelf.FACT, _TILL, till.own)
    requests = {one.id: one for one in old.requests} if old else {}
    for request in till.requests:
        if requests.pop(request.id, None) != request:
            yield Change(Shelf.REQUEST, request.id, written(request))
    for gone in requests.values():
        yield Change(Shelf.REQUEST, gone.id, None)
        if gone.pay:
            yield Change(Shelf.RECEIPT, gone.id, written(gone))
    yield from _changes_of_taken(old.taken if old else (), till.taken)


def _changes_of_taken(before: Sequence[Taken], after: Sequence[Taken]) -> Iterator[Change]:
    if after[: len(before)] == before:  # as ever, but for what went: a till has seen thousands
        before, after = (), after[len(before) :]
    old, new = set(before), set(after)
    for one in old - new:
        yield Change(Shelf.SEEN, _key(one), None)
    for one in new - old:
        yield Change(Shelf.SEEN, _key(one), written(one))


def _key(taken: Taken) -> bytes:
    return taken.payer + taken.sequence.to_bytes(2, "big") + taken.hash


def _changes_of_known(before: Known | None, after: Known) -> Iterator[Change]:
    if before is None or replace(before, now=0) != replace(after, now=0):
        yield Change(Shelf.FACT, KNOWN, written(replace(after, now=0)))
    if before is None or before.now != after.now:
        yield Change(Shelf.FACT, _NOW, after.now.to_bytes(8, "big"))
