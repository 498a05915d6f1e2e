"""Values at the edge of what a number can be: no expression ends the thread that evaluates it."""

import math

import pytest

from collectors.sample import Reading, Sample, Source, labels
from rules.promql.compile import compile_query
from rules.promql.errors import EvaluationError, ExpressionError
from rules.promql.functions_math import FUNCTIONS as OF_NUMBERS
from rules.promql.functions_range import FUNCTIONS as OF_RANGES
from rules.promql.functions_time import FUNCTIONS as OF_TIMES
from rules.promql.functions_trend import FUNCTIONS as OF_TRENDS
from rules.series import SeriesStore

NOW = 1_800_000_000.0
VALUES = (math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0, -0.0, 5e-324, 1.5, 1e18, 253402300800.0, 2.0**63)
WRITTEN = ("NaN", "+Inf", "-Inf", "1e308", "-1e308", "0", "5e-324", "1e18", "-1")
FUNCTIONS = sorted({*OF_NUMBERS, *OF_TIMES, *OF_RANGES, *OF_TRENDS})
SHAPES = (
    *("{}()", "{}(m)", "{}(m, {number})", "{}(m, 1, {number})", "{}(1, {number})"),
    *("{}(m[5m])", "{}(m[5m], {number})", "{}({number}, m[5m])", "{}(m[5m], 0.5, 0.5)"),
)
OPERATORS = ("+", "-", "*", "/", "%", "^", "atan2", "== bool", "> bool")


@pytest.fixture(scope="module")
def store():
    store = SeriesStore()
    for step in range(40):
        turned = [VALUES[(step + index) % len(VALUES)] for index in range(len(VALUES))]
        samples = [Sample("m", value, labels(i=str(index))) for index, value in enumerate(turned)]
        store.append(Reading(source=Source("c"), at=NOW - 600 + 15 * step, samples=samples))
    return store


def evaluated(store, text):
    """Return how often an expression could be evaluated; whatever else than an error of its own it raises fails."""
    try:
        query = compile_query(text)
    except ExpressionError:
        return 0
    for run in (lambda: query.instant(store, NOW), lambda: query.range(store, NOW - 60, NOW, 15.0)):
        try:
            run()
        except EvaluationError:
            return 0
    return 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_every_number(store, name):
    texts = {shape.format(name, number=number) for shape in SHAPES for number in WRITTEN}
    assert sum(evaluated(store, text) for text in texts)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_takes_every_number(store, operator):
    for number in WRITTEN:
        assert evaluated(store, f"m {operator} {number}")
        assert evaluated(store, f"{number} {operator} m")


@pytest.mark.parametrize("text", ["quantile({}, m)", "topk({}, m)", "stddev(m * {})", 'count_values("x", m * {})'])
def test_every_aggregation_takes_every_number(store, text):
    for number in WRITTEN:
        evaluated(store, text.format(number))


def test_no_multiple_is_infinite_and_no_date_is_so_far_away(store):
    for text in ("round(vector(3), +Inf)", "round(vector(3), -Inf)", "year(vector(1e18))", "hour(vector(-1e300))"):
        (value,) = compile_query(text).instant(store, NOW).values
        assert math.isnan(value), text
