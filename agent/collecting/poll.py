"""One round of all poll collectors that share an interval."""

from collections.abc import Sequence
from functools import partial

from agent.clock import Clock
from agent.collecting.collector import Collector, Fault, attempt
from agent.collecting.health import Health
from agent.collecting.pool import Pool, Run
from agent.telemetry import metrics
from collectors.sample import Sample, Source
from collectors.spec import CollectorSpec, Outcome, TargetedSpec

PollCollector = Collector[CollectorSpec | TargetedSpec]
Result = Sequence[Sample] | Fault

_BUDGET = 0.9
"""A round waits for its blocking runs for this share of the interval; the next round asks after the rest."""


class Poll:
    """Runs what cannot block one after another on the caller's thread, and the rest on the pool, target by target."""

    def __init__(
        self,
        collectors: Sequence[PollCollector],
        interval_seconds: float,
        *,
        health: Health,
        clock: Clock,
        pool: Pool,
    ) -> None:
        self._inline = [each for each in collectors if isinstance(each.spec, CollectorSpec) and not each.spec.blocking]
        self._blocking = [each for each in collectors if each not in self._inline]
        self._interval = interval_seconds
        self._health = health
        self._clock = clock
        self._pool = pool
        self._runs: dict[Source, Run] = {}
        self._targets: dict[str, set[Source]] = {}
        self._last: float | None = None

    def round(self) -> None:
        """Run every collector once."""
        begun = self._clock.boottime()
        self._count_missed(begun)
        for collector in self._inline:
            self._run_inline(collector)
        for collector in self._blocking:
            self._start(collector)
        self._settle(begun + _BUDGET * self._interval)
        for collector in (*self._inline, *self._blocking):
            self._health.heard(collector.name)

    def _count_missed(self, now: float) -> None:
        if self._last is not None:
            missed = round((now - self._last) / self._interval) - 1
            if missed > 0:
                for collector in (*self._inline, *self._blocking):
                    metrics.COLLECTOR_MISSED.labels(collector.name).inc(missed)
        self._last = now

    def _run_inline(self, collector: PollCollector) -> None:
        source = Source(collector.name)
        if not self._health.is_off(source):
            at, begun = self._clock.now(), self._clock.boottime()
            self._report(collector, source, attempt(partial(_collect, collector, "")), at=at, begun=begun)

    def _report(self, collector: PollCollector, source: Source, result: Result, *, at: float, begun: float) -> None:
        seconds = self._clock.boottime() - begun
        if isinstance(result, Fault):
            self._failed(collector, source, result, at=at, seconds=seconds)
        else:
            self._health.ran(source, result, at=at, seconds=seconds, origin=collector.spec.origin)
            outcome = Outcome(succeeded=True, seconds=seconds, samples=len(result))
            self._tell(collector, source, outcome, at=at)

    def _failed(self, collector: PollCollector, source: Source, fault: Fault, *, at: float, seconds: float) -> None:
        self._health.failed(source, fault, at=at, seconds=seconds)
        self._tell(collector, source, Outcome(succeeded=False, seconds=seconds, samples=0), at=at)

    def _tell(self, collector: PollCollector, source: Source, outcome: Outcome, *, at: float) -> None:
        """Hand on what the collector says of its run."""
        if isinstance(collector.spec, TargetedSpec) and collector.spec.outcome is not None:
            samples = tuple(collector.spec.outcome(collector.options, source.target, outcome))
            self._health.told(outcome_source(source), samples, at=at)

    def _start(self, collector: PollCollector) -> None:
        """Start a run on each target, and end the series of targets that are no more."""
        whole = Source(collector.name)
        if self._health.is_off(whole):
            return
        targets = attempt(partial(_targets, collector))
        if isinstance(targets, Fault):
            self._health.failed(whole, targets, at=self._clock.now())
            return
        sources = {Source(collector.name, target) for target in targets}
        for source in (self._targets.get(collector.name, set()) | {whole}) - sources:
            self._forget(collector, source)
        self._targets[collector.name] = sources
        for source in sorted(sources):
            self._start_one(collector, source)

    def _forget(self, collector: PollCollector, source: Source) -> None:
        self._runs.pop(source, None)
        if self._health.knows(source):
            self._health.forget(source, at=self._clock.now())
            if isinstance(collector.spec, TargetedSpec) and collector.spec.outcome is not None:
                self._health.told(outcome_source(source), (), at=self._clock.now())

    def _start_one(self, collector: PollCollector, source: Source) -> None:
        earlier = self._runs.get(source)
        if earlier is not None and not earlier.over:
            metrics.COLLECTOR_OVERLAP.labels(collector.name).inc()
            if earlier.abandoned:
                self._fail(collector, source, "hung", "the run before still hangs")
            elif earlier.started is None:
                self._fail(collector, source, "no_thread", "no thread was free for a whole interval")
        elif not self._health.is_off(source):
            run = self._run(collector, source)
            self._runs[source] = run
            if not self._pool.submit(run):
                run.over = True
                self._fail(collector, source, "no_thread", "every thread hangs")

    def _run(self, collector: PollCollector, source: Source) -> Run:
        def call() -> tuple[float, Result]:
            return self._clock.now(), attempt(partial(_collect, collector, source.target))

        def deliver(result: tuple[float, Result]) -> None:
            if self._runs.get(source) is run:
                self._report(collector, source, result[1], at=result[0], begun=run.started or 0.0)

        run = Run(call, deliver, collector.timeout_seconds)
        return run

    def _settle(self, until: float) -> None:
        sources = {run: source for source, run in self._runs.items() if not run.over}
        by_name = {collector.name: collector for collector in self._blocking}
        for run in self._pool.settle(tuple(sources), until):
            source, reason = sources[run], f"given up after {run.timeout_seconds:g} s"
            self._fail(by_name[source.collector], source, "timeout", reason, run.timeout_seconds)

    def _fail(self, collector: PollCollector, source: Source, kind: str, reason: str, seconds: float = 0.0) -> None:
        self._failed(collector, source, Fault(kind=kind, reason=reason), at=self._clock.now(), seconds=seconds)


def outcome_source(source: Source) -> Source:
    """The outcomes of failed runs are fresh where the target's own series are not."""
    return Source(f"{source.collector}_outcome", source.target)


def _targets(collector: PollCollector) -> tuple[str, ...]:
    if isinstance(collector.spec, TargetedSpec):
        return tuple(collector.spec.targets(collector.options))
    return ("",)


def _collect(collector: PollCollector, target: str) -> tuple[Sample, ...]:
    if isinstance(collector.spec, TargetedSpec):
        return tuple(collector.spec.collect(collector.options, target))
    return tuple(collector.spec.collect(collector.options))
