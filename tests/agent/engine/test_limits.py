"""Guards 10, 12 and 13 through the engine: how often, how many at a time, and what our own work may have caused."""

from dataclasses import replace

import pytest

from agent.engine.commands import SetStop
from agent.itsm.catalogue import Catalogue, Service
from remediations.limits import BreakerLimits, Limits
from remediations.plan import Plan
from rules import matchers

FREE = Limits(attempts=90, runs=90, cooldown=0.0, actions_per_hour=90, breaker=BreakerLimits(failures=90, of=90))


@pytest.fixture
def limited(bench):
    """Return a function that sets the limits; each process is a resource of its own."""

    def planner(_ladder, incident):
        name = dict(incident.labels)["name"]
        return (replace(bench.planned, plan=Plan(argv=("/bin/true",), resource=f"command:{name}")),)

    def limit(**changes):
        (ladder,) = bench.policy.ladders
        bench.policy = replace(bench.policy, ladders=(replace(ladder, limits=replace(FREE, **changes)),))
        bench.parts.situations.policy = bench.policy
        bench.parts.situations.planner = planner
        return bench

    return limit


def mended(bench, name):
    """Let a process fail and be repaired, if that is allowed; return how many repairs ran."""
    bench.process(up=0, name=name)
    rows = bench.take("runner")
    for row in rows:
        bench.settle(row, outcome="succeeded")
    bench.clock.advance(1)
    bench.process(up=1, name=name)
    bench.pass_time(11)
    return len(rows)


def refusal(bench):
    return next(each["refusals"] for each in bench.incidents() if each["refusals"])


def test_a_resource_has_its_runs_and_another_has_its_own(limited):
    bench = limited(runs=2, per=600.0)
    assert [mended(bench, "a") for _ in range(2)] == [1, 1]
    bench.kill()
    bench.live()
    bench = limited(runs=2, per=600.0)

    assert mended(bench, "b") == 1
    bench.process(up=0, name="a")

    assert bench.take("runner") == []
    assert refusal(bench) == ["rate: the limit is reached: 2 runs on this resource within 600 s"]
    bench.clock.advance(600)
    bench.process(up=0, name="a")
    assert len(bench.take("runner")) == 1


def test_the_whole_host_has_its_actions_an_hour(limited):
    bench = limited(actions_per_hour=2)
    assert [mended(bench, name) for name in "ab"] == [1, 1]

    bench.process(up=0, name="c")

    assert bench.take("runner") == []
    assert refusal(bench) == ["rate: the limit is reached: 2 runs on this host within 3600 s"]


def held_back(bench, *names):
    """Let processes fail while actions are stopped, and allow actions again; return which actions begin."""
    bench.order(SetStop(actor="bob", reason="a test"))
    bench.processes(dict.fromkeys(names, 0))
    bench.clock.advance(1)
    bench.order(SetStop(actor="bob", reason=""))
    bench.pass_time(15)
    return [row.payload["resource"] for row in bench.take("runner")]


def test_no_more_than_max_parallel_actions_run_at_a_time(limited):
    bench = limited(max_parallel=2)
    assert len(held_back(bench, "a", "b", "c")) == 2
    assert refusal(bench) == ["parallel: 2 actions run on this host, 2 allowed"]


def test_what_begins_during_our_work_on_the_same_service_waits_and_on_another_service_does_not(limited):
    bench = limited()
    shop = Service(name="shop", match=(matchers.parse_all('{name=~"a|b"}'),))
    bench.policy = replace(bench.policy, catalogue=Catalogue([shop]))
    bench.parts.situations.policy = bench.policy
    bench.processes({"a": 0, "b": 1, "c": 1})
    assert [row.payload["resource"] for row in bench.take("runner")] == ["command:a"]
    bench.clock.advance(1)

    bench.processes({"a": 0, "b": 0, "c": 0})

    assert [row.payload["resource"] for row in bench.take("runner")] == ["command:c"]
    (held,) = refusal(bench)
    assert held.startswith("loop: it began during our own work: restart-web on command:a, incident ")


def test_of_two_faults_of_one_resource_one_is_worked_on_at_a_time_and_what_began_before_is_no_side_effect(bench):
    assert held_back(bench, "a", "b") == ["command:web"]
    assert refusal(bench) == ["parallel: another action runs on this resource"]
