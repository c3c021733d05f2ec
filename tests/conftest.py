"""Fixtures for all tests: a real PostgreSQL server, fresh databases, settings.

TIKIWALLET_TEST_SERVER says which server: `embedded` (as when not set), `debian`, or `all`: then a
test that uses `database_urls` runs on both, if Debian's is installed.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import hypothesis
import pytest
import uvloop
from tests.servers import (
    Databases,
    DatabaseUrls,
    DebianServer,
    Server,
    debian_programs,
    free_port,
    memory_folder,
    remove_folder,
    run_apart,
    short_folder,
    start_embedded,
)
from tests.turns import turn

from tikiwallet.config import Settings

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

# An example may take long while other tests run beside it; tests of speed measure that alone.
hypothesis.settings.register_profile("tikiwallet", deadline=None)
hypothesis.settings.load_profile("tikiwallet")

# Taken out of the environment: `tikiwallet` refuses settings that it does not know.
CHOICE = os.environ.pop("TIKIWALLET_TEST_SERVER", "embedded")


def _servers() -> list[str]:
    match CHOICE:
        case "embedded":
            return ["embedded"]
        case "debian":
            return ["debian"]
        case "all":
            return ["embedded", "debian"] if debian_programs() else ["embedded"]
        case _:
            raise pytest.UsageError("TIKIWALLET_TEST_SERVER is embedded, debian or all")


def pytest_report_header() -> str:
    return f"PostgreSQL: {', '.join(_servers())} (installed by Debian: {debian_programs()})"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", _servers(), indirect=True, scope="session")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, LoopFactory]:
    """The ledger is tested on the loop that it runs on, and what takes a connection over on both:
    what they do when a connection is lost is not the same."""
    loops: dict[str, LoopFactory] = {
        "uvloop": uvloop.new_event_loop,
        "asyncio": asyncio.new_event_loop,
    }
    if item.path.name != "test_channel.py":
        del loops["asyncio" if "ledger" in item.path.parts else "uvloop"]
    return loops


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.database)
    items[:] = _mixed(list(_each_statement_on_each_server(items)))


def _each_statement_on_each_server(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """All tests on the first server, and on the others once those that take parameters: it is
    statements that may differ between servers, and the next wrong phone number sends the same."""
    first = _servers()[0]
    seen = set()
    for item in items:
        server = _server_of(item) or first
        if server != first:
            test = (server, item.nodeid.partition("[")[0])
            if test in seen:
                continue
            seen.add(test)
        yield item


def _mixed(items: list[pytest.Item]) -> list[pytest.Item]:
    """Files that wait (for processes, leases) among files that compute (browsers, rules), so that
    several workers find both to do at any time; but all of one server before the next is started.
    The order is the same each time."""
    files: dict[tuple[int, Path], list[pytest.Item]] = {}
    servers = _servers()
    for item in items:
        server = _server_of(item)
        files.setdefault((-1 if server is None else servers.index(server), item.path), []).append(
            item
        )
    keys = sorted(files, key=lambda key: crc32(key[1].name.encode()))
    without = [key for key in keys if key[0] < 0]
    with_server = sorted((key for key in keys if key[0] >= 0), key=lambda key: key[0])
    places = {
        key: (place + 0.5) / len(some)
        for some in (without, with_server)
        for place, key in enumerate(some)
    }
    return [item for key in sorted(places, key=places.__getitem__) for item in files[key]]


def _server_of(item: pytest.Item) -> str | None:
    parameters = getattr(item, "callspec", None)
    server: str | None = None if parameters is None else parameters.params.get("server")
    return server


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the process that hands out work: tell a worker what was chosen."""
    node.workerinput["servers"] = CHOICE


def pytest_configure(config: pytest.Config) -> None:
    global CHOICE  # noqa: PLW0603  tests read it here
    CHOICE = getattr(config, "workerinput", {}).get("servers", CHOICE)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    # Outside of everything else, so that waiting for a turn does not count as the test's time.
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server, shared by all tests."""
    folder = memory_folder()
    try:
        if request.param == "embedded":
            embedded = start_embedded(folder)
            yield embedded
            run_apart(embedded.stop())
        else:
            programs = debian_programs()
            assert programs is not None, "Debian's package postgresql is not installed"
            debian = DebianServer(folder, programs, shared_buffers="128MB")
            debian.start()
            yield debian
            debian.stop()
    finally:
        remove_folder(folder)


@pytest.fixture(scope="session")
def databases(server: Server) -> Iterator[Databases]:
    """Makes databases on the server."""
    databases = Databases(server)
    yield databases
    databases.close()


@pytest.fixture
def database_urls(databases: Databases) -> Iterator[DatabaseUrls]:
    """A fresh, migrated database of this test's own, as each role logs in to it."""
    urls = databases.make()
    yield urls
    databases.drop(urls)


@pytest.fixture
def empty_database_urls(databases: Databases) -> Iterator[DatabaseUrls]:
    """A fresh database without any migration."""
    urls = databases.make(migrated=False)
    yield urls
    databases.drop(urls)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A fresh private folder with a short path."""
    folder = short_folder()
    yield folder
    remove_folder(folder)


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    """Settings of an embedded installation in a folder and on a port of its own."""
    port = free_port()
    return Settings(
        data_dir=data_dir,
        keys_dir=data_dir / "keys",
        port=port,
        public_url=f"http://localhost:{port}",
    )
