"""Silences, inhibition, freeze windows and maintenance in the engine: durable, on time, and ended by the clock."""

from dataclasses import replace

import pytest

from agent.engine.commands import CommandError, ExpireSilence, OnIncident, PutSilence, SetMaintenance
from agent.incidents import windows
from agent.incidents.events import Acknowledged
from agent.incidents.inhibition import Inhibition
from agent.incidents.muting import Freeze
from agent.incidents.silences import Silence, SilenceState
from agent.incidents.windows import Recurrence
from agent.telemetry import metrics
from rules import matchers
from tests.agent.engine.conftest import NOW

RULES = """
groups:
- name: process
  interval: 15s
  rules:
  - alert: NodeDown
    expr: paramedic_process_up{name="node"} == 0
    labels: {severity: critical}
  - alert: ProcessDown
    expr: paramedic_process_up{name!="node"} == 0
    labels: {severity: critical}
"""
NODE_DOWN = Inhibition(
    name="node-down",
    source=matchers.parse_all('{alertname="NodeDown"}'),
    target=matchers.parse_all('{alertname="ProcessDown"}'),
    equal=("instance",),
)


def silence(bench, seconds=600.0, text='{name="web"}', **changes):
    draft = Silence(
        matchers=matchers.parse_all(text),
        starts_at=bench.clock.now(),
        ends_at=bench.clock.now() + seconds,
        created_by="ann",
        comment="deploy",
    )
    return bench.order(PutSilence(actor="uid 0", silence=replace(draft, **changes)))["silenceID"]


def orders(bench):
    query = "SELECT event, actor, detail FROM audit WHERE incident_id = '' ORDER BY id"
    return [tuple(row) for row in bench.database.connection.execute(query)]


def freeze(bench, *times, **more):
    window = windows.parse(Recurrence(times=times))
    bench.parts.situations.muting.configure([Freeze(name="night", matchers=(), window=window, **more)], [])


def test_a_silence_stops_actions_tickets_and_topics_until_it_ends(bench):
    key = silence(bench)
    bench.process(up=0)

    assert bench.handed == []
    incident = bench.incident()
    assert incident["state"] == "open"
    assert incident["suppressed"] == f"silence {key} (ann)"
    assert incident["refusals"] == [f"freeze: muted by silence {key} (ann)"]
    assert incident["wake_at"] == pytest.approx(NOW + 600)
    bench.clock.advance(599.0)
    bench.process(up=0)
    assert bench.handed == []

    bench.pass_time(1.0)

    assert {row.target for row in bench.handed} == {"runner", "rt", "mqtt"}
    assert bench.incident()["suppressed"] == ""


def test_the_engine_wakes_when_a_silence_begins_and_when_it_ends(bench):
    silence(bench, starts_at=NOW + 3.0, seconds=9.0)
    bench.pass_time(0.5)  # a rule group is due
    assert bench.engine._patience() == pytest.approx(2.5)
    bench.pass_time(2.5)
    assert bench.engine._patience() == pytest.approx(6.0)
    bench.pass_time(6.0)
    assert bench.parts.situations.muting.next_at() is None


def test_after_a_mute_settling_applies_again_to_old_and_new_incidents(bench):
    bench.parts.situations.settle_seconds = 60.0
    key = silence(bench, text='{alertname="ProcessDown"}')
    bench.processes({"web": 0, "mail": 1})
    bench.clock.advance(100.0)
    bench.order(ExpireSilence(actor="uid 0", silence_id=key))
    bench.processes({"web": 0, "mail": 0})

    assert all(row.target == "mqtt" for row in bench.handed)
    assert all(i["refusals"][0].startswith("settling: settling for another 60 s") for i in bench.incidents())
    bench.pass_time(60.0)
    assert len(bench.take("runner")) == 1, "one at a time on one resource"
    assert len(bench.take("rt")) == 2


