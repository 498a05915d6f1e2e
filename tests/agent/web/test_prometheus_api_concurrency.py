"""Queries while the engine writes: what one query sees belongs together."""

import random
import sys
import threading
import time

import pytest

from agent.web.query_view import QueryView
from collectors.sample import Reading, Sample, Source, labels
from rules.promql.compile import Query
from rules.series import SeriesStore

STABLE = 40
CHURNING = 20
SECONDS = 0.6
START = 1_800_000_000.0
LAG = f"timestamp(churn) - {START:.0f} - churn"
"""Nothing for samples of a run, half a second for an event: where times and values belong together."""


class Writer(threading.Thread):
    """Writes as the engine does: runs, events, series that come and go, old samples that are dropped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.store = SeriesStore(external=labels(job="node"), history_seconds=60.0)
        self.at = START
        self.error = None
        self._over = threading.Event()
        self._random = random.Random(1)

    def run(self):
        try:
            while not self._over.is_set():
                self.turn()
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.error = error

    def turn(self):
        """One second of the engine."""
        at = self.at + 1.0
        number = at - START
        coming = [Sample("churn", number, labels(n=str(n))) for n in range(CHURNING) if self._random.random() < 0.8]
        left = [Sample("left", number, labels(n=str(n))) for n in range(STABLE)]
        right = [Sample("right", number, labels(n=str(n))) for n in range(STABLE)]
        self.store.append(Reading(source=Source("host"), at=at, samples=(*left, *coming, *right)))
        if self._random.random() < 0.3:
            event = Sample("churn", number, labels(n=str(self._random.randrange(CHURNING))))
            self.store.append(Reading(source=Source("host"), at=at + 0.5, samples=(event,), complete=False))
        if self._random.random() < 0.1:
            self.store.drop_old(at)
        self.at = at

    def end(self):
        self._over.set()
        self.join(60)
        assert self.error is None, self.error


@pytest.fixture
def writer():
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    made = Writer()
    for _ in range(70):
        made.turn()
    made.start()
    yield made
    made.end()
    sys.setswitchinterval(switching)


def looked(writer, look):
    """Look again and again while the writer writes."""
    began, first, count = time.monotonic(), writer.at, 0
    while time.monotonic() - began < SECONDS or count < 20 or writer.at - first < 20:
        at = writer.at + 10
        try:
            look(lambda names: QueryView(writer.store, names), at)
        except AssertionError:
            if writer.at < at + 30:  # else this thread stood still, and what was asked for has been dropped since
                raise
        count += 1
        assert time.monotonic() - began < 300, (count, writer.at - first)


def instant(expression, view, at):
    query = Query(expression)
    return query.instant(view(query.metrics), at)


def ranged(expression, view, at, step):
    query = Query(expression)
    return query.range(view(query.metrics), at - 40, at, step).series


def vector(expression, view, at):
    return instant(expression, view, at).values


def test_metrics_of_one_run_are_seen_together(writer):
    def look(view, at):
        assert vector("left - on (n) right", view, at) == [0.0] * STABLE
        assert vector("max(left) - min(right)", view, at) == [0.0]

    looked(writer, look)


def test_series_that_come_and_go_are_never_torn(writer):
    def look(view, at):
        values = vector(LAG, view, at)
        assert set(values) <= {0.0, 0.5}
        assert len(vector("churn", view, at)) <= CHURNING

    looked(writer, look)


def test_windows_have_as_many_times_as_values_and_rise(writer):
    def look(view, at):
        for row in instant('{__name__=~"left|churn"}[30s]', view, at).series:
            assert len(row.times) == len(row.values)
            assert row.values == sorted(row.values)
            assert all(abs(time_ - START - value) <= 1 for time_, value in zip(row.times, row.values, strict=True))
        assert len(set(vector("count_over_time(left[20s])", view, at))) == 1

    looked(writer, look)


def test_a_long_range_query_sees_one_state_to_its_end(writer):
    def look(view, at):
        (row,) = ranged("sum(left) - sum(right)", view, at, 0.5)
        assert set(row.values) == {0.0}
        assert {value for row in ranged(LAG, view, at, 1) for value in row.values} <= {0.0, 0.5}

    looked(writer, look)


def test_labels_and_series_are_read_beside_the_writer(writer):
    def look(view, _at):
        series = view(None).select(None)
        assert sum(each.key.name == "left" for each in series) == STABLE
        assert all(each.times is None or each.times[0] <= each.times[1] for each in series)

    looked(writer, look)
