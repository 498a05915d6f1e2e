"""The main loop: a fault is noticed, repaired, verified and recorded, and nothing leaves before it is durable."""

import sqlite3
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from agent.engine.commands import CommandError, OnIncident, SetMaintenance, SetStop
from agent.incidents import policy
from agent.incidents.events import Acknowledged, EffectSettled
from agent.store.database import StoreError
from agent.telemetry import metrics
from collectors.sample import Origin, Reading, Sample, Source, labels
from remediations.plan import Plan
from tests.agent.engine.conftest import RULES


def test_a_dead_process_is_repaired_and_the_repair_verified(bench):
    bench.process(up=1)
    bench.process(up=0)
    (repair,) = bench.take("runner")
    assert repair.payload["argv"] == ["/bin/true"]
    assert bench.incident()["state"] == "remediating"

    bench.settle(repair, outcome="succeeded", exit_code=0, output="done")
    assert bench.incident()["state"] == "verifying"
    bench.clock.advance(0.1)
    bench.process(up=1)
    bench.pass_time(9.8)
    bench.process(up=1)
    assert bench.incident()["state"] == "verifying"
    bench.clock.advance(0.3)
    bench.process(up=1)

    incident = bench.reader.incident(bench.incident()["id"])
    assert incident["state"] == "resolved"
    assert incident["resolution"] == "fixed"
    assert incident["attempts"][0]["verified"] is True
    assert incident["runs"][0]["output"] == "done"
    assert [entry["reason"] for entry in incident["timeline"]] == [
        "attempt_started",
        "attempt_settled",
        "recovered_during_work",
        "looks_healthy",
        "fixed",
    ]


def test_the_hold_is_over_without_another_sample(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    bench.clock.advance(0.1)
    bench.process(up=1)

    bench.pass_time(10.0)

    assert bench.incident()["resolution"] == "fixed"


def test_a_sample_from_before_the_end_of_the_action_proves_nothing(bench):
    bench.process(up=0)
    (repair,) = bench.take("runner")
    bench.clock.advance(1.0)
    bench.process(up=1)
    bench.clock.advance(1.0)

    bench.settle(repair, outcome="succeeded")
    bench.pass_time(30.0)

    assert bench.incident()["state"] == "verifying"


def test_a_series_that_vanishes_because_its_source_failed_does_not_resolve(bench):
    bench.parts.situations.stopped_by = {"operator": "a test"}
    bench.process(up=0)
    bench.clock.advance(15)
    bench.failed()
    bench.clock.advance(400)
    bench.turn()

    assert bench.incident()["state"] == "open"
    assert bench.incident()["alert_state"] == "no_data"


def test_tickets_and_topics_are_handed_over_once_each_and_in_order(bench):
    bench.process(up=0)
    (opened,) = bench.take("rt")
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    assert bench.take("rt") == []

    bench.settle(opened, id="17", url="http://rt/17", state="open")

    (update,) = bench.take("rt")
    assert update.payload["op"] == "update"
    assert bench.reader.incident(bench.incident()["id"])["ticket_links"][0]["ticket_id"] == "17"


def test_a_ticket_system_that_is_down_is_asked_again_later_and_nothing_is_lost(bench):
    bench.process(up=0)
    row = bench.take("rt")[0]
    for _ in range(5):
        bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, reason="connection refused"))
        bench.turn()
        assert bench.take("rt") == []
        bench.pass_time(400.0)
        (row,) = bench.take("rt")

    assert row.payload["op"] == "open"
    assert row.attempts == 6


def test_a_ticket_that_is_refused_for_good_is_a_dead_letter_with_its_reason(bench):
    bench.process(up=0)
    row = bench.take("rt")[0]
    bench.settle(bench.take("runner")[0], outcome="succeeded")

    bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, dead=True, reason="403 no such queue"))
    bench.turn()

    letters = bench.reader.dead_letters()
    assert [letter["reason"] for letter in letters] == [
        "the ticket was never opened: 403 no such queue",
        "403 no such queue",
    ]
    assert bench.take("rt") == []


