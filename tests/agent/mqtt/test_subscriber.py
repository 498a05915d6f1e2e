"""Messages that wait for a busy engine: which of them may be replaced, and when they are acknowledged."""

import json
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from agent.clock import SystemClock
from agent.intake import topics
from agent.mqtt.feed import Feed, Subscription
from agent.mqtt.link import Broker
from agent.mqtt.subscriber import MAX_GATHERED, Subscriber
from agent.telemetry.metrics import QUEUE_COALESCED


class Inlet:
    """A connection on which messages have arrived."""

    ended = False

    def __init__(self):
        self.arrived = []
        self.acknowledged = []
        self._mid = 0

    def arrive(self, topic, payload, qos=1):
        self._mid += 1
        self.arrived.append(SimpleNamespace(mid=self._mid, topic=topic, payload=payload.encode(), qos=qos))

    def read(self, limit):
        read, self.arrived = self.arrived[:limit], self.arrived[limit:]
        return read, bool(self.arrived)

    def acknowledge(self, mids):
        self.acknowledged += mids


class Busy:
    """A subscriber and an engine that takes its time: what it was handed over, and what has arrived since."""

    def __init__(self):
        self.handed = []
        self.inlet = Inlet()
        subscriptions = [
            Subscription(name="heat", pattern=topics.parse("heat/{device}"), metric="device_heat"),
            Subscription(name="alarm", pattern=topics.parse("alarm/{site}")),
        ]
        self.subscriber = Subscriber(
            Broker(host="nowhere", client_id="x"), Feed(subscriptions, SystemClock()), self._order
        )
        self.subscriber._inlet = self.inlet
        self.inlet.arrive("heat/first", "1")
        self.work()

    def _order(self, ingest):
        self.handed.append((ingest, Future()))
        return self.handed[-1][1]

    def work(self):
        """Read what has arrived, as long as there is room for it."""
        while self.inlet.arrived and self.subscriber._gathered_count < MAX_GATHERED:
            self.subscriber._read(self.inlet)
        self.subscriber._settle()
        self.subscriber._hand_over()

    def answer(self):
        """Let the engine take what it has; return what it is handed over next."""
        self.handed[-1][1].set_result({})
        before = len(self.handed)
        self.work()
        return self.handed[-1][0] if len(self.handed) > before else None


@pytest.fixture
def busy():
    return Busy()


def values(ingest):
    return {reading.source.target: reading.samples[-1].value for reading in ingest.readings}


def test_a_topic_that_speaks_all_the_time_leaves_the_others_their_place(busy):
    before = QUEUE_COALESCED.labels("mqtt")._value.get()
    busy.inlet.arrive("heat/quiet", "7", qos=0)
    for number in range(5 * MAX_GATHERED):
        busy.inlet.arrive(f"heat/busy{number % 10}", str(number), qos=0)
    busy.work()
    assert busy.inlet.arrived == [], "the socket is read on"
    last = {f"heat/busy{number % 10}": float(number) for number in range(5 * MAX_GATHERED - 10, 5 * MAX_GATHERED)}
    assert values(busy.answer()) == {"heat/quiet": 7.0, **last}
    assert QUEUE_COALESCED.labels("mqtt")._value.get() > before


def test_a_message_whose_value_was_replaced_is_acknowledged_with_what_took_its_place(busy):
    for number in range(2 * MAX_GATHERED):
        busy.inlet.arrive("heat/busy", str(number))
    busy.work()
    assert busy.inlet.acknowledged == [], "neither the replaced nor the first"
    assert values(busy.answer()) == {"heat/busy": 2.0 * MAX_GATHERED - 1}
    assert busy.inlet.acknowledged == [1]
    assert busy.answer() is None
    assert busy.inlet.acknowledged == list(range(1, 2 * MAX_GATHERED + 2)), "each, in the order in which they came"


def test_alerts_are_never_replaced_and_where_nothing_can_be_the_socket_is_left_alone(busy):
    for number in range(2 * MAX_GATHERED):
        busy.inlet.arrive("alarm/north", json.dumps({"labels": {"alertname": "Smoke", "n": str(number)}}), qos=0)
    busy.work()
    assert len(busy.inlet.arrived) >= MAX_GATHERED // 2
    found = [dict(post.labels)["n"] for posted in busy.answer().alerts for post in posted.alerts]
    while (ingest := busy.answer()) is not None:
        found += [dict(post.labels)["n"] for posted in ingest.alerts for post in posted.alerts]
    assert found == [str(number) for number in range(2 * MAX_GATHERED)]
