"""Functions of range vectors that see a trend: straight lines and smoothing."""

import math
from collections.abc import Callable, Iterator, Sequence
from operator import mul
from typing import Any

from rules.promql import sums
from rules.promql.errors import EvaluationError
from rules.promql.functions_range import with_results
from rules.promql.moment import Moment
from rules.promql.tree import Call
from rules.promql.values import Vector, Windows

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]
Line = tuple[float, float]
"""Slope per second, and value at the origin."""


class Fit:
    """Least squares lines through windows that all have these times: what depends on times alone is worked out once."""

    def __init__(self, times: Sequence[int], origin: int | None) -> None:
        """`origin`: the time (milliseconds) at which lines tell their value; None: at the first sample."""
        seconds = [(time - (times[0] if origin is None else origin)) / 1000 for time in times]
        self._mean = math.fsum(seconds) / len(seconds)
        self._centered = [second - self._mean for second in seconds]
        self._squares = math.fsum(map(mul, self._centered, self._centered))

    def line(self, values: Sequence[float], average: float) -> Line:
        """Return slope per second, and value at the origin."""
        first = values[0]
        if first == values[-1] and values.count(first) == len(values):
            return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
        if not math.isfinite(average):
            return math.nan, math.nan
        slope = sums.total(list(map(mul, self._centered, values))) / self._squares
        return slope, average - slope * self._mean


def _lines(windows: Windows, origin: int | None) -> Iterator[Line | None]:
    """Yield the line through each window, None where there is but one sample."""
    fit, fitted = None, None
    for (times, values), average in zip(windows, windows.each(sums.mean), strict=True):
        if len(values) < 2:  # noqa: PLR2004 (a line needs two)
            yield None
            continue
        if fit is None or times is not fitted:
            fit, fitted = Fit(times, origin), times
        yield fit.line(values, average)


def _deriv(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments

    def evaluate(moment: Moment) -> Vector:
        windows: Windows = argument(moment)
        return with_results(windows.keys.dropped(), [line and line[0] for line in _lines(windows, None)])

    return evaluate


def _predict_linear(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    argument, ahead_of = arguments

    def evaluate(moment: Moment) -> Vector:
        windows: Windows = argument(moment)
        ahead = ahead_of(moment)
        results = [line and line[0] * ahead + line[1] for line in _lines(windows, moment.at)]
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


FUNCTIONS: dict[str, Builder] = {
    "deriv": _deriv,
    "double_exponential_smoothing": _smoothing,
    "predict_linear": _predict_linear,
}
