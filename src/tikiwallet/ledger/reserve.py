"""How far log numbers may have been given out, kept outside the database.

A restored log goes on above every number that anyone can have been told of. The last head alone
does not say that: it lies seconds behind, or hours while nothing sealed. So the writer notes here,
before it answers, a number that it will stay below until it has noted a higher one.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from tikiwallet.ledger.heads import sync_folder

AHEAD: Final = 1_000_000  # numbers that one note reserves; no batch is longer than a hundredth


class Reserve:
    """keys_dir/heads/reserved: one line with one number, which only grows."""

    def __init__(self, keys_dir: Path, shard: int = 0) -> None:
        self.path = keys_dir / "heads" / ("reserved" if shard == 0 else f"reserved-{shard}")

    def read(self) -> int | None:
        """The highest number that may have been given out; None when nobody noted it, or the note
        cannot be read."""
        try:
            text = self.path.read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return int(text) if text.endswith("\n") and text[:-1].isdigit() else None

    def raise_to(self, n: int) -> None:
        """Note that numbers up to `n` may be given out; on the disk when it returns."""
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The lock is on a file of its own: the note is replaced, and a lock goes with its file.
        with os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if n <= (self.read() or 0):
                return
            fresh = self.path.with_name(f"{self.path.name}.new")
            with os.fdopen(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
            ) as new:
                new.write(f"{n}\n")
                new.flush()
                os.fsync(new.fileno())
            fresh.replace(self.path)
            sync_folder(folder)
