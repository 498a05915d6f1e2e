"""Noticing a standstill: the engine was away for longer than it wanted to be."""

import pytest

from agent.engine.standstill import STANDSTILL_SECONDS, Standstill


class Running:
    """A clock that says what it is told to."""

    at = 1000.0

    def boottime(self):
        return self.at


@pytest.fixture
def clock():
    return Running()


@pytest.mark.parametrize(
    ("rest", "away", "lost"),
    [
        (60.0, 60.0, 0.0),
        (60.0, 1.0, 0.0),
        (0.0, STANDSTILL_SECONDS - 0.1, 0.0),
        (0.5, 7.5, 7.0),
        (60.0, 360.0, 300.0),
    ],
)
def test_what_is_over_the_rest_and_more_than_a_moment_is_lost(clock, rest, away, lost):
    standstill = Standstill(clock)
    standstill.lost()
    assert standstill.rests(rest) == rest
    clock.at += away
    assert standstill.lost() == pytest.approx(lost)
    standstill.rests(0.0)
    assert standstill.lost() == 0.0, "it is told once"


def test_who_never_rested_missed_nothing(clock):
    standstill = Standstill(clock)
    clock.at += 3600.0
    assert standstill.lost() == 0.0
