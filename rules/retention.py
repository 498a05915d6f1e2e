"""How long samples are kept: as far back as the rules look."""

import math
from collections.abc import Iterator, Mapping

from rules.catalogue import Catalogue
from rules.columns import milliseconds
from rules.sources import SourceState

SLACK = 1.25
"""Samples go when they are this much older than asked: cutting costs a copy, and a new look at all series."""

SWEEP = 0.0625
"""Old samples are looked for once in this part of the shortest history."""


class Retention:
    """Cuts old samples off the series of a catalogue."""

    def __init__(self, catalogue: Catalogue, default_seconds: float) -> None:
        self._catalogue = catalogue
        self._default_seconds = default_seconds
        self._horizons: Mapping[str, float] = {}
        self._dropped_at = -math.inf

    def require(self, horizons: Mapping[str, float], default: float) -> None:
        """Keep `horizons[name]` seconds of a metric, and at least `default` seconds of every one."""
        self._horizons = dict(horizons)
        self._default_seconds = default

    def required_for(self, seconds: float) -> Iterator[str]:
        """Yield the metrics that are required for at least that long."""
        return (name for name, required in self._horizons.items() if required >= seconds)

    def drop_old(self, at: float) -> None:
        """Forget what is older than required, and series that have nothing left."""
        if 0 <= at - self._dropped_at < self._default_seconds * SWEEP:
            return
        self._dropped_at = at
        now = milliseconds(at)
        for state in self._catalogue.owners(None):
            self._trim(state, now)
            for series in state.shorten_axis():
                self._catalogue.changed(series.key.name)
            for series in state.share_again():
                self._catalogue.changed(series.key.name)
            if state.spells:
                longest = max(map(self._seconds_of, state.spells.names()))
                if state.spells.trim(now - milliseconds(longest)):
                    self._catalogue.hush(state)

    def _seconds_of(self, name: str) -> float:
        return max(self._horizons.get(name, 0.0), self._default_seconds)

    def _trim(self, state: SourceState, now: int) -> None:
        """Cut the series of one source."""
        limits: dict[str, tuple[int, int]] = {}
        for series in state.series():
            name = series.key.name
            limit = limits.get(name)
            if limit is None:
                seconds = self._seconds_of(name)
                limit = limits[name] = (now - milliseconds(seconds * SLACK), now - milliseconds(seconds))
            axis, values, offset = series.columns
            if values and axis.times[offset] >= limit[0]:
                continue
            if series.trim(limit[1]):
                state.plan = None
                self._catalogue.changed(name)
            if not series:
                self._catalogue.remove(series)
