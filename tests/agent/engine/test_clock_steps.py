"""Clocks that were wrong: nothing waits longer than it would have, and nothing is forgotten early."""

import re
from dataclasses import replace

import pytest

from agent.app import reporting
from agent.engine import housekeeping
from agent.engine.commands import OnIncident
from agent.incidents.events import Acknowledged
from agent.itsm import figures
from agent.itsm.measures import measures
from agent.telemetry import metrics
from agent.tickets.book import Book
from agent.tickets.contract import Draft, Update
from collectors.sample import Reading, Sample, Source, labels
from tests.agent.engine.conftest import RULES

DAYS = 2 * 86400.0


def limited(bench, **limits):
    (ladder,) = bench.policy.ladders
    ladder = replace(ladder, limits=replace(ladder.limits, **limits))
    bench.policy = bench.parts.situations.policy = replace(bench.policy, ladders=(ladder,))


def repaired(bench):
    """Let the process fail, be restarted and proven healthy."""
    bench.process(up=0)
    bench.settle(*bench.take("runner"), outcome="succeeded")
    for _ in range(4):
        bench.clock.advance(5)
        bench.process(up=1)


def waited(bench, seconds):
    """Return after how many seconds a process that fails now is restarted, at most so many."""
    bench.process(up=0)
    for passed in range(0, seconds, 15):
        if bench.take("runner"):
            return passed
        bench.pass_time(15)
        bench.process(up=0)
    return None


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_routine_work_goes_on_after_the_clock_is_set(bench, step):
    bench.pass_time(61)
    bench.clock.stepped = step
    bench.turn()
    for _ in range(6):
        bench.pass_time(20)
    assert float(bench.database.meta(housekeeping.ALIVE)) == pytest.approx(bench.clock.now(), abs=90)


def test_a_host_that_boots_with_an_earlier_clock_waits_no_longer_than_one_period(bench):
    limited(bench, cooldown=120.0, runs=1, per=600.0)
    repaired(bench)
    bench.pass_time(300)
    bench.clock.offset -= DAYS
    bench.restart(boot_id="boot-2")
    bench.process(up=1)
    assert waited(bench, 1200) <= 600


def test_a_breaker_that_was_opened_by_a_later_clock_half_opens_in_its_time(bench):
    limited(bench, breaker=replace(bench.policy.ladders[0].limits.breaker, failures=1, of=1, half_open=300.0))
    bench.process(up=0)
    bench.settle(*bench.take("runner"), outcome="failed")
    for _ in range(5):
        bench.clock.advance(15)
        bench.process(up=0)
    assert bench.incident()["state"] == "escalated"
    bench.clock.offset -= DAYS
    bench.restart(boot_id="boot-2")
    shown = bench.parts.desk.tally.shown("restart-web", bench.clock.now())
    assert shown["breaker"] == "open"
    assert shown["half_opens_at"] <= bench.clock.now() + 300


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_a_start_settles_as_long_as_ever_though_the_clock_was_set_while_it_was_down(make_bench, step):
    bench = make_bench(settling=300.0)
    bench.pass_time(301)
    bench.clock.offset += step
    bench.restart()
    assert bench.parts.situations.settled_at == bench.clock.now() + 300


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_a_rule_is_new_for_as_long_as_ever_though_the_clock_is_set(bench, step):
    (rule,) = bench.parts.ruleset.identities
    newcomers = bench.parts.situations.newcomers
    newcomers.seconds = 3600.0
    left = newcomers.until(rule, bench.clock.now()) - bench.clock.now()
    bench.clock.stepped = step
    bench.turn()
    assert newcomers.until(rule, bench.clock.now()) - bench.clock.now() == pytest.approx(left)
    bench.restart(seconds=10.0)
    bench.parts.situations.newcomers.seconds = 3600.0
    until = bench.parts.situations.newcomers.until(rule, bench.clock.now())
    assert until - bench.clock.now() == pytest.approx(left - 10.0)


def test_a_for_that_was_running_counts_the_time_that_has_passed_whatever_the_clock_says(make_bench):
    bench = make_bench(
        rules="""
groups:
- name: process
  interval: 15s
  rules:
  - {alert: ProcessDown, expr: paramedic_process_up == 0, for: 1m, labels: {severity: critical}}
"""
    )
    bench.pass_time(61)
    bench.process(up=0)
    bench.clock.offset += DAYS  # set while the daemon is down, for less than the `for`
    bench.restart(seconds=20.0)
    bench.process(up=0)
    assert bench.incidents() == []
    bench.pass_time(41)
    bench.process(up=0)
    assert bench.incident()["state"] == "remediating"


# -- what people are shown


def stepped(bench, step):
    bench.clock.stepped = step
    bench.turn()


