"""`tikiwallet audit …`: check the log, and prove single rows to strangers."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from tikiwallet import app as wiring
from tikiwallet import clock, ids
from tikiwallet.cli.running import carry_out, say, settings_or_exit
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import UNHURRIED, Database
from tikiwallet.ledger.proofs import check_proof, prove
from tikiwallet.ledger.verify import Report, verify

audit = typer.Typer(no_args_is_help=True, help="Check the log, and prove single rows to strangers.")


@audit.command("verify")
def audit_verify() -> None:
    """Recompute the log from its first row: numbering, states, zero-sums, tree, heads, signatures.

    Ends with 1, naming the first row that does not agree. May run while the ledger works.
    """
    report = carry_out(_verify())
    minutes = f"{report.seconds:.1f} s"
    say(f"{report.rows} log rows, {report.entries} entries, {report.accounts} accounts, {minutes}")
    if report.newest_head is not None:
        head = report.newest_head
        say(f"head {head.number} covers {head.size} rows: {head.root.hex()}")
    for gap in report.gaps:
        say(f"rows {gap.kept + 1} to {gap.n - 1} were lost in a restore, which is signed")
    if report.failure is not None:
        print(f"row {report.failure.n} does not agree: {report.failure.reason}", file=sys.stderr)
        raise typer.Exit(1)
    say("everything agrees")


async def _verify() -> Report:
    settings = settings_or_exit()
    async with (
        wiring.open_database(settings, migrating=False) as dsns,
        Database.opened(dsns.app, APP, settings=UNHURRIED, seconds=None) as database,
    ):
        with Progress(
            *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)
        ) as bar:
            task = bar.add_task("verifying", total=None)
            return await verify(
                database,
                settings.keys_dir,
                lambda done, total: bar.update(task, completed=done, total=total),
            )


@audit.command("prove")
def audit_prove(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A payment's or transaction's id.")],
    leg: Annotated[int, typer.Option(min=0, help="Which of its postings.")] = 0,
) -> None:
    """Print a proof, for strangers, that a posting is in the log; docs/audit.md: how they check."""
    raw = ids.read_uuid(id_)
    if raw is None:
        print(f"{id_} is not the id of a transaction", file=sys.stderr)
        raise typer.Exit(2)

    async def run() -> dict[str, Any]:
        settings = settings_or_exit()
        async with (
            wiring.open_database(settings, migrating=False) as dsns,
            Database.opened(dsns.app, APP) as database,
        ):
            return await prove(database, settings.keys_dir, raw, leg)

    say(json.dumps(carry_out(run()), indent=2))


@audit.command("check")
def audit_check(
    proof: Annotated[Path, typer.Argument(help="A file with the proof, - for standard input.")],
    key: Annotated[str, typer.Option(help="The house's public key, 64 hex digits.")],
) -> None:
    """Check somebody's proof against the house's public key; needs no database and no network."""
    text = sys.stdin.read() if str(proof) == "-" else proof.read_text()
    try:
        facts = check_proof(json.loads(text), bytes.fromhex(key))
    except (ValueError, KeyError) as error:
        print(f"the proof does not hold: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    say(f"the proof holds: row {facts.n} of the log, {clock.rfc3339(facts.at)}")
