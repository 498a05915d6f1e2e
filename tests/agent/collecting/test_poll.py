"""Poll collectors: run on time, target by target, given up when they hang, and their health told."""

import threading
import weakref
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from agent.collecting.collector import Collector
from agent.collecting.health import LOOK_AGAIN_SECONDS, REMIND_SECONDS, Health
from agent.collecting.poll import Poll
from agent.collecting.pool import Pool, Run
from agent.telemetry.metrics import REGISTRY
from collectors.sample import Origin, Sample, Source
from collectors.spec import CollectError, NotAvailableError
from tests.agent.collecting.fakes import NoOptions, polled, targeted


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Host:
    """One poll over some specs."""

    def __init__(self, specs, heard, clock, *, interval=15.0, timeout=60.0, **pool):
        self.health = Health(heard, clock, [spec.name for spec in specs])
        self.pool = Pool(clock, **pool)
        collectors = [
            Collector(
                name=spec.name, spec=spec, options=NoOptions(), interval_seconds=interval, timeout_seconds=timeout
            )
            for spec in specs
        ]
        self.poll = Poll(collectors, interval, health=self.health, clock=clock, pool=self.pool)

    def round(self):
        self.poll.round()

    def told(self, name, **labels):
        wanted = tuple(sorted(labels.items()))
        return [sample.value for sample in self.health.samples() if (sample.name, sample.labels) == (name, wanted)]


@pytest.fixture
def host(heard, clock):
    made = []

    def make(*specs, clock=clock, **more):
        made.append(Host(specs, heard, clock, **more))
        return made[-1]

    yield make
    for each in made:
        each.pool.close()
        # What was given up ends before the next test counts such threads.
        with each.pool._changed:
            each.pool._changed.wait_for(lambda pool=each.pool: not pool._abandoned, 60)


@pytest.fixture
def hang():
    """An event that hanging collectors wait for; it lets them go at the end."""
    release = threading.Event()
    yield release
    release.set()


def test_a_run_becomes_a_complete_reading_of_its_source(host, heard):
    made = host(polled("load", lambda: iter([Sample("load", 1.0)]), origin=Origin.TEXTFILE))
    made.round()
    (reading,) = heard.readings
    assert reading.source == Source("load")
    assert list(reading.samples) == [Sample("load", 1.0)]
    assert (reading.complete, reading.pushed, reading.origin) == (True, False, Origin.TEXTFILE)
    assert made.told("node_scrape_collector_success", collector="load") == [1.0]
    assert made.told("paramedic_collector_success", collector="load") == [1.0]


def test_a_collector_that_raises_becomes_a_failure_and_harms_no_other(host, heard):
    def broken():
        yield Sample("broken", 1.0)
        raise ValueError("half of it is not a number")

    before = counted("paramedic_collector_errors_total", collector="broken", error="ValueError")
    made = host(polled("broken", broken), polled("load", lambda: [Sample("load", 1.0)]))
    made.round()
    (failure,) = heard.failures
    assert failure.source == Source("broken")
    assert "half of it is not a number" in failure.reason
    assert [reading.source.collector for reading in heard.readings] == ["load"]
    assert made.told("node_scrape_collector_success", collector="broken") == [0.0]
    assert counted("paramedic_collector_errors_total", collector="broken", error="ValueError") == before + 1


def test_what_does_not_exist_on_this_host_is_asked_once(host, heard):
    asked = []

    def absent():
        asked.append(1)
        raise NotAvailableError("no such thing here")

    made = host(polled("absent", absent))
    made.round()
    made.round()
    assert len(asked) == len(heard.failures) == 1
    assert made.told("node_scrape_collector_success", collector="absent") == [0.0]
    assert made.health.ready.is_set()


def test_what_did_not_exist_is_looked_for_again_after_a_while(host, heard, turned):
    found = []

    def perhaps():
        if not found:
            raise NotAvailableError("no such thing here")
        return [Sample("found", 1.0)]

    made = host(polled("perhaps", perhaps), clock=turned)
    made.round()
    found.append(1)
    turned.turn(LOOK_AGAIN_SECONDS - 1)
    made.round()
    assert heard.of("perhaps") == []
    turned.turn(1)
    made.round()
    assert [list(reading.samples) for reading in heard.of("perhaps")] == [[Sample("found", 1.0)]]


