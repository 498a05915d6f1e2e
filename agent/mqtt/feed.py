"""From messages to readings and posted alerts: which subscription a topic belongs to, and what it then says.

Every topic is a source of its own, so that silence of one is not hidden by what the others say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.engine.coalescing import coalesced
from agent.engine.commands import Ingest, PostAlerts
from agent.intake import messages
from agent.intake.decoding import IntakeError
from agent.intake.topics import MAX_LEVEL, MAX_TOPIC, TopicPattern
from agent.telemetry import log
from agent.telemetry.metrics import MQTT_MESSAGES, MQTT_SILENT, MQTT_TOPICS, QUEUE_COALESCED
from collectors.sample import Failure, Labels, Origin, Reading, Sample, Source

COLLECTOR = "mqtt"
COMPLAIN_SECONDS = 60.0
"""What is wrong with messages is logged this often at most, for each subscription."""
SWEEPS = 4
"""So many times within the shortest `expect_every` it is looked who is silent."""
_log = log.get("mqtt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What is asked for, and what becomes of it: samples of `metric`, or posted alerts where that is empty."""

    name: str
    pattern: TopicPattern
    metric: str = ""
    path: tuple[str, ...] = ()
    labels: Labels = ()
    qos: int = 1
    retained: bool = False
    expect_every_seconds: float = 0.0
    max_topics: int = 10_000


@dataclass(slots=True)
class _Topic:
    """A topic that was heard, with what its messages become: metric, path and labels of every subscription it fits."""

    source: Source
    samples: Sequence[tuple[Subscription, Labels]]
    alerts: Sequence[tuple[Subscription, Labels]]
    expect_every_seconds: float
    heard_at: float
    """On the boot clock."""
    silent: bool = False


@dataclass(slots=True)
class Batch:
    """What messages said that were not handed on yet."""

    readings: dict[tuple[str, int], Reading] = field(default_factory=dict)
    """By topic and millisecond: of two values in one, the later counts."""
    failures: list[Failure] = field(default_factory=list)
    alerts: list[PostAlerts] = field(default_factory=list)

    def ingest(self) -> Ingest | None:
        """Return what the engine should take, if there is something."""
        if not (self.readings or self.failures or self.alerts):
            return None
        return Ingest(readings=(*self.failures, *self.readings.values()), alerts=tuple(self.alerts))

    def coalesce(self) -> int:
        """Keep of each series, and of each failing topic, what was said last. Return how much that is, with alerts."""
        before = len(self.readings)
        newest = coalesced(self.readings.values())
        self.readings = {(reading.source.target, round(reading.at * 1000)): reading for reading in newest}
        self.failures = list({failure.source: failure for failure in self.failures}.values())
        QUEUE_COALESCED.labels("mqtt").inc(before - len(self.readings))
        return len(self.readings) + len(self.failures) + len(self.alerts)


