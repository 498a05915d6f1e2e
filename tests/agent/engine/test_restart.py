"""What a crash leaves: everything that was durable, nothing done twice."""

import math
from dataclasses import replace

import pytest

from agent.engine import intake
from agent.engine.commands import PostAlerts
from agent.incidents.posted import post_of
from agent.store.database import Database, StoreError
from tests.agent.engine.conftest import RULES


def post(bench, **changes):
    alert = {"labels": {"alertname": "DiskBroken", "severity": "critical"}, "annotations": {}, **changes}
    future = bench.engine.queue.order(PostAlerts(alerts=[post_of(alert)], origin="http"))
    bench.turn()
    return future


def test_an_interrupted_run_is_never_repeated_and_goes_to_verification(bench):
    bench.process(up=0)
    (repair,) = bench.take("runner")

    bench.restart()
    bench.turn()

    assert bench.survivors == [repair.payload["run_id"]]
    assert bench.take("runner") == []
    incident = bench.reader.incident(bench.incident()["id"])
    assert incident["state"] == "verifying"
    assert incident["attempts"][0]["outcome"] == "interrupted"


def test_an_interrupted_run_that_helped_is_verified_like_any_other(bench):
    bench.process(up=0)
    bench.restart()
    bench.clock.advance(1)

    bench.process(up=1)
    bench.pass_time(10)

    assert bench.incident()["resolution"] == "fixed"


def test_a_ticket_row_that_was_running_is_performed_again(bench):
    bench.process(up=0)
    (first,) = bench.take("rt")

    bench.restart()
    bench.turn()

    (again,) = bench.take("rt")
    assert again.key == first.key
    assert again.claim != first.claim
    assert again.attempts == 2


