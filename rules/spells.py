"""Series that say one thing for as long as they last: kept as spells, made samples only when somebody asks for them.

What rules tell of their alerts comes and goes by the hundred, and hardly anybody looks at it later.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, repeat
from typing import TYPE_CHECKING, NamedTuple

from collectors.sample import Labels
from rules.columns import LATE_MILLISECONDS, STALE, Axis, Key, Series, is_stale

if TYPE_CHECKING:
    from rules.sources import SourceState


class Told(NamedTuple):
    """A series by name and labels; `mark` is one more label, so that several can share the others."""

    name: str
    labels: Labels
    mark: tuple[str, str] | None = None


class Spell(NamedTuple):
    """That a series had a value from one run of its source to another. Runs are counted since the source began."""

    name: str
    labels: Labels
    mark: tuple[str, str] | None
    value: float
    first: int
    last: int


class _State(NamedTuple):
    """Everything at one moment. Replaced whole, so that readers on other threads see what belongs together."""

    times: "array[int]"
    """When the runs from number `base` to before `end` were, in milliseconds."""
    base: int
    end: int
    over: list[Spell]
    """Spells that have ended, in the order of their ends; only the first `over_count` belong to this state."""
    over_count: int
    lasting: Mapping[Told, tuple[float, int]]
    """Value and first run of what still lasts."""

    def spells(self) -> Iterator[Spell]:
        """Yield all spells; of one series in the order of time."""
        yield from islice(self.over, self.over_count)
        for told, (value, first) in self.lasting.items():
            yield Spell(*told, value, first, self.end - 1)


class Spells:
    """All that one source has told. One thread writes, any may read."""

    def __init__(self, owner: "SourceState") -> None:
        self._owner = owner
        self._state = _State(array("q"), 0, 0, [], 0, {})
        self._made: dict[str, tuple[_State, list[Series]]] = {}

    def __bool__(self) -> bool:
        return bool(self._state.over_count or self._state.lasting)

    def names(self) -> set[str]:
        return {spell.name for spell in self._state.spells()}

    def tell(self, at: int, now: Mapping[Told, float]) -> bool | None:
        """Take what holds at a time. Return whether series came or went; None if nothing was taken, it being late."""
        state = self._state
        if not now and not state.lasting:
            return False
        newest = state.times[-1] if state.times else at - 1
        if at < newest:
            if newest - at <= LATE_MILLISECONDS:
                return None
            state = _until(state, at)
        times, run = state.times, state.end - 1
        if at != newest:
            times.append(at)
            run += 1
        lasting: dict[Told, tuple[float, int]] = {}
        for told, value in now.items():
            before = state.lasting.get(told)
            lasting[told] = before if before is not None and before[0] == value else (value, run)
        for told, (value, first) in state.lasting.items():
            if first < run and lasting.get(told, (value, run))[1] == run:
                state.over.append(Spell(*told, value, first, run - 1))
        self._state = _State(times, state.base, run + 1, state.over, len(state.over), lasting)
        return lasting.keys() != state.lasting.keys()

    def series(self, name: str) -> list[Series]:
        """Return the series of this name with their samples."""
        state = self._state
        known = self._made.get(name)
        if known is None or known[0] is not state:
            known = self._made[name] = (state, list(self._make(name, state)))
        return known[1]

    def _make(self, name: str, state: _State) -> Iterator[Series]:
        runs: dict[Labels, list[Spell]] = {}
        for spell in state.spells():
            if spell.name == name:
                runs.setdefault(self._full(spell), []).append(spell)
        for labels, spells in runs.items():
            axis, values = _columns(spells, state)
            series = Series(self._owner, Key(name, labels), labels, axis, 0, shared=False)
            series.columns = (axis, values, 0)
            series.ended = spells[-1].last < state.end - 1
            yield series

    def _full(self, spell: Spell) -> Labels:
        pairs = {**dict(self._owner.external), **dict(spell.labels)}
        if spell.mark is not None:
            pairs[spell.mark[0]] = spell.mark[1]
        return tuple(sorted(pairs.items()))

    def trim(self, oldest: int) -> bool:
        """Forget what was before a time (milliseconds); return whether there was any."""
        state = self._state
        cut = bisect_left(state.times, oldest)
        if not cut:
            return False
        base = state.base + cut
        over = [spell for spell in islice(state.over, state.over_count) if spell.last >= base]
        self._state = _State(state.times[cut:], base, state.end, over, len(over), state.lasting)
        self._made.clear()
        return True

    def shift(self, milliseconds: int) -> None:
        """Move every time."""
        state = self._state
        self._state = state._replace(times=array("q", (time + milliseconds for time in state.times)))

    def adopt(self, found: Iterable[Series]) -> None:
        """Begin with the samples of series that were kept in full."""
        columns = [(series, series.columns) for series in found]
        times = array("q", sorted({time for _, (axis, _, _) in columns for time in axis.times}))
        run_at = {time: run for run, time in enumerate(times)}
        over: list[Spell] = []
        for series, (axis, values, offset) in columns:
            before: Spell | None = None
            for time, value in zip(axis.times[offset : axis.length], values, strict=False):
                run = run_at[time]
                if is_stale(value):
                    continue
                if before is not None and (before.last, before.value) == (run - 1, value):
                    over[-1] = before = before._replace(last=run)
                else:
                    before = Spell(series.key.name, series.raw_labels, None, value, run, run)
                    over.append(before)
        over.sort(key=lambda spell: spell.last)
        self._state = _State(times, 0, len(times), over, len(over), {})


def _until(state: _State, at: int) -> _State:
    """Return what was told before a time: the clock was set back."""
    kept = bisect_left(state.times, at)
    end = state.base + kept
    over = [spell._replace(last=min(spell.last, end - 1)) for spell in state.spells() if spell.first < end]
    return _State(state.times[:kept], state.base, end, over, len(over), {})


def _columns(spells: list[Spell], state: _State) -> "tuple[Axis, array[float]]":
    """Return the samples of one series: its value at each run of a spell, and an end marker at the run after."""
    times, values = array("q"), array("d")
    for spell in spells:
        first = max(spell.first - state.base, 0)
        after = spell.last + 1 - state.base
        if after <= first:
            continue
        if times and times[-1] == state.times[first]:  # it went on at once, with another value
            times.pop()
            values.pop()
        times += state.times[first:after]
        values.extend(repeat(spell.value, after - first))
        if after < state.end - state.base:
            times.append(state.times[after])
            values.append(STALE)
    return Axis(times, marked=True), values
