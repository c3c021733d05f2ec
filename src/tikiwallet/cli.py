"""`tikiwallet`: one command for everything an installation needs."""

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from tikiwallet import app as wiring
from tikiwallet import logs
from tikiwallet.config import Settings, SettingsError
from tikiwallet.database.claims import DataDirInUse
from tikiwallet.database.cluster import APP
from tikiwallet.database.installation import EmbeddedServerError
from tikiwallet.database.pool import Database

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A wallet platform on a double-entry ledger. `tikiwallet serve` is all you need at first.",
)
admin = typer.Typer(no_args_is_help=True, help="For operators.")
audit = typer.Typer(no_args_is_help=True, help="Check the log, and prove single rows to strangers.")
cli.add_typer(admin, name="admin")
cli.add_typer(audit, name="audit")


def main() -> None:
    """The console script."""
    cli()


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
    settings = _settings()
    _run(wiring.serve(settings, _say, api_only=api_only, workers=workers))


@cli.command()
def ledger() -> None:
    """Run the ledger's writer, or its standby: start two, and one takes over from the other."""
    _run(wiring.run_ledger(_settings(), _say))


@cli.command()
def worker() -> None:
    """Seal the log, end holds that are due, recover what was cut short."""
    _run(wiring.run_worker(_settings(), _say))


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema; `serve` does it by itself."""

    async def run() -> None:
        async with wiring.open_database(_settings(), _say):
            _say("the schema is up to date")

    _run(run())


@admin.command("token")
def admin_token(
    name: Annotated[str, typer.Option(help="Whose it is, for the list of tokens.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, e.g. balances:read.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lives.")] = 30,
) -> None:
    """Print an access token for another program. It is shown once."""

    async def run() -> None:
        settings = _settings()
        async with wiring.open_database(settings, migrating=False) as dsns:
            database = await Database.connect(dsns.app, APP)
            identity = wiring.build_identity(settings, dsns, database)
            token = await identity.service_tokens.issue_service_token(
                name, set(scope), timedelta(days=days)
            )
            print(token if isinstance(token, str) else token.token)
            await database.close()

    _run(run())


def _settings() -> Settings:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        raise typer.Exit(2) from None
    logs.configure(settings.log_level)
    return settings


def _say(line: str) -> None:
    print(line, flush=True)


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)
    except (DataDirInUse, EmbeddedServerError, OSError) as error:
        print(f"tikiwallet: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