def test_an_incident_goes_on_where_it_was(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    before = bench.incident()

    bench.restart()
    bench.turn()

    assert bench.incident()["id"] == before["id"]
    assert bench.incident()["state"] == "verifying"
    bench.clock.advance(1)
    bench.process(up=1)
    bench.pass_time(10)
    assert bench.incident()["resolution"] == "fixed"


def test_an_outage_longer_than_the_time_for_verification_fails_no_repair(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")

    bench.restart(seconds=300)
    bench.turn()
    assert bench.incident()["state"] == "verifying"
    bench.clock.advance(1)
    bench.process(up=1)
    bench.pass_time(10)

    assert bench.incident()["resolution"] == "fixed"


def test_verification_that_begins_anew_after_an_outage_ends_in_time_too(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    bench.restart(seconds=300)
    bench.turn()

    bench.pass_time(61)

    assert bench.incident()["state"] != "verifying"


def test_time_spent_ending_an_interrupted_run_is_not_taken_from_its_verification(bench):
    bench.process(up=0)
    bench.kill()
    bench.end_survivors = lambda _run: bench.clock.advance(3.0) or "what was left of it was ended"
    bench.live()

    assert bench.incident()["work"]["settled_at"] == bench.clock.now()


def test_guard_counters_survive(bench):
    for _ in range(3):
        bench.process(up=0)
        bench.helped()
        bench.restart()
        bench.turn()

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incident()["escalated_reason"].startswith("attempts: ")


def test_an_alert_that_ended_while_we_were_down_resolves(bench):
    bench.parts.situations.stopped_by = {"operator": "a test"}
    bench.process(up=0)
    bench.restart()
    bench.clock.advance(1)

    bench.process(up=1)

    assert bench.incident()["resolution"] == "by_itself"


def test_posted_alerts_are_acknowledged_once_they_are_durable_and_applied_after_a_crash(bench, monkeypatch):
    monkeypatch.setattr(intake, "_TURN_SECONDS", 0.0)
    futures = [
        bench.engine.queue.order(
            PostAlerts(alerts=[post_of({"labels": {"alertname": f"A{n}", "severity": "critical"}})], origin="http")
        )
        for n in range(80)
    ]
    bench.turn()
    assert [future.result(0) for future in futures] == [{}] * 80
    assert bench.incidents() == [], "to acknowledge what comes in a row goes before to apply it"
    bench.pass_time(0.2)
    assert len(bench.incidents()) == 1
    bench.turn()
    assert len(bench.incidents()) == 2

    bench.restart()
    monkeypatch.setattr(intake, "_TURN_SECONDS", 60.0)
    bench.turn()

    assert len(bench.incidents()) == 80
    bench.restart()
    bench.turn()
    assert len(bench.incidents()) == 80


def test_a_posted_alert_that_is_not_refreshed_is_not_over(bench):
    post(bench)
    bench.turn()
    bench.pass_time(400)

    assert bench.incident()["alert_state"] == "no_data"
    assert bench.incident()["state"] != "resolved"

    post(bench, endsAt="2001-01-01T00:00:00Z")
    bench.turn()
    assert bench.incident()["state"] == "resolved"


def test_a_posted_alert_starts_no_action_that_does_not_list_its_origin(bench):
    alert = {"labels": {"alertname": "ProcessDown", "severity": "critical", "name": "web"}}
    bench.order(PostAlerts(alerts=[post_of(alert)], origin="http"))
    bench.turn()

    assert bench.take("runner") == []
    assert bench.incident()["escalated_reason"].startswith("target: ")


def test_intervals_keep_their_length_when_the_clock_is_set_back(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    bench.clock.advance(1)
    bench.process(up=1)
    bench.clock.stepped = -3600.0
    bench.pass_time(5)
    bench.process(up=1)
    assert bench.incident()["state"] == "verifying"

    bench.pass_time(5)

    assert bench.incident()["resolution"] == "fixed"


def test_a_clock_that_jumps_a_month_ahead_ends_no_hold_early(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    bench.clock.advance(1)
    bench.process(up=1)

    bench.clock.stepped = 30 * 86400.0
    bench.pass_time(5)

    assert bench.incident()["state"] == "verifying"


def test_the_remaining_time_counts_across_a_restart_within_a_boot_though_the_clock_was_set(bench):
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    bench.clock.advance(1)
    bench.process(up=1)
    bench.kill()
    bench.clock.offset -= 3600.0
    bench.clock.advance(2)
    bench.live()
    bench.process(up=1)
    assert bench.incident()["state"] == "verifying"

    bench.pass_time(10)

    assert bench.incident()["resolution"] == "fixed"


def test_a_second_daemon_is_refused_with_what_to_do(bench):
    with pytest.raises(StoreError, match="in use by another paramedic"):
        Database(bench.directory)


def test_a_state_of_a_newer_version_is_refused_and_left_alone(bench, tmp_path):
    database = Database(tmp_path / "new")
    database.connection.execute("PRAGMA user_version = 999")
    database.close()

    with pytest.raises(StoreError, match="newer paramedic"):
        Database(tmp_path / "new")


def alert_rows(bench):
    return bench.database.connection.execute("SELECT state FROM alerts").fetchall()


def test_a_resolved_alert_is_forgotten_at_once_where_nobody_has_to_hear_of_it(bench):
    bench.process(up=0)
    assert alert_rows(bench) == [("firing",)]
    bench.pass_time(1)
    bench.process(up=1)
    assert alert_rows(bench) == []


def test_a_resolved_alert_stays_on_record_for_an_hour_where_somebody_must_hear_of_it(bench):
    bench.parts.desk.rules.keep_resolved = True
    bench.process(up=0)
    bench.pass_time(1)
    bench.process(up=1)
    bench.restart()
    assert [alert.state for alert in bench.told][-1] == "resolved"
    bench.pass_time(3500)
    assert alert_rows(bench) == [("resolved",)]
    bench.pass_time(3700)
    bench.turn()
    assert alert_rows(bench) == []


def by_helper(bench):
    bench.planned = replace(bench.planned, plan=replace(bench.planned.plan, by="helper"))
    bench.process(up=0)
    (row,) = bench.take("helper")
    return row


def test_a_run_that_the_helper_has_goes_on_and_its_result_is_collected(bench):
    row = by_helper(bench)
    bench.restart()
    bench.turn()

    (again,) = bench.take("helper")
    assert (again.id, again.key) == (row.id, row.key)
    assert bench.survivors == []
    assert bench.incident()["state"] == "remediating"
    assert bench.parts.ledger.running == {row.key: row.payload["resource"]}
    bench.settle(again, outcome="succeeded")
    (attempt,) = bench.incident()["attempts"]
    assert (attempt["run_id"], attempt["outcome"]) == (row.key, "succeeded")


def test_a_run_that_never_began_does_not_count_and_is_decided_anew(bench):
    row = by_helper(bench)
    bench.never_began = {row.key}
    bench.restart()
    bench.process(up=0)
    bench.pass_time(60)

    (again,) = bench.take("helper")
    assert again.key != row.key
    (attempt,) = bench.incident()["attempts"]
    assert attempt["run_id"] == again.key
    owner = (attempt["remediation"], attempt["resource"])
    assert bench.parts.ledger.passes(owner, bench.clock.now(), 3600.0) == 1
    assert bench.database.connection.execute("SELECT run_id FROM runs").fetchall() == [(again.key,)]


def test_a_run_that_never_began_does_not_begin_while_a_guard_forbids_it_now(bench):
    row = by_helper(bench)
    bench.never_began = {row.key}
    (bench.directory / "stop").touch()
    bench.restart()
    bench.turn()

    assert bench.take("helper") == []
    assert bench.incident()["state"] == "open"
    assert bench.incident()["attempts"] == []


@pytest.mark.parametrize("first", ["1", "2"])
def test_two_alerts_of_one_subject_hold_their_incident_across_a_restart(bench, first):
    other = "2" if first == "1" else "1"
    for pid in ("1", "2"):
        post(bench, labels={"alertname": "DiskBroken", "severity": "critical", "pid": pid})
        bench.pass_time(3)
    bench.restart()
    ended = {"endsAt": "2020-01-01T00:00:00Z"}
    post(bench, labels={"alertname": "DiskBroken", "severity": "critical", "pid": first}, **ended)
    bench.pass_time(3)
    assert bench.incident()["state"] == "escalated"
    bench.restart()
    post(bench, labels={"alertname": "DiskBroken", "severity": "critical", "pid": other}, **ended)
    bench.pass_time(3)
    assert bench.incident()["state"] == "resolved"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 / paramedic_process_up > 10", math.inf),
        ("-1 / paramedic_process_up < -10", -math.inf),
        ("paramedic_process_up / paramedic_process_up != 1", math.nan),
    ],
)
def test_a_value_that_is_no_number_keeps_nobody_from_starting_again(make_bench, expression, value):
    bench = make_bench(rules=RULES.replace("paramedic_process_up == 0", expression))
    bench.process(up=0)
    (alert,) = bench.engine.alerts
    assert str(alert.value) == str(value)
    fingerprint = alert.fingerprint
    for _ in range(2):
        bench.restart()
        assert bench.incident()["state"] in ("remediating", "verifying")
        bench.pass_time(16)
        (alert,) = bench.engine.alerts
        assert alert.fingerprint == fingerprint
