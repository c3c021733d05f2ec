"""The embedded server: made, stopped, killed, adopted, shared, refused."""

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from tests.servers import remove_folder

from tikiwallet.database import installation
from tikiwallet.database.claims import Claim, DataDirInUse
from tikiwallet.database.cluster import APP, LEDGER, LOGINS, OWNER, SUPERUSER, server_settings
from tikiwallet.database.embedded import EmbeddedServer
from tikiwallet.database.installation import EmbeddedServerError, Runner, installed_programs
from tikiwallet.database.migrate import migrate
from tikiwallet.database.pool import connect

AS_ROOT = os.geteuid() == 0


@asynccontextmanager
async def running(
    data_dir: Path, progress: list[str] | None = None
) -> AsyncIterator[EmbeddedServer]:
    report = (lambda _: None) if progress is None else progress.append
    server = await EmbeddedServer.start(data_dir, data_dir / "keys", report)
    try:
        yield server
    finally:
        await server.stop()


async def value(dsn: str, sql: str) -> object:
    connection = await connect(dsn, None)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def keep(server: EmbeddedServer) -> None:
    await value(server.dsn(OWNER), "CREATE TABLE kept AS SELECT 7 AS n")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kill_server(pid: int, *, children: bool) -> None:
    """End a server without warning, with or without the processes it made, and await the end."""
    server = psutil.Process(pid)
    offspring = server.children() if children else []
    for process in (server, *offspring):
        process.kill()
    # The server stays a zombie of ours: nobody asks for its status before the next start.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    psutil.wait_procs(offspring, timeout=20)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, even if whoever inherited it has not asked for its status."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_the_first_start_makes_all_and_the_next_keeps_it(data_dir: Path) -> None:
    told: list[str] = []
    async with running(data_dir, told) as server:
        for role in LOGINS:
            assert await value(server.dsn(role), "SELECT session_user::text") == role
        await keep(server)
        pid = server.pid
    assert told == ["Creating the database"]
    assert is_gone(pid)
    async with running(data_dir, told) as server:
        assert await value(server.dsn(OWNER), "SELECT n FROM kept") == 7
    assert told == ["Creating the database"]


async def test_nothing_is_open_to_others(data_dir: Path) -> None:
    async with running(data_dir) as server:
        database = (data_dir / "database").resolve()
        assert mode(database) == mode(database / "socket") == 0o700
        assert mode(data_dir / "keys") == 0o700
        assert mode(data_dir / "keys" / "database.json") == 0o600
        assert mode(server.log) == 0o600
        rules = await value(
            server.dsn(SUPERUSER),
            "SELECT string_agg(type || ' ' || auth_method, ',') FROM pg_hba_file_rules",
        )
        assert rules == "local scram-sha-256"
        assert await value(server.dsn(SUPERUSER), "SHOW listen_addresses") == ""
        assert not psutil.Process(server.pid).net_connections("inet")
        passwords = json.loads((data_dir / "keys" / "database.json").read_text())
        assert sorted(passwords) == sorted(LOGINS)
        assert len(set(passwords.values())) == len(LOGINS)
        for role in LOGINS:
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(server.dsn(role), password="guess")
        assert not any(password in server.log.read_text() for password in passwords.values())


async def test_logins_have_no_more_rights_than_they_need(data_dir: Path) -> None:
    async with running(data_dir) as server:
        for role in (OWNER, LEDGER, APP):
            powers = await value(
                server.dsn(role),
                "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
                " FROM pg_roles WHERE rolname = session_user",
            )
            assert powers is False
        with pytest.raises(ValueError, match="cannot log in"):
            server.dsn("somebody")
        assert await migrate(server.dsn(OWNER)) != []


@pytest.mark.parametrize("children", [False, True])
async def test_a_killed_server_recovers(data_dir: Path, children: bool) -> None:
    server = await EmbeddedServer.start(data_dir, data_dir / "keys")
    await keep(server)
    await asyncio.to_thread(kill_server, server.pid, children=children)
    assert is_gone(server.pid)
    assert (data_dir / "database" / "cluster" / "postmaster.pid").exists()
    async with running(data_dir) as again:
        assert again.pid != server.pid
        assert await value(again.dsn(OWNER), "SELECT n FROM kept") == 7
        await server.stop()  # whoever still believes in the dead one does no harm
        assert await value(again.dsn(OWNER), "SELECT n FROM kept") == 7


