"""Functions of range vectors: each turns one window of samples into one number, or into none."""

import math
from collections.abc import Callable, Sequence
from operator import gt, mul
from typing import Any

from rules.promql import sums
from rules.promql.aggregate import check_quantile, highest, lowest
from rules.promql.errors import EvaluationError
from rules.promql.moment import Moment
from rules.promql.tree import Call
from rules.promql.values import Keys, Vector, Windows

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]

EXTRAPOLATION_THRESHOLD = 1.1
"""A first sample no further from the window's edge than this many sample distances is taken to reach the edge."""


def with_results(keys: Keys, results: list[float | None]) -> Vector:
    """Return the vector of the elements that have a result."""
    if None not in results:
        return Vector(keys, results)  # type: ignore[arg-type]
    kept = [place for place, result in enumerate(results) if result is not None]
    return Vector(keys.pick(kept), [results[place] for place in kept])  # type: ignore[misc]


# -- of the values alone


def of_values(function: Callable[[Sequence[float]], float], *, keeps_name: bool = False) -> Builder:
    """Build a function that always has a result and needs no times."""

    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        (argument,) = arguments

        def evaluate(moment: Moment) -> Vector:
            windows: Windows = argument(moment)
            keys = windows.keys if keeps_name else windows.keys.dropped()
            return Vector(keys, [function(values) for _, values in windows.columns])

        return evaluate

    return build


def _changes(values: Sequence[float]) -> float:
    changes = 0
    before = values[0]
    for value in values:
        if value != before and not (math.isnan(value) and math.isnan(before)):
            changes += 1
        before = value
    return float(changes)


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


