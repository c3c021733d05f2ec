"""A service for the app: `serve`, on an installation of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.installation import Installation
from tests.servers import run_apart


def url_of(installation: Installation) -> str:
    """Where it listens, as a person would type it."""
    return f"http://localhost:{installation.port}"


@contextmanager
def serving(installation: Installation) -> Iterator[Installation]:
    """`installation` while `serve` runs on it, stopped in order and removed at the end; what it
    wrote is shown beside a test that fails."""
    installation.environment["TIKIWALLET_PUBLIC_URL"] = url_of(installation)
    try:
        run_apart(installation.start("serve").ready(installation.port))
        yield installation
        run_apart(installation.stop())
    finally:
        print(installation.tail())  # noqa: T201
        run_apart(installation.close())
