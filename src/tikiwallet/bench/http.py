"""Load over HTTP: by wrk where it is installed, else by our own generator, in its own process."""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tikiwallet.bench.lanes import NO_WORDS, Lane, Words, write_lanes
from tikiwallet.bench.processes import Watch, child_environment, free_port

GENERATORS = ("auto", "wrk", "own")
_SCRIPT = Path(__file__).with_name("wrk.lua")
_WRK_THREADS = 1  # one core of two asks for more than the product answers; see docs/bench.md
_WARMUP_SECONDS = 1.0
_GRACE_SECONDS = 30.0
_TIMEOUT_SECONDS = 5
_CONNECT_TRIES = 500


class LoadFailed(Exception):
    """The load generator ended with an error, or did not say what it measured."""


@dataclass(frozen=True)
class LoadResult:
    """What a load generator saw. `refused`: answers of 400 and above; `broken`: no answer."""

    generator: str
    requests: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return (self.requests - self.refused) / self.seconds

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know besides the numbers."""
        notes = []
        if self.refused:
            notes.append(f"{self.refused} of {self.requests} answers were refusals")
        if self.broken:
            notes.append(f"{self.broken} connections or requests broke")
        return tuple(notes)


def choose(generator: str) -> str:
    """`wrk` or `own`, from what was asked for and what is installed. Raises LoadFailed."""
    if generator not in GENERATORS:
        raise LoadFailed(f"no load generator is called {generator}: use {', '.join(GENERATORS)}")
    if generator == "auto":
        return "wrk" if shutil.which("wrk") else "own"
    if generator == "wrk" and not shutil.which("wrk"):
        raise LoadFailed("wrk is not installed; --generator own does without it")
    return generator


async def drive(
    generator: str,
    lanes: Callable[[], Sequence[Lane]],
    port: int,
    seconds: int,
    watch: Watch,
    *,
    warmup: float = _WARMUP_SECONDS,
    words: Words = NO_WORDS,
) -> LoadResult:
    """Warm up, then play lanes against `port`, one connection each, inside `watch`.

    `lanes` is called for the warm-up and again for the run, so that idempotency keys are fresh.
    """
    with tempfile.TemporaryDirectory(prefix="tiki-bench-") as folder:
        path, text = Path(folder) / "lanes", Path(folder) / "words"
        text.write_text(words.text)
        extra = [str(text), str(words.width)]
        if generator == "wrk" and warmup > 0:
            made = lanes()
            write_lanes(path, made)
            warming = _wrk(path, len(made), port, max(1, round(warmup)))
            await _call([*warming, *extra], None, warmup)
        made = lanes()
        write_lanes(path, made)
        if generator == "wrk":
            command = _wrk(path, len(made), port, seconds)
        else:
            module = "tikiwallet.bench.generator"
            command = [sys.executable, "-m", module, str(path), "127.0.0.1", str(port)]
            command += [str(seconds), str(warmup)]
        said = await _call([*command, *extra], watch, seconds + warmup)
    return parse(generator, said)


def _wrk(path: Path, connections: int, port: int, seconds: int) -> list[str]:
    threads = min(_WRK_THREADS, connections)
    return [
        *("wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s"),
        *("--timeout", f"{_TIMEOUT_SECONDS}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}"),
        *("--", str(path), str(threads)),
    ]


async def _call(words: Sequence[str], watch: Watch | None, seconds: float) -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        env=child_environment({}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        if watch is None:
            output, errors = await asyncio.wait_for(process.communicate(), seconds + _GRACE_SECONDS)
        else:
            watch.add("load generator", process.pid)
            async with watch:
                output, errors = await asyncio.wait_for(
                    process.communicate(), seconds + _GRACE_SECONDS
                )
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise LoadFailed(f"{words[0]} ended with {process.returncode}: {errors.decode()[-500:]}")
    return output.decode()


def parse(generator: str, text: str) -> LoadResult:
    """The last line of a generator's output that is JSON. Raises LoadFailed."""
    for line in reversed(text.splitlines()):
        if not line.startswith("{"):
            continue
        said = json.loads(line)
        if said["duration_us"] <= 0 or said["requests"] <= 0:
            break
        return LoadResult(
            generator=generator,
            requests=said["requests"],
            seconds=said["duration_us"] / 1_000_000,
            refused=said["refused"],
            broken=said["broken"],
            p50_ms=said["p50_us"] / 1000,
            p99_ms=said["p99_us"] / 1000,
        )
    raise LoadFailed(f"{generator} measured nothing:\n{text[-500:]}")


async def ceiling(
    generator: str, lanes: Callable[[int], Sequence[Lane]], seconds: int, watch: Watch
) -> LoadResult:
    """Play the same lanes against a server that does nothing."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tikiwallet.bench.ceiling", str(port)),
        env=child_environment({}),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port)
        watch.add("empty server", process.pid)
        return await drive(generator, lambda: lanes(port), port, seconds, watch)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    for _ in range(_CONNECT_TRIES):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        return
    raise LoadFailed("the empty server did not start")
