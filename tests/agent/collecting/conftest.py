"""Clock, scheduler and sink of the tests of the collectors' host."""

import pytest

from agent.clock import SystemClock
from agent.scheduling import Scheduling
from tests.agent.collecting.fakes import Heard, TurnedClock


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def turned():
    return TurnedClock()


@pytest.fixture
def clock():
    return SystemClock()


@pytest.fixture
def schedule(clock):
    made = Scheduling(clock)
    made.start()
    yield made
    made.close()