class Feed:
    """Everything that is subscribed to. For one thread; nothing that a message holds makes it raise."""

    def __init__(self, subscriptions: Sequence[Subscription], clock: Clock) -> None:
        self.subscriptions = subscriptions
        self._clock = clock
        self._topics: dict[str, _Topic] = {}
        self._counts = {subscription.name: 0 for subscription in subscriptions}
        self._complained: dict[tuple[str, str], float] = {}
        self._accepted = {each.name: MQTT_MESSAGES.labels(each.name, "accepted").inc for each in subscriptions}
        self._next_sweep = 0.0
        self.sweep_seconds = min((e / SWEEPS for e in self._expectations()), default=0.0)
        """How often `sweep` wants to be called; 0 where nothing is expected."""

    def start(self) -> None:
        """Expect topics that are known by name from now on, although they were never heard."""
        for subscription in self.subscriptions:
            exact = subscription.pattern.exact
            if exact is not None and subscription.expect_every_seconds and exact not in self._topics:
                self._meet(exact)

    def take(self, batch: Batch, topic: str, payload: bytes) -> None:
        """Add what a message says to the batch."""
        known = self._topics.get(topic) or self._meet(topic)
        if known is None:
            return
        known.heard_at = self._clock.boottime()
        if known.samples:
            self._samples(batch, known, payload)
        for subscription, labels in known.alerts:
            self._alerts(batch, subscription, labels, topic, payload)

    def _samples(self, batch: Batch, topic: _Topic, payload: bytes) -> None:
        at = self._clock.now()
        samples: list[Sample] = []
        wrong = ""
        for subscription, labels in topic.samples:
            try:
                value = messages.number(payload, subscription.path)
            except IntakeError as error:
                wrong = str(error)
                self._refused(subscription, "malformed", wrong, topic.source.target)
            else:
                samples.append(Sample(subscription.metric, value, labels))
                self._accepted[subscription.name]()
        if samples:
            topic.silent = False
            key = (topic.source.target, round(at * 1000))
            batch.readings[key] = Reading(
                source=topic.source, at=at, samples=samples, complete=False, pushed=True, origin=Origin.MQTT
            )
        else:
            batch.failures.append(Failure(source=topic.source, at=at, reason=f"the last message is malformed: {wrong}"))

    def _alerts(self, batch: Batch, subscription: Subscription, labels: Labels, topic: str, payload: bytes) -> None:
        if not payload:  # a retained message was taken away
            return
        try:
            posted = messages.alerts(payload, dict(labels))
        except IntakeError as error:
            self._refused(subscription, "malformed", str(error), topic)
            return
        if posted.errors:
            self._refused(subscription, "malformed", posted.errors[0], topic)
        if posted.alerts:
            batch.alerts.append(PostAlerts(alerts=posted.alerts, origin=Origin.MQTT))
            self._accepted[subscription.name]()

    def _meet(self, topic: str) -> _Topic | None:
        """Return what a topic heard for the first time is for; None if it is for nothing, or one too many."""
        fitting = [(each, labels) for each in self.subscriptions if (labels := each.pattern.match(topic)) is not None]
        if not fitting:
            self._refused(None, "unmatched", "the broker sends what is no longer subscribed to", topic)
            return None
        wanted = [(each, labels) for each, labels in fitting if self._has_room(each, topic)]
        if not wanted:
            return None
        for subscription, _ in wanted:
            self._counts[subscription.name] += 1
            MQTT_TOPICS.labels(subscription.name).set(self._counts[subscription.name])
        complete = [(each, tuple(sorted({*labels, *each.labels}))) for each, labels in wanted]
        expected = [each.expect_every_seconds for each, _ in wanted if each.metric and each.expect_every_seconds]
        known = self._topics[topic] = _Topic(
            source=Source(COLLECTOR, topic),
            samples=[(each, labels) for each, labels in complete if each.metric],
            alerts=[(each, labels) for each, labels in complete if not each.metric],
            expect_every_seconds=min(expected, default=0.0),
            heard_at=self._clock.boottime(),
        )
        return known

    def _has_room(self, subscription: Subscription, topic: str) -> bool:
        if len(topic) > MAX_TOPIC or not topic.isprintable() or max(map(len, topic.split("/"))) > MAX_LEVEL:
            self._refused(subscription, "malformed", "the topic is too long or not printable", topic)
            return False
        if self._counts[subscription.name] >= subscription.max_topics:
            self._refused(subscription, "too_many_topics", f"max_topics is {subscription.max_topics}", topic)
            return False
        return True

    def sweep(self, batch: Batch) -> None:
        """Add the failure of every topic that should have spoken by now."""
        now = self._clock.boottime()
        if not self.sweep_seconds or now < self._next_sweep:
            return
        self._next_sweep = now + self.sweep_seconds
        silent = dict.fromkeys((each.name for each in self.subscriptions if each.expect_every_seconds), 0)
        for topic in self._topics.values():
            patience = topic.expect_every_seconds
            if not patience or now - topic.heard_at <= patience:
                continue
            for subscription, _ in topic.samples:
                if subscription.name in silent:
                    silent[subscription.name] += 1
            if not topic.silent:
                topic.silent = True
                reason = f"no message for {patience:g} s"
                batch.failures.append(Failure(source=topic.source, at=self._clock.now(), reason=reason))
        for name, count in silent.items():
            MQTT_SILENT.labels(name).set(count)

    def refused_topic(self) -> None:
        """Note a message whose topic is no text."""
        self._refused(None, "malformed", "the topic is not UTF-8", "")

    def _refused(self, subscription: Subscription | None, result: str, reason: str, topic: str) -> None:
        name = subscription.name if subscription is not None else ""
        MQTT_MESSAGES.labels(name, result).inc()
        now = self._clock.boottime()
        if now - self._complained.get((name, result), -COMPLAIN_SECONDS) >= COMPLAIN_SECONDS:
            self._complained[name, result] = now
            _log.warning("message refused", subscription=name, result=result, reason=reason, topic=topic[:MAX_LEVEL])

    def _expectations(self) -> Iterator[float]:
        return (e.expect_every_seconds for e in self.subscriptions if e.expect_every_seconds and e.metric)
