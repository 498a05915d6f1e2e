"""Forecasts of capacity from synthetic histories: a date where there is one, and a reason where there is none."""

import random
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.itsm.capacity import DAY, SAYS, Demand, Guard, Hour, Why, forecast

NOW = 20_000 * DAY
LIMIT = 1000.0


def history(level, days=60.0, gaps=(), limit=LIMIT):
    """One roll-up an hour; `level` takes the days since the history began."""
    hours = []
    for back in range(int(days * 24), 0, -1):
        at = NOW - (back - 1) * 3600.0
        day = days + (at - NOW) / DAY
        if not any(first <= day < last for first, last in gaps):
            value = level(day)
            hours.append(Hour(at=at, low=value, mean=value, high=value, limit=limit))
    return hours


def day_of(at):
    return None if at is None else (at - NOW) / DAY


def why(level, **how):
    """Return why there is no date."""
    found = forecast(history(level, **how), NOW)
    assert (found.full_at, found.earliest, found.latest) == (None, None, None)
    return found.why


@cache
def noise(seed, size):
    """Another value each day: what varies within a day does not matter."""
    chance = random.Random(seed)
    return [chance.gauss(0.0, size) for _ in range(400)]


@given(start=st.floats(50, 400), pace=st.floats(2, 20), days=st.integers(14, 120))
@settings(max_examples=25, deadline=None)
def test_steady_growth_gives_the_day_on_which_it_is_full(start, pace, days):
    today = start + pace * days
    found = forecast(history(lambda day: start + pace * day, days=days), NOW, guard=Guard(horizon_days=1000))
    if today >= LIMIT:
        assert day_of(found.full_at) == pytest.approx(0.0, abs=0.1)
    else:
        assert day_of(found.full_at) == pytest.approx((LIMIT - today) / pace, abs=0.5)
        assert found.earliest <= found.full_at <= found.latest
    assert found.per_day == pytest.approx(pace, rel=0.01)
    assert found.fit > 0.99


@given(seed=st.integers(0, 10_000), size=st.floats(1, 25))
@settings(max_examples=25, deadline=None)
def test_noise_widens_the_interval_and_the_truth_lies_near_it(seed, size):
    found = forecast(history(lambda day: 300 + 5 * day + noise(seed, size)[int(day)]), NOW)
    assert found.full_at is not None
    assert found.earliest < found.full_at < found.latest
    assert day_of(found.full_at) == pytest.approx(80, abs=1.0 + 0.8 * size)


@pytest.mark.parametrize(("pace", "size"), [(0, 60), (2, 60), (2, 120)])
def test_noise_as_large_as_the_growth_gives_no_date(pace, size):
    """Of a hundred histories one may look like growth; by chance some do."""
    levels = [lambda day, s=seed: 400 + pace * day + noise(s, size)[int(day)] for seed in range(100)]
    dated = [level for level in levels if forecast(history(level), NOW).full_at is not None]
    assert len(dated) <= 1


@pytest.mark.parametrize(
    ("level", "reason"),
    [
        (lambda _day: 500.0, Why.FLAT),
        (lambda day: 800 - 5 * day, Why.FALLING),
        (lambda day: 300 + 0.3 * day, Why.FAR),
        (lambda day: 500.0 + 100 * (day > 30), Why.NOISY),
        (lambda day: 500.0 + 300 * (day > 56), Why.FLAT),
        (lambda day: 600.0 - 150 * (int(day) % 7 >= 5), Why.FLAT),
    ],
    ids=["flat", "falling", "slow", "one-step", "a-step-lately", "weekends"],
)
def test_what_does_not_grow_steadily_has_a_reason_instead_of_a_date(level, reason):
    assert why(level) is reason


@pytest.mark.parametrize("days", [1, 7, 13])
def test_a_short_history_gives_no_date_however_straight_it_is(days):
    assert why(lambda day: 300 + 20 * day, days=days) is Why.TOO_SHORT


def test_two_weeks_are_enough():
    found = forecast(history(lambda day: 300 + 20 * day, days=14), NOW)
    assert day_of(found.full_at) == pytest.approx(21, abs=0.5)


def test_downtime_leaves_gaps_and_too_many_of_them_give_no_date():
    grows = lambda day: 300 + 5 * day  # noqa: E731 - short
    assert day_of(forecast(history(grows, gaps=[(5, 15)]), NOW).full_at) == pytest.approx(80, abs=0.5)
    assert why(grows, gaps=[(5, 15), (20, 35)]) is Why.GAPS
    assert why(grows, gaps=[(57, 61)]) is Why.STALE
    assert forecast([], NOW).why is Why.STALE


@pytest.mark.parametrize("weekend", [50, 150, 250])
def test_weekends_do_not_look_like_a_fall(weekend):
    found = forecast(history(lambda day: 300 + 5 * day - weekend * (int(day) % 7 >= 5)), NOW)
    assert day_of(found.full_at) == pytest.approx(80, abs=1.0)
    assert found.per_day == pytest.approx(5, rel=0.02)


def test_what_counts_are_the_busy_hours_of_a_day():
    found = forecast(history(lambda day: 300 + 5 * day + 100 * (8 <= day % 1 * 24 < 18)), NOW)
    assert day_of(found.full_at) == pytest.approx(60, abs=1.0)


