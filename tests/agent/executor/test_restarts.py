"""The end of a run that was to restart the host: told only if it was not the restart that ended it."""

import threading

import pytest

from agent.executor.repairs import Repairs
from remediations.runner import DirectRunner, Outcome, Result
from tests.agent.outbox import owed

KILLED = Result(outcome=Outcome.FAILED, detail="killed by SIGTERM", signal=15)


@pytest.fixture
def repairs(tmp_path):
    return Repairs(DirectRunner(boot_id="boot-1"), tmp_path / "runs")


def row(boot_id="boot-1", timeout=60.0):
    payload = {"run_id": "a" * 32, "timeout": timeout} | ({"boot_id": boot_id} if boot_id else {})
    return owed(payload)


def test_a_run_that_was_killed_is_told_by_the_next_daemon_if_this_one_is_stopped_too(repairs):
    threading.Timer(0.05, repairs.stop).start()
    assert repairs.outlived_by(row(), KILLED)


def test_a_run_that_was_killed_for_another_reason_is_told_when_its_time_is_over(repairs):
    assert not repairs.outlived_by(row(timeout=0.05), KILLED)


@pytest.mark.parametrize(
    ("order", "result"),
    [
        (row(boot_id=""), KILLED),
        (row(boot_id="boot-0"), KILLED),
        (row(), Result(outcome=Outcome.FAILED, detail="exit status 1", exit_code=1)),
        (row(), Result(outcome=Outcome.TIMED_OUT, detail="not over after 60 s")),
        (row(), Result(outcome=Outcome.REFUSED, detail="no policy")),
    ],
)
def test_everything_else_is_told_at_once(repairs, order, result):
    repairs.stop()
    assert not repairs.outlived_by(order, result)
