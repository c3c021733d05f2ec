"""The only wiring: which parts a process is made of, in which order they start and stop."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from tikiwallet import logs
from tikiwallet.config import Settings
from tikiwallet.database.cluster import APP, LEDGER, OWNER
from tikiwallet.database.embedded import EmbeddedServer
from tikiwallet.database.installation import EmbeddedServerError
from tikiwallet.database.migrate import Step, migrate
from tikiwallet.database.pool import UNHURRIED, Database, connect
from tikiwallet.identity.note_keys import NOTE_KEY_NAME
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.personal import SEALED as PERSONAL
from tikiwallet.identity.personal import (
    Personal,
    seal_people,
    seal_security_events,
    seal_sign_ins,
)
from tikiwallet.identity.resealing import Progress, reseal
from tikiwallet.identity.sealing import LOOK_SECONDS, SealedColumn, Sealing, add_key
from tikiwallet.identity.totp import TOTP_DRAFT, TOTP_SECRET
from tikiwallet.ledger.audit import check_log_against_head
from tikiwallet.ledger.heads import AuditMismatch
from tikiwallet.ledger.link import LedgerLink
from tikiwallet.ledger.link_server import LinkServer
from tikiwallet.ledger.reserve import Reserve
from tikiwallet.ledger.term import RefusedToLead, TermOptions
from tikiwallet.ledger.writer import Writer
from tikiwallet.notify.inbox import SandboxInbox
from tikiwallet.notify.notices import Notices
from tikiwallet.notify.outbox import SEALED as MESSAGES
from tikiwallet.offline.parts import Offline
from tikiwallet.offline.sealed import SEALED as OFFLINE
from tikiwallet.outside import NOTHING_OUTSIDE, Outside, open_outbox
from tikiwallet.payments.topups import TopUps
from tikiwallet.providers.sandbox import SandboxGateway
from tikiwallet.wallets.chart import Chart
from tikiwallet.wallets.closing import Closing
from tikiwallet.wallets.wallets import Wallets
from tikiwallet.worker.accounts import account_tasks
from tikiwallet.worker.offline import offline_tasks
from tikiwallet.worker.schedule import Schedule
from tikiwallet.worker.upkeep import upkeep_tasks

Say = Callable[[str], None]
_SEAL_REST = 3.0  # times as long as sealing worked
# Every column that a rotation seals anew.
SEALED: tuple[SealedColumn, ...] = (
    *PERSONAL,
    TOTP_SECRET,
    TOTP_DRAFT,
    NOTE_KEY_NAME,
    *OFFLINE,
    MESSAGES,
)
_log = logs.get(__name__)


@dataclass(frozen=True)
class Dsns:
    """Where each role connects to; `server` is the embedded one, if that is used."""

    app: str
    ledger: str
    owner: str
    server: EmbeddedServer | None = None


@asynccontextmanager
async def open_database(
    settings: Settings, say: Say = lambda _: None, *, migrating: bool = True
) -> AsyncIterator[Dsns]:
    """PostgreSQL, embedded or by URL, migrated. Stops the embedded one if nobody else uses it."""
    server: EmbeddedServer | None = None
    if settings.embedded:
        server = await EmbeddedServer.start(settings.data_dir, settings.keys_dir, say)
        dsns = Dsns(server.dsn(APP), server.dsn(LEDGER), server.dsn(OWNER), server)
    else:
        app = settings.database_url or ""
        dsns = Dsns(app, settings.ledger_database_url or app, settings.migrate_url or app)
    watch = None if server is None else asyncio.create_task(_keep_alive(server, say))
    try:
        if migrating:
            for name in await migrate(dsns.owner, steps=_steps(settings)):
                say(f"migrated: {name}")
        yield dsns
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        if server is not None:
            await server.stop()


def _steps(settings: Settings) -> dict[str, Step]:
    """What migrations do that SQL cannot, by name."""

    def step(seal: Callable[[asyncpg.Connection, Personal], Awaitable[None]]) -> Step:
        async def sealing(connection: asyncpg.Connection) -> None:
            await seal(connection, Personal.load(settings.keys_dir))

        return sealing

    return {
        "seal_people": step(seal_people),
        "seal_sign_ins": step(seal_sign_ins),
        "seal_security_events": step(seal_security_events),
    }


async def _keep_alive(server: EmbeddedServer, say: Say) -> None:
    """Start the embedded PostgreSQL again should it die."""
    while True:
        await asyncio.sleep(0.5)
        if server.runs():
            continue
        await asyncio.sleep(3)  # whoever stopped it on purpose, to start it again, goes first
        try:
            if await server.heal(say):
                _log.error("the embedded PostgreSQL had died and was started again")
        except EmbeddedServerError as error:
            _log.error("the embedded PostgreSQL does not start", why=str(error))
            await asyncio.sleep(5)


@asynccontextmanager
async def open_ledger(settings: Settings, say: Say = lambda _: None) -> AsyncIterator[Writer]:
    """A writer in this process, leading: for programs that use the ledger and nothing else. Sets
    the garbage collector as `serve` does."""
    async with open_database(settings, say) as dsns:
        writer = make_writer(settings, dsns, patient=True)
        await writer.start()
        try:
            await writer.leading.wait()
            quiet_collector()
            yield writer
        finally:
            await writer.stop()


def make_writer(settings: Settings, dsns: Dsns, *, patient: bool) -> Writer:
    """The writer of these settings, which refuses a log that contradicts the published heads."""

    async def check_log(connection: asyncpg.Connection) -> None:
        try:
            await check_log_against_head(connection, settings.keys_dir)
        except AuditMismatch as mismatch:
            raise RefusedToLead(
                f"the log does not agree with the last published head: {mismatch}. "
                "Run `tikiwallet audit verify`; after restoring a backup, `tikiwallet restore`"
            ) from mismatch

    return Writer(
        TermOptions(
            dsns.ledger,
            lease_seconds=settings.lease_ms / 1000,
            hot_accounts=settings.hot_accounts,
            cluster=settings.cluster,
            check_log=check_log,
            reserve=Reserve(settings.keys_dir),
        ),
        patient=patient,
    )


async def run_ledger(settings: Settings, say: Say) -> None:
    """Be the writer, or its standby, until a signal."""
    stopping = stop_on_signals()
    async with open_database(settings, say) as dsns:
        writer = make_writer(settings, dsns, patient=False)
        await writer.start()
        link = LinkServer(writer, settings.ledger_socket)
        await link.start()
        say("ledger: campaigning")
        waiting = asyncio.create_task(writer.leading.wait())
        await _first(waiting, stopping)
        if not stopping.is_set():
            say(f"ledger: leading, at {settings.ledger_socket}")
            quiet_collector()
        await stopping.wait()
        await writer.stop()
        await link.stop()


async def run_worker(settings: Settings, say: Say) -> None:
    """Do the worker's tasks until a signal, with the writer reached over its socket."""
    stopping = stop_on_signals()
    async with open_database(settings, say, migrating=False) as dsns:
        link = LedgerLink(settings.ledger_socket, settings.lease_ms / 1000)
        await link.start()
        database = await Database.connect(dsns.app, APP)
        async with open_outbox(settings, database) as outbox:
            shared = make_shared(settings, dsns, database, link, Outside(outbox=outbox))
            schedule = make_schedule(settings, database, link, shared)
            schedule.start()
            say("worker: running")
            await stopping.wait()
            await schedule.stop()
            await shared.identity.stop()
        await link.stop()
        await database.close()


