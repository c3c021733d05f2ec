"""What the bench reports: figures, what they are held against, and whether they reach it.

Floats here are rates, milliseconds and ratios; no money passes through this package's results.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessUse:
    """What one process took during a run: CPU in per cent of one core, memory in MB (10^6 bytes).

    `resident` counts shared pages in full, `proportional` by share (None where the system does
    not tell). For PostgreSQL the whole tree of processes is one line and `resident` is left None,
    because its shared buffers would be counted once per process.
    """

    name: str
    cpu_percent: float
    resident_mb: float | None
    proportional_mb: float | None


@dataclass(frozen=True)
class Target:
    """What a figure has to reach; every part that is set must hold."""

    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    p99_ms: float | None = None

    def words(self, unit: str) -> str:
        """The target as people read it."""
        parts = []
        if self.ratio is not None:
            parts.append(f">= {self.ratio:g}x")
        if self.at_least is not None:
            parts.append(f">= {self.at_least:,.10g} {unit}")
        if self.at_most is not None:
            parts.append(f"<= {self.at_most:,.10g} {unit}")
        if self.p99_ms is not None:
            parts.append(f"p99 <= {self.p99_ms:g} ms")
        return ", ".join(parts)


NO_TARGET = Target()


@dataclass(frozen=True)
class Yardstick:
    """What was measured right before and right after a run, in the unit of the figure."""

    name: str
    before: float
    after: float

    @property
    def mean(self) -> float:
        """What ratios are taken against."""
        return (self.before + self.after) / 2


@dataclass(frozen=True)
class Figure:
    """One line of the report. `error` says in words why there is no value."""

    name: str
    title: str
    unit: str
    value: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    yardstick: Yardstick | None = None
    target: Target = NO_TARGET
    processes: tuple[ProcessUse, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def ratio(self) -> float | None:
        """The value over the mean of what was measured before and after."""
        if self.value is None or self.yardstick is None or not self.yardstick.mean:
            return None
        return self.value / self.yardstick.mean

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none. No value reaches no target."""
        target = self.target
        if target == NO_TARGET:
            return None if self.error is None else False
        if self.error is not None or self.value is None:
            return False
        checks = (
            (target.ratio, self.ratio, 1),
            (target.at_least, self.value, 1),
            (target.at_most, self.value, -1),
            (target.p99_ms, self.p99_ms, -1),
        )
        return all(
            measured is not None and (measured - wanted) * sign >= 0
            for wanted, measured, sign in checks
            if wanted is not None
        )
