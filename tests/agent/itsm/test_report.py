"""A month of incidents through the real engine, and figures that a second computation must confirm."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.app.reporting import FORMS, report
from agent.cli.report import period
from agent.itsm.catalogue import Agreement, Catalogue, Criticality, Objective, Service, Target
from agent.itsm.measures import PHASES, downtime
from agent.itsm.report import duration
from rules import matchers
from tests.agent.engine.conftest import Bench

DAY = 86400.0
NAMES = ("web", "postgres", "worker")
CATALOGUE = Catalogue(
    [
        Service(
            name="shop",
            match=(matchers.parse_all('{name="web"}'),),
            criticality=Criticality.HIGH,
            targets={"P1": Target(respond=60.0, resolve=300.0)},
            objective=Objective(availability=0.999, window=30 * DAY, agreement=Agreement(review_by="2020-01-01")),
        ),
        Service(name="database", match=(matchers.parse_all('{name="postgres"}'),), criticality=Criticality.LOW),
    ]
)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """Thirty days of seeded faults: most are mended by the remediation, some end by themselves, one goes on."""
    bench = Bench(tmp_path_factory.mktemp("month") / "state", catalogue=CATALOGUE)
    chance = random.Random(20261122)
    start = bench.clock.now()
    faults = 0
    while bench.clock.now() < start + 30 * DAY:
        bench.pass_time(chance.uniform(2, 30) * 3600)
        _fault(bench, chance)
        faults += 1
    bench.process(up=0, name="web")
    bench.pass_time(100.0)
    yield bench, start, bench.clock.now(), faults + 1
    bench.database.close()


def _fault(bench, chance):
    name = chance.choice(NAMES)
    bench.process(up=0, name=name)
    for row in bench.take("runner"):  # none when the circuit breaker is open
        bench.clock.advance(chance.uniform(0.1, 20))
        bench.settle(row, outcome=chance.choice(["succeeded", "failed"]))
    if chance.random() < 0.3:  # it takes a second attempt, or goes away by itself
        bench.process(up=0, name=name)
        bench.pass_time(61)
        for again in bench.take("runner"):
            bench.settle(again, outcome="succeeded")
    bench.clock.advance(1)
    for _ in range(3):
        bench.process(up=1, name=name)
        bench.pass_time(11)


def figures(month):
    bench, start, end, _ = month
    return report(bench.reader, CATALOGUE, "web1", start, end).measures


def rows(month, query, *arguments):
    return month[0].database.connection.execute(query, arguments).fetchall()


def test_the_figures_are_those_that_sql_finds(month):
    """The second computation: over the columns and the audit trail, not over the documents."""
    found, faults = figures(month), month[3]
    assert found.incidents == faults == len(rows(month, "SELECT 1 FROM incidents"))
    ((fixed,),) = rows(month, "SELECT count(*) FROM audit WHERE reason = 'fixed'")
    ((over,),) = rows(month, "SELECT count(*) FROM incidents WHERE state IN ('resolved', 'closed')")
    assert (found.auto_fixed.count, found.auto_fixed.of) == (fixed, over)
    assert found.open == faults - over
    opened = dict(rows(month, "SELECT incident_id, min(at) FROM audit GROUP BY 1"))
    began = dict(rows(month, "SELECT incident_id, min(at) FROM audit WHERE reason = 'attempt_started' GROUP BY 1"))
    waits = [began[each] - opened[each] for each in began]
    assert found.acknowledge.mean == pytest.approx(sum(waits) / len(waits), abs=1e-6)
    ends = dict(rows(month, "SELECT incident_id, max(at) FROM audit WHERE state = 'resolved' GROUP BY 1"))
    lengths = sorted(ends[each] - opened[each] for each in ends)
    assert found.resolve.greatest == pytest.approx(lengths[-1], abs=1e-6)
    assert found.resolve.mean == pytest.approx(sum(lengths) / len(lengths), abs=1e-6)
    by_priority = dict(rows(month, "SELECT priority, count(*) FROM incidents GROUP BY 1"))
    assert found.by_priority == by_priority


def test_the_time_of_all_phases_is_the_time_of_all_incidents(month):
    found = figures(month)
    whole = found.resolve.mean * found.resolve.count
    assert sum(found.phases.values()) == pytest.approx(whole, rel=1e-9)
    assert set(found.phases) == set(PHASES)


def test_attempts_that_helped_are_those_that_fresh_data_confirmed(month):
    found = figures(month)
    ((started,),) = rows(month, "SELECT count(*) FROM runs")
    assert sum(action.attempts for action in found.actions) == started
    ((fixed,),) = rows(month, "SELECT count(*) FROM audit WHERE reason = 'fixed'")
    assert found.verified.count == fixed


def test_a_service_is_down_while_any_of_its_incidents_goes_on(month):
    found = {service.service: service for service in figures(month).services}
    _, start, end, _ = month
    spans = rows(
        month,
        "SELECT min(at), max(CASE WHEN audit.state = 'resolved' THEN at END) FROM audit JOIN incidents i"
        " ON i.id = incident_id WHERE json_extract(i.document, '$.service') = 'shop' AND incident_id != ''"
        " GROUP BY incident_id",
    )
    down = sum((last or end) - first for first, last in spans)
    assert found["shop"].down == pytest.approx(down, abs=1e-6)
    assert found["shop"].availability == pytest.approx(1 - down / (end - start))
    assert found["shop"].budget_used == pytest.approx(down / (0.001 * (end - start)))
    assert found["database"].objective is None


def test_promises_are_kept_or_broken_as_the_clocks_say(month):
    kept = figures(month).promises["respond"]
    calls = rows(month, "SELECT 1 FROM audit WHERE reason = 'promise_broken' AND detail LIKE 'respond%'")
    assert kept.of - kept.count == len(calls)
    assert kept.of > 0


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_the_same_record_gives_the_same_bytes_also_after_a_restart(month, form):
    bench, start, end, _ = month
    before = FORMS[form](report(bench.reader, CATALOGUE, "web1", start, end))
    bench.restart(seconds=0.0)
    assert FORMS[form](report(bench.reader, CATALOGUE, "web1", start, end)) == before


def test_what_must_be_looked_at_comes_back_until_it_is_done(month):
    bench, start, end, _ = month
    about = {(point.about, point.says) for point in report(bench.reader, CATALOGUE, "web1", start, end).points}
    assert ("service shop", "its goal is agreed with nobody") in about
    assert ("service shop", "its goal was to be reviewed by 2020-01-01") in about
    assert any(says.endswith("automation masks a fault") for _, says in about)


def test_hostile_text_stays_text(month):
    bench, start, end, _ = month
    made = report(bench.reader, CATALOGUE, "<b>|`x`\n# y", start, end)
    problem = replace(made.problems[0], why="a | b\n<script>alert(1)</script>")
    made = replace(made, problems=(problem,))
    assert "<script>" not in FORMS["html"](made)
    assert "a \\| b \\<script\\>" in FORMS["markdown"](made)
    assert FORMS["markdown"](made).splitlines()[0].startswith("# \\<b\\>\\|\\`x\\` \\# y")


def test_a_period_without_incidents_has_no_figures_and_divides_by_nothing(month):
    bench, start, _, _ = month
    made = report(bench.reader, CATALOGUE, "web1", start - 10 * DAY, start - 3 * DAY)
    assert made.measures.incidents == 0
    assert made.measures.resolve.mean is None
    assert "0 of 0" in FORMS["markdown"](made)


def test_spans_that_overlap_are_counted_once(month):
    bench, start, end, _ = month
    base = replace(bench.reader.record(start, end).incidents[0], active_at=0.0, suppressed="")
    spans = [(10.0, 20.0), (15.0, 30.0), (16.0, 17.0), (50.0, None), (90.0, 95.0)]
    incidents = [replace(base, opened_at=first, resolved_at=last) for first, last in spans]
    assert downtime(incidents, 0.0, 100.0) == 20.0 + 50.0
    assert downtime(incidents, 18.0, 60.0) == 12.0 + 10.0
    assert downtime([], 0.0, 100.0) == 0.0


@pytest.mark.parametrize(
    ("name", "now", "first", "last"),
    [
        ("weekly", "2026-11-22T16:00", "2026-11-09", "2026-11-16"),
        ("weekly", "2026-11-23T00:00", "2026-11-16", "2026-11-23"),
        ("monthly", "2026-01-05T10:00", "2025-12-01", "2026-01-01"),
        ("monthly", "2024-03-31T10:00", "2024-02-01", "2024-03-01"),
    ],
)
def test_a_report_is_about_the_last_whole_week_or_month(name, now, first, last):
    start, end = period(name, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert [datetime.fromtimestamp(at, UTC).date().isoformat() for at in (start, end)] == [first, last]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min"), (3900, "1 h 05 min"), (90000, "25 h 00 min")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
