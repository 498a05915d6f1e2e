"""What expressions evaluate to: columns of keys and values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from collectors.sample import Labels
from rules.columns import Key
from rules.promql.errors import EvaluationError

DESCRIPTIONS = frozenset({"__type__", "__unit__"})
"""Labels that say what kind of metric it is."""

Reduce = Callable[[Sequence[float]], float]
"""Makes one number of a window's values."""

WORTH_KEEPING = 0.25
"""What part of a vector's keys must be picked for the result to be kept."""


def undescribed(labels: Labels) -> Labels:
    """Return the labels without those that describe the metric: they go where its name goes."""
    if any(pair[0] in DESCRIPTIONS for pair in labels):
        return tuple(pair for pair in labels if pair[0] not in DESCRIPTIONS)
    return labels


class Keys:
    """The label sets of a vector, and what was worked out from them.

    A selector gives the same `Keys` until its series change, so whatever depends on label sets alone (groups, matches,
    dropped names) is computed once and kept in `memo`, under the object of the operation that owns it.
    """

    __slots__ = ("items", "memo")

    def __init__(self, items: Sequence[Key]) -> None:
        self.items = tuple(items)
        self.memo: dict[object, Any] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Key:
        return self.items[index]

    def pick(self, indices: list[int]) -> "Keys":
        """Return the keys at these positions; of many, the same object for the same positions as last time."""
        items = self.items
        if len(indices) == len(items):
            return self
        if len(indices) < len(items) * WORTH_KEEPING:
            return Keys([items[index] for index in indices]) if indices else NO_KEYS
        last: tuple[list[int], Keys] | None = self.memo.get("pick")
        if last is not None and last[0] == indices:
            return last[1]
        picked = Keys([items[index] for index in indices])
        self.memo["pick"] = (indices, picked)
        return picked

    def dropped(self) -> "Keys":
        """Return the keys with their names marked for removal."""
        known: Keys | None = self.memo.get("dropped")
        if known is None:
            if all(key.dropped for key in self.items):
                return self
            known = self.memo["dropped"] = Keys([Key(key.name, key.labels, True) for key in self.items])
        return known

    def final(self) -> "Keys":
        """Return the keys as the query's caller sees them. Raise EvaluationError if two are then the same."""
        known: Keys | None = self.memo.get("final")
        if known is None:
            named = [Key("", undescribed(key.labels)) if key.dropped else key for key in self.items]
            known = self if all(map(_same, named, self.items)) else Keys(named)
            known.require_distinct()
            self.memo["final"] = known
        return known

    def require_distinct(self) -> None:
        if len({(key.name, key.labels) for key in self.items}) < len(self.items):
            raise EvaluationError("vector cannot contain metrics with the same labelset")


def _same(left: Key, right: Key) -> bool:
    return left is right


NO_KEYS = Keys(())


class Vector(NamedTuple):
    """An instant vector: `values[i]` belongs to `keys[i]`."""

    keys: Keys
    values: list[float]

    def pick(self, indices: list[int]) -> "Vector":
        """Return the elements at these rising positions."""
        if len(indices) == len(self.values):
            return self
        values = self.values
        return Vector(self.keys.pick(indices), [values[index] for index in indices])


EMPTY = Vector(NO_KEYS, [])


class Window(NamedTuple):
    """The samples of one series in a range: times in milliseconds, equally long values."""

    times: list[int]
    values: list[float]


class Span(Protocol):
    """Windows of series that were all sampled at the same times, still in their columns."""

    @property
    def times(self) -> list[int]: ...

    def __len__(self) -> int:
        """Return how many series there are."""

    def at(self, place: int) -> list[float]:
        """Return the value of every series at a place in the window; negative places count from its end."""

    def falls(self) -> Iterable[tuple[int, float]]:
        """Return series (by position) that fell, each time with the value they fell from."""

    def each(self, reduce: Reduce) -> list[float]:
        """Return what the function makes of each window's values."""

    def columns(self) -> Iterator[Sequence[float]]:
        """Yield each window's values."""


class Windows:
    """A range vector over the milliseconds (start, end]; no window is empty."""

    __slots__ = ("_columns", "end", "keys", "spans", "start")

    def __init__(
        self, keys: Keys, columns: list[Window] | None, start: int, end: int, *, spans: Sequence[Span] = ()
    ) -> None:
        self.keys = keys
        self.start = start
        self.end = end
        self.spans = spans
        """The same windows by columns, where all have the same times as others; else empty."""
        self._columns = columns

    def each(self, reduce: Reduce) -> list[float]:
        """Return what the function makes of each window's values."""
        if self._columns is None:
            return [result for span in self.spans for result in span.each(reduce)]
        return [reduce(values) for _, values in self._columns]

    def __iter__(self) -> Iterator[tuple[Sequence[int], Sequence[float]]]:
        """Yield each window's times and values."""
        if self._columns is None:
            return ((span.times, values) for span in self.spans for values in span.columns())
        return iter(self._columns)

    @property
    def columns(self) -> list[Window]:
        """The windows, one for each key."""
        if self._columns is None:
            self._columns = [Window(span.times, list(values)) for span in self.spans for values in span.columns()]
        return self._columns


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number at the time of the query."""

    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A string literal's value."""

    value: str


class RangeSeries(NamedTuple):
    """One series of a matrix: times in seconds."""

    key: Key
    times: list[float]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Series over time, sorted by their labels."""

    series: list[RangeSeries]


Value = Vector | Scalar | String | Matrix
