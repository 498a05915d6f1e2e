"""Service level clocks: warned once, broken once, paused, ended and started again."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from agent.incidents.windows import Recurrence, parse
from agent.itsm import clocks
from agent.itsm.calendars import ALWAYS, Calendar
from agent.itsm.clocks import Call, Kind

HOUR = 3600.0
OFFICE = Calendar(
    name="office", hours=parse(Recurrence(days=("mon-fri",), times=("08:00-18:00",), zone="Europe/Berlin"))
)


def berlin(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def running(target=100.0):
    return clocks.start(Kind.RESOLVE, target, ALWAYS, 1000.0)


def test_a_clock_warns_at_three_quarters_and_breaks_at_the_end_each_once():
    clock, calls = running(), []
    for now in range(1000, 1201):
        clock, said = clocks.call(clock, ALWAYS, float(now))
        calls += [(now, call) for call in said]
    assert calls == [(1075, Call.WARNING), (1100, Call.BREACH)]


def test_the_next_call_is_foretold():
    clock = running()
    assert clocks.next_at(clock, ALWAYS) == 1075.0
    clock, _ = clocks.call(clock, ALWAYS, 1075.0)
    assert clocks.next_at(clock, ALWAYS) == 1100.0
    clock, _ = clocks.call(clock, ALWAYS, 1100.0)
    assert clocks.next_at(clock, ALWAYS) is None


def test_asked_late_it_tells_of_the_breach_alone_and_when_that_was():
    clock, said = clocks.call(running(), ALWAYS, 5000.0)
    assert said == (Call.BREACH,)
    assert clock.breached_at == 1100.0
    assert clocks.call(clock, ALWAYS, 6000.0) == (clock, ())


def test_it_stands_still_while_others_are_waited_for():
    clock = clocks.pause(running(), ALWAYS, 1050.0)
    assert clocks.next_at(clock, ALWAYS) is None
    assert clocks.call(clock, ALWAYS, 9000.0) == (clock, ())
    clock = clocks.resume(clock, 9000.0)
    assert clocks.next_at(clock, ALWAYS) == 9025.0


def test_ended_in_time_the_promise_is_kept_and_ended_late_it_is_not():
    assert clocks.stop(running(), ALWAYS, 1099.0).met is True
    assert clocks.stop(running(), ALWAYS, 1100.0).met is False
    late = clocks.stop(running(), ALWAYS, 1200.0)
    assert late.breached_at == 1100.0
    assert clocks.stop(late, ALWAYS, 1300.0) == late
    assert clocks.resume(late, 1300.0) == late


def test_what_comes_back_goes_on_with_what_was_spent():
    ended = clocks.stop(running(), ALWAYS, 1040.0)
    again = clocks.reopen(ended, 2000.0)
    assert clocks.next_at(again, ALWAYS) == 2035.0
    assert clocks.spent(again, ALWAYS, 2010.0) == 50.0


def test_four_hours_from_16_00_are_over_at_10_00_on_the_next_day():
    clock = clocks.start(Kind.RESOLVE, 4 * HOUR, OFFICE, berlin("2026-11-18T16:00"))
    assert clocks.next_at(clock, OFFICE) == berlin("2026-11-19T09:00")
    clock, said = clocks.call(clock, OFFICE, berlin("2026-11-19T09:00"))
    assert said == (Call.WARNING,)
    assert clocks.next_at(clock, OFFICE) == berlin("2026-11-19T10:00")


@given(
    events=st.lists(
        st.tuples(st.floats(0.0, 50.0), st.sampled_from(["ask", "pause", "resume", "stop", "reopen"])), max_size=40
    )
)
def test_whatever_happens_each_call_comes_once_and_a_breach_means_that_the_time_was_spent(events):
    clock, now, said = running(), 1000.0, []
    for seconds, event in events:
        now += seconds
        if event == "reopen":
            clock = clocks.reopen(clock, now) if clock.met is not None else clock
        elif event == "resume":
            clock = clocks.resume(clock, now)
        elif event != "ask":
            clock = getattr(clocks, event)(clock, ALWAYS, now)
        clock, calls = clocks.call(clock, ALWAYS, now)
        said += calls
    assert said.count(Call.WARNING) <= 1
    assert said.count(Call.BREACH) <= 1
    assert (clock.breached_at is None) == (clocks.spent(clock, ALWAYS, now) < clock.target)


@given(
    begun=st.floats(1.6e9, 2.0e9),
    target=st.floats(1.0, 1e6),
    spent_before=st.floats(0.0, 0.7),
    calendar=st.sampled_from([ALWAYS, OFFICE]),
)
def test_at_the_moment_that_was_foretold_there_is_something_to_say(begun, target, spent_before, calendar):
    clock = replace(clocks.start(Kind.RESPOND, target, calendar, begun), spent=spent_before * target)
    for expected in (Call.WARNING, Call.BREACH):
        at = clocks.next_at(clock, calendar)
        clock, said = clocks.call(clock, calendar, at)
        assert (said, clocks.next_at(clock, calendar) == at) == ((expected,), False)
