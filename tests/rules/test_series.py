"""The series store."""

import threading

import pytest

from collectors.sample import Failure, Origin, Reading, Sample, Source, labels
from rules.columns import is_stale
from rules.history import HistoryError
from rules.promql.compile import compile_query
from rules.series import Room, SeriesStore

CPU = Source("cpu")
UNITS = Source("units")


def reading(at, *samples, source=CPU, complete=True):
    return Reading(source=source, at=at, samples=samples, complete=complete)


def value(store, expression, at):
    """Return the only value of an expression, None if it has no element."""
    vector = compile_query(expression).instant(store, at)
    assert len(vector.values) < 2
    return vector.values[0] if vector.values else None


def test_append_names_the_metrics_it_touched():
    store = SeriesStore()
    assert store.append(reading(1.0, Sample("a", 1.0), Sample("b", 2.0, labels(x="1")))) == {"a", "b"}
    assert store.append(reading(2.0, Sample("a", 1.0), Sample("b", 2.0, labels(x="1")))) == {"a", "b"}
    assert store.append(reading(3.0, Sample("a", 1.0))) == {"a", "b"}, "b ended, so rules over b must look"
    assert store.append(reading(4.0, Sample("a", 1.0))) == {"a"}


def test_external_labels_are_added_but_never_replace():
    store = SeriesStore(external=labels(job="node", instance="h"))
    store.append(reading(1.0, Sample("a", 1.0, labels(job="other", zone="z"))))
    (series,) = store.select("a")
    assert series.key.labels == (("instance", "h"), ("job", "other"), ("zone", "z"))


def test_a_complete_reading_ends_the_series_it_no_longer_carries():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0), Sample("b", 2.0)))
    store.append(reading(2.0, Sample("a", 1.0)))
    assert value(store, "a", 2.0) == 1.0
    assert value(store, "b", 1.5) == 2.0
    assert value(store, "b", 2.0) is None


def test_a_series_that_comes_back_is_the_same_series():
    store = SeriesStore()
    for at, samples in ((1.0, ["a", "b"]), (2.0, ["a"]), (3.0, ["a", "b"])):
        store.append(reading(at, *(Sample(name, at) for name in samples)))
    assert value(store, "b", 3.0) == 3.0
    assert value(store, "count_over_time(b[10s])", 3.0) == 2.0
    assert store.series_count == 2


def test_an_incomplete_reading_ends_nothing():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0), Sample("b", 2.0)))
    store.append(reading(2.0, Sample("b", 3.0), complete=False))
    assert value(store, "a", 2.0) == 1.0
    assert value(store, "b", 2.0) == 3.0


def test_events_and_runs_of_one_source_mix():
    store = SeriesStore()
    for at in range(0, 60, 15):
        store.append(reading(float(at), Sample("a", 1.0), Sample("b", float(at))))
        store.append(reading(at + 5.5, Sample("b", at + 0.5), complete=False))
    assert value(store, "count_over_time(b[1h])", 100.0) == 8.0
    assert value(store, "count_over_time(a[1h])", 100.0) == 4.0
    assert value(store, "b", 50.4) == 45.0
    assert value(store, "b", 50.5) == 45.5


def test_a_failed_run_ends_no_series():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0)))
    store.fail(Failure(source=CPU, at=2.0, reason="timed out"))
    assert value(store, "a", 3.0) == 1.0
    (health,) = store.health({"a"})
    assert (health.last_success_at, health.last_failure_at, health.reason) == (1.0, 2.0, "timed out")
    assert not health.healthy


def test_a_success_clears_the_reason_of_a_failure():
    store = SeriesStore()
    store.fail(Failure(source=CPU, at=2.0, reason="timed out"))
    store.append(reading(3.0, Sample("a", 1.0)))
    (health,) = store.health(None)
    assert health.healthy
    assert health.last_failure_at == 2.0


def test_health_is_that_of_the_sources_that_own_or_owned_the_metrics():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0)))
    store.append(reading(1.0, Sample("b", 1.0), source=UNITS))
    store.append(reading(2.0, source=UNITS))
    assert [health.source for health in store.health({"a"})] == [CPU]
    assert [health.source for health in store.health({"b"})] == [UNITS]
    assert store.health({"missing"}) == []
    assert len(store.health(None)) == 2


def test_a_declared_source_has_health_before_its_first_success():
    store = SeriesStore()
    store.declare(UNITS, ["node_systemd_unit_state"], Origin.LOCAL)
    (health,) = store.health({"node_systemd_unit_state"})
    assert health.last_success_at is None
    assert not health.healthy


