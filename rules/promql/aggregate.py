"""Aggregation operators."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

from rules.columns import Key
from rules.promql import sums
from rules.promql.errors import EvaluationError, ExpressionError, OutOfScopeError
from rules.promql.formatting import go_float, plain_float
from rules.promql.grouping import Grouper
from rules.promql.moment import Moment
from rules.promql.tree import Aggregation, Text
from rules.promql.values import EMPTY, Keys, Vector

Evaluate = Callable[[Moment], Any]
MAX_INT = 2**63 - 1


def lowest(values: Sequence[float]) -> float:
    """Return the least value that is a number; NaN if none is."""
    # Nothing compares as less than a NaN, so only one that comes first gets in the way.
    if not math.isnan(values[0]):
        return min(values)
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def highest(values: Sequence[float]) -> float:
    """Return the greatest value that is a number; NaN if none is."""
    if not math.isnan(values[0]):
        return max(values)
    return max((value for value in values if not math.isnan(value)), default=math.nan)


REDUCERS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sums.total,
    "avg": sums.mean,
    "count": lambda values: float(len(values)),
    "min": lowest,
    "max": highest,
    "group": lambda _values: 1.0,
    "stdvar": sums.variance,
    "stddev": sums.deviation,
}


def evaluation(node: Aggregation, operand: Evaluate, parameter: Evaluate | None) -> Evaluate:
    """Return the evaluation of an aggregation over its compiled operand."""
    grouper = Grouper(node.grouping)
    if node.operator in REDUCERS:
        return _reducing(REDUCERS[node.operator], grouper, operand)
    if node.operator == "count_values" and isinstance(node.parameter, Text):
        return _counting(node.parameter.value, node, operand)
    if parameter is None or node.operator not in _PARAMETRIC:
        raise OutOfScopeError(f"{node.operator} is not supported")
    return _PARAMETRIC[node.operator](grouper, operand, parameter)


def _reducing(reduce: Callable[[Sequence[float]], float], grouper: Grouper, operand: Evaluate) -> Evaluate:
    def evaluate(moment: Moment) -> Vector:
        keys, values = operand(moment)
        if not values:
            return EMPTY
        groups = grouper.groups(keys)
        if len(groups.members) == 1:
            return Vector(groups.keys, [reduce(values)])
        return Vector(groups.keys, [reduce([values[place] for place in places]) for places in groups.members])

    return evaluate


def _quantile(grouper: Grouper, operand: Evaluate, parameter: Evaluate) -> Evaluate:
    def evaluate(moment: Moment) -> Vector:
        fraction = parameter(moment)
        check_quantile(fraction, moment)
        keys, values = operand(moment)
        if not values:
            return EMPTY
        groups = grouper.groups(keys)
        results = [sums.quantile(fraction, [values[place] for place in places]) for places in groups.members]
        return Vector(groups.keys, results)

    return evaluate


def check_quantile(fraction: float, moment: Moment) -> None:
    """Note a quantile that is none."""
    if not 0 <= fraction <= 1:
        moment.notes.warn(f"quantile value should be between 0 and 1, got {go_float(fraction)}")


def _count_of(parameter: float) -> int:
    """Return how many elements are asked for. Raise EvaluationError if it is no number of elements."""
    if math.isnan(parameter):
        raise EvaluationError("Parameter value is NaN")
    if parameter >= MAX_INT:
        raise EvaluationError(f"Scalar value {go_float(parameter)} overflows int64")
    if parameter <= -MAX_INT:
        raise EvaluationError(f"Scalar value {go_float(parameter)} underflows int64")
    return int(parameter)


def _ranking(sort_key: Callable[[float], tuple[bool, float]]) -> Callable[[Grouper, Evaluate, Evaluate], Evaluate]:
    def build(grouper: Grouper, operand: Evaluate, parameter: Evaluate) -> Evaluate:
        def evaluate(moment: Moment) -> Vector:
            keys, values = operand(moment)
            count = _count_of(parameter(moment))
            if count < 1 or not values:
                return EMPTY
            chosen: list[int] = []
            for places in grouper.groups(keys).members:
                chosen += sorted(places, key=lambda place: sort_key(values[place]))[:count]
            return Vector(Keys([keys[place] for place in chosen]), [values[place] for place in chosen])

        return evaluate

    return build


def greatest_first(value: float) -> tuple[bool, float]:
    """Sort key: descending, NaN last."""
    return (math.isnan(value), -value)


def least_first(value: float) -> tuple[bool, float]:
    """Sort key: ascending, NaN last."""
    return (math.isnan(value), value)


def _limit(grouper: Grouper, operand: Evaluate, parameter: Evaluate) -> Evaluate:
    def evaluate(moment: Moment) -> Vector:
        vector: Vector = operand(moment)
        count = _count_of(parameter(moment))
        if count < 1 or not vector.values:
            return EMPTY
        chosen = [place for places in grouper.groups(vector.keys).members for place in places[:count]]
        return vector.pick(sorted(chosen))

    return evaluate


def _limit_ratio(_grouper: Grouper, operand: Evaluate, parameter: Evaluate) -> Evaluate:
    """Keep a share of the elements, chosen by their labels; of -r those that 1 - r leaves out."""

    def evaluate(moment: Moment) -> Vector:
        vector: Vector = operand(moment)
        ratio = _ratio(parameter(moment), moment)
        low, high = (0.0, ratio) if ratio >= 0 else (1.0 + ratio, 1.0)
        return vector.pick([place for place, key in enumerate(vector.keys.items) if low <= _lot(key) < high])

    return evaluate


def _ratio(parameter: float, moment: Moment) -> float:
    if math.isnan(parameter):
        raise EvaluationError("Ratio value is NaN")
    ratio = max(-1.0, min(1.0, parameter))
    if ratio != parameter:
        note = f"ratio value should be between -1 and 1, got {go_float(parameter)}, capping to {go_float(ratio)}"
        moment.notes.warn(note)
    return ratio


def _lot(key: Key) -> float:
    """Return a number in [0, 1) that only depends on the labels."""
    digest = hashlib.blake2b(repr((key.name, key.labels)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def _counting(label: str, node: Aggregation, operand: Evaluate) -> Evaluate:
    """`count_values`: one element per group and value, the value being a label."""
    if not label:
        raise ExpressionError("invalid label name ''")
    grouper = Grouper(node.grouping)

    def evaluate(moment: Moment) -> Vector:
        keys, values = operand(moment)
        counts: dict[Key, int] = {}
        if not values:
            return EMPTY
        groups = grouper.groups(keys)
        for group, places in zip(groups.keys, groups.members, strict=True):
            for place in places:
                key = _labelled(group, label, plain_float(values[place]))
                counts[key] = counts.get(key, 0) + 1
        return Vector(Keys(list(counts)), [float(count) for count in counts.values()])

    return evaluate


def _labelled(key: Key, label: str, value: str) -> Key:
    if label == "__name__":
        return Key(value, key.labels)
    return key._replace(labels=tuple(sorted({**dict(key.labels), label: value}.items())))


_PARAMETRIC: dict[str, Callable[[Grouper, Evaluate, Evaluate], Evaluate]] = {
    "quantile": _quantile,
    "topk": _ranking(greatest_first),
    "bottomk": _ranking(least_first),
    "limitk": _limit,
    "limit_ratio": _limit_ratio,
}
