"""Selectors: which series, and which of their samples."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from operator import gt, is_, itemgetter
from typing import ClassVar, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from rules.columns import Axis, Columns, Key, is_foreign, is_stale
from rules.matchers import Matcher, Operator
from rules.promql.errors import OutOfScopeSampleError
from rules.promql.moment import Moment, Queried
from rules.promql.tree import Range, Selector
from rules.promql.values import EMPTY, NO_KEYS, Keys, Reduce, Vector, Window, Windows

NAME = "__name__"
MAX_KNOWN_FALLS = 4096
"""Places in a group's columns for which the counter resets are remembered."""


class Group:
    """Series that share an axis: one look at the times serves them all."""

    __slots__ = ("_falls", "_reduced", "axis", "columns", "first", "newest_offset", "uniform")

    def __init__(self, columns: list[Columns], first: int) -> None:
        self.axis = columns[0][0]
        self.columns = columns
        self.first = first
        """Position of the first series in the selector's keys."""
        self.newest_offset = max(offset for _, _, offset in columns)
        self.uniform = [values for _, values, _ in columns] if len({offset for _, _, offset in columns}) == 1 else None
        """The columns, where they all begin at the same time."""
        self._falls: dict[int, list[int]] = {}
        self._reduced: tuple[tuple[Reduce, int, int], list[float]] | None = None

    def index_at(self, at: int) -> int:
        """Return the place on the axis of the newest time not after `at`, -1 if there is none."""
        length, times = self.axis.length, self.axis.times
        if length and times[length - 1] <= at:
            return length - 1
        return bisect_right(times, at, 0, length) - 1

    def instant(self, at: int, oldest: int) -> tuple[list[int] | None, list[float]]:
        """Return the newest values in (oldest, at] and the positions that have one (None: all)."""
        index = self.index_at(at)
        if index < 0 or self.axis.times[index] <= oldest:
            return [], []
        if self.axis.marked:
            return self._marked_instant(index)
        if index < self.newest_offset:
            present = [place for place, (_, _, offset) in enumerate(self.columns) if offset <= index]
            return present, [self.columns[place][1][index - self.columns[place][2]] for place in present]
        if self.uniform is not None:
            return None, list(map(itemgetter(index - self.newest_offset), self.uniform))
        return None, [values[index - offset] for _, values, offset in self.columns]

    def _marked_instant(self, index: int) -> tuple[list[int] | None, list[float]]:
        value = self.columns[0][1][index - self.newest_offset]
        if is_stale(value):
            return [], []
        _refuse_foreign(value)
        return None, [value]

    def windows(self, start: int, end: int) -> "list[Window] | Slices":
        """Return the samples in (start, end] of each series; separate windows may be empty, those of slices are not."""
        times = self.axis.times
        low = bisect_right(times, start, 0, self.axis.length)
        high = bisect_right(times, end, low, self.axis.length)
        shared = times[low:high].tolist()
        if self.axis.marked:
            return [_plain(shared, self.columns[0][1][low - self.newest_offset : high - self.newest_offset])]
        if self.uniform is not None and len(self.uniform) > 1 and self.newest_offset <= low < high:
            return Slices(self, shared, low - self.newest_offset)
        return [
            Window(shared[max(0, offset - low) :], values[max(0, low - offset) : max(0, high - offset)].tolist())
            for _, values, offset in self.columns
        ]

    def falls_at(self, index: int) -> list[int]:
        """Return which series have less at this place of their columns than at the one before. Looked up once."""
        known = self._falls.get(index)
        if known is None:
            values = self.uniform or []
            fell = map(gt, map(itemgetter(index - 1), values), map(itemgetter(index), values))
            known = self._falls[index] = list(compress(range(len(values)), fell))
            if len(self._falls) > MAX_KNOWN_FALLS:
                self._falls = {index: known}
        return known

    def reduced(self, reduce: Reduce, low: int, high: int) -> list[float]:
        """Return what the function makes of this part of each column. The last one is kept: rules share windows."""
        wanted = reduce, low, high
        if self._reduced is not None and self._reduced[0] == wanted:
            return self._reduced[1]
        results = [reduce(values[low:high]) for values in self.uniform or []]
        self._reduced = (wanted, results)
        return results


class Slices(NamedTuple):
    """Windows that all begin at `low` in their columns: a `Span`."""

    group: Group
    times: list[int]
    low: int

    def __len__(self) -> int:
        return len(self.group.columns)

    def at(self, place: int) -> list[float]:
        index = self.low + (place if place >= 0 else len(self.times) + place)
        return list(map(itemgetter(index), self.group.uniform or []))

    def falls(self) -> Iterator[tuple[int, float]]:
        values = self.group.uniform or []
        for index in range(self.low + 1, self.low + len(self.times)):
            for position in self.group.falls_at(index):
                yield position, values[position][index - 1]

    def each(self, reduce: Reduce) -> list[float]:
        return self.group.reduced(reduce, self.low, self.low + len(self.times))

    def columns(self) -> Iterator[Sequence[float]]:
        low, high = self.low, self.low + len(self.times)
        return (values[low:high] for values in self.group.uniform or [])


def _plain(times: list[int], values: "array[float]") -> Window:
    """Leave out staleness markers."""
    kept = [index for index, value in enumerate(values) if not is_stale(value)]
    for index in kept:
        _refuse_foreign(values[index])
    return Window([times[index] for index in kept], [values[index] for index in kept])


def _refuse_foreign(value: float) -> None:
    if is_foreign(value):
        raise OutOfScopeSampleError("the query touches native histograms or start timestamps, which are not supported")


