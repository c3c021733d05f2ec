"""Watching real processes: CPU, memory, and what is left of those that ended."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tikiwallet.bench.processes import (
    DidNotStart,
    Process,
    Watch,
    child_environment,
    free_port,
    is_ready,
)

_SPIN = "import time\nuntil = time.monotonic() + {}\nwhile time.monotonic() < until: pass"


async def _spin(seconds: float) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", _SPIN.format(seconds))


async def test_a_busy_process_shows_its_cpu_and_memory() -> None:
    spinning = await _spin(30)
    try:
        async with Watch({"busy": spinning.pid, "absent": None}) as watch:
            await asyncio.sleep(1.0)
    finally:
        spinning.kill()
        await spinning.wait()
    (use,) = watch.uses
    assert use.name == "busy"
    assert 20 < use.cpu_percent < 150
    assert use.resident_mb is not None
    assert 2 < use.resident_mb < 100


async def test_only_the_time_within_the_block_counts() -> None:
    spinning = await _spin(30)
    try:
        early = Watch({"busy": spinning.pid})
        while sum(psutil.Process(spinning.pid).cpu_times()[:2]) < 1.0:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.02)
        late = Watch({"busy": spinning.pid})
        async with early, late:
            await asyncio.sleep(0.5)
    finally:
        spinning.kill()
        await spinning.wait()
    assert early.uses[0].cpu_percent == pytest.approx(late.uses[0].cpu_percent, rel=0.2)


async def test_what_was_seen_of_a_process_that_ended_is_kept() -> None:
    spinning = await _spin(0.8)
    async with Watch({"busy": spinning.pid}) as watch:
        await spinning.wait()
    (use,) = watch.uses
    assert use.cpu_percent > 20
    assert use.resident_mb is not None


async def test_a_tree_counts_children_that_come_later() -> None:
    nested = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_SPIN.format(1.2)!r}])"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", nested)
    async with Watch({"postgres": parent.pid}) as watch:
        await parent.wait()
    (use,) = watch.uses
    assert use.cpu_percent > 20
    assert use.resident_mb is None


async def test_a_process_that_ends_says_why(tmp_path: Path) -> None:
    environment = child_environment({"TIKIWALLET_PORT": "not a port"})
    process = Process(("no-such-command",), environment, tmp_path / "log")
    with pytest.raises(DidNotStart, match="no-such-command ended with"):
        await process.ready(free_port(), limit=30)
    await process.stop()
    assert process.tail()


def test_nobody_is_ready_on_a_free_port() -> None:
    assert not is_ready(free_port())


def test_children_see_only_the_settings_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKIWALLET_DATABASE_URL", "postgresql://production/wallet")
    environment = child_environment({"TIKIWALLET_PORT": "8001"})
    settings = {name: value for name, value in environment.items() if name.startswith("TIKI")}
    assert settings == {"TIKIWALLET_PORT": "8001"}
    shown = subprocess.run(
        [sys.executable, "-c", "import os; print('TIKIWALLET_DATABASE_URL' in os.environ)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "False"