async def test_a_number_used_again_by_a_stranger_is_no_server(data_dir: Path) -> None:
    async with running(data_dir) as server:
        await keep(server)
    user = Runner.of_this_process().user
    stranger = subprocess.Popen(["sleep", "600"], user=user)
    try:
        note = data_dir / "database" / "cluster" / "postmaster.pid"
        folder = data_dir / "database" / "cluster"
        note.write_text(f"{stranger.pid}\n{folder}\n1700000000\n5432\n/x\n\n  1 1\nready   \n")
        Runner.of_this_process().own(note)
        lock = data_dir / "database" / "socket" / ".s.PGSQL.5432.lock"
        lock.write_text(note.read_text())
        Runner.of_this_process().own(lock)
        async with running(data_dir) as again:
            assert again.pid != stranger.pid
            assert await value(again.dsn(OWNER), "SELECT n FROM kept") == 7
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


STARTER = """
import asyncio, pathlib, sys
from tikiwallet.database.claims import Claim
from tikiwallet.database.embedded import EmbeddedServer

async def main():
    folder = pathlib.Path(sys.argv[1])
    claim = Claim.exclusive(folder, "serve")
    server = await EmbeddedServer.start(folder, folder / "keys")
    print(server.pid, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


@pytest.fixture
def other_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that claims the folder and starts its server; ends when stdin does."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def test_an_orphan_is_adopted(data_dir: Path, other_process: subprocess.Popen[str]) -> None:
    pid = int(await asyncio.to_thread(first_line, other_process))
    with pytest.raises(DataDirInUse) as refused:
        Claim.exclusive(data_dir, "serve")
    assert f"process {other_process.pid}" in str(refused.value)
    assert str(data_dir) in str(refused.value)
    assert "\n" not in str(refused.value)
    other_process.kill()
    await asyncio.to_thread(other_process.wait)
    assert psutil.pid_exists(pid)
    with Claim.exclusive(data_dir, "serve"):
        told: list[str] = []
        async with running(data_dir, told) as server:
            assert server.pid == pid
            assert await value(server.dsn(APP), "SELECT 1") == 1
        assert told == []
    assert is_gone(pid)


async def test_the_last_to_leave_stops_it(
    data_dir: Path, other_process: subprocess.Popen[str]
) -> None:
    pid = int(await asyncio.to_thread(first_line, other_process))
    async with running(data_dir) as one, running(data_dir) as two:
        assert one.pid == two.pid == pid
        assert other_process.stdin is not None
        other_process.stdin.close()
        assert await asyncio.to_thread(other_process.wait) == 0
        assert await value(one.dsn(APP), "SELECT 1") == 1
        await two.stop()
        await two.stop()
        assert await value(one.dsn(APP), "SELECT 1") == 1
    assert is_gone(pid)


async def test_whoever_started_it_may_leave_first(data_dir: Path) -> None:
    one = await EmbeddedServer.start(data_dir, data_dir / "keys")
    async with running(data_dir) as two:
        await one.stop()
        assert await value(two.dsn(APP), "SELECT 1") == 1
    assert is_gone(two.pid)


async def test_many_at_once_start_one(data_dir: Path) -> None:
    keys = data_dir / "keys"
    servers = await asyncio.gather(*(EmbeddedServer.start(data_dir, keys) for _ in range(4)))
    assert len({server.pid for server in servers}) == 1
    await asyncio.gather(*(server.stop() for server in servers))
    assert is_gone(servers[0].pid)


async def test_a_long_path_gets_a_short_socket(data_dir: Path) -> None:
    deep = data_dir.joinpath(*["a-rather-long-name-of-a-folder"] * 5)
    deep.mkdir(parents=True)
    for folder in (data_dir, *data_dir.rglob("*")):
        folder.chmod(0o755)
    async with running(deep) as server:
        assert await value(server.dsn(APP), "SELECT 1") == 1
        folder = Path(str(await value(server.dsn(SUPERUSER), "SHOW unix_socket_directories")))
        assert not folder.is_relative_to(deep)
        assert mode(folder) == 0o700
    assert not folder.exists()


async def test_an_interrupted_making_begins_again(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    database = (data_dir / "database").resolve()
    (database / "cluster").rename(database / "cluster.new")
    (database / "cluster.new" / "PG_VERSION").unlink()
    async with running(data_dir) as server:
        assert await value(server.dsn(APP), "SELECT 1") == 1
    assert not (database / "cluster.new").exists()


async def test_lost_passwords_are_told(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    passwords = data_dir / "keys" / "database.json"
    kept = passwords.read_text()
    passwords.write_text("{")
    with pytest.raises(EmbeddedServerError, match=r"database\.json cannot be read"):
        await EmbeddedServer.start(data_dir, data_dir / "keys")
    passwords.unlink()
    with pytest.raises(EmbeddedServerError, match=r"database\.json is missing"):
        await EmbeddedServer.start(data_dir, data_dir / "keys")
    passwords.write_text(kept)
    async with running(data_dir) as server:
        assert await value(server.dsn(APP), "SELECT 1") == 1


async def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    control = (data_dir / "database" / "cluster" / "global" / "pg_control").resolve()
    control.rename(control.with_suffix(".away"))
    with pytest.raises(EmbeddedServerError, match="does not start") as refused:
        await EmbeddedServer.start(data_dir, data_dir / "keys")
    assert "pg_control" in str(refused.value)
    control.with_suffix(".away").rename(control)
    async with running(data_dir) as server:
        assert await value(server.dsn(APP), "SELECT 1") == 1


async def test_another_version_is_refused(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    (data_dir / "database" / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match="was made by PostgreSQL 17"):
        await EmbeddedServer.start(data_dir, data_dir / "keys")


@pytest.mark.parametrize(
    ("memory", "stored", "buffers"),
    [
        (512 << 20, 0, "128MB"),
        (8 << 30, 0, "1024MB"),
        (256 << 30, 0, "2048MB"),
        (256 << 30, 6 << 30, "3072MB"),
        (256 << 30, 1 << 40, "8192MB"),
        (8 << 30, 1 << 40, "2048MB"),
    ],
)
def test_buffers_follow_the_machine_and_the_data(memory: int, stored: int, buffers: str) -> None:
    assert server_settings(memory, stored)["shared_buffers"] == buffers


@pytest.mark.parametrize(
    ("stored", "log"),
    [(0, "1024MB"), (1 << 30, "1024MB"), (6 << 30, "3072MB"), (1 << 40, "8192MB")],
)
def test_the_room_between_checkpoints_follows_the_data(stored: int, log: str) -> None:
    assert server_settings(8 << 30, stored)["max_wal_size"] == log


def test_a_claim_ends_with_its_process(
    data_dir: Path, other_process: subprocess.Popen[str]
) -> None:
    pid = int(first_line(other_process))
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    with Claim.exclusive(data_dir, "serve"), pytest.raises(DataDirInUse):
        Claim.exclusive(data_dir, "serve")
    Claim.exclusive(data_dir, "serve").release()
    psutil.Process(pid).send_signal(signal.SIGINT)
    psutil.wait_procs([psutil.Process(pid)], timeout=20)


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another user")
async def test_below_a_private_folder_root_puts_the_data_elsewhere(data_dir: Path) -> None:
    data_dir.chmod(0o700)
    inner = data_dir / "tikiwallet"
    try:
        async with running(inner) as server:
            assert await value(server.dsn(APP), "SELECT 1") == 1
            assert (inner / "database").readlink().parent == installation.SHARED_STATE
            assert psutil.Process(server.pid).uids().real != 0
        assert mode(data_dir) == 0o700
        async with running(inner) as server:
            assert await value(server.dsn(APP), "SELECT 1") == 1
        shutil.rmtree((inner / "database").resolve())
        with pytest.raises(EmbeddedServerError, match="which is gone"):
            await EmbeddedServer.start(inner, inner / "keys")
    finally:
        remove_folder(inner)


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another user")
def test_programs_in_a_private_folder_are_copied(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = installed_programs().parent.parent
    private = data_dir / "private"
    private.mkdir(mode=0o700)
    for name in (f"{package.name}/pginstall18", f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, private / name, symlinks=True)
    data_dir.chmod(0o711)
    hidden = private / package.name / "pginstall18" / "bin"
    monkeypatch.setattr(installation, "installed_programs", lambda: hidden)
    monkeypatch.setattr(installation, "SHARED_STATE", data_dir / "shared")
    before = os.umask(0o077)
    try:
        runner = Runner.of_this_process()
        programs = installation.programs_for(runner)
        assert programs.is_relative_to(data_dir / "shared")
        assert runner.run([programs / "postgres", "--version"]).returncode == 0
        assert runner.run([programs / "psql", "--version"]).returncode == 0
        assert installation.programs_for(runner) == programs
    finally:
        os.umask(before)
    assert mode(private) == 0o700
