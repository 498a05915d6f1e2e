"""The matrix is no formality: daemons that break a promise are convicted by it."""

import pytest

from tests.crash import matrix
from tests.crash.matrix import KillPoint
from tests.crash.tracer import needs_strace

pytestmark = [pytest.mark.crash, needs_strace]
STAGES = {stage.name: stage for stage in matrix.STAGES}


@pytest.mark.parametrize(
    ("mutant", "at", "verdict"),
    [
        ("effect_before_intent", ("struck", "pwrite64"), "blind: "),
        ("repeat_interrupted", ("running", "pwrite64"), "twice: "),
        ("create_without_find", ("struck", "recvfrom"), "duplicate: "),
        ("record_changes_afterwards", ("struck", "fdatasync"), "unrecorded: "),
    ],
)
def test_a_daemon_that_breaks_a_promise_is_convicted(nursery, folder, mutant, at, verdict):
    points = [KillPoint(stage=STAGES[at[0]], call=at[1], number=number) for number in (1, 2, 8)]

    trials = matrix.attempt_all(points, folder, nursery, mutant)

    assert any(sentence.startswith(verdict) for trial in trials for sentence in trial.broken), trials


def test_an_honest_daemon_is_acquitted_at_the_same_points(nursery, folder):
    calls = (("struck", "pwrite64"), ("running", "pwrite64"), ("struck", "recvfrom"))
    points = [KillPoint(stage=STAGES[stage], call=call, number=1) for stage, call in calls]

    trials = matrix.attempt_all(points, folder, nursery)

    assert [(str(trial.point), trial.broken) for trial in trials if trial.broken] == []
