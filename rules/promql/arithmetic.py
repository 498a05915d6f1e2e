"""Operators on numbers and on columns of numbers, with the float semantics of PromQL (nothing ever raises)."""

import math
import operator
from collections.abc import Callable, Iterable

Operation = Callable[[float, float], float]
Comparison = Callable[[float, float], bool]


def divide(left: float, right: float) -> float:
    try:
        return left / right
    except ZeroDivisionError:
        if not left or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: float, right: float) -> float:
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        odd = right == math.floor(right) and math.fmod(right, 2) != 0
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        if left == 0:
            odd = right == math.floor(right) and math.fmod(right, 2) != 0
            return math.copysign(math.inf, left) if odd else math.inf
        return math.nan


SAFE: dict[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
_FAST: dict[str, Operation] = {**SAFE, "/": operator.truediv, "%": math.fmod, "^": math.pow}

COMPARISONS: dict[str, Comparison] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def scalar_operation(symbol: str) -> Operation:
    """Return the operator on two numbers; comparisons give 0 or 1."""
    if symbol in COMPARISONS:
        compare = COMPARISONS[symbol]
        return lambda left, right: float(compare(left, right))
    return SAFE[symbol]


def column_operation(symbol: str) -> Callable[[Iterable[float], Iterable[float]], list[float]]:
    """Return the arithmetic operator on two columns; a `repeat` may stand for one of them."""
    fast, safe = _FAST[symbol], SAFE[symbol]
    if fast is safe:
        return lambda left, right: list(map(fast, left, right))

    def operate(left: Iterable[float], right: Iterable[float]) -> list[float]:
        try:
            return list(map(fast, left, right))
        except (ArithmeticError, ValueError):
            return list(map(safe, left, right))

    return operate
