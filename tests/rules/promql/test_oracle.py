"""The store and the range functions against a naive evaluator, over random histories."""

import importlib.util
import math
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.sample import Reading, Sample, Source, labels
from rules.columns import LATE_MILLISECONDS
from rules.promql.compile import compile_query
from rules.series import SeriesStore

# Test modules are no packages: the oracle beside this file is loaded by its path.
_SPEC = importlib.util.spec_from_file_location("naive", Path(__file__).with_name("naive.py"))
naive = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(naive)

SOURCE = Source("random")
NAMES = ("x1", "x2", "x3")
LOOKBACK = 300_000
HORIZON = 120_000
"""Milliseconds the store is asked to keep."""

values = st.one_of(
    st.integers(-5, 60).map(float), st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
)
gaps = st.integers(1, 40_000)
runs = st.tuples(st.just("run"), gaps, st.dictionaries(st.sampled_from(NAMES), values))
points = st.tuples(st.just("point"), gaps, st.tuples(st.sampled_from(NAMES), values))
drops = st.tuples(st.just("drop"), st.just(0), st.none())
steps_back = st.tuples(st.just("back"), st.integers(2_001, 60_000), st.dictionaries(st.sampled_from(NAMES), values))


class Model:
    """What the store should hold, as plain lists of (milliseconds, value); a None ends a series."""

    def __init__(self):
        self.points = {name: [] for name in NAMES}

    def run(self, at, given):
        for name in NAMES:
            self.points[name] = [point for point in self.points[name] if point[0] < at]
            lives = bool(self.points[name]) and self.points[name][-1][1] is not None
            if name in given or lives:
                self.points[name].append((at, given.get(name)))

    def point(self, at, name, value):
        self.points[name].append((at, value))


def play(operations):
    """Put a history into a store and into a model; return both and the time it ended."""
    store, model, now = SeriesStore(history_seconds=HORIZON / 1000), Model(), 1_000_000
    times = set()
    for kind, gap, what in operations:
        now += -gap if kind == "back" else gap
        while kind == "back" and any(0 <= time - now <= LATE_MILLISECONDS for time in times):
            now -= LATE_MILLISECONDS  # any closer, and it is late news
        times.add(now)
        if kind == "drop":
            store.drop_old(now / 1000)
            continue
        samples = [what] if kind == "point" else what.items()
        reading = [Sample("x", value, labels(i=name)) for name, value in samples]
        store.append(Reading(source=SOURCE, at=now / 1000, samples=reading, complete=kind != "point"))
        model.point(now, *what) if kind == "point" else model.run(now, what)
    return store, model, now


def found(store, expression, at):
    vector = compile_query(expression).instant(store, at / 1000)
    return {dict(key.labels)["i"]: value for key, value in zip(vector.keys, vector.values, strict=True)}


def same(left, right):
    return left.keys() == right.keys() and all(
        math.isclose(left[key], right[key], rel_tol=1e-9, abs_tol=1e-6) for key in left
    )


@given(st.lists(st.one_of(runs, points, drops), max_size=30), st.integers(0, HORIZON // 2))
def test_selectors_find_what_was_put_in(operations, ago):
    store, model, now = play(operations)
    at = now - ago
    kept = {name: [point for point in points if point[0] > now - HORIZON] for name, points in model.points.items()}
    expected = {name: naive.newest(points, at, LOOKBACK) for name, points in kept.items()}
    expected = {name: value for name, value in expected.items() if value is not None}
    length = HORIZON - ago
    assert same(found(store, "x @ %f" % (at / 1000), now), found(store, "x", at))
    recent = found(store, f"x and on (i) count_over_time(x[{length}ms])", at)
    assert same(recent, {name: value for name, value in expected.items() if naive.window(kept[name], at - length, at)})


@given(st.lists(st.one_of(runs, points, steps_back), max_size=25))
def test_a_clock_set_back_rewrites_what_followed(operations):
    points_after_steps = [
        operation
        for place, operation in enumerate(operations)
        if operation[0] != "point" or all(before[0] != "back" for before in operations[:place])
    ]
    store, model, now = play(points_after_steps)
    far = now + 10_000_000
    expected = {name: float(len(naive.window(points, 0, far))) for name, points in model.points.items()}
    assert found(store, "count_over_time(x[100d])", far) == {name: count for name, count in expected.items() if count}


@settings(max_examples=settings.default.max_examples * 3)
@given(
    st.lists(st.one_of(runs, points, drops), min_size=1, max_size=25),
    st.integers(0, 30_000),
    st.integers(1_000, 90_000),
    st.sampled_from(sorted(naive.RANGE_FUNCTIONS)),
)
def test_range_functions_agree_with_the_naive_ones(operations, ago, length, function):
    store, model, now = play(operations)
    at = now - ago
    windows = {name: naive.window(points, at - length, at) for name, points in model.points.items()}
    compute = naive.RANGE_FUNCTIONS[function]
    expected = {name: compute(points, at - length, at) for name, points in windows.items() if points}
    expected = {name: value for name, value in expected.items() if value is not None}
    assert same(found(store, f"{function}(x[{length}ms])", at), expected)


@given(st.lists(runs, min_size=2, max_size=15), st.floats(0, 1), st.integers(0, 600))
def test_lines_and_quantiles_agree_with_the_naive_ones(operations, fraction, ahead):
    store, model, now = play(operations)
    windows = {name: naive.window(points, now - 90_000, now) for name, points in model.points.items()}
    windows = {name: points for name, points in windows.items() if points}
    expected = {name: naive.quantile(fraction, [value for _, value in points]) for name, points in windows.items()}
    assert same(found(store, f"quantile_over_time({fraction!r}, x[90s])", now), expected)
    lines = {name: naive.line(points, now) for name, points in windows.items() if len(points) > 1}
    predicted = {name: slope * ahead + value for name, (slope, value) in lines.items()}
    assert same(found(store, f"predict_linear(x[90s], {ahead})", now), predicted)


@given(st.lists(st.one_of(runs, points), min_size=1, max_size=20), st.integers(1, 40))
def test_a_range_query_is_instant_queries_in_a_row(operations, step):
    store, _, now = play(operations)
    query = compile_query("x > 0 or sum_over_time(x[40s])")
    start = now // 1000 - 5 * step
    matrix = query.range(store, start, start + 5 * step, step)
    rows = {row.key: dict(zip(row.times, row.values, strict=True)) for row in matrix.series}
    for at in range(start, start + 5 * step + 1, step):
        vector = query.instant(store, at)
        expected = dict(zip(vector.keys, vector.values, strict=True))
        assert {key: row[at] for key, row in rows.items() if at in row} == expected
