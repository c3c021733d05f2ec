"""`tikiwallet admin offline …` for operators, `tikiwallet offline …` for strangers with a proof."""

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from tikiwallet import ids
from tikiwallet.errors import InvalidRequest
from tikiwallet.money import currency as currency_of
from tikiwallet.offline import tables
from tikiwallet.offline.conflicts import Thawing
from tikiwallet.offline.debts import Debts
from tikiwallet.offline.deciding import Scope
from tikiwallet.offline.evidence import DoesNotProve, verify
from tikiwallet.offline.fund import Fund
from tikiwallet.offline.records import DEVICE_PREFIX
from tikiwallet.offline.reports import Reports
from tikiwallet.offline.waiting import Waiting

_Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
_Limit = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many, newest first.")]
_Currency = Annotated[str, typer.Argument(help="E.g. SGD.")]
_ROOT_LENGTH: Final = 33


@dataclass(frozen=True, slots=True)
class Books:
    """What operators work with."""

    reports: Reports
    fund: Fund
    thawing: Thawing
    debts: Debts
    waiting: Waiting


Run = Callable[[Callable[[Books], Awaitable[None]]], None]


def add_operator_commands(offline: typer.Typer, run: Run) -> None:
    """Add the commands to `tikiwallet admin offline`; `run` gives them open books."""
    _add_reports(offline, run)
    _add_thaw(offline, run)
    _add_debts(offline, run)
    _add_fund(offline, run)


def stranger_commands() -> typer.Typer:
    """The commands of `tikiwallet offline`: no database, no network."""
    offline = typer.Typer(no_args_is_help=True, help="Proofs about offline money, for anybody.")
    offline.callback()(_of_anybody)
    offline.command("verify-evidence")(verify_evidence)
    return offline


def _of_anybody() -> None:
    """Proofs about offline money, for anybody."""


def verify_evidence(
    file: Annotated[Path, typer.Argument(help="The document, - for standard input.")],
    root: Annotated[
        str | None, typer.Option(help="The root key as you know it, 66 hex digits.")
    ] = None,
) -> None:
    """Check that a key signed twice, with the document and the root key alone.

    Every app and terminal has the root key in it. Without --root the document's own is taken, and
    printed for you to compare.
    """
    try:
        raw = None if root is None else bytes.fromhex(root)
        if raw is not None and len(raw) != _ROOT_LENGTH:
            raise ValueError("a root key has 66 hex digits")
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        told = json.loads(text)
        proven = verify(told, raw)
    except DoesNotProve as error:
        _fail(f"it proves nothing: {error}")
    except (OSError, ValueError) as error:
        _fail(f"it cannot be checked: {error}")
    _say(f"it holds: the key of pass {ids.write_uuid(proven.pass_.id)} {proven.sentence}")
    _say(f"pass made out to {proven.pass_.name}; key {proven.pass_.key.raw.hex()}")
    _say("it does not show why: a phone restored from a backup signs twice as well")
    if raw is None:
        _say(f"compare the root key, which is the document's own word: {told['root']}")


def _add_reports(offline: typer.Typer, run: Run) -> None:
    @offline.command("passes")
    def passes(
        state: Annotated[
            str | None, typer.Option(help="open, closed, expired, returned, ...")
        ] = None,
        person: Annotated[str | None, typer.Option(help="Only this person's, p_….")] = None,
        frozen: Annotated[bool, typer.Option(help="Only of devices that signed twice.")] = False,
        limit: _Limit = 100,
        json_: _Json = False,
    ) -> None:
        """Show passes: whose, how much, how much of it has settled."""

        async def show(books: Books) -> None:
            number = None if person is None else ids.read_id("p", person)
            if person is not None and number is None:
                raise InvalidRequest(f"{person} is not a person's id")
            found = await books.reports.passes(
                state=state, person=number, frozen=frozen, limit=limit
            )
            _show(found, tables.show_passes, json_=json_)

        run(show)

    @offline.command("exposure")
    def exposure(json_: _Json = False) -> None:
        """Show what is outstanding in passes, by state and age, and what claims lack."""

        async def show(books: Books) -> None:
            _show(await books.reports.exposure(), tables.show_exposure, json_=json_)

        run(show)

    @offline.command("conflicts")
    def conflicts(limit: _Limit = 100, json_: _Json = False) -> None:
        """Show keys that signed twice, and who was paid what out of what.

        Two signatures prove that a key signed twice. Whether it was fraud or a restored phone is
        for you to find out.
        """

        async def show(books: Books) -> None:
            _show(await books.reports.conflicts(limit), tables.show_conflicts, json_=json_)

        run(show)

    @offline.command("evidence")
    def evidence(
        conflict: Annotated[int, typer.Argument(help="Its number in `conflicts`.")],
        out: Annotated[Path | None, typer.Option(help="Into this file.")] = None,
    ) -> None:
        """Print a conflict as a document that proves itself to anybody.

        They check it with `tikiwallet offline verify-evidence FILE --root KEY`.
        """

        async def show(books: Books) -> None:
            text = json.dumps(await books.reports.evidence(conflict), indent=2, ensure_ascii=False)
            if out is None:
                _say(text)
            else:
                out.write_text(text + "\n")

        run(show)


