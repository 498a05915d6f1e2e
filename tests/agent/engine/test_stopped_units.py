"""A unit that a person stopped is left alone, whatever rule says that it is down."""

from functools import partial

import pytest

from agent.engine.judging import stopped_on_purpose
from agent.engine.situations import Planned
from collectors.sample import Reading, Sample, Source, labels
from remediations.plan import Plan

UNIT = r"app\x2dweb.service"


@pytest.fixture
def bench(make_bench):
    bench = make_bench()
    bench.planned = Planned(
        action="restart_unit", timeout=30.0, plan=Plan(argv=("systemctl", "restart", UNIT), resource=f"unit:{UNIT}")
    )
    bench.parts.situations.stopped_on_purpose = partial(stopped_on_purpose, bench.parts.ruleset)
    return bench


def ended(bench, cause, unit=UNIT):
    samples = [
        Sample("paramedic_systemd_service_ended", float(each == cause), labels(name=unit, cause=each))
        for each in ("request", "failure")
    ]
    bench.engine.read(Reading(source=Source("systemd"), at=bench.clock.now(), samples=samples, pushed=True))
    bench.turn()


def test_what_was_stopped_on_purpose_is_not_started_and_a_person_is_told(bench):
    ended(bench, "request")
    bench.process(up=0)
    assert bench.take("runner") == []
    incident = bench.incident()
    assert incident["state"] == "escalated"
    assert incident["escalated_reason"] == rf"target: {UNIT} was stopped on purpose"


def test_what_failed_is_started(bench):
    ended(bench, "failure")
    bench.process(up=0)
    assert len(bench.take("runner")) == 1


def test_another_unit_that_was_stopped_is_no_obstacle(bench):
    ended(bench, "request", "other.service")
    bench.process(up=0)
    assert len(bench.take("runner")) == 1


def test_once_it_was_started_again_it_counts_no_more(bench):
    ended(bench, "request")
    bench.clock.advance(1)
    ended(bench, None)
    bench.process(up=0)
    assert len(bench.take("runner")) == 1
