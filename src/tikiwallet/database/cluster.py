"""Where the embedded server's data lies, how it is made, and what it is set to.

Below `data_dir/database`: `cluster` (the data) and `socket`. The server's log is
`data_dir/run/postgresql.log`. Every login needs its password, from `keys_dir/database.json`
(mode 0600). As root, `data_dir/database` may be a link, see `installation`.
"""

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from tikiwallet.database.installation import (
    SHARED_STATE,
    EmbeddedServerError,
    Runner,
    programs_for,
    shared_folder,
)

SUPERUSER: Final = "postgres"
OWNER: Final = "tikiwallet_owner"
LEDGER: Final = "tikiwallet_ledger"
APP: Final = "tikiwallet_app"
LOGINS: Final = (SUPERUSER, OWNER, LEDGER, APP)

_PORT = 5432  # part of the socket's name; nothing listens on the network
_SOCKET_MAX = 103  # bytes of a socket's path; macOS allows the fewest
_VERSION = "18"

Progress = Callable[[str], None]


class Cluster:
    """Where everything of one installation's server lies, and the passwords to it."""

    def __init__(self, data_dir: Path, keys_dir: Path) -> None:
        self.data_dir = data_dir
        self.keys_dir = keys_dir
        self.folder = data_dir / "database"
        self.runner = Runner()
        self.programs = Path()
        self.passwords: dict[str, str] = {}

    @property
    def data(self) -> Path:
        """The cluster itself, PostgreSQL's data directory."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """Where the server's output goes; a folder that the system user cannot touch."""
        return self.data_dir / "run" / "postgresql.log"

    @property
    def ready(self) -> Path:
        """A mark: roles and database are made."""
        return self.data_dir / "run" / "database-ready"

    def prepare(self, report: Progress) -> None:
        """Make what is missing: folders, passwords, the cluster."""
        self.runner = Runner.of_this_process()
        self.programs = programs_for(self.runner)
        self._make_folder()
        has_cluster = (self.data / "PG_VERSION").exists()
        self._read_passwords(may_make=not has_cluster)
        if not has_cluster:
            report("Creating the database")
            self._make_cluster()
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != _VERSION:
            raise EmbeddedServerError(
                f"{self.data} was made by PostgreSQL {found}, this installation has {_VERSION}: "
                "install the release of TikiWallet that made it"
            )
        self._write_settings()

    def _make_folder(self) -> None:
        """`data_dir/database`, or as root, below a private folder, a link to where it can be."""
        if not self.folder.exists():
            if self.folder.is_symlink():
                raise EmbeddedServerError(
                    f"{self.folder} points to {self.folder.readlink()}, which is gone: "
                    "bring it back, or remove the link to begin with an empty database"
                )
            if self.runner.user is not None:
                # The folder is ours by name; those above it are not.
                self.data_dir.chmod(self.data_dir.stat().st_mode | 0o011)
            if self.runner.can_pass(self.data_dir):
                self.folder.mkdir(mode=0o700)
            else:
                shared_folder(SHARED_STATE)
                elsewhere = tempfile.mkdtemp(prefix="database-", dir=SHARED_STATE)
                self.folder.symlink_to(elsewhere)
            self.runner.own(self.folder.resolve())
        if not self.runner.can_enter(self.folder.resolve()):
            raise EmbeddedServerError(
                f"whoever runs PostgreSQL here cannot enter {self.folder.resolve()}: was "
                "TikiWallet started as another user before? Start it as that user again"
            )
        self.folder = self.folder.resolve()

    def _read_passwords(self, *, may_make: bool) -> None:
        path = self.keys_dir / "database.json"
        if not path.exists():
            if not may_make:
                raise EmbeddedServerError(
                    f"{path} is missing: without its passwords the database in {self.folder} "
                    "stays closed. Put it back from your copy of the keys"
                )
            self.keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = {role: secrets.token_urlsafe(24) for role in LOGINS}
            _write_private(path, json.dumps(made, indent=2) + "\n")
        try:
            read = json.loads(path.read_text())
            self.passwords = {role: str(read[role]) for role in LOGINS}
        except (ValueError, KeyError, TypeError):
            raise EmbeddedServerError(
                f"{path} cannot be read: put it back from your copy of the keys"
            ) from None

    def _make_cluster(self) -> None:
        """Make it under another name first, so that an interrupted start leaves nothing half."""
        scratch = self.folder / "cluster.new"
        shutil.rmtree(scratch, ignore_errors=True)
        self.ready.unlink(missing_ok=True)
        password = self.folder / "password.new"
        _write_private(password, self.passwords[SUPERUSER] + "\n")
        self.runner.own(password)
        options = f"--username={SUPERUSER} --auth=scram-sha-256 --encoding=UTF8 --locale=C"
        locale = "--locale-provider=builtin --builtin-locale=C.UTF-8"
        try:
            made = self.runner.run(
                [
                    self.programs / "initdb",
                    f"--pgdata={scratch}",
                    f"--pwfile={password}",
                    *options.split(),
                    *locale.split(),
                ]
            )
        finally:
            password.unlink()
        if made.returncode != 0:
            raise EmbeddedServerError(f"the database cannot be created: {made.stderr.strip()}")
        # No network and no replication: one rule is all there is.
        (scratch / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        with (scratch / "postgresql.conf").open("a") as settings:
            settings.write("include 'tikiwallet.conf'\n")
        scratch.rename(self.data)

    def _write_settings(self) -> None:
        path = self.data / "tikiwallet.conf"
        settings = server_settings(memory_bytes(), _bytes_in(self.data / "base"))
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        _write_private(path, "".join(["# Written anew at each start.\n", *lines]))
        self.runner.own(path)

    def socket_folder(self) -> Path:
        """A private, empty folder whose path leaves room for the socket's name.

        To be asked for only when no server of this cluster runs.
        """
        folder = self.folder / "socket"
        if len(os.fsencode(socket_file(folder))) > _SOCKET_MAX:
            folder = Path(tempfile.mkdtemp(prefix="tikiwallet-", dir="/tmp"))
        folder.mkdir(mode=0o700, exist_ok=True)
        self.runner.own(folder)
        # A killed server leaves its socket, and a lock that a stranger's process number would keep.
        socket_file(folder).unlink(missing_ok=True)
        socket_file(folder).with_name(f"{socket_file(folder).name}.lock").unlink(missing_ok=True)
        return folder


def memory_bytes() -> int:
    """Memory this process may hope for: the machine's, or less in a container."""
    total = int(psutil.virtual_memory().total)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def server_settings(memory: int, stored: int = 0) -> dict[str, str]:
    """PostgreSQL's settings for a machine with `memory` bytes and `stored` bytes of data so far;
    docs/decisions/0001 has measures."""
    few = min(max(memory // 8, 128 << 20), 2 << 30)
    # Half of what is stored, where a quarter of the memory is enough for that.
    buffers = max(few, min(stored // 2, memory // 4, 8 << 30)) >> 20
    # After each checkpoint every page is logged whole once: the more pages, the rarer it must be.
    log = min(max(stored // 2, 1 << 30), 8 << 30) >> 20
    settings = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "port": str(_PORT),
        "password_encryption": "scram-sha-256",
        "max_connections": "100",
        "shared_buffers": f"{buffers}MB",
        "io_method": "sync",
        # Nothing is replicated from here, so the log need not carry what a standby would want.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "archive_mode": "off",
        "wal_buffers": "64MB",
        "max_wal_size": f"{log}MB",
        "checkpoint_timeout": "15min",
        "wal_compression": "off",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u ",
        "log_checkpoints": "off",
        "log_startup_progress_interval": "500ms",
        # Neither statements nor rows go to a file: they hold what belongs to people.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if sys.platform == "darwin":
        settings["wal_sync_method"] = (
            "fsync_writethrough"  # anything less stays in the disk's cache
        )
    return settings


def _bytes_in(folder: Path) -> int:
    """The size of all files below `folder`, which nobody is writing to."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def socket_file(folder: Path) -> Path:
    """The socket that a server with this socket folder listens on."""
    return folder / f".s.PGSQL.{_PORT}"


def _write_private(path: Path, text: str) -> None:
    """Write all of `path` or nothing, readable by its owner only, following no link."""
    descriptor, scratch = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(scratch).replace(path)
