"""When a change is asked for, moved or withdrawn, and on which working day it should begin."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.incidents import windows
from agent.incidents.windows import Recurrence
from agent.itsm.calendars import ALWAYS, Calendar
from agent.itsm.capacity import DAY, RECEDED, Forecast, Why
from agent.itsm.capacity_plan import Outlook, Plan, Step, Subject, begin, priority, step

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()  # a Monday
SOON = 30 * DAY
OFFICE = Calendar(
    name="office",
    hours=windows.parse(Recurrence(days=("mon-fri",), times=("08:00-18:00",), zone="UTC")),
    holidays=windows.parse(Recurrence(dates=("12-24..12-26",), zone="UTC")),
)


def outlook(days=None, why=None, measured=0.0):
    full_at = NOW + days * DAY if days is not None else None
    found = Forecast(used=1.0, limit=2.0, full_at=full_at, why=why)
    return Outlook(subject=Subject(resource="r", name=""), at=NOW, forecast=found, measured_at=NOW - measured * DAY)


def plan(days):
    return Plan(change="CHG-1", full_at=NOW + days * DAY)


@pytest.mark.parametrize(("days", "what"), [(29, Step.ASK), (30, Step.ASK), (31, Step.NOTHING), (0, Step.ASK)])
def test_a_change_is_asked_for_below_the_threshold(days, what):
    assert step(None, outlook(days), SOON, NOW) is what


@pytest.mark.parametrize("why", Why)
def test_nothing_is_asked_for_without_a_date(why):
    assert step(None, outlook(why=why), SOON, NOW) is Step.NOTHING


@pytest.mark.parametrize(
    ("told", "now", "what"),
    [
        (20, 20, Step.NOTHING),
        (20, 24, Step.NOTHING),
        (20, 25, Step.MOVE),
        (20, 15, Step.MOVE),
        (4, 6, Step.NOTHING),
        (4, 7, Step.MOVE),
        (28, 35, Step.MOVE),
        (36, 37, Step.NOTHING),
        (28, 38, Step.WITHDRAW),
    ],
)
def test_a_date_that_moves_noticeably_is_told_and_one_that_recedes_is_withdrawn(told, now, what):
    assert step(plan(told), outlook(now), SOON, NOW) is what


@pytest.mark.parametrize(
    ("told", "days", "what"),
    [
        ("P4", 15, Step.NOTHING),
        ("P4", 14, Step.URGE),
        ("P3", 14, Step.NOTHING),
        ("P3", 3, Step.URGE),
        ("", 3, Step.NOTHING),
    ],
)
def test_a_day_that_draws_near_is_told_once_as_more_urgent(told, days, what):
    asked = replace(plan(days), priority=told)
    assert step(asked, outlook(days), SOON, NOW) is what


@pytest.mark.parametrize("why", Why)
def test_only_who_knows_that_it_will_not_be_full_withdraws(why):
    expected = Step.WITHDRAW if why in RECEDED else Step.NOTHING
    assert step(plan(20), outlook(why=why, measured=6), SOON, NOW) is expected


def test_what_is_not_measured_for_a_week_is_gone():
    assert step(plan(20), outlook(why=Why.STALE, measured=8), SOON, NOW) is Step.WITHDRAW


def at(day, hour, minute=0, month=11):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        (at(18, 12, month=12), at(11, 8, month=12)),  # seven days before is a Friday: on its morning
        (at(13, 12, month=12), at(4, 8, month=12)),  # that would be a Sunday: on the Friday before
        (at(1, 2, month=12), NOW),  # that was yesterday: at once, for it is working time
    ],
)
def test_a_change_begins_on_a_working_day(full, expected):
    assert begin(full, 7 * DAY, OFFICE, NOW) == pytest.approx(expected, abs=60)


def test_without_working_hours_it_begins_when_the_lead_begins_and_never_in_the_past():
    assert begin(NOW + 20 * DAY, 7 * DAY, ALWAYS, NOW) == NOW + 13 * DAY
    assert begin(NOW + 2 * DAY, 7 * DAY, ALWAYS, NOW) == NOW


def test_holidays_are_left_out():
    eve = datetime(2026, 12, 31, 12, tzinfo=UTC).timestamp()  # seven days before is Christmas Eve
    assert begin(eve, 7 * DAY, OFFICE, NOW) == at(23, 8, month=12)


def test_at_night_it_begins_in_the_next_working_time_unless_it_is_full_by_then():
    night = at(23, 22)
    assert begin(night + 3 * DAY, 7 * DAY, OFFICE, night) == at(24, 8)
    assert begin(night + 3600.0, 7 * DAY, OFFICE, night) == night


@pytest.mark.parametrize(("days", "expected"), [(40, "P4"), (14, "P3"), (3, "P2"), (0, "P2")])
def test_what_is_sooner_is_more_urgent(days, expected):
    assert priority(NOW + days * DAY, NOW) == expected
