"""Problems: faults that come back, or that automation keeps mending, through the engine."""

import pytest

from agent.engine.commands import CloseProblem, CommandError, ExplainProblem, SetMaintenance
from agent.incidents.inhibition import Inhibition
from agent.itsm.catalogue import Catalogue, Service
from agent.itsm.problems import ProblemLimits
from rules import matchers
from tests.agent.engine.conftest import LATER


@pytest.fixture
def idle(make_bench):
    """Nothing is repaired here."""
    return make_bench(ladders=())


def mended(bench):
    """Let a fault come and be mended by its remediation."""
    bench.process(up=0)
    bench.mend()
    bench.pass_time(LATER)


def test_the_third_incident_of_a_subject_opens_one_problem_with_all_of_them(idle):
    idle.fault()
    idle.fault()
    assert idle.reader.problems() == []
    idle.fault()
    (problem,) = idle.reader.problems()
    assert problem["why"] == "3 incidents within 7 days"
    assert len(problem["incidents"]) == 3
    idle.fault()
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
    bench.mend()
    assert [each["masked"] for each in bench.reader.problems()] == [True]


def test_incidents_of_one_kind_on_many_subjects_are_one_problem_together(idle):
    for number in range(10):
        idle.process(up=0, name=f"worker{number}")
        idle.pass_time(60)
    (problem,) = idle.reader.problems()
    assert problem["why"] == "10 incidents of its kind within 7 days"
    assert len(problem["incidents"]) == 10


def test_what_happened_before_the_window_does_not_count(idle):
    idle.fault()
    idle.fault()
    idle.pass_time(7 * 86400)
    idle.fault()
    assert idle.reader.problems() == []


def test_the_count_and_the_problem_survive_a_restart(idle):
    idle.fault()
    idle.fault()
    idle.restart()
    idle.fault()
    (problem,) = idle.reader.problems()
    idle.restart()
    idle.fault()
    (again,) = idle.reader.problems()
    assert (again["id"], len(again["incidents"])) == (problem["id"], 4)


def test_a_workaround_goes_into_the_next_incident(idle):
    for _ in range(3):
        idle.fault()
    (problem,) = idle.reader.problems()
    found = {"cause": "a leak", "workaround": "restart it by hand", "permanent_fix": "release 7"}
    answer = idle.order(ExplainProblem(actor="ada", problem_id=problem["id"], found=found))
    assert answer["state"] == "known_error"
    idle.process(up=0)
    newest = idle.incidents()[0]
    assert (newest["problem"], newest["workaround"]) == (problem["id"], "restart it by hand")
    assert (newest["cause"], newest["permanent_fix"]) == ("a leak", "release 7")


def test_a_closed_problem_is_over_and_the_count_starts_again(idle):
    for _ in range(3):
        idle.fault()
    (problem,) = idle.reader.problems()
    idle.order(CloseProblem(actor="ada", problem_id=problem["id"], reason="the leak is mended"))
    assert idle.reader.problems() == []
    assert idle.reader.problem(problem["id"])["closed_why"] == "the leak is mended"
    idle.restart()
    idle.fault()
    idle.fault()
    assert idle.reader.problems() == []
    idle.fault()
    assert [each["id"] for each in idle.reader.problems()] != [problem["id"]]


def test_a_problem_that_is_not_there_cannot_be_explained(idle):
    with pytest.raises(CommandError, match="there is no open problem 'x'"):
        idle.order(ExplainProblem(actor="ada", problem_id="x", found={"cause": "y"}))


def test_a_drill_adds_to_no_problem(make_bench):
    bench = make_bench(ladders=(), rules=DRILL)
    for _ in range(5):
        bench.fault()
    assert bench.reader.problems() == []


DRILL = """
groups:
- name: process
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: critical, drill: "true"}
"""


def test_what_happens_in_maintenance_adds_to_no_problem(idle):
    for _ in range(5):
        idle.order(SetMaintenance(actor="ann", reason="backup", seconds=600.0))
        idle.fault()
        idle.order(SetMaintenance(actor="ann", reason="", seconds=0.0))
        idle.pass_time(LATER)
    assert idle.reader.problems() == []


def test_what_fails_with_what_it_depends_on_is_no_problem_of_its_own(make_bench):
    shop, database = (
        Service(name=name, match=(matchers.parse_all(f'{{name="{name}"}}'),), depends_on=needs)
        for name, needs in (("shop", ("database",)), ("database", ()))
    )
    bench = make_bench(ladders=(), catalogue=Catalogue([shop, database]))
    for _ in range(3):
        bench.processes({"database": 0, "shop": 1})
        bench.pass_time(1.0)
        bench.processes({"database": 0, "shop": 0})
        bench.pass_time(60.0)
        bench.processes({"database": 1, "shop": 1})
        bench.pass_time(LATER)
    assert [each["service"] for each in bench.reader.problems()] == ["database"]


def test_what_another_alert_explains_is_no_problem_of_its_own(make_bench):
    bench = make_bench(ladders=(), rules=INHIBITED)
    node_down = Inhibition(
        name="node-down",
        source=matchers.parse_all('{alertname="NodeDown"}'),
        target=matchers.parse_all('{alertname="ProcessDown"}'),
        equal=(),
    )
    bench.parts.situations.muting.configure([], [node_down])
    for _ in range(3):
        bench.processes({"node": 0, "web": 0})
        bench.clock.advance(1)
        bench.processes({"node": 1, "web": 1})
        bench.pass_time(LATER)
    assert [each["alertname"] for each in bench.reader.problems()] == ["NodeDown"]


INHIBITED = """
groups:
- name: process
  rules:
  - alert: NodeDown
    expr: paramedic_process_up{name="node"} == 0
    labels: {severity: critical}
  - alert: ProcessDown
    expr: paramedic_process_up{name!="node"} == 0
    labels: {severity: critical}
"""


def test_the_rows_of_a_storm_are_no_incidents_of_a_problem(idle):
    idle.processes({f"p{n}": 0 for n in range(60)})
    (problem,) = idle.reader.problems()
    rows = {each["id"] for each in idle.incidents() if each["parent"]}
    assert len(rows) == 40
    assert rows.isdisjoint(problem["incidents"])


def test_what_was_there_before_anybody_looked_is_no_problem(make_bench):
    bench = make_bench(ladders=(), settling=300.0)
    bench.processes({f"p{n}": 0 for n in range(12)})
    bench.pass_time(300.0)
    assert {each["preexisting"] for each in bench.incidents() if not each["members"]} == {True}
    assert bench.reader.problems() == []
