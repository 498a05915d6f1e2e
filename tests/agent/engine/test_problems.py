"""Problems: faults that come back, or that automation keeps mending, through the engine."""

import pytest

from agent.engine.commands import CloseProblem, CommandError, ExplainProblem
from agent.itsm.problems import ProblemLimits

LATER = 2 * 3600.0
"""So much later a recurrence is another incident."""


@pytest.fixture
def idle(make_bench):
    """Nothing is repaired here."""
    return make_bench(ladders=())


def fault(bench, name="web"):
    """Let a fault come and go, long enough ago for the next one to be an incident of its own."""
    bench.process(up=0, name=name)
    bench.clock.advance(1)
    bench.process(up=1, name=name)
    bench.pass_time(LATER)


def mended(bench):
    """Let a fault come and be mended by its remediation."""
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.settle(row, outcome="succeeded")
    for _ in range(2):
        bench.process(up=1)
        bench.pass_time(15)
    bench.pass_time(LATER)


def order(bench, command):
    answer = bench.engine.queue.order(command)
    bench.turn()
    return answer.result(0)


def test_the_third_incident_of_a_subject_opens_one_problem_with_all_of_them(idle):
    fault(idle)
    fault(idle)
    assert idle.reader.problems() == []
    fault(idle)
    (problem,) = idle.reader.problems()
    assert problem["why"] == "3 incidents within 7 days"
    assert len(problem["incidents"]) == 3
    fault(idle)
    (again,) = idle.reader.problems()
    assert again["id"] == problem["id"]
    assert len(again["incidents"]) == 4


def test_automation_that_mends_a_fault_again_and_again_masks_it(make_bench):
    bench = make_bench()
    bench.parts.desk.rules.problems = ProblemLimits(incidents=100)
    for _ in range(3):
        mended(bench)
    (problem,) = bench.reader.problems()
    assert problem["masked"] is True
    assert problem["why"] == "mended 3 times within 7 days: automation masks a fault"


def test_a_problem_that_came_of_incidents_is_named_as_masked_once_that_shows(bench):
    mended(bench)
    mended(bench)
    bench.process(up=0)
    assert [each["masked"] for each in bench.reader.problems()] == [False]
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.settle(row, outcome="succeeded")
    for _ in range(2):
        bench.process(up=1)
        bench.pass_time(15)
    assert [each["masked"] for each in bench.reader.problems()] == [True]


def test_incidents_of_one_kind_on_many_subjects_are_one_problem_together(idle):
    for number in range(10):
        idle.process(up=0, name=f"worker{number}")
        idle.pass_time(60)
    (problem,) = idle.reader.problems()
    assert problem["why"] == "10 incidents of its kind within 7 days"
    assert len(problem["incidents"]) == 10


def test_what_happened_before_the_window_does_not_count(idle):
    fault(idle)
    fault(idle)
    idle.pass_time(7 * 86400)
    fault(idle)
    assert idle.reader.problems() == []


def test_the_count_and_the_problem_survive_a_restart(idle):
    fault(idle)
    fault(idle)
    idle.restart()
    fault(idle)
    (problem,) = idle.reader.problems()
    idle.restart()
    fault(idle)
    (again,) = idle.reader.problems()
    assert (again["id"], len(again["incidents"])) == (problem["id"], 4)


def test_a_workaround_goes_into_the_next_incident(idle):
    for _ in range(3):
        fault(idle)
    (problem,) = idle.reader.problems()
    found = {"cause": "a leak", "workaround": "restart it by hand"}
    answer = order(idle, ExplainProblem(actor="ada", problem_id=problem["id"], found=found))
    assert answer["state"] == "known_error"
    idle.process(up=0)
    newest = idle.incidents()[0]
    assert (newest["problem"], newest["workaround"]) == (problem["id"], "restart it by hand")


def test_a_closed_problem_is_over_and_the_count_starts_again(idle):
    for _ in range(3):
        fault(idle)
    (problem,) = idle.reader.problems()
    order(idle, CloseProblem(actor="ada", problem_id=problem["id"], reason="the leak is mended"))
    assert idle.reader.problems() == []
    assert idle.reader.problem(problem["id"])["closed_why"] == "the leak is mended"
    idle.restart()
    fault(idle)
    fault(idle)
    assert idle.reader.problems() == []
    fault(idle)
    assert [each["id"] for each in idle.reader.problems()] != [problem["id"]]


def test_a_problem_that_is_not_there_cannot_be_explained(idle):
    with pytest.raises(CommandError, match="there is no open problem 'x'"):
        order(idle, ExplainProblem(actor="ada", problem_id="x", found={"cause": "y"}))


def test_a_drill_adds_to_no_problem(make_bench):
    bench = make_bench(ladders=(), rules=DRILL)
    for _ in range(5):
        fault(bench)
    assert bench.reader.problems() == []


DRILL = """
groups:
- name: process
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: critical, drill: "true"}
"""
