"""When no drill is held: while something serious goes on, and while nothing may be done."""

import pytest

from agent.app.drills.occupied import objection
from agent.engine.commands import OnIncident, SetMaintenance
from agent.incidents import windows
from agent.incidents.events import MajorDeclared
from agent.incidents.muting import Freeze
from agent.incidents.windows import Recurrence
from agent.itsm.catalogue import Criticality
from agent.itsm.priority import Priorities
from rules import matchers
from tests.agent.engine.conftest import RULES


def why(bench):
    return objection(bench.parts.situations, bench.parts.casebook.active(), bench.clock.now())


def freeze(bench, matching="{}"):
    window = windows.parse(Recurrence(times=("08:00-09:00",)))  # it is 08:00 UTC
    frozen = Freeze(name="month-end", matchers=matchers.parse_all(matching), window=window)
    bench.parts.situations.muting.configure([frozen], [])


def test_while_all_is_well_there_may_be_one(bench):
    assert why(bench) == ""


def test_there_is_none_until_the_most_important_incident_is_over(make_bench):
    bench = make_bench(ladders=())
    bench.process(up=0)
    assert why(bench) == f"incident {bench.incident()['id']} (P1, ProcessDown) is not over"
    bench.clock.advance(1)
    bench.process(up=1)
    assert why(bench) == ""


@pytest.mark.parametrize("major", [False, True])
def test_what_is_less_important_allows_it_unless_somebody_called_it_major(make_bench, major):
    bench = make_bench(ladders=(), priorities=Priorities(matrix=dict.fromkeys(Criticality, ("P3",) * 4)))
    bench.process(up=0)
    if major:
        word = MajorDeclared(actor="ann", comment="the press calls")
        bench.order(OnIncident(incident_id=bench.incident()["id"], event=word))
    assert why(bench).endswith("(major, ProcessDown) is not over" if major else "")
    assert bool(why(bench)) is major


def test_another_drill_is_nothing_serious(make_bench):
    bench = make_bench(ladders=(), rules=RULES.replace("{severity: critical}", '{severity: critical, drill: "true"}'))
    bench.process(up=0)
    assert bench.incident()["priority"] == "P1"
    assert why(bench) == ""


@pytest.mark.parametrize("matching", ["{}", '{name="nothing of ours"}'])
def test_there_is_none_in_a_freeze_whatever_it_is_for(bench, matching):
    freeze(bench, matching)
    assert why(bench) == "freeze window month-end is open"
    bench.clock.advance(3600)
    assert why(bench) == ""


def test_there_is_none_in_maintenance_and_while_actions_are_stopped(bench):
    bench.order(SetMaintenance(actor="ann", reason="a new disk", seconds=60.0))
    assert why(bench) == "maintenance: a new disk (ann)"
    bench.clock.advance(60)
    bench.parts.situations.stopped_by = {"operator": "ann said so"}
    assert why(bench) == "automatic actions are stopped: ann said so"
