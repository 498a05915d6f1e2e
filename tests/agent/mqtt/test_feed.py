"""From messages to readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agent.intake import topics
from agent.mqtt.feed import Batch, Feed, Subscription
from agent.telemetry.metrics import MQTT_MESSAGES, MQTT_SILENT
from collectors.sample import Failure, Origin, Reading, Source


class Clock:
    boot_id = "b"

    def __init__(self):
        self.elapsed = 0.0

    def now(self):
        return 1_800_000_000.0 + self.elapsed

    def boottime(self):
        return self.elapsed

    def drift(self):
        return 0.0

    def follow(self):
        pass


@pytest.fixture
def clock():
    return Clock()


def subscription(topic, **more):
    return Subscription(name=more.pop("name", topic), pattern=topics.parse(topic), **more)


def feed(clock, *subscriptions):
    made = Feed(subscriptions, clock)
    made.start()
    return made


def taken(feed, *messages):
    batch = Batch()
    for topic, payload in messages:
        feed.take(batch, topic, payload)
    return batch


def counted(name, result):
    return MQTT_MESSAGES.labels(name, result)._value.get()


def test_a_number_becomes_a_sample_of_a_source_that_is_its_topic(clock):
    room = feed(clock, subscription("s/{room}", metric="heat", labels=(("site", "x"),)))
    (reading,) = taken(room, ("s/kitchen", b"21")).ingest().readings
    assert reading.source == Source("mqtt", "s/kitchen")
    assert (reading.origin, reading.pushed, reading.complete) == (Origin.MQTT, True, False)
    assert list(reading.samples) == [("heat", 21.0, (("room", "kitchen"), ("site", "x")))]


def test_one_message_feeds_every_subscription_it_fits(clock):
    both = feed(
        clock,
        subscription("s/{room}", metric="heat", path=("t",), name="heat"),
        subscription("s/+", metric="damp", path=("h",), name="damp"),
    )
    (reading,) = taken(both, ("s/kitchen", b'{"t": 21, "h": 40}')).ingest().readings
    assert [sample[:2] for sample in reading.samples] == [("heat", 21.0), ("damp", 40.0)]


def test_of_two_values_in_one_millisecond_the_later_counts(clock):
    room = feed(clock, subscription("s/{room}", metric="heat"))
    readings = taken(room, ("s/a", b"1"), ("s/a", b"2")).ingest().readings
    assert [reading.samples[0].value for reading in readings] == [2.0]
    clock.elapsed += 0.001
    batch = taken(room, ("s/a", b"3"))
    clock.elapsed += 0.001
    room.take(batch, "s/a", b"4")
    assert [reading.samples[0].value for reading in batch.ingest().readings] == [3.0, 4.0]


def test_a_malformed_message_is_counted_and_its_source_fails_until_the_next_good_one(clock):
    room = feed(clock, subscription("s/{room}", metric="heat", name="malformed"))
    (failure,) = taken(room, ("s/a", b"warm")).ingest().readings
    assert failure == Failure(
        source=Source("mqtt", "s/a"), at=clock.now(), reason="the last message is malformed: the value is no number"
    )
    assert counted("malformed", "malformed") == 1


def test_messages_that_nobody_asked_for_are_counted_and_lead_to_nothing(clock):
    room = feed(clock, subscription("s/{room}", metric="heat"))
    before = counted("", "unmatched")
    assert taken(room, ("other", b"1")).ingest() is None
    assert counted("", "unmatched") == before + 1


@pytest.mark.parametrize("topic", ["s/" + "x" * 300, "s/\x1b[31m", "s/a\nb", "s/\u202e"])
def test_a_topic_that_is_no_label_is_refused(clock, topic):
    room = feed(clock, subscription("s/{room}", metric="heat"))
    assert taken(room, (topic, b"1")).ingest() is None


def test_topics_beyond_the_limit_are_refused_and_the_others_go_on(clock):
    room = feed(clock, subscription("s/{room}", metric="heat", max_topics=2, name="crowd"))
    batch = taken(room, *[(f"s/{number}", b"1") for number in range(1000)], ("s/0", b"2"))
    assert {reading.source.target for reading in batch.ingest().readings} == {"s/0", "s/1"}
    assert counted("crowd", "too_many_topics") == 998
    assert len(room._topics) == 2


def test_a_topic_that_falls_silent_is_a_failed_source_once(clock):
    room = feed(clock, subscription("s/{room}", metric="heat", expect_every_seconds=60.0, name="silent"))
    taken(room, ("s/a", b"1"))
    clock.elapsed = 50.0
    taken(room, ("s/b", b"1"))
    clock.elapsed = 61.0
    batch = Batch()
    room.sweep(batch)
    assert [(failure.source.target, failure.reason) for failure in batch.failures] == [("s/a", "no message for 60 s")]
    assert MQTT_SILENT.labels("silent")._value.get() == 1
    clock.elapsed = 80.0
    again = Batch()
    room.sweep(again)
    assert again.ingest() is None
    taken(room, ("s/a", b"1"))
    clock.elapsed = 100.0
    room.sweep(Batch())
    assert MQTT_SILENT.labels("silent")._value.get() == 0
    clock.elapsed = 200.0
    room.sweep(later := Batch())
    assert [failure.source.target for failure in later.failures] == ["s/a", "s/b"]


def test_a_topic_known_by_name_is_missed_although_it_was_never_heard(clock):
    boiler = feed(clock, subscription("plant/boiler", metric="heat", expect_every_seconds=10.0))
    clock.elapsed = 11.0
    batch = Batch()
    boiler.sweep(batch)
    assert [failure.source.target for failure in batch.failures] == ["plant/boiler"]


def test_alerts_get_the_topic_s_labels(clock):
    alarms = feed(clock, subscription("alarm/{site}", labels=(("alertname", "SiteAlarm"), ("severity", "critical"))))
    (posted,) = (
        taken(alarms, ("alarm/berlin", b'{"annotations": {"summary": "hot"}}'), ("alarm/x", b"")).ingest().alerts
    )
    assert posted.origin == Origin.MQTT
    (alert,) = posted.alerts
    assert alert.labels == {"alertname": "SiteAlarm", "severity": "critical", "site": "berlin"}


def test_an_alarm_that_is_taken_away_from_the_broker_is_no_malformed_one(clock):
    alarms = feed(clock, subscription("alarm/{site}", name="taken away"))
    assert taken(alarms, ("alarm/berlin", b"")).ingest() is None
    assert counted("taken away", "malformed") == 0


@pytest.mark.parametrize("payload", [b"nonsense", b'{"labels": {"alertname": 7}}'])
def test_a_malformed_alert_is_counted_and_the_log_names_its_topic(clock, payload):
    alarms = feed(clock, subscription("alarm/{site}", name=f"odd {len(payload)}"))
    with capture_logs() as lines:
        assert taken(alarms, ("alarm/berlin", payload)).ingest() is None
    assert counted(f"odd {len(payload)}", "malformed") == 1
    assert [line["topic"] for line in lines] == ["alarm/berlin"]


@given(st.text(max_size=30) | st.sampled_from(["s/a", "a/b/c"]), st.binary(max_size=40))
def test_no_message_makes_it_raise(topic, payload):
    everything = feed(
        Clock(),
        subscription("#", metric="all", max_topics=5, name="fuzz all"),
        subscription("s/{x}", metric="one", path=("a", "0"), expect_every_seconds=1.0, name="fuzz path"),
        subscription("{a}/{b}/#", name="fuzz alerts", labels=(("alertname", "A"),)),
    )
    for item in ingest.readings if (ingest := taken(everything, (topic, payload)).ingest()) else ():
        assert isinstance(item, Reading | Failure)


def test_of_what_waits_the_newest_of_each_series_is_kept_with_every_alert(clock):
    both = feed(
        clock,
        subscription("s/{room}", metric="heat", path=("t",), name="heat"),
        subscription("s/+", metric="damp", path=("h",), name="damp"),
        subscription("alarm/{site}", name="alarm"),
    )
    batch = Batch()
    alarm = b'{"labels": {"alertname": "Smoke"}}'
    for payload in (b'{"t": 21, "h": 40}', b'{"t": 22}', b"no number", b"nor this"):
        clock.elapsed += 1.0
        both.take(batch, "s/kitchen", payload)
        both.take(batch, "alarm/north", alarm)
    assert batch.coalesce() == 2 + 1 + 4
    ingest = batch.ingest()
    failure, *readings = ingest.readings
    assert "malformed" in failure.reason
    assert [[sample[:2] for sample in reading.samples] for reading in readings] == [[("damp", 40.0)], [("heat", 22.0)]]
    assert [reading.at - clock.now() for reading in readings] == [-3.0, -2.0], "each at the time at which it was heard"
    assert len(ingest.alerts) == 4
