"""A drill counts for nothing: no figure, clock, counter, limit or brake of real work knows of it."""

from dataclasses import replace

import pytest

from agent.app import reporting
from agent.engine.commands import OnIncident, RecordDrill
from agent.incidents.events import Acknowledged
from agent.itsm import catalogue
from agent.itsm.catalogue import Catalogue, Service
from agent.itsm.report import markdown, report
from agent.telemetry.metrics import REGISTRY
from collectors.sample import Reading, Sample, Source, labels
from remediations.limits import BreakerLimits, Limits, Target
from rules import matchers
from tests.agent.engine.conftest import RULES

RULE = """
  - alert: DrillDown
    expr: drill_up == 0
    labels: {severity: critical, drill: "true"}
"""
OF_PRODUCTION = ("remediation", "restart-web"), ("action", "restart_command")
LIMITS = Limits(attempts=50, runs=50, cooldown=0.0, actions_per_hour=200, breaker=BreakerLimits(failures=50, of=50))
EXACTING = Target(success=0.9, attempts=3)
TARGETS = {f"P{number}": catalogue.Target(respond=60.0, resolve=120.0) for number in range(1, 5)}


@pytest.fixture
def both(make_bench):
    """One remediation mends real faults and drills: nothing but the drill's mark tells them apart."""
    bench = make_bench(rules=RULES + RULE)
    (ladder,) = bench.policy.ladders
    bench.policy = replace(
        bench.policy,
        ladders=(
            replace(ladder, matchers=matchers.parse_all('{alertname=~".+Down"}'), limits=LIMITS, target=EXACTING),
        ),
        catalogue=Catalogue(services=(Service(name="default", targets=TARGETS),)),
    )
    bench.parts.situations.policy = bench.policy
    return bench


def drill(bench, *, up, name="scratch"):
    sample = Sample("drill_up", float(up), labels(name=name))
    source = Source("drill", name)
    bench.engine.read(Reading(source=source, at=bench.clock.now(), samples=[sample], complete=True, pushed=True))
    bench.turn()


