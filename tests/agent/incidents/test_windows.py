"""Windows of local time, across weekends, midnights, years and changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.incidents.windows import Recurrence, parse

BERLIN = ZoneInfo("Europe/Berlin")


def at(text, zone=UTC, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def window(**written):
    return parse(Recurrence(**{name: value if name == "zone" else tuple(value) for name, value in written.items()}))


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_begins():
    nights = window(days=["fri"], times=["22:00-06:00"])

    assert nights.until(at("2026-11-20T21:59:59")) is None
    assert nights.until(at("2026-11-20T22:00:00")) == at("2026-11-21T06:00")
    assert nights.until(at("2026-11-21T05:59:59")) == at("2026-11-21T06:00")
    assert nights.until(at("2026-11-21T06:00:00")) is None
    assert nights.until(at("2026-11-21T22:00:00")) is None


def test_days_that_follow_each_other_are_one_window():
    weekend = window(days=["sat-sun"])

    assert weekend.until(at("2026-11-21T00:00")) == at("2026-11-23T00:00")
    assert weekend.next_change(at("2026-11-23T00:00")) == at("2026-11-28T00:00")
    assert weekend.next_change(at("2026-11-22T12:00")) == at("2026-11-23T00:00")


def test_a_range_of_weekdays_may_go_over_the_end_of_the_week():
    assert window(days=["sun-mon"]).until(at("2026-11-22T00:00")) == at("2026-11-24T00:00")


def test_dates_come_once_or_each_year():
    once, yearly = window(dates=["2026-12-24..2027-01-02"]), window(dates=["12-24..01-02"])

    assert once.until(at("2026-12-31T12:00")) == yearly.until(at("2026-12-31T12:00")) == at("2027-01-03T00:00")
    assert once.until(at("2027-12-31T12:00")) is None
    assert yearly.until(at("2027-12-24T00:00")) == at("2028-01-03T00:00")


def test_the_end_is_told_for_the_settling_that_follows():
    nights = window(times=["22:00-06:00"])

    assert nights.ended_at(at("2026-11-21T06:04"), 300) == at("2026-11-21T06:00")
    assert nights.ended_at(at("2026-11-21T06:05"), 300) == 0.0
    assert nights.ended_at(at("2026-11-21T23:00"), 300) == 0.0


def test_a_night_is_shorter_when_the_clock_is_put_forward_and_longer_when_it_is_put_back():
    nights = window(times=["22:00-06:00"], zone="Europe/Berlin")

    spring, autumn = at("2026-03-28T22:00", BERLIN), at("2026-10-24T22:00", BERLIN)
    assert nights.until(spring) - spring == 7 * 3600
    assert nights.until(autumn) - autumn == 9 * 3600


def test_an_hour_that_comes_twice_is_in_the_window_twice():
    early = window(times=["02:00-03:00"], zone="Europe/Berlin")

    first = at("2026-10-25T02:00", BERLIN)
    assert early.until(first - 1) is None
    assert early.until(first) == early.until(first + 3600) == first + 7200


def test_what_begins_in_an_hour_that_is_left_out_begins_with_the_change():
    change = at("2026-03-29T01:00")

    late = window(times=["02:30-04:00"], zone="Europe/Berlin")
    assert late.until(change - 1) is None
    assert late.until(change) == at("2026-03-29T04:00", BERLIN)
    early = window(times=["01:00-02:30"], zone="Europe/Berlin")
    assert early.until(change - 1) == change


def test_a_window_in_an_hour_that_is_left_out_does_not_come_that_day():
    gone = window(times=["02:10-02:50"], dates=["2026-03-29"], zone="Europe/Berlin")

    assert gone.until(at("2026-03-29T01:00")) is None


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({}, "say when"),
        ({"days": ["monday"]}, "weekday"),
        ({"days": ["mon-tue-wed"]}, "weekday"),
        ({"times": ["8-17"]}, "from and to"),
        ({"times": ["08:00-08:00"]}, "from and to"),
        ({"times": ["24:00-06:00"]}, "from and to"),
        ({"times": ["22:00-24:30"]}, "from and to"),
        ({"dates": ["2026-02-30"]}, "must be a date"),
        ({"dates": ["12-24..2027-01-02"]}, "must be a date"),
        ({"dates": ["2027-01-02..2026-12-24"]}, "must not end"),
        ({"days": ["sat"], "zone": "Europe/Atlantis"}, "time zone"),
        ({"days": ["sat"], "zone": "../../etc/passwd"}, "time zone"),
    ],
)
def test_what_makes_no_sense_is_refused_with_an_example(written, complaint):
    with pytest.raises(ValueError, match=complaint):
        window(**written)


MINUTES = st.integers(0, 1439)
WRITTEN = st.fixed_dictionaries(
    {
        "days": st.lists(st.sampled_from(["mon", "wed-fri", "sat-mon", "sun"]), max_size=2),
        "times": st.lists(
            st.tuples(MINUTES, MINUTES)
            .filter(lambda pair: pair[0] != pair[1])
            .map(lambda pair: f"{pair[0] // 60:02}:{pair[0] % 60:02}-{pair[1] // 60:02}:{pair[1] % 60:02}"),
            min_size=1,
            max_size=2,
        ),
        "zone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    }
)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001 - made aware below
    lambda moment: moment.replace(tzinfo=UTC, microsecond=0).timestamp()
)


def naive(written, zone, now):
    """Whether the local clock shows a time within the window; a time that comes twice counts as soon as it comes."""
    local = datetime.fromtimestamp(now, zone).replace(tzinfo=None)
    days = parse(Recurrence(days=tuple(written["days"]), times=("00:00-24:00",))).days
    for text in written["times"]:
        first, last = text.split("-")
        for day in (local.date() - timedelta(days=1), local.date()):
            start = datetime.combine(day, datetime.strptime(first, "%H:%M").time())  # noqa: DTZ007 - local
            end = datetime.combine(day, datetime.strptime(last, "%H:%M").time())  # noqa: DTZ007 - local
            end += timedelta(days=1) if end <= start else timedelta(0)
            if day.weekday() in days and start <= local < end:
                return True
    return False


@given(WRITTEN, INSTANTS)
@settings(max_examples=settings.default.max_examples * 3 // 2)
def test_a_window_is_open_whenever_the_local_clock_is_within_its_hours(written, now):
    made = window(**written)

    if naive(written, made.zone, now):
        assert made.until(now) is not None


@given(WRITTEN, INSTANTS)
@settings(max_examples=settings.default.max_examples * 3 // 2)
def test_nothing_changes_before_the_next_change_and_something_does_then(written, now):
    made = window(**written)
    is_open = made.until(now) is not None

    change = made.next_change(now)

    assert change > now
    for part in range(1, 8):
        assert (made.until(now + (change - now) * part / 8) is not None) is is_open
    if len(written["times"]) == 1:  # two can make a window that never closes, of which only the next weeks are told
        assert (made.until(change) is not None) is not is_open
        if is_open:
            assert made.ended_at(change, 60) == change
