"""The host as a whole: every shape runs, says that it is ready, tells its health, and ends in time."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.collecting import host
from agent.collecting.host import Collecting, collect_once
from collectors.sample import Failure, Reading, Sample, Source
from collectors.spec import CollectError, CollectorSpec, WatchSpec
from collectors.systemd_units import SPEC as BUS
from tests.agent.collecting.fakes import NoOptions, Settings, polled, targeted
from tests.agent.collecting.test_watching import PipeWatch

WATCH = WatchSpec(name="pipe", options=NoOptions, open=lambda _options: PipeWatch(), metrics=())
LOAD = polled("load", lambda: [Sample("load", 1.0)])
MOUNTS = targeted("fs", lambda: ["/", "/home"], lambda target: [Sample("fs", 1.0, (("mountpoint", target),))])


@pytest.fixture(autouse=True)
def no_bus(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")


@pytest.fixture
def collecting(heard, clock, schedule):
    made = []

    def make(*specs, phases=None, **settings):
        settings = {spec.name: settings.get(spec.name, Settings()) for spec in specs}
        on_phase = phases.append if phases is not None else lambda _phase: None
        made.append(Collecting(settings, specs, heard, clock=clock, on_phase=on_phase))
        made[-1].start(schedule.every)
        return made[-1]

    yield make
    for each in made:
        each.close()


def latest(heard, collector, name):
    readings = heard.of(collector)
    return {sample.labels: sample.value for sample in readings[-1].samples if sample.name == name} if readings else {}


def test_every_shape_runs_and_then_the_host_is_ready(collecting, heard):
    made = collecting(LOAD, MOUNTS, WATCH, BUS)
    assert made.ready.wait(60)
    assert {Source("load"), Source("fs", "/"), Source("fs", "/home"), Source("pipe")} <= {
        reading.source for reading in heard.readings
    }


@pytest.fixture
def told_each_round(monkeypatch):
    monkeypatch.setattr(host, "PUBLISH_SECONDS", 0.0)


@pytest.mark.usefixtures("told_each_round")
def test_success_and_duration_of_every_collector_are_told(collecting, heard):
    collecting(LOAD, MOUNTS, polled("broken", lambda: 1 / 0))
    assert heard.until(lambda: len(heard.of("collecting")) >= 2)
    assert latest(heard, "collecting", "node_scrape_collector_success") == {
        (("collector", "load"),): 1.0,
        (("collector", "fs"),): 1.0,
        (("collector", "broken"),): 0.0,
    }
    assert set(latest(heard, "collecting", "node_scrape_collector_duration_seconds")) == {
        (("collector", "load"),),
        (("collector", "fs"),),
        (("collector", "broken"),),
    }
    assert latest(heard, "collecting", "paramedic_collector_success")[("collector", "fs"), ("target", "/home")] == 1.0


def test_success_is_told_once_a_minute_but_a_collector_that_breaks_or_recovers_at_once(collecting, heard):
    results = iter([[], [], [], [], None, None, [], []])
    collecting(polled("shaky", lambda: next(results, [])))
    success = {(("collector", "shaky"),)}
    assert heard.until(lambda: len(heard.of("shaky")) >= 8)
    told = [
        sample.value
        for reading in heard.of("collecting")
        for sample in reading.samples
        if sample.name == "node_scrape_collector_success" and sample.labels in success
    ]
    assert told == [1.0, 0.0, 1.0]
    assert all(reading.pushed for reading in heard.of("collecting")), "each of them an event"


@pytest.mark.usefixtures("told_each_round")
def test_our_own_metrics_are_told_as_samples(collecting, heard):
    collecting(LOAD)
    assert heard.until(lambda: len(heard.of("self")) >= 2)
    runs = latest(heard, "self", "paramedic_collector_runs_total")
    assert runs[("collector", "load"), ("result", "success")] >= 1
    names = {sample.name for sample in heard.of("self")[-1].samples}
    assert "paramedic_engine_batch_seconds_bucket" in names
    assert not any(name.endswith("_created") for name in names)


def test_a_host_that_collects_nothing_is_up_all_the_same(collecting, heard):
    collecting()
    assert heard.until(lambda: heard.of("up"))
    assert heard.of("up")[-1].samples == (Sample("up", 1.0),)


def test_without_a_bus_its_collector_is_off_with_a_reason_and_the_host_runs(collecting, heard):
    phases = []
    collecting(BUS, phases=phases)
    (failure,) = heard.failed("systemd")
    assert failure.reason.startswith("there is no D-Bus system bus at ")
    assert phases == ["running"]
    assert heard.until(lambda: latest(heard, "collecting", "node_scrape_collector_success"))
    assert latest(heard, "collecting", "node_scrape_collector_success") == {(("collector", "systemd"),): 0.0}


def test_what_is_not_enabled_does_not_run(collecting, heard):
    made = collecting(LOAD, MOUNTS, fs=Settings(enabled=False))
    assert made.ready.wait(60)
    assert heard.until(lambda: len(heard.of("load")) >= 2)
    assert heard.of("fs") == []


def test_collectors_with_different_intervals_run_at_their_own(collecting, heard):
    quick = polled("quick", lambda: [Sample("quick", 1.0)])
    collecting(LOAD, quick, load=Settings(interval=3600.0), quick=Settings(interval=0.05))
    assert heard.until(lambda: len(heard.of("quick")) >= 5)
    assert len(heard.of("load")) == 1


def test_after_close_nothing_is_said(collecting, heard):
    made = collecting(LOAD, MOUNTS, WATCH)
    assert made.ready.wait(60)
    made.close()
    others = {thread.name for thread in threading.enumerate()}
    assert "watching" not in others
    count = len(heard.readings)
    assert not heard.until(lambda: len(heard.readings) > count + 1, 0.3)


def test_closing_waits_for_nothing_that_hangs(collecting):
    release, begun, ended = threading.Event(), threading.Barrier(4), []

    def hang(*_):
        begun.wait(60)
        ended.append(release.wait(60))
        return []

    watch = PipeWatch()
    watch.snapshot = hang
    pipe = WatchSpec(name="pipe", options=NoOptions, open=lambda _options: watch, metrics=())
    # The inline collector hangs on the scheduler's thread, so the targets have an interval of their own.
    made = collecting(polled("load", hang), pipe, targeted("fs", lambda: ["/"], hang), fs=Settings(interval=0.2))
    begun.wait(60)
    made.close()
    assert ended == []
    release.set()


def test_collecting_once_returns_what_everything_said(clock):
    broken = polled("broken", lambda: (_ for _ in ()).throw(CollectError("no")))
    specs = [LOAD, MOUNTS, WATCH, BUS, broken, polled("off", lambda: [Sample("off", 1.0)])]
    settings = {spec.name: Settings(enabled=spec.name != "off") for spec in specs}
    said = collect_once(settings, specs, clock=clock)
    readings = {each.source for each in said if isinstance(each, Reading)}
    failures = {each.source: each.reason for each in said if isinstance(each, Failure)}
    assert readings == {Source("load"), Source("fs", "/"), Source("fs", "/home"), Source("pipe"), Source("collecting")}
    assert failures[Source("broken")] == "no"
    assert set(failures) == {Source("broken"), Source("systemd")}


def test_a_host_without_a_bus_loads_no_d_bus_library():
    program = """
import sys
from agent.clock import SystemClock
from agent.collecting.host import collect_once
from collectors.systemd_units import SPEC
from tests.agent.collecting.fakes import Settings
collect_once({"systemd": Settings()}, [SPEC], clock=SystemClock())
sys.exit("dbus_fast" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, cwd=Path(__file__).parents[3])


def test_options_default_to_those_of_the_collector(clock):
    seen = []
    spec = CollectorSpec(name="load", options=NoOptions, collect=lambda options: seen.append(options) or [], metrics=())
    collect_once({"load": Settings()}, [spec], clock=clock)
    collect_once({"load": Settings(options=NoOptions(text="mine"))}, [spec], clock=clock)
    assert seen == [NoOptions(), NoOptions(text="mine")]
