"""The series store: what the collectors said, for as long as the rules look back.

One thread writes, many read (see `rules.columns`). Times enter and leave in wall-clock seconds; inside they are whole
milliseconds, as PromQL counts.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from collectors.sample import Failure, Labels, Origin, Reading, Sample, Source
from rules import history
from rules.catalogue import Catalogue
from rules.columns import STALE, Key, Series, milliseconds
from rules.retention import Retention
from rules.sources import SourceHealth, SourceState
from rules.spells import Told

_DERIVED = frozenset({"rules", "alerts"})
"""Collectors whose series are results of rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many series there may be: in all, of one collector, and of one of its sources (a target, a topic)."""

    all: int = 500_000
    collector: int = 300_000
    source: int = 100_000


class SeriesStore:
    """Series by metric name and labels; `external` labels are added to every series that lacks them."""

    def __init__(self, *, external: Labels = (), history_seconds: float = 3600.0, room: Room | None = None) -> None:
        self._external = external
        self._room = room or Room()
        self._catalogue = Catalogue()
        self._retention = Retention(self._catalogue, history_seconds)
        self.refused: dict[str, int] = {}
        """Samples left out because there was no room for their series, by collector."""
        self.conflicting_samples = 0
        """Samples left out because another source owns the series."""
        self.late_samples = 0
        """Samples left out because a newer one of the series is known, or twice in one reading."""

    # -- writing: the engine's thread only

    def append(self, reading: Reading) -> frozenset[str]:
        """Add the samples of a successful run and return the names of the metrics it touched.

        A complete reading ends the series of its source that it does not carry, with a staleness marker at its time.
        """
        if self._is_crowded_out(reading.source):
            self._refuse(reading.source, len(reading.samples))
            return frozenset()
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

    def tell(self, source: Source, at: float, series: Mapping[Told, float], *, origin: Origin = Origin.LOCAL) -> None:
        """Say which series a source has, and what they say until further notice; those left out have ended.

        For what comes and goes a lot and is seldom read. A source either tells or appends.
        """
        state = self._state(source, origin)
        if loaded := state.series():  # a saved history
            state.spells.adopt(loaded)
            for each in loaded:
                self._catalogue.remove(each)
        moved = state.spells.tell(milliseconds(at), series)
        if moved is None:
            self.late_samples += len(series)
            return
        state.succeeded(at)
        state.polled = True
        self._catalogue.tells(state, {told.name for told in series}, moved=moved)

    def fail(self, failure: Failure) -> None:
        """Note that a run yielded nothing. It ends no series."""
        self._state(failure.source, None).failed(failure.at, failure.reason)

    def declare(self, source: Source, names: Iterable[str], origin: Origin = Origin.LOCAL) -> None:
        """Say which metrics a source will yield, so that its health counts before its first success."""
        self._state(source, origin)
        self._catalogue.declare(source, names)

    def forget(self, source: Source) -> None:
        """Remove a source that no longer exists (its collector was switched off), and its series at once."""
        self._catalogue.forget(source)

    def require(self, horizons: Mapping[str, float], default: float) -> None:
        """Keep `horizons[name]` seconds of a metric, and at least `default` seconds of every one."""
        self._retention.require(horizons, default)

    def drop_old(self, at: float) -> None:
        """Forget what is older than required, and series that have nothing left. Call it as often as you like."""
        self._retention.drop_old(at)

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
        for state in self._catalogue.owners(None):
            state.shift(seconds)
        for name in self.names():
            self._catalogue.changed(name)

    # -- reading: any thread

    def dump(self, min_horizon_seconds: float) -> bytes:
        """Return the samples of metrics that are required for at least that long, to be kept across a restart."""
        return history.pack(
            history.Record(
                source=series.owner.source, origin=series.owner.origin, key=series.key, columns=series.columns
            )
            for name in self._retention.required_for(min_horizon_seconds)
            for series in self._catalogue.select(name)
            if series
        )

    def select(self, name: str | None) -> list[Series]:
        """Return the series of a metric (None: of all), in the order they came."""
        return self._catalogue.select(name)

    def generation(self, name: str | None) -> int:
        """Return a number that changes whenever `select(name)` or the columns of its series must be taken anew."""
        return self._catalogue.generation(name)

    def membership(self, name: str | None) -> int:
        """Return a number that changes whenever a series of the metric (None: any) comes, goes, ends or revives."""
        return self._catalogue.membership(name)

    def names(self) -> list[str]:
        return self._catalogue.names()

    def health(self, names: Collection[str] | None = None) -> Sequence[SourceHealth]:
        """Return the health of every source that owns or owned series of these metrics (None: of all sources)."""
        return [state.health for state in self._catalogue.owners(names)]

    def covers(self, names: Collection[str] | None, seconds: float, at: float) -> bool:
        """Return whether the store has seen these metrics (None: anything) for at least `seconds` before `at`.

        A metric that no source ever yielded counts from the store's first reading.
        """
        wanted = at - seconds
        if names is None:
            return self._started_before(wanted)
        return all(self._name_covers(name, wanted) for name in names)

    @property
    def series_count(self) -> int:
        return self._catalogue.count

    @property
    def sample_count(self) -> int:
        return sum(len(series) for series in self.select(None))

    # -- inside

    def _name_covers(self, name: str, wanted: float) -> bool:
        owners = self._catalogue.owners([name])
        if owners and all(state.started_before(wanted) for state in owners):
            return True
        oldest = [series.oldest for series in self.select(name)]
        if any(time is not None and time <= milliseconds(wanted) for time in oldest):
            return True
        return not owners and self._started_before(wanted)

    def _started_before(self, wanted: float) -> bool:
        return any(state.started_before(wanted) for state in self._catalogue.owners(None))

    def _state(self, source: Source, origin: Origin | None) -> SourceState:
        state = self._catalogue.sources.get(source)
        if state is None:
            # What rules record carries what their expressions left.
            external = () if source.collector in _DERIVED else self._external
            state = self._catalogue.sources[source] = SourceState(source, origin or Origin.LOCAL, external)
        elif origin is not None:
            state.origin = origin
        return state

    def _series(self, state: SourceState, name: str, labels: Labels, *, shared: bool) -> Series | None:
        """Return the source's series, made if need be; None if it is another's or one too many."""
        series = state.find(name, labels)
        if series is not None:
            return series
        full = labels
        given = {label for label, _ in labels}
        if missing := [pair for pair in state.external if pair[0] not in given]:
            full = tuple(sorted([*labels, *missing]))
        known = self._catalogue.find(name, full)
        if known is not None:
            return self._take_over(state, labels, known)
        if not self._has_room(state):
            self._refuse(state.source, 1)
            return None
        series = state.new_series(Key(name, full), labels, shared=shared)
        self._catalogue.put(series)
        return series

    def _has_room(self, state: SourceState) -> bool:
        held = self._catalogue.counts.get(state.source.collector, 0)
        return self._catalogue.count < self._room.all and held < self._room.collector and state.size < self._room.source

    def _is_crowded_out(self, source: Source) -> bool:
        """Tell whether a source is new and its collector has no room: then it is not even remembered."""
        if source in self._catalogue.sources:
            return False
        held = self._catalogue.counts.get(source.collector, 0)
        return held >= self._room.collector or self._catalogue.count >= self._room.all

    def _refuse(self, source: Source, samples: int) -> None:
        self.refused[source.collector] = self.refused.get(source.collector, 0) + samples

    def _take_over(self, state: SourceState, raw_labels: Labels, series: Series) -> Series | None:
        """Hand an ended series to the source that now yields it."""
        owner = series.owner
        if not series.ended and owner is not state:
            self.conflicting_samples += 1
            return None
        self._catalogue.leave(series)
        series.owner, series.raw_labels = state, raw_labels
        series.stamp = 0  # the number of a run of the owner before is none of this one's
        self._catalogue.put(series)
        return series

    def _append_points(self, state: SourceState, samples: Sequence[Sample], at: int) -> frozenset[str]:
        for name, value, labels in samples:
            series = self._series(state, name, labels, shared=False)
            if series is None:
                continue
            if series.shared:
                series.detach()
                state.plan = None
                self._catalogue.changed(name)
            if series.stamp != state.run:
                # The last complete reading did not carry it: the next one must look whether it does.
                state.plan = None
            self._revive(series)
            columns = series.columns
            self.late_samples += not series.point(at, value)
            if series.columns is not columns:
                self._catalogue.changed(name)
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
                self._catalogue.changed(name)
        ended = self._end_missing(state, at)
        state.end_run(samples, order)
        return frozenset(sample[0] for sample in samples) | ended

    def _end_missing(self, state: SourceState, at: int) -> set[str]:
        ended = set()
        for series in state.series():
            if series.ended or series.stamp == state.run:
                continue
            if series.shared:
                series.detach()
            series.point(at, STALE)
            series.ended = True
            self._catalogue.joined(series.key.name)
            ended.add(series.key.name)
        return ended

    def _revive(self, series: Series) -> None:
        if series.ended:
            series.ended = False
            self._catalogue.joined(series.key.name)

    def _rewind(self, state: SourceState, at: int) -> None:
        for series in state.rewind(at):
            self._catalogue.joined(series.key.name)