def test_an_answer_under_another_claim_is_dropped(bench):
    bench.process(up=0)
    (repair,) = bench.take("runner")

    bench.engine.settled(EffectSettled(row=repair.id, claim="somebody else's", done=True, result={}))
    bench.turn()

    assert bench.incident()["state"] == "remediating"


def test_the_stop_holds_repairs_back_and_lifting_it_lets_them_go(bench):
    bench.order(SetStop(actor="alice", reason="maintenance"))
    bench.process(up=0)
    assert bench.take("runner") == []
    assert bench.incident()["refusals"][0].startswith("stop: ")

    bench.order(SetStop(actor="alice", reason=""))
    bench.pass_time(15.0)

    assert len(bench.take("runner")) == 1


def test_each_switch_of_the_stop_is_lifted_by_itself_only(bench):
    bench.order(SetStop(actor="alice", reason="moving"))
    bench.order(SetStop(actor="mqtt", reason="everything", origin="mqtt"))

    answer = bench.order(SetStop(actor="mqtt", reason="", origin="mqtt"))

    assert answer["stopped"] == "moving (alice)"
    bench.process(up=0)
    assert bench.take("runner") == []


def test_maintenance_holds_actions_and_tickets_back_and_settles_after_its_end(bench):
    bench.parts.situations.settle_seconds = 60.0
    bench.order(SetMaintenance(actor="alice", reason="kernel", seconds=3600.0))
    bench.process(up=0)
    assert bench.take("runner") == []
    assert bench.take("rt") == []
    assert bench.incident()["refusals"][0] == "freeze: muted by maintenance: kernel (alice)"

    bench.clock.advance(3600.0)
    bench.process(up=0)
    assert bench.take("runner") == []
    assert bench.incident()["refusals"][0].startswith("settling: ")
    bench.clock.advance(60.0)
    bench.process(up=0)

    assert len(bench.take("runner")) == 1
    assert [row.payload["op"] for row in bench.take("rt")] == ["open"]


def test_maintenance_that_is_ended_early_lets_repairs_go_after_settling(bench):
    bench.parts.situations.settle_seconds = 60.0
    bench.order(SetMaintenance(actor="alice", reason="kernel", seconds=36000.0))
    bench.process(up=0)
    bench.pass_time(100.0)

    bench.order(SetMaintenance(actor="alice", reason="", seconds=0.0))
    bench.pass_time(60.0)

    assert len(bench.take("runner")) == 1


def test_maintenance_survives_a_restart(bench):
    bench.order(SetMaintenance(actor="alice", reason="kernel", seconds=3600.0))
    bench.restart()

    bench.process(up=0)

    assert bench.take("runner") == []


def test_the_stop_file_holds_repairs_back(bench):
    (bench.directory / "stop").touch()

    bench.process(up=0)

    assert bench.take("runner") == []


def test_an_operator_can_take_an_incident(bench):
    bench.parts.situations.stopped_by = {"operator": "a test"}
    bench.process(up=0)
    incident_id = bench.incident()["id"]

    answer = bench.order(OnIncident(incident_id=incident_id, event=Acknowledged(actor="alice")))

    assert answer["acknowledged_by"] == "alice"
    with pytest.raises(CommandError, match="no open incident"):
        bench.order(OnIncident(incident_id="nonsense", event=Acknowledged(actor="alice")))


def test_many_incidents_of_one_kind_fold_into_one_storm(bench):
    bench.processes({f"p{n}": 0 for n in range(60)})

    incidents = bench.incidents()
    storms = [incident for incident in incidents if incident["members"]]
    assert len(storms) == 1
    assert storms[0]["members"] == 40
    assert sum(1 for incident in incidents if incident["parent"] == storms[0]["id"]) == 40
    assert len({row.incident_id for row in bench.take("rt")}) <= 4