def test_a_series_belongs_to_one_source_until_it_ends():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0)))
    store.append(reading(2.0, Sample("a", 2.0), source=UNITS))
    assert value(store, "a", 2.0) == 1.0
    assert store.conflicting_samples == 1
    store.append(reading(3.0))
    store.append(reading(4.0, Sample("a", 4.0), source=UNITS))
    assert value(store, "a", 4.0) == 4.0
    store.append(reading(5.0))
    assert value(store, "a", 5.0) == 4.0, "it is no longer the first source's to end"


def test_series_over_the_cap_are_refused_and_counted():
    store = SeriesStore(room=Room(all=2))
    store.append(reading(1.0, *(Sample("a", float(x), labels(x=str(x))) for x in range(5))))
    assert store.series_count == 2
    assert sum(store.refused.values()) == 3
    store.append(reading(2.0, *(Sample("a", float(x), labels(x=str(x))) for x in range(5))))
    assert store.series_count == 2
    assert value(store, "count(a)", 2.0) == 2.0


def crowd(target, count, start=0, collector="mqtt"):
    samples = [Sample("m", 1.0, (("n", f"{target}{number}"),)) for number in range(start, start + count)]
    return Reading(source=Source(collector, target), at=1000.0 + start, samples=samples, complete=False)


def test_a_source_that_has_its_most_series_gets_no_more_and_others_go_on():
    store = SeriesStore(room=Room(source=10))
    store.append(crowd("a", 50))
    store.append(crowd("b", 5))
    store.append(crowd("a", 10))
    assert (store.series_count, store.refused) == (15, {"mqtt": 40})


def test_a_collector_that_has_its_most_series_gets_no_more_and_its_new_sources_are_not_remembered():
    store = SeriesStore(room=Room(collector=10))
    for number in range(100):
        store.append(crowd(str(number), 2))
    store.append(crowd("host", 5, collector="cpu"))
    assert (store.series_count, store.refused) == (15, {"mqtt": 190})
    assert len(store.health()) == 6


def test_room_that_was_freed_is_given_again():
    store = SeriesStore(history_seconds=60.0, room=Room(source=10, collector=10))
    store.append(crowd("a", 10))
    store.drop_old(5000.0)
    assert store.series_count == 0
    store.append(crowd("a", 10, start=4000))
    assert (store.series_count, store.refused) == (10, {})


def test_a_series_that_another_source_takes_over_counts_for_that_one():
    store = SeriesStore(room=Room(collector=1))
    sample = [Sample("m", 1.0)]
    for at, collector in enumerate(("one", "two"), 1000):
        store.append(Reading(source=Source(collector), at=float(at), samples=sample))
        store.append(Reading(source=Source(collector), at=at + 0.5, samples=[]))
    store.append(crowd("x", 1, start=10, collector="one"))
    assert (store.series_count, store.refused) == (2, {})


def test_the_first_sample_of_a_series_that_was_another_sources_counts():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0), source=Source("one")))
    store.append(reading(2.0, source=Source("one")))
    store.append(reading(3.0, Sample("a", 3.0), source=Source("two")))
    assert value(store, "a", 3.0) == 3.0
    assert store.late_samples == 0


def test_a_sample_given_twice_in_one_reading_counts_once():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0), Sample("a", 2.0)))
    store.append(reading(2.0, Sample("a", 3.0), Sample("a", 4.0)))
    assert value(store, "a", 2.0) == 3.0
    assert value(store, "count_over_time(a[1m])", 2.0) == 2.0
    assert store.late_samples == 2


def test_late_news_is_left_out_and_a_clock_set_back_is_followed():
    store = SeriesStore()
    for at in (100.0, 115.0, 130.0):
        store.append(reading(at, Sample("a", at)))
    store.append(reading(129.0, Sample("a", 0.0)))
    assert value(store, "a", 130.0) == 130.0
    store.append(reading(110.0, Sample("a", 7.0)))
    assert value(store, "a", 110.0) == 7.0
    assert value(store, "count_over_time(a[1h])", 200.0) == 2.0


def test_a_run_that_repeats_a_millisecond_replaces_the_first():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0)))
    store.append(reading(1.0001, Sample("a", 2.0)))
    assert value(store, "a", 1.0) == 2.0
    assert value(store, "count_over_time(a[1m])", 1.0) == 1.0