class Chosen:
    """The series that a selector chooses, and where in time it looks."""

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self._choice = Choice.of(selector)

    def current(self, store: Queried) -> tuple[Keys, list[Group]]:
        return self._choice.current(store)

    def newest(self, moment: Moment) -> int | None:
        """Return the time of the newest sample that the selector may use, in milliseconds."""
        at = moment.pinned(self.selector.pin)
        _, groups = self.current(moment.store)
        found = [group.axis.times[index] for group in groups if (index := group.index_at(at)) >= 0]
        return max(found, default=None)


class Choice:
    """The series with some name and labels, looked up again only when a store says that they changed.

    Selectors that mean the same series share one, whichever expressions they are in, and with it all that `Keys`
    remember.
    """

    _shared: ClassVar[WeakValueDictionary[tuple[str | None, tuple[Matcher, ...]], "Choice"]] = WeakValueDictionary()

    def __init__(self, name: str | None, matchers: tuple[Matcher, ...]) -> None:
        self._name = name
        self._accepts = accepting(matchers)
        self._current: WeakKeyDictionary[Queried, tuple[int, Keys, list[Group]]] = WeakKeyDictionary()

    @classmethod
    def of(cls, selector: Selector) -> "Choice":
        wanted = selector.name, selector.matchers
        choice = cls._shared.get(wanted)
        if choice is None:
            choice = cls._shared[wanted] = cls(*wanted)
        return choice

    def current(self, store: Queried) -> tuple[Keys, list[Group]]:
        generation = store.generation(self._name)
        known, keys, groups = self._current.get(store, (None, NO_KEYS, []))
        if known != generation:
            keys, groups = self._look_up(store, keys)
            self._current[store] = (generation, keys, groups)
        return keys, groups

    def _look_up(self, store: Queried, before: Keys) -> tuple[Keys, list[Group]]:
        together: dict[Axis, tuple[list[Columns], list[Key]]] = {}
        for series in store.select(self._name):
            if self._accepts(series.key):
                # The tuple is taken once, so that the axis and the values belong together.
                parts = series.columns
                columns, keys = together.setdefault(parts[0], ([], []))
                columns.append(parts)
                keys.append(series.key)
        groups: list[Group] = []
        every: list[Key] = []
        for columns, keys in together.values():
            groups.append(Group(columns, len(every)))
            every += keys
        # Where only the samples were moved, what is known of the labels stays true.
        same = len(every) == len(before) and all(map(is_, every, before.items))
        return before if same else Keys(every), groups


def accepting(matchers: Sequence[Matcher]) -> Callable[[Key], bool]:
    """Return the test whether a series has the labels asked for."""
    required = [(m.name, m.value) for m in matchers if m.operator is Operator.EQUAL and m.value and m.name != NAME]
    tests = [(m.name, m.accepts) for m in matchers if (m.name, m.value) not in required]

    def accepts(key: Key) -> bool:
        for pair in required:
            if pair not in key.labels:
                return False
        if not tests:
            return True
        pairs = dict(key.labels)
        pairs[NAME] = key.name
        return all(test(pairs.get(name, "")) for name, test in tests)

    return accepts


def instant(chosen: Chosen) -> Callable[[Moment], Vector]:
    """Return the evaluation of an instant selector."""
    pin = chosen.selector.pin

    def evaluate(moment: Moment) -> Vector:
        moment.check()
        keys, groups = chosen.current(moment.store)
        at = moment.pinned(pin)
        oldest = at - moment.lookback
        if len(groups) == 1:
            present, values = groups[0].instant(at, oldest)
            return Vector(keys if present is None else keys.pick(present), values)
        return _joined(keys, groups, at, oldest)

    return evaluate


def _joined(keys: Keys, groups: list[Group], at: int, oldest: int) -> Vector:
    positions: list[int] = []
    values: list[float] = []
    for group in groups:
        present, found = group.instant(at, oldest)
        first = group.first
        positions += range(first, first + len(found)) if present is None else [first + place for place in present]
        values += found
    return Vector(keys.pick(positions), values) if values else EMPTY


def sample_times(chosen: Chosen) -> Callable[[Moment], Vector]:
    """Return the evaluation of `timestamp(selector)`: when the samples were taken, in seconds."""
    pin = chosen.selector.pin

    def evaluate(moment: Moment) -> Vector:
        keys, groups = chosen.current(moment.store)
        at = moment.pinned(pin)
        positions: list[int] = []
        seconds: list[float] = []
        for group in groups:
            present, found = group.instant(at, at - moment.lookback)
            places = range(len(found)) if present is None else present
            positions += [group.first + place for place in places]
            if found:
                seconds += [group.axis.times[group.index_at(at)] / 1000] * len(found)
        return Vector(keys.pick(positions).dropped(), seconds)

    return evaluate


def ranged(node: Range, chosen: Chosen) -> Callable[[Moment], Windows]:
    """Return the evaluation of a range selector: the samples in (end - length, end]."""
    pin, length = node.selector.pin, node.length

    def evaluate(moment: Moment) -> Windows:
        moment.check()
        keys, groups = chosen.current(moment.store)
        end = moment.pinned(pin)
        start = end - length
        parts = [group.windows(start, end) for group in groups]
        spans = [part for part in parts if isinstance(part, Slices)]
        if len(spans) == len(parts):
            return Windows(keys, None, start, end, spans=spans)
        columns: list[Window] = []
        for part in parts:
            columns += [Window(part.times, list(v)) for v in part.columns()] if isinstance(part, Slices) else part
        present = [place for place, window in enumerate(columns) if window[0]]
        if len(present) < len(columns):
            columns = [columns[place] for place in present]
        return Windows(keys.pick(present), columns, start, end)

    return evaluate