def instants(document):
    """Return every time that a record of an incident, a change or a ticket has, by its name."""
    if isinstance(document, list):
        return [each for part in document for each in instants(part)]
    if not isinstance(document, dict):
        return []
    own = [(name, value) for name, value in document.items() if re.fullmatch(r"(.*_)?at|since|start", name) and value]
    return own + [each for part in document.values() for each in instants(part)]


def shown(bench):
    """Return the record of the one incident and of its change as commands show them; its timeline is history."""
    found = bench.reader.incident(bench.incident()["id"])
    asked_again = {"wake_at", "clock_at", "page_at", "remind_at"}
    times = instants({name: value for name, value in found.items() if name not in ("timeline", "effects")})
    return found, [(name, at) for name, at in times if name not in asked_again]


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_whatever_is_shown_of_an_open_incident_is_on_the_clock_as_it_is_now(bench, step):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(40)
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=Acknowledged(actor="ann")))
    began = bench.clock.now() - 40
    stepped(bench, step)
    for restarted in (False, True):
        if restarted:
            bench.restart(1.0)
        found, times = shown(bench)
        assert found["opened_at"] == pytest.approx(began + step, abs=1)
        assert {name for name, at in times if not began + step - 60 <= at <= bench.clock.now()} == set()
        (run,) = found["runs"]
        assert run["started_at"] == found["attempts"][0]["started_at"] == found["changes"][0]["started_at"]
    del row


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_it_took_as_long_as_it_took_though_the_clock_was_set_while_it_went_on_and_after_it(bench, step):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.clock.advance(20)
    stepped(bench, step)
    bench.settle(row, outcome="succeeded")
    for _ in range(3):
        bench.clock.advance(10)
        bench.process(up=1)
    stepped(bench, 2 * step)
    incident = next(iter(bench.parts.casebook))
    assert incident.state == "resolved"
    assert 30 <= incident.resolved_at - incident.opened_at <= 50
    assert figures.phases(incident) == pytest.approx({"detect": 0.0, "react": 0.0, "act": 20.0, "verify": 20.0}, abs=11)
    assert sum(figures.phases(incident).values()) == pytest.approx(incident.resolved_at - incident.opened_at)
    found, _ = shown(bench)
    (change,) = found["changes"]
    assert change["opened_at"] <= change["started_at"] <= change["closed_at"]


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_what_lasted_for_ten_minutes_is_no_false_fire_though_the_clock_was_set(make_bench, step):
    bench = make_bench(ladders=())
    bench.process(up=0)
    bench.pass_time(600)
    stepped(bench, step)
    bench.process(up=1)
    assert not figures.is_false(next(iter(bench.parts.casebook)))


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_the_age_of_what_is_open_and_owed_is_its_true_age(make_bench, step):
    bench = make_bench(ladders=())
    bench.process(up=0)
    bench.clock.advance(100)
    stepped(bench, step)
    bench.pass_time(housekeeping.REPORT_SECONDS)
    for metric in (metrics.OLDEST_INCIDENT, metrics.OLDEST_TICKET, metrics.OUTBOX_OLDEST):
        (sample,) = metric.collect()[0].samples
        assert sample.value == pytest.approx(100 + housekeeping.REPORT_SECONDS, abs=1), sample.name


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_a_response_took_as_long_as_it_took_whatever_the_clock_was_set_to(make_bench, step):
    bench = make_bench(ladders=())
    bench.process(up=0)
    bench.clock.advance(30)
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=Acknowledged(actor="ann")))
    stepped(bench, step)
    bench.process(up=1)
    now = bench.clock.now()
    known = reporting.evidence(bench.reader, bench.policy, "web1", now - 5 * DAYS, now + 5 * DAYS)
    assert measures(known).respond.mean == pytest.approx(30, abs=1)


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_a_ticket_of_the_book_is_as_old_as_it_is(bench, step):
    now = bench.clock.now()
    book = Book(bench.database.connection, lambda: now)
    draft = Draft(correlation="h:1", title="t", body="b", priority="P3")
    book.create(draft)
    book.close(book.create(replace(draft, correlation="h:2")), Update(key="k", comment="over"))
    stepped(bench, step)
    rows = bench.database.connection.execute("SELECT state, opened_at FROM book_tickets").fetchall()
    assert dict(map(tuple, rows)) == {"open": now + step, "closed": now}


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_the_alert_that_is_left_has_lasted_as_long_as_it_has(make_bench, step):
    bench = make_bench(rules=RULES.replace("paramedic_process_up == 0", "worker_stuck == 1"), ladders=())

    def stuck(*pids):
        samples = [Sample("worker_stuck", 1.0, labels(pid=pid)) for pid in pids]
        bench.engine.read(Reading(source=Source("w"), at=bench.clock.now(), samples=samples, pushed=True))
        bench.turn()

    stuck("11")
    bench.clock.advance(100)
    stuck("11", "22")
    stepped(bench, step)
    bench.clock.advance(10)
    stuck("11")
    assert bench.incident()["active_at"] == pytest.approx(bench.clock.now() - 110, abs=1)
