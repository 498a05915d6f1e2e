"""Rotas: who is on call, when that changes, and hours that nobody or two people have."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents import windows
from agent.incidents.windows import Recurrence
from agent.itsm.rota import FaultKind, Layer, Override, Rota, faults, hand_over, next_change, on_call
from agent.itsm.teams import Person, Roster, Team, Whom, split

BERLIN = ZoneInfo("Europe/Berlin")


def local(text, zone=BERLIN, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def hours(*times, days=()):
    return windows.parse(Recurrence(days=days, times=times, zone="Europe/Berlin"))


def rota(*layers, overrides=(), zone=BERLIN):
    return Rota(name="web", team="web", zone=zone, layers=layers, overrides=overrides)


def layer(*members, start="2026-11-02T09:00", **more):
    return Layer(members=members, start=datetime.fromisoformat(start), **more)


def override(person, start, end):
    return Override(person=person, start=local(start), end=local(end))


def test_members_take_turns_of_a_week_from_the_hand_over_time_on():
    weekly = rota(layer("ann", "bob"))
    assert on_call(weekly, local("2026-11-02T08:59:59")) == ""
    assert on_call(weekly, local("2026-11-02T09:00")) == "ann"
    assert on_call(weekly, local("2026-11-09T08:59:59")) == "ann"
    assert on_call(weekly, local("2026-11-09T09:00")) == "bob"
    assert on_call(weekly, local("2026-11-16T09:00")) == "ann"


def test_the_next_hand_over_is_when_another_person_comes():
    found = hand_over(rota(layer("ann", "bob")), local("2026-11-04T12:00"))
    assert (found.at, found.person) == (local("2026-11-09T09:00"), "bob")
    assert hand_over(rota(layer("ann")), local("2026-11-04T12:00")) is None
    assert hand_over(rota(layer("ann", "ann")), local("2026-11-04T12:00")) is None


def test_day_and_night_are_layers_of_their_own():
    night = hours("18:00-08:00")
    shared = rota(layer("ann", hours=hours("08:00-18:00")), layer("bob", "cid", days=1, hours=night))
    assert on_call(shared, local("2026-11-02T12:00")) == "ann"
    assert on_call(shared, local("2026-11-02T22:00")) == "bob"
    assert on_call(shared, local("2026-11-03T22:00")) == "cid"
    found = hand_over(shared, local("2026-11-02T12:00"))
    assert (found.at, found.person) == (local("2026-11-02T18:00"), "bob")


def test_an_override_holds_until_it_expires():
    shared = rota(layer("ann", "bob"), overrides=(override("cid", "2026-11-03T10:00", "2026-11-03T14:00"),))
    assert on_call(shared, local("2026-11-03T09:59")) == "ann"
    assert on_call(shared, local("2026-11-03T10:00")) == "cid"
    assert hand_over(shared, local("2026-11-03T11:00")).person == "ann"
    assert on_call(shared, local("2026-11-03T14:00")) == "ann"
    assert hand_over(shared, local("2026-11-03T09:00")).at == local("2026-11-03T10:00")


def test_a_layer_that_ends_hands_over_to_the_one_that_follows():
    old = layer("ann", end=datetime.fromisoformat("2026-12-01T09:00"))
    shared = rota(old, layer("bob", start="2026-12-01T09:00"))
    assert on_call(shared, local("2026-12-01T08:59:59")) == "ann"
    assert on_call(shared, local("2026-12-01T09:00")) == "bob"
    assert list(faults(shared)) == []


def test_a_hand_over_that_the_clock_leaves_out_comes_with_the_change():
    daily = rota(layer("ann", "bob", "cid", days=1, start="2026-03-28T02:30"))
    change = local("2026-03-29T03:00")
    assert on_call(daily, change - 1) == "ann"
    assert on_call(daily, change) == "bob"
    assert hand_over(daily, local("2026-03-28T12:00")).at == change
    assert on_call(daily, local("2026-03-30T02:29")) == "bob"
    assert on_call(daily, local("2026-03-30T02:30")) == "cid"


def test_a_hand_over_at_a_time_that_comes_twice_happens_once_when_it_comes_first():
    daily = rota(layer("ann", "bob", "cid", days=1, start="2026-10-24T02:30"))
    first = local("2026-10-25T02:30")
    people = [on_call(daily, first + minute * 60) for minute in range(-60, 120)]
    assert people == ["ann"] * 60 + ["bob"] * 120
    assert local("2026-10-25T02:30", fold=1) == first + 3600
    assert hand_over(daily, first).at == local("2026-10-26T02:30")


def test_turns_are_days_of_the_calendar_and_not_of_24_hours():
    daily = rota(layer("ann", "bob", days=1, start="2026-10-24T09:00"))
    assert on_call(daily, local("2026-10-25T08:59")) == "ann"
    assert on_call(daily, local("2026-10-25T09:00")) == "bob"
    assert local("2026-10-25T09:00") - local("2026-10-24T09:00") == 25 * 3600


@given(
    days=st.integers(1, 9),
    minute=st.integers(0, 1439),
    members=st.integers(1, 4),
    start=st.integers(0, 400),
    ask=st.integers(0, 900 * 1440),
    zone=st.sampled_from([UTC, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe")]),
)
def test_turns_agree_with_a_walk_through_all_hand_overs(days, minute, members, start, ask, zone):  # noqa: PLR0917
    begin = datetime.fromisoformat("2026-01-01") + timedelta(days=start, minutes=minute)
    names = tuple("abcd"[:members])
    turning = rota(Layer(members=names, start=begin, days=days), zone=zone)
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp() + ask * 60
    turn = -1
    while windows.instant(begin + timedelta(days=(turn + 1) * days), zone) <= now:
        turn += 1
    assert on_call(turning, now) == (names[turn % members] if turn >= 0 else "")
    at = next_change(turning, now)
    if turn >= 0 and members > 1:
        assert at == windows.instant(begin + timedelta(days=(turn + 1) * days), zone)


def found(*layers):
    return [
        (each.kind, f"{each.start:%a %H:%M}", f"{each.end:%a %H:%M}", each.layers) for each in faults(rota(*layers))
    ]


def test_hours_that_nobody_has_are_gaps():
    (weekend,) = found(layer("ann", hours=hours("00:00-24:00", days=("mon-fri",)), start="2026-11-02T00:00"))
    assert weekend == (FaultKind.GAP, "Sat 00:00", "Mon 00:00", ())
    nights = found(layer("ann", hours=hours("08:00-18:00"), start="2026-11-02T00:00"))
    assert nights[0] == (FaultKind.GAP, "Mon 00:00", "Mon 08:00", ())
    assert nights[1] == (FaultKind.GAP, "Mon 18:00", "Tue 08:00", ())
    assert len(nights) == 8


def test_hours_that_two_layers_have_are_overlaps():
    day, night = layer("ann", hours=hours("08:00-18:00")), layer("bob", hours=hours("17:00-08:00"))
    assert (FaultKind.OVERLAP, "Mon 17:00", "Mon 18:00", (0, 1)) in found(day, night)
    assert {kind for kind, *_ in found(day, night)} == {FaultKind.OVERLAP}
    ((kind, *_, layers),) = found(layer("ann"), layer("bob"))
    assert (kind, layers) == (FaultKind.OVERLAP, (0, 1))


def test_time_between_a_layer_that_ends_and_the_next_is_a_gap():
    old = layer("ann", end=datetime.fromisoformat("2026-12-01T09:00"))
    (gap,) = found(old, layer("bob", start="2026-12-02T09:00"))
    assert gap == (FaultKind.GAP, "Tue 09:00", "Wed 09:00", ())
    (never,) = found(layer("ann", end=datetime.fromisoformat("2026-12-01T09:00")))
    assert never[0] is FaultKind.GAP


def test_layers_that_share_every_hour_have_no_fault():
    weekday = layer("ann", hours=hours("08:00-18:00", days=("mon-fri",)))
    nights = layer("bob", hours=hours("18:00-08:00", days=("mon-thu",)))
    weekend = layer("cid", hours=hours("18:00-24:00", days=("fri",)))
    rest = layer("cid", hours=hours("00:00-24:00", days=("sat-sun",)))
    monday = layer("cid", hours=hours("00:00-08:00", days=("mon",)))
    assert found(weekday, nights, weekend, rest, monday) == []


@pytest.mark.parametrize("zone", [UTC, BERLIN])
def test_what_has_no_fault_has_one_person_at_any_minute(zone):
    day = windows.parse(Recurrence(times=("02:15-14:00",), zone=str(zone) if zone is BERLIN else "UTC"))
    night = windows.parse(Recurrence(times=("14:00-02:15",), zone=str(zone) if zone is BERLIN else "UTC"))
    both = rota(layer("ann", hours=day, start="2026-01-01T00:00"), layer("bob", hours=night, start="2026-01-01T00:00"))
    assert list(faults(both)) == []
    start = local("2026-03-28T00:00")
    assert all(on_call(both, start + minute * 300) for minute in range(3 * 288))
    start = local("2026-10-24T00:00")
    assert all(on_call(both, start + minute * 300) for minute in range(3 * 288))


ROSTER = Roster(
    people={
        "ann": Person(name="ann", channels=("mail", "sms")),
        "bob": Person(name="bob", channels=("mail",)),
    },
    teams={
        "web": Team(name="web", members=("ann", "bob")),
        "shop": Team(name="shop", members=("ann",), channels=("shop-chat",)),
    },
    rotas={"web": rota(layer("bob", "ann"))},
)


@pytest.mark.parametrize(
    ("whom", "recipients"),
    [
        (Whom(channels=("boss",), people=("ann",)), ("boss", "ann@mail", "ann@sms")),
        (Whom(teams=("web", "shop")), ("ann@mail", "ann@sms", "bob@mail", "shop-chat")),
        (Whom(rotas=("web",)), ("bob@mail",)),
        (Whom(people=("bob",), rotas=("web",)), ("bob@mail",)),
        (Whom(people=("x",), teams=("x",), rotas=("x",)), ()),
    ],
)
def test_recipients_are_channels_and_people_on_channels_each_once(whom, recipients):
    assert ROSTER.recipients([whom], local("2026-11-03T12:00")) == recipients


def test_before_a_rota_begins_its_team_is_told():
    assert ROSTER.recipients([Whom(rotas=("web",))], local("2026-11-01T12:00")) == ("ann@mail", "ann@sms", "bob@mail")


def test_while_somebody_stands_in_who_is_not_known_any_more_the_team_is_told():
    now = local("2026-11-03T12:00")
    gone = Override(person="eve", start=now - 60, end=now + 60)
    roster = replace(ROSTER, rotas={"web": replace(ROSTER.rotas["web"], overrides=(gone,))})
    assert roster.recipients([Whom(rotas=("web",))], now) == ("ann@mail", "ann@sms", "bob@mail")


def test_a_recipient_is_a_person_on_a_channel_or_the_channel():
    assert split("ann@mail") == ("ann", "mail")
    assert split("mail") == ("", "mail")
