"""A bank for each test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.offline.bank import Bank, running_bank
from tests.servers import DatabaseUrls


@pytest.fixture
async def bank(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Bank]:
    async with running_bank(database_urls, tmp_path / "keys") as running:
        yield running