def mended(bench, fault=drill):
    """Let a fault come and be mended."""
    fault(bench, up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.settle(row, outcome="succeeded")
    for _ in range(2):
        fault(bench, up=1)
        bench.pass_time(11)


def in_vain(bench, fault=drill):
    """Let a fault come and every attempt at it fail."""
    fault(bench, up=0)
    for row in bench.take("runner"):
        bench.settle(row, outcome="failed")
    bench.clock.advance(1)
    fault(bench, up=0)
    bench.pass_time(70)


def real(bench, *, up):
    bench.process(up=up)


def reasons(bench):
    return [reason for (reason,) in bench.database.connection.execute("SELECT reason FROM audit ORDER BY id")]


def guards(bench):
    """Return what the guards of production's next attempt would be told."""
    bench.process(up=0)
    incident = next(i for i in bench.parts.casebook.active() if not i.drill)
    return bench.parts.situations.of(incident, bench.clock.now()).steps[0].guards


@pytest.mark.parametrize("restarted", [False, True])
def test_its_runs_use_up_no_limit_of_a_remediation_an_action_kind_or_the_host(both, restarted):
    mended(both)
    if restarted:
        both.restart()
    told = guards(both)
    own = both.database.connection.execute("SELECT remediation FROM passes WHERE count > 0").fetchall()
    assert ("drill:restart-web",) in own
    # The real attempt that has just begun is all that counts.
    assert (len(told.runs), len(told.host_runs), len(told.kind.runs), told.passes) == (1, 1, 1, 1)


def test_its_failures_open_no_breaker_and_demote_nothing(both):
    (ladder,) = both.policy.ladders
    strict = replace(LIMITS, breaker=BreakerLimits(failures=1, of=1))
    both.parts.situations.policy = replace(both.policy, ladders=(replace(ladder, limits=strict),))
    in_vain(both)
    assert "breaker_opened" in reasons(both), "it has a breaker of its own"
    for subject in OF_PRODUCTION:
        assert both.parts.ledger.standing(subject).verdicts == ()
    real(both, up=0)
    assert len(both.take("runner")) == 1
    assert both.parts.ledger.standing(OF_PRODUCTION[0]).demoted_at is None


def test_it_is_never_demoted_itself_for_nobody_could_promote_it(both):
    for _ in range(5):
        in_vain(both)
        drill(both, up=1)
        both.pass_time(1)
    drill(both, up=0)
    assert len(both.take("runner")) == 1


def test_it_pulls_no_storm_brake_and_makes_no_real_incident_part_of_a_storm(both):
    for number in range(30):
        drill(both, up=0, name=f"scratch{number}")
    told = guards(both)
    assert len(told.new_incidents) == 1
    assert next(i for i in both.parts.casebook.active() if not i.drill).parent == ""


def test_it_acts_although_its_rule_is_new(both):
    both.parts.situations.newcomers.seconds = 86400.0
    drill(both, up=0)
    assert len(both.take("runner")) == 1
    real(both, up=0)
    assert both.take("runner") == []


def test_it_makes_nobody_a_promise(both):
    drill(both, up=0)
    assert both.incident()["clocks"] == []
    both.pass_time(200)
    assert not {"promise_at_risk", "promise_broken"} & set(reasons(both))
    real(both, up=0)
    assert next(i for i in both.incidents() if not i["drill"])["clocks"] != []


def test_it_opens_no_problem_however_often_it_is_held(both):
    for _ in range(5):
        mended(both)
        both.pass_time(7200)
    assert both.reader.problems() == []


def test_no_key_figure_of_a_report_knows_of_it(both):
    before = both.clock.now() - 1
    mended(both)
    in_vain(both)
    incident = both.incidents()[0]["id"]
    both.order(OnIncident(incident_id=incident, event=Acknowledged(actor="ann", until=None)))
    record = both.reader.record(before, both.clock.now() + 1)
    assert len(record.incidents) == 2
    known = reporting.evidence(both.reader, both.policy, "web1", before, both.clock.now() + 1)
    assert report(known) == report(replace(known, incidents=(), acknowledged={}))


def test_no_counter_or_gauge_of_production_moves(both):
    mended(both, real)
    both.process(up=1)
    both.pass_time(20)
    before = counted()
    mended(both)
    in_vain(both)
    drill(both, up=0, name="muted")
    both.parts.situations.muting.maintain("work", both.clock.now() + 600)
    both.pass_time(20)
    assert both.incidents()[0]["suppressed"]
    assert moved(before, counted()) == {}
    assert not any("drill:" in str(key) for key in counted())


ABOUT_THE_DAEMON = (
    "paramedic_engine_batch_seconds",
    "paramedic_detection_seconds",
    "paramedic_queue_length",
    "paramedic_outbox_rows",
    "paramedic_outbox_oldest_seconds",
    "paramedic_rule_group_duration_seconds",
    "prometheus_rule_group_last_duration_seconds",
    "paramedic_rule_evaluations",
    "paramedic_series",
    "paramedic_state_bytes",
    "paramedic_state_used_bytes",
    "paramedic_effects",
)
"""What the process itself does for a drill: its work is real."""


def counted():
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): repr(sample.value)
        for family in REGISTRY.collect()
        for sample in family.samples
        if family.name not in ABOUT_THE_DAEMON
    }


def moved(before, after):
    return {key: (before.get(key), value) for key, value in after.items() if before.get(key) != value}


def kept(drill, at, *, by="", ok=True):
    phases = [{"name": "acknowledged", "took": 12.0}] if by else []
    named = {"drill": drill, "scenario": "service-down", "acknowledged_by": by or None}
    return named | {"killed_at": at, "ok": ok, "points": 100 if ok else 50, "phases": phases}


def test_what_drills_came_to_survives_a_restart_and_is_a_part_of_the_report_of_its_own(both):
    now = both.clock.now()
    held = [
        kept("d1", now),
        kept("d2", now + 1, by="ann"),
        kept("d3", now + 2, by="bob", ok=False),
        kept("d4", now + 9e6),
    ]
    for result in held:
        both.order(RecordDrill(result=result))
        both.clock.advance(1)
    both.restart()
    assert [each["drill"] for each in both.reader.drills()] == ["d4", "d3", "d2", "d1"]
    text = markdown(report(reporting.evidence(both.reader, both.policy, "web1", now, now + 60)))
    rows = [line.split(" | ") for line in text.partition("## Drills")[2].splitlines() if "service-down" in line]
    assert [row[2:] for row in rows] == [
        ["passed", "100", "-", "- |"],
        ["passed", "100", "ann after 12.0 s", "ann |"],
        ["failed", "50", "bob after 12.0 s", "- |"],
    ]
