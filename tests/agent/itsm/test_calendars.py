"""Working time: opening hours, holidays, and what clocks and calendars do to them."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents.windows import Recurrence, parse
from agent.itsm.calendars import ALWAYS, Calendar

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0
OFFICE = Calendar(
    name="office",
    hours=parse(Recurrence(days=("mon-fri",), times=("08:00-18:00",), zone="Europe/Berlin")),
    holidays=parse(Recurrence(dates=("12-25..12-26", "2026-11-24"), zone="Europe/Berlin")),
)
NIGHT = Calendar(name="night", hours=parse(Recurrence(days=("mon-fri",), times=("22:00-06:00",), zone="Europe/Berlin")))


def berlin(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def shown(at):
    return datetime.fromtimestamp(at, BERLIN).isoformat(timespec="minutes")[:16]


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        pytest.param("2026-11-18T16:00", 4, "2026-11-19T10:00", id="four hours from 16:00 end at 10:00 next day"),
        pytest.param("2026-11-18T07:00", 1, "2026-11-18T09:00", id="before opening it counts from the opening"),
        pytest.param("2026-11-18T08:00", 10, "2026-11-18T18:00", id="a whole day ends when the door closes"),
        pytest.param("2026-11-20T17:00", 2, "2026-11-23T09:00", id="over the weekend"),
        pytest.param("2026-11-23T17:00", 2, "2026-11-25T09:00", id="over a holiday"),
        pytest.param("2026-12-24T17:00", 2, "2026-12-28T09:00", id="over Christmas, which comes each year"),
        pytest.param("2027-12-24T17:00", 2, "2027-12-27T09:00", id="and the next year"),
        pytest.param("2028-02-28T17:00", 12, "2028-03-01T09:00", id="over a leap day"),
        pytest.param("2026-03-27T17:00", 2, "2026-03-30T09:00", id="over the night that loses an hour"),
        pytest.param("2026-10-23T17:00", 2, "2026-10-26T09:00", id="over the night that gains one"),
    ],
)
def test_a_target_is_due_after_so_much_working_time(start, hours, due):
    assert shown(OFFICE.due(berlin(start), hours * HOUR)) == due


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        pytest.param("2026-11-18T23:00", 4, "2026-11-19T03:00", id="hours over midnight go on"),
        pytest.param("2026-11-18T05:00", 2, "2026-11-18T23:00", id="and end in the morning"),
        pytest.param("2026-11-20T23:00", 8, "2026-11-23T23:00", id="the night of Friday ends on Saturday"),
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_began_on(start, hours, due):
    assert shown(NIGHT.due(berlin(start), hours * HOUR)) == due


@pytest.mark.parametrize(
    ("night", "worked"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-11-18", 8)], ids=["lost", "gained", "plain"]
)
def test_a_night_is_as_long_as_the_clocks_make_it(night, worked):
    every_night = Calendar(name="night", hours=parse(Recurrence(times=("22:00-06:00",), zone="Europe/Berlin")))
    begin = berlin(f"{night}T21:00")
    assert every_night.worked(begin, begin + 12 * HOUR) == worked * HOUR


def test_around_the_clock_every_second_counts():
    assert ALWAYS.due(1000.0, 60.0) == 1060.0
    assert ALWAYS.worked(1000.0, 1060.0) == 60.0
    assert ALWAYS.open_at(0.0)


def test_a_holiday_is_no_working_time():
    assert OFFICE.open_at(berlin("2026-11-23T09:00"))
    assert not OFFICE.open_at(berlin("2026-11-24T09:00"))
    assert not OFFICE.open_at(berlin("2026-11-23T18:00"))


def test_a_calendar_that_never_opens_is_never_due():
    never = Calendar(
        name="never",
        hours=parse(Recurrence(days=("mon",))),
        holidays=parse(Recurrence(days=("mon-sun",))),
    )
    assert never.due(datetime(2026, 11, 22, tzinfo=UTC).timestamp(), 1.0) == math.inf


@given(
    start=st.floats(berlin("2026-01-01"), berlin("2028-12-31")),
    seconds=st.floats(1.0, 200 * HOUR),
    calendar=st.sampled_from([OFFICE, NIGHT, ALWAYS]),
)
def test_when_it_is_due_exactly_that_much_was_worked(start, seconds, calendar):
    due = calendar.due(start, seconds)
    assert calendar.worked(start, due) == pytest.approx(seconds, abs=1e-3)
    assert calendar.open_at(due - 0.5) or seconds < 1.0
