"""A service that flaps, and a daemon that is killed -9 between the flaps: no limit is ever exceeded for all that."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.store.database import read_only
from tests.crash.scene import Nursery, Scene, scene, wait_for

pytestmark = pytest.mark.crash
FLAPS = int(os.environ.get("FLAPS", "10"))
SLACK_SECONDS = 0.05
"""Wall clock and boot-time clock drift apart by less than this within a test."""


@pytest.fixture
def made(nursery: Nursery, folder: Path) -> Iterator[Scene]:
    with scene(folder / "scene", nursery) as made:
        yield made


def flap(made: Scene, done: Any) -> None:
    """Let a fresh daemon see the patient die, do what it does about it, and kill it."""
    if made.patient() is None:
        command = ["/bin/sh", made.folder / "repair.sh", made.folder, "0"]
        subprocess.run(command, check=True, env={"PARAMEDIC_RUN": ""})
    life = made.start()
    wait_for(lambda: not active(made), f"the end of what was: {made.story()}")
    made.strike()
    wait_for(lambda: done(made), f"what is done about it: {made.story()} {made.log()}")
    life.end()


def active(made: Scene) -> list[dict[str, Any]]:
    return [each for each in made.incidents() if each["state"] not in ("resolved", "closed")]


def repaired_or_refused(made: Scene) -> bool:
    """Whether it is up again, or there is a word of a guard on record why not."""
    now = active(made)
    return any(each["refusals"] or each["state"] == "escalated" for each in now) or (
        made.patient() is not None and bool(made.incidents()) and not now
    )


def judged_or_refused(made: Scene) -> bool:
    return any(each["state"] == "escalated" or each["refusals"] for each in active(made))


def runs(made: Scene) -> list[tuple[float, float]]:
    """Return start and end of every run on record, in order."""
    connection = sqlite3.connect(read_only(made.database), uri=True)
    try:
        rows = connection.execute("SELECT started_at, coalesce(ended_at, started_at) FROM runs ORDER BY started_at")
        return rows.fetchall()
    finally:
        connection.close()


def most_within(starts: list[float], seconds: float) -> int:
    return max(sum(at - seconds + SLACK_SECONDS < each <= at for each in starts) for at in starts)


def test_rate_limits_and_cool_downs_hold_across_flaps_with_kill_9_in_between(made: Scene):
    made.options = {
        "limits": {"attempts": 1000, "runs": 3, "per": "4s", "cooldown": "400ms"},
        "breaker": {"failures": 1000, "of": 1000},
    }
    limits = {"runs": 4, "per": "7s"}
    made.tables = {"actions.restart_command": {"limits": limits, "breaker": {"failures": 1000, "of": 1000}}}
    made.write()

    for _ in range(FLAPS):
        flap(made, repaired_or_refused)

    ran = runs(made)
    starts = [start for start, _ in ran]
    on_record = {run["run_id"] for each in made.incidents() for run in each["runs"]}
    assert len(made.effects()) == len(set(made.effects())), "each run once"
    assert set(made.effects()) <= on_record, "and none that is not on record"
    assert len(ran) >= 3, "it does repair, as often as it may"
    assert most_within(starts, 4.0) <= 3
    assert most_within(starts, 7.0) <= 4, "the limit of the action kind, beside that of the remediation"
    assert all(after[0] - before[1] >= 0.4 - SLACK_SECONDS for before, after in pairwise(ran)), ran


def test_an_open_breaker_stays_open_across_flaps_with_kill_9_in_between(made: Scene):
    made.options = {
        "limits": {"attempts": 1000, "runs": 1000, "cooldown": "0s"},
        "breaker": {"failures": 3, "of": 5, "half_open": "1h"},
    }
    made.step = {"action": "restart_command", "name": "patient", "argv": ["/bin/true"], "timeout": "10s"}
    made.verify = {"hold": "100ms", "timeout": "300ms"}
    made.write()

    for _ in range(FLAPS):
        flap(made, judged_or_refused)

    assert len(runs(made)) == 3
    assert "circuit breaker" in made.incidents()[0]["escalated_reason"]
