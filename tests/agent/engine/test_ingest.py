"""What messages said: taken together, judged once, answered when it is durable."""

from agent.engine.commands import Ingest, PostAlerts
from agent.incidents.posted import post_of
from collectors.sample import Failure, Origin, Reading, Sample, Source, labels

ALERT = {"labels": {"alertname": "DiskBroken", "severity": "critical"}}


def reading(bench, name, value):
    sample = Sample("paramedic_process_up", float(value), labels(name=name))
    return Reading(
        source=Source("mqtt", name), at=bench.clock.now(), samples=[sample], complete=False, pushed=True, origin="mqtt"
    )


def test_many_readings_are_judged_in_one_evaluation(bench, monkeypatch):
    judged = []
    touched = bench.parts.ruleset.touched
    monkeypatch.setattr(bench.parts.ruleset, "touched", lambda *given: judged.append(given) or touched(*given))
    assert bench.order(Ingest(readings=[reading(bench, f"n{n}", 0) for n in range(5)])) == {}
    assert len(judged) == 1
    assert {incident["alertname"] for incident in bench.incidents()} == {"ProcessDown"}
    assert len(bench.incidents()) == 5


def test_after_a_long_evaluation_messages_are_stored_at_once_and_judged_a_while_later(bench, monkeypatch):
    bench.pass_time(1.0)  # the groups have had their turn
    touched = bench.parts.ruleset.touched
    monkeypatch.setattr(bench.parts.ruleset, "touched", lambda *given: bench.clock.advance(2.0) or touched(*given))
    bench.order(Ingest(readings=[reading(bench, "a", 1)]))
    bench.clock.advance(1.0)
    assert bench.order(Ingest(readings=[reading(bench, "b", 0)])) == {}
    assert bench.incidents() == []
    assert bench.engine._patience() <= 5.0
    bench.pass_time(5.0)
    assert [dict(incident["labels"])["name"] for incident in bench.incidents()] == ["b"]


def test_what_came_by_mqtt_starts_no_action_that_takes_local_alerts_only(bench):
    bench.order(Ingest(readings=[reading(bench, "web", 0)]))
    assert bench.take("runner") == []
    assert bench.incident()["escalated_reason"].startswith("target: ")


def test_a_failed_source_is_without_data(bench):
    bench.order(Ingest(readings=[reading(bench, "web", 0)]))
    bench.clock.advance(400.0)
    failure = Failure(source=Source("mqtt", "web"), at=bench.clock.now(), reason="no message for 60 s")
    bench.order(Ingest(readings=[failure]))
    bench.pass_time(15.0)
    assert bench.incident()["alert_state"] == "no_data"


def test_alerts_are_answered_for_when_they_are_durable_and_survive_a_crash(bench):
    post = PostAlerts(alerts=[post_of(ALERT)], origin=Origin.MQTT)
    assert bench.order(Ingest(readings=[reading(bench, "web", 1)], alerts=[post])) == {}
    bench.restart()
    bench.turn()
    assert [incident["alertname"] for incident in bench.incidents()] == ["DiskBroken"]


def test_an_ingest_that_is_ordered_again_changes_nothing(bench):
    again = Ingest(readings=[reading(bench, "web", 0)])
    for _ in range(2):
        bench.order(again)
    assert len(bench.incidents()) == 1
    assert bench.parts.series.sample_count == sum(len(s) for s in bench.parts.series.select(None))
    assert len(bench.parts.series.select("paramedic_process_up")[0]) == 1
