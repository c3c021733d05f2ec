"""Reports on offline money as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tikiwallet.money import Money, currency


def show_passes(console: Console, passes: Sequence[Mapping[str, Any]]) -> None:
    """One line a pass."""
    table = _table(
        "pass", "person", "state", "holds", "received", "settled", "expires", "claims until", ""
    )
    for one in passes:
        marks = [one["revoked"] or ""] + (["frozen"] if one["frozen"] else [])
        table.add_row(
            one["id"],
            one["person"],
            one["state"],
            _money(one["amount"], one["currency"]),
            _money(one["received"], one["currency"]),
            _money(one["settled"], one["currency"]),
            _day(one["expires_at"]),
            _day(one["claim_until"]),
            " ".join(mark for mark in marks if mark),
        )
    console.print(table)


def show_exposure(console: Console, exposure: Mapping[str, Any]) -> None:
    """What is outstanding, what claims lack, and what waits for room in its payee's wallet."""
    table = _table(
        "passes", "state", "outstanding", "of it forked", "under a day", "1 to 4 days", "older"
    )
    for one in exposure["passes"]:
        code = one["currency"]
        names = ("outstanding", "forked", "younger_than_a_day", "one_to_four_days", "older")
        sums = [_money(one[name], code) for name in names]
        table.add_row(str(one["passes"]), one["state"], *sums)
    console.print(table)
    table = _table("payments", "state", "not paid")
    for one in exposure["claims"]:
        table.add_row(str(one["payments"]), one["state"], _money(one["unpaid"], one["currency"]))
    console.print(table)
    for one in exposure["waiting"]:
        console.print(
            f"{_money(one['amount'], one['currency'])} from {one['payer']} waits since"
            f" {_day(one['since'])} for room in the wallet of {one['payee']}:\n   {one['payment']}"
        )


def show_conflicts(console: Console, conflicts: Sequence[Mapping[str, Any]]) -> None:
    """Each with what was paid to whom out of what."""
    if not conflicts:
        console.print("no key has signed twice")
    for one in conflicts:
        console.print(
            f"[bold]{one['id']}[/bold]  {one['found_at']}  {one['person']}  {one['device']}"
            f"{'  frozen' if one['frozen'] else ''}\n   {one['statement']}"
        )
        table = _table("no.", "payee", "amount", "escrow", "wallet", "fund", "state")
        for paid in one["payments"]:
            names = ("amount", "from_escrow", "from_wallet", "from_fund")
            sums = [_money(paid[name], paid["currency"]) for name in names]
            table.add_row(str(paid["sequence"]), paid["payee"], *sums, paid["state"])
        console.print(table)


def show_debts(console: Console, debts: Sequence[Mapping[str, Any]]) -> None:
    """One line a debt."""
    table = _table("no.", "owes", "to", "amount", "paid", "forgiven", "since", "state")
    for one in debts:
        sums = [_money(one[name], one["currency"]) for name in ("amount", "paid", "forgiven")]
        creditor = one["creditor"] or "the fund"
        since = _day(one["since"])
        table.add_row(str(one["id"]), one["debtor"], creditor, *sums, since, one["state"])
    console.print(table)


def show_fund(console: Console, fund: Sequence[Mapping[str, Any]]) -> None:
    """One line a currency, and its caps."""
    table = _table(
        "balance", "paid", "in a day", "in 30 days", "owed to it", "to people", "not collected"
    )
    caps = _table("cap per payer", "payee", "pass", "day", "whole fund")
    for one in fund:
        code = one["currency"]
        paid = ("balance", "paid", "paid_in_a_day", "paid_in_30_days")
        owed = ("owed_to_fund", "owed_to_people", "not_collected")
        table.add_row(*(_money(one[name], code) for name in (*paid, *owed)))
        scopes = ("payer", "payee", "pass", "day", "fund")
        caps.add_row(*(_money(one["caps"][scope], code) for scope in scopes))
    console.print(table)
    console.print(caps)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _money(amount: int, code: str) -> str:
    return Money(amount, currency(code)).written


def _day(written: str) -> str:
    return written[:16].replace("T", " ")
