"""Quantiles and fractions of classic histograms (series with an `le` label)."""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NamedTuple

from collectors.sample import Labels
from rules.columns import Key
from rules.promql.aggregate import check_quantile
from rules.promql.errors import ExpressionError
from rules.promql.formatting import go_float
from rules.promql.moment import Moment
from rules.promql.tree import Call, Text
from rules.promql.values import EMPTY, Keys, Vector

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]

SMALL_DELTA = 1e-12
"""Counts that differ by less, in relation to their sum, differ by rounding only."""


class Histogram(NamedTuple):
    """Rising upper bounds, the last infinite, and how many observations lie under each."""

    bounds: list[float]
    counts: list[float]


def histograms(vector: Vector, moment: Moment) -> dict[Key, list[tuple[float, float]]]:
    """Return the buckets (bound, count) of each histogram in the vector, under the key its result will have."""
    found: dict[tuple[str, Labels], list[tuple[float, float]]] = {}
    for key, count in zip(vector.keys.items, vector.values, strict=True):
        text = dict(key.labels).get("le", "")
        bound = _bound(text)
        if bound is None:
            moment.notes.warn(
                f'bucket label "le" is missing or has a malformed value of "{text}" for metric name "{key.name}"'
            )
            continue
        rest = tuple(pair for pair in key.labels if pair[0] != "le")
        found.setdefault((key.name, rest), []).append((bound, count))
    return {Key(name, labels, True): buckets for (name, labels), buckets in found.items()}


def _bound(text: str) -> float | None:
    if not text or text != text.strip() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _ordered(buckets: list[tuple[float, float]]) -> Histogram | None:
    """Return the histogram, buckets with the same bound added up; None if it has no infinite bucket."""
    bounds: list[float] = []
    counts: list[float] = []
    for bound, count in sorted(buckets, key=lambda bucket: bucket[0]):
        if bounds and bounds[-1] == bound:
            counts[-1] += count
        else:
            bounds.append(bound)
            counts.append(count)
    return Histogram(bounds, counts) if bounds[-1] == math.inf else None


def _repaired(counts: list[float]) -> tuple[list[float], bool]:
    """Return counts that never fall, and whether more than rounding had to be undone."""
    forced = False
    before = counts[0]
    result = [before]
    for count in counts[1:]:
        if count != before and not _nearly(before, count):
            forced = forced or count < before
            before = max(before, count) if not math.isnan(count) else count
        result.append(before)
    return result, forced


def _nearly(left: float, right: float) -> bool:
    return abs(left - right) / (abs(left) + abs(right)) < SMALL_DELTA if left and right else False


def bucket_quantile(fraction: float, histogram: Histogram) -> float:
    """Return the value below which that fraction of the observations lies, on a straight line inside its bucket."""
    bounds, counts = histogram
    if len(bounds) < 2 or not counts[-1] or math.isnan(counts[-1]):  # noqa: PLR2004 (a histogram has two buckets)
        return math.nan
    rank = fraction * counts[-1]
    place = bisect_left(counts, rank, 0, len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    inside = counts[place] - below
    return start + (bounds[place] - start) * ((rank - below) / inside if inside else math.nan)


def _quantile_of(fraction: float, key: Key, buckets: list[tuple[float, float]], moment: Moment) -> float:
    if math.isnan(fraction):
        return math.nan
    if not 0 <= fraction <= 1:
        return math.copysign(math.inf, fraction)
    histogram = _ordered(buckets)
    if histogram is None:
        return math.nan
    counts, forced = _repaired(histogram.counts)
    if forced:
        moment.notes.inform(
            "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/"
            f'latest/querying/functions/#histogram_quantile) for metric name "{key.name}"'
        )
    return bucket_quantile(fraction, Histogram(histogram.bounds, counts))


def _histogram_quantile(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    fraction_of, argument = arguments

    def evaluate(moment: Moment) -> Vector:
        fraction = fraction_of(moment)
        check_quantile(fraction, moment)
        found = histograms(argument(moment), moment)
        results = [_quantile_of(fraction, key, buckets, moment) for key, buckets in found.items()]
        return Vector(Keys(list(found)), results)

    return evaluate


def _histogram_quantiles(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    """Several quantiles at once, told apart by a label."""
    label = node.arguments[1]
    if not isinstance(label, Text):
        raise ExpressionError("expected a string literal")
    argument, fractions = arguments[0], arguments[2:]

    def evaluate(moment: Moment) -> Vector:
        found = histograms(argument(moment), moment)
        keys, values = [], []
        for fraction_of in fractions:
            fraction = fraction_of(moment)
            check_quantile(fraction, moment)
            for key, buckets in found.items():
                pairs = {**dict(key.labels), label.value: go_float(fraction)}
                keys.append(key._replace(labels=tuple(sorted(pairs.items()))))
                values.append(_quantile_of(fraction, key, buckets, moment))
        return Vector(Keys(keys), values) if keys else EMPTY

    return evaluate


def bucket_fraction(low: float, high: float, histogram: Histogram) -> float:
    """Return the fraction of the observations between two values."""
    total = histogram.counts[-1]
    if not total or math.isnan(low) or math.isnan(high):
        return math.nan
    if low >= high:
        return 0.0
    return (_rank(high, histogram) - _rank(low, histogram)) / total


def _rank(value: float, histogram: Histogram) -> float:
    """Return how many observations lie under a value, on a straight line inside its bucket."""
    bounds, counts = histogram
    if value == -math.inf:
        return 0.0
    place = bisect_left(bounds, value)
    if place == len(bounds) or bounds[place] == value:
        return counts[place] if place < len(bounds) else counts[-1]
    if place == 0:
        start, below = (0.0, 0.0) if bounds[0] > 0 else (-math.inf, 0.0)
        if value <= start:
            return 0.0
        if start == -math.inf:
            return counts[0]
    else:
        start, below = bounds[place - 1], counts[place - 1]
    if bounds[place] == math.inf:
        return below
    return min(below + (counts[place] - below) * (value - start) / (bounds[place] - start), counts[-1])


def _histogram_fraction(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    low_of, high_of, argument = arguments

    def evaluate(moment: Moment) -> Vector:
        low, high = low_of(moment), high_of(moment)
        found = histograms(argument(moment), moment)
        results = []
        for buckets in found.values():
            histogram = _ordered(buckets)
            results.append(bucket_fraction(low, high, histogram) if histogram else math.nan)
        return Vector(Keys(list(found)), results)

    return evaluate


FUNCTIONS: dict[str, Builder] = {
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
}
