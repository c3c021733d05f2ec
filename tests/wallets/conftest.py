"""Wallets over a running ledger."""

from collections.abc import AsyncIterator

import pytest
from tests.servers import DatabaseUrls
from tests.wallets.stack import Stack, running_stack


@pytest.fixture
async def stack(database_urls: DatabaseUrls) -> AsyncIterator[Stack]:
    async with running_stack(database_urls) as running:
        yield running
