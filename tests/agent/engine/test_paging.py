"""Escalation by time: an incident that nobody acknowledges goes up its chain, each level told once."""

from collections import Counter
from dataclasses import replace

import pytest

from agent.engine.commands import OnIncident, PutSilence
from agent.incidents.events import Acknowledged, Released, ResolvedByOperator
from agent.incidents.routes import Chain, Level, Route
from agent.incidents.silences import Silence
from agent.telemetry.metrics import REGISTRY
from rules import matchers
from tests.agent.engine.conftest import NOW

LEVELS = (
    Level(after=0.0, channels=("first",)),
    Level(after=900.0, channels=("second",)),
    Level(after=1800.0, channels=("third", "boss")),
)
URGENT = Chain(name="urgent", priorities=frozenset({"P1"}), levels=LEVELS)
SEVERITIES = """
groups:
- name: process
  interval: 15s
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: "{{ if lt $value 0.0 }}x{{ else }}critical{{ end }}"}
  - alert: Slow
    expr: paramedic_process_slow > 0
    labels: {severity: "{{ if gt $value 1.0 }}critical{{ else }}warning{{ end }}"}
"""


def told(bench):
    """Deliver everything to people; return the channels and reasons in order."""
    found = []
    while rows := [row for row in bench.handed if row.target not in {"rt", "mqtt", "runner"}]:
        for row in rows:
            bench.handed.remove(row)
            found.append((row.target, row.payload["reason"]))
            bench.settle(row)
    return [each for each in found if each[1] != "no_data"]


def paged(bench):
    return [channel for channel, reason in told(bench) if reason == "paged"]


@pytest.fixture
def bench(make_bench):
    bench = make_bench(ladders=(), chains=(URGENT,))
    bench.process(up=0)
    return bench


def order(bench, event):
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=event))


def test_an_unacknowledged_p1_goes_to_the_next_level_at_the_minute_configured(bench):
    assert paged(bench) == ["first"]
    bench.pass_time(899)
    assert paged(bench) == []
    assert bench.parts.casebook.next_at() == NOW + 900
    bench.pass_time(1)
    assert paged(bench) == ["second"]
    bench.pass_time(899)
    assert paged(bench) == []
    bench.pass_time(1)
    assert paged(bench) == ["third", "boss"]
    bench.pass_time(86400)
    assert paged(bench) == []
    details = [each["detail"] for each in bench.reader.incident(bench.incident()["id"])["timeline"]]
    assert "level 2 of urgent" in details


def test_levels_are_counted(bench):
    before = REGISTRY.get_sample_value("paramedic_pages_total", {"chain": "urgent", "level": "2"}) or 0.0
    bench.pass_time(900)
    assert REGISTRY.get_sample_value("paramedic_pages_total", {"chain": "urgent", "level": "2"}) == before + 1


def test_each_level_is_told_once_whatever_restarts_come_between(bench):
    seen = Counter(paged(bench))
    for _ in range(40):
        bench.restart(60)
        bench.process(up=0)
        seen.update(paged(bench))
    assert seen == {"first": 1, "second": 1, "third": 1, "boss": 1}


def test_a_level_that_was_owed_at_the_crash_is_told_by_the_next_life_and_once(bench):
    assert paged(bench) == ["first"]
    bench.clock.advance(900)
    bench.turn()  # decided and durable, not yet delivered
    bench.restart(10)
    bench.turn()
    assert paged(bench) == ["second"]
    bench.restart(10)
    bench.turn()
    assert paged(bench) == []


def test_levels_that_were_due_while_the_daemon_was_down_are_told_at_its_start(bench):
    assert paged(bench) == ["first"]
    bench.restart(3600)
    bench.turn()
    assert paged(bench) == ["second", "third", "boss"]


@pytest.mark.parametrize("step", [7200.0, -7200.0])
def test_a_step_of_the_clock_neither_hastens_nor_delays_a_level(bench, step):
    paged(bench)
    bench.pass_time(300)
    bench.clock.stepped = step
    bench.turn()
    bench.pass_time(599)
    assert paged(bench) == []
    bench.pass_time(1)
    assert paged(bench) == ["second"]


@pytest.mark.parametrize("step", [7200.0, -7200.0])
def test_a_step_of_the_clock_while_the_daemon_is_down_does_not_either(bench, step):
    paged(bench)
    bench.pass_time(300)
    bench.clock.offset += step
    bench.restart(599)
    bench.turn()
    assert paged(bench) == []
    bench.pass_time(1)
    assert paged(bench) == ["second"]


def test_a_wall_clock_that_was_ahead_before_a_reboot_makes_nobody_wait_for_it(bench):
    paged(bench)
    bench.clock.offset -= 10 * 86400
    bench.restart(60, boot_id="boot-2")
    bench.turn()
    bench.pass_time(900)
    assert paged(bench) == ["second"]


def test_an_acknowledgement_ends_the_chain_and_those_who_were_told_hear_of_it(bench):
    assert paged(bench) == ["first"]
    order(bench, Acknowledged(actor="ann"))
    assert told(bench) == [("first", "acknowledged")]
    bench.pass_time(86400)
    assert told(bench) == []
    assert bench.incident()["acknowledged_by"] == "ann"


