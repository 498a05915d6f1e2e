"""Suggestions come back until they are closed, and after that if the next period shows the same."""

from dataclasses import replace

from agent.incidents import windows
from agent.incidents.silences import Silence
from agent.itsm import stale, suggestions
from agent.itsm.capacity import Forecast
from agent.itsm.capacity_plan import Outlook, Subject
from agent.itsm.evidence import Evidence
from agent.itsm.measures import measures
from agent.itsm.review import points
from agent.itsm.stale import Unheard
from agent.itsm.suggestions import Point, key, merged
from rules import matchers

DAY = 86400.0
NOISE = Point(kind="noise", about="rule Flappy", says="5 of 9", suggestion="a longer `for`", owner="ann")
GOAL = Point(kind="unconfirmed_goal", about="service shop", says="agreed with nobody", suggestion="agree on it")


def by_id(found):
    return {each.id: each for each in found}


def test_a_new_one_has_an_owner_a_date_and_an_id_that_stays():
    (first,) = merged({}, [NOISE], 100 * DAY)
    (again,) = merged({first.id: first}, [replace(NOISE, says="7 of 9")], 107 * DAY)
    assert (first.owner, first.due, first.times) == ("ann", "1970-04-25", 1)
    assert (again.id, again.due, again.opened_at, again.times, again.says) == (
        key(NOISE),
        first.due,
        100 * DAY,
        2,
        "7 of 9",
    )


def test_the_same_period_reported_twice_finds_nothing_twice():
    (first,) = merged({}, [NOISE], 100 * DAY)
    assert merged({first.id: first}, [NOISE], 100 * DAY) == (first,)


def test_one_that_is_not_found_any_more_stays_until_somebody_closes_it():
    known = by_id(merged({}, [NOISE, GOAL], 100 * DAY))
    left = by_id(merged(known, [GOAL], 107 * DAY))
    assert left[key(NOISE)] == known[key(NOISE)]
    closed = suggestions.closed(known[key(NOISE)], "bob", "dropped the rule", 108 * DAY)
    assert set(by_id(merged(known | {closed.id: closed}, [GOAL], 114 * DAY))) == {key(GOAL)}


def test_one_that_was_closed_stays_closed_for_the_periods_before_and_comes_back_with_a_later_one():
    (first,) = merged({}, [NOISE], 100 * DAY)
    closed = suggestions.closed(suggestions.assigned(first, "bob", "1970-06-01", 101 * DAY), "bob", "done", 102 * DAY)
    assert merged({first.id: closed}, [NOISE], 100 * DAY) == ()
    (back,) = merged({first.id: closed}, [NOISE], 107 * DAY)
    assert (back.state, back.owner, back.due, back.closed_by, back.times) == ("open", "bob", "1970-05-02", "", 2)


def test_one_that_was_accepted_for_a_time_is_not_heard_of_until_then():
    (first,) = merged({}, [GOAL], 100 * DAY)
    accepted = suggestions.closed(first, "bob", "wanted so", 101 * DAY, 30 * DAY)
    assert merged({first.id: accepted}, [GOAL], 130 * DAY) == ()
    assert len(merged({first.id: accepted}, [GOAL], 132 * DAY)) == 1


def test_one_is_overdue_after_its_date():
    (first,) = merged({}, [NOISE], 100 * DAY)
    assert not suggestions.is_overdue(first, 114 * DAY)
    assert suggestions.is_overdue(first, 115 * DAY)


def silence(text, since, **more):
    return Silence(
        id="7f",
        matchers=matchers.parse_all(text),
        starts_at=since,
        ends_at=1000 * DAY,
        created_by="ann",
        comment="later",
        updated_at=since,
        **more,
    )


def test_silences_are_stale_when_they_are_older_than_allowed_and_not_over():
    old, young = silence('{mountpoint="/srv"}', 10 * DAY), silence('{mountpoint="/srv"}', 90 * DAY)
    (point,) = stale.silences([old, young], 100 * DAY, 14 * DAY)
    assert (point.kind, point.about) == ("stale_silence", "silence 7f")
    assert 'mountpoint="/srv"' in point.says
    assert "1970-01-11" in point.says
    assert list(stale.silences([replace(old, ends_at=99 * DAY)], 100 * DAY, 14 * DAY)) == []
    assert list(stale.silences([old], 24 * DAY, 14 * DAY)) == []


def test_a_rule_that_is_silenced_as_a_whole_is_a_disabled_rule():
    whole = silence('{alertname="DiskFull"}', 0.0)
    (point,) = stale.silences([whole], 100 * DAY, 14 * DAY)
    assert (point.kind, point.about) == ("disabled_rule", "rule DiskFull")
    nights = windows.Recurrence(times=("22:00-06:00",))
    (hours,) = stale.silences([silence('{alertname="DiskFull"}', 0.0, recurrence=nights)], 100 * DAY, 14 * DAY)
    assert hours.kind == "stale_silence"


def test_packs_that_are_not_loaded_and_approvals_in_vain_are_named():
    (pack,) = stale.packs(["host"], ["disk", "host"])
    assert (pack.kind, pack.about) == ("disabled_rule", "pack disk")
    vain = [Unheard(incident="i1", alertname="Down", at=5 * DAY), Unheard(incident="i2", alertname="Down", at=6 * DAY)]
    (point,) = stale.approvals(vain)
    assert (point.kind, point.says) == (
        "expired_approval",
        "2 plans waited in vain, last for incident i2 on 1970-01-07",
    )


def test_what_will_be_full_soon_is_said():
    now = 100 * DAY

    def found(days):
        forecast = Forecast(used=5.0, limit=9.0, full_at=now + days * DAY if days else None)
        outlook = Outlook(subject=Subject(resource="filesystem", name="/var"), at=now, forecast=forecast)
        known = Evidence(host="h", start=now - 7 * DAY, end=now, capacity=(outlook,))
        return [each for each in points(measures(known), known, "1970-04-11") if each.kind == "forecast"]

    (point,) = found(30)
    assert (point.about, point.says) == ("filesystem /var", "it will be full on 1970-05-11")
    assert found(200) == found(None) == []
