"""`tikiwallet`: one command for everything an installation needs."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from tikiwallet import app as wiring
from tikiwallet import clock, ids, logs
from tikiwallet.config import Settings, SettingsError
from tikiwallet.database.claims import DataDirInUse
from tikiwallet.database.cluster import APP
from tikiwallet.database.installation import EmbeddedServerError
from tikiwallet.database.pool import Database
from tikiwallet.errors import Problem
from tikiwallet.identity.keys import KeyFileError
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.places import PlacesFileError
from tikiwallet.identity.sealing import SealBroken
from tikiwallet.identity.security_events import SecurityEvents
from tikiwallet.ledger.heads import AuditMismatch
from tikiwallet.ledger.link import LedgerLink
from tikiwallet.ledger.proofs import check_proof, prove
from tikiwallet.ledger.restore import WriterRuns
from tikiwallet.ledger.restore import restore as restore_log
from tikiwallet.ledger.verify import Report, verify
from tikiwallet.money import currency as currency_of
from tikiwallet.offline.commands import Books, add_operator_commands, stranger_commands
from tikiwallet.offline.conflicts import Thawing
from tikiwallet.offline.fund import Fund
from tikiwallet.offline.issuer import Issuer, add_issuer_key
from tikiwallet.offline.limits import LimitTable, PassLimits
from tikiwallet.offline.reports import Reports
from tikiwallet.wallets.chart import Chart

_Answer = TypeVar("_Answer")
_TOLD = (  # what an operator is told in one line
    DataDirInUse,
    EmbeddedServerError,
    PlacesFileError,
    KeyFileError,
    SealBroken,
    OSError,
    Problem,
)
cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A wallet platform on a double-entry ledger. `tikiwallet serve` is all you need at first.",
)
admin = typer.Typer(no_args_is_help=True, help="For operators.")
audit = typer.Typer(no_args_is_help=True, help="Check the log, and prove single rows to strangers.")
client = typer.Typer(no_args_is_help=True, help="Partners' programs (OAuth 2 clients).")
keys = typer.Typer(no_args_is_help=True, help="The keys that seal personal data and memos.")
offline = typer.Typer(
    no_args_is_help=True,
    help="Offline money: issuer, limits, passes, conflicts, fund.",
)
limits = typer.Typer(no_args_is_help=True, help="What passes may be, by currency and tier.")
admin.add_typer(keys, name="keys")
cli.add_typer(admin, name="admin")
admin.add_typer(client, name="client")
cli.add_typer(audit, name="audit")
admin.add_typer(offline, name="offline")
offline.add_typer(limits, name="limits")
add_operator_commands(offline, lambda work: _run(_with_offline_books(work)))
cli.add_typer(stranger_commands(), name="offline")


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
        run(_settings(), _say)
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


@admin.command("token")
def admin_token(
    name: Annotated[str, typer.Option(help="Whose it is, for the list of tokens.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, e.g. balances:read.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lives.")] = 30,
) -> None:
    """Print an access token for another program. It is shown once."""

    async def issue(identity: Identity) -> None:
        print(
            await identity.service_tokens.issue_service_token(
                name, set(scope), timedelta(days=days)
            )
        )

    _run(_with_identity(issue))


@client.command("add")
def client_add(
    name: Annotated[str, typer.Option(help="Whose it is, for the list of clients.")],
    scope: Annotated[list[str], typer.Option(help="What it may ask for, e.g. balances:read.")],
) -> None:
    """Print id and secret of a new client, as JSON. The secret is shown once.

    The program gets its tokens with them: POST /v1/oauth/token, grant_type=client_credentials.
    """

    async def add(identity: Identity) -> None:
        made = await identity.clients.add(name, scope)
        print(json.dumps({"client_id": made.id, "client_secret": made.secret}, indent=2))

    _run(_with_identity(add))


@client.command("list")
def client_list() -> None:
    """Print the clients, newest first: id, what became of it, scopes, name."""

    async def show(identity: Identity) -> None:
        for one in await identity.clients.all():
            state = "works" if one.revoked_at is None else f"ended {one.revoked_at:%Y-%m-%d}"
            print(f"{one.id}  {state}  {' '.join(sorted(one.scopes))}  {one.name}")

    _run(_with_identity(show))


@client.command("revoke")
def client_revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The client's id.")],
) -> None:
    """End a client: no more tokens, and those it has stop to work within a second."""

    async def revoke(identity: Identity) -> None:
        await identity.clients.revoke(id_)
        _say(f"{id_} is ended")

    _run(_with_identity(revoke))


async def _with_identity(work: Callable[[Identity], Awaitable[None]]) -> None:
    settings = _settings()
    async with wiring.open_database(settings, migrating=False) as dsns:
        database = await Database.connect(dsns.app, APP)
        identity = wiring.build_identity(settings, dsns, database)
        try:
            await work(identity)
        finally:
            identity.hashing.close()
            await database.close()


@keys.command("rotate")
def keys_rotate() -> None:
    """Make a new data key and seal people's data with it; the wallet goes on working.

    Old key files stay and are needed: the ledger's log is append-only, and its older memos open
    with the key of their time. Back up the keys folder apart from the database.
    """
    _reseal(add=True)


@keys.command("reseal")
def keys_reseal() -> None:
    """Seal with the newest key what an older one still seals: after a rotation was broken off."""
    _reseal(add=False)


def _reseal(*, add: bool) -> None:
    settings = _settings()
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task("sealing anew", total=None)
        changed = _run(
            wiring.rotate_keys(
                settings,
                _say,
                lambda done, total: bar.update(task, completed=done, total=total),
                add=add,
            )
        )
    _say(f"{changed} values were sealed anew")


@offline.command("rotate-issuer")
def offline_rotate_issuer(
    at_once: Annotated[
        bool, typer.Option(help="Sign with it now; payees who are offline do not know it yet.")
    ] = False,
) -> None:
    """Make the next key that signs passes; the wallet goes on working.

    Devices are told of it 96 hours before it signs. The key before it verifies until nothing that
    its passes promise can be claimed any more. Back up the keys folder apart from the database.
    """
    try:
        key, made = add_issuer_key(_settings().keys_dir, clock.now_us(), at_once=at_once)
    except KeyFileError as error:
        print(f"tikiwallet: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    begins = clock.rfc3339(key.not_before * 1_000_000)
    _say(f"issuer key {key.number} {'was made' if made else 'waits already'}; signs from {begins}")


@limits.command("list")
def offline_limits_list(
    currency: Annotated[str | None, typer.Option(help="What holds in this one.")] = None,
) -> None:
    """Print the limits that were set, in minor units; elsewhere the defaults hold."""

    async def show(table: LimitTable) -> None:
        rows = await (table.all() if currency is None else table.holding(currency_of(currency)))
        for row in rows:
            print(json.dumps(row.told()))

    _run(_with_limits(show))


@limits.command("set")
def offline_limits_set(
    currency: Annotated[str, typer.Argument(help="E.g. SGD.")],
    tier: Annotated[int, typer.Argument(help="0 PIN, 1 passkey, 2 terminal.")],
    payment: Annotated[int, typer.Option(help="Most of one payment, in minor units.")],
    whole: Annotated[int, typer.Option("--pass", help="Most of one pass, in minor units.")],
    payments: Annotated[int, typer.Option(help="How many payments.")] = 20,
    hours: Annotated[int, typer.Option(help="How long it lives.")] = 96,
    hops: Annotated[int, typer.Option(help="How often received money is passed on.")] = 0,
) -> None:
    """Set the limits of passes that are issued from now on."""

    async def change(table: LimitTable) -> None:
        await table.set(
            currency_of(currency), tier, PassLimits(payment, whole, payments, hours, hops)
        )

    _run(_with_limits(change))


@limits.command("reset")
def offline_limits_reset(
    currency: Annotated[str, typer.Argument(help="E.g. SGD.")],
    tier: Annotated[int, typer.Argument(help="0 PIN, 1 passkey, 2 terminal.")],
) -> None:
    """Let the defaults hold again."""
    _run(_with_limits(lambda table: table.reset(currency_of(currency), tier)))


async def _with_offline_books(work: Callable[[Books], Awaitable[None]]) -> None:
    settings = _settings()
    async with wiring.open_database(settings, migrating=False) as dsns:
        database = await Database.connect(dsns.app, APP)
        link = LedgerLink(settings.ledger_socket, settings.lease_ms / 1000)
        await link.start()
        try:
            issuer = Issuer(settings.keys_dir)
            personal = Personal.load(settings.keys_dir)
            reports = Reports(database, link, personal.sealing, lambda: issuer.root)
            thawing = Thawing(database, SecurityEvents(personal))
            await work(Books(reports, Fund(database, link, Chart(link)), thawing))
        finally:
            await link.stop()
            await database.close()


async def _with_limits(work: Callable[[LimitTable], Awaitable[None]]) -> None:
    async with wiring.open_database(_settings(), migrating=False) as dsns:
        database = await Database.connect(dsns.app, APP)
        try:
            await work(LimitTable(database))
        finally:
            await database.close()


@audit.command("verify")
def audit_verify() -> None:
    """Recompute the log from its first row: numbering, states, zero-sums, tree, heads, signatures.

    Ends with 1, naming the first row that does not agree. May run while the ledger works.
    """
    report = _run(_verify())
    minutes = f"{report.seconds:.1f} s"
    _say(f"{report.rows} log rows, {report.entries} entries, {report.accounts} accounts, {minutes}")
    if report.newest_head is not None:
        head = report.newest_head
        _say(f"head {head.number} covers {head.size} rows: {head.root.hex()}")
    for gap in report.gaps:
        _say(f"rows {gap.kept + 1} to {gap.n - 1} were lost in a restore, which is signed")
    if report.failure is not None:
        print(f"row {report.failure.n} does not agree: {report.failure.reason}", file=sys.stderr)
        raise typer.Exit(1)
    _say("everything agrees")


async def _verify() -> Report:
    settings = _settings()
    async with wiring.open_database(settings, migrating=False) as dsns:
        database = await Database.connect(
            dsns.app, APP, settings={"statement_timeout": "0"}, seconds=None
        )
        with Progress(
            *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)
        ) as bar:
            task = bar.add_task("verifying", total=None)
            report = await verify(
                database,
                settings.keys_dir,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        await database.close()
        return report


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
        settings = _settings()
        async with wiring.open_database(settings, migrating=False) as dsns:
            database = await Database.connect(dsns.app, APP)
            try:
                return await prove(database, settings.keys_dir, raw, leg)
            finally:
                await database.close()

    _say(json.dumps(_run(run()), indent=2))


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
    _say(f"the proof holds: row {facts.n} of the log, {clock.rfc3339(facts.at)}")


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
        settings = _settings()
        async with wiring.open_database(settings, _say) as dsns:
            database = await Database.connect(dsns.app, APP)
            try:
                gap = await restore_log(dsns.ledger, database, settings.keys_dir, above=above)
            except (ValueError, WriterRuns, AuditMismatch) as error:
                print(f"not restored: {error}", file=sys.stderr)
                raise typer.Exit(1) from None
            finally:
                await database.close()
            _say(f"rows {gap.kept + 1} to {gap.n - 1} are stated as lost; the log goes on above")

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


def _run(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except _TOLD as error:
        print(f"tikiwallet: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
