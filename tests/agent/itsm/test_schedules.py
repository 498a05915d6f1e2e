"""When reports are due, in local time, whatever the clocks do."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.itsm.schedules import Schedule, last_due

BERLIN = "Europe/Berlin"


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def weekly(day=0, minute=7 * 60, zone=BERLIN):
    return Schedule(name="w", every="weekly", day=day, minute=minute, zone=zone)


def monthly(day=1, minute=7 * 60, zone=BERLIN):
    return Schedule(name="m", every="monthly", day=day, minute=minute, zone=zone)


@pytest.mark.parametrize(
    ("schedule", "now", "due", "start", "end"),
    [
        (weekly(), "2026-11-23T07:00", "2026-11-23T07:00", "2026-11-16", "2026-11-23"),
        (weekly(), "2026-11-23T06:59:59", "2026-11-16T07:00", "2026-11-09", "2026-11-16"),
        (weekly(day=4), "2026-11-22T12:00", "2026-11-20T07:00", "2026-11-09", "2026-11-16"),
        (monthly(), "2026-11-22T12:00", "2026-11-01T07:00", "2026-10-01", "2026-11-01"),
        (monthly(), "2026-01-01T06:00", "2025-12-01T07:00", "2025-11-01", "2025-12-01"),
        (monthly(day=28), "2024-03-01T00:00", "2024-02-28T07:00", "2024-01-01", "2024-02-01"),
        (monthly(day=5), "2024-03-31T10:00", "2024-03-05T07:00", "2024-02-01", "2024-03-01"),
    ],
)
def test_a_report_is_due_at_a_local_time_and_is_about_the_whole_period_before(schedule, now, due, start, end):
    found = last_due(schedule, at(now, BERLIN))
    assert (found.at, found.start, found.end) == tuple(at(each, BERLIN) for each in (due, start, end))
    assert found.id == f"{schedule.name}-{start}"


def test_the_week_in_which_clocks_are_put_forward_is_an_hour_shorter_and_the_other_one_longer():
    spring = last_due(weekly(), at("2026-03-30T08:00", BERLIN))
    autumn = last_due(weekly(), at("2026-10-26T08:00", BERLIN))
    assert spring.end - spring.start == 7 * 86400 - 3600
    assert autumn.end - autumn.start == 7 * 86400 + 3600


def test_a_time_that_is_left_out_is_when_the_clock_is_put_forward():
    schedule = weekly(day=6, minute=2 * 60 + 30)  # Sunday 02:30, which there is not on 2026-03-29
    change = at("2026-03-29T01:00")
    assert last_due(schedule, change).at == change
    assert last_due(schedule, change - 1).at == at("2026-03-22T02:30", BERLIN)


def test_a_time_that_comes_twice_is_the_first_of_the_two_and_due_once():
    schedule = weekly(day=6, minute=2 * 60 + 30)  # Sunday 02:30, twice on 2026-10-25
    first, second = at("2026-10-25T00:30"), at("2026-10-25T01:30")
    assert last_due(schedule, first).at == first
    assert last_due(schedule, second) == last_due(schedule, first)


def test_whatever_the_moment_nothing_is_due_in_the_future_and_every_period_follows_the_last():
    for schedule in (weekly(), weekly(day=6, minute=150), monthly(), monthly(day=28)):
        known = []
        now = at("2026-01-01")
        while now < at("2027-02-01"):
            due = last_due(schedule, now)
            assert due.at <= now
            assert due.start < due.end <= due.at + 7 * 86400
            if due not in known:
                known.append(due)
            now += 3600.0
        assert all(before.end == after.start for before, after in itertools.pairwise(known))
        assert len({datetime.fromtimestamp(each.at, UTC).date() for each in known}) == len(known)
