"""The rules as ledgers: what is asked, what is answered, what everybody has afterwards.

A case is a text. `open`, `pay`, `hold` and so on are commands, with the result expected after `->`
(`posted` when there is none); a line beginning with `=` says what an account has: `posted`, `held`
for others, `coming` from others' holds. `bank` may go below zero without end. After every command
the totals of all accounts must still cancel out, and a refusal must have changed nothing.
"""

import hashlib
from collections import defaultdict
from typing import Generic, TypeVar

import pytest

from tikiwallet.ledger.rules import Decision, Original, OriginalLeg, accounts_of, decide, original_of
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    TOTAL_MAX,
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
    Flag,
    Freeze,
    Hold,
    Kind,
    LegType,
    OpenAccount,
    Posting,
    Result,
    Reverse,
    SetLimits,
    State,
    Transaction,
    Void,
)

SGD, EUR = 702, 978
NUMBERS = {"MAX": AMOUNT_MAX, "TOTAL": TOTAL_MAX, "none": None}

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


def _number(text: str) -> int | None:
    whole, minus, part = text.partition("-") if not text.startswith("-") else (text, "", "")
    value = NUMBERS[whole] if whole in NUMBERS else int(whole)
    return value if not minus or value is None else value - int(part)


def _id(label: str) -> bytes:
    return hashlib.sha256(label.encode()).digest()[:16]


def _account(name: str) -> int:
    return int.from_bytes(_id(name)[:7], "big") + 1


K, V = TypeVar("K"), TypeVar("V")


class _Known(dict[K, V | None], Generic[K, V]):
    """What is not there is None; asking leaves no trace."""

    def __missing__(self, key: K) -> None:
        return None


class Book:
    """Accounts and originals, moved only by what `decide` says."""

    def __init__(self) -> None:
        self.accounts: _Known[int, State] = _Known()
        self.originals: _Known[bytes, Original] = _Known()
        self.at = 0

    def play(self, line: str) -> None:
        text, _, expected = (part.strip() for part in line.partition("->"))
        verb, *words = text.split()
        if verb == "=":
            self._check(words)
        elif verb == "at":
            self.at = int(words[0])
        elif verb == "open" and not expected:
            self._open(words)
        else:
            result = self._do(_command(verb, words))
            assert result.name.lower() == (expected or "posted"), line

    def _open(self, words: list[str]) -> None:
        """Open an account, with a balance that came from somewhere else."""
        options = _options(words)
        assert self._do(_command("open", words)) == Result.POSTED
        state = self.accounts[_account(words[0])]
        assert state is not None
        debits = options.get("debits") or 0
        credits = options.get("credits") or 0
        plain = [word for word in words[1:] if "=" not in word]
        posted = _number(plain[0]) if plain else 0
        assert posted is not None
        if posted:
            credits = debits + posted
        self.accounts[_account(words[0])] = State(
            state.seq, debits, credits, 0, 0, state.floor, state.ceiling, state.currency, 0, 1
        )

    def _check(self, words: list[str]) -> None:
        state = self.accounts[_account(words[0])]
        assert state is not None
        has = {"posted": state.posted, "held": state.held, "coming": state.pending_credits}
        expected = dict.fromkeys(("held", "coming"), 0)
        for name, value in zip(words[1::2], words[2::2], strict=True):
            number = _number(value)
            assert number is not None
            expected[name] = number
        if "posted" not in expected:
            expected["posted"] = state.posted
        assert has == expected, words
        assert state.available == state.posted - state.held

    def _do(self, command: AnyCommand) -> Result:
        before = dict(self.accounts)
        decision = decide(command, self.accounts, self.originals, self.at)
        assert dict(self.accounts) == before, "the rules changed what they were given"
        if decision.result != Result.POSTED:
            assert decision.legs == ()
            assert decision.accounts == {}
            assert decision.original is None
            return Result(decision.result)
        self.accounts.update(decision.accounts)
        if decision.original is not None:
            self.originals[decision.original.id] = decision.original
        if decision.original is None or decision.cause is not None:
            self.originals[command.id] = _as_original(command.id, decision)
        self._balances(before)
        self._continuous(before, decision)
        return Result.POSTED

    def _balances(self, before: dict[int, State | None]) -> None:
        posted: dict[int, int] = defaultdict(int)
        pending: dict[int, int] = defaultdict(int)
        for accounts, sign in ((self.accounts, 1), (before, -1)):
            for state in accounts.values():
                if state is not None:
                    posted[state.currency] += sign * state.posted
                    pending[state.currency] += sign * (
                        state.pending_credits - state.pending_debits
                    )
                    assert min(state.pending_credits, state.pending_debits) >= 0
        assert not any(posted.values())
        assert not any(pending.values())

    def _continuous(self, before: dict[int, State | None], decision: Decision) -> None:
        seqs = {id_: 0 if state is None else state.seq for id_, state in before.items()}
        for leg in decision.legs:
            for side, state in ((leg.debit, leg.debit_after), (leg.credit, leg.credit_after)):
                if state is not None:
                    assert state.seq == seqs.get(side, 0) + 1
                    seqs[side] = state.seq
        for account, after in decision.accounts.items():
            assert after.seq == seqs[account]


def _as_original(id_: bytes, decision: Decision) -> Original:
    """What a later command finds when it looks this transaction up in the log."""
    return Original(
        id_,
        decision.kind,
        held=False,
        reversible=decision.kind != Kind.REVERSAL
        and any(leg.type in (LegType.POST, LegType.CAPTURE) for leg in decision.legs),
        expires_at=0,
        legs=tuple(
            OriginalLeg(
                leg.debit, leg.credit, leg.amount, leg.currency,
                0 if leg.type == LegType.VOID else leg.amount,
            )
            for leg in decision.legs
        ),
    )  # fmt: skip


