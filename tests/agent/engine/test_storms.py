"""Storms: what is only counted is let go of again, whoever ends what."""

from dataclasses import replace

import pytest

from agent.engine import intake
from agent.engine.commands import OnIncident, PostAlerts
from agent.engine.desk import STORM_ROWS
from agent.incidents.events import Declined, ResolvedByOperator
from agent.incidents.posted import post_of
from remediations.limits import Limits

PAST = "2020-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(intake, "_TURN_SECONDS", 60.0)


def post(bench, numbers, alertname="LinkDown", **more):
    labels = {"alertname": alertname, "severity": "critical"}
    alerts = [post_of({"labels": {**labels, "port": str(number)}, **more}) for number in numbers]
    bench.order(PostAlerts(alerts=alerts, origin="http"))
    bench.pass_time(3)


def storm(bench):
    post(bench, range(STORM_ROWS + 60))
    (found,) = [incident for incident in bench.parts.casebook if incident.members]
    assert found.members > STORM_ROWS, "some are only counted"
    return found


def kept(bench):
    """What is remembered for every alert that is counted or holds an incident."""
    casebook = bench.parts.casebook
    return len(casebook._folded) + sum(map(len, casebook._folds.values())) + len(casebook._holding)


def test_nothing_is_remembered_of_a_storm_that_is_over(bench):
    storm(bench)
    post(bench, range(STORM_ROWS + 60), endsAt=PAST)
    bench.pass_time(3601)
    assert list(bench.parts.casebook) == []
    assert kept(bench) == 0


def test_members_that_end_after_their_storm_was_resolved_by_hand_do_no_harm(bench):
    found = storm(bench)
    bench.order(OnIncident(incident_id=found.id, event=ResolvedByOperator(actor="ann")))
    bench.pass_time(3601)
    assert bench.parts.casebook.get(found.id) is None
    post(bench, range(STORM_ROWS + 60), endsAt=PAST)
    post(bench, [0])
    assert [incident.state for incident in bench.parts.casebook.active()] == ["escalated"]


def test_a_storm_that_nobody_will_fix_is_closed_after_its_last_member(bench):
    found = storm(bench)
    bench.order(OnIncident(incident_id=found.id, event=Declined(actor="ann")))
    bench.pass_time(3601)
    assert bench.parts.casebook.get(found.id).state == "resolved", "its alerts go on"
    post(bench, range(STORM_ROWS + 60), endsAt=PAST)
    bench.pass_time(3601)
    bench.pass_time(1)
    assert bench.parts.casebook.get(found.id) is None
    assert kept(bench) == 0


def test_a_storm_that_others_tell_of_takes_no_local_fault_of_the_same_name_in(bench):
    post(bench, range(30), alertname="ProcessDown")
    (found,) = [incident for incident in bench.parts.casebook if incident.members]
    bench.process(up=0)
    (local,) = [incident for incident in bench.parts.casebook if incident.origin == "local"]
    assert (found.origin, local.parent) == ("http", "")


def test_the_brake_calls_a_person_for_what_is_new_beyond_the_limit_and_lets_go_in_time(bench):
    (ladder,) = bench.policy.ladders
    bench.policy = replace(bench.policy, ladders=(replace(ladder, limits=Limits(storm_incidents=2, cooldown=0.0)),))
    bench.parts.situations.policy = bench.policy

    bench.processes({"a": 0, "b": 0, "c": 0})

    braked = [each for each in bench.incidents() if each["state"] == "escalated"]
    assert [each["escalated_reason"] for each in braked] == ["storm: 3 new incidents within 10 s, 2 allowed"]
    bench.clock.advance(11)
    bench.processes({"a": 0, "b": 0, "c": 0, "d": 0})
    assert sum(each["state"] == "escalated" for each in bench.incidents()) == 1
