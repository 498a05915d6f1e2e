"""Compiled queries over a store."""

import pytest

from collectors.sample import Reading, Sample, Source, labels
from rules.promql.compile import Limits, budget, compile_query
from rules.promql.errors import ExpressionError, QueryLimitError, QueryTimeoutError
from rules.promql.values import Vector
from rules.series import SeriesStore


def store_with(name, values, *, interval=15.0, start=1000.0):
    store = SeriesStore(external=labels(job="node", instance="h"))
    for step, value in enumerate(values):
        store.append(Reading(source=Source("cpu"), at=start + step * interval, samples=[Sample(name, value)]))
    return store


def test_a_rate_is_the_change_per_second():
    store = store_with("seconds_total", [float(2 * step * 15) for step in range(40)])
    result = compile_query("rate(seconds_total[5m])").instant(store, 1585.0)
    assert isinstance(result, Vector)
    assert result.values == [pytest.approx(2.0)]
    assert result.keys[0].labels == (("instance", "h"), ("job", "node"))
    assert result.keys[0].name == ""


def test_a_query_says_which_metrics_it_needs_and_for_how_long():
    query = compile_query("rate(a[5m]) > b offset 10m")
    assert query.metrics == {"a", "b"}
    assert query.horizons == {"a": 600.0, "b": 900.0}
    assert query.range_seconds == 600.0


def test_a_selector_without_a_name_needs_every_metric():
    assert compile_query('{job="node"}').metrics is None


def test_the_newest_sample_is_that_of_the_least_fresh_selector():
    store = store_with("a", [1.0, 2.0])
    store.append(Reading(source=Source("other"), at=1100.0, samples=[Sample("b", 1.0)]))
    assert compile_query("b").newest(store, 1200.0) == 1100.0
    assert compile_query("a + b").newest(store, 1200.0) == 1015.0
    assert compile_query("missing").newest(store, 1200.0) is None


def many(count):
    store = SeriesStore()
    samples = [Sample("x", float(number), labels(i=str(number))) for number in range(count)]
    store.append(Reading(source=Source("many"), at=1000.0, samples=samples))
    return store


def test_a_result_over_the_limit_is_refused():
    limits = Limits(max_series=10)
    assert len(compile_query("x").instant(many(10), 1000.0, limits=limits).values) == 10
    with pytest.raises(QueryLimitError, match="more than 10 series"):
        compile_query("x").instant(many(11), 1000.0, limits=limits)
    with pytest.raises(QueryLimitError, match="more than 10 series"):
        compile_query("x").range(many(11), 1000.0, 1010.0, 5.0, limits=limits)
    with pytest.raises(QueryLimitError, match="more than 10 samples"):
        compile_query("x").range(many(5), 1000.0, 1010.0, 1.0, limits=Limits(max_samples=10))
    with pytest.raises(QueryLimitError, match="more than 10 series"):
        compile_query("x[5m]").instant(many(11), 1000.0, limits=limits)


def test_a_query_over_its_time_budget_ends():
    late = budget(-1.0)
    with pytest.raises(QueryTimeoutError):
        compile_query("x").instant(many(1), 1000.0, limits=late)
    with pytest.raises(QueryTimeoutError):
        compile_query("1").range(many(1), 0.0, 1000.0, 1.0, limits=late)
    with pytest.raises(QueryTimeoutError):
        compile_query("max_over_time(vector(1)[1d:1s])").instant(many(1), 1000.0, limits=budget(0.05))


@pytest.mark.parametrize(("start", "end", "step"), [(10.0, 0.0, 1.0), (0.0, 10.0, 0.0), (0.0, 1e6, 1.0)])
def test_a_senseless_grid_is_refused(start, end, step):
    with pytest.raises(QueryLimitError):
        compile_query("x").range(many(1), start, end, step)


def test_a_range_vector_has_no_range_query():
    with pytest.raises(ExpressionError, match="range vector"):
        compile_query("x[5m]").range(many(1), 0.0, 10.0, 1.0)


def test_one_query_serves_several_stores():
    query = compile_query("count(x)")
    assert query.instant(many(3), 1000.0).values == [3.0]
    assert query.instant(many(5), 1000.0).values == [5.0]


def test_label_work_is_done_once_while_the_series_stay_the_same():
    store = many(5)
    query = compile_query("x * 2")
    first = query.instant(store, 1000.0)
    assert query.instant(store, 1001.0).keys is first.keys
    store.append(Reading(source=Source("more"), at=1001.0, samples=[Sample("x", 1.0)]))
    assert query.instant(store, 1001.0).keys is not first.keys


def test_a_counter_that_falls_among_others_is_a_reset_for_itself_alone():
    store = SeriesStore()
    steady, fallen, fresh = 0.0, 500.0, 0.0
    for step in range(41):
        steady, fallen, fresh = (
            1000 + 30.0 * step,
            (500 + 10.0 * step if step < 30 else 10.0 * (step - 30)),
            15.0 * step,
        )
        samples = [
            Sample("a_total", steady, labels(i="steady")),
            Sample("a_total", fallen, labels(i="fallen")),
            Sample("a_total", fresh, labels(i="fresh")),
        ]
        store.append(Reading(source=Source("counters"), at=15.0 * step, samples=samples))
    found = {
        (text, dict(key.labels)["i"]): value
        for text in ("increase(a_total[5m])", "delta(a_total[5m])", "increase(a_total[1h])")
        for vector in [compile_query(text).instant(store, 600.0)]
        for key, value in zip(vector.keys, vector.values, strict=True)
    }
    # From 315 s to 600 s: 19 steps that stand for 20. The fall from 790 to 0 loses one step of 10.
    assert found["increase(a_total[5m])", "steady"] == pytest.approx(600.0)
    assert found["increase(a_total[5m])", "fallen"] == pytest.approx(180.0 * 20 / 19)
    assert found["delta(a_total[5m])", "fallen"] == pytest.approx((100.0 - 710.0) * 300 / 285)
    # It began at zero, so nothing came before its first sample.
    assert found["increase(a_total[1h])", "fresh"] == pytest.approx(600.0)
    assert found["increase(a_total[1h])", "steady"] == pytest.approx(1200.0 * 607.5 / 600)
