"""How a command runs: its settings, what it says, and how it fails in one line."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
import uvloop

from tikiwallet import logs
from tikiwallet.config import Settings, SettingsError
from tikiwallet.database.claims import DataDirInUse
from tikiwallet.database.installation import EmbeddedServerError
from tikiwallet.errors import Problem
from tikiwallet.identity.keys import KeyFileError
from tikiwallet.identity.places import PlacesFileError
from tikiwallet.identity.sealing import SealBroken

_Answer = TypeVar("_Answer")
_TOLD = (  # what an operator is told in one line
    DataDirInUse,
    EmbeddedServerError,
    PlacesFileError,
    KeyFileError,
    SealBroken,
    OSError,
    Problem,
)


def settings_or_exit() -> Settings:
    """The settings of the environment, logs set up by them; each mistake is told in a line, and the
    command ends with 2."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        raise typer.Exit(2) from None
    logs.configure(settings.log_level)
    return settings


def say(line: str) -> None:
    """Tell people a line at once, also through a pipe."""
    print(line, flush=True)


def carry_out(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """The answer of `work`; what operators can mend is told in a line, and it ends with 1."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except _TOLD as error:
        print(f"tikiwallet: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
