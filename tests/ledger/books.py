"""Ledgers written as text, played against the rules.

`open`, `pay`, `hold` and so on are commands, with the result expected after `->` (`posted` when
there is none); `at` puts the clock; a line beginning with `=` says what an account has: `posted`,
`held` for others, `coming` from others' holds. After every command the totals of all accounts must
still cancel out, and a refusal must have changed nothing.
"""

import hashlib
from collections import defaultdict
from typing import Generic, TypeVar

from tikiwallet.ledger.rules import Decision, Original, OriginalLeg, decide
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    TOTAL_MAX,
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
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

SGD = 702
NUMBERS = {"MAX": AMOUNT_MAX, "TOTAL": TOTAL_MAX, "none": None}


def _number(text: str) -> int | None:
    whole, minus, part = text.partition("-") if not text.startswith("-") else (text, "", "")
    value = NUMBERS[whole] if whole in NUMBERS else int(whole)
    return value if not minus or value is None else value - int(part)


def id_of(label: str) -> bytes:
    """The id of a transaction."""
    return hashlib.sha256(label.encode()).digest()[:16]


def account_of(name: str) -> int:
    """The number of an account."""
    return int.from_bytes(id_of(name)[:7], "big") + 1


K = TypeVar("K")
V = TypeVar("V")


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
        """One line."""
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
        state = self.accounts[account_of(words[0])]
        assert state is not None
        debits = options.get("debits") or 0
        credits = options.get("credits") or 0
        plain = [word for word in words[1:] if "=" not in word]
        posted = _number(plain[0]) if plain else 0
        assert posted is not None
        if posted:
            credits = debits + posted
        self.accounts[account_of(words[0])] = State(
            state.seq, debits, credits, 0, 0, state.floor, state.ceiling, state.currency, 0, 1
        )

    def _check(self, words: list[str]) -> None:
        state = self.accounts[account_of(words[0])]
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
                    pending[state.currency] += sign * (state.pending_credits - state.pending_debits)
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
            Posting(account_of(debit), account_of(credit), number, int(currency or SGD))
        )
    return tuple(postings)


def _command(verb: str, words: list[str]) -> AnyCommand:
    id_, options = id_of(words[0]), _options(words)
    account = account_of(words[0])
    floor = options.get("floor") or 0
    ceiling = options.get("ceiling")
    of = next((id_of(word[3:]) for word in words if word.startswith("of=")), b"")
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
