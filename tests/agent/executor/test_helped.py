"""Repairs through the helper: what the daemon says of a run, and what it leaves to the next daemon."""

from agent.executor.helped import HelpedRepairs
from agent.executor.pool import Pool
from agent.executor.prelude import NOTHING, Prelude
from remediations.runner import Outcome, Result
from tests.agent.outbox import owed

DONE = Result(outcome=Outcome.SUCCEEDED, detail="exit status 0", output="o", exit_code=0)


class FakeRunner:
    """The helper as far as the daemon knows it."""

    def __init__(self, *, begun=(), result=DONE):
        self.begun = set(begun)
        self.result = result
        self.asked = []

    def run(self, run_id, plan, timeout):
        self.asked.append(("run", run_id, plan.argv, timeout))
        return self.result

    def collect(self, run_id, timeout):
        self.asked.append(("collect", run_id, timeout))
        return self.result

    def began(self, run_id):
        return run_id in self.begun


def at_once(_row):
    """Nothing is looked at before the run."""
    return NOTHING


def row(run_id="r1"):
    order = {"run_id": run_id, "argv": ["a", "b"], "environment": [], "resource": "r", "timeout": 5.0}
    return owed(order, target="helper")


def test_the_stored_plan_is_what_the_helper_is_asked_for():
    runner = FakeRunner()
    settled = HelpedRepairs(runner, at_once).perform(row())
    assert runner.asked == [("run", "r1", ("a", "b"), 5.0)]
    assert (settled.row, settled.claim, settled.done) == (7, "mine", True)
    said = {"outcome": "succeeded", "detail": "exit status 0", "exit_code": 0, "output": "o", "diagnostics": ""}
    assert settled.result == said


def test_a_run_that_began_before_a_crash_is_collected_and_never_asked_for():
    runner = FakeRunner(begun={"r1"})
    repairs = HelpedRepairs(runner, at_once)
    assert repairs.began("r1")
    assert not repairs.began("r2")
    repairs.perform(row("r1"))
    repairs.perform(row("r2"))
    assert [each[0] for each in runner.asked] == ["collect", "run"]


def test_a_run_that_goes_on_when_the_daemon_stops_is_not_answered_for():
    answers = []
    pool = Pool({"helper": HelpedRepairs(FakeRunner(result=None), at_once).perform}, answers.append)
    pool.hand_over(row())
    pool.finish("helper", 5.0)
    assert answers == []


def test_a_precondition_that_fails_keeps_the_run_from_the_helper():
    runner = FakeRunner()
    settled = HelpedRepairs(runner, lambda _row: Prelude(unmet="not now")).perform(row())
    assert (settled.result["outcome"], settled.result["unmet"]) == ("refused", True)
    assert runner.asked == []