def _options(words: list[str]) -> dict[str, int | None]:
    pairs = (word.split("=") for word in words if "=" in word and not word.startswith("of="))
    return {name: _number(value) for name, value in pairs}


def _postings(words: list[str]) -> tuple[Posting, ...]:
    plain = [word for word in words[1:] if "=" not in word]
    postings = []
    for sides, sum_ in zip(plain[::2], plain[1::2], strict=True):
        debit, credit = sides.split(">")
        amount, _, currency = sum_.partition(":")
        number = _number(amount)
        assert number is not None
        postings.append(
            Posting(_account(debit), _account(credit), number, int(currency or SGD))
        )
    return tuple(postings)


def _command(verb: str, words: list[str]) -> AnyCommand:
    id_, options = _id(words[0]), _options(words)
    account = _account(words[0])
    floor = options.get("floor") or 0
    ceiling = options.get("ceiling")
    of = next((_id(word[3:]) for word in words if word.startswith("of=")), b"")
    amounts = tuple(int(word) for word in words[1:] if word.isdigit()) or None
    match verb:
        case "pay":
            return Transaction(id_, postings=_postings(words))
        case "hold":
            return Hold(id_, postings=_postings(words), expires_at=options["until"] or 0)
        case "capture":
            return Capture(id_, hold=of, amounts=amounts, final="final" in words)
        case "void":
            return Void(id_, hold=of, expiry="expiry" in words)
        case "reverse":
            return Reverse(id_, original=of, amounts=amounts)
        case "open":
            currency = options.get("currency") or SGD
            return OpenAccount(
                id_, account=account, currency=currency, floor=floor, ceiling=ceiling
            )
        case "limits":
            return SetLimits(id_, account=account, floor=floor, ceiling=ceiling)
        case "freeze" | "thaw":
            return Freeze(id_, account=account, frozen=verb == "freeze")
        case "close":
            return CloseAccount(id_, account=account)
        case "abandon":
            return Abandon(id_)
        case _:
            raise ValueError(verb)


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_case(text: str) -> None:
    book = Book()
    for line in text.replace(";", "\n").splitlines():
        if line.strip():
            book.play(line.strip())


def test_every_result_that_rules_can_give_is_given_in_a_case() -> None:
    said = {
        line.partition("->")[2].strip()
        for text in CASES.values()
        for line in text.splitlines()
        if "->" in line
    }
    not_of_rules = {Result.POSTED, Result.UNAVAILABLE, Result.ID_REUSED, Result.REJECTED}
    assert said == {result.name.lower() for result in Result if result not in not_of_rules}


def test_only_overload_and_unavailability_may_be_tried_again() -> None:
    assert [result for result in Result if result.retryable] == [
        Result.OVERLOADED,
        Result.UNAVAILABLE,
    ]


def test_rows_of_a_final_capture_say_what_was_taken_and_what_was_let_go() -> None:
    alice, bob = _account("alice"), _account("bob")
    book = Book()
    for line in ("open alice 100", "open bob 0", "hold h until=10 alice>bob 60"):
        book.play(line)
    command = Capture(_id("c"), hold=_id("h"), amounts=(20,), final=True)
    decision = decide(command, book.accounts, book.originals, 5)
    assert [(leg.type, leg.debit, leg.credit, leg.amount, leg.remainder) for leg in decision.legs] == [
        (LegType.CAPTURE, alice, bob, 20, (_id("h"), 0, 1, 40)),
        (LegType.VOID, alice, bob, 40, (_id("h"), 0, 2, 0)),
    ]
    assert decision.cause == _id("h")
    assert decision.original is not None
    assert [leg.left for leg in decision.original.legs] == [0]


def test_rows_of_a_reversal_have_the_sides_swapped() -> None:
    book = Book()
    for line in ("open alice 100", "open bob 0", "pay p alice>bob 60"):
        book.play(line)
    decision = decide(Reverse(_id("r"), original=_id("p")), book.accounts, book.originals, 5)
    leg = decision.legs[0]
    assert (leg.debit, leg.credit, leg.amount) == (_account("bob"), _account("alice"), 60)
    assert leg.type == LegType.POST
    assert decision.kind == Kind.REVERSAL


def test_frozen_and_closed_are_separate_bits() -> None:
    book = Book()
    for line in ("open alice 0", "freeze alice", "close alice"):
        book.play(line)
    state = book.accounts[_account("alice")]
    assert state is not None
    assert state.flags == Flag.FROZEN | Flag.CLOSED


def test_what_a_command_names() -> None:
    alice, bob, carol = _account("alice"), _account("bob"), _account("carol")
    one = Transaction(_id("p"), postings=(Posting(alice, bob, 1, SGD),))
    two = Hold(
        _id("h"), postings=(Posting(alice, bob, 1, SGD), Posting(alice, carol, 1, SGD))
    )
    assert accounts_of(one) == (alice, bob)
    assert sorted(accounts_of(two)) == sorted((alice, bob, carol))
    assert accounts_of(CloseAccount(_id("x"), account=alice)) == (alice,)
    assert accounts_of(Capture(_id("c"), hold=_id("h"))) == ()
    assert original_of(Capture(_id("c"), hold=_id("h"))) == _id("h")
    assert original_of(Void(_id("v"), hold=_id("h"))) == _id("h")
    assert original_of(Reverse(_id("r"), original=_id("p"))) == _id("p")
    assert original_of(one) is None
