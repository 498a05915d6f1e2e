"""One round of all poll collectors that share an interval."""

from collections.abc import Sequence
from functools import partial

from agent.clock import Clock
from agent.collecting.collector import Collector, Fault, attempt
from agent.collecting.health import Health
from agent.collecting.pool import Pool, Run
from agent.telemetry import metrics
from collectors.sample import Sample, Source
from collectors.spec import CollectorSpec, TargetedSpec

PollCollector = Collector[CollectorSpec | TargetedSpec]
Outcome = tuple[Sample, ...] | Fault

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

    def _report(self, collector: PollCollector, source: Source, outcome: Outcome, *, at: float, begun: float) -> None:
        seconds = self._clock.boottime() - begun
        if isinstance(outcome, Fault):
            self._health.failed(source, outcome, at=at, seconds=seconds)
        else:
            self._health.ran(source, outcome, at=at, seconds=seconds, origin=collector.spec.origin)

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
            self._forget(source)
        self._targets[collector.name] = sources
        for source in sorted(sources):
            self._start_one(collector, source)

    def _forget(self, source: Source) -> None:
        self._runs.pop(source, None)
        if self._health.knows(source):
            self._health.forget(source, at=self._clock.now())

    def _start_one(self, collector: PollCollector, source: Source) -> None:
        earlier = self._runs.get(source)
        if earlier is not None and not earlier.over:
            metrics.COLLECTOR_OVERLAP.labels(collector.name).inc()
            if earlier.abandoned:
                self._fail(source, "hung", "the run before still hangs")
            elif earlier.started is None:
                self._fail(source, "no_thread", "no thread was free for a whole interval")
        elif not self._health.is_off(source):
            run = self._run(collector, source)
            self._runs[source] = run
            if not self._pool.submit(run):
                run.over = True
                self._fail(source, "no_thread", "every thread hangs")

    def _run(self, collector: PollCollector, source: Source) -> Run:
        def call() -> tuple[float, Outcome]:
            return self._clock.now(), attempt(partial(_collect, collector, source.target))

        def deliver(result: tuple[float, Outcome]) -> None:
            if self._runs.get(source) is run:
                self._report(collector, source, result[1], at=result[0], begun=run.started or 0.0)

        run = Run(call, deliver, collector.timeout_seconds)
        return run

    def _settle(self, until: float) -> None:
        sources = {run: source for source, run in self._runs.items() if not run.over}
        for run in self._pool.settle(tuple(sources), until):
            self._fail(sources[run], "timeout", f"given up after {run.timeout_seconds:g} s", run.timeout_seconds)

    def _fail(self, source: Source, kind: str, reason: str, seconds: float = 0.0) -> None:
        self._health.failed(source, Fault(kind=kind, reason=reason), at=self._clock.now(), seconds=seconds)


def _targets(collector: PollCollector) -> tuple[str, ...]:
    if isinstance(collector.spec, TargetedSpec):
        return tuple(collector.spec.targets(collector.options))
    return ("",)


def _collect(collector: PollCollector, target: str) -> tuple[Sample, ...]:
    if isinstance(collector.spec, TargetedSpec):
        return tuple(collector.spec.collect(collector.options, target))
    return tuple(collector.spec.collect(collector.options))
