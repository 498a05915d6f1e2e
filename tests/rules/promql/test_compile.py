"""Compiled queries over a store."""

import pytest

from collectors.sample import Reading, Sample, Source, labels
from rules.promql.compile import compile_query
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
    assert query.horizon_seconds == 900.0
    assert query.range_seconds == 600.0


def test_a_selector_without_a_name_needs_every_metric():
    assert compile_query('{job="node"}').metrics is None


def test_the_newest_sample_is_that_of_the_least_fresh_selector():
    store = store_with("a", [1.0, 2.0])
    store.append(Reading(source=Source("other"), at=1100.0, samples=[Sample("b", 1.0)]))
    assert compile_query("b").newest(store, 1200.0) == 1100.0
    assert compile_query("a + b").newest(store, 1200.0) == 1015.0
    assert compile_query("missing").newest(store, 1200.0) is None
