"""Functions of time: the clock of the query, and calendars in UTC."""

import calendar
import math
import time
from collections.abc import Callable
from typing import Any

from rules.columns import Key
from rules.promql.functions_math import mapped
from rules.promql.moment import Moment
from rules.promql.tree import Call
from rules.promql.values import Keys, Vector

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]

UNNAMED = Keys([Key("", ())])
"""The keys of a vector with one element that has no labels."""


def _part(choose: Callable[[time.struct_time], int]) -> Builder:
    """Build a function of the calendar date that a value, or the query's time, stands for."""

    def function(seconds: float) -> float:
        try:
            return float(choose(time.gmtime(math.floor(seconds)))) if math.isfinite(seconds) else math.nan
        except OSError:  # no calendar goes that far
            return math.nan

    map_vector = mapped(function)

    def build(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        return map_vector(node, arguments or (_now,))

    return build


def _now(moment: Moment) -> Vector:
    return Vector(UNNAMED, [moment.at / 1000])


def _number(choose: Callable[[Moment], float]) -> Builder:
    return lambda _node, _arguments: choose


FUNCTIONS: dict[str, Builder] = {
    "day_of_month": _part(lambda date: date.tm_mday),
    "day_of_week": _part(lambda date: (date.tm_wday + 1) % 7),
    "day_of_year": _part(lambda date: date.tm_yday),
    "days_in_month": _part(lambda date: calendar.monthrange(date.tm_year, date.tm_mon)[1]),
    "end": _number(lambda moment: moment.end / 1000),
    "hour": _part(lambda date: date.tm_hour),
    "minute": _part(lambda date: date.tm_min),
    "month": _part(lambda date: date.tm_mon),
    "pi": _number(lambda _moment: math.pi),
    "range": _number(lambda moment: (moment.end - moment.start) / 1000),
    "start": _number(lambda moment: moment.start / 1000),
    "step": _number(lambda moment: moment.step / 1000),
    "time": _number(lambda moment: moment.at / 1000),
    "year": _part(lambda date: date.tm_year),
}
