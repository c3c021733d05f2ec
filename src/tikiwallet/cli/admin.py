"""`tikiwallet admin …`: access for programs, and the keys that seal data."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from tikiwallet import app as wiring
from tikiwallet.cli.running import carry_out, say, settings_or_exit
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.identity.parts import Identity

admin = typer.Typer(no_args_is_help=True, help="For operators.")
client = typer.Typer(no_args_is_help=True, help="Partners' programs (OAuth 2 clients).")
keys = typer.Typer(no_args_is_help=True, help="The keys that seal personal data and memos.")
admin.add_typer(keys, name="keys")
admin.add_typer(client, name="client")


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

    carry_out(_with_identity(issue))


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

    carry_out(_with_identity(add))


@client.command("list")
def client_list() -> None:
    """Print the clients, newest first: id, what became of it, scopes, name."""

    async def show(identity: Identity) -> None:
        for one in await identity.clients.all():
            state = "works" if one.revoked_at is None else f"ended {one.revoked_at:%Y-%m-%d}"
            print(f"{one.id}  {state}  {' '.join(sorted(one.scopes))}  {one.name}")

    carry_out(_with_identity(show))


@client.command("revoke")
def client_revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The client's id.")],
) -> None:
    """End a client: no more tokens, and those it has stop to work within a second."""

    async def revoke(identity: Identity) -> None:
        await identity.clients.revoke(id_)
        say(f"{id_} is ended")

    carry_out(_with_identity(revoke))


async def _with_identity(work: Callable[[Identity], Awaitable[None]]) -> None:
    settings = settings_or_exit()
    async with (
        wiring.open_database(settings, migrating=False) as dsns,
        Database.opened(dsns.app, APP) as database,
    ):
        identity = wiring.build_identity(settings, dsns, database)
        try:
            await work(identity)
        finally:
            identity.hashing.close()


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
    settings = settings_or_exit()
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task("sealing anew", total=None)
        changed = carry_out(
            wiring.rotate_keys(
                settings,
                say,
                lambda done, total: bar.update(task, completed=done, total=total),
                add=add,
            )
        )
    say(f"{changed} values were sealed anew")