def test_a_storm_found_while_settling_is_handed_to_a_person_and_never_acted_on(make_bench):
    bench = make_bench(settling=60.0)
    bench.processes({f"p{n}": 0 for n in range(60)})
    bench.clock.advance(61.0)

    bench.processes({f"p{n}": 0 for n in range(60)})

    (storm,) = [incident for incident in bench.incidents() if incident["members"] and incident["member_labels"]]
    assert storm["state"] == "escalated"
    assert storm["attempts"] == []


def test_a_storm_ends_with_its_last_member(bench):
    bench.parts.situations.stopped_by = {"operator": "a test"}
    bench.processes({f"p{n}": 0 for n in range(30)})
    bench.clock.advance(20)

    bench.processes({f"p{n}": 1 for n in range(30)})

    assert {incident["state"] for incident in bench.incidents()} == {"resolved"}


def test_two_alerts_of_one_subject_are_one_incident_until_both_are_over(make_bench):
    rules = """
groups:
- name: g
  rules:
  - alert: Worker
    expr: worker_failed == 1
    labels: {severity: warning}
"""
    bench = make_bench(rules=rules)

    def workers(**pids):
        samples = [Sample("worker_failed", float(failed), labels(pid=pid[1:])) for pid, failed in pids.items()]
        bench.engine.read(Reading(source=Source("x", ""), at=bench.clock.now(), samples=samples, pushed=True))
        bench.turn()
        bench.clock.advance(1)

    workers(_1=1, _2=1)
    assert len(bench.incidents()) == 1
    workers(_1=0, _2=1)
    assert bench.incident()["state"] != "resolved"
    workers(_1=0, _2=0)
    assert bench.incident()["state"] == "resolved"


def test_the_watchdog_is_fed_on_time_though_the_clock_is_set_back(bench):
    pings = []
    bench.parts.outside.watchdog = lambda: pings.append(bench.clock.boottime())
    bench.parts.outside.watchdog_seconds = 15.0
    bench.turn()
    bench.clock.stepped = -3600.0
    for _ in range(4):
        bench.pass_time(10.0)
    assert pings == [0.0, 20.0, 40.0]


def test_the_engine_never_sleeps_past_the_next_ping(bench):
    bench.parts.outside.watchdog_seconds = 15.0
    bench.turn()
    bench.pass_time(10.0)
    assert bench.engine._patience() <= 5.0


@pytest.mark.parametrize(
    "result",
    [{"outcome": "refused", "unmet": True}, {"outcome": "refused"}, {"never_began": True}],
)
def test_an_alert_that_ends_before_anything_was_done_about_it_is_over(bench, result):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.process(up=1)
    bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, done=True, result=result))
    bench.turn()
    assert (bench.incident()["state"], bench.incident()["resolution"]) == ("resolved", "by_itself")
    assert bench.take("runner") == []


def test_time_spent_waiting_for_a_guard_is_no_health_that_resets_attempts(make_bench):
    bench = make_bench()
    (ladder,) = bench.policy.ladders
    limits = replace(ladder.limits, attempts=2, healthy_reset=300.0, cooldown=400.0, runs=100)
    bench.parts.situations.policy = replace(bench.policy, ladders=(replace(ladder, limits=limits),))
    began = 0
    for _ in range(5):
        for _ in range(30):
            bench.process(up=0)
            if rows := bench.take("runner"):
                break
            bench.clock.advance(15)
        began += len(rows)
        for row in rows:
            done = EffectSettled(row=row.id, claim=row.claim, done=True, result={"outcome": "succeeded"})
            bench.engine.settled(done)
        for _ in range(5):
            bench.clock.advance(5)
            bench.process(up=1)
    assert began == 2
    bench.pass_time(301)
    bench.process(up=1)
    bench.clock.advance(1)
    bench.process(up=0)
    assert len(bench.take("runner")) == 1, "after as long in good health it may be tried again"


