"""Clocks that were wrong: nothing waits longer than it would have, and nothing is forgotten early."""

from dataclasses import replace

import pytest

from agent.engine import housekeeping
from agent.incidents.events import EffectSettled

DAYS = 2 * 86400.0


def limited(bench, **limits):
    (ladder,) = bench.policy.ladders
    ladder = replace(ladder, limits=replace(ladder.limits, **limits))
    bench.policy = bench.parts.situations.policy = replace(bench.policy, ladders=(ladder,))


def repaired(bench):
    """Let the process fail, be restarted and proven healthy."""
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, done=True, result={"outcome": "succeeded"}))
    bench.turn()
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
    (row,) = bench.take("runner")
    bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, done=True, result={"outcome": "failed"}))
    bench.turn()
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
