"""Functions that map each value of a vector by itself, and functions of numbers."""

import math
from collections.abc import Callable
from typing import Any

from rules.promql.moment import Moment
from rules.promql.tree import Call
from rules.promql.values import EMPTY, Vector

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]


def mapped(function: Callable[[float], float]) -> Builder:
    """Build a function of each value; where it is not defined the result is NaN."""

    def safe(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return math.nan

    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        (argument,) = arguments

        def evaluate(moment: Moment) -> Vector:
            keys, values = argument(moment)
            return Vector(keys.dropped(), list(map(safe, values)))

        return evaluate

    return build


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    """Round finite values; infinite ones are whole already."""
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _hyperbolic(function: Callable[[float], float], *, odd: bool) -> Callable[[float], float]:
    def safe(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return math.copysign(math.inf, value) if odd else math.inf

    return safe


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: function(value) if value else -math.inf


def _atanh(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) == 1 else math.atanh(value)


def _sign(value: float) -> float:
    if value > 0:
        return 1.0
    return -1.0 if value < 0 else value


def _larger(left: float, right: float) -> float:
    """Return the larger number: infinity is larger than NaN, and NaN than any other."""
    if math.inf in (left, right):
        return math.inf
    return math.nan if math.isnan(left) or math.isnan(right) else max(left, right)


def _smaller(left: float, right: float) -> float:
    return -_larger(-left, -right)


def _clamp(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    argument, lowest, highest = arguments

    def evaluate(moment: Moment) -> Vector:
        low, high = lowest(moment), highest(moment)
        if low > high:
            return EMPTY
        keys, values = argument(moment)
        return Vector(keys.dropped(), [_larger(low, _smaller(high, value)) for value in values])

    return evaluate


def _clamp_to(choose: Callable[[float, float], float]) -> Builder:
    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        argument, limit = arguments

        def evaluate(moment: Moment) -> Vector:
            keys, values = argument(moment)
            bound = limit(moment)
            return Vector(keys.dropped(), [choose(bound, value) for value in values])

        return evaluate

    return build


def _round(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    """Round to the nearest multiple, halves up."""
    argument = arguments[0]
    multiple_of = arguments[1] if len(arguments) > 1 else lambda _moment: 1.0

    def evaluate(moment: Moment) -> Vector:
        keys, values = argument(moment)
        multiple = multiple_of(moment)
        # Divided by the inverse, as 0.1 itself has none exactly.
        inverse = 1.0 / multiple if multiple else math.inf
        return Vector(keys.dropped(), [_rounded(value, inverse) for value in values])

    return evaluate


def _rounded(value: float, inverse: float) -> float:
    if not inverse:
        return math.nan
    scaled = value * inverse + 0.5
    return (math.floor(scaled) if math.isfinite(scaled) else scaled) / inverse


def _of_numbers(choose: Callable[[float, float], float]) -> Builder:
    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        left, right = arguments

        def evaluate(moment: Moment) -> float:
            first, second = left(moment), right(moment)
            return math.nan if math.isnan(first) or math.isnan(second) else choose(first, second)

        return evaluate

    return build


FUNCTIONS: dict[str, Builder] = {
    "abs": mapped(abs),
    "acos": mapped(math.acos),
    "acosh": mapped(math.acosh),
    "asin": mapped(math.asin),
    "asinh": mapped(math.asinh),
    "atan": mapped(math.atan),
    "atanh": mapped(_atanh),
    "ceil": mapped(_whole(math.ceil)),
    "clamp": _clamp,
    "clamp_max": _clamp_to(_smaller),
    "clamp_min": _clamp_to(_larger),
    "cos": mapped(math.cos),
    "cosh": mapped(_hyperbolic(math.cosh, odd=False)),
    "deg": mapped(math.degrees),
    "exp": mapped(_exp),
    "floor": mapped(_whole(math.floor)),
    "ln": mapped(_logarithm(math.log)),
    "log10": mapped(_logarithm(math.log10)),
    "log2": mapped(_logarithm(math.log2)),
    "max_of": _of_numbers(max),
    "min_of": _of_numbers(min),
    "rad": mapped(math.radians),
    "round": _round,
    "sgn": mapped(_sign),
    "sin": mapped(math.sin),
    "sinh": mapped(_hyperbolic(math.sinh, odd=True)),
    "sqrt": mapped(math.sqrt),
    "tan": mapped(math.tan),
    "tanh": mapped(math.tanh),
}
