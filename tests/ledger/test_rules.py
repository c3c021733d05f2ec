"""The rules as ledgers: what is asked, what is answered, what everybody has afterwards.

How a case is written is said in `books`.
"""

import pytest
from tests.ledger.books import SGD, Book, account_of, id_of

from tikiwallet.ledger.rules import accounts_of, original_of
from tikiwallet.ledger.transactions import (
    Capture,
    CloseAccount,
    Flag,
    Hold,
    Posting,
    Result,
    Reverse,
    Transaction,
    Void,
)

CASES = {
    # -- paying
    "a payment moves money": """
        open alice 100; open bob 0
        pay p alice>bob 30
        = alice posted 70; = bob posted 30
    """,
    "a payment may take everything": """
        open alice 100; open bob 0
        pay p alice>bob 100
        = alice posted 0; = bob posted 100
    """,
    "not one unit more than there is": """
        open alice 100; open bob 0
        pay p alice>bob 101 -> insufficient_funds
        = alice posted 100; = bob posted 0
    """,
    "a floor lets an account go below zero, to the floor": """
        open alice 0 floor=50; open bob 0
        pay p alice>bob 51 -> insufficient_funds
        pay q alice>bob 50
        = alice posted -50; = bob posted 50
        pay r alice>bob 1 -> insufficient_funds
    """,
    "a ceiling is reached, not passed": """
        open alice 100; open bob 0 ceiling=40
        pay p alice>bob 41 -> limit_exceeded
        pay q alice>bob 40
        pay r alice>bob 1 -> limit_exceeded
        = alice posted 60; = bob posted 40
    """,
    "a ceiling counts what is coming from holds": """
        open alice 100; open bob 0 ceiling=40
        hold h until=10 alice>bob 30
        pay p alice>bob 11 -> limit_exceeded
        pay q alice>bob 10
        = bob posted 10 coming 30
    """,
    "a ceiling of zero takes nothing; none at all takes what there is": """
        open alice MAX; open bob 0 ceiling=0; open carol 0 ceiling=none
        pay p alice>bob 1 -> limit_exceeded
        pay q alice>carol MAX
        = alice posted 0
    """,
    "held money cannot be spent": """
        open alice 100; open bob 0
        hold h until=10 alice>bob 70
        pay p alice>bob 31 -> insufficient_funds
        pay q alice>bob 30
        = alice posted 70 held 70; = bob posted 30 coming 70
    """,
    "coming money cannot be spent": """
        open alice 100; open bob 0; open carol 0
        hold h until=10 alice>bob 70
        pay p bob>carol 1 -> insufficient_funds
    """,
    "nobody pays himself": """
        open alice 100
        pay p alice>alice 1 -> same_account
        hold h until=10 alice>alice 1 -> same_account
    """,
    "both sides must exist": """
        open alice 100
        pay p alice>nobody 1 -> unknown_account
        pay q nobody>alice 1 -> unknown_account
        pay r nobody>nobody 1 -> unknown_account
        hold h until=10 alice>nobody 1 -> unknown_account
    """,
    "a currency is never another": """
        open alice 100; open bob 0; open emil 0 currency=978
        pay p alice>emil 1 -> currency_mismatch
        pay q alice>bob 1:978 -> currency_mismatch
        pay r alice>emil 1:978 -> currency_mismatch
        = alice posted 100; = emil posted 0
    """,
    # -- several legs
    "one payer, many payees": """
        open alice 100; open bob 0; open carol 5; open dan 0
        pay p alice>bob 10 alice>carol 20 alice>dan 70
        = alice posted 0; = bob posted 10; = carol posted 25; = dan posted 70
    """,
    "the third of three legs fails: nothing has happened": """
        open alice 100; open bob 0; open carol 0
        pay p alice>bob 40 alice>carol 40 alice>bob 21 -> insufficient_funds
        = alice posted 100; = bob posted 0; = carol posted 0
    """,
    "a later leg passes the ceiling of its payee: nothing has happened": """
        open alice 100; open bob 0; open carol 0 ceiling=5
        pay p alice>bob 40 alice>carol 6 -> limit_exceeded
        = alice posted 100; = bob posted 0; = carol posted 0
    """,
    "a leg may spend what an earlier leg brought": """
        open alice 100; open bob 0; open carol 0
        pay p alice>bob 60 bob>carol 60
        = alice posted 40; = bob posted 0; = carol posted 60
    """,
    "a leg may not spend what a later leg brings": """
        open alice 100; open bob 0; open carol 0
        pay p bob>carol 60 alice>bob 60 -> insufficient_funds
    """,
    "the same two accounts in every leg": """
        open alice 100; open bob 0
        pay p alice>bob 60 bob>alice 50 alice>bob 90
        = alice posted 0; = bob posted 100
        pay q bob>alice 1 bob>alice 99 bob>alice 1 -> insufficient_funds
        = bob posted 100
    """,
    "a conversion: two currencies in one transaction": """
        open alice 100; open alice_eur 0 currency=978
        open desk 0; open desk_eur 70 currency=978
        pay p alice>desk 100 desk_eur>alice_eur 68:978
        = alice posted 0; = desk posted 100; = alice_eur posted 68; = desk_eur posted 2
        pay q desk>alice 100 alice_eur>desk_eur 69:978 -> insufficient_funds
        = alice posted 0; = alice_eur posted 68
    """,
    "what bars a leg by name comes before what bars another by amount": """
        open alice 100; open bob 0; open emil 0 currency=978
        pay p alice>bob 101 alice>emil 1 -> currency_mismatch
        pay q alice>bob 101 alice>nobody 1 -> unknown_account
        pay r alice>emil 1 alice>nobody 1 -> unknown_account
        pay s alice>emil 1 alice>alice 1 -> same_account
    """,
    "of two legs that fail by amount, the first is told": """
        open alice 100; open bob 0 ceiling=1; open carol 0
        pay p alice>bob 2 alice>carol 1000 -> limit_exceeded
        pay q alice>carol 1000 alice>bob 2 -> insufficient_funds
        pay r alice>bob 1000 -> insufficient_funds
    """,
    # -- flags and limits
    "a frozen account pays nobody and can be paid": """
        open alice 100; open bob 50
        freeze alice
        pay p alice>bob 1 -> account_frozen
        hold h until=10 alice>bob 1 -> account_frozen
        pay q bob>alice 10
        hold i until=10 bob>alice 10
        = alice posted 110 coming 10
        thaw alice
        pay r alice>bob 110
        = alice posted 0 coming 10
    """,
    "frozen twice, thawed once": """
        open alice 100; open bob 0
        freeze alice; freeze alice; thaw alice; thaw alice
        pay p alice>bob 1
        = alice posted 99
    """,
    "a closed account takes no part in anything": """
        open alice 100; open bob 0
        close bob
        pay p alice>bob 1 -> account_closed
        pay q bob>alice 1 -> account_closed
        hold h until=10 alice>bob 1 -> account_closed
        limits bob floor=5 -> account_closed
        freeze bob -> account_closed
        close bob -> account_closed
        open bob -> account_exists
    """,
    "closing needs nothing left and nothing pending": """
        open alice 100; open bob 0
        close alice -> balance_not_zero
        hold h until=10 alice>bob 100
        close bob -> balance_not_zero
        capture c of=h
        close alice
        close bob -> balance_not_zero
        = alice posted 0; = bob posted 100
    """,
    "an overdrawn account is not closed either": """
        open alice 0 floor=10; open bob 0
        pay p alice>bob 5
        close alice -> balance_not_zero
    """,
    "closed comes before frozen": """
        open alice 0; open bob 0
        freeze alice; close bob
        pay p alice>bob 1 -> account_closed
        pay q bob>alice 1 -> account_closed
    """,
    "a frozen account with nothing in it may be closed": """
        open alice 0; freeze alice; close alice
        thaw alice -> account_closed
    """,
    "limits change for what comes after; outside them money only moves inwards": """
        open alice 0 floor=100; open bob 0
        pay p alice>bob 100
        limits alice floor=10
        pay q alice>bob 1 -> insufficient_funds
        pay r bob>alice 40
        pay s alice>bob 1 -> insufficient_funds
        pay t bob>alice 60
        pay u alice>bob 10
        = alice posted -10
        limits bob ceiling=5
        pay v alice>bob 1 -> insufficient_funds
        pay w bob>alice 5
        = bob posted 5
        pay x alice>bob 1 -> limit_exceeded
    """,
    "limits of what is not there": """
        limits nobody floor=1 -> unknown_account
        freeze nobody -> unknown_account
        close nobody -> unknown_account
    """,
    "limits of a frozen account leave it frozen": """
        open alice 10; open bob 0
        freeze alice; limits alice floor=5
        pay p alice>bob 1 -> account_frozen
    """,
    "opening twice": """
        open alice 10
        open alice 10 floor=7 -> account_exists
        = alice posted 10
    """,
    # -- the edge of the numbers
    "the largest amount": """
        open alice MAX; open bob 0
        pay p alice>bob MAX
        = bob posted MAX; = alice posted 0
    """,
    "totals are bounded on the paying side": """
        open alice 10 debits=TOTAL-5; open bob 0
        pay p alice>bob 6 -> overflow
        hold h until=10 alice>bob 6 -> overflow
        hold i until=10 alice>bob 5
        = alice held 5
    """,
    "totals are bounded on the receiving side": """
        open alice 10; open bob 0 credits=TOTAL-5 debits=TOTAL-5
        pay p alice>bob 6 -> overflow
        hold h until=10 alice>bob 6 -> overflow
        pay q alice>bob 5
        = bob posted 5
    """,
    "totals are bounded when held money is taken": """
        open alice 20 debits=TOTAL-10; open bob 0
        hold h until=10 alice>bob 10
        pay p alice>bob 10
        capture c of=h 1 -> overflow
        void v of=h
        = alice posted 10; = bob posted 10
    """,
    "a floor as deep as can be": """
        open alice 0 floor=TOTAL debits=TOTAL-5; open bob 0
        pay p alice>bob 6 -> insufficient_funds
        pay q alice>bob 5
        = bob posted 5
    """,
    "insufficient comes before exceeded, exceeded before overflow": """
        open alice 5 debits=TOTAL; open bob 0 ceiling=1; open carol 0
        pay p alice>bob 6 -> insufficient_funds
        pay q alice>bob 5 -> limit_exceeded
        pay r alice>carol 5 -> overflow
    """,
    # -- never to happen
    "abandoned for good": """
        open alice 100
        abandon p -> abandoned
        = alice posted 100
    """,
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_case(text: str) -> None:
    book = Book()
    for line in text.replace(";", "\n").splitlines():
        if line.strip():
            book.play(line.strip())


def test_only_overload_and_unavailability_may_be_tried_again() -> None:
    assert [result for result in Result if result.retryable] == [
        Result.OVERLOADED,
        Result.UNAVAILABLE,
    ]


def test_frozen_and_closed_are_separate_bits() -> None:
    book = Book()
    for line in ("open alice 0", "freeze alice", "close alice"):
        book.play(line)
    state = book.accounts[account_of("alice")]
    assert state is not None
    assert state.flags == Flag.FROZEN | Flag.CLOSED


def test_what_a_command_names() -> None:
    alice, bob, carol = account_of("alice"), account_of("bob"), account_of("carol")
    one = Transaction(id_of("p"), postings=(Posting(alice, bob, 1, SGD),))
    two = Hold(id_of("h"), postings=(Posting(alice, bob, 1, SGD), Posting(alice, carol, 1, SGD)))
    assert accounts_of(one) == (alice, bob)
    assert sorted(accounts_of(two)) == sorted((alice, bob, carol))
    assert accounts_of(CloseAccount(id_of("x"), account=alice)) == (alice,)
    assert accounts_of(Capture(id_of("c"), hold=id_of("h"))) == ()
    assert original_of(Capture(id_of("c"), hold=id_of("h"))) == id_of("h")
    assert original_of(Void(id_of("v"), hold=id_of("h"))) == id_of("h")
    assert original_of(Reverse(id_of("r"), original=id_of("p"))) == id_of("p")
    assert original_of(one) is None