def _of_counters(function: Callable[[Sequence[int], Sequence[float], Windows], float | None]) -> Builder:
    """Build a function of counters, which remarks on a name that is no counter's."""
    build_plain = of_samples(function)

    def build(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        def noting(moment: Moment) -> Windows:
            windows: Windows = arguments[0](moment)
            name = windows.keys[0].name if windows.columns else ""
            if name and not name.endswith(_COUNTER_SUFFIXES):
                moment.notes.inform(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + f'"{name}"'
                )
            return windows

        return build_plain(node, (noting,))

    return build


def _extrapolated(
    *, counter: bool, per_second: bool
) -> Callable[[Sequence[int], Sequence[float], Windows], float | None]:
    """Return `rate`, `increase` or `delta`: the change between the first and last sample, stretched to the window."""

    def function(times: Sequence[int], values: Sequence[float], windows: Windows) -> float | None:
        if len(values) < 2:  # noqa: PLR2004 (a change needs two)
            return None
        change = values[-1] - values[0]
        if counter and (resets := _lost_to_resets(values)):
            change += resets
        interval = (times[-1] - times[0]) / 1000
        covered = _covered(
            times, windows, interval, zero_after=_zero_distance(values[0], change, interval) if counter else math.inf
        )
        factor = covered / interval
        if per_second:
            factor /= (windows.end - windows.start) / 1000
        return change * factor

    return function


def _lost_to_resets(values: Sequence[float]) -> float:
    """Return what the counter had reached each time it fell back."""
    following = iter(values)
    next(following)
    if True not in map(gt, values, following):
        return 0.0
    lost = 0.0
    before = values[0]
    for value in values:
        if value < before:
            lost += before
        before = value
    return lost


def _zero_distance(first: float, change: float, interval: float) -> float:
    """Return how many seconds before its first sample a counter must have been at zero; it cannot have been lower."""
    if change > 0 and first >= 0:
        return interval * (first / change)
    return math.inf


def _covered(times: Sequence[int], windows: Windows, interval: float, *, zero_after: float) -> float:
    """Return the seconds that the samples are taken to stand for: up to the edges, if those are not too far."""
    distance = interval / (len(times) - 1)
    threshold = distance * EXTRAPOLATION_THRESHOLD
    to_start = (times[0] - windows.start) / 1000
    to_end = (windows.end - times[-1]) / 1000
    if to_start >= threshold:
        to_start = distance / 2
    if to_end >= threshold:
        to_end = distance / 2
    return interval + min(to_start, zero_after) + to_end


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


# -- straight lines


class Fit:
    """Least squares lines through windows that mostly share their times: what depends on times alone is kept."""

    def __init__(self, origin: int | None) -> None:
        self._origin = origin
        self._times: Sequence[int] | None = None
        self._seconds: list[float] = []
        self._sum = self._squares = 0.0

    def line(self, times: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
        """Return slope per second, and value at the origin (None: the first sample)."""
        first = values[0]
        if all(value == first for value in values):
            return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
        if times is not self._times:
            self._take(times)
        count = len(values)
        total = sums.total(values)
        products = sums.total(list(map(mul, self._seconds, values)))
        covariance = products - self._sum * total / count
        slope = covariance / (self._squares - self._sum * self._sum / count)
        return slope, total / count - slope * self._sum / count

    def _take(self, times: Sequence[int]) -> None:
        origin = times[0] if self._origin is None else self._origin
        self._times = times
        self._seconds = [(time - origin) / 1000 for time in times]
        self._sum = sums.total(self._seconds)
        self._squares = sums.total(list(map(mul, self._seconds, self._seconds)))


def _deriv(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments

    def evaluate(moment: Moment) -> Vector:
        windows: Windows = argument(moment)
        fit = Fit(None)
        results = [fit.line(times, values)[0] if len(values) > 1 else None for times, values in windows.columns]
        return with_results(windows.keys.dropped(), results)

    return evaluate


def _predict_linear(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    argument, ahead_of = arguments

    def evaluate(moment: Moment) -> Vector:
        windows: Windows = argument(moment)
        ahead = ahead_of(moment)
        fit = Fit(moment.at)
        results: list[float | None] = []
        for times, values in windows.columns:
            if len(values) > 1:
                slope, value = fit.line(times, values)
                results.append(slope * ahead + value)
            else:
                results.append(None)
        return with_results(windows.keys.dropped(), results)

    return evaluate


def _smoothing(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    """`double_exponential_smoothing`: level and trend, each a moving mean."""
    argument, level_of, trend_of = arguments

    def evaluate(moment: Moment) -> Vector:
        windows: Windows = argument(moment)
        level, trend = level_of(moment), trend_of(moment)
        for name, factor in (("smoothing", level), ("trend", trend)):
            if not 0 < factor < 1:
                raise EvaluationError(f"invalid {name} factor. Expected: 0 < {name[0]}f < 1, got: {factor}")
        results = [_smoothed(values, level, trend) if len(values) > 1 else None for _, values in windows.columns]
        return with_results(windows.keys.dropped(), results)

    return evaluate


def _smoothed(values: Sequence[float], level_factor: float, trend_factor: float) -> float:
    level = earlier = values[0]
    trend = values[1] - values[0]
    for place, value in enumerate(values[1:], 1):
        before = level
        if place > 1:
            trend = trend_factor * (level - earlier) + (1 - trend_factor) * trend
        earlier = before
        level = level_factor * value + (1 - level_factor) * (level + trend)
    return level


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
    "delta": of_samples(_extrapolated(counter=False, per_second=False)),
    "deriv": _deriv,
    "double_exponential_smoothing": _smoothing,
    "first_over_time": of_values(lambda values: values[0], keeps_name=True),
    "idelta": of_samples(_instant_change(counter=False, per_second=False)),
    "increase": _of_counters(_extrapolated(counter=True, per_second=False)),
    "irate": of_samples(_instant_change(counter=True, per_second=True)),
    "last_over_time": of_values(lambda values: values[-1], keeps_name=True),
    "mad_over_time": of_values(_deviation),
    "max_over_time": of_values(highest),
    "min_over_time": of_values(lowest),
    "predict_linear": _predict_linear,
    "present_over_time": of_values(lambda _values: 1.0),
    "quantile_over_time": _quantile_over_time,
    "rate": _of_counters(_extrapolated(counter=True, per_second=True)),
    "resets": of_values(_resets),
    "stddev_over_time": of_values(sums.deviation),
    "stdvar_over_time": of_values(sums.variance),
    "sum_over_time": of_values(sums.total),
    "ts_of_first_over_time": of_samples(lambda times, _values, _windows: times[0] / 1000),
    "ts_of_last_over_time": of_samples(lambda times, _values, _windows: times[-1] / 1000),
    "ts_of_max_over_time": of_samples(_time_of(highest)),
    "ts_of_min_over_time": of_samples(_time_of(lowest)),
}
