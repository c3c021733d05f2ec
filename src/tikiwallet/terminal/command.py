"""`tikiwallet terminal`: starts the device, with a screen or for a program; ends it in order."""

import asyncio
import os
import sqlite3
import sys
from pathlib import Path
from typing import Final

from tikiwallet import logs
from tikiwallet.terminal import headless, screen
from tikiwallet.terminal.journal_file import JournalDamaged, JournalInUse

LOG: Final = "terminal.log"
_RECOVER = (
    "Nothing was changed. With --recover the damaged files are kept aside, and the terminal goes on"
    " with what can be read of them."
)


def default_folder() -> Path:
    """Where a terminal keeps its journal unless told otherwise: the XDG place for a user's data."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(base) / "tikiwallet-terminal"


def run(folder: Path | None, *, server: str | None, is_headless: bool, recover: bool) -> int:
    """Run until it is told to end; the exit code."""
    way = headless.run if is_headless else screen.run
    place = folder or default_folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (place / LOG).open("a", encoding="utf-8") as log:  # the screen is for people
            logs.configure("warning", log)
            asyncio.run(way(place, server=server, recover=recover))
    except JournalDamaged as damaged:
        return _end(f"{damaged}. {_RECOVER}")
    except JournalInUse as in_use:
        return _end(str(in_use))
    except (sqlite3.Error, OSError) as error:
        return _end(f"the terminal had to stop: {error}")
    except KeyboardInterrupt:
        pass
    return 0


def _end(words: str) -> int:
    sys.stderr.write(f"tikiwallet terminal: {words}\n")
    return 1
