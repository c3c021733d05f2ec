"""The walk of README.md, run by bash as it stands, against a fresh installation."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.faults.installation import Installation

_REPOSITORY = Path(__file__).parents[2]
_SECTION = re.compile(r"<!-- walk -->(.*?)<!-- /walk -->", re.DOTALL)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def walk() -> str:
    """The shell blocks of the walk, one after another."""
    text = (_REPOSITORY / "README.md").read_text()
    return "".join(block for part in _SECTION.findall(text) for block in _BLOCK.findall(part))


@pytest.fixture
async def fresh() -> AsyncIterator[Installation]:
    """A service that nobody has used, with the limits that everybody meets."""
    installation = Installation.empty(TIKIWALLET_RATE_LIMITS="on")
    try:
        await installation.start("serve").ready(installation.port)
        yield installation
    finally:
        print(installation.tail())  # noqa: T201
        await installation.close()


async def test_the_walk(fresh: Installation, tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "tikiwallet"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tikiwallet "$@"\n')
    program.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-o", "pipefail", "-c", walk()),
        cwd=tmp_path,
        env={**os.environ, "API": f"http://localhost:{fresh.port}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 60)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    text = output.decode()
    assert process.returncode == 0, (text, errors.decode())
    assert not errors, errors.decode()
    answers = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    problems = [answer for answer in answers if "code" in answer]
    assert not problems
    paid = [answer for answer in answers if "balance" in answer]
    assert [sum(p["amount"]["amount"] for p in answer["postings"]) for answer in paid] == [
        *(1250, 250, 1250, 1200)
    ]
    assert paid[2] == paid[0]
    assert "idempotent-replayed: true" in text.lower()
    held = next(answer for answer in answers if "available" in answer)
    assert held["available"] == 50_000 - 1_250 + 250 - 1_200
    entries = next(answer for answer in answers if "items" in answer)["items"]
    assert [entry["memo"] for entry in entries[-3:-1]] == ["change", "lunch"]
    assert "the proof holds" in text
