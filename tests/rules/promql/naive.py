"""The range functions once more, written for certainty and not for speed: what the real ones are compared with."""

import itertools
import math
from fractions import Fraction


def window(points, start, end):
    """The samples in (start, end]; a None is a staleness marker."""
    return [(at, value) for at, value in points if start < at <= end and value is not None]


def newest(points, at, lookback):
    """The value an instant selector finds: None if the newest sample is too old or a staleness marker."""
    found = [(time, value) for time, value in points if at - lookback < time <= at]
    return found[-1][1] if found else None


def exact_sum(values):
    return float(sum(map(Fraction, values)))


def exact_mean(values):
    return float(sum(map(Fraction, values)) / len(values))


def rise(values):
    """How far a counter rose: after a reset it counts from zero."""
    total = Fraction(0)
    for before, value in itertools.pairwise(values):
        total += Fraction(value) - (Fraction(before) if value >= before else 0)
    return total


def extrapolated(points, start, end, *, counter):
    """The change over the whole window, of which the samples show a part."""
    if len(points) < 2:
        return None
    times, values = [at for at, _ in points], [value for _, value in points]
    change = rise(values) if counter else Fraction(values[-1]) - Fraction(values[0])
    sampled = Fraction(times[-1] - times[0])
    apart = sampled / (len(points) - 1)
    head, tail = Fraction(times[0] - start), Fraction(end - times[-1])
    if head >= apart * Fraction(11, 10):
        head = apart / 2
    if tail >= apart * Fraction(11, 10):
        tail = apart / 2
    if counter and change > 0 and values[0] >= 0:
        head = min(head, sampled * Fraction(values[0]) / change)
    return float(change * (sampled + head + tail) / sampled)


def line(points, origin):
    """Slope per second and value at the origin of the least squares line."""
    xs = [Fraction(at - origin, 1000) for at, _ in points]
    ys = [Fraction(value) for _, value in points]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    slope = covariance / sum((x - x_mean) ** 2 for x in xs)
    return float(slope), float(y_mean - slope * x_mean)


def quantile(fraction, values):
    ordered = sorted(values)
    rank = fraction * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def variance(values):
    exact = list(map(Fraction, values))
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact) / len(exact))


RANGE_FUNCTIONS = {
    "sum_over_time": lambda points, *_: exact_sum([value for _, value in points]),
    "avg_over_time": lambda points, *_: exact_mean([value for _, value in points]),
    "min_over_time": lambda points, *_: min(value for _, value in points),
    "max_over_time": lambda points, *_: max(value for _, value in points),
    "count_over_time": lambda points, *_: float(len(points)),
    "last_over_time": lambda points, *_: points[-1][1],
    "stdvar_over_time": lambda points, *_: variance([value for _, value in points]),
    "changes": lambda points, *_: float(sum(a[1] != b[1] for a, b in itertools.pairwise(points))),
    "resets": lambda points, *_: float(sum(a[1] > b[1] for a, b in itertools.pairwise(points))),
    "increase": lambda points, start, end: extrapolated(points, start, end, counter=True),
    "delta": lambda points, start, end: extrapolated(points, start, end, counter=False),
    "deriv": lambda points, *_: line(points, points[0][0])[0] if len(points) > 1 else None,
    "idelta": lambda points, *_: points[-1][1] - points[-2][1] if len(points) > 1 else None,
}