def test_a_failure_is_logged_first_then_hourly_and_at_its_end(host, turned):
    fail = [True]

    def sometimes():
        if fail:
            raise CollectError("gone")
        return [Sample("sometimes", 1.0)]

    with capture_logs() as lines:
        made = host(polled("sometimes", sometimes), clock=turned)
        for _ in range(5):
            made.round()
            turned.turn(15)
        assert [line["event"] for line in lines] == ["collector failed"]
        turned.turn(REMIND_SECONDS)
        made.round()
        fail.clear()
        made.round()
        made.round()
    assert [line["event"] for line in lines] == ["collector failed", "collector failed", "collector works again"]
    assert lines[0]["reason"] == "gone"


def test_each_target_has_its_own_reading_and_health(host, heard):
    def collect(target):
        if target == "/bad":
            raise CollectError("bad")
        return [Sample("fs", 1.0, (("mountpoint", target),))]

    made = host(targeted("fs", lambda: ["/", "/bad"], collect))
    made.round()
    assert [reading.source for reading in heard.readings] == [Source("fs", "/")]
    assert [failure.source for failure in heard.failures] == [Source("fs", "/bad")]
    assert made.told("paramedic_collector_success", collector="fs", target="/") == [1.0]
    assert made.told("paramedic_collector_success", collector="fs", target="/bad") == [0.0]
    assert made.told("node_scrape_collector_success", collector="fs") == [0.0]


def test_the_series_of_a_target_that_is_no_more_end(host, heard):
    mounts = ["/", "/mnt"]
    made = host(targeted("fs", lambda: mounts, lambda target: [Sample("fs", 1.0, (("mountpoint", target),))]))
    made.round()
    mounts.remove("/mnt")
    made.round()
    last = heard.of("fs", "/mnt")[-1]
    assert (last.complete, list(last.samples)) == (True, [])
    assert made.told("paramedic_collector_success", collector="fs", target="/mnt") == []
    made.round()
    assert len(heard.of("fs", "/mnt")) == 2


def test_the_outcome_of_every_run_on_a_target_is_told_by_a_source_of_its_own(host, heard, hang, turned):
    def collect(target):
        if target == "wrong":
            raise CollectError("no")
        if target == "hanging":
            heard.until(lambda: {"right", "wrong"} <= {each.source.target for each in heard.of("web_outcome")})
            turned.turn(1)
            hang.wait(60)
        return [Sample("size", 1.0), Sample("size", 2.0, (("unit", "b"),))]

    def outcome(_options, target, run):
        return [Sample(f"{target}_up", float(run.succeeded)), Sample(f"{target}_samples", float(run.samples))]

    names = ["right", "wrong", "hanging"]
    made = host(replace(targeted("web", lambda: names, collect), outcome=outcome), timeout=0.5, clock=turned)
    made.round()
    told = {each.source.target: [sample.value for sample in each.samples] for each in heard.of("web_outcome")}
    assert told == {"right": [1.0, 2.0], "wrong": [0.0, 0.0], "hanging": [0.0, 0.0]}
    assert {failure.source.target for failure in heard.failed("web")} == {"wrong", "hanging"}
    names.remove("wrong")
    made.round()
    assert heard.of("web_outcome", "wrong")[-1].samples == ()


def test_a_hanging_target_is_given_up_and_the_others_are_read(host, heard, hang, turned):
    def collect(target):
        if target == "/nfs":
            turned.turn(1)
            over.append(hang.wait(60))
        return [Sample("fs", 1.0)]

    over = []
    before = counted("paramedic_collector_abandoned_threads")
    overlap = counted("paramedic_collector_overlapping_runs_total", collector="fs")
    made = host(targeted("fs", lambda: ["/", "/nfs", "/var"], collect), size=1, timeout=0.5, clock=turned)
    made.round()
    assert not over, "it hangs still"
    assert {failure.source.target: failure.reason for failure in heard.failures} == {"/nfs": "given up after 0.5 s"}
    made.round()
    assert len(heard.of("fs", "/")) == len(heard.of("fs", "/var")) == 2
    assert heard.failures[-1].reason == "the run before still hangs"
    assert counted("paramedic_collector_abandoned_threads") == before + 1
    assert counted("paramedic_collector_overlapping_runs_total", collector="fs") == overlap + 1
    assert heard.of("fs", "/nfs") == []


