"""Services through the engine: priority, promises that are kept or broken, and what waits for what it depends on."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.app.reporting import evidence
from agent.engine.commands import OnIncident, SetMaintenance
from agent.incidents.events import Acknowledged, MajorDeclared
from agent.incidents.windows import Recurrence, parse
from agent.itsm.calendars import Calendar
from agent.itsm.catalogue import Catalogue, Criticality, Service, Target
from agent.itsm.report import report
from remediations.mode import Mode
from rules import matchers
from tests.agent.engine.conftest import LATER


def service(name, process, **more):
    return Service(name=name, match=(matchers.parse_all(f'{{name="{process}"}}'),), **more)


CATALOGUE = Catalogue(
    [
        service("database", "postgres", criticality=Criticality.HIGH),
        service(
            "shop",
            "web",
            criticality=Criticality.LOW,
            depends_on=("database",),
            targets={"P2": Target(respond=60.0, resolve=400.0)},
        ),
    ]
)


@pytest.fixture
def bench(make_bench):
    return make_bench(catalogue=CATALOGUE)


@pytest.fixture
def idle(make_bench):
    """Nothing is repaired here."""
    return make_bench(catalogue=CATALOGUE, ladders=())


def by_service(bench):
    return {incident["service"]: incident for incident in bench.incidents()}


def timeline(bench, name="shop"):
    shown = bench.reader.incident(by_service(bench)[name]["id"])
    return [(row["reason"], row["detail"]) for row in shown["timeline"]]


def ticket_reasons(bench):
    return [(row.payload["op"], row.payload["reason"]) for row in bench.take("rt")]


def test_an_incident_belongs_to_its_service_and_takes_its_priority_from_it(idle):
    idle.processes({"web": 0, "postgres": 0, "other": 0})
    assert {name: found["priority"] for name, found in by_service(idle).items()} == {
        "shop": "P2",
        "database": "P1",
        "default": "P1",
    }


def test_a_promise_is_at_risk_once_and_broken_once_also_across_a_restart(idle):
    idle.process(up=0)
    idle.process(up=0, name="nobody")
    for _ in range(20):
        idle.pass_time(5)
    assert [row for row in timeline(idle) if row[0].startswith("promise")] == [
        ("promise_at_risk", "respond warning"),
        ("promise_broken", "respond breach"),
    ]
    idle.pass_time(200)
    idle.restart(seconds=80)
    idle.turn()
    idle.pass_time(60)
    assert [row for row in timeline(idle) if row[0].startswith("promise")][2:] == [
        ("promise_at_risk", "resolve warning"),
        ("promise_broken", "resolve breach"),
    ]


@pytest.mark.parametrize("step", [2 * 86400.0, -2 * 86400.0])
def test_a_step_of_the_wall_clock_neither_breaks_a_promise_nor_saves_it(idle, step):
    idle.process(up=0)
    idle.pass_time(40)
    idle.clock.stepped = step
    idle.turn()
    assert [row for row in timeline(idle) if row[0].startswith("promise")] == []
    idle.pass_time(10)
    idle.pass_time(15)
    assert [row[1] for row in timeline(idle) if row[0].startswith("promise")] == ["respond warning", "respond breach"]


def promised(bench):
    return [row[1] for row in timeline(bench) if row[0].startswith("promise")]


def test_a_promise_to_resolve_stands_still_while_a_person_is_asked_for_approval(make_bench):
    bench = make_bench(catalogue=CATALOGUE)
    (ladder,) = bench.policy.ladders
    asking = replace(ladder, mode=Mode.APPROVE, approvers=("ann",))
    bench.policy = replace(bench.policy, ladders=(asking,), approval_timeout=2000.0)
    bench.parts.situations.policy = bench.policy
    bench.process(up=0)
    assert by_service(bench)["shop"]["state"] == "awaiting_approval"
    bench.pass_time(1000.0)
    assert promised(bench) == []
    bench.pass_time(1001.0)
    assert by_service(bench)["shop"]["state"] == "escalated", "nobody was waited for any more"
    bench.pass_time(44.0)
    assert promised(bench) == []
    bench.pass_time(2.0)
    assert promised(bench) == ["respond warning"]


def test_a_promise_stands_still_in_maintenance(idle):
    idle.process(up=0)
    idle.pass_time(40.0)
    idle.order(SetMaintenance(actor="ann", reason="disks", seconds=7200.0))
    idle.pass_time(7000.0)
    assert promised(idle) == []
    idle.order(SetMaintenance(actor="ann", reason="", seconds=0.0))
    idle.pass_time(4.0)
    assert promised(idle) == []
    idle.pass_time(2.0)
    assert promised(idle) == ["respond warning"]


def test_what_comes_back_goes_on_with_the_time_it_had_spent(idle):
    idle.process(up=0)
    idle.pass_time(200.0)
    idle.process(up=1)
    idle.pass_time(1000.0)
    idle.process(up=0)
    assert [each["reopened"] for each in idle.incidents()] == [1]
    assert "resolve warning" not in promised(idle)
    idle.pass_time(101.0)
    assert "resolve warning" in promised(idle)
    idle.pass_time(100.0)
    assert "resolve breach" in promised(idle)


def test_a_storm_is_promised_something_once_and_its_rows_nothing(make_bench):
    target = {"P2": Target(respond=60.0)}
    everything = Service(
        name="shop", match=(matchers.parse_all('{name=~".+"}'),), criticality=Criticality.LOW, targets=target
    )
    bench = make_bench(catalogue=Catalogue([everything]), ladders=())
    bench.processes({f"p{n}": 0 for n in range(60)})
    rows = [each for each in bench.incidents() if each["parent"]]
    assert len(rows) == 40
    assert [each["clocks"] for each in rows] == [[]] * 40
    assert all(each["clocks"] for each in bench.incidents() if not each["parent"])


def test_the_hour_in_which_a_fault_begins_decides_how_urgent_it_is(make_bench):
    office = Calendar(name="office", hours=parse(Recurrence(days=("mon-fri",), times=("08:00-18:00",))))
    bench = make_bench(catalogue=Catalogue([service("shop", "web", calendar=office)]), ladders=(), rules=WARNING)
    found = []
    for at in ("2027-01-15T09:00", "2027-01-15T21:00", "2027-01-17T12:00", "2027-01-18T08:00"):
        bench.pass_time(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() - bench.clock.now())
        bench.process(up=0)
        found.append(by_service(bench)["shop"]["priority"])
        bench.clock.advance(1)
        bench.process(up=1)
        bench.pass_time(LATER)
    assert found == ["P3", "P4", "P4", "P3"]


WARNING = """
groups:
- name: process
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: warning}
"""


def test_the_ticket_says_that_a_promise_is_at_risk_and_broken(idle):
    idle.process(up=0)
    for row in idle.take("rt"):
        idle.settle(row)
    said = []
    for _ in range(20):
        idle.pass_time(5)
        for row in idle.take("rt"):
            said.append((row.payload["op"], row.payload["reason"]))
            idle.settle(row)
    assert said == [("update", "promise_at_risk"), ("update", "promise_broken")]


def test_somebody_who_acknowledges_has_responded(idle):
    idle.process(up=0)
    incident = by_service(idle)["shop"]
    idle.pass_time(10)
    idle.order(OnIncident(incident_id=incident["id"], event=Acknowledged(actor="ada", until=None, comment="")))
    respond, resolve = by_service(idle)["shop"]["clocks"]
    assert (respond["met"], respond["spent"]) == (True, 10.0)
    assert resolve["met"] is None


@pytest.mark.parametrize("taken", [False, True])
def test_what_only_a_higher_priority_promises_is_promised_from_the_begin(make_bench, taken):
    targets = {"P2": Target(resolve=400.0), "P1": Target(respond=60.0, resolve=300.0)}
    bench = make_bench(
        ladders=(), catalogue=Catalogue([service("shop", "web", criticality=Criticality.LOW, targets=targets)])
    )
    bench.process(up=0)
    incident = by_service(bench)["shop"]
    assert [(each["kind"], each["target"]) for each in incident["clocks"]] == [("resolve", 400.0)]
    bench.pass_time(10)
    if taken:
        bench.order(OnIncident(incident_id=incident["id"], event=Acknowledged(actor="ada")))
    bench.pass_time(100)
    bench.order(OnIncident(incident_id=incident["id"], event=MajorDeclared(actor="ada", major=True)))
    resolve, respond = by_service(bench)["shop"]["clocks"]
    assert (resolve["kind"], resolve["target"], resolve["met"]) == ("resolve", 300.0, None)
    assert (respond["kind"], respond["met"]) == ("respond", True if taken else None)
    assert respond["breached_at"] == (None if taken else incident["opened_at"] + 60.0)
    assert [row for row in timeline(bench) if row[0].startswith("promise")] == (
        [] if taken else [("promise_broken", "respond breach")]
    )


def test_an_action_is_a_response_and_the_end_keeps_the_promise(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(5)
    bench.settle(row, outcome="succeeded")
    bench.process(up=1)
    bench.pass_time(15)
    bench.process(up=1)
    bench.pass_time(15)
    shop = by_service(bench)["shop"]
    assert shop["state"] == "resolved"
    assert [clock["met"] for clock in shop["clocks"]] == [True, True]


def test_while_what_it_depends_on_is_down_nothing_is_done_and_no_ticket_opened(bench):
    bench.processes({"postgres": 0, "web": 1})
    bench.take("runner"), bench.take("rt")
    bench.clock.advance(1)
    bench.processes({"postgres": 0, "web": 0})
    found = by_service(bench)
    assert found["shop"]["suppressed"] == f"dependency database, which is down (incident {found['database']['id']})"
    assert bench.take("runner") == []
    assert ticket_reasons(bench) == []


def test_when_that_is_back_the_dependant_is_seen_to(bench):
    bench.processes({"postgres": 0, "web": 1})
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.processes({"postgres": 0, "web": 0})
    bench.settle(row, outcome="succeeded")
    bench.processes({"postgres": 1, "web": 0})
    bench.pass_time(15)
    bench.processes({"postgres": 1, "web": 0})
    bench.pass_time(15)
    assert by_service(bench)["database"]["state"] == "resolved"
    assert by_service(bench)["shop"]["suppressed"] == ""
    assert by_service(bench)["shop"]["state"] == "remediating"


def test_what_ends_with_what_it_depends_on_was_no_false_fire(bench):
    begin = bench.clock.now()
    bench.processes({"postgres": 0, "web": 1})
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.processes({"postgres": 0, "web": 0})
    bench.settle(row, outcome="succeeded")
    for _ in range(3):
        bench.processes({"postgres": 1, "web": 1})
        bench.pass_time(15)
    assert by_service(bench)["shop"]["resolution"] == "by_itself"
    found = report(evidence(bench.reader, bench.policy, "web1", begin, bench.clock.now())).measures
    assert (found.incidents, found.false.of, found.false.count) == (2, 2, 0)


def test_a_restart_does_not_forget_what_is_down(bench):
    bench.processes({"postgres": 0, "web": 1})
    bench.restart()
    bench.clock.advance(1)
    bench.processes({"postgres": 0, "web": 0})
    assert "dependency database" in by_service(bench)["shop"]["suppressed"]


def test_no_remediation_goes_further_than_the_service_allows(make_bench):
    shop = service("shop", "web", automation=Mode.PROPOSE)
    bench = make_bench(catalogue=Catalogue([shop]))
    bench.process(up=0)
    assert bench.take("runner") == []
    assert by_service(bench)["shop"]["would_run"] == ["/bin/true"]


@pytest.mark.parametrize("later", [0.0, 1.0])
def test_of_two_services_with_the_same_fault_the_more_critical_one_is_seen_to_first(make_bench, later):
    services = [
        service("archive", "archive", criticality=Criticality.LOW),
        service("shop", "web", criticality=Criticality.HIGH),
    ]
    bench = make_bench(catalogue=Catalogue(services))
    bench.parts.situations.stopped_by["operator"] = "wait" if later else ""
    bench.processes({"archive": 0, "web": 0})  # in this order, and both need the same resource
    assert {each["service"]: each["priority"] for each in bench.incidents()} == {"archive": "P2", "shop": "P1"}
    if later:
        assert bench.take("runner") == []
        bench.parts.situations.stopped_by.clear()
        bench.pass_time(60.0)
        bench.processes({"archive": 0, "web": 0})
    (row,) = bench.take("runner")
    assert bench.reader.incident(row.incident_id)["service"] == "shop"
    bench.settle(row, outcome="succeeded")
    for _ in range(4):
        bench.pass_time(16.0)
        bench.processes({"archive": 0, "web": 1})
    assert [bench.reader.incident(row.incident_id)["service"] for row in bench.take("runner")] == ["archive"]


def test_everything_that_was_done_about_an_incident_is_found_from_its_id(bench):
    bench.processes({"postgres": 0})
    (row,) = bench.take("runner")
    bench.settle(row, outcome="succeeded")
    (ticket,) = bench.take("rt")
    bench.settle(ticket, id="17", url="https://rt.example.org/17", state="open")
    found = bench.reader.incident(row.incident_id)
    assert [each["reason"] for each in found["timeline"]][:2] == ["attempt_started", "attempt_settled"]
    assert [each["run_id"] for each in found["runs"]] == [found["attempts"][0]["run_id"]]
    assert [(each["system"], each["ticket_id"]) for each in found["ticket_links"]] == [("rt", "17")]
    assert {each["target"] for each in found["effects"]} >= {"runner", "rt", "mqtt"}
    changes = [each for each in bench.reader.changes() if each["incident"] == row.incident_id]
    assert [each["run_id"] for each in changes] == [found["attempts"][0]["run_id"]]