def test_old_samples_go_when_no_rule_needs_them():
    store = SeriesStore()
    store.require({"long": 3600.0}, default=300.0)
    for at in range(0, 7200, 15):
        store.append(reading(float(at), Sample("long", 1.0), Sample("short", 1.0)))
        store.drop_old(float(at))
    assert value(store, "count_over_time(long[3600s])", 7185.0) == 240.0
    assert value(store, "count_over_time(short[300s])", 7185.0) == 20.0
    kept = {series.key.name: len(series) for series in store.select(None)}
    assert kept["long"] <= 240 * 1.35
    assert kept["short"] <= 20 * 1.2


def test_membership_changes_when_series_come_end_revive_and_go_and_not_when_samples_are_cut():
    store = SeriesStore(history_seconds=60.0)
    seen = [store.membership("a")]

    def changed():
        seen.append(store.membership("a"))
        return seen[-1] != seen[-2]

    both = Sample("a", 1.0), Sample("a", 2.0, labels(x="1"))
    for at, samples, change in [(0.0, both, True), (5.0, both, False), (10.0, both[:1], True), (15.0, both, True)]:
        store.append(reading(at, *samples))
        assert changed() is change
    generation = store.generation("a")
    store.append(reading(70.0, *both))
    store.drop_old(90.0)
    assert store.generation("a") != generation
    assert not changed()
    store.drop_old(300.0)
    assert changed()
    assert store.membership(None) >= store.membership("a")


def test_a_series_with_nothing_left_is_forgotten():
    store = SeriesStore(history_seconds=60.0)
    store.append(reading(0.0, Sample("a", 1.0), Sample("b", 1.0)))
    store.append(reading(15.0, Sample("a", 1.0)))
    store.append(reading(100.0, Sample("a", 1.0)))
    store.drop_old(100.0)
    assert store.names() == ["a"]
    assert store.series_count == 1
    assert [health.source for health in store.health({"b"})] == [CPU], "who owned it is still known"


def test_a_series_goes_back_to_shared_times_once_its_own_are_old():
    store = SeriesStore(history_seconds=60.0)
    store.append(reading(0.0, Sample("a", 1.0)))
    store.append(reading(7.0, Sample("a", 2.0), complete=False))
    assert not store.select("a")[0].shared
    for at in range(15, 200, 15):
        store.append(reading(float(at), Sample("a", 1.0)))
        store.drop_old(float(at))
    assert store.select("a")[0].shared
    assert value(store, "count_over_time(a[60s])", 195.0) == 4.0


def test_a_metric_is_covered_when_its_sources_have_been_heard_long_enough():
    store = SeriesStore()
    assert not store.covers({"a"}, 60.0, 100.0)
    for at in range(100, 200, 10):
        store.append(reading(float(at), Sample("a", 1.0)))
    assert store.covers({"a"}, 60.0, 160.0)
    assert not store.covers({"a"}, 60.0, 159.0)
    assert store.covers({"never_seen"}, 60.0, 160.0), "what no source yields counts from the first reading"
    assert store.covers(None, 60.0, 160.0)
    store.append(reading(190.0, Sample("b", 1.0), source=UNITS))
    assert not store.covers({"a", "b"}, 60.0, 200.0)


def test_long_history_survives_a_restart():
    before = SeriesStore(external=labels(job="node"))
    before.require({"long": 86400.0, "short": 300.0}, default=60.0)
    for at in range(0, 600, 15):
        before.append(reading(float(at), Sample("long", float(at), labels(x="1")), Sample("short", 1.0)))
    saved = before.dump(900.0)

    store = SeriesStore(external=labels(job="node"))
    assert store.load(saved) == 1
    store.append(reading(615.0, Sample("long", 615.0, labels(x="1")), Sample("short", 1.0)))
    assert value(store, "count_over_time(long[1h])", 620.0) == 41.0
    assert value(store, "count_over_time(short[1h])", 620.0) == 1.0
    assert store.series_count == 2
    assert store.covers({"long"}, 500.0, 620.0)
    assert not store.covers({"short"}, 500.0, 620.0)


def test_a_restored_series_that_is_gone_ends_with_the_first_run():
    before = SeriesStore()
    before.require({"long": 86400.0}, default=60.0)
    before.append(reading(1.0, Sample("long", 1.0)))
    store = SeriesStore()
    store.load(before.dump(900.0))
    assert value(store, "long", 2.0) == 1.0
    assert store.append(reading(3.0, Sample("a", 1.0))) == {"a", "long"}
    assert value(store, "long", 3.0) is None


@pytest.mark.parametrize("data", [b"", b"no", b"x\x9cno"])
def test_damaged_history_is_refused(data):
    with pytest.raises(HistoryError, match="damaged"):
        SeriesStore().load(data)


