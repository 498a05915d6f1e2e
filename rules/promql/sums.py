"""Sums that keep the digits: compensated after Kahan and Neumaier, as Prometheus computes them."""

import math
from collections.abc import Sequence

CLOSE = 1e-9
"""Where a plain sum is off by no more than this, any careful summation gives the same digits."""


def added(term: float, total: float, lost: float) -> tuple[float, float]:
    """Return the total with `term` added, and the digits lost so far."""
    result = total + term
    if math.isinf(result):
        return result, 0.0
    if abs(total) >= abs(term):
        return result, lost + ((total - result) + term)
    return result, lost + ((term - result) + total)


def total(values: Sequence[float]) -> float:
    """Return the sum of the values."""
    quick = _exact(values)
    return quick if quick is not None else _compensated(values)


def _exact(values: Sequence[float]) -> float | None:
    """Return the sum where exact and compensated summation agree, else None.

    They part when huge terms cancel: compensation then loses the small ones, and results must match Prometheus there.
    """
    if not values:
        return 0.0
    try:
        result = math.fsum(values)
    except (OverflowError, ValueError):
        return None
    # Where even a plain sum comes close, nothing has cancelled. NaN and infinite results fail this test too.
    return result if abs(result - sum(values)) <= abs(result) * CLOSE else None


def _compensated(values: Sequence[float]) -> float:
    result = lost = 0.0
    for value in values:
        result, lost = added(value, result, lost)
    return result if math.isinf(result) else result + lost


def mean(values: Sequence[float]) -> float:
    """Return the average; where the sum would overflow, by moving the mean along."""
    quick = _exact(values)
    return quick / len(values) if quick is not None else _compensated_mean(values)


def _compensated_mean(values: Sequence[float]) -> float:
    result, lost = values[0], 0.0
    for count, value in enumerate(values[1:], 2):
        following = added(value, result, lost)
        if math.isinf(following[0]):
            return _moving_mean(values, count, result / (count - 1), lost / (count - 1))
        result, lost = following
    return result / len(values) + lost / len(values)


def _moving_mean(values: Sequence[float], first: int, average: float, lost: float) -> float:
    """Return the average given that of the values before number `first`."""
    for count, value in enumerate(values[first - 1 :], first):
        kept = (count - 1) / count
        average, lost = added(value / count, kept * average, kept * lost)
    return average + lost


def variance(values: Sequence[float]) -> float:
    """Return the population variance."""
    average = average_lost = squares = squares_lost = 0.0
    for count, value in enumerate(values, 1):
        delta = value - (average + average_lost)
        average, average_lost = added(delta / count, average, average_lost)
        squares, squares_lost = added(delta * (value - (average + average_lost)), squares, squares_lost)
    return (squares + squares_lost) / len(values)


def deviation(values: Sequence[float]) -> float:
    """Return the population standard deviation."""
    square = variance(values)
    return square if math.isnan(square) else math.sqrt(max(0.0, square))


def quantile(fraction: float, values: Sequence[float]) -> float:
    """Return the quantile, between two values by their distance; NaN sorts first."""
    if not values or math.isnan(fraction):
        return math.nan
    if fraction < 0 or fraction > 1:
        return math.copysign(math.inf, fraction)
    ordered = sorted(values, key=nan_first)
    rank = fraction * (len(ordered) - 1)
    lower = max(0, math.floor(rank))
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - math.floor(rank)
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def nan_first(value: float) -> tuple[bool, float]:
    """Sort key: NaN before every number."""
    return (value == value, value)  # noqa: PLR0124 (NaN)
