"""Key figures as metrics: each incident counts once, when nothing can re-open it any more, and drills never."""

import json

import pytest

from agent.engine.commands import OnIncident, PostAlerts
from agent.incidents.events import Acknowledged
from agent.intake.alertmanager import parse
from agent.itsm.catalogue import Catalogue, Service, Target, Worth
from agent.telemetry import metrics
from rules import matchers
from tests.agent.engine.conftest import RULES

DRILL = RULES.replace("labels: {severity: critical}", 'labels: {severity: critical, drill: "true"}')
HOUR = 3600.0


def counted():
    elsewhere = ("paramedic_incidents_opened", "paramedic_incidents_resolved")
    wanted = (
        "paramedic_incident",
        "paramedic_service_down",
        "paramedic_labour",
        "paramedic_outage",
        "paramedic_promises",
    )
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if sample.name.startswith(wanted) and sample.name.endswith("_total") and not sample.name.startswith(elsewhere)
    }


def moved(before):
    return {key: value - before.get(key, 0.0) for key, value in counted().items() if value != before.get(key, 0.0)}


def mend(bench, seconds=5.0):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(seconds)
    bench.settle(row, outcome="succeeded")
    for _ in range(2):
        bench.process(up=1)
        bench.pass_time(11.0)
    bench.process(up=1)


def test_a_repaired_incident_counts_when_it_is_closed(make_bench):
    bench = make_bench(worth={"restart_command": Worth(labour=600.0, outage=1800.0)})
    before = counted()
    mend(bench)
    assert not [key for key in moved(before) if key[0] == "paramedic_incidents_ended_total"]
    bench.pass_time(HOUR + 1)
    found = moved(before)
    assert found["paramedic_incidents_ended_total", (("result", "fixed_first_time"), ("rule", "ProcessDown"))] == 1
    took = sum(value for (name, _), value in found.items() if name == "paramedic_incident_seconds_total")
    assert took == pytest.approx(found["paramedic_service_down_seconds_total", (("service", "default"),)])
    assert found["paramedic_incident_seconds_total", (("phase", "act"), ("service", "default"))] == pytest.approx(5.0)
    assert found["paramedic_labour_saved_seconds_total", ()] == 600.0
    assert found["paramedic_outage_avoided_seconds_total", ()] == pytest.approx(1800.0 - took)
    again = counted()
    bench.pass_time(HOUR)
    assert moved(again) == {}


def test_one_that_came_back_counts_once_and_without_the_time_in_which_all_was_well(make_bench):
    bench = make_bench()
    before = counted()
    mend(bench)
    bench.pass_time(1800.0)
    mend(bench)
    bench.pass_time(HOUR + 1)
    found = moved(before)
    assert found["paramedic_incidents_recurred_total", (("service", "default"),)] == 1
    assert found["paramedic_incidents_ended_total", (("result", "fixed"), ("rule", "ProcessDown"))] == 1
    assert found["paramedic_service_down_seconds_total", (("service", "default"),)] < 100.0


def test_whoever_acknowledges_first_has_responded(make_bench):
    bench = make_bench(ladders=())
    before = counted()
    bench.process(up=0)
    for seconds in (40.0, 60.0):
        bench.pass_time(seconds)
        acknowledged = OnIncident(incident_id=bench.incident()["id"], event=Acknowledged(actor="ann"))
        bench.engine.queue.order(acknowledged)
        bench.turn()
    bench.process(up=1)
    bench.pass_time(HOUR + 1)
    found = moved(before)
    assert found["paramedic_incident_respond_seconds_total", (("service", "default"),)] == pytest.approx(40.0)
    assert found["paramedic_incidents_responded_total", (("service", "default"),)] == 1


def test_what_went_away_at_once_is_false(make_bench):
    bench = make_bench(ladders=())
    before = counted()
    bench.process(up=0)
    bench.pass_time(1.0)
    bench.process(up=1)
    bench.pass_time(HOUR + 1)
    assert moved(before)["paramedic_incidents_ended_total", (("result", "false"), ("rule", "ProcessDown"))] == 1


def test_drills_and_maintenance_count_for_nothing(make_bench):
    drill, planned = make_bench(rules=DRILL), make_bench(ladders=())
    before = counted()
    mend(drill)
    drill.pass_time(HOUR + 1)
    planned.parts.situations.muting.maintain("disks", planned.clock.now() + 600.0)
    planned.process(up=0)
    planned.pass_time(1.0)
    planned.process(up=1)
    planned.pass_time(2 * HOUR)
    assert {incident["state"] for incident in planned.incidents()} <= {"closed"}
    assert moved(before) == {}


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_of_the_clock_makes_no_outage_longer_or_shorter(make_bench, step):
    bench = make_bench(ladders=())
    before = counted()
    bench.process(up=0)
    bench.pass_time(100.0)
    bench.clock.stepped = step
    bench.turn()
    bench.pass_time(100.0)
    bench.process(up=1)
    bench.pass_time(2 * HOUR)
    assert moved(before)["paramedic_service_down_seconds_total", (("service", "default"),)] == pytest.approx(200.0)


def test_what_was_promised_counts_as_kept_or_broken_by_kind(make_bench):
    targets = {"P1": Target(respond=60.0, resolve=4000.0)}
    shop = Service(name="shop", match=(matchers.parse_all('{name="web"}'),), targets=targets)
    bench = make_bench(ladders=(), catalogue=Catalogue([shop]))
    before = counted()
    bench.process(up=0)
    bench.pass_time(100.0)
    bench.process(up=1)
    bench.pass_time(HOUR + 1)
    found = {dict(labels)["kind"]: dict(labels)["result"] for (name, labels) in moved(before) if "promises" in name}
    assert found == {"respond": "broken", "resolve": "kept"}


def test_what_others_post_is_counted_under_one_name(make_bench):
    bench = make_bench(ladders=())
    before = counted()
    for name in ("Odd1", "Odd2"):
        labels = {"alertname": name, "severity": "critical"}
        ended = {"endsAt": "2027-01-15T08:00:10Z"}
        for more in ({}, ended):
            body = json.dumps([{"labels": labels, "startsAt": "2027-01-15T08:00:00Z", **more}]).encode()
            bench.engine.queue.order(PostAlerts(alerts=parse(body).alerts, origin="http", body=body))
            bench.pass_time(20.0)
    bench.pass_time(HOUR + 1)
    ends = {dict(labels)["rule"]: count for (name, labels), count in moved(before).items() if "incidents_ended" in name}
    assert ends == {"posted": 2.0}