def test_a_target_that_answers_again_is_read_again_and_its_late_answer_is_dropped(host, heard, turned):
    release, answers = threading.Event(), iter([1.0, 2.0])

    def collect(_target):
        if not release.is_set():
            turned.turn(1)
            release.wait(60)
        return [Sample("fs", next(answers))]

    made = host(targeted("fs", lambda: ["/nfs"], collect), timeout=0.5, clock=turned)
    made.round()
    before = counted("paramedic_collector_abandoned_threads")
    release.set()
    (run,) = made.poll._runs.values()
    with made.pool._changed:
        assert made.pool._changed.wait_for(lambda: run.over, 60)
    assert counted("paramedic_collector_abandoned_threads") == before - 1
    assert heard.readings == []
    made.round()
    assert [list(reading.samples) for reading in heard.readings] == [[Sample("fs", 2.0)]]


def test_the_late_answer_of_a_target_that_is_no_more_is_dropped(host, heard, hang):
    mounts = ["/", "/mnt"]
    made = host(
        targeted("fs", lambda: mounts, lambda target: [Sample("fs", 1.0)] if target == "/" or hang.wait(30) else []),
        interval=0.2,
        timeout=60,
    )
    made.round()
    run = made.poll._runs[Source("fs", "/mnt")]
    mounts.remove("/mnt")
    made.round()
    hang.set()
    with made.pool._changed:
        assert made.pool._changed.wait_for(lambda: run.over, 60)
    assert heard.of("fs", "/mnt") == []


def test_when_every_thread_hangs_a_target_fails_at_once(host, heard, hang):
    targets = ["a", "b", "c"]
    made = host(
        targeted("fs", lambda: targets, lambda target: target == "d" or hang.wait(30)), size=2, limit=3, timeout=0.5
    )
    made.round()
    assert {failure.source.target for failure in heard.failures} == {"a", "b", "c"}
    targets.append("d")
    made.round()
    assert heard.failures[-1].source == Source("fs", "d")
    assert heard.failures[-1].reason == "every thread hangs"


def test_a_slow_run_gets_help_and_a_quick_one_does_not(host, heard):
    names, helped = set(), threading.Event()

    def collect(target):
        if target == "a-slow":
            helped.wait(60)
        names.add(threading.current_thread())
        helped.set()
        return [Sample("probe", 1.0)]

    made = host(targeted("probe", lambda: ["a-slow", *"bcd"], collect), timeout=90, size=3, interval=100.0)
    made.round()
    assert len(heard.readings) == 4
    assert len(names) > 1
    names.clear()
    quick = host(targeted("probe", lambda: ["a"], collect), timeout=90, size=3)
    quick.round()
    assert len(names) == 1


def test_a_run_longer_than_its_interval_is_left_alone_and_counted_as_overlap(host, heard, hang):
    overlap = counted("paramedic_collector_overlapping_runs_total", collector="slow")
    made = host(polled("slow", lambda: hang.wait(60) and [], blocking=True), interval=0.1, timeout=60)
    made.round()
    made.round()
    assert heard.failures == []
    assert counted("paramedic_collector_overlapping_runs_total", collector="slow") == overlap + 1
    hang.set()
    assert heard.until(lambda: len(heard.of("slow")) == 1)


def test_closing_ends_the_wait_of_a_round(host, hang):
    made = host(polled("slow", lambda: hang.wait(30) and [], blocking=True), timeout=30)
    waiting = threading.Thread(target=made.round)
    waiting.start()
    made.pool.close()
    waiting.join(60)
    assert not waiting.is_alive()


def test_missed_rounds_are_counted(host, turned):
    before = counted("paramedic_collector_missed_runs_total", collector="load")
    made = host(polled("load", lambda: [Sample("load", 1.0)]), clock=turned)
    for seconds in (15, 15.4, 61, 15):
        made.round()
        turned.turn(seconds)
    made.round()
    assert counted("paramedic_collector_missed_runs_total", collector="load") == before + 3


def test_a_host_is_ready_when_everything_ran_once(heard, clock):
    health = Health(heard, clock, ["a", "b"])
    health.heard("a")
    assert not health.ready.is_set()
    health.heard("b")
    assert health.ready.is_set()


def test_a_host_without_collectors_is_ready(heard, clock):
    assert Health(heard, clock, []).ready.is_set()


def test_a_thread_that_waits_for_its_next_run_holds_on_to_no_result(clock):
    pool, results = Pool(clock), []

    def deliver(result):
        results.append(weakref.ref(result))

    run = Run(lambda: {1, 2, 3}, deliver, 10.0)
    pool.submit(run)
    pool.settle([run], clock.boottime() + 10.0)
    pool.close()
    assert [result() for result in results] == [None]
