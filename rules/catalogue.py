"""Which series there are, by metric, who owns them, and numbers that say when that changed."""

from collections.abc import Collection, Iterable

from collectors.sample import Labels, Source
from rules.columns import Series
from rules.sources import SourceState
from rules.spells import Spells


class Catalogue:
    """The engine's thread changes it, any thread may look."""

    def __init__(self) -> None:
        self.sources: dict[Source, SourceState] = {}
        self.count = 0
        """How many series there are, those that are told left out."""
        self.counts: dict[str, int] = {}
        """How many of them each collector has."""
        self._metrics: dict[str, dict[Labels, Series]] = {}
        self._told: dict[str, dict[SourceState, None]] = {}
        """Who tells series of a metric instead of yielding samples."""
        self._owners: dict[str, dict[Source, None]] = {}
        self._generations: dict[str, int] = {}
        self._generation = 0
        self._memberships: dict[str, int] = {}
        self._membership = 0

    # -- looking

    def names(self) -> list[str]:
        return sorted({*self._metrics, *self._told})

    def select(self, name: str | None) -> list[Series]:
        """Return the series of a metric (None: of all), in the order they came."""
        if name is None:
            return [series for metric in {**self._metrics, **self._told} for series in self.select(metric)]
        sampled = list(self._metrics.get(name, {}).values())
        if name not in self._told:
            return sampled
        found = {series.key.labels: series for series in sampled}
        for state in list(self._told.get(name, ())):
            for series in state.spells.series(name):
                found.setdefault(series.key.labels, series)
        return list(found.values())

    def generation(self, name: str | None) -> int:
        return self._generation if name is None else self._generations.get(name, 0)

    def membership(self, name: str | None) -> int:
        return self._membership if name is None else self._memberships.get(name, 0)

    def owners(self, names: Collection[str] | None) -> list[SourceState]:
        """Return the sources that own or owned series of these metrics (None: all sources)."""
        if names is None:
            return list(self.sources.values())
        wanted = {source: None for name in names for source in list(self._owners.get(name, ()))}
        # Whoever reads on another thread may find an owner that has just been forgotten.
        return [state for source in wanted if (state := self.sources.get(source)) is not None]

    # -- changing

    def find(self, name: str, labels: Labels) -> Series | None:
        return self._metrics.get(name, {}).get(labels)

    def put(self, series: Series) -> None:
        """Take a series in, or note that another source owns it now."""
        name, labels, _ = series.key
        metric = self._metrics.setdefault(name, {})
        self.count += labels not in metric
        metric[labels] = series
        series.owner.enter(series)
        collector = series.owner.source.collector
        self.counts[collector] = self.counts.get(collector, 0) + 1
        self.declare(series.owner.source, (name,))
        self.joined(name)

    def leave(self, series: Series) -> None:
        """Take a series away from its owner; another one will have it."""
        series.owner.leave(series)
        self.counts[series.owner.source.collector] -= 1

    def remove(self, series: Series) -> None:
        name, labels, _ = series.key
        self.leave(series)
        metric = self._metrics[name]
        del metric[labels]
        if not metric:
            del self._metrics[name]
        self.count -= 1
        self.joined(name)

    def tells(self, state: SourceState, names: Iterable[str], *, moved: bool) -> None:
        """Note which series a source tells; `moved`: some came or went."""
        for name in names:
            if state not in self._told.setdefault(name, {}):
                self._told[name][state] = None
                self.declare(state.source, (name,))
        note = self.joined if moved else self.changed
        for name, tellers in self._told.items():
            if state in tellers:
                note(name)

    def hush(self, state: SourceState) -> None:
        """Take notice that a source may remember less of what it told."""
        remembered = state.spells.names()
        for name in [name for name, tellers in self._told.items() if state in tellers]:
            if name not in remembered:
                del self._told[name][state]
                if not self._told[name]:
                    del self._told[name]
            self.joined(name)

    def declare(self, source: Source, names: Iterable[str]) -> None:
        """Note that the health of a source counts for these metrics."""
        for name in names:
            self._owners.setdefault(name, {})[source] = None

    def forget(self, source: Source) -> None:
        """Remove a source and its series."""
        state = self.sources.pop(source, None)
        if state is None:
            return
        for series in state.series():
            self.remove(series)
        state.spells = Spells(state)
        self.hush(state)
        for owners in self._owners.values():
            owners.pop(source, None)

    def changed(self, name: str) -> None:
        """Note that columns of the metric must be taken anew."""
        self._generation += 1
        self._generations[name] = self._generation

    def joined(self, name: str) -> None:
        """Note that the metric has other series, or others have ended."""
        self._membership += 1
        self._memberships[name] = self._membership
        self.changed(name)
