"""kill -9 at every durable system call: nothing is lost, nothing is done twice, no ticket is doubled."""

import os
import sys
from collections import Counter

import pytest

from tests.crash import matrix
from tests.crash.tracer import needs_strace

pytestmark = [pytest.mark.crash, needs_strace]
LIMIT = int(os.environ.get("CRASH_POINTS", "80"))
LEAST = 60
JUDGED = "JUDGE_SECONDS" in os.environ
"""In `make soak`, which has a machine to itself, not one may take longer."""


def settled(trials):
    """Seconds until nine of ten had settled, and until all had."""
    seconds = sorted(trial.seconds for trial in trials)
    return seconds[len(seconds) * 9 // 10 - 1], seconds[-1]


def test_whenever_it_is_killed_nothing_is_lost_and_nothing_done_twice(nursery, folder, capsys):
    found = [point for stage in matrix.STAGES for point in matrix.points(stage, folder, nursery)]
    picked = matrix.chosen(found, LIMIT)
    trials = matrix.attempt_all(picked, folder, nursery)
    if sum(trial.killed for trial in trials) < LEAST:  # not every life makes as many calls as that which was counted
        more = [point for point in found if point not in picked]
        trials += matrix.attempt_all(matrix.chosen(more, LIMIT), folder, nursery)
    killed = [trial for trial in trials if trial.killed]
    kinds = Counter(sentence.partition(":")[0] for trial in trials for sentence in trial.broken)
    usual, slowest = settled(trials)
    with capsys.disabled():
        sys.stdout.write(
            f"\nkill points {len(killed)} of {len(found)}, lost {kinds['lost']}, twice {kinds['twice']}, "
            f"duplicates {kinds['duplicate']}; "
            f"nine of ten settled within {usual:.1f} s, all within {slowest:.1f} s\n"
        )
    assert {str(trial.point): trial.broken for trial in trials if trial.broken} == {}
    assert (slowest if JUDGED else usual) <= matrix.CONVERGED_SECONDS
    assert len(killed) >= min(LEAST, LIMIT * 3 // 4)


def test_a_run_of_the_root_helper_outlives_the_daemon_and_is_collected_once(nursery, folder, capsys):
    found = [point for stage in matrix.HELPED for point in matrix.points(stage, folder, nursery)]
    trials = matrix.attempt_all(matrix.chosen(found, LIMIT // 4), folder, nursery)
    killed = [trial for trial in trials if trial.killed]
    usual, slowest = settled(trials)
    with capsys.disabled():
        sys.stdout.write(
            f"\nwith the root helper: kill points {len(killed)} of {len(found)}, "
            f"broken {sum(bool(trial.broken) for trial in trials)}; "
            f"nine of ten settled within {usual:.1f} s, all within {slowest:.1f} s\n"
        )
    assert {str(trial.point): trial.broken for trial in trials if trial.broken} == {}
    assert (slowest if JUDGED else usual) <= matrix.CONVERGED_SECONDS
    assert len(killed) >= LIMIT // 8