def test_a_silence_survives_a_crash_from_the_moment_it_was_answered(bench):
    key = silence(bench, recurrence=Recurrence(days=("mon-sun",), zone="Europe/Berlin"))
    bench.restart()

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incident()["suppressed"] == f"silence {key} (ann)"
    assert bench.parts.situations.muting.silences[key].recurrence.zone == "Europe/Berlin"


def test_a_silence_that_ended_while_nobody_ran_mutes_no_longer(bench):
    silence(bench)
    bench.process(up=0)

    bench.restart(seconds=700.0)
    bench.process(up=0)

    assert len(bench.take("runner")) == 1


def test_every_order_about_a_silence_is_on_record(bench):
    key = silence(bench)
    silence(bench, id=key, seconds=1200.0)
    other = silence(bench, id=key, text='{name="mail"}')
    bench.order(ExpireSilence(actor="uid 7", silence_id=other))
    bench.order(ExpireSilence(actor="uid 7", silence_id=other))

    assert [(event, actor) for event, actor, _ in orders(bench)] == [
        ("silence_created", "uid 0"),
        ("silence_updated", "uid 0"),
        ("silence_expired", "uid 0"),
        ("silence_created", "uid 0"),
        ("silence_expired", "uid 7"),
    ]
    assert orders(bench)[0][2] == f'{key} {{name="web"}} by ann: deploy'


def test_a_silence_that_is_not_there_cannot_be_ended_or_changed(bench):
    with pytest.raises(CommandError, match="no silence") as gone:
        bench.order(ExpireSilence(actor="uid 0", silence_id="x"))
    with pytest.raises(CommandError, match="no silence") as unknown:
        silence(bench, id="x")
    with pytest.raises(CommandError, match="matcher") as bad:
        silence(bench, text="{}")

    assert [error.value.status for error in (gone, unknown, bad)] == [404, 404, 400]


def test_silences_are_forgotten_five_days_after_their_end(bench):
    key = silence(bench)
    bench.pass_time(4 * 86400.0)
    assert bench.parts.situations.muting.silences[key].state(bench.clock.now()) is SilenceState.EXPIRED

    bench.pass_time(2 * 86400.0)
    bench.turn()

    assert bench.parts.situations.muting.silences == {}
    assert bench.database.connection.execute("SELECT count(*) FROM silences").fetchone() == (0,)


def test_a_silence_over_a_running_attempt_lets_it_finish_and_begins_no_next_step(bench):
    bench.process(up=0)
    (repair,) = bench.take("runner")
    silence(bench)
    bench.settle(repair, outcome="failed")
    bench.handed.clear()

    bench.pass_time(61.0)

    assert bench.incident()["state"] == "open"
    assert bench.handed == []


def test_a_target_is_quiet_while_its_source_fires_and_is_asked_again_at_its_end(make_bench):
    bench = make_bench(rules=RULES)
    bench.parts.situations.muting.configure([], [NODE_DOWN])
    bench.processes({"web": 0, "node": 0})
    by_name = {incident["alertname"]: incident for incident in bench.incidents()}
    assert by_name["ProcessDown"]["suppressed"] == "inhibition node-down by NodeDown"
    assert by_name["ProcessDown"]["wake_at"] is None
    assert by_name["NodeDown"]["state"] == "escalated"
    assert bench.take("runner") == []
    bench.restart()
    bench.parts.situations.muting.configure([], [NODE_DOWN])
    bench.parts.situations.muting.note(bench.parts.ruleset.active(), bench.clock.now())
    bench.turn()
    assert bench.take("runner") == []

    bench.clock.advance(1.0)
    bench.processes({"web": 0, "node": 1})

    assert len(bench.take("runner")) == 1


def test_a_source_whose_data_is_missing_goes_on_muting(make_bench):
    bench = make_bench(rules=RULES)
    bench.parts.situations.muting.configure([], [NODE_DOWN])
    bench.processes({"web": 0, "node": 0})

    bench.clock.advance(400.0)
    bench.failed()

    assert {incident["suppressed"] for incident in bench.incidents()} == {"inhibition node-down by NodeDown", ""}


