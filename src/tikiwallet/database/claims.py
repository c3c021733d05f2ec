"""Who uses a data folder: locks on files, which the kernel frees when a process dies.

A claim is exclusive (one `serve` per data folder, one start of the database at a time) or shared
(each process that uses the embedded database holds one; the last to leave stops the server).
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class DataDirInUse(Exception):
    """Another process holds the claim; the text is one line for whoever started this one."""


class Claim:
    """An open lock on `data_dir/run/<name>.lock`; ends with `release`, `with`, or the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def exclusive(cls, data_dir: Path, name: str) -> "Claim":
        """Be the only `name` on this data folder. Raises DataDirInUse when another one is."""
        descriptor = _open(data_dir, name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode().strip()
            os.close(descriptor)
            raise DataDirInUse(
                f"another `tikiwallet {name}` (process {holder or 'unknown'}) uses {data_dir}: "
                "stop it first, or set TIKIWALLET_DATA_DIR to another folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    @classmethod
    def turn(cls, data_dir: Path, name: str) -> "Claim":
        """Wait for one's turn at something short that one process at a time may do."""
        descriptor = _open(data_dir, name)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return cls(descriptor)

    @classmethod
    def shared(cls, data_dir: Path, name: str) -> "Claim":
        """Be one of several; take it during a `turn`, so that nobody is just leaving."""
        descriptor = _open(data_dir, name)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return cls(descriptor)

    def is_last(self) -> bool:
        """Whether no other process shares this claim; to be asked during a `turn`."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give it up; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _open(data_dir: Path, name: str) -> int:
    folder = data_dir / "run"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
