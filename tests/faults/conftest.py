"""Fixtures of the fault tests: a town of twenty people, copied for each test; seeds; time.

TIKIWALLET_SOAK_SECONDS makes the tests that go in rounds go on for so long together;
TIKIWALLET_FAULT_SEED repeats a run's choices. Both are taken out of the environment here.
"""

import os
import random
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.faults.book import Book, Person
from tests.faults.crowd import sign_up
from tests.faults.installation import Installation
from tests.servers import run_apart

SOAK_SECONDS = float(os.environ.pop("TIKIWALLET_SOAK_SECONDS", "0"))
SEED = int(os.environ.pop("TIKIWALLET_FAULT_SEED", "0")) or random.SystemRandom().getrandbits(30)
_PEOPLE = 20
_SLACK_SECONDS = 300.0  # for a soaking test, beyond the time its rounds take


class Rounds:
    """How often a test goes round: a few times, or in a soak as long as its share of the time."""

    def __init__(self, share: float) -> None:
        self._seconds = SOAK_SECONDS * share

    def __call__(self, count: int) -> Iterator[int]:
        """Numbers of rounds, from 0."""
        began = time.monotonic()
        number = 0
        while number < count or time.monotonic() - began < self._seconds:
            yield number
            number += 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    soaking = [item for item in items if "rounds" in getattr(item, "fixturenames", ())]
    for item in soaking:
        item.user_properties.append(("share", 1 / len(soaking)))
        if SOAK_SECONDS:
            seconds = SOAK_SECONDS / len(soaking) + _SLACK_SECONDS
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Rounds:
    """How often to go round."""
    return Rounds(float(dict(request.node.user_properties)["share"]))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What all of a test's choices follow from; printed."""
    print(f"\n{request.node.name}: TIKIWALLET_FAULT_SEED={SEED}")  # noqa: T201
    return SEED


@pytest.fixture
def chance(seed: int) -> random.Random:
    """The test's own choices."""
    return random.Random(seed)


@pytest.fixture(scope="session")
def town() -> Iterator[tuple[Installation, list[Person]]]:
    """An installation with twenty people who have money; nothing runs on it."""
    installation = Installation.empty()

    async def settle() -> list[Person]:
        try:
            await installation.start("serve").ready(installation.port)
            people = await sign_up(installation.port, _PEOPLE)
            await installation.stop()
        except BaseException:
            print(installation.tail())  # noqa: T201
            await installation.close()
            raise
        return people

    people = run_apart(settle())
    yield installation, people
    run_apart(installation.close())


@pytest.fixture
async def installation(
    town: tuple[Installation, list[Person]],
) -> AsyncIterator[Installation]:
    """A copy of the town for one test; what was started on it is gone afterwards."""
    copied = town[0].copy()
    try:
        yield copied
    finally:
        print(copied.tail())  # noqa: T201  shown when the test failed
        await copied.close()


@pytest.fixture
def book(town: tuple[Installation, list[Person]]) -> Book:
    """An empty book of the town's people."""
    return Book(list(town[1]))
