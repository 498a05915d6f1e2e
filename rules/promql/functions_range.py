"""Functions of range vectors: each turns one window of samples into one number, or into none."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import gt, ne, sub
from typing import Any, NamedTuple

from rules.promql import sums
from rules.promql.aggregate import check_quantile, highest, lowest
from rules.promql.moment import Moment
from rules.promql.tree import Call
from rules.promql.values import Keys, Reduce, Span, Vector, Window, Windows

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]

EXTRAPOLATION_THRESHOLD = 1.1
"""A first sample no further from the window's edge than this many sample distances is taken to reach the edge."""


def with_results(keys: Keys, results: Sequence[float | None]) -> Vector:
    """Return the vector of the elements that have a result."""
    if None not in results:
        return Vector(keys, list(results))  # type: ignore[arg-type]
    kept = [place for place, result in enumerate(results) if result is not None]
    return Vector(keys.pick(kept), [results[place] for place in kept])  # type: ignore[misc]


# -- of the values alone


def of_values(function: Reduce, *, keeps_name: bool = False) -> Builder:
    """Build a function that always has a result and needs no times."""

    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        (argument,) = arguments

        def evaluate(moment: Moment) -> Vector:
            windows: Windows = argument(moment)
            keys = windows.keys if keeps_name else windows.keys.dropped()
            return Vector(keys, windows.each(function))

        return evaluate

    return build


def _changes(values: Sequence[float]) -> float:
    differing = sum(map(ne, values, values[1:]))
    if differing and math.isnan(sum(values)):
        # A NaN differs from every value, but from one NaN to the next nothing changes.
        differing -= sum(math.isnan(before) and math.isnan(value) for before, value in pairwise(values))
    return float(differing)


def _resets(values: Sequence[float]) -> float:
    return float(sum(map(gt, values, values[1:])))


def _deviation(values: Sequence[float]) -> float:
    """Return the median absolute deviation."""
    if any(map(math.isnan, values)):
        return math.nan
    median = sums.quantile(0.5, values)
    return sums.quantile(0.5, [abs(value - median) for value in values])


