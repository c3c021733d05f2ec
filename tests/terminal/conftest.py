"""What a terminal's tests share."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.terminal import fake_supplicant
from tests.terminal.buses import CONFIGURATION, Process, Start, running


@pytest.fixture
async def bus(data_dir: Path) -> AsyncIterator[Process]:
    configuration = data_dir / "bus.conf"
    configuration.write_text(CONFIGURATION.format(socket=data_dir / "bus"))
    arguments = [f"--config-file={configuration}", "--nofork", "--print-address=1"]
    async with running("dbus-daemon", *arguments) as process:
        yield process


@pytest.fixture
def address(data_dir: Path) -> str:
    return f"unix:path={data_dir / 'bus'}"


@pytest.fixture
async def supplicant(bus: Process, address: str) -> AsyncIterator[Start]:
    """Starts wpa_supplicant in one of its modes."""
    async with AsyncExitStack() as stack:

        async def start(mode: str) -> Process:
            module = fake_supplicant.__name__
            return await stack.enter_async_context(
                running(sys.executable, "-m", module, address, mode)
            )

        yield start
