"""The rules as ledgers: holds, captures, reversals: whatever refers to something earlier."""

import pytest
from tests.ledger.books import Book, account_of, id_of
from tests.ledger.test_rules import CASES as FIRST

from tikiwallet.ledger.rules import decide
from tikiwallet.ledger.transactions import (
    Capture,
    Kind,
    LegType,
    Result,
    Reverse,
)

CASES = {
    # -- holds
    "reserved, then taken": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        = alice posted 100 held 60; = bob posted 0 coming 60
        capture c of=h
        = alice posted 40; = bob posted 60
        capture d of=h -> nothing_left
        void v of=h -> nothing_left
    """,
    "reserved, then let go": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        void v of=h
        = alice posted 100; = bob posted 0
        void w of=h -> nothing_left
        capture c of=h -> nothing_left
    """,
    "taken in parts": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        capture c of=h 20
        = alice posted 80 held 40; = bob posted 20 coming 40
        capture d of=h 41 -> exceeds_remainder
        capture e of=h 40
        = alice posted 40; = bob posted 60
        capture f of=h 1 -> nothing_left
    """,
    "a part taken, the rest let go at once": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        capture c of=h 20 final
        = alice posted 80; = bob posted 20
        capture d of=h 1 -> nothing_left
    """,
    "all taken, finally": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        capture c of=h final
        = alice posted 40; = bob posted 60
    """,
    "a part taken, the rest let go later": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        capture c of=h 20
        void v of=h
        = alice posted 80; = bob posted 20
    """,
    "a hold for many, taken leg by leg": """
        open alice 100; open bob 0; open carol 0; open dan 0
        hold h until=10 alice>bob 10 alice>carol 20 alice>dan 30
        = alice posted 100 held 60; = dan coming 30
        capture c of=h 10 0 5
        = alice posted 85 held 45; = bob posted 10; = carol coming 20; = dan posted 5 coming 25
        capture d of=h 1 0 0 -> exceeds_remainder
        capture e of=h 0 20 0 final
        = alice posted 65; = carol posted 20; = dan posted 5
        capture f of=h 0 0 1 -> nothing_left
    """,
    "a hold for many is all or nothing": """
        open alice 50; open bob 0; open carol 0
        hold h until=10 alice>bob 30 alice>carol 21 -> insufficient_funds
        = alice posted 50; = bob coming 0
        capture c of=h -> unknown_transaction
    """,
    "a hold in two currencies": """
        open alice 100; open bob 0; open emma 100 currency=978; open emil 0 currency=978
        hold h until=10 alice>bob 60 emma>emil 50:978
        capture c of=h 10 50
        = alice posted 90 held 50; = emma posted 50; = emil posted 50
        void v of=h
        = alice posted 90; = bob posted 10
    """,
    "amounts must name every leg": """
        open alice 100; open bob 0; open carol 0
        hold h until=10 alice>bob 10 alice>carol 20
        capture c of=h 10 -> exceeds_remainder
        capture d of=h 10 20 1 -> exceeds_remainder
        capture e of=h 10 20
    """,
    "a hold respects the payee's ceiling, counting what is coming": """
        open alice 100; open bob 10 ceiling=50
        hold h until=10 alice>bob 30
        hold i until=10 alice>bob 11 -> limit_exceeded
        hold j until=10 alice>bob 10
        = alice posted 100 held 40; = bob posted 10 coming 40
    """,
    "what was promised is taken whatever the limits have become": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        limits bob ceiling=1
        limits alice floor=0
        capture c of=h
        = bob posted 60; = alice posted 40
    """,
    "expired from the very microsecond on": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        at 9
        capture c of=h 1
        at 10
        capture d of=h 1 -> hold_expired
        = alice posted 99 held 59
    """,
    "expiry is the ledger's own and waits until it is due": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        at 9
        void v of=h expiry -> overloaded
        = alice posted 100 held 60
        at 10
        void v of=h expiry
        = alice posted 100; = bob coming 0
        void w of=h expiry -> nothing_left
    """,
    "after its time a hold can still be let go by hand": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        at 11
        void v of=h
        = alice posted 100
    """,
    "expired comes before used up": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        capture c of=h
        at 11
        capture d of=h -> hold_expired
    """,
    "a hold that has expired before it began": """
        open alice 100; open bob 0
        at 10
        hold h until=10 alice>bob 60 -> hold_expired
        hold i until=11 alice>bob 60
        hold j until=10 alice>nobody 60 -> unknown_account
        hold k until=10 alice>alice 60 -> same_account
        hold l until=10 alice>bob 1000 -> hold_expired
    """,
    "nothing is taken from an account frozen since, but it may be let go": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        freeze alice
        capture c of=h -> account_frozen
        void v of=h
        = alice posted 100
    """,
    "a payee frozen since is paid all the same": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        freeze bob
        capture c of=h
        = bob posted 60
    """,
    "only holds are captured and voided": """
        open alice 100; open bob 0
        pay p alice>bob 60
        capture c of=p -> unknown_transaction
        void v of=p -> unknown_transaction
        capture d of=nothing -> unknown_transaction
        void w of=nothing -> unknown_transaction
        void x of=nothing expiry -> unknown_transaction
        = bob posted 60
    """,
    # -- reversals
    "reversed in whole, once": """
        open alice 100; open bob 0
        pay p alice>bob 60
        reverse r of=p
        = alice posted 100; = bob posted 0
        reverse s of=p -> nothing_left
    """,
    "reversed in parts, never more than the original": """
        open alice 100; open bob 500
        pay p alice>bob 60
        reverse r of=p 25
        reverse s of=p 36 -> exceeds_remainder
        reverse t of=p 35
        = alice posted 100; = bob posted 500
        reverse u of=p 1 -> nothing_left
    """,
    "one leg of many is reversed": """
        open alice 100; open bob 0; open carol 0
        pay p alice>bob 10 alice>carol 20
        reverse r of=p 0 20
        = alice posted 90; = bob posted 10; = carol posted 0
        reverse s of=p 0 1 -> exceeds_remainder
        reverse t of=p
        = alice posted 100; = bob posted 0
    """,
    "a reversal takes from who was paid, if he still has it": """
        open alice 100; open bob 0; open carol 0
        pay p alice>bob 60
        pay q bob>carol 60
        reverse r of=p -> insufficient_funds
        = alice posted 40; = carol posted 60
        pay s carol>bob 5
        reverse t of=p 5
        = alice posted 45; = bob posted 0
    """,
    "a reversal of many legs is all or nothing": """
        open alice 100; open bob 0; open carol 0
        pay p alice>bob 10 alice>carol 20
        pay q carol>alice 1
        reverse r of=p -> insufficient_funds
        = alice posted 71; = bob posted 10; = carol posted 19
    """,
    "who was paid is frozen, or has closed": """
        open alice 100; open bob 0; open carol 0
        pay p alice>bob 60
        freeze bob
        reverse r of=p -> account_frozen
        thaw bob
        pay q bob>carol 60
        close bob
        reverse s of=p -> account_closed
    """,
    "a reversal is not reversed": """
        open alice 100; open bob 0
        pay p alice>bob 60
        reverse r of=p 20
        reverse s of=r -> not_reversible
        = alice posted 60
    """,
    "a capture is reversed, a hold and a void are not": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        reverse q of=h -> not_reversible
        capture c of=h 40
        reverse r of=c 15
        = alice posted 75 held 20; = bob posted 25 coming 20
        reverse s of=c 26 -> exceeds_remainder
        void v of=h
        reverse t of=v -> not_reversible
        reverse u of=c
        = alice posted 100; = bob posted 0
    """,
    "of a final capture only what was taken is reversed": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 60
        capture c of=h 20 final
        reverse r of=c
        = alice posted 100; = bob posted 0
        reverse s of=c -> nothing_left
    """,
    "reversing what never was": """
        reverse r of=nothing -> unknown_transaction
    """,
    "a reversal respects the payer's ceiling": """
        open alice 100; open bob 0
        pay p alice>bob 60
        limits alice ceiling=50
        reverse r of=p -> limit_exceeded
        reverse s of=p 10
        = alice posted 50
    """,
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_case(text: str) -> None:
    book = Book()
    for line in text.replace(";", "\n").splitlines():
        if line.strip():
            book.play(line.strip())


def test_every_result_that_rules_can_give_is_given_in_a_case() -> None:
    said = {
        line.partition("->")[2].strip()
        for text in (*CASES.values(), *FIRST.values())
        for line in text.splitlines()
        if "->" in line
    }
    not_of_rules = {Result.POSTED, Result.UNAVAILABLE, Result.ID_REUSED, Result.REJECTED}
    assert said == {result.name.lower() for result in Result if result not in not_of_rules}


def test_rows_of_a_final_capture_say_what_was_taken_and_what_was_let_go() -> None:
    alice, bob = account_of("alice"), account_of("bob")
    book = Book()
    for line in ("open alice 100", "open bob 0", "hold h until=10 alice>bob 60"):
        book.play(line)
    command = Capture(id_of("c"), hold=id_of("h"), amounts=(20,), final=True)
    decision = decide(command, book.accounts, book.originals, 5)
    assert [
        (leg.type, leg.debit, leg.credit, leg.amount, leg.remainder) for leg in decision.legs
    ] == [
        (LegType.CAPTURE, alice, bob, 20, (id_of("h"), 0, 1, 40)),
        (LegType.VOID, alice, bob, 40, (id_of("h"), 0, 2, 0)),
    ]
    assert decision.cause == id_of("h")
    assert decision.original is not None
    assert [leg.left for leg in decision.original.legs] == [0]


def test_rows_of_a_reversal_have_the_sides_swapped() -> None:
    book = Book()
    for line in ("open alice 100", "open bob 0", "pay p alice>bob 60"):
        book.play(line)
    decision = decide(Reverse(id_of("r"), original=id_of("p")), book.accounts, book.originals, 5)
    leg = decision.legs[0]
    assert (leg.debit, leg.credit, leg.amount) == (account_of("bob"), account_of("alice"), 60)
    assert leg.type == LegType.POST
    assert decision.kind == Kind.REVERSAL
