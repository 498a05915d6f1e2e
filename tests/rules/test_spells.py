"""Series that are told and kept as spells are read like any others."""

import sys
import threading

import pytest

from collectors.sample import Reading, Sample, Source, labels
from rules.columns import is_stale
from rules.promql.compile import compile_query
from rules.series import SeriesStore
from rules.spells import Told

TELLER = Source("alerts", "rule")
DOWN = Told("ALERTS", labels(name="web"), ("alertstate", "firing"))
SINCE = Told("ALERTS_FOR_STATE", labels(name="web"))


def samples(store, name="ALERTS"):
    """Return time and value of every sample by labels; None for an end."""
    found = {}
    for series in store.select(name):
        axis, values, offset = series.columns
        pairs = zip(axis.times[offset : axis.length], values, strict=True)
        found[series.key.labels] = [(time / 1000, None if is_stale(value) else value) for time, value in pairs]
    return found


def told(*runs, store=None):
    """Return a store in which the teller told this at these seconds."""
    store = SeriesStore() if store is None else store
    for at, now in runs:
        store.tell(TELLER, at, now)
    return store


def values(store, query, at):
    return compile_query(query).instant(store, at).values


def test_what_lasts_has_a_sample_at_every_run():
    store = told((0, {DOWN: 1.0, SINCE: 0.0}), (15, {DOWN: 1.0, SINCE: 0.0}))
    assert samples(store) == {labels(alertstate="firing", name="web"): [(0, 1), (15, 1)]}
    assert samples(store, "ALERTS_FOR_STATE") == {labels(name="web"): [(0, 0), (15, 0)]}
    assert store.names() == ["ALERTS", "ALERTS_FOR_STATE"]


def test_what_is_no_longer_told_ends_at_the_next_run_and_may_come_again():
    store = told((0, {DOWN: 1.0}), (15, {}), (30, {}), (45, {DOWN: 1.0}), (60, {DOWN: 1.0}))
    (found,) = samples(store).values()
    assert found == [(0, 1), (15, None), (45, 1), (60, 1)]
    assert values(store, "ALERTS", 14) == [1]
    assert values(store, "ALERTS", 15) == []
    assert values(store, "count_over_time(ALERTS[1m])", 60) == [2]


def test_a_value_that_changes_leaves_no_gap():
    store = told((0, {SINCE: 0.0}), (15, {SINCE: 15.0}))
    assert samples(store, "ALERTS_FOR_STATE") == {labels(name="web"): [(0, 0), (15, 15)]}


def test_series_that_end_say_so():
    store = told((0, {DOWN: 1.0}))
    assert [series.ended for series in store.select("ALERTS")] == [False]
    told((15, {}), store=store)
    assert [series.ended for series in store.select("ALERTS")] == [True]


@pytest.mark.parametrize(("again", "expected"), [({}, []), ({DOWN: 1.0}, [1])])
def test_a_second_run_in_the_same_millisecond_replaces_the_first(again, expected):
    store = told((0, {DOWN: 1.0}), (15, {}), (15, again))
    assert values(store, "ALERTS", 15) == expected
    store = told((15, {DOWN: 1.0}), (15, again))
    assert values(store, "ALERTS", 15) == expected


def test_late_runs_are_left_out_and_a_clock_set_back_begins_anew_from_there():
    store = told((0, {DOWN: 1.0}), (15, {DOWN: 1.0}), (14, {}))
    assert values(store, "ALERTS", 15) == [1]
    told((5, {DOWN: 1.0}), store=store)
    (found,) = samples(store).values()
    assert found == [(0, 1), (5, 1)]


def test_old_runs_are_forgotten_and_a_spell_outlives_its_beginning():
    store = SeriesStore(history_seconds=60.0)
    other = Told("ALERTS", labels(name="db"))
    told(*((at, {DOWN: 1.0} if at else {DOWN: 1.0, other: 1.0}) for at in range(0, 200, 20)), store=store)
    store.drop_old(180)
    assert samples(store) == {labels(alertstate="firing", name="web"): [(at, 1) for at in range(120, 200, 20)]}


