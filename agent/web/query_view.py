"""What one query sees of the store: everything as it was at one moment, whatever is written meanwhile."""

from collections.abc import Callable, Collection
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
    """The series of some metrics (None: of all), as they are now. Serves one query, on its thread.

    Series of one source end at the same time. `is_over` ends the query at its next look.
    """

    def __init__(
        self, store: SeriesStore, metrics: Collection[str] | None, *, is_over: Callable[[], bool] = lambda: False
    ) -> None:
        self._is_over = is_over
        names: Collection[str | None] = (None,) if metrics is None else sorted(metrics)
        self._all = _look(store, names)
        self._by_name: dict[str, list[FrozenSeries]] = {}
        for series in self._all:
            self._by_name.setdefault(series.key.name, []).append(series)

    def generation(self, _name: str | None) -> int:
        """Return the same number always: nothing changes here."""
        if self._is_over():
            raise QueryTimeoutError("the daemon is stopping")
        return 0

    def select(self, name: str | None) -> list[FrozenSeries]:
        """Return the series of a metric (None: of all), in the order they came."""
        return self._all if name is None else self._by_name.get(name, [])


def _look(store: SeriesStore, names: Collection[str | None]) -> list[FrozenSeries]:
    """Look until nothing was rebuilt in between: then lengths, times and values belong together for ever."""
    for _ in range(_TRIES):
        generations = [store.generation(name) for name in names]
        axes: dict[Axis, Axis] = {}
        found = [FrozenSeries(each.key, _frozen(each.columns, axes)) for name in names for each in store.select(name)]
        if [store.generation(name) for name in names] == generations:
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
