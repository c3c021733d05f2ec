"""One running `serve` for all tests of this folder, with people who have money."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.faults.book import Person
from tests.faults.crowd import sign_up
from tests.faults.installation import Installation
from tests.faults.wire import Answer, Line
from tests.servers import run_apart


@dataclass(frozen=True)
class Served:
    """A running service and three people on it: who pays, who is paid, who signed out."""

    installation: Installation
    payer: Person
    payee: Person
    gone: Person

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.installation.port

    async def send(self, request: bytes) -> Answer:
        """One request, byte by byte as given, on a connection of its own."""
        line = Line(self.port)
        try:
            return await line.send(request)
        finally:
            await line.close()

    async def call(self, method: str, path: str, body: object = None, **options: str) -> Answer:
        """One request on a connection of its own."""
        line = Line(self.port)
        try:
            return await line.call(method, path, body, **options)  # type: ignore[arg-type]
        finally:
            await line.close()


async def _open(installation: Installation) -> Served:
    await installation.start("serve").ready(installation.port)
    served = Served(installation, *await sign_up(installation.port, 3))
    token = served.gone.token
    left = await served.call("POST", "/v1/auth/logout", token=token)
    assert left.status == 204
    for _ in range(100):  # every process has heard of it within a second
        if (await served.call("GET", "/v1/me", token=token)).status == 401:
            break
        await asyncio.sleep(0.05)
    return served


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """The running service."""
    installation = Installation.empty()
    try:
        yield run_apart(_open(installation))
        run_apart(installation.stop())
    finally:
        print(installation.tail())  # noqa: T201
        run_apart(installation.close())