def test_an_acknowledgement_that_expires_arms_the_chain_again_from_its_first_level(bench):
    paged(bench)
    bench.pass_time(900)
    paged(bench)
    order(bench, Acknowledged(actor="ann", until=bench.clock.now() + 3600))
    told(bench)
    bench.restart(3599 - 1)
    bench.turn()
    assert told(bench) == []
    bench.pass_time(2)
    assert told(bench) == [("first", "paged"), ("second", "acknowledgement_over")]
    incident = bench.incident()
    assert (incident["acknowledged_by"], incident["acknowledged_until"]) == ("", None)
    bench.pass_time(899)
    assert paged(bench) == []
    bench.pass_time(1)
    assert paged(bench) == ["second"]


def test_an_acknowledgement_expires_in_its_time_while_an_attempt_is_being_verified(make_bench):
    bench = make_bench(chains=(URGENT,))
    bench.process(up=0)
    (row,) = bench.take("runner")
    order(bench, Acknowledged(actor="ann", until=NOW + 30))
    bench.settle(row, outcome="succeeded")
    assert bench.incident()["state"] == "verifying"
    bench.pass_time(30)
    assert bench.incident()["acknowledged_by"] == ""


def test_an_acknowledgement_that_names_no_end_holds_as_long_as_is_configured(make_bench):
    bench = make_bench(ladders=(), chains=(URGENT,), acknowledged_for=600.0)
    bench.process(up=0)
    paged(bench)
    order(bench, Acknowledged(actor="ann"))
    assert bench.incident()["acknowledged_until"] == NOW + 600
    bench.pass_time(600)
    assert paged(bench) == ["first"]


def test_an_acknowledgement_that_is_given_back_arms_the_chain_again(bench):
    paged(bench)
    order(bench, Acknowledged(actor="ann"))
    assert told(bench) == [("first", "acknowledged")]
    bench.pass_time(7200)
    order(bench, Released(actor="ann"))
    assert paged(bench) == ["first"]


def test_whoever_was_told_in_time_hears_the_end_and_nobody_else_is_told(bench):
    paged(bench)
    bench.pass_time(900)
    paged(bench)
    order(bench, ResolvedByOperator(actor="ann"))
    assert told(bench) == [("first", "resolved_by_operator"), ("second", "resolved_by_operator")]
    bench.pass_time(3600)
    assert told(bench) == []


def test_a_recurrence_begins_the_chain_anew(bench):
    paged(bench)
    bench.clock.advance(1)
    bench.process(up=1)
    bench.pass_time(60)
    assert told(bench) == [("first", "resolved_by_itself")]
    bench.process(up=0)
    assert ("first", "paged") in told(bench)


def slow(bench, value):
    bench.processes({})
    from collectors.sample import Reading, Sample, Source, labels  # noqa: PLC0415

    sample = Sample("paramedic_process_slow", float(value), labels(name="web"))
    source = Source("slow", "")
    bench.engine.read(Reading(source=source, at=bench.clock.now(), samples=[sample], complete=True, pushed=True))
    bench.turn()


def test_priorities_decide_the_chain(make_bench):
    calm = Chain(name="calm", levels=(Level(after=3600.0, channels=("calm",)),))
    bench = make_bench(ladders=(), rules=SEVERITIES, chains=(URGENT, calm))
    slow(bench, 1)
    bench.pass_time(1800)
    assert paged(bench) == []
    slow(bench, 2)
    assert bench.incidents()[0]["priority"] == "P1"
    assert paged(bench) == ["first"]
    bench.pass_time(900)
    assert paged(bench) == ["second"]


def test_what_fits_no_chain_is_left_alone(make_bench):
    bench = make_bench(ladders=(), chains=(replace(URGENT, services=frozenset({"shop"})),))
    bench.process(up=0)
    bench.pass_time(86400)
    assert told(bench) == []


@pytest.mark.parametrize(("begins", "following"), [(600, ["second"]), (1000, ["third", "boss"])])
def test_a_silence_holds_a_chain_and_after_it_the_next_level_has_its_full_time(bench, begins, following):
    bench.pass_time(begins)
    paged(bench)
    silence = Silence(
        matchers=matchers.parse_all('{alertname="ProcessDown"}'),
        starts_at=bench.clock.now(),
        ends_at=bench.clock.now() + 7200,
        created_by="ann",
        comment="",
    )
    bench.order(PutSilence(actor="ann", silence=silence))
    bench.pass_time(7199)
    assert paged(bench) == []
    bench.pass_time(1)
    bench.pass_time(899)
    assert paged(bench) == []
    bench.pass_time(1)
    assert paged(bench) == following


def test_a_chain_begins_when_settling_is_over_and_a_restart_does_not_hold_one_that_has_begun(make_bench):
    bench = make_bench(ladders=(), chains=(URGENT,), settling=300.0)
    bench.process(up=0)
    assert paged(bench) == []
    bench.pass_time(300)
    assert paged(bench) == ["first"]
    bench.pass_time(800)
    bench.restart(100)
    bench.turn()
    assert paged(bench) == ["second"]


def test_a_storm_goes_up_the_chain_once_for_all(make_bench):
    bench = make_bench(ladders=(), chains=(URGENT,))
    bench.processes({f"p{number}": 0 for number in range(60)})
    bench.pass_time(900)
    seen = Counter(paged(bench))
    assert seen["second"] == seen["first"]
    assert 0 < seen["first"] <= 21


def test_a_route_and_a_level_tell_the_same_channel_once(make_bench):
    bench = make_bench(ladders=(), chains=(URGENT,), routes=(Route(channels=("first", "mail")),))
    bench.process(up=0)
    assert told(bench) == [("first", "paged"), ("mail", "no_remediation")]
