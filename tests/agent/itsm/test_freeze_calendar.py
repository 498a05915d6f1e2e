"""The freeze calendar: what comes up, with the clocks that people have."""

from datetime import datetime
from zoneinfo import ZoneInfo

from agent.incidents import windows
from agent.incidents.muting import Freeze
from agent.incidents.windows import Recurrence
from agent.itsm.freeze_calendar import MOST, coming
from rules import matchers

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86400.0


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def freeze(name="nights", match="{}", *, escalates=False, **written):
    window = windows.parse(Recurrence(zone="Europe/Berlin", **written))
    return Freeze(name=name, matchers=matchers.parse_all(match), window=window, escalates=escalates)


def shown(spans):
    return [(span.local_start, span.local_end) for span in spans]


def test_a_night_in_which_the_clock_is_put_back_is_an_hour_longer():
    (before, after) = coming([freeze(times=("22:00-06:00",))], at("2026-10-24T12:00"), at("2026-10-26T12:00"))
    assert shown([before, after]) == [
        ("2026-10-24 22:00+02:00", "2026-10-25 06:00+01:00"),
        ("2026-10-25 22:00+01:00", "2026-10-26 06:00+01:00"),
    ]
    assert before.ends_at - before.starts_at == 9 * 3600
    assert before.zone == "Europe/Berlin"


def test_a_night_in_which_the_clock_is_put_forward_is_an_hour_shorter():
    (night,) = coming([freeze(times=("22:00-06:00",))], at("2026-03-28T12:00"), at("2026-03-29T12:00"))
    assert night.ends_at - night.starts_at == 7 * 3600


def test_a_freeze_that_is_on_begins_now_and_goes_over_the_end():
    start = at("2026-12-26T10:00")
    (span,) = coming([freeze(dates=("12-24..01-02",))], start, start + DAY)
    assert (span.is_open, span.starts_at) == (True, start)
    assert span.local_end == "2027-01-03 00:00+01:00"


def test_freezes_come_in_order_of_time_and_say_what_they_cover():
    freezes = [
        freeze("weekend", days=("sat-sun",)),
        freeze("shop", '{service="shop"}', escalates=True, times=("12:00-13:00",)),
    ]
    spans = coming(freezes, at("2026-11-20T08:00"), at("2026-11-21T08:00"))
    assert [(span.freeze, span.covers, span.then) for span in spans] == [
        ("shop", 'service="shop"', "escalate"),
        ("weekend", "", "wait"),
    ]


def test_without_freezes_or_openings_there_is_nothing():
    assert coming([], 0.0, 9e9) == []
    assert coming([freeze(dates=("2020-01-01",))], at("2026-11-20T08:00"), at("2026-12-20T08:00")) == []


def test_no_freeze_fills_the_calendar():
    minutes = tuple(
        f"{hour:02}:{minute:02}-{hour:02}:{minute + 1:02}" for hour in range(12) for minute in range(0, 58, 2)
    )
    assert len(coming([freeze(times=minutes)], at("2026-11-20T08:00"), at("2026-12-20T08:00"))) == MOST