@pytest.mark.parametrize(("outcome", "detail"), [("succeeded", "exit status 0"), ("failed", "exit status 1")])
def test_how_a_repair_ended_is_in_the_record_and_no_warning_by_itself(bench, outcome, detail):
    bench.process(up=0)
    (row,) = bench.take("runner")
    result = {"outcome": outcome, "detail": detail}
    with capture_logs() as lines:
        bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, done=True, reason=detail, result=result))
        bench.turn()
    timeline = bench.reader.incident(bench.incident()["id"])["timeline"]
    assert (timeline[-1]["reason"], timeline[-1]["detail"]) == ("attempt_settled", f"{outcome}: {detail}")
    assert f"{outcome}: {detail}" in {line.get("detail") for line in lines}
    assert "warning" not in {line["log_level"] for line in lines}


def test_a_fault_that_others_report_after_one_of_our_own_starts_nothing(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="succeeded")
    for _ in range(4):
        bench.clock.advance(5)
        bench.process(up=1)
    assert bench.incident()["state"] == "resolved"
    bench.processes({})  # ours is gone, and somebody else tells of one that looks the same
    bench.clock.advance(20)
    sample = Sample("paramedic_process_up", 0.0, labels(name="web"))
    source, at = Source("mqtt", "t"), bench.clock.now()
    bench.engine.read(Reading(source=source, at=at, samples=[sample], pushed=True, origin=Origin.MQTT))
    bench.turn()
    incident = bench.incident()
    assert (incident["reopened"], incident["origin"]) == (1, "mqtt")
    assert bench.take("runner") == []
    assert "alerts of origin mqtt may not start it" in incident["escalated_reason"]


def test_a_plan_is_about_what_the_alert_says_now(make_bench):
    """The label pid is none of the identity: a fault that comes back may be about another process."""
    bench = make_bench(rules=RULES.replace("paramedic_process_up == 0", "worker_stuck == 1"))
    bench.planner = lambda _ladder, incident: (
        replace(bench.planned, plan=Plan(argv=("/bin/end", dict(incident.labels)["pid"]), resource="command:web")),
    )
    bench.parts.situations.planner = bench.planner
    ended = []
    for pid in ("11", "22"):
        bench.clock.advance(60)
        stuck = [Sample("worker_stuck", 1.0, labels(pid=pid))]
        bench.engine.read(Reading(source=Source("w"), at=bench.clock.now(), samples=stuck, pushed=True))
        bench.turn()
        (row,) = bench.take("runner")
        ended.append(row.payload["argv"])
        bench.settle(row, outcome="succeeded")
        for _ in range(4):
            bench.clock.advance(5)
            bench.engine.read(Reading(source=Source("w"), at=bench.clock.now(), samples=[], pushed=True))
            bench.turn()
        assert bench.incident()["state"] == "resolved"
    assert ended == [["/bin/end", "11"], ["/bin/end", "22"]]
    assert bench.incident()["reopened"] == 1


SEVERITY = "{{ if lt $value 5.0 }}critical{{ else }}warning{{ end }}"


def test_another_severity_updates_the_incident_and_ends_none(make_bench):
    rule = RULES.replace("== 0", "< 10").replace("{severity: critical}", f"{{severity: '{SEVERITY}'}}")
    bench = make_bench(rules=rule, ladders=())
    priorities = []
    for up in (7, 1, 8, 2):
        bench.process(up=up)
        incident = bench.incident()
        priorities.append(incident["priority"])
        assert (incident["state"], incident["reopened"]) == ("escalated", 0)
        bench.clock.advance(20)
    assert priorities[0] == priorities[2] > priorities[1] == priorities[3]
    bench.process(up=20)
    assert bench.incident()["state"] == "resolved"


def test_of_two_alerts_of_one_subject_the_one_that_is_left_is_what_the_incident_is_about(make_bench):
    bench = make_bench(rules=RULES.replace("paramedic_process_up == 0", "worker_stuck == 1"), ladders=())

    def stuck(*pids):
        bench.clock.advance(20)
        samples = [Sample("worker_stuck", 1.0, labels(pid=pid)) for pid in pids]
        bench.engine.read(Reading(source=Source("w"), at=bench.clock.now(), samples=samples, pushed=True))
        bench.turn()
        return dict(bench.incident()["labels"]).get("pid"), bench.incident()["state"]

    assert stuck("11") == ("11", "escalated")
    assert stuck("11", "22") == ("22", "escalated")
    assert stuck("11") == ("11", "escalated")
    bench.restart()
    assert stuck("11", "33") == ("33", "escalated")
    assert stuck("11") == ("11", "escalated")
    assert stuck() == ("11", "resolved")


