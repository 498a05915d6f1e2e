"""What drills are made of: scenarios, faults that are really made, phases, scores, and what forbids a drill."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from agent.app.drills import faults, fitness, phases, preparing, scoring, scratch_service, scratch_tickets, tickets
from agent.app.drills.scenarios import METRICS, SCENARIOS, rules, with_people
from agent.app.drills.scoring import Held
from agent.cli.trial_parser import DRILLS
from agent.config import capacity
from agent.config.options import Config
from agent.config.values import check_name
from agent.incidents.policy import Policy, TicketPolicy
from rules import rulefile
from tests.agent.outbox import owed
from tests.services.service import eventually

OPEN = {
    "id": "i",
    "state": "remediating",
    "active_at": 10.0,
    "opened_at": 10.5,
    "attempts": [{"started_at": 11.0}, {"started_at": 12.0}],
    "ticket_links": [{"system": "book", "state": "open", "updated_at": 10.6}],
    "timeline": [],
}
FIXED = OPEN | {
    "state": "resolved",
    "resolution": "fixed",
    "resolved_at": 15.0,
    "ticket_links": [{"system": "book", "state": "closed", "updated_at": 16.0}],
}


def test_the_record_of_an_incident_shows_its_phases():
    assert phases.seen(OPEN) == {"detected": 10.0, "opened": 10.5, "action started": 11.0, "ticket opened": 10.6}
    assert phases.seen(FIXED)["verified"] == 15.0
    assert phases.seen(FIXED)["ticket closed"] == 16.0
    assert "ticket opened" not in phases.seen(FIXED, "another system")


def test_recovery_by_itself_is_no_verified_repair():
    by_itself = FIXED | {"resolution": "by_itself"}
    assert "verified" not in phases.seen(by_itself)
    assert phases.failure(by_itself) == "resolved without the repair: by_itself"


def test_an_escalated_incident_fails_the_drill_with_the_reason():
    escalated = OPEN | {"state": "escalated", "refusals": ["stop: the file exists"]}
    assert phases.failure(escalated) == "escalated: stop: the file exists"
    assert (phases.failure(OPEN), phases.failure(FIXED)) == ("", "")


def test_an_incident_that_waits_for_people_has_not_failed_until_something_was_tried():
    waiting = OPEN | {"state": "escalated", "attempts": [], "escalated_reason": "preflight: held"}
    assert phases.failure(waiting, held=True) == ""
    assert phases.failure(waiting | {"attempts": OPEN["attempts"]}, held=True) == "escalated: preflight: held"


def test_the_first_to_acknowledge_is_who_took_it():
    words = [("attempt_started", "", 1.0), ("acknowledged", "ann", 2.0), ("acknowledged", "bob", 3.0)]
    timeline = [{"reason": reason, "actor": actor, "at": at} for reason, actor, at in words]
    assert phases.taken(OPEN | {"timeline": timeline}) == ("ann", 2.0)
    assert phases.taken(OPEN) is None


def op(ticket, name, key=""):
    return {"ticket": ticket, "op": name, "key": key or f"{name}:{ticket}"}


@pytest.mark.parametrize(
    ("log", "wrong"),
    [
        ([op("a", "create"), op("b", "create"), op("a", "close"), op("b", "update"), op("b", "close")], ""),
        ([op("a", "create"), op("a", "create"), op("a", "close")], "an operation was delivered twice"),
        ([op("a", "create"), op("a", "close")], "1 tickets for 2 incidents"),
        ([op("a", "close"), op("a", "create"), op("b", "create"), op("b", "close")], "not in order: close, create"),
        (
            [op("a", "create"), op("a", "create", "k2"), op("a", "close"), op("b", "create"), op("b", "close")],
            "not in order: create, create, close",
        ),
    ],
)
def test_deliveries_are_judged_by_what_the_ticket_system_took(log, wrong):
    assert phases.delivered(log, 2) == wrong


def held(**changes):
    at = {"detected": 101.0, "opened": 101.0, "action started": 101.5, "mended": 103.0, "verified": 104.0}
    at |= {"ticket opened": 102.0, "ticket closed": 105.0}
    made = Held(id="d", scenario=SCENARIOS["service-down"], actor="ann", struck_at=100.0, at=at, finished=True)
    return replace(made, **changes)


def test_a_drill_in_time_gets_every_point():
    result = scoring.document(held())
    assert (result["ok"], result["points"]) == (True, 100)
    assert [row["took"] for row in result["phases"]] == [1.0, 0.0, 0.5, 1.5, 1.0, 1.0, 1.0]
    assert result["phases"][4]["seconds"] == 4.0


def test_a_phase_that_is_late_gives_half_its_points_and_one_that_is_missing_none():
    at = held().at
    late = scoring.document(held(at=at | {"detected": 106.0, "opened": 106.0, "action started": 106.0}))
    assert (late["ok"], late["points"]) == (False, 93)
    missing = scoring.document(held(at={name: at[name] for name in at if name != "ticket closed"}))
    assert (missing["ok"], missing["points"]) == (False, 86)
    assert scoring.document(held(failed="two tickets"))["ok"] is False


def test_nothing_is_scored_before_the_drill_is_over():
    result = scoring.document(held(finished=False))
    assert (result["ok"], result["points"]) == (False, None)


def with_ann(**changes):
    scenario = with_people(SCENARIOS["service-down"], 30.0)
    at = held().at | {"acknowledged": 101.2}
    return scoring.document(held(scenario=scenario, at=at, acknowledged_by="ann", **changes))


def test_with_people_the_acknowledgement_is_a_phase_and_what_follows_counts_from_it():
    rows = {row["name"]: row for row in with_ann()["phases"]}
    assert (rows["acknowledged"]["target"], rows["acknowledged"]["took"]) == (30.0, pytest.approx(0.2))
    assert (rows["action started"]["since"], rows["action started"]["took"]) == ("acknowledged", pytest.approx(0.3))


def test_who_acknowledged_a_drill_that_was_passed_is_certified():
    failed = with_ann(failed="too late") | {"acknowledged_by": "bob"}
    alone = scoring.document(held()) | {"acknowledged_by": "eve"}
    assert list(scoring.certified([with_ann(), failed, alone])) == ["ann"]


def test_the_report_names_phases_points_and_people_and_holds_no_markup_of_theirs():
    text = scoring.markdown(with_ann() | {"acknowledged_by": "ann | <b>"})
    assert "Passed; 100 of 100 points." in text
    assert "| mended | action started | 1.500 s | 15 s | in time |" in text
    assert r"Acknowledged by ann \| \<b\>." in text


def test_the_command_line_knows_every_scenario():
    assert DRILLS[:-3] == tuple(SCENARIOS)


def test_the_rules_of_all_scenarios_are_good():
    (group,) = rulefile.parse(rules(), "drill").groups
    assert [rule.name for rule in group.rules] == [each.alert for each in SCENARIOS.values()]


def test_a_scratch_ticket_system_is_told_of_no_other_drill():
    policy = Policy(tickets=(TicketPolicy(name="rt"), TicketPolicy(name="s", drills=True, alertname="Tickets")))

    class Drill:
        drill = True
        alertname = "Other"

    assert policy.ticket_systems(Drill(), escalated=False) == ("book",)
    Drill.alertname = "Tickets"
    assert policy.ticket_systems(Drill(), escalated=False) == ("s",)


def procfs(folder, available_kib, pressure="0.00"):
    (folder / "pressure").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal: 9999999 kB\nMemAvailable: {available_kib} kB\n")
    (folder / "pressure/memory").write_text(f"some avg10={pressure} avg60=0.00 avg300=0.00 total=0\n")
    return folder


def test_no_drill_is_held_where_room_is_short_already(tmp_path, monkeypatch):
    assert fitness.objection(tmp_path, procfs(tmp_path / "fine", 4_000_000)) == ""
    assert fitness.objection(tmp_path, tmp_path / "unknown") == ""
    assert "100 MiB of memory are available" in fitness.objection(tmp_path, procfs(tmp_path / "low", 102_400))
    assert "35 % of the last 10 s" in fitness.objection(tmp_path, procfs(tmp_path / "waits", 4_000_000, "35.00"))
    monkeypatch.setattr(fitness, "LEAST_DISK_BYTES", 1 << 60)
    assert "MiB of disk are left" in fitness.objection(tmp_path, procfs(tmp_path / "full", 4_000_000))


@pytest.fixture
def cleared(tmp_path):
    yield tmp_path
    faults.clear(tmp_path)


def test_a_filled_folder_stays_within_its_quota_and_is_mended_when_the_old_files_are_gone(cleared):
    fault = faults.DiskFilling(cleared)
    fault.start()
    assert fault.mended()
    fault.strike()
    (sample,) = fault.samples()
    assert 0.9 < sample.value <= 1.0
    assert not fault.mended()
    for path in (cleared / "disk").iterdir():
        path.unlink()
    assert fault.mended()
    fault.clear()
    assert list(cleared.iterdir()) == []


def test_memory_is_used_up_to_the_share_and_no_further_and_a_restart_gives_it_back(cleared):
    fault = faults.MemoryPressure(cleared)
    fault.start()
    assert fault.samples()[0].value < 0.5
    fault.strike()
    eventually(lambda: fault.samples()[0].value > 0.8)
    assert fault.samples()[0].value < 1.5
    assert not fault.mended()
    fault.start()
    assert fault.mended()
    assert fault.samples()[0].value < 0.5


def row(number, op_name, **update):
    draft = {"correlation": "h:1", "title": "t", "body": "b", "priority": "P1", "service": "s", "drill": True}
    payload = {"op": op_name, "draft": draft, "update": update or None}
    return owed(payload, id=number, key=f"k{number}")


def test_the_ticket_system_refuses_until_it_is_back_and_takes_each_operation_once(cleared):
    fault = faults.TicketSystemDown(cleared)
    fault.start()
    assert tickets.perform(cleared, row(1, "open")).done is False
    fault.restore()
    for _ in range(2):
        assert tickets.perform(cleared, row(1, "open")).result["state"] == "open"
    closed = tickets.perform(cleared, row(2, "close", comment="over", priority="P1", key="k2"))
    assert closed.result["state"] == "closed"
    log = [json.loads(line)["op"] for line in (cleared / scratch_tickets.LOG).read_text().splitlines()]
    assert log == ["create", "close"]
    fault.clear()
    assert tickets.perform(cleared, row(3, "open")).done, "once it is over, nothing is owed"


def test_the_service_answers_with_its_pid_until_it_is_killed(cleared):
    command = [sys.executable, "-I", scratch_service.__file__, str(cleared)]
    subprocess.run([*command, "0"], check=True, timeout=60)
    pid = int((cleared / scratch_service.PIDFILE).read_text())
    assert faults.answering(cleared) == pid
    port = (cleared / scratch_service.PORTFILE).read_text().strip()
    taken = subprocess.run([*command, port], check=False, timeout=60, capture_output=True)
    assert (taken.returncode, b"cannot listen" in taken.stderr) == (1, True)
    assert int((cleared / scratch_service.PIDFILE).read_text()) == pid
    scratch_service.end(cleared)
    eventually(lambda: faults.answering(cleared) is None)


def test_a_process_that_only_has_the_id_of_ours_is_left_alone(tmp_path):
    (tmp_path / scratch_service.PIDFILE).write_text(f"{os.getpid()}\n")
    scratch_service.end(tmp_path)
    assert not (tmp_path / scratch_service.PIDFILE).exists()


def test_what_an_interrupted_drill_left_is_cleared_by_the_next_life(cleared):
    for name in ("disk-filling", "ticket-system-down"):
        fault = faults.FAULTS[name](cleared)
        fault.start()
        fault.strike()
    process = fault._tickets
    faults.clear(cleared)
    assert process.wait(60) == -signal.SIGKILL
    assert list(cleared.iterdir()) == []


def test_nobody_elses_remediation_can_be_taken_for_one_of_a_drill():
    with pytest.raises(ValueError, match="are the drills' own: choose another"):
        check_name("paramedic-drill-mine")
    assert preparing.is_own("paramedic-drill-mine")
    assert not preparing.is_own("paramedic")


def test_no_trend_of_capacity_is_about_what_drills_use_up():
    usual = capacity.resources(Config())
    assert {each.name for each in usual} >= {"filesystem", "memory"}
    measured = {metric.name for metric in METRICS}
    assert [each.name for each in usual if any(name in each.used + each.limit for name in measured)] == []