async def rotate_keys(settings: Settings, say: Say, progress: Progress, *, add: bool = True) -> int:
    """Make a new data key (unless not `add`), wait until everybody seals with it, and seal anew
    what may change; how many values that were."""
    if add:
        say(f"data-{add_key(settings.keys_dir)}.key seals from now on")
        await asyncio.sleep(LOOK_SECONDS)  # the others look at the folder that often
    async with (
        open_database(settings, migrating=False) as dsns,
        Database.opened(dsns.app, APP, settings=UNHURRIED) as database,
    ):
        return await reseal(database, Sealing(settings.keys_dir), SEALED, progress)


def build_identity(
    settings: Settings,
    dsns: Dsns,
    database: Database,
    outside: Outside = NOTHING_OUTSIDE,
) -> Identity:
    """Identity, with codes going out, or else to the sandbox's inbox."""
    return Identity.build(
        database,
        connect=lambda: connect(dsns.app, APP),
        keys_dir=settings.keys_dir,
        issuer=settings.public_url,
        sender=outside.outbox or SandboxInbox(database),
        rate_limits=settings.rate_limits,
        providers=outside.providers,
        recovery_wait=timedelta(hours=settings.recovery_hours),
    )


@dataclass(frozen=True, slots=True)
class Shared:
    """What answering calls and the worker's tasks have in common."""

    identity: Identity
    wallets: Wallets
    gateway: SandboxGateway
    topups: TopUps
    closing: Closing
    notices: Notices
    offline: Offline
    outside: Outside


def make_shared(
    settings: Settings,
    dsns: Dsns,
    database: Database,
    ledger: Writer | LedgerLink,
    outside: Outside,
) -> Shared:
    identity = build_identity(settings, dsns, database, outside)
    wallets = Wallets(database, ledger)
    gateway = SandboxGateway(database, settings.public_url)
    offline = Offline.build(
        database, ledger=ledger, wallets=wallets, identity=identity, keys_dir=settings.keys_dir
    )
    return Shared(
        identity=identity,
        wallets=wallets,
        gateway=gateway,
        topups=TopUps(
            database, ledger=ledger, wallets=wallets, chart=Chart(ledger), gateway=gateway
        ),
        closing=Closing(
            database,
            events=identity.events,
            ledger=ledger,
            wallets=wallets,
            closure=identity.account.closure,
            elsewhere=[offline.departure],
        ),
        notices=Notices(database, identity.events),
        offline=offline,
        outside=outside,
    )


def make_schedule(
    settings: Settings, database: Database, ledger: Writer | LedgerLink, shared: Shared
) -> Schedule:
    """All that happens without being asked."""
    # Where people pay in this very process, sealing what it has missed leaves them most of it.
    rest = _SEAL_REST if isinstance(ledger, Writer) else 0.0
    return Schedule(
        [
            *upkeep_tasks(
                database,
                ledger,
                shared.topups,
                shared.outside.outbox,
                keys_dir=settings.keys_dir,
                seal_rest=rest,
            ),
            *account_tasks(shared.identity, shared.notices, shared.closing),
            *offline_tasks(shared.offline),
        ]
    )


async def _first(task: asyncio.Task[bool], stopping: asyncio.Event) -> None:
    other = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, other}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    other.cancel()


def quiet_collector() -> None:
    """Full collections stop every request for the length of a walk over all states; what lives now
    lives on, and what comes is collected young."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 1_000)


def stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def own_command() -> str:
    """How whoever started this may start it again, by copy and paste."""
    return sys.argv[0] if sys.argv[0].endswith("/tikiwallet") else "tikiwallet"
