"""What a rule costs: microseconds per series for each shape, at several sizes, on this machine and now.

Usage: python benchmarks/rule_eval_micro.py [SIZE…]   (default 1000 10000)
"""

import random
import sys
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from collectors.sample import Reading, Sample, Source, labels
from rules.promql.compile import compile_query
from rules.series import SeriesStore

INTERVAL = 15
MINUTES = 10

SHAPES = {
    "threshold": "bench_gauge > 99",
    "threshold_none": "bench_gauge > 1000",
    "rate_5m": "rate(bench_counter_total[5m]) > 1000",
    "avg_over_time_5m": "avg_over_time(bench_gauge[5m]) > 1000",
    "max_over_time_5m": "max_over_time(bench_gauge[5m]) > 1000",
    "changes_5m": "changes(bench_gauge[5m]) > 1000",
    "predict_linear_5m": "predict_linear(bench_gauge[5m], 3600) > 1e9",
    "sum_by": "sum by (group) (bench_gauge) > 1e9",
    "ratio": "bench_gauge / bench_size > 10",
    "ratio_and": "(bench_gauge / bench_size < 10) * 100 > 49.4",
    "and": "bench_gauge > 50 and bench_size < 50",
}


def filled(size):
    """A store with `size` series of each of three metrics, and what its last append cost (seconds)."""
    store = SeriesStore(external=labels(job="bench", instance="host"))
    store.require({}, default=600.0)
    names = [labels(idx=str(index), group=str(index % 20)) for index in range(size)]
    source, noise = Source("bench"), random.Random(1)
    counters = [0.0] * size
    cost = 0.0
    for at in range(0, MINUTES * 60 + 1, INTERVAL):
        counters = [value + noise.randrange(100) for value in counters]
        samples = [Sample("bench_gauge", noise.random() * 100, name) for name in names]
        samples += [Sample("bench_counter_total", value, name) for value, name in zip(counters, names, strict=True)]
        samples += [Sample("bench_size", 100.0, name) for name in names]
        reading = Reading(source=source, at=float(at), samples=samples)
        started = time.perf_counter()
        store.append(reading)
        cost = time.perf_counter() - started
    return store, cost


def best(action, rounds=7):
    """Seconds of the quickest of several rounds; the first, which resolves labels, is not counted.

    Each round is an interval earlier than the one before: what is remembered of a window does not help.
    """
    action(float(MINUTES * 60))
    times = []
    for step in range(1, rounds + 1):
        started = time.perf_counter()
        action(float(MINUTES * 60 - step * INTERVAL))
        times.append(time.perf_counter() - started)
    return min(times)


def main():
    for size in [int(argument) for argument in sys.argv[1:]] or [1_000, 10_000]:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        store, append = filled(size)
        held = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        store, append = filled(size)
        print(f"\n{size} series of each metric; {store.sample_count} samples in {held / 2**20:.1f} MiB; ", end="")
        print(f"append {append / 3 / size * 1e9:.0f} ns a sample")
        for shape, text in SHAPES.items():
            query = compile_query(text)
            seconds = best(lambda at, query=query, store=store: query.instant(store, at))
            print(f"  {shape:20} {seconds / size * 1e6:7.3f} us/series")


if __name__ == "__main__":
    main()
