"""The queue into the engine: one wake-up for a round of readings, none of that for what is urgent."""

import threading
import time

import pytest

from agent.engine.queue import EngineQueue
from collectors.sample import Reading, Source

DEADLINE = 5.0


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
    monkeypatch.setattr("agent.engine.queue._ROUND_SECONDS", 0.5)
    thread, answer = taking()
    for name in ("cpu", "meminfo", "loadavg"):
        queue.read(reading(name))
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
