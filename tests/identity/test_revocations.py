"""Ended sessions reach every process within a second: by notice, and without one."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from tests.identity.conftest import ISSUER
from tests.identity.sign_up import ANA, sign_up
from tests.servers import DatabaseUrls

from tikiwallet import clock, ids
from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database, connect
from tikiwallet.identity import revocations
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.revocations import Revocations
from tikiwallet.notify.inbox import SandboxInbox

_WATCH = """
import asyncio, sys, time
from functools import partial
from pathlib import Path
from tikiwallet.database.pool import connect
from tikiwallet.identity.keys import load_token_keys
from tikiwallet.identity.revocations import Revocations
from tikiwallet.identity.tokens import TokenRevoked, TokenVerifier

async def main(dsn, role, keys_dir, issuer, token):
    following = Revocations(partial(connect, dsn, role))
    await following.start()
    verifier = TokenVerifier(load_token_keys(Path(keys_dir)), issuer, following)
    verifier.verify("Bearer " + token)
    print("verified", flush=True)
    while True:
        try:
            verifier.verify("Bearer " + token)
        except TokenRevoked:
            print(time.time(), flush=True)
            break
        await asyncio.sleep(0.005)
    await following.stop()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def following(database_urls: DatabaseUrls) -> AsyncIterator[Revocations]:
    """Another process's view, here in this one."""
    other = Revocations(partial(connect, database_urls.app, APP))
    await other.start()
    yield other
    await other.stop()


async def until(state: Callable[[], bool], seconds: float) -> None:
    """Wait for `state`, at most so many seconds."""
    async with asyncio.timeout(seconds):
        while not state():  # noqa: ASYNC110 - the state belongs to what is tested
            await asyncio.sleep(0.002)


async def known_within(seconds: float, other: Revocations, session: bytes) -> None:
    await until(lambda: session in other.revoked, seconds)


async def end(database: Database, session: bytes, notify: bool = True) -> None:
    ends = clock.from_us(clock.now_us() + 3_600_000_000)
    async with database.transaction() as connection:
        if notify:
            await revocations.record(connection, session, ends)
        else:
            await connection.execute(
                "INSERT INTO identity.revocation (session, until) VALUES ($1, $2)",
                ids.write_uuid(session),
                ends,
            )


async def test_a_second_process_refuses_within_a_second(
    database_urls: DatabaseUrls,
    database: Database,
    inbox: SandboxInbox,
    tmp_path: Path,
) -> None:
    keys_dir = tmp_path / "keys"
    identity = Identity.build(
        database,
        connect=partial(connect, database_urls.app, APP),
        keys_dir=keys_dir,
        issuer=ISSUER,
        sender=inbox,
    )
    await identity.start()
    _, tokens = await sign_up(identity, inbox, ANA, "ana")
    arguments = (database_urls.app, APP, str(keys_dir), ISSUER, tokens.access_token)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WATCH, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"verified\n"
    ended_at = time.time()
    await identity.sessions.logout(
        identity.verifier.verify(f"Bearer {tokens.access_token}").session
    )
    refused_at = float(await child.stdout.readline())
    assert await child.wait() == 0
    assert refused_at - ended_at < 1
    await identity.stop()


async def test_by_notice(database: Database, following: Revocations) -> None:
    session = ids.new_uuid7()
    await end(database, session)
    await known_within(1, following, session)


async def test_without_a_notice(database: Database, following: Revocations) -> None:
    session = ids.new_uuid7()
    await end(database, session, notify=False)
    await known_within(1, following, session)


async def test_one_that_commits_after_later_ones(
    database: Database, following: Revocations
) -> None:
    slow, quick = ids.new_uuid7(), ids.new_uuid7()
    ends = clock.from_us(clock.now_us() + 3_600_000_000)
    async with database.transaction() as connection:
        await revocations.record(connection, slow, ends)
        for _ in range(3):
            quick = ids.new_uuid7()
            await end(database, quick)
            await known_within(1, following, quick)
        assert slow not in following.revoked
    await known_within(1, following, slow)


async def test_a_new_process_knows_what_ended_before(
    database: Database, database_urls: DatabaseUrls
) -> None:
    session, long_ago = ids.new_uuid7(), ids.new_uuid7()
    await end(database, session)
    async with database.transaction() as connection:
        await revocations.record(connection, long_ago, clock.from_us(clock.now_us() - 1))
    other = Revocations(partial(connect, database_urls.app, APP))
    assert other.fresh_until == 0
    await other.start()
    assert set(other.revoked) == {session}
    assert other.fresh_until > clock.boot_seconds()
    await other.stop()
    assert other.fresh_until == 0


async def test_a_lost_connection_is_made_again(
    database: Database, database_urls: DatabaseUrls, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[asyncpg.Connection] = []

    async def open_one() -> asyncpg.Connection:
        opened.append(await connect(database_urls.app, APP))
        return opened[-1]

    other = Revocations(open_one)
    await other.start()
    await database.execute("SELECT pg_terminate_backend($1)", opened[0].get_server_pid())
    session = ids.new_uuid7()
    await end(database, session)
    await known_within(5, other, session)
    assert len(opened) == 2
    await other.stop()


async def test_cut_off_it_stops_to_vouch(database_urls: DatabaseUrls) -> None:
    reachable = True
    attempts = 0

    async def open_one() -> asyncpg.Connection:
        nonlocal attempts
        attempts += 1
        if not reachable:
            raise ConnectionRefusedError
        opened.append(await connect(database_urls.app, APP))
        return opened[-1]

    opened: list[asyncpg.Connection] = []
    other = Revocations(open_one)
    await other.start()
    reachable = False
    opened[0].terminate()
    before = other.fresh_until
    assert before <= clock.boot_seconds() + revocations.GRACE_SECONDS
    # Several attempts to ask, none of which may make what is known look fresh.
    await until(lambda: attempts > 3, 5)
    assert other.fresh_until <= before + 1
    stale = other.fresh_until
    reachable = True
    await until(lambda: other.fresh_until > stale, 5)
    await other.stop()


async def test_a_database_whose_transaction_ids_begin_again(
    database: Database, database_urls: DatabaseUrls
) -> None:
    """As after a restore below a running process: what it had seen last is far ahead."""
    reachable = asyncio.Event()
    opened: list[asyncpg.Connection] = []

    async def open_one() -> asyncpg.Connection:
        if opened:
            waiting.set()
            await reachable.wait()
        opened.append(await connect(database_urls.app, APP))
        return opened[-1]

    waiting = asyncio.Event()
    other = Revocations(open_one)
    await other.start()
    opened[0].terminate()
    await asyncio.wait_for(waiting.wait(), 5)
    other._horizon = str(1 << 62)
    session = ids.new_uuid7()
    await end(database, session)
    reachable.set()
    await known_within(5, other, session)
    await other.stop()


@pytest.mark.parametrize("error", [asyncpg.InternalClientError("odd"), KeyError("session")])
async def test_nothing_ends_the_following(
    database: Database,
    database_urls: DatabaseUrls,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = 0

    async def open_one() -> asyncpg.Connection:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            raise error
        return await connect(database_urls.app, APP)

    other = Revocations(open_one)
    await other.start()
    assert other._connection is not None
    other._connection.terminate()
    session = ids.new_uuid7()
    await end(database, session)
    await known_within(5, other, session)
    assert attempts == 3
    assert [one.exc_info[1] for one in caplog.records if one.exc_info] == [error]
    await other.stop()
