"""Fixtures for tests of the ledger: a writer that leads on a database of its own."""

from collections.abc import AsyncIterator

import pytest
from tests.ledger.writers import options, running
from tests.servers import DatabaseUrls

from tikiwallet.ledger.writer import Writer


@pytest.fixture
async def writer(database_urls: DatabaseUrls) -> AsyncIterator[Writer]:
    """A writer that leads."""
    async with running(options(database_urls)) as writer:
        yield writer
