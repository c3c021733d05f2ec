"""Commands that serve, measure, show and mend an installation."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tikiwallet import app as wiring
from tikiwallet.cli.running import carry_out, say, settings_or_exit
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.ledger.heads import AuditMismatch
from tikiwallet.ledger.restore import WriterRuns
from tikiwallet.ledger.restore import restore as restore_log

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A wallet platform on a double-entry ledger. `tikiwallet serve` is all you need at first.",
)


@cli.command()
def serve(
    workers: Annotated[
        int, typer.Option(min=0, help="More API processes beside this one, on the same port.")
    ] = 0,
    api_only: Annotated[
        bool, typer.Option(help="Only the API; the ledger runs as `tikiwallet ledger`.")
    ] = False,
) -> None:
    """Serve the wallet on http://localhost:8000, everything in one process.

    With nothing set it makes a data folder, runs its own PostgreSQL in it, and answers on loopback
    only. Ctrl-C stops it in order; the next start finds the same money.
    """
    settings = settings_or_exit()
    from tikiwallet.serving import serve as serve_until_stopped

    carry_out(serve_until_stopped(settings, say, api_only=api_only, workers=workers))


@cli.command()
def ledger() -> None:
    """Run the ledger's writer, or its standby: start two, and one takes over from the other."""
    carry_out(wiring.run_ledger(settings_or_exit(), say))


@cli.command()
def worker() -> None:
    """Seal the log, end holds that are due, recover what was cut short."""
    carry_out(wiring.run_worker(settings_or_exit(), say))


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema; `serve` does it by itself."""

    async def run() -> None:
        async with wiring.open_database(settings_or_exit(), say):
            say("the schema is up to date")

    carry_out(run())


@cli.command()
def demo() -> None:
    """People with money and a past, to play with, on a sandbox that runs already.

    Six people sign up, top up and pay each other, through the same interface as everybody. Says who
    can sign in, with which password (each installation has its own), and what to try next. Run it
    again to be told again: nothing happens twice, and what was cut off is finished. It refuses
    where a provider is real.
    """
    from tikiwallet.demo import DemoRefused, run

    try:
        run(settings_or_exit(), say)
    except DemoRefused as refused:
        print(f"no demo: {refused}", file=sys.stderr)
        raise typer.Exit(1) from None


@cli.command()
def bench(
    seconds: Annotated[int, typer.Option(min=1, max=600, help="How long each run takes.")] = 10,
    connections: Annotated[int, typer.Option(min=2, max=2_000, help="Of the HTTP load.")] = 256,
    only: Annotated[list[str] | None, typer.Option(help="Only this figure; repeatable.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    large: Annotated[
        bool, typer.Option(help="Also 1,000,000 accounts and 20,000,000 postings; built once.")
    ] = False,
    quick: Annotated[bool, typer.Option(help="Short runs, to see that all of it works.")] = False,
    strict: Annotated[bool, typer.Option(help="End with 1 when a target is missed.")] = False,
    generator: Annotated[str, typer.Option(help="auto, wrk or own.")] = "auto",
) -> None:
    """Measure this version beside pgbench on the same PostgreSQL, in the same minute."""
    from tikiwallet.bench.command import Options, run

    raise typer.Exit(
        run(
            Options(
                seconds=seconds,
                connections=connections,
                only=tuple(only or ()),
                json=json_,
                large=large,
                quick=quick,
                strict=strict,
                generator=generator,
            )
        )
    )


@cli.command()
def terminal(
    data: Annotated[
        Path | None, typer.Option(help="Its folder; ~/.local/share/tikiwallet-terminal if not set.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="The service's address, such as https://wallet.example.")
    ] = None,
    headless: Annotated[bool, typer.Option(help="JSON lines instead of a screen.")] = False,
    recover: Annotated[bool, typer.Option(help="Go on after its journal was damaged.")] = False,
) -> None:
    """Pay and be paid with no internet: a shop's or agent's device, on any local network.

    It finds other terminals by itself. With --headless a program works it: docs/terminal.md.
    """
    from tikiwallet.terminal.command import run

    raise typer.Exit(run(data, server=server, is_headless=headless, recover=recover))


@cli.command()
def restore(
    above: Annotated[
        int | None,
        typer.Option(help="A log number as high as any that was told, where none was noted."),
    ] = None,
) -> None:
    """After a backup was restored: let the ledger go on above a signed gap.

    The writer refuses to lead a log that is shorter than what was published. This states, signed
    and for good, which rows are lost.
    """

    async def run() -> None:
        settings = settings_or_exit()
        async with (
            wiring.open_database(settings, say) as dsns,
            Database.opened(dsns.app, APP) as database,
        ):
            try:
                gap = await restore_log(dsns.ledger, database, settings.keys_dir, above=above)
            except (ValueError, WriterRuns, AuditMismatch) as error:
                print(f"not restored: {error}", file=sys.stderr)
                raise typer.Exit(1) from None
            say(f"rows {gap.kept + 1} to {gap.n - 1} are stated as lost; the log goes on above")

    carry_out(run())
