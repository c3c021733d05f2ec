"""A bank, or a world that settles, for each test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.offline.bank import Bank, running_bank
from tests.offline.settling import World, running_world
from tests.servers import DatabaseUrls


@pytest.fixture
async def bank(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Bank]:
    async with running_bank(database_urls, tmp_path / "keys") as running:
        yield running


@pytest.fixture
async def world(database_urls: DatabaseUrls) -> AsyncIterator[World]:
    async with running_world(database_urls) as running:
        yield running