def test_a_freeze_window_holds_everything_and_ends_by_itself(bench):
    freeze(bench, "08:00-09:00")  # it is 08:00 UTC
    bench.process(up=0)
    assert bench.incident()["suppressed"] == "freeze window night"
    assert bench.handed == []

    bench.clock.advance(3600.0)
    bench.process(up=0)

    assert len(bench.take("runner")) == 1


def test_a_freeze_window_that_begins_quiets_what_is_open(bench):
    freeze(bench, "08:10-09:00")
    bench.parts.situations.stopped_by = {"operator": "a test"}
    bench.process(up=0)
    bench.handed.clear()

    bench.pass_time(600.0)

    assert bench.incident()["suppressed"] == "freeze window night"
    assert bench.handed == []


def test_several_mutes_are_all_named_and_the_last_to_end_counts(bench):
    bench.order(SetMaintenance(actor="bob", reason="kernel", seconds=1200.0))
    key = silence(bench)
    bench.process(up=0)

    incident = bench.incident()
    assert incident["suppressed"] == f"maintenance: kernel (bob); silence {key} (ann)"
    assert incident["wake_at"] == pytest.approx(NOW + 1200)
    bench.pass_time(600.0)
    assert bench.incident()["suppressed"] == "maintenance: kernel (bob)"
    assert bench.take("runner") == []


def test_a_step_of_the_clock_moves_maintenance_and_no_date(bench):
    bench.order(SetMaintenance(actor="bob", reason="kernel", seconds=600.0))
    silence(bench, seconds=600.0)
    bench.clock.stepped = 3600.0
    bench.turn()

    bench.process(up=0)

    assert bench.incident()["suppressed"] == "maintenance: kernel (bob)"
    bench.restart()
    assert bench.parts.situations.muting.maintenance_until == pytest.approx(NOW + 4200.0)


def test_a_clock_that_is_set_back_brings_a_silence_to_life_again(bench):
    key = silence(bench, seconds=600.0)
    bench.pass_time(601.0)
    bench.clock.stepped = -300.0
    bench.turn()

    bench.process(up=0)

    assert bench.incident()["suppressed"] == f"silence {key} (ann)"


def test_a_muted_incident_can_be_taken_and_is_counted(bench):
    silence(bench)
    bench.process(up=0)

    answer = bench.order(OnIncident(incident_id=bench.incident()["id"], event=Acknowledged(actor="bob")))
    bench.pass_time(15.0)

    assert answer["acknowledged_by"] == "bob"
    assert bench.take("rt") == []
    assert metrics.SUPPRESSED._value.get() == 1
    assert metrics.SILENCES.labels("active")._value.get() == 1


def test_a_storm_of_muted_incidents_is_muted_until_they_are_not(bench):
    silence(bench, text='{name=~"p.*"}')
    bench.processes({f"p{n}": 0 for n in range(60)})

    (storm,) = [incident for incident in bench.incidents() if incident["members"]]
    assert storm["members"] == 40
    assert storm["suppressed"].startswith("silence ")
    assert bench.handed == []
    bench.clock.advance(600.0)
    bench.processes({f"p{n}": 0 for n in range(60)})

    storm = bench.reader.incident(storm["id"])
    assert (storm["suppressed"], storm["state"], storm["tickets"]) == ("", "escalated", ["rt"])


def test_a_muted_storm_neither_hides_nor_holds_back_what_is_not_muted(bench):
    silence(bench, text='{name=~"p.*"}')
    bench.processes({f"p{n}": 0 for n in range(60)} | {"web": 0})

    (loud,) = [incident for incident in bench.incidents() if not incident["suppressed"]]
    assert dict(loud["labels"])["name"] == "web"
    assert loud["state"] == "remediating"
