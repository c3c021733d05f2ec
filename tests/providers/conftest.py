"""A clock moved by hand."""

import pytest
from tests.identity.hand_clock import HandClock


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()