def test_an_incident_that_comes_back_for_ever_is_a_new_one_now_and_then(make_bench, monkeypatch):
    monkeypatch.setattr(policy, "MOST_SPANS", 5)
    bench = make_bench(ladders=())
    for _ in range(12):
        for up in (0, 1):
            bench.clock.advance(20)
            bench.process(up=up)
    incidents = bench.reader.incidents(("resolved", "closed"), 10)
    assert sorted(incident["reopened"] for incident in incidents) == [1, 4, 4]
    assert sum(incident["state"] == "resolved" for incident in incidents) == 1


class Failing:
    """A connection to a database on a disk that can no longer be read."""

    in_transaction = False

    def execute(self, *_statement):
        raise sqlite3.OperationalError("disk I/O error")


def test_a_disk_that_fails_stops_every_action_and_no_watching(bench):
    bench.pass_time(16)
    real, bench.database.connection = bench.database.connection, Failing()
    with capture_logs() as lines:
        for up in (0, 1, 0):
            bench.clock.advance(20)
            bench.process(up=up)
    assert [str(alert.state) for alert in bench.engine.alerts] == ["firing"]
    assert [alert.name for alert in bench.told] == ["ProcessDown"] * 3
    assert bench.handed == []
    assert any("the record cannot be read" in line["event"] for line in lines)
    bench.database.connection = real
    for _ in range(3):
        bench.pass_time(20)
    assert bench.incident()["state"] == "remediating"


def test_while_a_disk_fails_that_is_said_once_and_old_samples_are_let_go(bench, monkeypatch):
    bench.pass_time(16)
    monkeypatch.setattr(bench.database, "connection", Failing())
    dropped = []
    monkeypatch.setattr(bench.parts.series, "drop_old", dropped.append)
    with capture_logs() as lines:
        for _ in range(10):
            bench.pass_time(20)
    assert sum("the record cannot be read" in line["event"] for line in lines) == 1
    assert len(dropped) >= 3


def test_what_is_owed_while_nothing_can_be_written_is_told_once_it_can(make_bench):
    bench = make_bench(ladders=())
    bench.pass_time(16)

    def full(_writes):
        raise StoreError("the disk is full")

    real, bench.database.commit = bench.database.commit, full
    for up in (0, 1, 0, 1):
        bench.clock.advance(20)
        bench.process(up=up)
        bench.pass_time(400)
    assert bench.handed == []
    bench.database.commit = real
    told = []
    for _ in range(40):
        bench.pass_time(10)
        for row in bench.take("rt"):
            told.append(row.payload["op"])
            bench.settle(row, id="7", state="open")
    assert (told[0], told[-1], told.count("open"), told.count("close")) == ("open", "close", 1, 2)


def test_the_time_from_an_event_to_its_record_is_measured(bench):
    def measured():
        return round(metrics.DETECTION_SECONDS._sum.get(), 3), sum(b.get() for b in metrics.DETECTION_SECONDS._buckets)

    def tell(name, *, up, pushed):
        sample = Sample("paramedic_process_up", up, labels(name=name))
        source = Source("processes", name)
        bench.engine.read(Reading(source=source, at=bench.clock.now(), samples=[sample], pushed=pushed))
        bench.clock.advance(0.125)
        bench.turn()

    seconds, count = measured()
    tell("web", up=1.0, pushed=True)
    tell("polled", up=0.0, pushed=False)
    assert measured() == (seconds, count), "one led to nothing, the other was no event"
    tell("web", up=0.0, pushed=True)
    assert len(bench.incidents()) == 2
    assert measured() == (seconds + 0.125, count + 1)