def test_a_forgotten_source_takes_its_series_along():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", 1.0)))
    store.append(reading(1.0, Sample("b", 1.0), source=UNITS))
    store.forget(CPU)
    assert store.names() == ["b"]
    assert store.health({"a"}) == []


def test_a_selector_notices_series_that_come_and_go():
    store = SeriesStore(history_seconds=60.0)
    count = compile_query("count(a)")
    store.append(reading(1.0, Sample("a", 1.0, labels(x="1"))))
    assert count.instant(store, 1.0).values == [1.0]
    store.append(reading(2.0, Sample("a", 1.0, labels(x="1")), Sample("a", 1.0, labels(x="2"))))
    assert count.instant(store, 2.0).values == [2.0]
    store.append(reading(3.0, Sample("a", 1.0, labels(x="2"))))
    assert count.instant(store, 3.0).values == [1.0]


def test_ended_series_carry_a_marker_no_arithmetic_makes():
    store = SeriesStore()
    store.append(reading(1.0, Sample("a", float("nan"))))
    assert not is_stale(store.select("a")[0].columns[1][0])
    store.append(reading(2.0))
    assert is_stale(store.select("a")[0].columns[1][1])


def test_readers_see_whole_runs_while_the_writer_adds_more():
    store = SeriesStore(history_seconds=30.0)
    done = threading.Event()
    seen, errors = [], []

    def read():
        query = compile_query("count(count_over_time(a[1h]) > 0)")
        spread = compile_query("stdvar(a)")
        while not done.is_set():
            try:
                vector = query.instant(store, 150.0)
                seen.append(vector.values)
                errors.extend(value for value in spread.instant(store, 150.0).values if value != 0)
            except (IndexError, RuntimeError, ValueError) as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    store.append(reading(0.0, *(Sample("a", 0.0, labels(x=str(x))) for x in range(50))))
    reader.start()
    for at in range(1, 1500):
        store.append(reading(at / 10, *(Sample("a", float(at), labels(x=str(x))) for x in range(50))))
        if at % 100 == 0:
            store.drop_old(at / 10)
    done.set()
    reader.join(60)
    assert seen
    assert errors == []
    assert all(values == [50.0] for values in seen)


def test_a_series_that_only_an_event_carried_ends_with_the_next_complete_reading():
    store = SeriesStore()
    for at in (1.0, 2.0):
        store.append(reading(at, Sample("a", 1.0)))
    store.append(reading(3.0, Sample("b", 1.0), complete=False))
    assert store.append(reading(4.0, Sample("a", 1.0))) == {"a", "b"}
    assert value(store, "b", 4.0) is None


def test_an_end_in_the_future_does_not_swallow_what_comes_before_it():
    store = SeriesStore()
    store.append(reading(1000.0, Sample("a", 1.0), Sample("b", 1.0)))
    store.append(reading(1015.0, Sample("a", 1.0)))
    store.append(reading(900.0, Sample("a", 1.0)))
    for at in (1014.0, 1016.0):
        store.append(reading(at, Sample("a", 1.0), Sample("b", 2.0)))
    assert value(store, "b", 1016.0) == 2.0
    assert value(store, "count_over_time(b[1h])", 1016.0) == 2.0


def test_a_pushed_series_follows_a_clock_set_back():
    store = SeriesStore()
    for at in (1000.0, 1010.0, 950.0, 951.0):
        store.append(reading(at, Sample("a", at), complete=False))
    assert value(store, "a", 1010.0) == 951.0
    assert value(store, "count_over_time(a[1h])", 1010.0) == 2.0
    store.append(reading(950.5, Sample("a", 0.0), complete=False))
    assert value(store, "a", 1010.0) == 951.0, "half a second is late news, no other clock"
    assert store.late_samples == 1


def test_the_store_moves_with_a_clock_that_was_set():
    store = SeriesStore()
    for at in (100.0, 115.0):
        store.append(reading(at, Sample("a", at), Sample("b", at)))
    store.append(reading(120.0, Sample("b", 120.0), complete=False))
    store.shift(3600.0)
    assert value(store, "a", 3715.0) == 115.0
    assert value(store, "b", 3720.0) == 120.0
    store.append(reading(3730.0, Sample("a", 1.0), Sample("b", 2.0)))
    assert value(store, "count_over_time(a[1m])", 3730.0) == 3.0
    assert value(store, "count_over_time(b[1m])", 3730.0) == 4.0
    assert store.health(None)[0].last_success_at == 3730.0
