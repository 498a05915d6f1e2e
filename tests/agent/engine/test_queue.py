"""The queue into the engine: one wake-up for a round of readings, none of that for what is urgent."""

import threading
import time

import pytest

from agent.engine.coalescing import coalesced
from agent.engine.queue import EngineQueue
from agent.telemetry import metrics
from collectors.sample import Failure, Reading, Sample, Source, labels
from tests.services.service import eventually

DEADLINE = 60.0


def reading(name, *, pushed=False):
    return Reading(source=Source(name), at=0.0, samples=(), pushed=pushed)


@pytest.fixture
def queue():
    return EngineQueue()


@pytest.fixture
def taking(queue):
    """Take on another thread, as the engine does; return what was taken and how long it lasted."""

    def take(timeout=DEADLINE):
        answer = {}

        def work():
            began = time.monotonic()
            answer["items"] = queue.take(timeout, 500)
            answer["seconds"] = time.monotonic() - began

        thread = threading.Thread(target=work)
        thread.start()
        return thread, answer

    return take


def names(items):
    return [item.source.collector for item in items]


def test_the_readings_of_a_round_are_taken_together(queue, monkeypatch, taking):
    monkeypatch.setattr("agent.engine.queue._ROUND_SECONDS", DEADLINE)
    queue.read(reading("cpu"))
    thread, answer = taking()
    eventually(lambda: queue._changed._waiters or answer, what="a wait for the round")
    for name in ("meminfo", "loadavg"):
        queue.read(reading(name))
    queue.wake()
    thread.join(DEADLINE)
    assert names(answer["items"]) == ["cpu", "meminfo", "loadavg"]


def test_a_lone_scheduled_reading_does_not_wait_for_the_time_out(queue, taking):
    thread, answer = taking()
    queue.read(reading("cpu"))
    thread.join(DEADLINE)
    assert names(answer["items"]) == ["cpu"]
    assert answer["seconds"] < DEADLINE / 2


def test_an_event_does_not_wait_for_a_round(queue, monkeypatch, taking):
    monkeypatch.setattr("agent.engine.queue._ROUND_SECONDS", DEADLINE)
    queue.read(reading("cpu"))
    thread, answer = taking()
    queue.read(reading("process", pushed=True))
    thread.join(DEADLINE)
    assert names(answer["items"]) == ["process", "cpu"]
    assert answer["seconds"] < DEADLINE / 2


def test_who_waits_until_everything_was_taken_does_not_wait_for_the_round(queue, monkeypatch, taking):
    monkeypatch.setattr("agent.engine.queue._ROUND_SECONDS", DEADLINE)
    queue.read(reading("cpu"))
    waiting = threading.Thread(target=queue.until_taken, args=(DEADLINE,))
    waiting.start()
    thread, answer = taking()
    thread.join(DEADLINE)
    waiting.join(DEADLINE)
    assert names(answer["items"]) == ["cpu"]
    assert answer["seconds"] < DEADLINE / 2
    assert not waiting.is_alive()


def test_without_patience_what_is_there_is_taken_at_once(queue, monkeypatch):
    monkeypatch.setattr("agent.engine.queue._ROUND_SECONDS", 60.0)
    queue.read(reading("cpu"))
    assert names(queue.take(0.0, 500)) == ["cpu"]


def said(value, *names, source="units", at=0.0, complete=False):
    samples = [Sample("up", float(value), labels(name=name)) for name in names]
    return Reading(source=Source(source), at=at, samples=samples, complete=complete, pushed=True)


def heard(readings):
    return [(r.source.collector, r.at, {dict(s.labels)["name"]: s.value for s in r.samples}) for r in readings]


def test_what_a_newer_sample_of_its_series_replaces_waits_no_more():
    old, new = said(0, "web", "db", at=1.0), said(1, "web", at=2.0)
    assert heard(coalesced([old, new])) == [("units", 1.0, {"db": 0.0}), ("units", 2.0, {"web": 1.0})]


def test_the_series_of_another_source_is_another_one():
    readings = [said(0, "web", source="units"), said(1, "web", source="processes")]
    assert list(coalesced(readings)) == readings


def test_a_complete_reading_replaces_all_that_its_source_said_before_and_nothing_after():
    before, whole, after = said(0, "web", "old", at=1.0), said(1, "web", complete=True, at=2.0), said(2, "web", at=3.0)
    kept = coalesced([before, said(0, "gone", complete=True, at=1.5), whole, after])
    assert list(kept) == [whole, after], "without its sample the series would look as if it had ended"


def test_under_pressure_a_series_that_speaks_once_outlives_those_that_speak_all_the_time(queue):
    coalesced_before, dropped_before = counted("coalesced"), counted("dropped")
    queue.read(said(7, "quiet"))
    for number in range(30_000):
        queue.read(said(number, f"busy{number % 100}", at=float(number)))
    taken = {}
    while items := queue.take(0.0, 500):
        for _, _, values in heard(items):
            taken |= values
    assert taken["quiet"] == 7.0
    assert {name: value for name, value in taken.items() if name != "quiet"} == {
        f"busy{number % 100}": float(number) for number in range(29_900, 30_000)
    }
    assert counted("coalesced") - coalesced_before > 10_000
    assert counted("dropped") == dropped_before


def test_more_series_than_there_is_room_for_lose_the_oldest_and_that_is_counted(queue):
    before = counted("dropped")
    for number in range(11_000):
        queue.read(said(number, f"n{number}", at=float(number)))
    values = [reading.samples[0].value for reading in queue.take(0.0, 20_000)]
    assert values == [float(number) for number in range(11_000 - len(values), 11_000)]
    assert len(values) <= 10_000
    assert counted("dropped") - before == 11_000 - len(values)


def test_a_failure_for_which_there_is_no_room_is_counted_like_a_reading(queue):
    before = counted("dropped", "scheduled")
    for _ in range(1001):
        queue.fail(Failure(source=Source("cpu"), at=0.0, reason="it is not there"))
    assert counted("dropped", "scheduled") == before + 1


def counted(what, kind="pushed"):
    counter = {"coalesced": metrics.QUEUE_COALESCED, "dropped": metrics.QUEUE_DROPPED}[what]
    return counter.labels(kind)._value.get()
