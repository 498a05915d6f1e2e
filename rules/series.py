"""The series store: what the collectors said, for as long as the rules look back.

One thread writes, many read (see `rules.columns`). Times enter and leave in wall-clock seconds; inside they are whole
milliseconds, as PromQL counts.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from collectors.sample import Failure, Labels, Origin, Reading, Sample, Source
from rules import history
from rules.columns import STALE, Key, Series
from rules.sources import SourceState

SLACK = 1.25
"""Samples go when they are this much older than asked: cutting costs a copy, and a new look at all series."""

SWEEP = 0.0625
"""Old samples are looked for once in this part of the shortest history."""


_DERIVED = frozenset({"rules", "alerts"})
"""Collectors whose series are results of rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """How a source is: times are wall-clock seconds, None where it never happened."""

    source: Source
    origin: Origin
    last_success_at: float | None
    last_failure_at: float | None
    reason: str
    """Why it last failed; empty when the last run succeeded."""
    polled: bool = True
    """Whether it ever yielded its whole truth; False for one that only tells of events."""

    @property
    def healthy(self) -> bool:
        return self.last_success_at is not None and not self.reason


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


class SeriesStore:
    """Series by metric name and labels; `external` labels are added to every series that lacks them."""

    def __init__(self, *, external: Labels = (), history_seconds: float = 3600.0, max_series: int = 500_000) -> None:
        self._external = external
        self._default_seconds = history_seconds
        self._horizons: Mapping[str, float] = {}
        self._max_series = max_series
        self._sources: dict[Source, SourceState] = {}
        self._owners: dict[str, dict[Source, None]] = {}
        self._metrics: dict[str, dict[Labels, tuple[Series, SourceState]]] = {}
        self._generations: dict[str, int] = {}
        self._generation = 0
        self._memberships: dict[str, int] = {}
        self._membership = 0
        self._dropped_at = -math.inf
        self.series_count = 0
        self.refused_samples = 0
        """Samples left out because the store holds `max_series` already."""
        self.conflicting_samples = 0
        """Samples left out because another source owns the series."""
        self.late_samples = 0
        """Samples left out because a newer one of the series is known, or twice in one reading."""

    # -- writing: the engine's thread only

    def append(self, reading: Reading) -> frozenset[str]:
        """Add the samples of a successful run and return the names of the metrics it touched.

        A complete reading ends the series of its source that it does not carry, with a staleness marker at its time.
        """
        state = self._state(reading.source, reading.origin)
        state.succeeded(reading.at)
        state.polled = state.polled or reading.complete
        at = milliseconds(reading.at)
        if not reading.complete:
            return self._append_points(state, reading.samples, at)
        if state.is_late(at):
            self.late_samples += len(reading.samples)
            return frozenset()
        self._rewind(state, at)
        return state.extend(reading.samples, at) or self._append_run(state, reading.samples, at)

    def fail(self, failure: Failure) -> None:
        """Note that a run yielded nothing. It ends no series."""
        self._state(failure.source, None).failed(failure.at, failure.reason)

    def declare(self, source: Source, names: Iterable[str], origin: Origin = Origin.LOCAL) -> None:
        """Say which metrics a source will yield, so that its health counts before its first success."""
        self._state(source, origin)
        for name in names:
            self._owners.setdefault(name, {})[source] = None

    def forget(self, source: Source) -> None:
        """Remove a source that no longer exists (its collector was switched off), and its series at once."""
        state = self._sources.pop(source, None)
        if state is None:
            return
        for series in list(state.index.values()):
            self._remove(state, series)
        for owners in self._owners.values():
            owners.pop(source, None)

    def require(self, horizons: Mapping[str, float], default: float) -> None:
        """Keep `horizons[name]` seconds of a metric, and at least `default` seconds of every one."""
        self._horizons = dict(horizons)
        self._default_seconds = default

    def drop_old(self, at: float) -> None:
        """Forget what is older than required, and series that have nothing left. Call it as often as you like."""
        if 0 <= at - self._dropped_at < self._default_seconds * SWEEP:
            return
        self._dropped_at = at
        now = milliseconds(at)
        for state in self._sources.values():
            for series in list(state.index.values()):
                self._trim(state, series, now)
            for series in state.shorten_axis():
                self._changed(series.key.name)
            for series in state.share_again():
                self._changed(series.key.name)

    def load(self, data: bytes) -> int:
        """Take back what `dump` returned; return the number of series. Raise HistoryError if it cannot be read."""
        loaded = history.unpack(data)
        count = 0
        for record in loaded:
            state = self._state(record.source, record.origin)
            series = self._series(state, record.key.name, record.key.labels, shared=False)
            if series is not None and not series:
                count += 1
                for time, value in zip(record.times, record.values, strict=True):
                    series.point(time, value)
        return count

    def shift(self, seconds: float) -> None:
        """Move every sample in time, because the wall clock was set by that much."""
        for state in self._sources.values():
            state.shift(seconds)
        for name in self._metrics:
            self._changed(name)

    # -- reading: any thread

    def dump(self, min_horizon_seconds: float) -> bytes:
        """Return the samples of metrics that are required for at least that long, to be kept across a restart."""
        long = [name for name, seconds in self._horizons.items() if seconds >= min_horizon_seconds]
        return history.pack(
            history.Record(source=state.source, origin=state.origin, key=series.key, columns=series.columns)
            for name in long
            for series, state in list(self._metrics.get(name, {}).values())
            if series
        )

    def select(self, name: str | None) -> list[Series]:
        """Return the series of a metric (None: of all), in the order they came."""
        if name is not None:
            return [series for series, _ in list(self._metrics.get(name, {}).values())]
        return [series for metric in list(self._metrics) for series in self.select(metric)]

    def owned(self, name: str | None) -> list[tuple[Series, Source, Origin]]:
        """Return what `select` does, each series with the source that owns it and that source's origin."""
        if name is not None:
            return [(series, s.source, s.origin) for series, s in list(self._metrics.get(name, {}).values())]
        return [owned for metric in list(self._metrics) for owned in self.owned(metric)]

    def generation(self, name: str | None) -> int:
        """Return a number that changes whenever `select(name)` or the columns of its series must be taken anew."""
        return self._generation if name is None else self._generations.get(name, 0)

    def membership(self, name: str | None) -> int:
        """Return a number that changes whenever a series of the metric (None: any) comes, goes, ends or revives."""
        return self._membership if name is None else self._memberships.get(name, 0)

    def names(self) -> list[str]:
        return sorted(self._metrics)

    def health(self, names: Collection[str] | None = None) -> Sequence[SourceHealth]:
        """Return the health of every source that owns or owned series of these metrics (None: of all sources)."""
        return [
            SourceHealth(
                source=state.source,
                origin=state.origin,
                last_success_at=state.last_success_at,
                last_failure_at=state.last_failure_at,
                reason=state.reason,
                polled=state.polled,
            )
            for state in self._states(names)
        ]

    def covers(self, names: Collection[str] | None, seconds: float, at: float) -> bool:
        """Return whether the store has seen these metrics (None: anything) for at least `seconds` before `at`.

        A metric that no source ever yielded counts from the store's first reading.
        """
        wanted = at - seconds
        if names is None:
            return self._started_before(wanted, self._sources.values())
        return all(self._name_covers(name, wanted) for name in names)

    @property
    def sample_count(self) -> int:
        return sum(len(series) for series in self.select(None))

    # -- inside

    def _name_covers(self, name: str, wanted: float) -> bool:
        owners = self._states([name])
        if owners and all(state.first_at is not None and state.first_at <= wanted for state in owners):
            return True
        oldest = [series.oldest for series in self.select(name)]
        if any(time is not None and time <= milliseconds(wanted) for time in oldest):
            return True
        return not owners and self._started_before(wanted, self._sources.values())

    @staticmethod
    def _started_before(wanted: float, states: Iterable[SourceState]) -> bool:
        return any(state.first_at is not None and state.first_at <= wanted for state in list(states))

    def _states(self, names: Collection[str] | None) -> list[SourceState]:
        if names is None:
            return list(self._sources.values())
        sources = {source: None for name in names for source in list(self._owners.get(name, ()))}
        return [self._sources[source] for source in sources if source in self._sources]

    def _state(self, source: Source, origin: Origin | None) -> SourceState:
        state = self._sources.get(source)
        if state is None:
            state = self._sources[source] = SourceState(source, origin or Origin.LOCAL)
        elif origin is not None:
            state.origin = origin
        return state

    def _changed(self, name: str) -> None:
        """Note that columns of the metric must be taken anew."""
        self._generation += 1
        self._generations[name] = self._generation

    def _joined(self, name: str) -> None:
        """Note that the metric has other series, or others have ended."""
        self._membership += 1
        self._memberships[name] = self._membership
        self._changed(name)

    def _external_of(self, source: Source) -> Labels:
        """Return the labels that a source's series get: what rules record carries what their expressions left."""
        return () if source.collector in _DERIVED else self._external

    def _series(self, state: SourceState, name: str, labels: Labels, *, shared: bool) -> Series | None:
        """Return the source's series, made if need be; None if it is another's or one too many."""
        series = state.index.get((name, labels))
        if series is not None:
            return series
        full = labels
        given = {label for label, _ in labels}
        if missing := [pair for pair in self._external_of(state.source) if pair[0] not in given]:
            full = tuple(sorted([*labels, *missing]))
        metric = self._metrics.setdefault(name, {})
        if full in metric:
            return self._take_over(state, (name, labels), *metric[full])
        if self.series_count >= self._max_series:
            self.refused_samples += 1
            return None
        series = state.new_series(Key(name, full), labels, shared=shared)
        metric[full] = (series, state)
        state.index[name, labels] = series
        self._owners.setdefault(name, {})[state.source] = None
        self.series_count += 1
        self._joined(name)
        return series

    def _take_over(
        self, state: SourceState, raw: tuple[str, Labels], series: Series, owner: SourceState
    ) -> Series | None:
        """Hand an ended series to the source that now yields it."""
        if not series.ended and owner is not state:
            self.conflicting_samples += 1
            return None
        owner.index.pop((series.key.name, series.raw_labels), None)
        owner.plan = None
        series.raw_labels = raw[1]
        state.index[raw] = series
        self._metrics[series.key.name][series.key.labels] = (series, state)
        self._owners.setdefault(series.key.name, {})[state.source] = None
        self._joined(series.key.name)
        return series

    def _append_points(self, state: SourceState, samples: Sequence[Sample], at: int) -> frozenset[str]:
        for name, value, labels in samples:
            series = self._series(state, name, labels, shared=False)
            if series is None:
                continue
            if series.shared:
                series.detach()
                state.plan = None
                self._changed(name)
            if series.stamp != state.run:
                # The last complete reading did not carry it: the next one must look whether it does.
                state.plan = None
            self._revive(series)
            columns = series.columns
            self.late_samples += not series.point(at, value)
            if series.columns is not columns:
                self._changed(name)
        return frozenset(sample[0] for sample in samples)

    def _append_run(self, state: SourceState, samples: Sequence[Sample], at: int) -> frozenset[str]:
        """Add a complete reading series by series, and learn its order for the next one."""
        state.begin_run(at)
        order: list[Series] = []
        for name, value, labels in samples:
            series = self._series(state, name, labels, shared=True)
            if series is None:
                continue
            if series.stamp == state.run:
                self.late_samples += 1
                continue
            order.append(series)
            self._revive(series)
            columns = series.columns
            state.add(series, at, value)
            if series.columns is not columns:
                self._changed(name)
        ended = self._end_missing(state, at)
        state.end_run(samples, order)
        return frozenset(sample[0] for sample in samples) | ended

    def _end_missing(self, state: SourceState, at: int) -> set[str]:
        ended = set()
        for series in state.index.values():
            if series.ended or series.stamp == state.run:
                continue
            if series.shared:
                series.detach()
            series.point(at, STALE)
            series.ended = True
            self._joined(series.key.name)
            ended.add(series.key.name)
        return ended

    def _revive(self, series: Series) -> None:
        if series.ended:
            series.ended = False
            self._joined(series.key.name)

    def _rewind(self, state: SourceState, at: int) -> None:
        for series in state.rewind(at):
            self._joined(series.key.name)

    def _trim(self, state: SourceState, series: Series, now: int) -> None:
        seconds = max(self._horizons.get(series.key.name, 0.0), self._default_seconds)
        oldest = series.oldest
        if oldest is not None and oldest >= now - milliseconds(seconds * SLACK):
            return
        if series.trim(now - milliseconds(seconds)):
            state.plan = None
            self._changed(series.key.name)
        if not series:
            self._remove(state, series)

    def _remove(self, state: SourceState, series: Series) -> None:
        state.index.pop((series.key.name, series.raw_labels), None)
        state.plan = None
        metric = self._metrics[series.key.name]
        del metric[series.key.labels]
        if not metric:
            del self._metrics[series.key.name]
        self.series_count -= 1
        self._joined(series.key.name)
