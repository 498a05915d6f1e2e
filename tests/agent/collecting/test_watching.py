"""Watches: an event reaches the sink at once, a broken source is opened again, and idle means asleep."""

import os
import select
import threading
import time
from pathlib import Path

import pytest

from agent.collecting.collector import Collector
from agent.collecting.health import Health
from agent.collecting.watching import Watching
from agent.telemetry.metrics import REGISTRY
from collectors.sample import Sample, Source
from collectors.spec import CollectError, NotAvailableError, WatchSpec
from tests.agent.collecting.fakes import NoOptions
from tests.services.service import eventually


class PipeWatch:
    """Watches the reading ends of pipes; what is written becomes a sample's value."""

    def __init__(self, *, pending=False):
        self.pipes = [os.pipe()]
        self.value, self.pending, self.snapshots, self.closed = 0.0, pending, 0, False

    @property
    def fds(self):
        return [(read_end, select.EPOLLIN) for read_end, _ in self.pipes]

    def read(self, fd):
        text = os.read(fd, 100)
        if text == b"break":
            raise CollectError("broken")
        if text == b"crash":
            raise KeyError("crash")
        if text == b"renew":
            # The new pipe gets the numbers of the old one.
            for end in self.pipes.pop():
                os.close(end)
            self.pipes.append(os.pipe())
        self.value = float(len(text))
        return [Sample("piped", self.value)]

    def write(self, text):
        os.write(self.pipes[0][1], text)

    def snapshot(self):
        self.snapshots += 1
        return [Sample("piped", self.value)]

    def close(self):
        self.closed = True
        for read_end, write_end in self.pipes:
            os.close(read_end)
            os.close(write_end)


@pytest.fixture
def watching(heard, clock):
    made = []

    def make(open_watch, *, interval=3600.0, retry=0.02):
        spec = WatchSpec(name="pipe", options=NoOptions, open=open_watch, metrics=(), retry_seconds=retry)
        collector = Collector(
            name="pipe", spec=spec, options=NoOptions(), interval_seconds=interval, timeout_seconds=1.0
        )
        health = Health(heard, clock, ["pipe"])
        made.append(Watching([collector], sink=heard, health=health, clock=clock))
        made[-1].start()
        assert health.ready.wait(60)
        return made[-1]

    yield make
    for each in made:
        each.close(1.0)


def events(heard):
    return [reading for reading in heard.of("pipe") if not reading.complete]


def snapshots(heard):
    return [reading for reading in heard.of("pipe") if reading.complete]


def test_opening_gives_a_complete_pushed_reading(watching, heard):
    watching(lambda _options: PipeWatch())
    (reading,) = heard.readings
    assert (reading.source, reading.complete, reading.pushed) == (Source("pipe"), True, True)


def test_an_event_is_an_incomplete_pushed_reading_and_waits_for_no_snapshot(watching, heard):
    watch = PipeWatch()
    watching(lambda _options: watch, interval=600.0)
    before = REGISTRY.get_sample_value("paramedic_watch_events_total", {"watch": "pipe"}) or 0.0
    for count in range(1, 21):
        watch.write(b"x" * count)
        assert heard.until(lambda count=count: len(events(heard)) == count)
    assert REGISTRY.get_sample_value("paramedic_watch_events_total", {"watch": "pipe"}) >= before + 19
    assert watch.snapshots == 1
    assert [reading.samples for reading in events(heard)][-1] == (Sample("piped", 20.0),)
    assert all(reading.pushed for reading in events(heard))


def test_a_descriptor_that_comes_back_under_the_same_number_is_heard(watching, heard):
    watch = PipeWatch()
    watching(lambda _options: watch)
    old = watch.fds
    watch.write(b"renew")
    assert heard.until(lambda: len(events(heard)) == 1)
    assert watch.fds == old
    watch.write(b"again")
    assert heard.until(lambda: len(events(heard)) == 2)


def test_an_idle_watch_wakes_nobody(watching, heard):
    watch = PipeWatch()
    made = watching(lambda _options: watch)
    status = Path(f"/proc/self/task/{made._thread.native_id}/status")

    def switches():
        return int(status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def asleep():
        before = switches()
        threading.Event().wait(0.5)
        return switches() == before

    eventually(asleep, what="an uninterrupted sleep")
    assert watch.snapshots == 1


def test_a_snapshot_comes_every_interval(watching, heard):
    watching(lambda _options: PipeWatch(), interval=0.05)
    assert heard.until(lambda: len(snapshots(heard)) >= 4)


def test_a_refresh_tells_even_what_is_unchanged(watching, heard):
    made = watching(lambda _options: PipeWatch())
    made.refresh()
    assert heard.until(lambda: len(snapshots(heard)) == 2)


def test_a_pending_watch_is_looked_at_often_but_only_news_are_told(watching, heard):
    watch = PipeWatch(pending=True)
    watching(lambda _options: watch)
    eventually(lambda: watch.snapshots > 5)
    assert len(snapshots(heard)) == 1
    watch.value, watch.pending = 7.0, False
    assert heard.until(lambda: len(snapshots(heard)) == 2)
    assert list(snapshots(heard)[-1].samples) == [Sample("piped", 7.0)]


@pytest.mark.parametrize("how", [b"break", b"crash"])
def test_a_broken_watch_fails_and_is_opened_again(watching, heard, monkeypatch, how):
    monkeypatch.setattr("agent.collecting.watching.FIRST_RETRY_SECONDS", 0.05)
    opened = []

    def open_watch(_options):
        opened.append(PipeWatch())
        return opened[-1]

    before = REGISTRY.get_sample_value("paramedic_watch_reconnects_total", {"watch": "pipe"}) or 0.0
    watching(open_watch)
    opened[0].write(how)
    assert heard.until(lambda: len(snapshots(heard)) == 2)
    assert len(heard.failed("pipe")) == 1
    assert opened[0].closed
    assert REGISTRY.get_sample_value("paramedic_watch_reconnects_total", {"watch": "pipe"}) == before + 1
    opened[1].write(b"fine")
    assert heard.until(lambda: len(events(heard)) == 1)


def test_a_watch_that_opens_but_breaks_at_once_is_opened_ever_more_rarely(watching, heard, monkeypatch):
    monkeypatch.setattr("agent.collecting.watching.FIRST_RETRY_SECONDS", 0.02)
    opened_at = []

    def open_watch(_options):
        opened_at.append(time.monotonic())
        watch = PipeWatch()
        watch.write(b"break")
        return watch

    watching(open_watch)
    assert heard.until(lambda: len(heard.failures) == 6)
    assert opened_at[5] - opened_at[4] >= 0.02 * 2**4


def test_a_watch_that_is_not_available_is_asked_once(watching, heard):
    asked = []

    def open_watch(_options):
        asked.append(1)
        raise NotAvailableError("no such thing")

    made = watching(open_watch, interval=0.05)
    made.refresh()
    threading.Event().wait(0.2)
    assert len(asked) == len(heard.failures) == 1


def test_closing_closes_the_watches_and_waits_for_no_snapshot(watching):
    watch = PipeWatch()
    made = watching(lambda _options: watch, interval=600.0)
    made.close(60.0)
    assert watch.closed


def test_closing_leaves_a_hanging_watch_behind(watching, heard):
    hanging, release, watch = threading.Event(), threading.Event(), PipeWatch()
    made = watching(lambda _options: watch)
    watch.snapshot = lambda: hanging.set() or release.wait(60) or []
    made.refresh()
    assert hanging.wait(60)
    made.close(0.2)
    assert not watch.closed, "it hangs still"
    release.set()
