"""The wiring of `serve`: the API over the parts of `app`.

Apart from `app`, as the API's definition takes most of a second to import, and the other processes
and commands do without it.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

from prometheus_client import REGISTRY

from tikiwallet import logs
from tikiwallet.app import (
    Dsns,
    Say,
    Shared,
    make_schedule,
    make_shared,
    make_writer,
    open_database,
    own_command,
    quiet_collector,
    stop_on_signals,
)
from tikiwallet.config import Settings
from tikiwallet.database.claims import Claim
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.identity.keys import load_server_secret
from tikiwallet.identity.places import Places
from tikiwallet.ledger.link import LedgerLink
from tikiwallet.ledger.link_server import LinkServer
from tikiwallet.ledger.writer import Writer
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.outside import open_outside
from tikiwallet.payments.activity import Activity
from tikiwallet.payments.budget import Budget
from tikiwallet.payments.contacts import Contacts
from tikiwallet.payments.memos import Memos
from tikiwallet.payments.notes import Notes
from tikiwallet.payments.pay import Payments
from tikiwallet.wallets.directory import WalletDirectory
from tikiwallet.web.application import build_application
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.fast import FastLane
from tikiwallet.web.headers import of_every_answer
from tikiwallet.web.metrics import Latencies, build_registry
from tikiwallet.web.parts import LedgerStanding, Parts
from tikiwallet.web.server import Server

_log = logs.get(__name__)


async def serve(settings: Settings, say: Say, *, api_only: bool = False, workers: int = 0) -> None:
    """Serve the API until a signal; with the database, the writer and the worker inside, unless
    `api_only`; `workers` more API processes share the port. Answers everything that was accepted
    before it ends."""
    stopping = stop_on_signals()
    async with AsyncExitStack() as stack:
        if not api_only:
            stack.enter_context(Claim.exclusive(settings.data_dir, "serve"))
        dsns = await stack.enter_async_context(open_database(settings, say, migrating=not api_only))
        ledger: Writer | LedgerLink
        if api_only:
            ledger = LedgerLink(settings.ledger_socket, settings.lease_ms / 1000)
            await ledger.start()
        else:
            ledger = make_writer(settings, dsns, patient=True)
            await ledger.start()
            link = LinkServer(ledger, settings.ledger_socket)
            await link.start()
            stack.push_async_callback(link.stop)
        stack.push_async_callback(ledger.stop)
        database = await Database.connect(dsns.app, APP, min_size=2, max_size=8)
        stack.push_async_callback(database.close)
        outside = await stack.enter_async_context(open_outside(settings, database))
        shared = make_shared(settings, dsns, database, ledger, outside)
        lane = _lane(_build(settings, database, ledger, shared))
        await shared.identity.start()
        stack.push_async_callback(shared.identity.stop)
        if isinstance(ledger, Writer):
            await _until_leading(ledger, stopping, say)
            schedule = make_schedule(settings, database, ledger, shared)
            schedule.start()
            stack.push_async_callback(schedule.stop)
            more = [asyncio.create_task(_keep_worker(stopping)) for _ in range(workers)]
            stack.push_async_callback(_ended, more)
        if not stopping.is_set():
            several = api_only or workers > 0
            server = Server(lane, settings.host, settings.port, shared=several)
            await _listen(server, stopping, lambda: _welcome(settings, dsns, say))
        say("stopping: answering what was accepted")


def _build(
    settings: Settings, database: Database, ledger: Writer | LedgerLink, shared: Shared
) -> Parts:
    identity, wallets = shared.identity, shared.wallets
    directory = WalletDirectory(wallets)
    memos = Memos(identity.sealing)
    secret = load_server_secret(settings.keys_dir)
    payments = Payments(
        ledger,
        directory,
        wallets,
        identity.people,
        identity.pins,
        identity.confirmations,
        identity.payers,
        memos,
        secret.subkey("payment digest"),
        Budget(enabled=settings.rate_limits),
    )
    activity = Activity(database, ledger, directory, identity.people, memos)
    latencies = Latencies()
    return Parts(
        settings=settings,
        database=database,
        ledger=ledger,
        identity=identity,
        cookies=BrowserCookies(secret, settings.public_url),
        wallets=wallets,
        directory=directory,
        topups=shared.topups,
        payments=payments,
        activity=activity,
        notes=Notes(
            database,
            activity=activity,
            keys=identity.note_keys,
            people=identity.people,
            wallets=wallets,
            ledger=ledger,
        ),
        contacts=Contacts(
            database,
            people=identity.people,
            wallets=wallets,
            activity=activity,
            limits=identity.limits,
        ),
        closing=shared.closing,
        notices=shared.notices,
        offline=shared.offline,
        latencies=latencies,
        registry=build_registry(latencies, REGISTRY),
        ledger_standing=lambda: _standing(ledger),
        places=Places() if settings.places_file is None else Places.open(settings.places_file),
        rates=shared.outside.rates,
        inbox=SandboxInbox(database) if shared.outside.outbox is None else None,
        card_sandbox=shared.gateway,
    )


def _lane(parts: Parts) -> FastLane:
    """All calls: the fast ones, and the application for the rest."""
    return FastLane(
        ledger=parts.ledger,
        payments=parts.payments,
        directory=parts.directory,
        verifier=parts.identity.verifier,
        cookies=parts.cookies,
        sightings=parts.identity.sightings,
        latencies=parts.latencies,
        every=of_every_answer(parts.settings.public_url),
        rest=build_application(parts),
    )


def _standing(ledger: Writer | LedgerLink) -> LedgerStanding:
    if isinstance(ledger, LedgerLink):
        return LedgerStanding("link" if ledger.connected.is_set() else "no writer", "the writer's")
    if ledger.failure is not None:
        return LedgerStanding("refused", str(ledger.failure))
    return LedgerStanding("writer" if ledger.term is not None else "no term", ledger.durability())


async def _until_leading(writer: Writer, stopping: asyncio.Event, say: Say) -> None:
    """Wait for the term; a refusal to lead is said once and waited out."""
    leading = asyncio.create_task(writer.leading.wait())
    said = ""
    while not leading.done() and not stopping.is_set():
        await asyncio.wait({leading}, timeout=0.25)
        if writer.failure is not None and str(writer.failure) != said:
            said = str(writer.failure)
            say(f"the ledger does not start: {said}")
    leading.cancel()


async def _listen(server: Server, stopping: asyncio.Event, ready: Callable[[], None]) -> None:
    serving = asyncio.create_task(server.serve())
    quiet_collector()
    ready()
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    server.stop()
    await serving


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


async def _keep_worker(stopping: asyncio.Event) -> None:
    """One more API process on the same port, started anew should it end before its time."""
    stopped = asyncio.create_task(stopping.wait())
    while not stopping.is_set():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tikiwallet", "serve", "--api-only"
        )
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            _log.error("an API process ended", status=ended.result())
            await asyncio.wait({stopped}, timeout=1)
        else:
            process.terminate()
            await ended


def _welcome(settings: Settings, dsns: Dsns, say: Say) -> None:
    say(f"TikiWallet is at http://localhost:{settings.port}")
    say(f"  data       {settings.data_dir}")
    where = "embedded PostgreSQL" if dsns.server is not None else "PostgreSQL by URL"
    say(f"  database   {where}")
    say(f"  API        http://localhost:{settings.port}/docs")
    if settings.sandbox:
        say(f"  messages   http://localhost:{settings.port}/dev/inbox?phone=%2B6591234567")
    say(f"  next       `{own_command()} demo`: people to play with; or the walk in README.md")
    say("  stop       Ctrl-C")
    sys.stdout.flush()