@pytest.mark.parametrize("period", [3, 5, 7, 10, 15, 20, 30])
def test_what_is_cleaned_up_again_and_again_is_never_full(period):
    """Ninety days of a log that is rotated: it ends just before the next rotation."""
    assert why(lambda day: 300 + 600 * (day % period) / period, days=90) in (Why.FLAT, Why.CLEANED_UP)


@pytest.mark.parametrize("period", [7, 10])
def test_where_the_peaks_between_cleanups_rise_they_give_the_date(period):
    found = forecast(history(lambda day: 300 + 20 * (day % period) + 3 * day, days=90), NOW)
    peak_now = 300 + 20 * period + 270
    assert day_of(found.full_at) == pytest.approx((LIMIT - peak_now) / 3, abs=10)
    assert found.per_day == pytest.approx(3, rel=0.1)


def test_after_one_cleanup_the_history_begins_anew():
    found = forecast(history(lambda day: 300 + 8 * day - 300 * (day > 60), days=90), NOW)
    assert day_of(found.full_at) == pytest.approx(35, abs=0.5)
    assert found.since == pytest.approx(NOW - 30 * DAY, abs=DAY)


def test_shortly_after_a_cleanup_the_pace_is_that_of_before():
    found = forecast(history(lambda day: 300 + 7 * day - 300 * (day > 85), days=90), NOW)
    assert day_of(found.full_at) == pytest.approx((LIMIT - 630) / 7, abs=1)
    assert found.note == "at the pace before a cleanup"


def test_a_day_out_of_line_does_not_turn_the_trend():
    found = forecast(history(lambda day: 300 + 5 * day + 350 * (40 < day < 41)), NOW)
    assert day_of(found.full_at) == pytest.approx(80, abs=1)


def test_growth_that_began_a_while_ago_is_seen_once_it_has_lasted():
    found = forecast(history(lambda day: 300 + 10 * max(0.0, day - 60), days=90), NOW)
    assert day_of(found.full_at) == pytest.approx(40, abs=1)
    assert why(lambda day: 300 + 10 * max(0.0, day - 85), days=90) is not None


def test_the_limit_is_the_one_there_is_now():
    hours = history(lambda day: 300 + 5 * day)
    enlarged = [*hours[:-1], replace(hours[-1], limit=2000.0)]
    assert day_of(forecast(enlarged, NOW).full_at) == pytest.approx(280, abs=1)
    assert forecast([replace(hours[-1], limit=float("nan"))], NOW).why is Why.NO_LIMIT


def test_a_planned_step_is_counted_on_from_its_date():
    hours = history(lambda day: 300 + 5 * day)
    found = forecast(hours, NOW, [Demand(at=NOW + 10 * DAY, step=200, note="import")])
    assert day_of(found.full_at) == pytest.approx(40, abs=0.5)
    assert found.note == "counting on import"
    later = forecast(hours, NOW, [Demand(at=NOW + 100 * DAY, step=200, note="import")])
    assert day_of(later.full_at) == pytest.approx(80, abs=0.5)
    assert later.note == ""


def test_planned_growth_is_added_to_the_trend():
    found = forecast(history(lambda day: 300 + 5 * day), NOW, [Demand(at=NOW + 10 * DAY, per_day=10)])
    assert day_of(found.full_at) == pytest.approx(10 + (400 - 50) / 15, abs=0.5)


def test_a_demand_can_fill_what_does_not_grow_but_not_what_nobody_knows():
    plan = [Demand(at=NOW + 10 * DAY, step=600)]
    found = forecast(history(lambda _day: 500.0), NOW, plan)
    assert day_of(found.full_at) == pytest.approx(10)
    assert forecast(history(lambda _day: 500.0, days=5), NOW, plan).why is Why.TOO_SHORT
    assert forecast(history(lambda _day: 300.0), NOW, plan).why is Why.FLAT


def test_a_demand_of_the_past_is_left_to_what_was_measured():
    hours = history(lambda day: 300 + 5 * day)
    assert forecast(hours, NOW, [Demand(at=NOW - DAY, step=300)]) == forecast(hours, NOW)


def test_what_lies_in_the_future_because_the_clock_was_wrong_is_left_out():
    hours = history(lambda day: 300 + 5 * day)
    wrong = [replace(hours[-1], at=NOW + 400 * DAY, mean=999.0)]
    assert forecast([*hours, *wrong], NOW) == forecast(hours, NOW)


def test_the_guard_is_what_the_configuration_says():
    week = history(lambda day: 300 + 20 * day, days=7)
    assert forecast(week, NOW, guard=Guard(history_days=7)).full_at is not None
    slow = history(lambda day: 300 + 1.2 * day)
    assert forecast(slow, NOW).why is Why.FAR
    assert forecast(slow, NOW, guard=Guard(horizon_days=1000)).full_at is not None


@given(
    means=st.lists(st.floats(0, 2e12), min_size=0, max_size=700),
    limit=st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.just(1e12)),
)
@settings(max_examples=30, deadline=None)
def test_any_history_gives_either_a_date_or_a_reason(means, limit):
    hours = [
        Hour(at=NOW - 3600.0 * back, low=mean, mean=mean, high=mean, limit=limit)
        for back, mean in zip(range(len(means) - 1, -1, -1), means, strict=True)
    ]
    found = forecast(hours, NOW)
    assert (found.full_at is None) == (found.why is not None)
    if found.full_at is not None:
        assert NOW <= found.full_at <= NOW + 365 * DAY
        assert found.earliest is not None
        assert found.earliest <= found.full_at


def test_every_reason_is_told_in_words():
    assert set(SAYS) == set(Why)
