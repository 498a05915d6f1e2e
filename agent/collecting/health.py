"""How every source is doing: counted, logged once in a while, and shown as samples that rules can watch."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.collecting.collector import Fault
from agent.collecting.sink import Sink
from agent.telemetry import log, metrics
from collectors.sample import Failure, Labels, Origin, Reading, Sample, Source, gauge

DURATION = gauge("node_scrape_collector_duration_seconds", "node_exporter: Duration of a collector scrape.")
SUCCESS = gauge("node_scrape_collector_success", "node_exporter: Whether a collector succeeded.")
TARGET_SUCCESS = gauge("paramedic_collector_success", "1 if the last run on this target succeeded.")
UP = gauge("up", "1 while paramedic collects on this host.")
METRICS = (DURATION, SUCCESS, TARGET_SUCCESS, UP)
SOURCE = Source("collecting")
UP_SOURCE = Source("up")
"""Of its own, because who scrapes us has an `up` for us already."""

LOOK_AGAIN_SECONDS = 300.0
"""What this host did not have may have come since: a folder, a kernel module."""
REMIND_SECONDS = 3600.0
"""A failure that goes on is logged again after this long."""


@dataclass(slots=True)
class _State:
    """What is known of one source."""

    labels: Labels
    ok: bool | None = None
    """None: it has not run yet."""
    off: bool = False
    off_since: float = 0.0
    """On the boot clock."""
    seconds: float = 0.0
    logged_at: float | None = field(default=None)


class Health:
    """Takes the outcome of every run: hands readings and failures on, and remembers how it went. Thread-safe."""

    def __init__(self, sink: Sink, clock: Clock, expected: Iterable[str]) -> None:
        self._sink = sink
        self._clock = clock
        self._log = log.get("collecting")
        self._lock = threading.Lock()
        self._states: dict[Source, _State] = {}
        self._unheard = set(expected)
        self._turned = False
        self.ready = threading.Event()
        """Set once every collector has run, well or not."""
        metrics.READY.set(0)
        self._look_whether_ready()

    def ran(
        self,
        source: Source,
        samples: Sequence[Sample],
        *,
        at: float,
        seconds: float,
        origin: Origin = Origin.LOCAL,
        pushed: bool = False,
    ) -> None:
        """Take a complete run: what was read, when it began (wall seconds) and how long it took."""
        state = self._state(source)
        recovered, state.logged_at = state.logged_at is not None, None
        self._turned |= state.ok is not True
        state.ok, state.off, state.seconds = True, False, seconds
        metrics.COLLECTOR_RUNS.labels(source.collector, "success").inc()
        metrics.COLLECTOR_DURATION.labels(source.collector).set(seconds)
        self._sink.read(Reading(source=source, at=at, samples=samples, origin=origin, pushed=pushed))
        if recovered:
            self._log.info("collector works again", collector=source.collector, target=source.target)

    def failed(self, source: Source, fault: Fault, *, at: float, seconds: float = 0.0) -> None:
        """Take a run that yielded nothing."""
        state = self._state(source)
        self._turned |= state.ok is not False
        state.ok, state.off, state.seconds = False, fault.off, seconds
        metrics.COLLECTOR_RUNS.labels(source.collector, "failure").inc()
        metrics.COLLECTOR_ERRORS.labels(source.collector, fault.kind).inc()
        self._sink.fail(Failure(source=source, at=at, reason=fault.reason))
        now = self._clock.boottime()
        state.off_since = now
        if state.logged_at is None or now - state.logged_at >= REMIND_SECONDS:
            state.logged_at = now
            tell = self._log.info if fault.off else self._log.warning
            event = "collector is off" if fault.off else "collector failed"
            tell(event, collector=source.collector, target=source.target, reason=fault.reason)

    def told(self, source: Source, samples: Sequence[Sample], *, at: float) -> None:
        """Take what is said of a run: our own word, and no run itself."""
        self._sink.read(Reading(source=source, at=at, samples=samples))

    def heard(self, collector: str) -> None:
        """Note that the collector has run once on all that it has."""
        with self._lock:
            self._unheard.discard(collector)
            self._look_whether_ready()

    def _look_whether_ready(self) -> None:
        if not self._unheard:
            metrics.READY.set(1)
            self.ready.set()

    def is_off(self, source: Source) -> bool:
        state = self._states.get(source)
        return state is not None and state.off and self._clock.boottime() - state.off_since < LOOK_AGAIN_SECONDS

    def knows(self, source: Source) -> bool:
        """Say whether the source has had a run."""
        return source in self._states

    def forget(self, source: Source, *, at: float) -> None:
        """Drop a source whose target is no more; its series end."""
        with self._lock:
            self._states.pop(source, None)
        self._sink.read(Reading(source=source, at=at, samples=()))

    def turned(self) -> bool:
        """Say whether a source broke or recovered since this was asked last."""
        turned, self._turned = self._turned, False
        return turned

    def publish(self, *, pushed: bool = False) -> None:
        """Hand the state of all sources on as samples."""
        self._sink.read(Reading(source=SOURCE, at=self._clock.now(), samples=self.samples(), pushed=pushed))

    def publish_up(self) -> None:
        """Say that this host is watched: dashboards find hosts by that."""
        self._sink.read(Reading(source=UP_SOURCE, at=self._clock.now(), samples=(Sample(UP.name, 1.0),)))

    def samples(self) -> list[Sample]:
        """Return success by target, and success (all targets) and duration (their sum) by collector."""
        with self._lock:
            states = sorted(self._states.items())
        success: dict[str, float] = {}
        seconds: dict[str, float] = {}
        found = []
        for source, state in states:
            ok = 1.0 if state.ok else 0.0
            if not state.off:  # what this host does not have is no failure to be alarmed about
                found.append(Sample(TARGET_SUCCESS.name, ok, state.labels))
            success[source.collector] = min(ok, success.get(source.collector, 1.0))
            seconds[source.collector] = seconds.get(source.collector, 0.0) + state.seconds
        for collector, ok in success.items():
            labels = (("collector", collector),)
            found.append(Sample(SUCCESS.name, ok, labels))
            found.append(Sample(DURATION.name, seconds[collector], labels))
        return found

    def _state(self, source: Source) -> _State:
        state = self._states.get(source)
        if state is None:
            pairs = (("collector", source.collector), ("target", source.target))
            with self._lock:
                state = self._states[source] = _State(labels=tuple(pair for pair in pairs if pair[1]))
        return state
