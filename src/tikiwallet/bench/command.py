"""`tikiwallet bench`: measures, shows one table, and says by its exit code whether it could.

0: everything was measured; 1: with `strict`, a target was missed; 2: something could not be
measured, or the options are wrong.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from rich.console import Console

from tikiwallet.bench.catalogue import UnknownFigure, select
from tikiwallet.bench.figures import Figure
from tikiwallet.bench.http import LoadFailed, choose
from tikiwallet.bench.large import ACCOUNTS, POSTINGS
from tikiwallet.bench.pgbench import PgbenchFailed
from tikiwallet.bench.processes import DidNotStart
from tikiwallet.bench.progress import Bars
from tikiwallet.bench.report import Machine, as_json, machine, show
from tikiwallet.bench.runs import Bench
from tikiwallet.config import Settings, SettingsError

_QUICK_SECONDS = 3
_WIDTH = 170


@dataclass(frozen=True)
class Options:
    """What the command line says. `only` empty: everything; `large` adds the large data set, which
    is built once (minutes) in `large_dir`, or beside the installation's data, and kept."""

    seconds: int = 10
    connections: int = 256
    only: tuple[str, ...] = ()
    json: bool = False
    large: bool = False
    quick: bool = False
    strict: bool = False
    generator: str = "auto"
    large_dir: Path | None = None
    large_accounts: int = ACCOUNTS
    large_postings: int = POSTINGS
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def run(options: Options) -> int:
    """Measure, print the report to standard output, answer the exit code."""
    errors = Console(stderr=True)
    try:
        if options.seconds < 1 or options.connections < 2:
            raise LoadFailed("a run takes at least 1 second and 2 connections")
        report, figures = asyncio.run(_measure(options, errors))
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("stopped")
        return 130
    except (
        SettingsError,
        UnknownFigure,
        LoadFailed,
        PgbenchFailed,
        DidNotStart,
        OSError,
        asyncpg.PostgresError,
    ) as error:
        errors.print(f"bench: {error}", markup=False, highlight=False)
        return 2
    if options.json:
        json.dump(as_json(report, figures), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        # A pipe has no width of its own, and 80 columns are too few for the table.
        show(Console(width=None if sys.stdout.isatty() else _WIDTH), report, figures)
    return exit_code(figures, options.strict)


def exit_code(figures: list[Figure], strict: bool) -> int:
    """What the process ends with, from what was measured."""
    if any(figure.error is not None for figure in figures):
        return 2
    if strict and any(figure.met is False for figure in figures):
        return 1
    return 0


async def _measure(options: Options, errors: Console) -> tuple[Machine, list[Figure]]:
    # Whoever ends the bench ends what it started.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    names = select(options.only, options.large)
    generator = choose(options.generator)
    settings = Settings.from_environment(options.environment)
    with Bars(errors, len(names)) as bars:
        bench = Bench(
            names=names,
            bars=bars,
            generator=generator,
            environment=options.environment,
            seconds=min(options.seconds, _QUICK_SECONDS) if options.quick else options.seconds,
            connections=options.connections,
            rounds=1 if options.quick else 5,
            large_dir=options.large_dir or settings.data_dir.parent / "tikiwallet-bench-large",
            large_accounts=options.large_accounts,
            large_postings=options.large_postings,
        )
        await bench.run()
    for problem in bench.problems:
        errors.print(problem, markup=False, highlight=False)
    return machine(bench.postgresql, generator), bench.report()