def _add_thaw(offline: typer.Typer, run: Run) -> None:
    @offline.command("thaw")
    def thaw(
        who: Annotated[str, typer.Argument(help="A device, d_…, or all of a person's, p_….")],
    ) -> None:
        """Free a device that signed twice, after a person has decided.

        While one is frozen, none of its owner's devices has new passes. The passes that it had stay
        revoked. Its owner is told.
        """

        async def free(books: Books) -> None:
            device, person = ids.read_id(DEVICE_PREFIX, who), ids.read_id("p", who)
            if person is not None:
                _say(f"{who}: thawed {await books.thawing.thaw_all(person)}")
            elif device is not None:
                left = await books.thawing.thaw(device)
                _say(f"{who} is thawed; of its owner's devices {left} are still frozen")
            else:
                raise InvalidRequest(f"{who} is neither a device's id nor a person's")

        run(free)


def _add_debts(offline: typer.Typer, run: Run) -> None:
    @offline.command("debts")
    def debts(limit: _Limit = 100, json_: _Json = False) -> None:
        """Show who owes what to whom after conflicts, and what nobody collects any more."""

        async def show(books: Books) -> None:
            _show(await books.reports.debts(limit), tables.show_debts, json_=json_)

        run(show)

    @offline.command("write-off")
    def write_off(debt: Annotated[int, typer.Argument(help="Its number in `debts`.")]) -> None:
        """Collect the rest of a debt no more; it keeps nobody from closing their account."""

        async def write(books: Books) -> None:
            await books.debts.write_off(debt)
            _say(f"debt {debt} is written off")

        run(write)

    @offline.command("let-go")
    def let_go(payment: Annotated[str, typer.Argument(help="As `exposure` shows it.")]) -> None:
        """Give up what waits for room in its payee's wallet; it returns to the payer."""

        async def end(books: Books) -> None:
            await books.waiting.let_go(_payment(payment))
            _say("it returns to the payer")

        run(end)


def _payment(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidRequest(f"{text} is not a payment as `exposure` shows it") from None


def _add_fund(offline: typer.Typer, run: Run) -> None:
    @offline.command("fund")
    def fund(json_: _Json = False) -> None:
        """Show the guarantee fund: balance, caps, what it paid, what is owed."""

        async def show(books: Books) -> None:
            _show(await books.reports.fund(), tables.show_fund, json_=json_)

        run(show)

    @offline.command("fund-fill")
    def fund_fill(
        currency: _Currency,
        amount: Annotated[int, typer.Argument(min=1, help="In minor units.")],
        key: Annotated[str, typer.Option(help="The same key never fills twice, e.g. a date.")],
    ) -> None:
        """Put money of the house's bank account into the guarantee fund."""

        async def fill(books: Books) -> None:
            money = currency_of(currency)
            await books.fund.fill(money, amount, ids.derived_id("fund fill", money.code, key))

        run(fill)

    @offline.command("fund-cap")
    def fund_cap(
        currency: _Currency,
        scope: Annotated[Scope, typer.Argument(help="What it counts.")],
        amount: Annotated[int, typer.Argument(min=0, help="In minor units.")],
    ) -> None:
        """Cap what the guarantee fund pays: by payer and payee in 30 days, by pass, by day, in all
        in 30 days."""
        run(lambda books: books.fund.set_cap(currency_of(currency), scope, amount))


def _show(told: Any, table: Callable[[Console, Any], None], *, json_: bool) -> None:
    if json_:
        _say(json.dumps(told, indent=2))
    else:
        # Into a pipe nothing is cut off.
        table(Console(width=None if sys.stdout.isatty() else 200), told)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(text: str) -> None:
    sys.stderr.write(text + "\n")
    raise typer.Exit(1)