def _quantile_over_time(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    fraction_of, argument = arguments

    def evaluate(moment: Moment) -> Vector:
        fraction = fraction_of(moment)
        windows: Windows = argument(moment)
        if windows.columns:
            check_quantile(fraction, moment)
        return Vector(windows.keys.dropped(), [sums.quantile(fraction, values) for _, values in windows.columns])

    return evaluate


# -- of values and times


def of_samples(
    function: Callable[[Sequence[int], Sequence[float], Windows], float | None],
) -> Builder:
    """Build a function of one window's times and values, which may have no result."""

    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        (argument,) = arguments

        def evaluate(moment: Moment) -> Vector:
            windows: Windows = argument(moment)
            results = [function(times, values, windows) for times, values in windows.columns]
            return with_results(windows.keys.dropped(), results)

        return evaluate

    return build


_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def _extrapolated(*, counter: bool, per_second: bool) -> Builder:
    """Build `rate`, `increase` or `delta`: the change from first to last sample, stretched to the window's edges."""

    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        (argument,) = arguments

        def evaluate(moment: Moment) -> Vector:
            windows: Windows = argument(moment)
            if counter:
                _note_name(windows, moment)
            seconds = (windows.end - windows.start) / 1000 if per_second else 1.0
            if windows.spans:
                results = [
                    result for span in windows.spans for result in _span_changes(span, windows, counter, seconds)
                ]
            else:
                results = [_window_change(window, windows, counter, seconds) for window in windows.columns]
            return with_results(windows.keys.dropped(), results)

        return evaluate

    return build


def _note_name(windows: Windows, moment: Moment) -> None:
    name = windows.keys[0].name if len(windows.keys) else ""
    if name and not name.endswith(_COUNTER_SUFFIXES):
        moment.notes.inform(f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"')


class Stretch(NamedTuple):
    """How a change over `interval` seconds of samples stands for the whole window: seconds before and after it."""

    interval: float
    before: float
    after: float

    @classmethod
    def of(cls, times: list[int], windows: Windows) -> "Stretch":
        """Reach to the edges of the window if they are not too far from the samples, else half a distance out."""
        interval = (times[-1] - times[0]) / 1000
        distance = interval / (len(times) - 1)
        edges = ((times[0] - windows.start) / 1000, (windows.end - times[-1]) / 1000)
        before, after = (edge if edge < distance * EXTRAPOLATION_THRESHOLD else distance / 2 for edge in edges)
        return cls(interval, before, after)

    def factor(self, seconds: float) -> float:
        return (self.interval + self.before + self.after) / self.interval / seconds

    def factor_from_zero(self, first: float, change: float, seconds: float) -> float:
        """Return the factor for a counter, which cannot have been below zero before its first sample."""
        before = self.interval * (first / change)
        return (self.interval + before + self.after) / self.interval / seconds


def _window_change(window: Window, windows: Windows, counter: bool, seconds: float) -> float | None:  # noqa: FBT001
    times, values = window
    if len(values) < 2:  # noqa: PLR2004 (a change needs two)
        return None
    change = values[-1] - values[0]
    if counter:
        change += sum(before for before, value in pairwise(values) if value < before)
    stretch = Stretch.of(times, windows)
    if counter and change > 0 and 0 <= values[0] < change * (stretch.before / stretch.interval):
        return change * stretch.factor_from_zero(values[0], change, seconds)
    return change * stretch.factor(seconds)


def _span_changes(span: Span, windows: Windows, counter: bool, seconds: float) -> Sequence[float | None]:  # noqa: FBT001
    """Do the same for many series at once."""
    if len(span.times) < 2:  # noqa: PLR2004 (a change needs two)
        return [None] * len(span)
    firsts = span.at(0)
    changes = list(map(sub, span.at(-1), firsts))
    stretch = Stretch.of(span.times, windows)
    factor = stretch.factor(seconds)
    if not counter:
        return [change * factor for change in changes]
    for position, before in span.falls():
        changes[position] += before
    share = stretch.before / stretch.interval
    return [
        change * stretch.factor_from_zero(first, change, seconds) if 0 <= first < change * share else change * factor
        for first, change in zip(firsts, changes, strict=True)
    ]


def _instant_change(
    *, counter: bool, per_second: bool
) -> Callable[[Sequence[int], Sequence[float], Windows], float | None]:
    """Return `irate` or `idelta`: the change between the last two samples."""

    def function(times: Sequence[int], values: Sequence[float], _windows: Windows) -> float | None:
        if len(values) < 2 or times[-1] == times[-2]:  # noqa: PLR2004 (a change needs two)
            return None
        change = values[-1] if counter and values[-1] < values[-2] else values[-1] - values[-2]
        return change / ((times[-1] - times[-2]) / 1000) if per_second else change

    return function


def _time_of(choose: Callable[[Sequence[float]], float]) -> Callable[[Sequence[int], Sequence[float], Windows], float]:
    """Return when the chosen value was taken, the last time if it occurs often."""

    def function(times: Sequence[int], values: Sequence[float], _windows: Windows) -> float:
        chosen = choose(values)
        places = [place for place, value in enumerate(values) if value == chosen]
        return times[places[-1] if places else 0] / 1000

    return function


FUNCTIONS: dict[str, Builder] = {
    "avg_over_time": of_values(sums.mean),
    "changes": of_values(_changes),
    "count_over_time": of_values(lambda values: float(len(values))),
    "delta": _extrapolated(counter=False, per_second=False),
    "first_over_time": of_values(lambda values: values[0], keeps_name=True),
    "idelta": of_samples(_instant_change(counter=False, per_second=False)),
    "increase": _extrapolated(counter=True, per_second=False),
    "irate": of_samples(_instant_change(counter=True, per_second=True)),
    "last_over_time": of_values(lambda values: values[-1], keeps_name=True),
    "mad_over_time": of_values(_deviation),
    "max_over_time": of_values(highest),
    "min_over_time": of_values(lowest),
    "present_over_time": of_values(lambda _values: 1.0),
    "quantile_over_time": _quantile_over_time,
    "rate": _extrapolated(counter=True, per_second=True),
    "resets": of_values(_resets),
    "stddev_over_time": of_values(sums.deviation),
    "stdvar_over_time": of_values(sums.variance),
    "sum_over_time": of_values(sums.total),
    "ts_of_first_over_time": of_samples(lambda times, _values, _windows: times[0] / 1000),
    "ts_of_last_over_time": of_samples(lambda times, _values, _windows: times[-1] / 1000),
    "ts_of_max_over_time": of_samples(_time_of(highest)),
    "ts_of_min_over_time": of_samples(_time_of(lowest)),
}
