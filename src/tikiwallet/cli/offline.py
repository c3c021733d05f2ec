"""`tikiwallet admin offline …`: what operators do about offline money."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from tikiwallet import app as wiring
from tikiwallet import clock
from tikiwallet.cli.running import carry_out, say, settings_or_exit
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.identity.keys import KeyFileError
from tikiwallet.identity.personal import Personal
from tikiwallet.identity.security_events import SecurityEvents
from tikiwallet.ledger.link import LedgerLink
from tikiwallet.money import currency as currency_of
from tikiwallet.offline.commands import Books, add_operator_commands
from tikiwallet.offline.conflicts import Thawing
from tikiwallet.offline.debts import Debts
from tikiwallet.offline.fund import Fund
from tikiwallet.offline.issuer import Issuer, add_issuer_key
from tikiwallet.offline.limits import LimitTable, PassLimits
from tikiwallet.offline.reports import Reports
from tikiwallet.offline.waiting import Waiting
from tikiwallet.wallets.chart import Chart

offline = typer.Typer(
    no_args_is_help=True,
    help="Offline money: issuer, limits, passes, conflicts, fund.",
)
limits = typer.Typer(no_args_is_help=True, help="What passes may be, by currency and tier.")
offline.add_typer(limits, name="limits")
add_operator_commands(offline, lambda work: carry_out(_with_offline_books(work)))


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
        key, made = add_issuer_key(settings_or_exit().keys_dir, clock.now_us(), at_once=at_once)
    except KeyFileError as error:
        print(f"tikiwallet: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    begins = clock.rfc3339(key.not_before * 1_000_000)
    say(f"issuer key {key.number} {'was made' if made else 'waits already'}; signs from {begins}")


@limits.command("list")
def offline_limits_list(
    currency: Annotated[str | None, typer.Option(help="What holds in this one.")] = None,
) -> None:
    """Print the limits that were set, in minor units; elsewhere the defaults hold."""

    async def show(table: LimitTable) -> None:
        rows = await (table.all() if currency is None else table.holding(currency_of(currency)))
        for row in rows:
            print(json.dumps(row.told()))

    carry_out(_with_limits(show))


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

    carry_out(_with_limits(change))


@limits.command("reset")
def offline_limits_reset(
    currency: Annotated[str, typer.Argument(help="E.g. SGD.")],
    tier: Annotated[int, typer.Argument(help="0 PIN, 1 passkey, 2 terminal.")],
) -> None:
    """Let the defaults hold again."""
    carry_out(_with_limits(lambda table: table.reset(currency_of(currency), tier)))


async def _with_offline_books(work: Callable[[Books], Awaitable[None]]) -> None:
    settings = settings_or_exit()
    async with (
        wiring.open_database(settings, migrating=False) as dsns,
        Database.opened(dsns.app, APP) as database,
    ):
        link = LedgerLink(settings.ledger_socket, settings.lease_ms / 1000)
        await link.start()
        try:
            issuer = Issuer(settings.keys_dir)
            personal = Personal.load(settings.keys_dir)
            reports = Reports(database, link, personal.sealing, lambda: issuer.root)
            events = SecurityEvents(personal)
            thawing, debts = Thawing(database, events), Debts(database, link, events)
            fund, waiting = Fund(database, link, Chart(link)), Waiting(database, link)
            await work(Books(reports, fund, thawing, debts, waiting))
        finally:
            await link.stop()


async def _with_limits(work: Callable[[LimitTable], Awaitable[None]]) -> None:
    async with (
        wiring.open_database(settings_or_exit(), migrating=False) as dsns,
        Database.opened(dsns.app, APP) as database,
    ):
        await work(LimitTable(database))
