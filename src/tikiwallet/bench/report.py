"""The report: one table for people, one JSON document for programs, both naming the machine."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tikiwallet.bench.figures import Figure, ProcessUse

_GIB = 1024**3


@dataclass(frozen=True)
class Machine:
    """Where the figures were taken. Memory in GiB."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    postgresql: str
    python: str
    generator: str

    def words(self) -> str:
        """One line for people."""
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:g} GiB, {self.kernel}, "
            f"PostgreSQL {self.postgresql}, Python {self.python}, load by {self.generator}"
        )


def machine(postgresql: str, generator: str) -> Machine:
    """This machine; cores are those this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        cpu=_cpu_model(),
        cores=cores or 1,
        memory_gib=round(psutil.virtual_memory().total / _GIB, 1),
        kernel=f"{platform.system()} {platform.release()}",
        postgresql=postgresql,
        python=platform.python_version(),
        generator=generator,
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def as_json(machine: Machine, figures: Sequence[Figure]) -> dict[str, object]:
    """The whole report as plain values. `met` is null where nothing was asked for."""
    return {
        "machine": asdict(machine),
        "figures": [
            {
                **asdict(figure),
                "ratio": None if figure.ratio is None else round(figure.ratio, 3),
                "met": figure.met,
            }
            for figure in figures
        ],
    }


def show(console: Console, machine: Machine, figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table(title="tikiwallet bench", caption=machine.words(), show_lines=True)
    table.add_column("figure", overflow="fold", min_width=16)
    for name in ("value", "p50 ms", "p99 ms", "beside", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("target", overflow="fold", min_width=12)
    table.add_column("", justify="center", no_wrap=True)
    table.add_column("CPU % and MB by process", overflow="fold", min_width=24)
    for figure in figures:
        table.add_row(*row(figure))
    console.print(table)
    if any(figure.yardstick is not None for figure in figures):
        console.print(
            "beside: pgbench (TPC-B; -S for reads), the mean of its runs right before and right"
            " after ours; for the large data set, the same load on a small one."
        )


def row(figure: Figure) -> tuple[str, ...]:
    """The cells of one figure."""
    title = "\n".join((figure.title, *figure.notes))
    value = "-" if figure.value is None else f"{number(figure.value)} {figure.unit}"
    last = "\n".join(process_words(use) for use in figure.processes)
    return (
        title,
        value,
        "" if figure.p50_ms is None else f"{figure.p50_ms:.2f}",
        "" if figure.p99_ms is None else f"{figure.p99_ms:.2f}",
        "" if figure.yardstick is None else number(figure.yardstick.mean),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        figure.target.words(figure.unit),
        {True: "ok", False: "MISSED", None: ""}[figure.met],
        figure.error or last,
    )


def number(value: float) -> str:
    """A rate without decimals, something small with two."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def process_words(use: ProcessUse) -> str:
    """`writer 97 % 210 MB`: resident memory, or the proportional share where that is all."""
    memory = use.resident_mb if use.resident_mb is not None else use.proportional_mb
    return f"{use.name} {use.cpu_percent:.0f} %" + ("" if memory is None else f" {memory:.0f} MB")