def test_a_metric_of_which_nothing_is_remembered_is_gone():
    store = SeriesStore(history_seconds=60.0)
    told((0, {DOWN: 1.0}), (15, {}), store=store)
    store.drop_old(300)
    assert store.names() == []
    assert store.select(None) == []


def test_generation_and_membership_follow_what_is_told():
    store = told((0, {DOWN: 1.0}))
    generation, membership = store.generation("ALERTS"), store.membership("ALERTS")
    told((15, {DOWN: 1.0}), store=store)
    assert store.generation("ALERTS") != generation
    assert store.membership("ALERTS") == membership
    told((30, {}), store=store)
    assert store.membership("ALERTS") != membership


def test_external_labels_go_onto_what_collectors_tell_but_not_onto_what_rules_do():
    store = SeriesStore(external=labels(job="node"))
    store.tell(Source("alert_state"), 0, {Told("state", labels(name="web")): 1.0})
    told((0, {Told("ALERTS", labels(name="web")): 1.0}), store=store)
    assert list(samples(store, "state")) == [labels(job="node", name="web")]
    assert list(samples(store)) == [labels(name="web")]


def test_two_that_tell_the_same_series_are_one():
    store = told((0, {DOWN: 1.0}))
    store.tell(Source("alerts", "twin"), 5, {DOWN: 1.0})
    assert len(store.select("ALERTS")) == 1


def test_a_saved_history_goes_on():
    before = told((0, {DOWN: 1.0}), (15, {}), (30, {DOWN: 1.0}), (45, {DOWN: 1.0}))
    before.require({"ALERTS": 3600.0}, 3600.0)
    store = SeriesStore()
    store.load(before.dump(900.0))
    told((60, {DOWN: 1.0}), (75, {}), store=store)
    (found,) = samples(store).values()
    assert found == [(0, 1), (15, None), (30, 1), (45, 1), (60, 1), (75, None)]


def test_a_stepped_clock_moves_what_was_told():
    store = told((0, {DOWN: 1.0}), (15, {}))
    store.shift(100)
    assert list(samples(store).values()) == [[(100, 1), (115, None)]]


def test_a_source_that_is_forgotten_takes_along_what_it_told():
    store = told((0, {DOWN: 1.0}))
    store.forget(TELLER)
    assert store.names() == []
    assert samples(store) == {}


def test_a_source_that_tells_nothing_is_well_all_the_same():
    store = SeriesStore()
    for at in range(3):
        store.tell(TELLER, at, {})
    (health,) = store.health()
    assert health.healthy
    assert health.last_success_at == 2


def test_told_and_sampled_series_of_one_name_stand_side_by_side():
    store = told((0, {DOWN: 1.0}))
    store.append(Reading(source=Source("scrape"), at=0, samples=[Sample("ALERTS", 1.0, labels(name="far"))]))
    assert values(store, "count(ALERTS)", 0) == [2]
    assert len(store.select(None)) == 2


@pytest.fixture
def hasty_threads():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_readers_see_whole_runs_while_sources_tell_and_are_forgotten():
    store = SeriesStore(history_seconds=30.0)
    done, seen, errors = threading.Event(), [], []
    everything = {Told("ALERTS", labels(x=str(x))): 1.0 for x in range(20)}

    def read():
        while not done.is_set():
            try:
                lengths = {len(found) for found in samples(store).values()}
                store.health(["ALERTS"])
                store.covers(["ALERTS"], 10.0, 100.0)
            except (KeyError, IndexError, RuntimeError, ValueError) as error:
                errors.append(error)
                return
            seen.append(lengths)

    reader = threading.Thread(target=read)
    reader.start()
    for at in range(1, 2000):
        store.tell(TELLER, at / 10, everything)
        if at % 100 == 0:
            store.drop_old(at / 10)
        if at % 300 == 0:
            store.forget(TELLER)
    done.set()
    reader.join(60)
    assert errors == []
    assert any(seen)
    assert all(len(lengths) <= 1 for lengths in seen)
