"""What one query sees of the store: everything as it was when first looked at, whatever is written meanwhile."""

from collections.abc import Callable
from typing import NamedTuple

from rules.columns import Axis, Columns, Key
from rules.promql.errors import QueryLimitError, QueryTimeoutError
from rules.series import SeriesStore

_TRIES = 1000


class FrozenSeries(NamedTuple):
    """A series with as many samples as it had."""

    key: Key
    columns: Columns

    @property
    def times(self) -> tuple[int, int] | None:
        """The times (milliseconds) of its oldest and newest sample."""
        axis, _, offset = self.columns
        return (axis.times[offset], axis.times[axis.length - 1]) if offset < axis.length else None

    @property
    def newest(self) -> float | None:
        axis, values, offset = self.columns
        return values[axis.length - 1 - offset] if offset < axis.length else None


class QueryView:
    """Serves one query, on its thread. Series of one source end at the same time in all of it.

    `is_over` ends the query at its next look.
    """

    def __init__(self, store: SeriesStore, *, is_over: Callable[[], bool] = lambda: False) -> None:
        self._store = store
        self._is_over = is_over
        self._axes: dict[Axis, Axis] = {}
        self._chosen: dict[str | None, list[FrozenSeries]] = {}

    def generation(self, _name: str | None) -> int:
        """Return the same number always: nothing changes here."""
        if self._is_over():
            raise QueryTimeoutError("the daemon is stopping")
        return 0

    def select(self, name: str | None) -> list[FrozenSeries]:
        """Return the series of a metric (None: of all), in the order they came."""
        known = self._chosen.get(name)
        if known is None:
            known = self._chosen[name] = self._look(name)
        return known

    def names(self) -> list[str]:
        return self._store.names()

    def _look(self, name: str | None) -> list[FrozenSeries]:
        """Look until nothing was rebuilt in between: then lengths, times and values belong together for ever."""
        for _ in range(_TRIES):
            generation = self._store.generation(name)
            axes = dict(self._axes)
            found = [FrozenSeries(series.key, _frozen(series.columns, axes)) for series in self._store.select(name)]
            if self._store.generation(name) == generation:
                self._axes = axes
                return found
        raise QueryLimitError("the series change too fast to be read")


def _frozen(columns: Columns, axes: dict[Axis, Axis]) -> Columns:
    axis, values, offset = columns
    frozen = axes.get(axis)
    if frozen is None:
        length = axis.length
        # The mark is set before the length grows, so it is read after it.
        frozen = axes[axis] = Axis(axis.times, marked=axis.marked)
        frozen.length = length
    return frozen, values, offset
